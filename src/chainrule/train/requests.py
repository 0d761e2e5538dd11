"""What `chainrule change` asks of a training that is running: RUN.partial/change.json.

It stays until the history holds it, so that a kill loses no request either; a second one before
that is joined to it.
"""

import json
from pathlib import Path

from chainrule import durable
from chainrule.errors import RunError
from chainrule.lock import Lock
from chainrule.train.changes import Change
from chainrule.train.history import History
from chainrule.train.partial import is_trained_now, others, partial_of
from chainrule.train.unfinished import cannot_write

CHANGE = "change.json"


def request(run: Path, change: Change) -> None:
    """Ask the process that trains this run for a change; raises RunError where there is none."""
    change.check_numbers()
    folder = partial_of(run)
    try:
        if not is_trained_now(run):
            hint = f"chainrule train --resume {run}" if folder.is_dir() else others(run)
            raise RunError(str(run), "a run that is being trained now", "none", hint)
        with Lock(folder / "change.lock"):
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


def _read(folder: Path) -> Change | None:
    """What is asked for; nothing where the file is not what `request` wrote."""
    try:
        change = Change(**json.loads((folder / CHANGE).read_bytes()))
        change.check_numbers()
    except (OSError, ValueError, TypeError):
        return None
    return change
