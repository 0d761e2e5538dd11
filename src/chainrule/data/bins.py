"""Encode numbers by quantile bins, piecewise linearly (Gorishniy et al. 2022).

    edges b_0 < b_1 < … < b_T, quantiles 0, 1 / T, …, 1 of a column; equal ones are merged
    component t = (x − b_{t−1}) / (b_t − b_{t−1}), clipped to [0, 1].

Component t is 0 below its bin, 1 above it, and rises along a line inside it, so that the first
layer of a network can give each bin a slope of its own. The components are written beside the
number itself: a column with T bins has 1 + T inputs.

The quantiles are those of rows with weights: a row of weight 2 counts as the row twice, and only
the ratios of the weights matter. The quantile p is the smallest number that, together with all
smaller ones, has at least the share p of the weight; if it has exactly this share, the quantile is
the mean of that number and the next one, as for the median of an even number of values.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from chainrule.errors import DataError

BINS = 32
"""The maximum number of bins of a column, unless another one is given."""
ROWS_PER_BIN = 32
"""The number of distinct rows for each bin: with fewer rows, there are fewer bins."""
MOST_INPUTS = 2**15
"""The maximum number of components of all columns together, as long as each has a bin."""
TIE = 1e-9
"""The difference between shares of the weight up to which they are considered equal."""


class Quantiles(NamedTuple):
    """Quantiles (n, shares) of the columns, and the number of distinct values of each (n,)."""

    values: np.ndarray
    distinct: np.ndarray


def quantiles(X: np.ndarray, shares: np.ndarray, weights: np.ndarray | None = None) -> Quantiles:
    """Return the quantiles of each column of X (m, n), which holds finite float64 numbers.

    >>> quantiles(np.array([[1.0], [2.0], [4.0], [9.0]]), np.array([0, 0.5, 1])).values.tolist()
    [[1.0, 3.0, 9.0]]
    """
    columns = np.ascontiguousarray(X.T)
    if weights is None:
        columns.sort(axis=1)
        positions = [_positions(np.arange(1.0, len(X) + 1), shares)] * len(columns)
    else:
        order = np.argsort(columns, axis=1)
        columns = np.take_along_axis(columns, order, axis=1)
        totals = np.cumsum(weights[order], axis=1)
        positions = [_positions(total, shares) for total in totals]
    lower, upper = np.array(positions).transpose(1, 0, 2)
    below, above = (np.take_along_axis(columns, index, axis=1) for index in (lower, upper))
    distinct = 1 + (columns[:, 1:] != columns[:, :-1]).sum(axis=1)
    with np.errstate(over="ignore"):  # of columns whose range is not finite, which are refused
        return Quantiles(below + (above - below) / 2, distinct)


def _positions(totals: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the two numbers whose mean is each quantile, from running totals."""
    wanted, most = shares * totals[-1], TIE * totals[-1]
    lower = np.searchsorted(totals, wanted - most)
    upper = np.searchsorted(totals, wanted + most)
    last = len(totals) - 1
    return np.minimum(lower, last), np.minimum(upper, last)


