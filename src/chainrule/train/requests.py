"""What `chainrule change` asks of a training that is running: RUN.partial/change.json.

It stays until the history holds it, so that a kill loses no request either; a second one before
that is joined to it. Once the last epoch is done RUN.partial/trained says so, and nothing more can
be asked; what came in the last moment is told to be too late.
"""

import json
import warnings
from contextlib import suppress
from pathlib import Path

from chainrule import durable
from chainrule.errors import DataWarning, RunError
from chainrule.lock import Lock
from chainrule.train.changes import Change
from chainrule.train.history import History
from chainrule.train.partial import is_trained_now, others, partial_of, system_of
from chainrule.train.unfinished import cannot_write

CHANGE = "change.json"
TRAINED = "trained"


def request(run: Path, change: Change) -> None:
    """Ask the process that trains this run for a change; raises RunError where there is none."""
    change.check_numbers()
    if (kind := system_of(run)) and change.said.keys() - {"learning_rate"}:
        hint = f"chainrule change {run} --learning-rate 0.0005"
        raise RunError(str(run), "a training with λ", f"one of chainrule {kind}", hint)
    folder = partial_of(run)
    try:
        if not is_trained_now(run):
            done = (run / "manifest.json").exists()
            hint = f"chainrule train --resume {run}" if folder.is_dir() else others(run)
            hint = f"chainrule train --recipe {run} with other options" if done else hint
            got = "one that is done" if done else "none"
            raise RunError(str(run), "a run that is being trained now", got, hint)
        with Lock(folder / "change.lock"):
            if (folder / TRAINED).exists():
                hint = f"chainrule train --recipe {run} with other options, when it is saved"
                raise RunError(str(run), "an epoch that is still to come", "none", hint)
            pending = _read(folder) or Change()
            content = json.dumps(pending.then(change).said).encode()
            durable.write(folder / CHANGE, content)
    except OSError as error:
        raise cannot_write(run, error) from error


def asked(folder: Path, history: History) -> Change | None:
    """What has been asked for and is not done yet, if anything."""
    lock = Lock(folder / "change.lock")
    try:
        if not (folder / CHANGE).exists() or not lock.acquire():
            return None
        change = _read(folder)
        done = history.changes[-1]["change"] if history.changes else {}
        if change is not None and not change.said.items() <= done.items():
            return change
        (folder / CHANGE).unlink()
    except OSError:  # the training goes on, and looks again
        return None
    finally:
        lock.release()


def close(folder: Path, history: History) -> None:
    """No more requests: the last epoch is done. What came too late is said."""
    with suppress(OSError), Lock(folder / "change.lock"):
        (folder / TRAINED).touch()
    late = asked(folder, history)
    if late is not None:
        said = ", ".join(f"{name} {value:g}" for name, value in late.said.items())
        words = f"a change came after the last epoch, and was not made: {said}."
        warnings.warn(words, DataWarning, stacklevel=2)


def _read(folder: Path) -> Change | None:
    """What is asked for; nothing where the file is not what `request` wrote."""
    try:
        change = Change(**json.loads((folder / CHANGE).read_bytes()))
        change.check_numbers()
    except (OSError, ValueError, TypeError):
        return None
    return change
