"""Train the best candidate again as `chainrule train` would, and save it like any other run.

Only then is the test set evaluated, once.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from chainrule.cache import keep_compiled_programs
from chainrule.data.source import Source
from chainrule.lock import Lock
from chainrule.search.folder import Search
from chainrule.search.tried import Tried
from chainrule.train.prepare import prepare
from chainrule.train.run import Run, at, train_prepared
from chainrule.train.store import load, save

Draw = Callable[[Run, Mapping[str, Source]], Mapping[str, bytes]]


def keep_best(search: Search, draw: Draw | None = None) -> Run | None:
    """Train the best candidate and save its run in the search's folder `best`.

    Returns None if no candidate is done. `draw(run, sources)` returns the plots of the run, PNG
    files by name. If the folder already holds a run of this candidate, that run is loaded.
    """
    best = search.best
    if best is None:
        return None
    with alone(search):
        return _load_or_train(search, best, search.folder / "best", draw)


def alone(search: Search) -> Lock:
    """Return the lock on the folder `best`, so that only one worker at a time writes into it."""
    return Lock(search.folder / "best.lock")


def _load_or_train(search: Search, best: Tried, folder: Path, draw: Draw | None) -> Run | None:
    recipe = search.recipe(best)
    if folder.is_dir():
        saved = load(folder)
        if saved.recipe == recipe:
            return saved
    keep_compiled_programs()
    prepared = prepare(recipe)
    run = train_prepared(prepared)
    if run.history.stopped == "interrupted":
        return None
    found = {"folder": search.folder.name, "candidate": best.number + 1}
    run = replace(run, facts=run.facts | {"search": found | {"dev_cost": best.outcome.dev_cost}})
    return _swap(run, folder, draw(run, prepared.sources) if draw else {})


def _swap(run: Run, folder: Path, pictures: Mapping[str, bytes]) -> Run:
    """Replace the saved run; the new run is complete before the old one is removed."""
    new, old = (folder.with_name(f"best.{name}") for name in ("new", "old"))
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    save(run, new, pictures)
    if folder.is_dir():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    return at(run, folder)
