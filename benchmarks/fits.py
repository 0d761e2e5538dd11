"""Whole fits of the built-in data sets, ours and scikit-learn's, with the same settings.

`python -m benchmarks.fits NAME` is one of them in a process of its own: import, read, fit.
"""

import sys
import warnings
from functools import partial

HIDDEN = (64, 32)
EPOCHS = 100
BATCH_SIZE = 64
DATA = ("digits", "iris", "wine", "breast_cancer", "diabetes")


def bundled(name: str):
    """X, each column on a scale of 1, and y."""
    from sklearn import datasets

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return X / abs(X).max(axis=0).clip(1e-3), y


def fit_chainrule(data: str = "digits") -> None:
    """By the estimator, as users of scikit-learn do."""
    from chainrule.estimators import NetworkClassifier, NetworkRegressor

    X, y = bundled(data)
    network = NetworkRegressor if data == "diabetes" else NetworkClassifier
    network(
        HIDDEN,
        learning_rate=0.001,
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        early_stopping=False,
    ).fit(X, y)


def fit_scikit_learn(data: str = "digits") -> None:
    """The MLP that trains for as many epochs, whatever the cost does."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    X, y = bundled(data)
    network = MLPRegressor if data == "diabetes" else MLPClassifier
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network(
            hidden_layer_sizes=HIDDEN,
            alpha=0,
            learning_rate_init=0.001,
            batch_size=BATCH_SIZE,
            max_iter=EPOCHS,
            tol=0,
            n_iter_no_change=EPOCHS + 1,
            random_state=0,
        ).fit(X, y)


def fit_pytorch() -> None:
    """As many made-up examples as digits has."""
    from benchmarks.cases import DIGITS
    from benchmarks.contenders.pytorch import pytorch

    pytorch(DIGITS, EPOCHS)()


def fit_flax_optax() -> None:
    """The same, compiled anew in each process, as is Flax's default."""
    from benchmarks.cases import DIGITS
    from benchmarks.contenders.flax_optax import flax_optax

    flax_optax(DIGITS, EPOCHS)()


def warm_fits(rounds: int) -> dict[str, dict[str, float]]:
    """Of each data set the median seconds of a fit in a process that has fitted before."""
    from benchmarks.timing import in_turn

    found = {}
    for data in DATA:
        runs = {"chainrule": fit_chainrule, "scikit-learn": fit_scikit_learn}
        runs = {name: partial(run, data) for name, run in runs.items()}
        for run in runs.values():
            run()
        found[data] = in_turn(runs, rounds)
    return found


if __name__ == "__main__":
    globals()[f"fit_{sys.argv[1]}"]()