@dataclass(frozen=True, eq=False)
class Bins:
    """The bins of n columns, which make n_x inputs: each column, followed by its components.

    counts   (n,) the number of bins of each column, 0 for a column without components
    edges    the edges of the bins, those of one column after those of another

    >>> bins = Bins.of([[0.0, 1.0, 3.0], []])
    >>> bins.names(["age", "sex"])
    ['age', 'age bin 1', 'age bin 2', 'sex']
    >>> bins.components(np.array([[2.0, 7.0]])).tolist()
    [[0.0, 1.0, 0.5, 0.0]]
    """

    counts: np.ndarray
    edges: np.ndarray

    @classmethod
    def of(cls, edges: Sequence[Sequence[float] | np.ndarray]) -> "Bins":
        """Return the bins with these edges, for each column an increasing list, or an empty one."""
        counts = np.array([max(0, len(some) - 1) for some in edges], np.int64)
        together = [np.asarray(some, np.float64) for some in edges if len(some) > 1]
        return cls(counts, np.concatenate([np.zeros(0), *together]))

    @classmethod
    def from_arrays(cls, counts: np.ndarray, edges: np.ndarray, name: str) -> "Bins":
        """Restore the bins from the arrays of a saved model, and refuse impossible ones."""
        if counts.dtype.kind not in "iu" or counts.ndim != 1 or (counts < 0).any():
            got = f"{counts.dtype} of the shape {counts.shape}"
            got = "a number below 0" if counts.dtype.kind in "iu" and counts.ndim == 1 else got
            raise DataError(f"the array {name}_bins", "whole numbers of 0 or more", got)
        expected = int((counts + (counts > 0)).sum())
        if edges.shape != (expected,):
            raise DataError(f"the array {name}_edges", f"({expected},)", str(edges.shape))
        found = cls(counts.astype(np.int64), edges)
        with np.errstate(over="ignore"):
            width = np.delete(found.width, found.values)
        if not ((width > 0) & np.isfinite(width)).all():
            got = "edges that do not increase"
            raise DataError(f"the array {name}_edges", "increasing edges of the bins", got)
        return found

    @property
    def n_x(self) -> int:
        """The number of inputs."""
        return len(self.counts) + int(self.counts.sum())

    @cached_property
    def column(self) -> np.ndarray:
        """The number of the column of each input (n_x,)."""
        return np.repeat(np.arange(len(self.counts)), self.counts + 1)

    @cached_property
    def values(self) -> np.ndarray:
        """The positions (n,) of the inputs that are the columns themselves."""
        return np.cumsum(self.counts + 1) - self.counts - 1

    @cached_property
    def _upper(self) -> np.ndarray:
        """The upper edge of the bin of each input (n_x,), and b_0 for the column itself."""
        upper = np.zeros(self.n_x)
        upper[np.repeat(self.counts > 0, self.counts + 1)] = self.edges
        return upper

    @cached_property
    def lower(self) -> np.ndarray:
        """The lower edge of the bin of each input (n_x,), without meaning for a column itself."""
        return np.roll(self._upper, 1)

    @cached_property
    def width(self) -> np.ndarray:
        """The width of the bin of each input (n_x,); 1 for the columns themselves."""
        width = self._upper - self.lower
        width[self.values] = 1
        return width

    def names(self, names: Sequence[str]) -> list[str]:
        """Return the names of the inputs, such as "age bin 1", from those of the columns."""
        return [
            name if t == 0 else f"{name} bin {t}"
            for name, count in zip(names, self.counts.tolist(), strict=True)
            for t in range(count + 1)
        ]

    def components(self, X: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Return the components (m, n_x) of rows X (m, n); 0 in the places of the columns."""
        out = np.empty((len(X), self.n_x), np.float32) if out is None else out
        away = np.take(X, self.column, axis=1, mode="clip")  # several times as fast as "raise"
        with np.errstate(over="ignore"):  # clipped to 1
            np.subtract(away, self.lower, out=away)
            np.divide(away, self.width, out=out, casting="unsafe")
        np.clip(out, 0, 1, out=out)
        out[:, self.values] = 0
        return out


def learn_edges(values: np.ndarray, has_bins: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the distinct quantiles of each column, or nothing for a column without bins."""
    for row, wanted in zip(values, has_bins, strict=True):
        yield np.unique(row) if wanted else row[:0]


def default_bins(X: np.ndarray) -> int:
    """Return the maximum number of bins of a column for rows X (m, n), 1 to 32.

    Distinct rows are counted, so that a repeated row has the effect of a weight.

    >>> default_bins(np.arange(320)[:, None]), default_bins(np.ones((320, 1)))
    (10, 1)
    """
    row, enough = np.zeros(len(X), np.int64), min(len(X), BINS * ROWS_PER_BIN)
    for column in X.T:
        _, value = np.unique(column, return_inverse=True)
        _, row = np.unique(row * (value.max() + 1) + value, return_inverse=True)
        if row.max() + 1 >= enough:
            break
    return int(np.clip((row.max() + 1) // ROWS_PER_BIN, 1, BINS))


def shares_of_bins(bins: int, n: int) -> np.ndarray:
    """Return the shares 0, 1 / T, …, 1 of the edges; T is `bins` if n columns are not too many.

    >>> len(shares_of_bins(16, 100)), len(shares_of_bins(16, 20_000))
    (17, 2)
    """
    T = max(1, min(bins, MOST_INPUTS // max(1, n)))
    return np.arange(T + 1) / T
