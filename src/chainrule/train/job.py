"""A training whose state is on disk, so that it survives an interruption at any moment.

begin       create the folder of a new training
reopen      open the folder of an interrupted training
finished    return the run if its training is complete
train       train with checkpoints, applying the requests of `chainrule change`
listening   the callback on progress that applies these requests
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from chainrule.errors import RunError
from chainrule.train import requests
from chainrule.train.changes import Change
from chainrule.train.checkpoint import EVERY
from chainrule.train.history import History
from chainrule.train.partial import run_of
from chainrule.train.prepare import Prepared
from chainrule.train.run import Run, train_prepared
from chainrule.train.store import load
from chainrule.train.unfinished import Unfinished


class SavedRecipe(Protocol):
    """A recipe from `train/recipe.py` or `vision/` that can be written as JSON."""

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
    watch: Callable[[History, float], None] | None = None,
    *,
    every: float = EVERY,
    change: Change | None = None,
) -> Run:
    """Train with checkpoints, applying first `change` and then what `chainrule change` requests."""
    callback = listening(unfinished, watch, change)
    run = train_prepared(prepared, callback, checkpoints=unfinished.checkpoints(every))
    requests.close(unfinished.folder, run.history)
    return run


def listening(
    unfinished: Unfinished,
    watch: Callable[[History, float], None] | None = None,
    change: Change | None = None,
) -> Callable[[History, float], Change | None]:
    """Return a `watch` for `fit` that also applies the requests of `chainrule change`.

    `change` is applied first. After training, call `requests.close`, which warns of a request that
    came too late.
    """
    first = [change] if change else []
    with suppress(OSError):  # there may be none; if it stays, requests are refused too early
        (unfinished.folder / requests.TRAINED).unlink()

    def watch_and_request(history: History, share: float) -> Change | None:
        if watch is not None:
            watch(history, share)
        return first.pop() if first else requests.asked(unfinished.folder, history)

    return watch_and_request
