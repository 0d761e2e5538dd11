"""Labels of any kind on a picture: their order, their numbers, and words that fit."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from chainrule.errors import DataError


def classes_of(*labels: ArrayLike) -> list:
    """Each label once, in order: numbers first, then words.

    >>> classes_of(["b", "a"], np.array(["b"]))
    ['a', 'b']
    """
    found = {label for some in labels for label in np.asarray(some).tolist()}
    return sorted(found, key=lambda label: (isinstance(label, str), label))


def codes(labels: ArrayLike, classes: Sequence) -> np.ndarray:
    """The place of each label among the classes; DataError for one that is none of them.

    >>> codes(["no", "yes", "no"], ["no", "yes"])
    array([0, 1, 0])
    """
    place = {label: k for k, label in enumerate(classes)}
    listed = np.asarray(labels).tolist()
    strangers = [label for label in listed if label not in place]
    if strangers:
        raise DataError(
            "picture of the classes",
            f"labels among the {len(classes)} classes",
            repr(strangers[0]),
            "the classes that the model was trained with",
        )
    return np.array([place[label] for label in listed], np.int64)


def short(label: object, most: int = 18) -> str:
    """One line that fits on an axis; of a long label the beginning and the end.

    >>> short("Iris versicolor, second collection")
    'Iris vers…ollection'
    """
    word = " ".join(str(label).split())
    half = most // 2
    return word if len(word) <= most + 1 else f"{word[:half]}…{word[-half:]}"


def shorts(labels: Iterable) -> list[str]:
    """Each label in short."""
    return [short(label) for label in labels]
