"""Split examples at random into disjoint training, dev and test sets, sized as in the course notes.

Notes: "Train / dev / test sets" (course 2, week 1), "Size of the dev and test sets" (course 3,
week 1).

    m ≤ 10⁴          dev = test = ⌊m / 5⌋
    10⁴ < m < 10⁶    dev = test = ⌊2000 (m / 10⁴)^(log 5 / log 100)⌋, from 2000 up to 10,000
    10⁶ ≤ m          dev = test = ⌊m / 100⌋

The notes recommend 60/20/20 for small data sets and 98/1/1 for a million examples; the middle case
connects the two continuously.

Groups, such as the photos of one person or the visits of one patient, are never divided: first the
training set gets groups that contain every class; then the largest remaining group goes to the set
that lacks the most rows, and so on. `duplicates_across` counts rows that occur in two sets, which
make the dev score too optimistic; with `duplicates`, equal rows are kept in one set.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.data.cells import positions_by_type
from chainrule.data.sequences import Sequences
from chainrule.errors import DataError, OptionError
from chainrule.formatting import count_of

if TYPE_CHECKING:
    import pandas as pd

TRAIN, DEV, TEST = 0, 1, 2
FOLDS = 5
"""The number of folds whose dev sets are disjoint."""


def report_split(names: Iterable[str]) -> str:
    """Return the set whose results are reported: test, else dev, else train, else the first.

    >>> report_split(["train", "dev"])
    'dev'
    """
    return _first_of(("test", "dev", "train"), names)


def inspection_split(names: Iterable[str]) -> str:
    """Return the set whose examples are shown: dev if there is one, so that test stays unseen.

    >>> inspection_split(["train", "dev", "test"])
    'dev'
    """
    return _first_of(("dev", "test", "train"), names)


def _first_of(order: tuple[str, ...], names: Iterable[str]) -> str:
    names = list(names)
    return next((name for name in order if name in names), names[0])


class Split(NamedTuple):
    """The row numbers of each set, in ascending order."""

    train: np.ndarray
    dev: np.ndarray
    test: np.ndarray


class Fold(NamedTuple):
    """The row numbers of the training set and of the dev set of a fold, in ascending order."""

    train: np.ndarray
    dev: np.ndarray


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
    duplicates: np.ndarray | None = None,
    seed: int = 0,
    dev: bool = True,
    test: bool = True,
) -> Split:
    """Split m examples; without `dev` or `test`, that set is empty and its rows go to training.

    classes     the split is stratified, and every class is in the training set
    groups      the rows of a group stay in one set; sizes are then only approximate
    time        the latest rows are the test set, those before them the dev set
    duplicates  a number for each row (see `duplicate_rows`): rows with the same number stay in one
                set; distinct rows are split, and their copies follow
    """
    if groups is not None and time is not None:
        raise OptionError("the split", "either groups or time", "both", "one of --group and --time")
    check_lengths(m, classes=classes, groups=groups, time=time, duplicates=duplicates)
    if not (dev or test):
        return as_split(np.zeros(m, int))
    if duplicates is not None and groups is None and time is None:
        chosen = dict(seed=seed, dev=dev, test=test)
        return split_distinct(duplicates, classes, chosen)
    if duplicates is not None and groups is not None:
        groups = connected(encode_classes(groups), encode_classes(duplicates))
    _, n_dev, n_test = split_sizes(m)
    n_dev, n_test = n_dev * dev, n_test * test
    codes = np.zeros(m, int) if classes is None else encode_classes(classes)
    if time is not None:
        return as_split(by_time(time, n_dev, n_test))
    rng = np.random.default_rng(seed)
    if groups is not None:
        sizes = [m - n_dev - n_test, n_dev, n_test]
        with linked_groups(linked=duplicates is not None):
            return as_split(group_parts(encode_classes(groups), codes, sizes, rng))
    return as_split(stratified(codes, n_dev, n_test, rng))


def can_be_split(m: int, classes: np.ndarray | None) -> bool:
    """Return whether each `fold` of m examples can have a dev set, with every class in training.

    >>> can_be_split(4, None), can_be_split(5, None), can_be_split(5, np.arange(5))
    (False, True, False)
    """
    if m < FOLDS:
        return False
    counts = np.array([m]) if classes is None else np.unique(classes, return_counts=True)[1]
    return m - len(counts) >= split_sizes(m)[1] and int(counts[counts > 1].sum()) >= FOLDS


def fold(m: int, k: int, *, classes: np.ndarray | None = None, seed: int = 0) -> Fold:
    """Return the training and dev rows of fold k of m examples.

    The dev sets of folds 0 to 4 are disjoint and have the size of a usual dev set, at most a fifth
    of the rows; folds 5 to 9 begin again with another order, and so on. All folds have equally many
    rows, the classes in about the same proportions, and every class in the training set. A fold
    does not depend on how many folds there are.

    >>> [fold(10, k).dev.tolist() for k in range(5)]
    [[4, 5], [6, 9], [0, 2], [7, 8], [1, 3]]
    """
    codes = np.zeros(m, int) if classes is None else encode_classes(classes)
    counts = np.bincount(codes)
    rarest_first = np.argsort(np.argsort(counts, kind="stable"))[codes]
    shuffled = np.random.default_rng((seed, k // FOLDS)).permutation(m)
    order = shuffled[np.argsort(rarest_first[shuffled], kind="stable")]  # class by class
    order = order[counts[codes[order]] > 1]  # a single example of a class is never held out
    n_dev, held = min(split_sizes(m)[1], len(order) // FOLDS), order[k % FOLDS :: FOLDS]
    is_dev = np.full(m, False)
    is_dev[held[np.arange(n_dev) * len(held) // max(n_dev, 1)]] = True  # evenly, over all classes
    return Fold(np.flatnonzero(~is_dev), np.flatnonzero(is_dev))


def as_split(parts: np.ndarray) -> Split:
    """Convert the set number of each row to the row numbers of each set."""
    return Split(*(np.flatnonzero(parts == part) for part in (TRAIN, DEV, TEST)))


def check_lengths(m: int, **given: np.ndarray | None) -> None:
    """Refuse a column that does not have one value per example."""
    for name, values in given.items():
        if values is not None and len(values) != m:
            raise DataError(f"the split, {name}", f"{m} values, one per example", f"{len(values)}")


def encode_classes(labels: np.ndarray) -> np.ndarray:
    """Encode labels of any kind as 0, 1, … in sorted order."""
    labels = np.asarray(labels)
    labels = labels.astype(str) if labels.dtype == object else labels
    return np.unique(labels, return_inverse=True)[1].reshape(-1)


def stratified(codes: np.ndarray, n_dev: int, n_test: int, rng: np.random.Generator) -> np.ndarray:
    """Return the set of each row, with the classes in about the same proportions in each."""
    m, counts = len(codes), np.bincount(codes)
    if m - len(counts) < n_dev + n_test:
        raise DataError(
            "the split",
            f"at most {m - n_dev - n_test} classes, so that each is in the training set",
            f"{count_of(len(counts), 'class')} in {count_of(m, 'example')}",
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
    """Distribute `total` in proportion to the counts (largest remainders), at most `room` each."""
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
            examples = "1 example" if count == 1 else f"{count:,} examples"
            got = f"{examples} without a time, the first of them row {first}"
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


# Whole groups


def group_parts(
    groups: np.ndarray, codes: np.ndarray, sizes: list[int], rng: np.random.Generator
) -> np.ndarray:
    """Return the set (0, 1, …) of each row, given its group, its class and the wanted sizes."""
    counts = np.bincount(groups)
    wanted = [part for part, size in enumerate(sizes) if size > 0]
    if len(counts) < len(wanted):
        raise DataError(
            "the split, groups",
            f"at least {len(wanted)} groups, one for each set",
            f"{len(counts)}",
            "another column, or a separate file for each set",
        )
    shuffled = rng.permutation(len(counts))
    order = shuffled[np.argsort(-counts[shuffled], kind="stable")]  # ties in random order
    in_training = cover_classes(groups, codes, order)
    free = [group for group in order if group not in in_training]
    if len(free) < len(wanted) - 1:
        raise DataError(
            "the split, groups",
            "each class in several groups, since the training set must contain it",
            f"{len(in_training)} of {len(counts)} groups that must be in the training set",
            "another column",
        )
    lacking = np.array(sizes, float)
    lacking[0] -= counts[list(in_training)].sum()
    empty = {part for part in wanted if part > 0 or not in_training}
    part_of = np.zeros(len(counts), int)
    for place, group in enumerate(free):
        choices = wanted if len(free) - place > len(empty) else list(empty)
        part = max(choices, key=lambda choice: lacking[choice])
        part_of[group] = part
        lacking[part] -= counts[group]
        empty.discard(part)
    return part_of[groups]


def cover_classes(groups: np.ndarray, codes: np.ndarray, order: np.ndarray) -> set[int]:
    """Choose groups that together contain every class: small groups and rare classes first."""
    pairs = np.unique(np.stack([codes, groups]), axis=1)  # (class, group) pairs that occur
    if pairs[0, -1] == 0:
        return set()
    rank = np.empty(len(order), int)
    rank[order[::-1]] = np.arange(len(order))  # the smallest group has rank 0
    groups_of = [pairs[1, pairs[0] == code] for code in range(pairs[0, -1] + 1)]
    chosen: set[int] = set()
    for candidates in sorted(groups_of, key=len):
        if not chosen.intersection(candidates.tolist()):
            chosen.add(int(candidates[np.argmin(rank[candidates])]))
    return chosen


# Rows that occur in two sets


def split_distinct(
    duplicates: np.ndarray, classes: np.ndarray | None, settings: Mapping[str, Any]
) -> Split:
    """Split the distinct rows; each of the other rows follows the row that it is a copy of.

    A row whose copies have several classes counts as an example of the rarest of them.
    """
    m = len(duplicates)
    codes = np.zeros(m, int) if classes is None else encode_classes(classes)
    rarity = np.bincount(codes)[codes]
    order = np.lexsort((np.arange(m), rarity, duplicates))  # in a group, the rarest class is first
    _, first, group = np.unique(duplicates[order], return_index=True, return_inverse=True)
    one_of_each = order[first]
    by_first = np.argsort(one_of_each)  # in the order of the file, so that no hash decides
    rows = split(len(by_first), classes=codes[one_of_each[by_first]], **settings)
    parts = np.full(len(by_first), TRAIN)
    parts[by_first[rows.dev]], parts[by_first[rows.test]] = DEV, TEST
    part_of = np.empty(m, int)
    part_of[order] = parts[group.reshape(-1)]
    return as_split(part_of)


@contextmanager
def linked_groups(*, linked: bool) -> Iterator[None]:
    """Explain an error about groups that equal rows have linked to larger ones."""
    try:
        yield
    except DataError as error:
        if not linked:
            raise
        hint = "leaving out --group-duplicates, since equal rows link these groups"
        raise DataError(error.where, error.expected, error.got, hint) from None


def connected(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Number the groups of rows that are connected by an equal value in `a` or in `b`.

    >>> connected(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2]))
    array([0, 0, 0, 1])
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_a, n_b = int(a.max()) + 1, int(b.max()) + 1
    links = coo_array((np.ones(len(a)), (a, n_a + b)), shape=(n_a + n_b, n_a + n_b))
    _, component = connected_components(links, directed=False)
    return np.unique(component[a], return_inverse=True)[1].reshape(-1)


def duplicate_rows(X: "pd.DataFrame | np.ndarray") -> np.ndarray:
    """Return a number for each row, which is the same for equal rows and for no others.

    >>> numbers = duplicate_rows(np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]]))
    >>> bool(numbers[0] == numbers[2] != numbers[1])
    True
    """
    return np.unique(row_hashes([X])[0], return_inverse=True)[1].reshape(-1)


def duplicates_across(
    X_by_part: "Mapping[str, pd.DataFrame | np.ndarray]",
) -> dict[tuple[str, str], int]:
    """Count, for each pair of sets, the rows of the later one that also occur in the earlier one.

    Only values are compared, not types: 1, 1.0 and True are equal.

    >>> duplicates_across({"train": np.eye(3), "test": np.eye(3)[[1, 1]]})
    {('train', 'test'): 2}
    """
    hashes = dict(zip(X_by_part, row_hashes(list(X_by_part.values())), strict=True))
    return {
        (first, second): int(np.isin(hashes[second], hashes[first]).sum())
        for first, second in combinations(hashes, 2)
    }


def duplicate_notes(duplicates: Mapping[tuple[str, str], int], what: str = "row") -> list[str]:
    """Return a line for each pair of sets that share rows, or images.

    >>> duplicate_notes({("train", "dev"): 0, ("train", "test"): 2})
    ['note: test shares 2 rows with train: its score is optimistic']
    """
    return [
        f"note: {second} shares {n:,} {what}{'' if n == 1 else 's'} with {first}: "
        "its score is optimistic"
        for (first, second), n in duplicates.items()
        if n
    ]


def row_hashes(sets: Sequence[Any]) -> list[np.ndarray]:
    """Return a hash of each row of each set; equal rows of two sets have the same hash."""
    if any(hasattr(X, "iloc") for X in sets):
        return [table_hashes(X) for X in sets]
    if any(isinstance(X, Sequences) or X.dtype.kind in "OU" for X in sets):
        return [sequence_hashes(X) for X in sets]
    as_bytes = all(X.dtype == np.uint8 for X in sets)
    dtype = np.dtype(np.uint8 if as_bytes else float)
    return [array_hashes(X, dtype) for X in sets]


def sequence_hashes(X: Any) -> np.ndarray:
    """Return a hash of the real steps of each sequence, or of each text."""

    def hash_of(one: Any) -> int:
        text = isinstance(one, str)
        data = one.encode("utf-8", "surrogatepass") if text else np.asarray(one, float).tobytes()
        return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest())

    return np.array([hash_of(one) for one in X], np.uint64)


def table_hashes(X: Any) -> np.ndarray:
    """Return a hash of each row of a table."""
    from pandas import util
    from pandas.api.types import is_numeric_dtype

    def comparable(column):
        return column.astype(float) if is_numeric_dtype(column) else column

    tools: Any = util  # its functions are loaded lazily by pandas, so their types are unknown
    found: dict[int, np.ndarray] = {}
    for at in positions_by_type(X).values():
        step = max(1, 10**7 // max(1, len(X)))  # bounds the memory of the conversion to float
        for start in range(0, len(at), step):
            some = at[start : start + step]
            hashes = tools.hash_array(X.iloc[:, some].to_numpy(float).T)
            found |= dict(zip(some.tolist(), hashes, strict=True))
    for at in set(range(X.shape[1])) - found.keys():
        column = comparable(X.iloc[:, at])
        found[at] = tools.hash_pandas_object(column, index=False).to_numpy()
    columns = (found[at] for at in range(X.shape[1]))
    return _combined(columns, X.shape)


def _combined(columns: Iterable[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Combine the hashes of the cells of a row, as `pandas.util.hash_pandas_object` does."""
    m, n = shape
    multiplier, total = 1000003, np.full(m, 0x345678, np.uint64)
    for column, left in zip(columns, range(n, 0, -1), strict=True):
        total = (total ^ column) * np.uint64(multiplier)
        multiplier = (multiplier + 82520 + 2 * left) % 2**64
    return total + np.uint64(97531)


def array_hashes(X: Any, dtype: np.dtype) -> np.ndarray:
    """Return a hash of each row of an array; rows that are not in memory are read in chunks."""
    known = getattr(X, "hashes", None) if dtype == np.uint8 else None
    if known is not None:
        return known
    hashes = np.empty(len(X), np.uint64)
    n_x = int(np.prod(X.shape[1:]))
    chunk = max(1, 10**6 // max(1, n_x))  # bounds the memory of the conversion to float
    for start in range(0, len(X), chunk):
        rows = np.asarray(X[start : start + chunk])
        rows = rows.astype(dtype, order="C") + dtype.type(0)  # -0.0 is 0.0
        for i, row in enumerate(rows.reshape(len(rows), -1), start):
            hashes[i] = row_hash(row)
    return hashes


def row_hash(row: np.ndarray) -> int:
    """Return the first 8 bytes of the BLAKE2 hash of the values, as an integer."""
    values: Any = np.ascontiguousarray(row)
    return int.from_bytes(hashlib.blake2b(values, digest_size=8).digest())
