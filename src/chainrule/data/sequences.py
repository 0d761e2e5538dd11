"""Sequences of different lengths, one example per row, and inputs of several parts.

Notes: "Recurrent neural network, for sequence data" (course 5, week 1).

`Sequences` holds all examples in one array, padded with zeros to the length of the longest, and the
number of real steps of each. `Inputs` holds what a network with several inputs takes, such as a
text and its translation. Both behave like an array of rows: they have a length, and rows are
selected by `X[rows]`.

Short sequences that are padded to the length of the longest waste time. `buckets_of` divides the
examples into up to three buckets of similar length, each padded to its own longest; a data set
compiles one program for each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, pairwise
from typing import Any

import jax
import numpy as np

from chainrule.errors import ShapeError

MOST_BUCKETS = 3
FINEST = 24
"""The number of lengths between which the borders of the buckets are chosen."""
GAIN = 0.85
"""Another bucket costs a compilation, so it must leave at most this share of the padded steps."""


@partial(jax.tree_util.register_dataclass, data_fields=["values", "lengths"], meta_fields=[])
@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences in rows: values (m, T, n_x), or token ids (m, T), and lengths (m,).

    >>> X = Sequences.of([np.ones((2, 3)), np.ones((4, 3))])
    >>> X.shape, X.lengths.tolist(), X[[1]].values.shape
    ((2, 4, 3), [2, 4], (1, 4, 3))
    """

    values: Any
    lengths: Any

    @classmethod
    def of(cls, examples: Sequence[Any], dtype: Any = None) -> "Sequences":
        """Pad arrays (T, n_x), or ids (T,), with zeros to the length of the longest."""
        arrays = [np.asarray(one) for one in examples]
        lengths = np.array([len(one) for one in arrays], np.int32)
        inner = arrays[0].shape[1:] if arrays else ()
        if any(one.shape[1:] != inner for one in arrays):
            other = next(i for i, one in enumerate(arrays) if one.shape[1:] != inner)
            expected = f"{inner} per step, as in sequence 0"
            got = f"{arrays[other].shape[1:]} in sequence {other}"
            raise ShapeError("the sequences", expected, got, "the same numbers in every step")
        dtype = np.result_type(*arrays) if dtype is None and arrays else dtype
        values = np.zeros((len(arrays), max(lengths, default=0), *inner), dtype)
        for row, one in zip(values, arrays, strict=True):
            row[: len(one)] = one
        return cls(values, lengths)

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape (m, T, n_x) or (m, T) of the padded values."""
        return self.values.shape

    @property
    def ndim(self) -> int:
        """Return the number of axes of the padded values."""
        return self.values.ndim

    @property
    def dtype(self) -> Any:
        """Return the dtype of the values."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """Return the number of bytes of the values."""
        return self.values.nbytes

    def __getitem__(self, rows: Any) -> "Sequences":
        """Return the sequences with these row numbers, as they are padded here."""
        if isinstance(rows, int | np.integer):
            raise TypeError("select rows by a slice or an array; X.example(i) is one sequence")
        return Sequences(self.values[rows], self.lengths[rows])

    def example(self, i: int) -> np.ndarray:
        """Return the real steps of one sequence, (T_i, n_x) or (T_i,)."""
        return self.values[i, : self.lengths[i]]

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the real steps of each sequence."""
        return (self.example(i) for i in range(len(self)))

    def cut(self, T: int) -> "Sequences":
        """Return the sequences padded to T steps only, or more; longer ones are an error."""
        if max(self.lengths, default=0) > T:
            raise ValueError("a sequence is longer than that")
        more = max(0, T - self.values.shape[1])
        padding = [(0, 0), (0, more)] + [(0, 0)] * (self.values.ndim - 2)
        values = np.pad(self.values, padding) if more else self.values[:, :T]
        return Sequences(np.ascontiguousarray(values), self.lengths)

    def real(self) -> np.ndarray:
        """Return whether each step (m, T) is real."""
        return np.arange(self.values.shape[1]) < np.asarray(self.lengths)[:, None]


@partial(jax.tree_util.register_dataclass, data_fields=["parts"], meta_fields=[])
@dataclass(frozen=True, eq=False)
class Inputs:
    """The parts of the input of a network with several inputs, each with one example per row."""

    parts: tuple[Any, ...]

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.parts[0])

    def __getitem__(self, rows: Any) -> "Inputs":
        """Return the examples with these row numbers."""
        return Inputs(tuple(part[rows] for part in self.parts))

    @property
    def nbytes(self) -> int:
        """Return the number of bytes of all parts."""
        return sum(part.nbytes for part in self.parts)


def sequences_in(X: Any) -> list[Sequences]:
    """Return the parts of an input that are sequences."""
    parts = X.parts if isinstance(X, Inputs) else (X,)
    return [part for part in parts if isinstance(part, Sequences)]


def longest_in(X: Any) -> int:
    """Return the number of steps of the padded sequences; 1 if there are none."""
    return max((part.shape[1] for part in sequences_in(X)), default=1)


def join_rows(one: Any, other: Any) -> Any:
    """Return the rows of two sets as one; sequences are padded to the longest of both."""
    if isinstance(one, Inputs):
        return Inputs(tuple(map(join_rows, one.parts, other.parts)))
    if not isinstance(one, Sequences):
        return np.concatenate([one, other])
    T = max(one.shape[1], other.shape[1])
    values = np.concatenate([one.cut(T).values, other.cut(T).values])
    return Sequences(values, np.concatenate([one.lengths, other.lengths]))


def cut_to_longest(X: Any) -> Any:
    """Return the rows with every sequence padded to the length of the longest only."""
    if isinstance(X, Inputs):
        return Inputs(tuple(cut_to_longest(part) for part in X.parts))
    return X.cut(max(1, *X.lengths)) if isinstance(X, Sequences) else X


def buckets_of(X: Any, fewest: int) -> list[np.ndarray]:
    """Return the row numbers of up to three buckets of examples of similar length, shortest first.

    Each bucket has at least `fewest` examples. Among all borders between `FINEST` quantiles of the
    lengths, those are taken that leave the fewest steps, padding included; another bucket has to
    save 15 % of them.

    >>> X = Sequences.of([np.ones((T, 1)) for T in (2, 9, 3, 9, 2, 10)])
    >>> [rows.tolist() for rows in buckets_of(X, fewest=2)]
    [[0, 2, 4], [1, 3, 5]]
    """
    lengths = np.stack([part.lengths for part in sequences_in(X)])  # (parts, m)
    m = lengths.shape[1]
    order = np.argsort(lengths.sum(axis=0), kind="stable")
    total = lengths.sum(axis=0)[order]
    places = np.unique(np.linspace(0, m, FINEST + 1).astype(int)[1:-1])
    places = np.unique(np.searchsorted(total, total[places]))  # equal lengths stay together
    longest = lengths[:, order]

    def steps(borders: tuple[int, ...]) -> float:
        ends = (0, *borders, m)
        sizes = np.diff(ends)
        if sizes.min() < fewest:
            return np.inf
        parts = pairwise(ends)
        return sum(int(longest[:, a:b].max(axis=1).sum()) * (b - a) for a, b in parts)

    best: tuple[int, ...] = ()
    least = steps(best)
    for count in range(1, MOST_BUCKETS):
        found = min(combinations(places.tolist(), count), key=steps, default=None)
        if found is None or steps(found) > GAIN * least:
            break
        best, least = found, steps(found)
    return [np.sort(rows) for rows in np.split(order, best)]
