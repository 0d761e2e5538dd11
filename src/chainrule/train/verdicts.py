"""What the numbers of a training say, and the notes' cure.

Notes: "Vanishing/exploding gradients", "Weight initialization" (course 2, week 1), "Learning rate
decay" (course 2, week 2).

    vanishing                the signal falls to a thousandth between the last layer and the first
    exploding                it grows a thousandfold, or the cost stops being a number
    dead                     half of a layer's units are 0 for every example
    saturated                half of a layer's values lie where the activation is flat
    learning rate too high   the cost jumps up and down, or ends above its start
    learning rate too low    the cost still falls steadily at the end, in tiny steps

The same names are used for a step that was not finite (`health.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chainrule.train.history import History
from chainrule.train.signals import Signal

FACTOR = 1e3
SHARE = 0.5
JUMP = 3.0  # times the first cost
RISES = 0.3  # of the epochs, where the cost rises by a tenth, and by a fiftieth of the first
SLOW = 3e-4  # of ‖W‖ a step
UNFINISHED = 0.05  # of the cost, still won in the last tenth of the epochs

CURES = {
    "exploding": "smaller first weights (he or xavier), clip_norm 1, or batch_norm",
    "learning rate too high": "a third of the learning rate, or one that decays",
    "dead": "a smaller learning rate, he's first weights, leaky_relu, or batch_norm",
    "saturated": "smaller first weights, inputs of mean 0 and variance 1, or relu",
    "vanishing": "larger first weights (he for relu, xavier for tanh), relu in place of sigmoid, "
    "or batch_norm",
    "learning rate too low": "three times the learning rate, or more epochs",
}


@dataclass(frozen=True)
class Verdict:
    """One thing that is wrong: its name, the number that says so, the layer (None: all of it)."""

    name: str
    words: str
    layer: int | None = None

    @property
    def cure(self) -> str:
        """What the notes advise."""
        return CURES[self.name]

    def __str__(self) -> str:
        return f"{self.name}: {self.words}. Try {self.cure}."


def verdicts(history: History) -> list[Verdict]:
    """What is wrong with the training, the gravest first; nothing where nothing is."""
    signals = [line["signal"] for line in history.signals]
    found = [*_through(signals), *_flat(signals), *_rate(history)]
    order = list(CURES)
    return sorted(found, key=lambda verdict: order.index(verdict.name))


def _through(signals: list[list[Signal]]) -> Iterator[Verdict]:
    """Vanishing and exploding: how the gradient changes from the last layer back to the first."""
    worst = {"vanishing": (FACTOR, ""), "exploding": (FACTOR, "")}
    for layers in signals:
        if len(layers) < 2:
            continue
        first, last = layers[0], layers[-1]
        if first["dA"] == 0:
            continue  # a layer in between is dead, which has its own name
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
    """a/b; two zeros are alike."""
    return 1.0 if a == b else a / max(b, 1e-30)


def _flat(signals: list[list[Signal]]) -> Iterator[Verdict]:
    """Dead and saturated: at the end, or where it was worst."""
    for l, layer in enumerate(signals[-1] if signals else [], 1):
        for name, what in (
            ("dead", "units of layer {} are 0 for every example"),
            ("saturated", "values of layer {} lie where it is flat"),
        ):
            if layer.get(name, 0.0) >= SHARE:
                yield Verdict(name, f"{layer[name]:.0%} of the {what.format(l)}", l)


def _rate(history: History) -> Iterator[Verdict]:
    """The learning rate, by the course of the cost and the size of the steps.

    Nothing where there are few epochs, or costs below 0, of which no share can be taken.
    """
    costs = np.array(history.costs)
    if len(costs) < 5 or costs.min() < 0:
        return
    rises = float((costs[1:] > 1.1 * costs[:-1] + costs[0] / 50).mean())
    if costs[-1] > costs[0]:
        words = f"the cost ends at {costs[-1]:.3g}, above its start at {costs[0]:.3g}"
        yield Verdict("learning rate too high", words)
    elif costs.max() > JUMP * costs[0]:
        words = f"the cost jumped from {costs[0]:.3g} to {costs.max():.3g}"
        yield Verdict("learning rate too high", words)
    elif rises > RISES:
        yield Verdict("learning rate too high", f"the cost rises in {rises:.0%} of the epochs")
    elif _gains_by_epochs(history) and _unfinished(costs) and (size := _step_size(history)):
        words = f"the cost still falls, from {costs[0]:.3g} to {costs[-1]:.3g} so far, in steps of "
        yield Verdict("learning rate too low", f"{words}{size:.0e} of W")


def _gains_by_epochs(history: History) -> bool:
    """Whether more of them could help: not where dev was at its best long before the last."""
    best, late = history.best_epoch, 0.9 * len(history.epochs)
    return history.stopped == "epochs" and (best is None or best > late)


def _unfinished(costs: np.ndarray) -> bool:
    """Whether the last tenth of the epochs still wins a share, or little has been won at all."""
    tenth = max(1, len(costs) // 10)
    return costs[-1] < (1 - UNFINISHED) * costs[-tenth - 1] or costs[-1] > 0.9 * costs[0]


def _step_size(history: History) -> float | None:
    """‖ΔW‖ / ‖W‖ of the layer that moves most, where even that is tiny; None else."""
    last = history.signals[-1]["signal"] if history.signals else []
    largest = max((layer["update"] for layer in last if "update" in layer), default=SLOW)
    return largest if largest < SLOW else None
