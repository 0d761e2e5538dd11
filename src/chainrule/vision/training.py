"""From a recipe to a trained, measured system, on disk from its first step.

train_system      a new one
resume_system     one that was interrupted
train             the training itself, with checkpoints, listening to `chainrule change`
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule.runs import job
from chainrule.runs.folder import check_free
from chainrule.runs.unfinished import Unfinished
from chainrule.train.changes import Change
from chainrule.train.checkpoint import EVERY
from chainrule.train.history import History
from chainrule.vision.report import page
from chainrule.vision.store import load_system, save_system
from chainrule.vision.task import Opened, System, kind_of

ProgressCallback = Callable[[History, float], None]


def train_system(
    kind: str, source: str | os.PathLike, *, out: str | os.PathLike, **options: Any
) -> System:
    """Train a system of this kind on a file or folder, and save it in the folder `out`.

    `options` are those of the kind's recipe: `vision/detection/task.py`, `segment.py`, `verify.py`.
    """
    own = kind_of(kind)
    recipe = own.recipe.from_dict({"source": os.fspath(source), **options})
    check_free(Path(out))
    opened = own.open(recipe)
    with job.begin(opened, Path(out)) as unfinished:
        return finish(train(opened, unfinished), opened, unfinished.run)


def resume_system(run: str | os.PathLike) -> System:
    """Go on with a training that was interrupted; a run that is done is given as it is."""
    run = Path(run)
    if (done := job.finished(run, load_system)) is not None:
        return done
    opened, unfinished = job.reopen(run, reopened)
    with unfinished:
        return finish(train(opened, unfinished), opened, unfinished.run)


def reopened(saved: dict[str, Any]) -> Opened:
    """The data of a recipe that was written."""
    own = kind_of(saved["kind"])
    return own.open(own.recipe.from_dict(saved))


def train(
    opened: Opened,
    unfinished: Unfinished,
    on_progress: ProgressCallback | None = None,
    *,
    every: float = EVERY,
    change: Change | None = None,
) -> System:
    """Train with checkpoints, and measure every part."""
    recipe = opened.recipe
    own = kind_of(recipe.kind)
    model: Any = own.model(**recipe.options)
    watched = job.with_requests(unfinished, on_progress, change)
    own.fit(model, opened, on_progress=watched, checkpoints=unfinished.checkpoints(every))
    job.close(unfinished.folder, model.history_)
    results = {name: own.measure(model, part) for name, part in opened.parts.items()}
    facts = {
        "digests": opened.digests,
        "sizes": {name: len(part) for name, part in opened.parts.items()},
    }
    return System(recipe.kind, model, opened.names, recipe, results, facts)


def epochs_of(opened: Opened) -> int:
    """How many passes the training makes."""
    model: Any = kind_of(opened.recipe.kind).model(**opened.recipe.options)
    return model.epochs_for(len(opened.parts["train"]))


def finish(system: System, opened: Opened, run: Path) -> System:
    """Save it with its pictures and its page."""
    pictures = kind_of(system.kind).pictures(system, opened)
    return save_system(system, run, {**pictures, "report.html": page(system, pictures)})
