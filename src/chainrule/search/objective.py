"""The objective of a search: it maps the recipe of a candidate to its cost on held-out examples.

    dev set    a candidate is trained on the training set and evaluated on the dev set
    K folds    a candidate is trained K times, each time on all but one fold of the examples
               outside the test set, and evaluated on that fold; the objective is the mean of the
               K costs. μ and σ of the inputs are computed inside each fold.

The test set is not used. A candidate that fails does not affect the others.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from chainrule.errors import ChainruleError, NotFiniteError, OptionError, RunError
from chainrule.search.folds import fold_rows
from chainrule.search.measure import Report, measure
from chainrule.search.together import compatibility_key, measure_together, operations_of, saves_time
from chainrule.search.tried import DONE, FAILED, INTERRUPTED, PRUNED, Outcome, mean_of
from chainrule.train.prepare import Data, Prepared, prepare_data, prepare_network, scaled
from chainrule.train.recipe import Recipe


def never_end(percent: int, dev_cost: float) -> bool:
    """Report to no pruner: no candidate is ended early."""
    return False


class Objective:
    """A function that trains and evaluates candidates on a data set, which is read once."""

    def __init__(self, base: Recipe, folds: int | None = None):
        """Read the data; raise OptionError if there is no dev set to compare candidates on."""
        self.base, self.folds = base, folds
        whole = prepare_data(replace(base, dev="none") if folds else base)
        self.digests = {name: part.digest for name, part in whole.sources.items()}
        if folds is None and "dev" not in whole.parts:
            hint = "leaving out --dev none, or --folds 5"
            raise OptionError("--dev", "a dev set to compare candidates on", "none", hint)
        self._whole = whole
        self.data = lru_cache(self._data)
        self.data(base.normalize)  # raise errors in the folds now

    def __call__(self, recipe: Recipe, report: Report) -> Outcome:
        """Return the outcome of a recipe; `report(percent, dev_cost)` returns whether to end it."""
        [outcome] = _timed(1, lambda: [self._measured(self.prepared(recipe), report)])
        return outcome

    def together(
        self, recipes: Sequence[Recipe], *, halve: bool = False
    ) -> Iterator[dict[int, Outcome]]:
        """Yield the outcomes of recipes by index.

        Compatible candidates are trained at once if that saves time.
        """
        groups: dict[object, dict[int, list[Prepared]]] = {}
        for i, recipe in enumerate(recipes):
            try:
                prepared = self.prepared(recipe)
                groups.setdefault(compatibility_key(prepared[0]), {})[i] = prepared
            except ChainruleError as error:
                yield {i: _failure(error)}
        for group in groups.values():
            folds = list(zip(*group.values(), strict=True))
            if len(group) > 1 and (halve or saves_time(folds[0])):
                outcomes = _timed(len(group), lambda folds=folds: _over_folds(folds, halve))
                yield dict(zip(group, outcomes, strict=True))
                continue
            for i in group:
                yield {i: self(recipes[i], never_end)}

    def operations(self, recipe: Recipe) -> float:
        """Return roughly how many operations the training of a recipe takes."""
        try:
            return sum(map(operations_of, self.prepared(recipe)))
        except ChainruleError:
            return 0.0

    def prepared(self, recipe: Recipe) -> list[Prepared]:
        """Return a candidate prepared for training, once for the dev set or once for each fold."""
        return [prepare_network(recipe, data) for data in self.data(recipe.normalize)]

    def _data(self, normalize: str | None) -> list[Data]:
        """Return the training and dev sets: one pair, or one pair for each fold."""
        labels, train = self._whole.door.labels, self._whole.sources["train"]
        if normalize is None and self.base.network is not None:
            normalize = self._whole.door.inputs.kind
        if self.folds is None:
            pairs = [{name: self._whole.sources[name] for name in ("train", "dev")}]
        else:
            stratify = labels.task == "classification"
            rows = fold_rows(train, self.folds, stratify=stratify, seed=self.base.seed)
            pairs = [
                {"train": train.rows(used), "dev": train.rows(held_out)} for used, held_out in rows
            ]
        return [scaled(pair, labels, normalize) for pair in pairs]

    def _measured(self, prepared: list[Prepared], report: Report) -> Outcome:
        if self.folds is None:
            return measure(prepared[0], report)
        outcomes: list[Outcome] = []
        for fold in prepared:
            outcomes.append(measure(fold, never_end))
            if outcomes[-1].state != DONE:
                return outcomes[-1]
            mean = mean_of(outcomes)
            percent = round(100 * len(outcomes) / len(prepared))
            if report(percent, mean.dev_cost) and len(outcomes) < len(prepared):
                why = f"after fold {len(outcomes)} of {len(prepared)}"
                return replace(mean, state=PRUNED, why=why)
        return mean_of(outcomes)


def _over_folds(folds: Sequence[Sequence[Prepared]], halve: bool) -> list[Outcome]:
    """Train a group of candidates on all folds; return the mean outcome of each candidate."""
    measured = []
    for fold in folds:
        measured.append(measure_together(fold, halve=halve))
        if len(folds) > 1 and any(o.state == INTERRUPTED for o in measured[-1]):
            return [Outcome(INTERRUPTED)] * len(fold)
    return [_mean_over_folds(outcomes) for outcomes in zip(*measured, strict=True)]


def _mean_over_folds(outcomes: Sequence[Outcome]) -> Outcome:
    """Return a candidate's mean outcome over the folds, or the first one that is not done."""
    ended = [outcome for outcome in outcomes if outcome.state != DONE]
    if ended or len(outcomes) == 1:
        return (ended or outcomes)[0]
    return mean_of(outcomes)


def _timed(count: int, train: Callable[[], list[Outcome]]) -> list[Outcome]:
    """Return the outcomes with the seconds that each took; an error makes all of them failures."""
    began = time.perf_counter()
    try:
        outcomes = train()
    except ChainruleError as error:
        outcomes = [_failure(error)] * count
    seconds = (time.perf_counter() - began) / count
    return [replace(outcome, seconds=seconds) for outcome in outcomes]


def _failure(error: ChainruleError) -> Outcome:
    """Return the outcome of a candidate that failed; raise an error of the search itself."""
    if isinstance(error, RunError):
        raise error
    if isinstance(error, NotFiniteError):
        return Outcome(FAILED, why=f"{error.where}: not finite")
    return Outcome(FAILED, why=str(error).replace("\n", " "))
