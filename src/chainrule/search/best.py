"""The best candidate, trained again as `chainrule train` would, and kept like any other run.

Only now is the test part looked at, once.
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
    """The run of the best candidate, in the search's folder `best`; None where none is done.

    `draw(run, sources)` gives its pictures. A run that is there already is loaded, if it is this
    candidate's.
    """
    best = search.best
    if best is None:
        return None
    with alone(search):
        return _kept(search, best, search.folder / "best", draw)


def alone(search: Search) -> Lock:
    """Workers that end at the same moment write into the folder one after the other."""
    return Lock(search.folder / "best.lock")


def _kept(search: Search, best: Tried, folder: Path, draw: Draw | None) -> Run | None:
    recipe = search.recipe(best)
    if folder.is_dir():
        kept = load(folder)
        if kept.recipe == recipe:
            return kept
    keep_compiled_programs()
    prepared = prepare(recipe)
    run = train_prepared(prepared)
    if run.history.stopped == "interrupted":
        return None
    found = {"folder": search.folder.name, "candidate": best.number + 1}
    run = replace(run, facts=run.facts | {"search": found | {"dev_cost": best.outcome.dev_cost}})
    return _swap(run, folder, draw(run, prepared.sources) if draw else {})


def _swap(run: Run, folder: Path, pictures: Mapping[str, bytes]) -> Run:
    """The new one is whole before the old one goes."""
    new, old = (folder.with_name(f"best.{name}") for name in ("new", "old"))
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    save(run, new, pictures)
    if folder.is_dir():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    return at(run, folder)
