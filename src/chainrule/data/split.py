"""Split examples at random into disjoint training, dev and test sets, sized as in the course notes.

Notes: "Train / dev / test sets" (course 2, week 1), "Size of the dev and test sets" (course 3,
week 1).

    m ≤ 10⁴          dev = test = ⌊m / 5⌋
    10⁴ < m < 10⁶    dev = test = ⌊2000 (m / 10⁴)^(log 5 / log 100)⌋, from 2000 up to 10,000
    10⁶ ≤ m          dev = test = ⌊m / 100⌋

The notes recommend 60/20/20 for small data sets and 98/1/1 for a million examples; the middle case
connects the two continuously.
"""

import math
from typing import NamedTuple

import numpy as np

from chainrule.data.split_groups import group_parts
from chainrule.errors import DataError, OptionError

TRAIN, DEV, TEST = 0, 1, 2


class Split(NamedTuple):
    """Row numbers of each set, ascending."""

    train: np.ndarray
    dev: np.ndarray
    test: np.ndarray


def split_sizes(m: int) -> tuple[int, int, int]:
    """Return the sizes of the training, dev and test sets for m examples.

    >>> split_sizes(1000), split_sizes(1_000_000)
    ((600, 200, 200), (980000, 10000, 10000))
    """
    if m < 5:
        raise DataError(
            "the split",
            "at least 5 examples, so that each set has one",
            str(m),
            "adding examples, or providing separate dev and test files",
        )
    held = m // 5
    if 10**4 < m < 10**6:  # never so close to an integer that float64 may round it wrongly (tested)
        held = int(2000 * (m / 10**4) ** (math.log(5) / math.log(100)))
    elif m >= 10**6:
        held = m // 100
    return m - 2 * held, held, held


def split(
    m: int,
    *,
    classes: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    time: np.ndarray | None = None,
    seed: int = 0,
    dev: bool = True,
    test: bool = True,
) -> Split:
    """Split m examples; without `dev` or `test`, that set is empty and its rows go to training.

    classes  the split is stratified, and every class is in the training set
    groups   the rows of a group stay in one set; sizes are then only approximate
    time     the latest rows are the test set, those before them the dev set
    """
    if groups is not None and time is not None:
        raise OptionError("the split", "either groups or time", "both", "one of --group and --time")
    check_lengths(m, classes=classes, groups=groups, time=time)
    if not (dev or test):
        return as_split(np.zeros(m, int))
    _, n_dev, n_test = split_sizes(m)
    n_dev, n_test = n_dev * dev, n_test * test
    codes = np.zeros(m, int) if classes is None else numbered(classes)
    if time is not None:
        return as_split(by_time(time, n_dev, n_test))
    rng = np.random.default_rng(seed)
    if groups is not None:
        sizes = [m - n_dev - n_test, n_dev, n_test]
        return as_split(group_parts(numbered(groups), codes, sizes, rng))
    return as_split(stratified(codes, n_dev, n_test, rng))


def as_split(parts: np.ndarray) -> Split:
    """Turn the set of each row into the rows of each set."""
    return Split(*(np.flatnonzero(parts == part) for part in (TRAIN, DEV, TEST)))


def check_lengths(m: int, **given: np.ndarray | None) -> None:
    """Refuse a column that does not have one value per example."""
    for name, values in given.items():
        if values is not None and len(values) != m:
            raise DataError(f"the split, {name}", f"{m} values, one per example", f"{len(values)}")


def numbered(labels: np.ndarray) -> np.ndarray:
    """Encode labels of any kind as 0, 1, … in sorted order."""
    labels = np.asarray(labels)
    labels = labels.astype(str) if labels.dtype == object else labels
    return np.unique(labels, return_inverse=True)[1].reshape(-1)


def stratified(codes: np.ndarray, n_dev: int, n_test: int, rng: np.random.Generator) -> np.ndarray:
    """Return the set of each row: the held-out rows are shared among the classes, then halved."""
    m, counts = len(codes), np.bincount(codes)
    if m - len(counts) < n_dev + n_test:
        raise DataError(
            "the split",
            f"at most {m - n_dev - n_test} classes, so that each is in the training set",
            f"{len(counts)} classes in {m} examples",
            "adding examples, or removing rare classes",
        )
    held = shares(counts, n_dev + n_test, room=counts - 1)
    tested = shares(held, n_test, room=held)
    shuffled = rng.permutation(m)
    order = shuffled[np.argsort(codes[shuffled], kind="stable")]  # class by class
    first = np.cumsum(counts) - counts
    rank = np.arange(m) - first[codes[order]]  # 0, 1, … within each class
    parts = np.full(m, TRAIN)
    parts[order[rank < held[codes[order]]]] = DEV
    parts[order[rank < tested[codes[order]]]] = TEST
    return parts


def shares(counts: np.ndarray, total: int, room: np.ndarray) -> np.ndarray:
    """Distribute `total` in proportion to the counts, by largest remainder, at most `room` each."""
    share, remainder = np.divmod(counts * total, max(counts.sum(), 1))
    while (left := total - share.sum()) > 0:
        open_ = np.flatnonzero(share < room)
        share[open_[np.argsort(-remainder[open_], kind="stable")][:left]] += 1
    return share


def by_time(time: np.ndarray, n_dev: int, n_test: int) -> np.ndarray:
    """Return the set of each row by its time; rows of equal time keep their order."""
    time = np.asarray(time)
    try:
        missing = np.isnat(time) if time.dtype.kind in "mM" else time != time
        if np.any(missing):
            count, first = int(np.sum(missing)), int(np.argmax(missing))
            got = f"{count} missing, the first in row {first}"
            raise DataError("the split, time", "a time for every example", got, "filling them in")
        order = np.argsort(time, kind="stable")
    except TypeError as error:
        hint = "one kind of value: numbers, dates, or text such as 2024-01-31"
        raise DataError(
            "the split, time", "values that can be sorted", "mixed types", hint
        ) from error
    parts = np.full(len(time), TRAIN)
    parts[order[len(time) - n_dev - n_test :]] = DEV
    parts[order[len(time) - n_test :]] = TEST
    return parts
