"""A whole search over hyperparameters: from a source to the run of the best candidate.

Notes: "Tuning process", "Hyperparameter tuning in practice: pandas vs. caviar" (course 2, week 3).

    tune("digits", space=["learning_rate=log(1e-4, 1)", "units=integers(8, 128)"], trials=20)
    tune("digits")                        over what matters most, in the notes' order
    resume("searches/digits-1")           goes on with one that was interrupted, or has too few
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from chainrule.errors import OptionError, RunError
from chainrule.search.best import keep_best
from chainrule.search.folder import Search, begin, reopen
from chainrule.search.processes import Heard, run_beside, run_here
from chainrule.search.space import Space
from chainrule.search.tried import Tried, ranked
from chainrule.train.run import Run


@dataclass(frozen=True, eq=False, repr=False)
class Tuned:
    """What a search found.

    candidates   the best first
    run          the best of them, trained, saved; None where none was done
    search       the search itself, and its folder
    interrupted  by Ctrl-C: `resume` goes on
    """

    candidates: list[Tried]
    run: Run | None
    search: Search
    interrupted: bool

    def __repr__(self) -> str:
        """In short: the candidates hold whole curves."""
        best = f", the best {self.candidates[0].outcome.dev_cost:.4g}" if self.candidates else ""
        return f"Tuned({len(self.candidates)} candidates{best}, in {self.search.folder})"


def tune(
    source: str,
    *,
    space: Space | Iterable[str] | None = None,
    trials: int = 20,
    sampler: str = "random",
    pruner: str = "none",
    folds: int | None = None,
    workers: int = 1,
    together: bool = True,
    storage: str | None = None,
    out: str | Path | None = None,
    heard: Heard | None = None,
    **options: Any,
) -> Tuned:
    """Search for a recipe for these data; `options`, as in `Recipe`, are the same for all.

    space      dimensions, or lines such as "learning_rate=log(1e-4, 1)"
    sampler    random, coarse_to_fine, or one of optuna's: tpe, qmc, gp, cmaes
    pruner     none, or one of optuna's: median, halving, hyperband
    folds      measure on so many folds instead of the dev set
    together   candidates of one kind are trained at once, where sampler and pruner allow it
    storage    a database's URL, which several machines can share; else a journal in the folder
    """
    search = begin(
        source,
        space=space,
        trials=trials,
        sampler=sampler,
        pruner=pruner,
        folds=folds,
        together=together,
        storage=storage,
        out=out,
        **options,
    )
    return finish(search, workers=workers, heard=heard)


def resume(
    folder: str | Path,
    *,
    trials: int | None = None,
    workers: int = 1,
    storage: str | None = None,
    heard: Heard | None = None,
) -> Tuned:
    """Go on with a search, up to `trials` candidates in all; with 0, only look."""
    search = reopen(folder, trials=trials, storage=storage)
    return finish(search, workers=workers, heard=heard)


def finish(search: Search, *, workers: int = 1, heard: Heard | None = None) -> Tuned:
    """Train what is left of the planned candidates, and keep the best."""
    interrupted = run(search, workers=workers, heard=heard)
    best = None if interrupted else keep_best(search)
    return Tuned(ranked(search.candidates), best, search, interrupted)


def run(search: Search, *, workers: int = 1, heard: Heard | None = None) -> bool:
    """Train what is left of the planned candidates; whether that was interrupted."""
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise OptionError("--workers", "a whole number from 1 on", str(workers), "--workers 2")
    if search.left == 0:
        return False
    try:
        if workers == 1:
            return run_here(search, heard)
        return run_beside(search, workers, heard)
    except optuna.exceptions.StorageInternalError as error:
        said = str(error.__cause__ or error).strip().splitlines()[0]
        hint = f"chainrule tune --resume {search.folder}: nothing that was finished is lost"
        raise RunError("--storage", "a database that answers", said, hint) from error
