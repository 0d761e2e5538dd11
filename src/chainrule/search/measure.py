"""Train one candidate and evaluate it on the dev set.

During training, the lowest dev cost so far is reported at a few shares of the epochs, and training
ends early if the pruner asks for it.
"""

from collections.abc import Callable
from math import ceil, isfinite

from chainrule.layers.layer import Layer
from chainrule.search.tried import DONE, FAILED, INTERRUPTED, PRUNED, Outcome
from chainrule.train.history import History
from chainrule.train.prepare import Prepared
from chainrule.train.run import evaluate, fit_prepared

SHARES = (1, 2, 3, 4, 6, 8, 12, 17, 25, 35, 50, 71, 100)
"""The percentages of the epochs after which the pruner decides whether training continues."""

PARTS = ("train", "dev")
Report = Callable[[int, float], bool]


class EndedEarly(Exception):
    """Raised during training when the pruner ends a candidate."""


def measure(prepared: Prepared, report: Report) -> Outcome:
    """Train one candidate and evaluate it on its training and dev sets."""
    progress = ProgressReporter(prepared.epochs, report)
    try:
        fitted = fit_prepared(prepared, progress)
    except EndedEarly:
        history = progress.history
        return Outcome(PRUNED, min(history.dev_costs), {}, curve_of(history), why=progress.why)
    return outcome_of(prepared, fitted.network, fitted.history)


def outcome_of(prepared: Prepared, network: Layer, history: History) -> Outcome:
    """Return the outcome of training: the scores of the network on the training and dev sets."""
    if history.stopped == "interrupted":
        return Outcome(INTERRUPTED)
    scores = {name: evaluate(network, prepared.door, prepared.parts[name]) for name in PARTS}
    dev_cost = scores["dev"]["cost"]
    if not isfinite(dev_cost):
        return Outcome(FAILED, curve=curve_of(history), why="the dev cost is not finite")
    return Outcome(DONE, dev_cost, scores, curve_of(history))


class ProgressReporter:
    """A callback for `fit` that reports the dev cost at fixed shares of the training."""

    def __init__(self, epochs: int, report: Report):
        self.history, self.why = History(), ""
        self._epochs, self._report = epochs, report
        self._shares = {ceil(percent * epochs / 100): percent for percent in SHARES}

    def __call__(self, history: History, share: float) -> None:
        """Report the best dev cost if a share is reached; raise EndedEarly if `report` says so."""
        self.history = history
        for epoch in [epoch for epoch in self._shares if epoch <= len(history.dev_costs)]:
            best = min(history.dev_costs[:epoch])
            if self._report(self._shares.pop(epoch), best) and epoch < self._epochs:
                self.why = f"after epoch {epoch} of {self._epochs}"
                raise EndedEarly


def curve_of(history: History) -> dict[str, list[float]]:
    """Return the train and dev costs of each epoch."""
    return {
        "epoch": [epoch.epoch for epoch in history.epochs],
        "cost": history.costs,
        "dev_cost": history.dev_costs,
    }
