"""A training whose state is on disk, so that it survives an interruption at any moment.

begin       create the folder of a new training
reopen      open the folder of an interrupted training
finished    return the run if its training is complete
train       train with checkpoints, applying the requests of `chainrule change`
listening   the callback on progress that applies these requests

Requests of `chainrule change` to a running training, in the file RUN.partial/change.json.

The file stays until the change is in the history, so that no request is lost if the process is
killed; a second request before that is merged into it. After the last epoch the file
RUN.partial/trained is written and further requests are refused; a request that arrived just before
is reported as too late.
"""

import json
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from chainrule.errors import DataWarning, RunError
from chainrule.host import files
from chainrule.host.files import Lock
from chainrule.runs.folder import load
from chainrule.runs.prepare import Prepared
from chainrule.runs.run import Run, train_prepared
from chainrule.runs.status import (
    is_trained_now,
    other_unfinished_runs,
    partial_of,
    run_of,
    vision_task_of,
)
from chainrule.runs.unfinished import Unfinished, cannot_write
from chainrule.train.changes import Change
from chainrule.train.checkpoint import EVERY
from chainrule.train.history import History

CHANGE = "change.json"
TRAINED = "trained"


def request(run: Path, change: Change) -> None:
    """Request a change from the process that trains this run; raise RunError if there is none."""
    change.check_numbers()
    if (kind := vision_task_of(run)) and change.given_values.keys() - {"learning_rate"}:
        hint = f"chainrule change {run} --learning-rate 0.0005"
        raise RunError(str(run), "a training with λ", f"a run of chainrule {kind}", hint)
    folder = partial_of(run)
    try:
        if not is_trained_now(run):
            done = (run / "manifest.json").exists()
            hint = (
                f"chainrule train --resume {run}" if folder.is_dir() else other_unfinished_runs(run)
            )
            hint = f"chainrule train --recipe {run} with other options" if done else hint
            got = "a finished run" if done else "none"
            raise RunError(str(run), "a run that is being trained", got, hint)
        with Lock(folder / "change.lock"):
            if (folder / TRAINED).exists():
                hint = f"chainrule train --recipe {run} with other options, once it is saved"
                expected, got = "a training with epochs left", "one after its last epoch"
                raise RunError(str(run), expected, got, hint)
            pending = _read(folder) or Change()
            content = json.dumps(pending.then(change).given_values).encode()
            files.write_file(folder / CHANGE, content)
    except OSError as error:
        raise cannot_write(run, error) from error


def pending_request(folder: Path, history: History) -> Change | None:
    """Return the requested change that has not been applied yet, or None."""
    lock = Lock(folder / "change.lock")
    try:
        if not (folder / CHANGE).exists() or not lock.acquire():
            return None
        change = _read(folder)
        done = history.changes[-1]["change"] if history.changes else {}
        if change is not None and not change.given_values.items() <= done.items():
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
    late = pending_request(folder, history)
    if late is not None:
        changes = ", ".join(f"{name} {value:g}" for name, value in late.given_values.items())
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


class SavedRecipe(Protocol):
    """A recipe from `runs/recipe.py` or `vision/` that can be written as JSON."""

    def to_dict(self) -> dict[str, Any]: ...


class PreparedTraining(Protocol):
    """A prepared training: its recipe, and the sha256 of each set of its data."""

    @property
    def recipe(self) -> "SavedRecipe": ...

    @property
    def digests(self) -> dict[str, str]: ...


P = TypeVar("P", bound=PreparedTraining)
R = TypeVar("R")


def begin(prepared: PreparedTraining, run: Path) -> Unfinished:
    """Create the folder of a new training."""
    return Unfinished.begin(run, prepared.recipe.to_dict(), prepared.digests)


def reopen(run: str | Path, prepare: Callable[[dict[str, Any]], P]) -> tuple[P, Unfinished]:
    """Return an interrupted training, prepared from its recipe by `prepare`, and its folder.

    Raises RunError if there is none, or if the data has changed since it began.
    """
    unfinished, saved = Unfinished.resume(run_of(run))
    try:
        prepared = prepare(saved["recipe"])
        if prepared.digests != saved["facts"]["digests"]:
            hint = (
                f"chainrule train --recipe {unfinished.folder}, to start anew on the current data"
            )
            if "kind" in saved["recipe"]:
                hint = "restoring the original data, or a new training under another name"
            expected = "the data on which the training began"
            raise RunError(str(run), expected, "different data", hint)
    except BaseException:
        unfinished.lock.release()
        raise
    return prepared, unfinished


def finished(run: str | Path, read: Callable[[Path], R] = load) -> R | None:
    """Return the run as read by `read` if its training is complete, and None otherwise.

    A temporary folder that remains because the process was killed at the very end is deleted.
    """
    run = run_of(run)
    if not (run / "manifest.json").is_file():
        return None
    done, leftover = read(run), Unfinished(run)
    with suppress(OSError):
        if leftover.folder.is_dir() and leftover.lock.acquire():
            leftover.discard()
    return done


def train(
    prepared: Prepared,
    unfinished: Unfinished,
    on_progress: Callable[[History, float], None] | None = None,
    *,
    every: float = EVERY,
    change: Change | None = None,
) -> Run:
    """Train with checkpoints, applying first `change` and then what `chainrule change` requests."""
    callback = with_requests(unfinished, on_progress, change)
    run = train_prepared(prepared, callback, checkpoints=unfinished.checkpoints(every))
    close(unfinished.folder, run.history)
    return run


def with_requests(
    unfinished: Unfinished,
    on_progress: Callable[[History, float], None] | None = None,
    change: Change | None = None,
) -> Callable[[History, float], Change | None]:
    """Return a `on_progress` for `fit` that also applies the requests of `chainrule change`.

    `change` is applied first. After training, call `requests.close`, which warns of a request that
    came too late.
    """
    first = [change] if change else []
    with suppress(OSError):  # there may be none; if it stays, requests are refused too early
        (unfinished.folder / TRAINED).unlink()

    def watch_and_request(history: History, share: float) -> Change | None:
        if on_progress is not None:
            on_progress(history, share)
        return first.pop() if first else pending_request(unfinished.folder, history)

    return watch_and_request
