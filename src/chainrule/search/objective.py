"""Recipes of candidates go in, their costs on the dev set come out.

    dev set    each is trained on the training part and measured on the dev part
    K folds    each is trained K times, each time on all but one fold of what is not the test part,
               and measured on that fold; the mean of the K costs. μ and σ of the inputs are
               learned inside each fold.

The test part is not looked at. A candidate that fails does so alone.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from chainrule.errors import ChainruleError, NotFiniteError, OptionError, RunError
from chainrule.search.folds import fold_rows
from chainrule.search.measure import Report, measure
from chainrule.search.together import kind_of, measure_together, operations_of, pays
from chainrule.search.tried import DONE, FAILED, INTERRUPTED, PRUNED, Outcome, mean_of
from chainrule.train.prepare import Data, Prepared, prepare_data, prepare_network, scaled
from chainrule.train.recipe import Recipe


def go_on(percent: int, dev_cost: float) -> bool:
    """Nobody ends a candidate early."""
    return False


class Objective:
    """Trains candidates on one data set, which is read once."""

    def __init__(self, base: Recipe, folds: int | None = None):
        """OptionError where there is nothing to measure candidates on."""
        self.base, self.folds = base, folds
        whole = prepare_data(replace(base, dev="none") if folds else base)
        self.digests = {name: part.digest for name, part in whole.sources.items()}
        if folds is None and "dev" not in whole.parts:
            hint = "leaving out --dev none, or --folds 5"
            raise OptionError("--dev", "a dev set to compare candidates on", "none", hint)
        self._whole = whole
        self.data = lru_cache(self._data)
        self.data(base.normalize)  # what is wrong with folds is said at once

    def __call__(self, recipe: Recipe, report: Report) -> Outcome:
        """What became of this recipe; `report(percent, dev_cost)` says whether to end it."""
        [outcome] = _told(1, lambda: [self._measured(self.prepared(recipe), report)])
        return outcome

    def together(
        self, recipes: Sequence[Recipe], *, halve: bool = False
    ) -> Iterator[dict[int, Outcome]]:
        """What became of all of these, by their places; those of one kind at once, if that pays."""
        kinds: dict[object, dict[int, list[Prepared]]] = {}
        for place, recipe in enumerate(recipes):
            try:
                prepared = self.prepared(recipe)
                kinds.setdefault(kind_of(prepared[0]), {})[place] = prepared
            except ChainruleError as error:
                yield {place: _failure(error)}
        for group in kinds.values():
            folds = list(zip(*group.values(), strict=True))
            if len(group) > 1 and (halve or pays(folds[0])):
                outcomes = _told(len(group), lambda folds=folds: _over_folds(folds, halve))
                yield dict(zip(group, outcomes, strict=True))
                continue
            for place in group:
                yield {place: self(recipes[place], go_on)}

    def operations(self, recipe: Recipe) -> float:
        """About how many its training takes."""
        try:
            return sum(map(operations_of, self.prepared(recipe)))
        except ChainruleError:
            return 0.0

    def prepared(self, recipe: Recipe) -> list[Prepared]:
        """A candidate on its data: once, or on each fold."""
        return [prepare_network(recipe, data) for data in self.data(recipe.normalize)]

    def _data(self, normalize: str | None) -> list[Data]:
        """Training and dev part: one pair, or one for each fold."""
        labels, train = self._whole.door.labels, self._whole.sources["train"]
        if normalize is None and self.base.network is not None:
            normalize = self._whole.door.inputs.kind
        if self.folds is None:
            pairs = [{name: self._whole.sources[name] for name in ("train", "dev")}]
        else:
            stratify = labels.task == "classification"
            rows = fold_rows(train, self.folds, stratify=stratify, seed=self.base.seed)
            pairs = [{"train": train.rows(some), "dev": train.rows(held)} for some, held in rows]
        return [scaled(pair, labels, normalize) for pair in pairs]

    def _measured(self, prepared: list[Prepared], report: Report) -> Outcome:
        if self.folds is None:
            return measure(prepared[0], report)
        outcomes: list[Outcome] = []
        for fold in prepared:
            outcomes.append(measure(fold, go_on))
            if outcomes[-1].state != DONE:
                return outcomes[-1]
            together = mean_of(outcomes)
            percent = round(100 * len(outcomes) / len(prepared))
            if report(percent, together.dev_cost) and len(outcomes) < len(prepared):
                why = f"after fold {len(outcomes)} of {len(prepared)}"
                return replace(together, state=PRUNED, why=why)
        return mean_of(outcomes)


def _over_folds(folds: Sequence[Sequence[Prepared]], halve: bool) -> list[Outcome]:
    """Of the candidates of a group: the mean of each over the folds, or what it ended with."""
    measured = []
    for fold in folds:
        measured.append(measure_together(fold, halve=halve))
        if len(folds) > 1 and any(o.state == INTERRUPTED for o in measured[-1]):
            return [Outcome(INTERRUPTED)] * len(fold)
    return [_of_folds(outcomes) for outcomes in zip(*measured, strict=True)]


def _of_folds(outcomes: Sequence[Outcome]) -> Outcome:
    """Of one candidate."""
    ended = [outcome for outcome in outcomes if outcome.state != DONE]
    if ended or len(outcomes) == 1:
        return (ended or outcomes)[0]
    return mean_of(outcomes)


def _told(count: int, train: Callable[[], list[Outcome]]) -> list[Outcome]:
    """The outcomes, with the seconds of each; where all fail together, why."""
    began = time.perf_counter()
    try:
        outcomes = train()
    except ChainruleError as error:
        outcomes = [_failure(error)] * count
    seconds = (time.perf_counter() - began) / count
    return [replace(outcome, seconds=seconds) for outcome in outcomes]


def _failure(error: ChainruleError) -> Outcome:
    """A candidate that cannot be trained; an error of the search itself is raised."""
    if isinstance(error, RunError):
        raise error
    if isinstance(error, NotFiniteError):
        return Outcome(FAILED, why=f"{error.where}: not finite")
    return Outcome(FAILED, why=str(error).replace("\n", " "))
