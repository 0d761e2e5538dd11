"""Hyperparameter search: from a data set to the run of the best candidate.

Notes: "Tuning process", "Hyperparameter tuning in practice: pandas vs. caviar" (course 2, week 3).

    tune("digits", space=["learning_rate=log(1e-4, 1)", "units=integers(8, 128)"], trials=20)
    tune("digits")                        searches the default space, in the notes' order
    resume("searches/digits-1")           resumes an interrupted search, or adds candidates

After the search, the best candidate is trained again as `chainrule train` would train it, and saved
like any other run. Only then is the test set evaluated, once.

The importance of a dimension is how much of the differences in dev cost it explains by itself:

    r    the ranks of the dev costs, so that a very bad candidate counts no more than the others
    u    the positions of the values, each on the dimension's own scale
    R²   of the parabola r ≈ c₀ + c₁ u + c₂ u²; of the mean rank of each choice

    importance = max(0, 1 − (1 − R²)(n − 1)/(n − p − 1))

With p terms and n candidates, part of the differences is explained by chance; the adjusted R² of
the last line corrects for that. Interactions between dimensions are not measured.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from chainrule.data.dataset import Dataset
from chainrule.errors import RunError, check_integer, or_warn
from chainrule.formatting import count_of
from chainrule.host.compilation_cache import enable_compilation_cache
from chainrule.host.files import Lock, describe_error
from chainrule.runs.folder import load, save
from chainrule.runs.job import train_prepared
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe
from chainrule.runs.run import Run
from chainrule.search.dimensions import Choices, Dimension
from chainrule.search.space import Space
from chainrule.search.study import Search, begin, reopen
from chainrule.search.trials import CandidateResult, ranked
from chainrule.search.workers import CandidateCallback, run_processes, run_worker

Draw = Callable[[Run, Mapping[str, Dataset]], Mapping[str, bytes]]


def keep_best(search: Search, draw: Draw | None = None) -> Run | None:
    """Train the best candidate and save its run in the search's folder `best`.

    Returns None if no candidate is done. `draw(run, sources)` returns the plots of the run, PNG
    files by name. If the folder already holds a run of this candidate, that run is loaded.
    """
    best = search.best
    if best is None:
        return None
    with best_lock(search):
        return _load_or_train(search, best, search.folder / "best", draw)


def best_lock(search: Search) -> Lock:
    """Return the lock on the folder `best`, so that only one worker at a time writes into it."""
    return Lock(search.folder / "best.lock")


def _load_or_train(
    search: Search, best: CandidateResult, folder: Path, draw: Draw | None
) -> Run | None:
    recipe = search.recipe(best)
    if folder.is_dir():
        saved = load(folder, "train")
        if without_default_decay(saved.recipe, recipe) == recipe:
            return saved
    enable_compilation_cache()
    prepared = prepare(recipe)
    run = train_prepared(prepared)
    if run.history.stopped == "interrupted":
        return None
    found = {"folder": search.folder.name, "candidate": best.number + 1}
    run = replace(run, facts=run.facts | {"search": found | {"dev_cost": best.outcome.dev_cost}})
    made = run
    pictures = or_warn("its plots", lambda: draw(made, prepared.sources) if draw else {}, {})
    return _swap(run, folder, pictures)


def without_default_decay(saved: Recipe, recipe: Recipe) -> Recipe:
    """Return the recipe of a run without the decay that training chose for `recipe`."""
    chosen = {} if recipe.decay is not None else {"decay": None, "decay_rate": None}
    return replace(saved, **chosen)


def _swap(run: Run, folder: Path, pictures: Mapping[str, bytes]) -> Run:
    """Replace the saved run; the new run is complete before the old one is removed.

    Raises RunError if that is not possible; the old run is then kept.
    """
    new, old = (folder.with_name(f"best.{name}") for name in ("new", "old"))
    shutil.rmtree(new, ignore_errors=True)
    save(run, new, pictures)
    if folder.is_dir():  # else the old run may be the only one
        shutil.rmtree(old, ignore_errors=True)
    try:
        if folder.is_dir():
            folder.rename(old)
        new.rename(folder)
    except OSError as error:
        if old.is_dir() and not folder.exists():
            with suppress(OSError):
                old.rename(folder)
        hint = f"chainrule tune --resume {folder.parent} --trials 0"
        raise RunError(str(folder), "a writable folder", describe_error(error), hint) from error
    shutil.rmtree(old, ignore_errors=True)
    return replace(run, path=folder)


@dataclass(frozen=True, eq=False, repr=False)
class Tuned:
    """The result of a search.

    candidates   the finished candidates, the best first
    run          the saved run of the best candidate; None if no candidate is done
    search       the search itself, with its folder
    interrupted  whether Ctrl-C ended the search; `resume` continues it
    """

    candidates: list[CandidateResult]
    run: Run | None
    search: Search
    interrupted: bool

    def __repr__(self) -> str:
        """Return a short summary, because the candidates hold whole cost curves."""
        best = f", the best {self.candidates[0].outcome.dev_cost:.4g}" if self.candidates else ""
        return (
            f"Tuned({count_of(len(self.candidates), 'candidate')}{best}, in {self.search.folder})"
        )


def tune(
    source: str,
    *,
    space: Space | Iterable[str] | None = None,
    trials: int = 20,
    sampler: str = "random",
    pruner: str = "none",
    folds: int | None = None,
    workers: int = 1,
    vectorize: bool = True,
    storage: str | None = None,
    out: str | Path | None = None,
    on_result: CandidateCallback | None = None,
    **options: Any,
) -> Tuned:
    """Search for the best recipe; the `options` of `Recipe` are the same for all candidates.

    space      dimensions, or lines such as "learning_rate=log(1e-4, 1)"
    sampler    random, coarse_to_fine, or one of optuna's: tpe, qmc, gp, cmaes
    pruner     none, or one of optuna's: median, halving, hyperband
    folds      the number of folds for cross-validation; None uses the dev set
    vectorize  train compatible candidates at once, if the sampler and the pruner allow it
    storage    the URL of a database that machines can share; None uses a journal in the folder
    on_result  a function that is called with each finished candidate
    """
    how: dict[str, Any] = {"space": space, "trials": trials, "sampler": sampler, "pruner": pruner}
    how |= {"folds": folds, "vectorize": vectorize, "storage": storage, "out": out}
    search = begin(source, **how, **options)
    return finish(search, workers=workers, on_result=on_result)


def resume(
    folder: str | Path,
    *,
    trials: int | None = None,
    workers: int = 1,
    storage: str | None = None,
    on_result: CandidateCallback | None = None,
) -> Tuned:
    """Resume a search, up to `trials` candidates in total; with 0, no candidate is trained."""
    search = reopen(folder, trials=trials, storage=storage)
    return finish(search, workers=workers, on_result=on_result)


def finish(
    search: Search, *, workers: int = 1, on_result: CandidateCallback | None = None
) -> Tuned:
    """Train the remaining candidates of a search and save the run of the best."""
    interrupted = run(search, workers=workers, on_result=on_result)
    best = None if interrupted else keep_best(search)
    return Tuned(ranked(search.candidates), best, search, interrupted)


def run(search: Search, *, workers: int = 1, on_result: CandidateCallback | None = None) -> bool:
    """Train the remaining candidates of a search; return whether that was interrupted."""
    check_integer("--workers", workers, hint="--workers 2")
    if search.left == 0:
        return False
    try:
        if workers == 1:
            return run_worker(search, on_result)
        return run_processes(search, workers, on_result)
    except optuna.exceptions.StorageInternalError as error:
        got = str(error.__cause__ or error).strip().splitlines()[0]
        hint = f"chainrule tune --resume {search.folder}; no finished candidate is lost"
        raise RunError("--storage", "a reachable database", got, hint) from error


FEWEST = 8
"""The minimum number of candidates from which the importance of dimensions is computed."""


def importances(space: Space, candidates: Sequence[CandidateResult]) -> dict[str, float]:
    """Return the importance of each dimension, from 0 to 1, the largest first.

    Dimensions with too few candidates that are done are left out.
    """
    found = {}
    for name, dimension in space.dimensions.items():
        done = [c for c in candidates if c.done and name in c.values]
        if len(done) >= FEWEST:
            costs = np.array([c.outcome.dev_cost for c in done])
            found[name] = importance(dimension, [c.values[name] for c in done], costs)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def importance(dimension: Dimension, values: Sequence, costs: np.ndarray) -> float:
    """Return the importance of a dimension, given the values and dev costs of the candidates."""
    ranks = np.argsort(np.argsort(costs, kind="stable"), kind="stable").astype(float)
    u = np.array([dimension.position(value) for value in values])
    if isinstance(dimension, Choices):
        terms = (u[:, None] == np.unique(u)).astype(float)
    else:
        terms = np.stack([np.ones_like(u), u, u * u], axis=1)
    n, p = len(ranks), np.linalg.matrix_rank(terms) - 1
    if p == 0 or n - p - 1 <= 0:
        return 0.0
    residuals = ranks - terms @ np.linalg.lstsq(terms, ranks)[0]
    unexplained = (residuals @ residuals) / ((ranks - ranks.mean()) ** 2).sum()
    return float(max(0.0, 1 - unexplained * (n - 1) / (n - p - 1)))
