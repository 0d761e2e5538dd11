"""Requests of `chainrule change` to a running training, in the file RUN.partial/change.json.

The file stays until the change is in the history, so that no request is lost if the process is
killed; a second request before that is merged into it. After the last epoch the file
RUN.partial/trained is written and further requests are refused; a request that arrived just before
is reported as too late.
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
    """Request a change from the process that trains this run; raise RunError if there is none."""
    change.check_numbers()
    if (kind := system_of(run)) and change.said.keys() - {"learning_rate"}:
        hint = f"chainrule change {run} --learning-rate 0.0005"
        raise RunError(str(run), "a training with λ", f"a run of chainrule {kind}", hint)
    folder = partial_of(run)
    try:
        if not is_trained_now(run):
            done = (run / "manifest.json").exists()
            hint = f"chainrule train --resume {run}" if folder.is_dir() else others(run)
            hint = f"chainrule train --recipe {run} with other options" if done else hint
            got = "a finished run" if done else "none"
            raise RunError(str(run), "a run that is being trained", got, hint)
        with Lock(folder / "change.lock"):
            if (folder / TRAINED).exists():
                hint = f"chainrule train --recipe {run} with other options, once it is saved"
                expected, got = "a training with epochs left", "one after its last epoch"
                raise RunError(str(run), expected, got, hint)
            pending = _read(folder) or Change()
            content = json.dumps(pending.then(change).said).encode()
            durable.write(folder / CHANGE, content)
    except OSError as error:
        raise cannot_write(run, error) from error


def asked(folder: Path, history: History) -> Change | None:
    """Return the requested change that has not been applied yet, or None."""
    lock = Lock(folder / "change.lock")
    try:
        if not (folder / CHANGE).exists() or not lock.acquire():
            return None
        change = _read(folder)
        done = history.changes[-1]["change"] if history.changes else {}
        if change is not None and not change.said.items() <= done.items():
            return change
        (folder / CHANGE).unlink()
    except OSError:  # the training continues, and checks again later
        return None
    finally:
        lock.release()


def close(folder: Path, history: History) -> None:
    """Refuse further requests after the last epoch, and warn of one that came too late."""
    with suppress(OSError), Lock(folder / "change.lock"):
        (folder / TRAINED).touch()
    late = asked(folder, history)
    if late is not None:
        changes = ", ".join(f"{name} {value:g}" for name, value in late.said.items())
        message = f"a change was requested after the last epoch and was not made: {changes}."
        warnings.warn(message, DataWarning, stacklevel=2)


def _read(folder: Path) -> Change | None:
    """Read the requested change; None if the file is not one that `request` wrote."""
    try:
        change = Change(**json.loads((folder / CHANGE).read_bytes()))
        change.check_numbers()
    except (OSError, ValueError, TypeError):
        return None
    return change
