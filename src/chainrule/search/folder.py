"""A search in its folder: begun, or gone on with.

searches/NAME-1/
search.json      what is searched over, and how
journal.log      every trial and its cost curve, unless they are in a database
workers/         who is at work
best/            the run of the best candidate, like any other run
*.png            pictures
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
from chainrule.search.candidates import check_not_said, ready, recipe_of
from chainrule.search.default_space import default_space
from chainrule.search.objective import Objective
from chainrule.search.samplers import AT_ONCE, BLIND, check_names
from chainrule.search.settings import Settings, with_password
from chainrule.search.space import Space
from chainrule.search.storage import open_storage
from chainrule.search.tried import Tried, best_of, tried
from chainrule.train.recipe import Recipe
from chainrule.train.run_folder import check_free

ROUNDS = 3
FEWEST_IN_A_ROUND = 4


@dataclass(frozen=True, eq=False)
class Search:
    """A search and its trials.

    folder      where it lies
    settings    what is searched over, and how
    study       its trials, optuna's
    objective   what trains a candidate
    """

    folder: Path
    settings: Settings
    study: Study
    objective: Objective

    @property
    def space(self) -> Space:
        """What is searched over."""
        return self.settings.plan.space

    @property
    def candidates(self) -> list[Tried]:
        """All that are finished, by number."""
        return tried(self.study, self.space)

    @property
    def best(self) -> Tried | None:
        """The one with the lowest dev cost."""
        return best_of(self.candidates)

    @property
    def left(self) -> int:
        """How many of the planned candidates are not finished."""
        return max(0, self.settings.trials - len(self.candidates))

    def recipe(self, candidate: Tried) -> Recipe:
        """How a candidate is trained."""
        return recipe_of(self.settings.base, candidate.values)


def of_images(space: Space, base: Recipe) -> bool:
    """Whether convolutions are searched over: of many at once they are slower than in turn."""
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
    """A search that has its folder, and no trials yet; `options` as in `Recipe`.

    `space` may be lines such as "learning_rate=log(1e-4, 1)". Whatever is wrong with data, options
    or space is said here, before anything is written.
    """
    check_names(sampler, pruner)
    _check_whole("--trials", trials, 1)
    if folds is not None:
        _check_whole("--folds", folds, 2)
    base = Recipe.from_dict({"source": source, **options})
    objective = Objective(base, folds)
    if space is None:
        space = default_space(objective.prepared(base)[0], options)
    space = ready(space if isinstance(space, Space) else Space.parse(space), base)
    check_not_said(space, {k: v for k, v in options.items() if v is not None})
    settings = Settings(
        recipe=base.to_dict(),
        space=space.to_dict(),
        sampler=sampler,
        pruner=pruner,
        folds=folds,
        seed=base.seed,
        trials=trials,
        round_size=max(FEWEST_IN_A_ROUND, -(-trials // ROUNDS)),
        together=together and sampler in BLIND and pruner in AT_ONCE and not of_images(space, base),
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
    """The search in this folder, to go on with; `trials` candidates in all, where that is said."""
    folder = Path(folder)
    settings = Settings.read(folder)
    settings = replace(settings, storage=with_password(settings.storage, storage))
    objective = Objective(settings.base, settings.folds)
    if objective.digests != settings.digests:
        hint = "a new search: costs on other data cannot be compared"
        raise RunError(str(folder), "the data that the search began with", "other data", hint)
    if trials is not None:
        _check_whole("--trials", trials, 0)
        settings = replace(settings, trials=trials)
    return Search(folder, settings, _study(folder, settings), objective)


def _study(folder: Path, settings: Settings) -> Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = open_storage(folder, settings.storage)
    return optuna.create_study(storage=storage, study_name=settings.study, load_if_exists=True)


def _claim(out: Path | None, source: str) -> Path:
    """The folder of a new search: ours alone."""
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
    raise AssertionError("numbers do not end")


def _cannot_write(folder: Path, error: OSError) -> RunError:
    hint = "another folder for --out"
    return RunError(str(folder), "a folder that can be written", durable.words(error), hint)


def _check_whole(option: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        expected = f"a whole number from {least} on"
        raise OptionError(option, expected, str(value), f"{option} {max(least, 5)}")
