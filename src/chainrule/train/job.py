"""One training whose state is on disk, so that it survives an interruption at any moment.

begin       the folder of a new one
reopen      that of one that was interrupted
finished    the run, where it is done
train       with checkpoints, listening to `chainrule change`
listening   the watching of a training that does so
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


class Kept(Protocol):
    """A recipe: `train/recipe.py`, or one of `vision/`."""

    def to_dict(self) -> dict[str, Any]: ...


class Asked(Protocol):
    """What is asked for, and the sha256 of the data, part by part."""

    @property
    def recipe(self) -> "Kept": ...

    @property
    def digests(self) -> dict[str, str]: ...


A = TypeVar("A", bound=Asked)
R = TypeVar("R")


def begin(asked: Asked, run: Path) -> Unfinished:
    """The folder of a new training."""
    return Unfinished.begin(run, asked.recipe.to_dict(), asked.digests)


def reopen(run: str | Path, prepare: Callable[[dict[str, Any]], A]) -> tuple[A, Unfinished]:
    """What `prepare` makes of an interrupted training's recipe, and its folder.

    Raises RunError where there is none, or where the data is not what it began with.
    """
    unfinished, saved = Unfinished.resume(run_of(run))
    try:
        asked = prepare(saved["recipe"])
        if asked.digests != saved["facts"]["digests"]:
            hint = f"chainrule train --recipe {unfinished.folder}, to begin on the data as it is"
            if "kind" in saved["recipe"]:
                hint = "the data as it was, or a new training under another name"
            raise RunError(str(run), "the data that the training began with", "other data", hint)
    except BaseException:
        unfinished.lock.release()
        raise
    return asked, unfinished


def finished(run: str | Path, read: Callable[[Path], R] = load) -> R | None:
    """The run as `read` gives it, where it is done; what a kill at the end left is taken away."""
    run = run_of(run)
    if not (run / "manifest.json").is_file():
        return None
    done, left = read(run), Unfinished(run)
    with suppress(OSError):
        if left.folder.is_dir() and left.lock.acquire():
            left.discard()
    return done


def train(
    prepared: Prepared,
    unfinished: Unfinished,
    watch: Callable[[History, float], None] | None = None,
    *,
    every: float = EVERY,
    change: Change | None = None,
) -> Run:
    """Train with checkpoints, listening to `chainrule change`; `change` is the first of those."""
    watched = listening(unfinished, watch, change)
    run = train_prepared(prepared, watched, checkpoints=unfinished.checkpoints(every))
    requests.close(unfinished.folder, run.history)
    return run


def listening(
    unfinished: Unfinished,
    watch: Callable[[History, float], None] | None = None,
    change: Change | None = None,
) -> Callable[[History, float], Change | None]:
    """`watch` for `fit`, that also hands over what `chainrule change` asks for; `change` is first.

    At the end `requests.close` says what has become of the last of them.
    """
    first = [change] if change else []
    with suppress(OSError):  # there is none, or requests are refused too soon
        (unfinished.folder / requests.TRAINED).unlink()

    def watch_and_ask(history: History, share: float) -> Change | None:
        if watch is not None:
            watch(history, share)
        return first.pop() if first else requests.asked(unfinished.folder, history)

    return watch_and_ask
