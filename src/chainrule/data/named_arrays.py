"""Turn the named arrays of a file, whatever its format, into examples in rows.

Shapes are checked before values are read, so that an unsuitable or oversized file is refused before
it costs memory. The course stores small data sets with one example per column, X (n_x, m) with
y (1, m): these are transposed.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from chainrule.data.array_keys import CLASS_NAMES, ROLES, Pair, find_pairs
from chainrule.data.files import choose_part
from chainrule.data.source import Source
from chainrule.errors import DataError, DataWarning
from chainrule.memory import check_memory

NUMBERS = "biuf"
LABELS = "biufUS"


class Header(NamedTuple):
    """The shape and dtype of an array that has not been read."""

    shape: tuple[int, ...]
    dtype: np.dtype


@dataclass(frozen=True)
class ArrayFile:
    """A file of named arrays: their headers, and a function that reads one."""

    where: str
    headers: dict[str, Header]
    read: Callable[[str], np.ndarray]
    digest: str

    def listing(self) -> str:
        """Return the keys with their shapes, for messages."""
        named = [f"{key} {header.shape}" for key, header in self.headers.items()]
        more = f" and {len(named) - 12} more" if len(named) > 12 else ""
        return (", ".join(named[:12]) or "no arrays") + more


def source_from(
    file: ArrayFile,
    *,
    prefix: str,
    part: str,
    labelled: bool,
    roles: Mapping[str, str] = ROLES,
) -> Source:
    """Read the requested set; the training set comes with the other sets of the file."""
    pairs = pairs_of(file, prefix, labelled, roles)
    chosen = choose_part(file.where, pairs, part)
    others = [name for name in pairs if chosen == "train" and name != chosen]
    source = one_part(file, pairs[chosen], labelled)
    parts = {}
    for name in others:
        if labelled and pairs[name].y is None:
            message = f"{file.where}: ignored {pairs[name].x}, which has no labels"
            warnings.warn(message, DataWarning, stacklevel=2)
            continue
        parts[name] = one_part(file, pairs[name], labelled)
        check_same_shape(file.where, pairs[chosen].x, source.X, pairs[name].x, parts[name].X)
    name = f"{file.where}:{prefix}" if prefix else file.where
    return replace(source, name=name, parts=parts)


def pairs_of(
    file: ArrayFile, prefix: str, labelled: bool, roles: Mapping[str, str] = ROLES
) -> dict[str, Pair]:
    """Return the keys of each set; a single array may have any name if labels are not needed."""
    if not labelled and not prefix and len(file.headers) == 1:
        return {"train": Pair(next(iter(file.headers)), None)}
    return find_pairs(file.where, file.headers, file.listing(), prefix, roles)


def one_part(file: ArrayFile, pair: Pair, labelled: bool) -> Source:
    """Read X and y of one set, with examples in rows and all numbers finite."""
    if labelled and pair.y is None:
        raise DataError(
            file.where,
            f"labels for {pair.x}, in an array with y or labels in its name",
            file.listing(),
            "adding such an array",
        )
    X = read_checked(file, pair.x, NUMBERS, "numbers")
    y = None if pair.y is None else read_checked(file, pair.y, LABELS, "numbers or text")
    if y is not None:
        X, y = as_rows(file.where, pair, X, y)
        y = whole(y)
    if X.ndim == 0 or len(X) == 0 or X.ndim > 4:
        raise DataError(
            f"{file.where}, {pair.x}",
            "examples in rows, (m, n_x), (m, n_H, n_W) or (m, n_H, n_W, n_C)",
            str(X.shape),
        )
    X = X[:, None] if X.ndim == 1 else X  # one number per example
    return Source(file.where, X, y, classes=class_names(file, pair, y), digest=file.digest)


def read_checked(file: ArrayFile, key: str, kinds: str, what: str) -> np.ndarray:
    """Read an array, after checking its dtype and size, and check that it is finite."""
    place, header = f"{file.where}, {key}", file.headers[key]
    if header.dtype.kind not in kinds:
        hint = "plain arrays: pickled objects can run code when loaded, and are never read"
        got = f"an array of {header.dtype}"
        raise DataError(place, what, got, hint if header.dtype.hasobject else "plain arrays")
    size = int(np.prod(header.shape, dtype=object)) * header.dtype.itemsize
    check_memory(place, size, "a smaller file")
    values = file.read(key)
    check_finite(place, values)
    return np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values


def check_finite(place: str, values: np.ndarray) -> None:
    """Refuse NaN and infinity, and report the position of the first."""
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return
    bad = ~np.isfinite(values)
    first = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), values.shape))
    at = f"{values[first]} at {list(first)}" if first else str(values[first])
    more = f" and {bad.sum() - 1} more" if bad.sum() > 1 else ""
    raise DataError(place, "finite numbers", at + more, "removing or filling in these values")


def as_rows(where: str, pair: Pair, X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return examples in rows with one label, or row of numbers, each; transpose course files."""
    if y.ndim == 2 and y.shape[0] == 1 and X.ndim == 2 and X.shape[1] == y.shape[1]:
        if X.shape[0] == X.shape[1] > 1:
            raise DataError(
                f"{where}, {pair.x}",
                f"different numbers of rows and columns, or {pair.y} with one dimension",
                f"shape {X.shape} with {pair.y} {y.shape}, so rows or columns could be examples",
                f"examples in rows, and {pair.y} of shape ({y.shape[1]},)",
            )
        X = X.T
    if y.ndim == 2 and 1 in y.shape:
        y = y.reshape(-1)
    if y.ndim not in (1, 2):
        expected = "a label (m,) or a row of numbers (m, k) for each example"
        raise DataError(f"{where}, {pair.y}", expected, str(y.shape))
    if X.ndim == 0 or len(X) != len(y):
        transposed = X.ndim == 2 and X.shape[1] == y.shape[-1]
        raise DataError(
            f"{where}, {pair.x} and {pair.y}",
            "as many rows as labels",
            f"{X.shape} and {y.shape}",
            f"the transpose, {pair.x}.T: examples are rows" if transposed else "arrays that match",
        )
    return X, y


def whole(y: np.ndarray) -> np.ndarray:
    """Convert labels 0.0, 1.0, … to integers, as course files store classes; keep other numbers."""
    if y.ndim > 1 or y.dtype.kind != "f" or np.any((y % 1 != 0) | (np.abs(y) > 2**24)):
        return y
    return y.astype(np.int64)


def check_same_shape(where: str, key: str, X, other_key: str, other) -> None:
    """Refuse sets whose examples differ in shape."""
    if X.shape[1:] != other.shape[1:]:
        raise DataError(
            f"{where}, {other_key}",
            f"examples of shape {X.shape[1:]}, as in {key}",
            str(other.shape[1:]),
            "preparing both sets in the same way",
        )


def class_names(file: ArrayFile, pair: Pair, y: np.ndarray | None) -> tuple[str, ...] | None:
    """Return the names of the labels 0, 1, …, if the file contains them."""
    key = next((key for key in CLASS_NAMES if key in file.headers), None)
    if key is None or y is None or y.dtype.kind not in "iu":
        return None
    names = tuple(str(name) for name in read_checked(file, key, LABELS, "names").reshape(-1))
    if y.min() < 0 or y.max() >= len(names):
        raise DataError(
            f"{file.where}, {pair.y}",
            f"labels 0 to {len(names) - 1}, which {key} names",
            f"labels {y.min()} to {y.max()}",
            f"a name in {key} for every label",
        )
    return names
