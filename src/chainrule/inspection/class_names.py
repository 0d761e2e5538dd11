"""Class labels of any type for plots: their order, their indices, and shortened names."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from chainrule.errors import DataError


def classes_of(*labels: ArrayLike) -> list:
    """Return the distinct labels in order: numbers first, then strings.

    >>> classes_of(["b", "a"], np.array(["b"]))
    ['a', 'b']
    """
    found = {label for some in labels for label in np.asarray(some).tolist()}
    return sorted(found, key=lambda label: (isinstance(label, str), label))


def codes(labels: ArrayLike, classes: Sequence) -> np.ndarray:
    """Return the index of each label among the classes; raise DataError for an unknown label.

    >>> codes(["no", "yes", "no"], ["no", "yes"])
    array([0, 1, 0])
    """
    place = {label: k for k, label in enumerate(classes)}
    listed = np.asarray(labels).tolist()
    unknown = [label for label in listed if label not in place]
    if unknown:
        raise DataError(
            "plot of the classes",
            f"labels that are among the {len(classes)} classes",
            repr(unknown[0]),
            "passing the classes that the model was trained with",
        )
    return np.array([place[label] for label in listed], np.int64)


def short(label: object, most: int = 18) -> str:
    """Return a label on one line; a long label keeps only its beginning and its end.

    >>> short("Iris versicolor, second collection")
    'Iris vers…ollection'
    """
    text = " ".join(str(label).split())
    half = most // 2
    return text if len(text) <= most + 1 else f"{text[:half]}…{text[-half:]}"


def shorts(labels: Iterable) -> list[str]:
    """Shorten every label so that it fits on an axis."""
    return [short(label) for label in labels]
