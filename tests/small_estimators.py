"""Small estimators, and what they are fitted to: shared, so that little is compiled."""

from typing import Any

import numpy as np

from chainrule.estimators import NetworkClassifier, NetworkRegressor

rng = np.random.default_rng(0)
X = rng.standard_normal((40, 3))
TWO = np.where(X[:, 0] + X[:, 1] > 0, "yes", "no")
THREE = np.array([7, 3, 5])[np.digitize(X[:, 0], [-0.5, 0.5])]
SLOPES = np.array([[1.0, -1.0], [2.0, 0.0], [0.0, 0.5]])
NUMBERS = X @ SLOPES + 4
TWO_LABELS = (NUMBERS > 4).astype(int)


SINGLE: dict[str, Any] = {"members": 1, "normalize": "standard"}
"""Options of a single network whose encoding is not chosen by training."""
SMALL: dict[str, Any] = SINGLE | {"hidden": (4,), "learning_rate": 0.05}


def classifier(**options) -> NetworkClassifier:
    """Return a single small network, the same for many tests, so that they share programs."""
    return NetworkClassifier(**SMALL | {"epochs": 60} | options)


def regressor(**options) -> NetworkRegressor:
    """Return a single small network for regression."""
    return NetworkRegressor(**SMALL | {"epochs": 200} | options)


def outputs(model, X=X) -> np.ndarray:
    """What the network says, before it is turned into a class."""
    return model.predict_proba(X) if hasattr(model, "classes_") else model.predict(X)
