"""Hyperparameter search: from a data set to the run of the best candidate.

Notes: "Tuning process", "Hyperparameter tuning in practice: pandas vs. caviar" (course 2, week 3).

    tune("digits", space=["learning_rate=log(1e-4, 1)", "units=integers(8, 128)"], trials=20)
    tune("digits")                        searches the default space, in the notes' order
    resume("searches/digits-1")           resumes an interrupted search, or adds candidates
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from chainrule.errors import OptionError, RunError
from chainrule.search.best import keep_best
from chainrule.search.folder import Search, begin, reopen
from chainrule.search.processes import CandidateCallback, run_processes, run_worker
from chainrule.search.space import Space
from chainrule.search.tried import Tried, ranked
from chainrule.train.run import Run


@dataclass(frozen=True, eq=False, repr=False)
class Tuned:
    """The result of a search.

    candidates   the finished candidates, the best first
    run          the saved run of the best candidate; None if no candidate is done
    search       the search itself, with its folder
    interrupted  whether Ctrl-C ended the search; `resume` continues it
    """

    candidates: list[Tried]
    run: Run | None
    search: Search
    interrupted: bool

    def __repr__(self) -> str:
        """Return a short summary, because the candidates hold whole cost curves."""
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
    heard: CandidateCallback | None = None,
    **options: Any,
) -> Tuned:
    """Search for the best recipe; the `options` of `Recipe` are the same for all candidates.

    space      dimensions, or lines such as "learning_rate=log(1e-4, 1)"
    sampler    random, coarse_to_fine, or one of optuna's: tpe, qmc, gp, cmaes
    pruner     none, or one of optuna's: median, halving, hyperband
    folds      the number of folds for cross-validation; None uses the dev set
    together   train compatible candidates at once, if the sampler and the pruner allow it
    storage    the URL of a database that machines can share; None uses a journal in the folder
    heard      a function that is called with each finished candidate
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
    heard: CandidateCallback | None = None,
) -> Tuned:
    """Resume a search, up to `trials` candidates in total; with 0, no candidate is trained."""
    search = reopen(folder, trials=trials, storage=storage)
    return finish(search, workers=workers, heard=heard)


def finish(search: Search, *, workers: int = 1, heard: CandidateCallback | None = None) -> Tuned:
    """Train the remaining candidates of a search and save the run of the best."""
    interrupted = run(search, workers=workers, heard=heard)
    best = None if interrupted else keep_best(search)
    return Tuned(ranked(search.candidates), best, search, interrupted)


def run(search: Search, *, workers: int = 1, heard: CandidateCallback | None = None) -> bool:
    """Train the remaining candidates of a search; return whether that was interrupted."""
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise OptionError("--workers", "a whole number of at least 1", str(workers), "--workers 2")
    if search.left == 0:
        return False
    try:
        if workers == 1:
            return run_worker(search, heard)
        return run_processes(search, workers, heard)
    except optuna.exceptions.StorageInternalError as error:
        got = str(error.__cause__ or error).strip().splitlines()[0]
        hint = f"chainrule tune --resume {search.folder}; no finished candidate is lost"
        raise RunError("--storage", "a reachable database", got, hint) from error
