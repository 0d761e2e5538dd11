"""A hyperparameter search and its folder: start a new search, or reopen one to resume it.

searches/NAME-1/
search.json      the settings: search space, sampler, pruner and so on
journal.log      every trial and its cost curve, unless they are in a database
workers/         the locks of the running workers
best/            the run of the best candidate, like any other run
*.png            plots
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import optuna
from optuna.study import Study

from chainrule import durable
from chainrule.errors import OptionError, RunError
from chainrule.search.candidates import check_not_fixed, complete_space, recipe_of
from chainrule.search.default_space import default_space
from chainrule.search.objective import Objective
from chainrule.search.samplers import AT_ONCE, BLIND, check_names
from chainrule.search.settings import Settings, with_password
from chainrule.search.space import Space
from chainrule.search.storage import open_storage
from chainrule.search.tried import Tried, best_of, finished_candidates
from chainrule.train.recipe import Recipe
from chainrule.train.run_folder import check_free

ROUNDS = 3
FEWEST_IN_A_ROUND = 4


@dataclass(frozen=True, eq=False)
class Search:
    """A search and its trials.

    folder      the folder of the search
    settings    the search space, and how it is searched
    study       the optuna study that holds the trials
    objective   the function that trains and evaluates a candidate
    """

    folder: Path
    settings: Settings
    study: Study
    objective: Objective

    @property
    def space(self) -> Space:
        """Return the search space."""
        return self.settings.plan.space

    @property
    def candidates(self) -> list[Tried]:
        """Return the finished candidates, ordered by number."""
        return finished_candidates(self.study, self.space)

    @property
    def best(self) -> Tried | None:
        """Return the candidate with the lowest dev cost, or None if none is done."""
        return best_of(self.candidates)

    @property
    def left(self) -> int:
        """Return how many of the planned candidates are not finished."""
        return max(0, self.settings.trials - len(self.candidates))

    def recipe(self, candidate: Tried) -> Recipe:
        """Return the recipe of a candidate."""
        return recipe_of(self.settings.base, candidate.values)


def is_convolutional(space: Space, base: Recipe) -> bool:
    """Return whether candidates are convolutional networks, which train faster one at a time."""
    return base.network is not None or "network" in space.dimensions


def begin(
    source: str,
    *,
    space: Space | Iterable[str] | None = None,
    trials: int = 20,
    sampler: str = "random",
    pruner: str = "none",
    folds: int | None = None,
    together: bool = True,
    storage: str | None = None,
    out: str | Path | None = None,
    **options: Any,
) -> Search:
    """Create a search and its folder, without trials; `options` are those of `Recipe`.

    `space` may be lines such as "learning_rate=log(1e-4, 1)". Errors in the data, the options or
    the space are raised here, before anything is written.
    """
    check_names(sampler, pruner)
    _check_whole("--trials", trials, 1)
    if folds is not None:
        _check_whole("--folds", folds, 2)
    base = Recipe.from_dict({"source": source, **options})
    objective = Objective(base, folds)
    if space is None:
        space = default_space(objective.prepared(base)[0], options)
    space = complete_space(space if isinstance(space, Space) else Space.parse(space), base)
    check_not_fixed(space, {k: v for k, v in options.items() if v is not None})
    settings = Settings(
        recipe=base.to_dict(),
        space=space.to_dict(),
        sampler=sampler,
        pruner=pruner,
        folds=folds,
        seed=base.seed,
        trials=trials,
        round_size=max(FEWEST_IN_A_ROUND, -(-trials // ROUNDS)),
        together=together
        and sampler in BLIND
        and pruner in AT_ONCE
        and not is_convolutional(space, base),
        storage=storage,
        digests=objective.digests,
    )
    folder = _claim(Path(out) if out else None, source)
    try:
        settings.write(folder)
        return Search(folder, settings, _study(folder, settings), objective)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise _cannot_write(folder, error) from error
        raise


def reopen(folder: str | Path, *, trials: int | None = None, storage: str | None = None) -> Search:
    """Return the search in a folder, to resume it; `trials`, if given, is the new total number."""
    folder = Path(folder)
    settings = Settings.read(folder)
    settings = replace(settings, storage=with_password(settings.storage, storage))
    objective = Objective(settings.base, settings.folds)
    if objective.digests != settings.digests:
        hint = "a new search, because costs on different data cannot be compared"
        expected = "the data that the search was started with"
        raise RunError(str(folder), expected, "different data", hint)
    if trials is not None:
        _check_whole("--trials", trials, 0)
        settings = replace(settings, trials=trials)
    return Search(folder, settings, _study(folder, settings), objective)


def _study(folder: Path, settings: Settings) -> Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = open_storage(folder, settings.storage)
    return optuna.create_study(storage=storage, study_name=settings.study, load_if_exists=True)


def _claim(out: Path | None, source: str) -> Path:
    """Create the folder of a new search, which no other process uses."""
    if out is not None:
        check_free(out)
        out.mkdir(parents=True, exist_ok=True)
        return out
    name = Path(source.rstrip("/")).name.split(".")[0] or "search"
    for number in count(1):
        folder = Path("searches") / f"{name}-{number}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
        except OSError as error:
            raise _cannot_write(folder, error) from error
    raise AssertionError("count() never ends")


def _cannot_write(folder: Path, error: OSError) -> RunError:
    hint = "another folder for --out"
    return RunError(str(folder), "a writable folder", durable.words(error), hint)


def _check_whole(option: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        expected = f"a whole number of at least {least}"
        raise OptionError(option, expected, str(value), f"{option} {max(least, 5)}")
