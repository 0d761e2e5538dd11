"""The data sets that need no file: scikit-learn's small ones, and two made with a fixed seed."""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.data.source import Source
from chainrule.errors import check_choice

TABLES = {
    "iris": "species",
    "wine": "cultivar",
    "breast_cancer": "diagnosis",
    "diabetes": "progression",
}
"""The named tables, and what is predicted from them."""

BUNDLED = ("digits", *TABLES, "moons", "circles")


def bundled(name: str) -> Source:
    """A data set by its name.

    >>> bundled("iris").X.shape
    (150, 4)
    """
    check_choice("the data set", name, BUNDLED)
    if name in TABLES:
        return table(name)
    return digits() if name == "digits" else points(name)


def table(name: str) -> Source:
    """One of scikit-learn's tables; classes by their names, as a file would have them."""
    from sklearn import datasets

    data: Any = getattr(datasets, f"load_{name}")(as_frame=True)
    y = data.target.to_numpy()
    if name != "diabetes":
        y = np.array([str(label) for label in data.target_names])[y]
    return Source(name, data.data, y, TABLES[name], digest=digest([data.data.to_numpy(), y]))


def digits() -> Source:
    """1797 digits of 8 by 8, as 64 numbers from 0 to 16: no bytes, so nothing to divide by 255."""
    from sklearn.datasets import load_digits

    data: Any = load_digits()
    X, y = data.data, data.target
    return Source("digits", X, y, "digit", digest=digest([X, y]))


def points(name: str) -> Source:
    """1000 points of the plane in two classes: two half moons, or a circle in a circle."""
    from sklearn.datasets import make_circles, make_moons

    X: Any
    y: Any
    if name == "moons":
        X, y = make_moons(1000, noise=0.2, random_state=1)
    else:
        X, y = make_circles(1000, noise=0.1, factor=0.5, random_state=1)
    return Source(name, X, y, "class", digest=digest([X, y]))


def digest(arrays: Iterable[np.ndarray]) -> str:
    """sha256 of the values."""
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
