"""The default settings, and the public names of optimisers, costs and metrics."""

from collections.abc import Sequence

from chainrule.blocks.costs import logistic_cost, softmax_cost, squared_cost
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.optim.momentum import momentum
from chainrule.optim.rmsprop import rmsprop
from chainrule.train.metrics import accuracy, r2

OPTIMIZERS = {
    "adam": adam,
    "momentum": momentum,
    "rmsprop": rmsprop,
    "gradient_descent": gradient_descent,
}
LEARNING_RATES = {"adam": 0.002, "momentum": 0.1, "rmsprop": 0.001, "gradient_descent": 0.1}
FAST = ("adam", "rmsprop")
"""Optimisers that soon memorise noise, and so take fewer steps if no dev set stops them."""
COSTS = {"logistic": logistic_cost, "softmax": softmax_cost, "squared": squared_cost}
METRICS = {"accuracy": accuracy, "r2": r2}

HIDDEN = (64, 32)
PATIENCE = 20
PATIENCE_STEPS = 50
EARLY_STOPPING_FROM = 500
STEPS = 2000
MOST_EPOCHS = 2000
FEWEST_EPOCHS = 50

IMAGES_BATCH = 64
IMAGES_STEPS = 10_000
IMAGES_EPOCHS = (10, 300)
"""The fewest and the most epochs of a convolutional network, whose steps take longer."""
IMAGES_PATIENCE = 10
IMAGES_LAST_RATE = 0.04
"""The final α as a share of the initial one; α decays exponentially, epoch by epoch."""


def default_epochs(steps_per_epoch: int, steps: int = STEPS) -> int:
    """Return the epochs, from 50 to 2,000, that take about this number of steps.

    >>> default_epochs(1), default_epochs(28), default_epochs(900), default_epochs(1, steps=331)
    (2000, 71, 50, 331)
    """
    return max(FEWEST_EPOCHS, min(MOST_EPOCHS, steps // steps_per_epoch))


def images_epochs(steps_per_epoch: int) -> int:
    """Return the epochs of a convolutional network: about 10,000 steps, from 10 to 300 epochs.

    >>> images_epochs(4), images_epochs(200), images_epochs(938)
    (300, 50, 10)
    """
    fewest, most = IMAGES_EPOCHS
    return max(fewest, min(most, IMAGES_STEPS // steps_per_epoch))


def images_decay_rate(epochs: int) -> float:
    """Return k, at least 0.5, so that α0 · k^epoch is 4 % of α0 in the last epoch.

    >>> images_decay_rate(11), images_decay_rate(2), images_decay_rate(1)
    (0.7248, 0.5, 1.0)
    """
    return max(0.5, round(IMAGES_LAST_RATE ** (1 / (epochs - 1)), 4)) if epochs > 1 else 1.0


def default_patience(steps_per_epoch: int) -> int:
    """Return the epochs without improvement after which training stops: 20, at least 50 steps.

    >>> default_patience(1), default_patience(2), default_patience(28)
    (50, 25, 20)
    """
    return max(PATIENCE, PATIENCE_STEPS // steps_per_epoch)


def steps_without_dev(m: int, cost: str, hidden: Sequence[int]) -> int:
    """Return how many steps of Adam or RMSprop to take on m examples without a dev set.

    For classification m steps, about as many as scikit-learn takes. In regression the network would
    memorise noise in the targets, so it takes a quarter of that. Without hidden layers the problem
    is convex, and the usual number of steps is taken.

    >>> steps_without_dev(331, "softmax", (64, 32)), steps_without_dev(400, "squared", (64, 32))
    (331, 100)
    """
    if not hidden:
        return STEPS
    return min(STEPS, max(100, m // 4) if cost == "squared" else max(200, m))
