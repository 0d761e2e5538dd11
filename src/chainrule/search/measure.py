"""One candidate, trained and measured on its dev part.

While it trains, the lowest dev cost so far is reported at a few shares of its training, and it is
ended early where whoever hears that says so.
"""

from collections.abc import Callable
from math import ceil, isfinite

from chainrule.layers.layer import Layer
from chainrule.search.tried import DONE, FAILED, INTERRUPTED, PRUNED, Outcome
from chainrule.train.history import History
from chainrule.train.prepare import Prepared
from chainrule.train.run import evaluate, fit_prepared

SHARES = (1, 2, 3, 4, 6, 8, 12, 17, 25, 35, 50, 71, 100)
"""Percent of a training after which it is asked whether to go on."""

PARTS = ("train", "dev")
Report = Callable[[int, float], bool]


class EndedEarly(Exception):
    """The pruner has seen enough of this candidate."""


def measure(prepared: Prepared, report: Report) -> Outcome:
    """Train one candidate and measure it on its dev part."""
    watch = Watch(prepared.epochs, report)
    try:
        fitted = fit_prepared(prepared, watch)
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
