"""Diagnose problems of a training from its history, with the notes' remedies.

Notes: "Vanishing/exploding gradients", "Weight initialization" (course 2, week 1), "Learning rate
decay" (course 2, week 2).

    vanishing                the signal shrinks a thousandfold between the first and last layers
    exploding                the signal grows a thousandfold, or the cost is no longer finite
    dead                     half of a layer's units are 0 for every example
    saturated                half of a layer's values lie where the activation is flat
    learning rate too high   the cost jumps up and down, or ends above its initial value
    learning rate too low    the cost still falls steadily at the end, with tiny updates

The same names are used for a step that was not finite (`health.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chainrule.train.history import History
from chainrule.train.signals import Signal

FACTOR = 1e3
SHARE = 0.5
JUMP = 3.0  # a multiple of the first cost
RISES = 0.3  # share of epochs in which the cost rises by a tenth plus a fiftieth of the first cost
SLOW = 3e-4  # share of ‖W‖ that a step changes
UNFINISHED = 0.05  # share of the cost that the last tenth of the epochs still gains

CURES = {
    "exploding": "smaller initial weights (he or xavier), clip_norm 1, or batch_norm",
    "learning rate too high": "a third of the learning rate, or a learning rate that decays",
    "dead": "a smaller learning rate, he initialisation, leaky_relu, or batch_norm",
    "saturated": "smaller initial weights, inputs of mean 0 and variance 1, or relu",
    "vanishing": "larger initial weights (he for relu, xavier for tanh), relu in place of sigmoid, "
    "or batch_norm",
    "learning rate too low": "three times the learning rate, or more epochs",
}


@dataclass(frozen=True)
class Verdict:
    """A problem: its name, the evidence in words, the layer (None for the whole network)."""

    name: str
    words: str
    layer: int | None = None

    @property
    def cure(self) -> str:
        """The remedy that the notes advise."""
        return CURES[self.name]

    def __str__(self) -> str:
        return f"{self.name}: {self.words}. Try {self.cure}."


def verdicts(history: History) -> list[Verdict]:
    """Return the problems of a training, the most serious first."""
    signals = [line["signal"] for line in history.signals]
    problems = [*_through(signals), *_flat(signals), *_rate(history)]
    order = list(CURES)
    return sorted(problems, key=lambda verdict: order.index(verdict.name))


def _through(signals: list[list[Signal]]) -> Iterator[Verdict]:
    """Yield vanishing and exploding signals, by comparing the first and the last layer."""
    worst = {"vanishing": (FACTOR, ""), "exploding": (FACTOR, "")}
    for layers in signals:
        if len(layers) < 2:
            continue
        first, last = layers[0], layers[-1]
        if first["dA"] == 0:
            continue  # a layer in between is dead, which is a problem of its own
        for name, quantity, ratio in (
            ("vanishing", "dA[1] is {:.0e} of dA[{L}]", _ratio(first["dA"], last["dA"])),
            ("exploding", "dA[1] is {:.0e} times dA[{L}]", _ratio(first["dA"], last["dA"])),
            ("vanishing", "A[{L}] is {:.0e} of A[1]", _ratio(last["A"], first["A"])),
            ("exploding", "A[{L}] is {:.0e} times A[1]", _ratio(last["A"], first["A"])),
        ):
            size = 1 / max(ratio, 1e-30) if name == "vanishing" else ratio
            if size > worst[name][0]:
                worst[name] = (size, quantity.format(ratio, L=len(layers)))
    for name, (_, words) in worst.items():
        if words:
            yield Verdict(name, words)


def _ratio(a: float, b: float) -> float:
    """Return a/b, and 1 if both are equal, even 0."""
    return 1.0 if a == b else a / max(b, 1e-30)


def _flat(signals: list[list[Signal]]) -> Iterator[Verdict]:
    """Yield layers that are dead or saturated at the end of training."""
    for l, layer in enumerate(signals[-1] if signals else [], 1):
        for name, what in (
            ("dead", "units of layer {} are 0 for every example"),
            ("saturated", "values of layer {} lie where its activation is flat"),
        ):
            if layer.get(name, 0.0) >= SHARE:
                yield Verdict(name, f"{layer[name]:.0%} of the {what.format(l)}", l)


def _rate(history: History) -> Iterator[Verdict]:
    """Yield a learning rate that is too high or too low, by the costs and the size of updates.

    Yields nothing if there are few epochs, or negative costs, which cannot be compared by ratios.
    """
    costs = np.array(history.costs)
    if len(costs) < 5 or costs.min() < 0:
        return
    rises = float((costs[1:] > 1.1 * costs[:-1] + costs[0] / 50).mean())
    if costs[-1] > costs[0]:
        words = f"the cost ends at {costs[-1]:.3g}, above its first value {costs[0]:.3g}"
        yield Verdict("learning rate too high", words)
    elif costs.max() > JUMP * costs[0]:
        words = f"the cost jumped from {costs[0]:.3g} to {costs.max():.3g}"
        yield Verdict("learning rate too high", words)
    elif rises > RISES:
        yield Verdict("learning rate too high", f"the cost rises in {rises:.0%} of the epochs")
    elif _gains_by_epochs(history) and _unfinished(costs) and (size := _step_size(history)):
        words = f"the cost still falls, from {costs[0]:.3g} to {costs[-1]:.3g} so far, with "
        yield Verdict("learning rate too low", f"{words}updates of {size:.0e} of W per step")


def _gains_by_epochs(history: History) -> bool:
    """Return whether more epochs could help: not if the best dev epoch was long before the last."""
    best, late = history.best_epoch, 0.9 * len(history.epochs)
    return history.stopped == "epochs" and (best is None or best > late)


def _unfinished(costs: np.ndarray) -> bool:
    """Return whether the last tenth of epochs still lowers the cost, or it has hardly fallen."""
    tenth = max(1, len(costs) // 10)
    return costs[-1] < (1 - UNFINISHED) * costs[-tenth - 1] or costs[-1] > 0.9 * costs[0]


def _step_size(history: History) -> float | None:
    """Return the largest ‖ΔW‖ / ‖W‖ of all layers if it is tiny, and None otherwise."""
    last = history.signals[-1]["signal"] if history.signals else []
    largest = max((layer["update"] for layer in last if "update" in layer), default=SLOW)
    return largest if largest < SLOW else None
