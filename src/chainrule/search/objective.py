"""A candidate's recipe goes in, its cost on the dev set comes out.

    dev set    it is trained on the training part and measured on the dev part
    K folds    it is trained K times, each time on all but one fold of what is not the test part,
               and measured on that fold; the mean of the K costs. μ and σ of the inputs are
               learned inside each fold.

The test part is not looked at. While a candidate trains, the lowest dev cost so far is reported at
a few shares of its training, and it is ended early where whoever hears that says so.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from math import ceil, isfinite

from chainrule.errors import ChainruleError, NotFiniteError, OptionError, RunError
from chainrule.layers.layer import Layer
from chainrule.search.folds import fold_rows
from chainrule.search.tried import DONE, FAILED, INTERRUPTED, PRUNED, Outcome, mean_of
from chainrule.train.defaults import COSTS, METRICS
from chainrule.train.fit import fit
from chainrule.train.history import History
from chainrule.train.prepare import Data, Prepared, prepare_data, prepare_network, scaled
from chainrule.train.recipe import Recipe
from chainrule.train.run import evaluate

SHARES = (1, 2, 3, 4, 6, 8, 12, 17, 25, 35, 50, 71, 100)
"""Percent of a training after which it is asked whether to go on."""

PARTS = ("train", "dev")
Report = Callable[[int, float], bool]


class EndedEarly(Exception):
    """The pruner has seen enough of this candidate."""


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
        began = time.perf_counter()
        try:
            outcome = self._measured(self.prepared(recipe), report)
        except RunError:  # the search itself cannot go on
            raise
        except NotFiniteError as error:
            outcome = Outcome(FAILED, why=f"{error.where}: not finite")
        except ChainruleError as error:
            outcome = Outcome(FAILED, why=str(error).replace("\n", " "))
        return replace(outcome, seconds=time.perf_counter() - began)

    def prepared(self, recipe: Recipe) -> list[Prepared]:
        """A candidate on its data: once, or on each fold."""
        return [prepare_network(recipe, data) for data in self.data(recipe.normalize)]

    def _data(self, normalize: str | None) -> list[Data]:
        """Training and dev part: one pair, or one for each fold."""
        labels, train = self._whole.door.labels, self._whole.sources["train"]
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
            outcomes.append(measure(fold, lambda percent, dev_cost: False))
            if outcomes[-1].state != DONE:
                return outcomes[-1]
            together = mean_of(outcomes)
            percent = round(100 * len(outcomes) / len(prepared))
            if report(percent, together.dev_cost) and len(outcomes) < len(prepared):
                why = f"after fold {len(outcomes)} of {len(prepared)}"
                return replace(together, state=PRUNED, why=why)
        return mean_of(outcomes)


def measure(prepared: Prepared, report: Report) -> Outcome:
    """Train one candidate and measure it on its dev part."""
    watch = Watch(prepared.epochs, report)
    try:
        fitted = fit(
            prepared.network,
            prepared.optimizer,
            COSTS[prepared.door.cost],
            prepared.parts["train"],
            prepared.parts["dev"],
            epochs=prepared.epochs,
            batch_size=prepared.batch_size,
            metric=METRICS[prepared.door.metric],
            patience=prepared.patience,
            penalty=prepared.penalty(),
            seed=prepared.recipe.seed,
            watch=watch,
        )
    except EndedEarly:
        history = watch.history
        return Outcome(PRUNED, min(history.dev_costs), {}, curve_of(history), why=watch.why)
    return outcome_of(prepared, fitted.network, fitted.history)


def outcome_of(prepared: Prepared, network: Layer, history: History) -> Outcome:
    """What a trained network scores on the training and the dev part."""
    if history.stopped == "interrupted":
        return Outcome(INTERRUPTED)
    scores = {name: evaluate(network, prepared.door, prepared.parts[name]) for name in PARTS}
    dev_cost = scores["dev"]["cost"]
    if not isfinite(dev_cost):
        return Outcome(FAILED, curve=curve_of(history), why="the dev cost is not finite")
    return Outcome(DONE, dev_cost, scores, curve_of(history))


class Watch:
    """Reports at the shares of a training, as soon as they are reached."""

    def __init__(self, epochs: int, report: Report):
        self.history, self.why = History(), ""
        self._epochs, self._report = epochs, report
        self._shares = {ceil(percent * epochs / 100): percent for percent in SHARES}

    def __call__(self, history: History, share: float) -> None:
        """What `fit` calls."""
        self.history = history
        for epoch in [epoch for epoch in self._shares if epoch <= len(history.dev_costs)]:
            best = min(history.dev_costs[:epoch])
            if self._report(self._shares.pop(epoch), best) and epoch < self._epochs:
                self.why = f"after epoch {epoch} of {self._epochs}"
                raise EndedEarly


def curve_of(history: History) -> dict[str, list[float]]:
    """The costs of each epoch."""
    return {
        "epoch": [epoch.epoch for epoch in history.epochs],
        "cost": history.costs,
        "dev_cost": history.dev_costs,
    }
