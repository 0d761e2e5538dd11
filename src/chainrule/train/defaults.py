"""What is taken where nothing is said, and the names that stand for functions at the doors."""

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
"""Optimisers that learn noise by heart soon: they get fewer steps where no dev set ends them."""
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
"""Of a convolutional network: fewest and most. Its steps are long, so they are fewer."""
IMAGES_PATIENCE = 10
IMAGES_LAST_RATE = 0.04
"""Where α ends, in parts of where it begins: it falls exponentially, epoch by epoch."""


def default_epochs(steps_per_epoch: int, steps: int = STEPS) -> int:
    """Enough for about so many steps, from 50 to 2,000 epochs.

    >>> default_epochs(1), default_epochs(28), default_epochs(900), default_epochs(1, steps=331)
    (2000, 71, 50, 331)
    """
    return max(FEWEST_EPOCHS, min(MOST_EPOCHS, steps // steps_per_epoch))


def images_epochs(steps_per_epoch: int) -> int:
    """The same for a convolutional network: about 10,000 steps, from 10 to 300 epochs.

    >>> images_epochs(4), images_epochs(200), images_epochs(938)
    (300, 50, 10)
    """
    fewest, most = IMAGES_EPOCHS
    return max(fewest, min(most, IMAGES_STEPS // steps_per_epoch))


def images_decay_rate(epochs: int) -> float:
    """k of α0 · k^epoch that brings α to 4 % of what it was by the last epoch; a half at least.

    >>> images_decay_rate(11), images_decay_rate(2), images_decay_rate(1)
    (0.7248, 0.5, 1.0)
    """
    return max(0.5, round(IMAGES_LAST_RATE ** (1 / (epochs - 1)), 4)) if epochs > 1 else 1.0


def default_patience(steps_per_epoch: int) -> int:
    """Epochs without improvement after which training ends: 20, and never fewer than 50 steps.

    >>> default_patience(1), default_patience(2), default_patience(28)
    (50, 25, 20)
    """
    return max(PATIENCE, PATIENCE_STEPS // steps_per_epoch)


def steps_without_dev(m: int, cost: str, hidden: Sequence[int]) -> int:
    """How many steps of Adam or RMSprop m examples bear where no dev set tells when to end.

    With classes as many as scikit-learn takes, m; numbers have noise to learn by heart, and bear a
    quarter of that. Without hidden layers there is one valley and nothing to fear.

    >>> steps_without_dev(331, "softmax", (64, 32)), steps_without_dev(400, "squared", (64, 32))
    (331, 100)
    """
    if not hidden:
        return STEPS
    return min(STEPS, max(100, m // 4) if cost == "squared" else max(200, m))
