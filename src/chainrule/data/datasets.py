"""Built-in data sets: scikit-learn's small ones, and two generated with a fixed seed."""

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
"""The built-in tables, and the name of their target."""

BUNDLED = ("digits", *TABLES, "moons", "circles")


def bundled(name: str) -> Source:
    """Return a built-in data set by its name.

    >>> bundled("iris").X.shape
    (150, 4)
    """
    check_choice("the data set", name, BUNDLED)
    if name in TABLES:
        return table(name)
    return digits() if name == "digits" else points(name)


def table(name: str) -> Source:
    """Return one of scikit-learn's tables, with class names as labels, as in a file."""
    from sklearn import datasets

    data: Any = getattr(datasets, f"load_{name}")(as_frame=True)
    y = data.target.to_numpy()
    if name != "diabetes":
        y = np.array([str(label) for label in data.target_names])[y]
    return Source(name, data.data, y, TABLES[name], digest=digest([data.data.to_numpy(), y]))


def digits() -> Source:
    """Return 1797 images of digits, 8 by 8, as 64 numbers from 0 to 16 (not bytes: no / 255)."""
    from sklearn.datasets import load_digits

    data: Any = load_digits()
    X, y = data.data, data.target
    return Source("digits", X, y, "digit", digest=digest([X, y]))


def points(name: str) -> Source:
    """Return 1000 points in the plane, in two classes: two half moons, or two circles."""
    from sklearn.datasets import make_circles, make_moons

    X: Any
    y: Any
    if name == "moons":
        X, y = make_moons(1000, noise=0.2, random_state=1)
    else:
        X, y = make_circles(1000, noise=0.1, factor=0.5, random_state=1)
    return Source(name, X, y, "class", digest=digest([X, y]))


def digest(arrays: Iterable[np.ndarray]) -> str:
    """Return the sha256 of the values."""
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
