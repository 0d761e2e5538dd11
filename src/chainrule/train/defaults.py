"""What is taken where nothing is said, and the names that stand for functions at the doors."""

from chainrule.blocks.costs import logistic_cost, softmax_cost, squared_cost
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.train.metrics import accuracy, r2

OPTIMIZERS = {"adam": adam, "gradient_descent": gradient_descent}
LEARNING_RATES = {"adam": 0.001, "gradient_descent": 0.1}
COSTS = {"logistic": logistic_cost, "softmax": softmax_cost, "squared": squared_cost}
METRICS = {"accuracy": accuracy, "r2": r2}

HIDDEN = (64, 32)
PATIENCE = 20
EARLY_STOPPING_FROM = 500
STEPS = 2000
MOST_EPOCHS = 2000
FEWEST_EPOCHS = 50


def default_epochs(steps_per_epoch: int) -> int:
    """Enough for about 2,000 steps, from 50 to 2,000 epochs.

    >>> default_epochs(1), default_epochs(28), default_epochs(900)
    (2000, 71, 50)
    """
    return max(FEWEST_EPOCHS, min(MOST_EPOCHS, STEPS // steps_per_epoch))
