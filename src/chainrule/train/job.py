"""One training from the data to the run on disk, which survives an interruption at any moment.

train_model      a training in memory, or with `out` one that is written and can be resumed
resume           goes on with one that was interrupted
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from chainrule.cache import keep_compiled_programs
from chainrule.errors import RunError
from chainrule.train.changes import Change
from chainrule.train.checkpoint import EVERY
from chainrule.train.history import History
from chainrule.train.partial import run_of
from chainrule.train.prepare import Prepared, prepare
from chainrule.train.recipe import Recipe
from chainrule.train.requests import TRAINED, asked, close
from chainrule.train.run import Run, train_prepared
from chainrule.train.store import check_free, load, save
from chainrule.train.unfinished import Unfinished


def train_model(source: str, *, out: str | Path | None = None, **options: Any) -> Run:
    """Train on a bundled name, a file or a folder; options as in `Recipe`.

    With `out` the run is saved in that folder, and `resume` goes on where it was interrupted;
    else nothing is written.

    >>> run = train_model("iris", hidden=(8,), epochs=50)
    >>> run.predict(np.array([[5.1, 3.5, 1.4, 0.2]])).shape
    (1,)
    """
    keep_compiled_programs()
    recipe = Recipe.from_dict({"source": source, **options})
    if out is None:
        return train_prepared(prepare(recipe))
    check_free(Path(out))
    prepared = prepare(recipe)
    with begin(prepared, Path(out)) as unfinished:
        return save(train(prepared, unfinished), out)


def resume(run: str | Path) -> Run:
    """Go on with an interrupted training, and save it; a run that is done is only loaded.

    `run` is its folder, or that of RUN.partial. Raises RunError where there is none, or where the
    data is not what it began with.
    """
    keep_compiled_programs()
    if (done := finished(run)) is not None:
        return done
    prepared, unfinished = reopen(run)
    with unfinished:
        return save(train(prepared, unfinished), unfinished.run)


def begin(prepared: Prepared, run: Path) -> Unfinished:
    """The folder of a new training."""
    return Unfinished.begin(run, prepared.recipe.to_dict(), prepared.digests)


def reopen(run: str | Path) -> tuple[Prepared, Unfinished]:
    """The data and the folder of an interrupted training."""
    unfinished, saved = Unfinished.resume(run_of(run))
    try:
        prepared = prepare(Recipe.from_dict(saved["recipe"]))
        if prepared.digests != saved["facts"]["digests"]:
            hint = f"chainrule train --recipe {unfinished.folder}, to begin on the data as it is"
            raise RunError(str(run), "the data that the training began with", "other data", hint)
    except BaseException:
        unfinished.lock.release()
        raise
    return prepared, unfinished


def finished(run: str | Path) -> Run | None:
    """The run, where it is done; what a kill in its last moment has left is taken away."""
    run = run_of(run)
    if not (run / "manifest.json").is_file():
        return None
    done, left = load(run), Unfinished(run)
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
    first = [change] if change else []
    with suppress(OSError):  # there is none, or requests are refused too soon
        (unfinished.folder / TRAINED).unlink()

    def watch_and_ask(history: History, share: float) -> Change | None:
        if watch is not None:
            watch(history, share)
        return first.pop() if first else asked(unfinished.folder, history)

    run = train_prepared(prepared, watch_and_ask, checkpoints=unfinished.checkpoints(every))
    close(unfinished.folder, run.history)
    return run
