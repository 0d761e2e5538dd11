"""Normalise inputs: (X − μ) / σ for a table, X / 255 for pixels.

Notes: "Normalizing inputs" (course 2, week 1).

    standard    μ = (1/m) Σ x        σ² = (1/m) Σ (x − μ)²        x → (x − μ) / σ
    robust      μ = the median       σ = the interquartile range  z = (x − μ) / σ
                                                                  x → z / √(1 + (z / 3)²)
    piecewise   as robust, and beside each number its components in quantile bins (`data/bins.py`)
    pixels      μ = 0                σ = 255, or the range of the training images
    none        μ = 0                σ = 1

Robust and piecewise are for columns of numbers. An extreme value does not change their μ and σ, and
is at most 3 after the smooth clipping (RealMLP, Holzmüller et al. 2024). If the quartiles are
equal, σ is the range of the column. A column with at most two values, such as a one-hot input, has
no outliers to be clipped nor bins: μ is its mean and σ its range, so its two inputs differ by 1.

The notes divide by σ²; only dividing by σ gives variance 1. μ and σ are computed on the training
set alone and saved with the model, so that dev, test and new data are scaled by the same numbers.
Images have one μ and σ per colour channel. The range of pixels follows from their type and from the
largest training value: 255 for bytes, 1 for fractions up to 1, and otherwise the largest value of
8, 10, 12, 14 or 16 bits that is needed. Sums are in float64 over blocks of rows, relative to one of
the rows and to the largest deviation from it, so that they are accurate at a mean of 1e6 and at a
deviation of 1e-200, and need no copy of the data besides the float32 result.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.choices import NORMALIZATIONS
from chainrule.data.bins import Bins, default_bins, learn_edges, quantiles, shares_of_bins
from chainrule.errors import DataError, DataWarning, ShapeError, check_choice
from chainrule.formatting import count_of
from chainrule.host.machine import check_memory

BY_QUANTILES = ("robust", "piecewise")
"""The kinds whose parameters are quantiles of the columns."""
CLIP = 3.0
"""The bound of the smooth clipping."""
EXACT = 2**53
"""The largest number up to which float64 holds all whole numbers."""
BLOCK = 2**18  # numbers processed at a time: 2 MB in float64


@dataclass(frozen=True, eq=False)
class Normalizer:
    """The normalisation x → (x − mean) / scale, with parameters learned from the training set.

    mean and scale are (n_x,) for features, (n_C,) for images, () for one number for all. `origin`
    is None unless there are whole numbers that float64 would round, such as identifiers above 2⁵³:
    it is a row of them that is subtracted first, and the mean and the edges of `bins` are relative
    to it. `bins` is None unless the kind is piecewise, which has more inputs than columns.

    >>> X = np.array([[1.0, 10.0], [3.0, 10.0], [5.0, 40.0], [7.0, 40.0]])
    >>> Normalizer.learn("standard", X).mean.tolist()
    [4.0, 25.0]
    """

    kind: str
    mean: np.ndarray
    scale: np.ndarray
    origin: np.ndarray | None = None
    bins: Bins | None = None

    @classmethod
    def learn(
        cls,
        kind: str,
        X: np.ndarray,
        names: Sequence[str] | None = None,
        weights: np.ndarray | None = None,
        *,
        bins: int | None = None,
    ) -> "Normalizer":
        """Learn mean and scale from the training rows; `names` are column names for messages.

        With `weights` (m,), a row counts as often as its weight says, and constant columns cause no
        warning. `bins` is the maximum number of bins of a column, by default 1 to 32,
        depending on the number of rows.
        """
        check_choice("--normalize", kind, NORMALIZATIONS)
        if kind not in ("standard", *BY_QUANTILES):
            scale = _pixel_range(X) if kind == "pixels" else 1.0
            return cls(kind, np.zeros(()), np.array(scale))
        weights = None if weights is None else np.asarray(weights, np.float64)
        origin = _learn_origin(X)
        if kind == "standard":
            mean, scale = _moments(X, names, origin, weights)
            edges = None
        else:
            mean, scale, edges = _quartiles(X, names, origin, weights, kind, bins)
        if weights is None:
            _warn_of_constant(scale, names)
        return cls(kind, mean, _constant_to_one(scale), origin, edges)

    @classmethod
    def from_arrays(
        cls, kind: str, arrays: dict[str, np.ndarray], name: str = "input"
    ) -> "Normalizer":
        """Restore the normaliser from the arrays of a saved model, such as `name`_mean."""
        check_choice("the scaling", kind, NORMALIZATIONS)
        mean, scale = (_stored(arrays, f"{name}_{part}") for part in ("mean", "scale"))
        if mean.shape != scale.shape or mean.ndim > 1 or not (scale > 0).all():
            got = f"the shapes {mean.shape} and {scale.shape}"
            if mean.shape == scale.shape:
                got = "a scale of 0 or less" if mean.ndim <= 1 else f"the shape {mean.shape}"
            expected = "a mean and a positive scale for each column"
            raise DataError(f"the array {name}_scale", expected, got)
        origin = arrays.get(f"{name}_origin")
        if origin is not None and (origin.dtype.kind not in "iu" or origin.shape != mean.shape):
            expected = f"whole numbers of the shape {mean.shape}"
            raise DataError(f"the array {name}_origin", expected, f"{origin.dtype} {origin.shape}")
        bins = _stored_bins(arrays, name, mean.shape) if kind == "piecewise" else None
        return cls(kind, mean, scale, origin, bins)

    def arrays(self, name: str = "input") -> dict[str, np.ndarray]:
        """Return the arrays that a saved model stores."""
        found = {f"{name}_mean": self.mean, f"{name}_scale": self.scale}
        if self.origin is not None:
            found[f"{name}_origin"] = self.origin
        if self.bins is not None:
            found |= {f"{name}_bins": self.bins.counts, f"{name}_edges": self.bins.edges}
        return found

    def apply(self, X: np.ndarray, names: Sequence[str] | None = None) -> np.ndarray:
        """Return the normalised rows of X: float32, C order, every number finite."""
        if self.mean.ndim and X.shape[-1] != self.mean.size:
            n, got = self.mean.size, X.shape[-1]
            hint = "the columns that the network was trained on"
            raise ShapeError(
                "the inputs", f"{count_of(n, 'feature')}, as in training", str(got), hint
            )
        out = np.empty(self._shape(X), np.float32)
        for rows in _blocks(out):
            self._write(np.asarray(X[rows]), rows.start, names, out[rows])
        return out

    def _shape(self, X: np.ndarray) -> tuple[int, ...]:
        """Return the shape of the normalised rows of X, and refuse rows that do not fit."""
        if self.bins is None:
            return X.shape
        shape = len(X), self.bins.n_x
        hint = "fewer rows at a time, or --normalize robust, which has one input per column"
        check_memory("the inputs", 4 * shape[0] * shape[1], hint)
        return shape

    def _write(
        self, block: np.ndarray, start: int, names: Sequence[str] | None, out: np.ndarray
    ) -> None:
        """Write the normalised rows of a block, whose first row has the number `start`."""
        if self.kind not in BY_QUANTILES:
            with np.errstate(over="ignore", invalid="ignore"):  # reported just below
                out[:] = self._scaled(block)
            _check_finite(out, start, names)
            return
        _check_finite(block, start, names)
        away = np.asarray(_from_origin(block, self.origin), np.float64)
        with np.errstate(over="ignore"):  # infinite numbers are clipped
            z = smooth_clip((away - self.mean) / self.scale)
        if self.bins is None:
            out[:] = z
        else:
            self.bins.components(away, out)[:, self.bins.values] = z

    def _scaled(self, block: np.ndarray) -> np.ndarray:
        """Return a block of rows, normalised linearly."""
        if self.kind == "none":
            return block
        if self.kind == "pixels":
            return np.divide(block, float(self.scale), dtype=np.float32, casting="unsafe")
        # float64, as mean and scale are
        return (_from_origin(block, self.origin) - self.mean) / self.scale

    def undo(self, X: np.ndarray) -> np.ndarray:
        """Return the columns of which these are the inputs, in their own units, float64.

        Numbers far from the median are approximate, since the smooth clipping brings them close to
        ±3.
        """
        z = self.numbers_in(np.asarray(X)).astype(np.float64)
        if self.kind in BY_QUANTILES:
            z = undo_smooth_clip(z)
        origin = 0.0 if self.origin is None else self.origin.astype(np.float64)
        return z * self.scale + self.mean + origin

    def n_inputs(self, n: int) -> int:
        """Return the number of inputs that n columns make."""
        return n if self.bins is None else self.bins.n_x

    def names_of(self, names: Sequence[str]) -> list[str]:
        """Return the names of the inputs, from those of the columns."""
        return list(names) if self.bins is None else self.bins.names(names)

    def columns_of(self, n: int) -> np.ndarray:
        """Return the number of the column of each input, for n columns."""
        return np.arange(n) if self.bins is None else self.bins.column

    def numbers_in(self, X: np.ndarray) -> np.ndarray:
        """Return only those inputs (m, n) that are the columns themselves, without components."""
        return X if self.bins is None else X[:, self.bins.values]

    def average(self, n: int) -> np.ndarray:
        """Return the inputs (n_x,) of the row whose columns have the learned means or medians."""
        if self.bins is None:
            return np.zeros(n, np.float32)
        return self.bins.components(self.mean[None])[0]


def smooth_clip(z: np.ndarray) -> np.ndarray:
    """Return z / √(1 + (z / 3)²), which is close to z near 0 and lies between −3 and 3.

    >>> smooth_clip(np.array([0.0, 3.0, np.inf])).round(4).tolist()
    [0.0, 2.1213, 3.0]
    """
    z = np.clip(z, -1e150, 1e150)  # so that the square is finite
    return z / np.sqrt(1 + np.square(z / CLIP))


def undo_smooth_clip(x: np.ndarray) -> np.ndarray:
    """Return z, of which x is the smoothly clipped value.

    >>> undo_smooth_clip(smooth_clip(np.array([-0.5, 3.0, 10.0]))).round(4).tolist()
    [-0.5, 3.0, 10.0]
    """
    most = np.nextafter(np.float32(CLIP), np.float32(0))
    x = np.clip(x, -most, most)
    return x / np.sqrt((1 - x / CLIP) * (1 + x / CLIP))


def _from_origin(block: np.ndarray, origin: np.ndarray | None) -> np.ndarray:
    """Return the block relative to the origin, if there is one."""
    return block if origin is None else differences(block, origin)


def differences(X: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Return X − origin in float64; whole numbers of any type are subtracted exactly.

    >>> differences(np.array([2**63 + 1], np.uint64), np.array(2**63 - 2)).tolist()
    [3.0]
    """
    (upper, lower), (upper_origin, lower_origin) = _halves(X), _halves(origin)
    return (upper - upper_origin) * 2.0**32 + (lower - lower_origin)


def _halves(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the multiple of 2³² in each number, and the rest, which float64 holds exactly."""
    if X.dtype.kind not in "iu":
        upper = np.floor(X.astype(np.float64) / 2**32)
        return upper, X - upper * 2**32
    X = X.astype(np.int64) if X.dtype.itemsize < 8 else X
    return (X >> 32).astype(np.float64), (X & (2**32 - 1)).astype(np.float64)


def _learn_origin(X: np.ndarray) -> np.ndarray | None:
    """Return a row of whole numbers to subtract first, the medians; None if float64 is exact."""
    if X.ndim != 2 or X.dtype.kind not in "iu" or X.dtype.itemsize < 8:
        return None
    least, most = value_range(X)
    if max(most, -least) <= EXACT:
        return None
    return np.partition(X, len(X) // 2, axis=0)[len(X) // 2]


def _stored(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Return an array of a saved model, and refuse one that does not hold finite numbers."""
    x = arrays.get(name)
    if x is None or x.dtype.kind != "f" or not np.isfinite(x).all():
        got = "none" if x is None else "nan or infinity" if x.dtype.kind == "f" else str(x.dtype)
        raise DataError(f"the array {name}", "finite numbers", got)
    return x


def _stored_bins(arrays: dict[str, np.ndarray], name: str, shape: tuple[int, ...]) -> Bins:
    """Return the bins of a saved model, and refuse those of another number of columns."""
    counts = arrays.get(f"{name}_bins")
    if counts is None or counts.shape != shape:
        got = "none" if counts is None else str(counts.shape)
        raise DataError(f"the array {name}_bins", f"numbers of bins of the shape {shape}", got)
    return Bins.from_arrays(counts, _stored(arrays, f"{name}_edges"), name)


DEPTHS = (8, 10, 12, 14, 16)
"""The numbers of bits that cameras and scanners have per pixel."""
SLIGHTLY_ABOVE = 2
"""Fractions that were interpolated may be a little above 1, but not above this number."""


def white_level(most: float) -> float:
    """Return the value of white for pixels up to `most`, or `most` if it needs over 16 bits.

    >>> [white_level(most) for most in (199, 255, 256, 4000, 40_000, 70_000)]
    [255, 255, 1023, 4095, 65535, 70000]
    """
    return next((2**bits - 1 for bits in DEPTHS if most < 2**bits), most)


def value_range(X: Any) -> tuple[float, float]:
    """Return the smallest and the largest number of X, (0, 0) if it is empty; NaN is ignored."""
    ends = [
        (block.min(), block.max()) for rows in _blocks(X) if (block := np.asarray(X[rows])).size
    ]
    if not ends:
        return 0.0, 0.0
    least, most = np.array(ends, np.float64).T
    return float(np.fmin.reduce(least)), float(np.fmax.reduce(most))


def are_fractions(dtype: np.dtype, most: float) -> bool:
    """Return whether numbers up to `most` are already divided: 0 or 1, or fractions up to 1."""
    return most <= (SLIGHTLY_ABOVE if dtype.kind == "f" else 1)


def _pixel_range(X: np.ndarray) -> float:
    """Return the value of white of the training images."""
    least, most = value_range(X)
    if X.dtype == np.uint8:
        if most <= 1:
            _warn("no pixel is above 1. If the pixels are already scaled, use --normalize none.")
        return 255.0
    most = max(most, -least)
    if not np.isfinite(most):  # refused when the rows are normalised
        return 255.0
    return 1.0 if are_fractions(X.dtype, most) else float(white_level(most))


def _blocks(X: np.ndarray) -> Iterator[slice]:
    """Yield slices of consecutive rows, with about BLOCK numbers each."""
    step = max(1, BLOCK // max(1, int(np.prod(X.shape[1:]))))
    return (slice(i, i + step) for i in range(0, len(X), step))


def _moments(
    X: np.ndarray,
    names: Sequence[str] | None,
    origin: np.ndarray | None,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean, relative to the origin, and standard deviation over the examples, in two passes.

    Sums are relative to the first example, so a constant column has a deviation of exactly 0. The
    squares are those of numbers up to 1: divided by a power of two, which changes no digit.
    """
    over = 0 if X.ndim == 2 else (0, 1, 2)
    count = len(X) if X.ndim == 2 else int(np.prod(X.shape[:3]))
    count = count if weights is None else weights.sum()
    block = _from_origin(np.asarray(X[:1]), origin)
    first = (block[0] if X.ndim == 2 else block[0][0, 0]).astype(np.float64)
    total, most = np.zeros(first.shape), np.zeros(first.shape)
    for rows in _blocks(X):
        block = _from_origin(np.asarray(X[rows]), origin)
        _check_finite(block, rows.start, names)
        with np.errstate(over="ignore"):  # reported below
            away = block - first
        most = np.maximum(most, np.maximum(away.max(axis=over), -away.min(axis=over)))
        total += _weighted(away, weights, rows).sum(axis=over)
    _check_spread(most, names)
    shift = total / count
    factor = np.ldexp(1.0, np.clip(-np.frexp(most)[1], -1000, 1000))
    squares = np.zeros(first.shape)
    for rows in _blocks(X):
        away = (_from_origin(np.asarray(X[rows]), origin) - first - shift) * factor
        squares += _weighted(np.square(away), weights, rows).sum(axis=over)
    return np.asarray(first + shift), np.asarray(np.sqrt(squares / count) / factor)


QUARTILES = np.array([0.0, 0.25, 0.5, 0.75, 1.0])


def _quartiles(
    X: np.ndarray,
    names: Sequence[str] | None,
    origin: np.ndarray | None,
    weights: np.ndarray | None,
    kind: str,
    bins: int | None,
) -> tuple[np.ndarray, np.ndarray, Bins | None]:
    """Return the median, relative to the origin, and the interquartile range of each column.

    If the quartiles are equal, the range takes the place of the interquartile range. A column with
    at most two values has their mean and their range. If the kind is piecewise, the third result
    is the bins.
    """
    _check_columns(X)
    X, weights = _of_positive_weight(X, weights)
    for rows in _blocks(X):
        _check_finite(np.asarray(X[rows]), rows.start, names)
    has_bins, own = kind == "piecewise", np.zeros(0)
    if has_bins:
        own = shares_of_bins(default_bins(X) if bins is None else bins, X.shape[1])
    shares = np.concatenate([QUARTILES, own])
    mean, scale, spreads = np.empty((3, X.shape[1]))
    edges: list[np.ndarray] = []
    step = max(1, BLOCK // max(1, len(X)))
    for columns in (slice(i, i + step) for i in range(0, X.shape[1], step)):
        block = _from_origin(X[:, columns], None if origin is None else origin[columns])
        block = block.astype(np.float64)
        found = quantiles(block, shares, weights)
        least, lower, median, upper, most = found.values[:, : len(QUARTILES)].T
        two = found.distinct <= 2
        with np.errstate(over="ignore", invalid="ignore"):  # reported below
            spreads[columns] = spread = most - least
            share = np.average(block != least, axis=0, weights=weights)
            mean[columns] = np.where(two, least + share * spread, median)
            scale[columns] = np.where(two | (upper == lower), spread, upper - lower)
        edges += learn_edges(found.values[:, len(QUARTILES) :], ~two)
    _check_spread(spreads, names)
    return mean, scale, Bins.of(edges) if has_bins else None


def _check_columns(X: np.ndarray) -> None:
    """Refuse images, whose pixels are not columns of numbers."""
    if X.ndim != 2:
        expected = "columns of numbers for robust and piecewise normalisation"
        hint = "--normalize pixels or standard"
        raise DataError("the inputs", expected, f"images of the shape {X.shape[1:]}", hint)


def _of_positive_weight(
    X: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the rows that have a weight above 0; no weights if all of these are equal."""
    if weights is None:
        return X, None
    if not (weights > 0).all():
        X, weights = X[weights > 0], weights[weights > 0]
    return X, None if (weights == weights[0]).all() else weights


def _weighted(block: np.ndarray, weights: np.ndarray | None, rows: slice) -> np.ndarray:
    """Return the rows of a block, multiplied by their weights if there are any."""
    return block if weights is None else block * weights[rows, None]


def _check_spread(most: np.ndarray, names: Sequence[str] | None) -> None:
    """Refuse columns whose numbers differ by more than float64 can hold."""
    wide = np.flatnonzero(~np.isfinite(most))
    if wide.size:
        expected = "numbers that differ by less than 1.8e308, the largest float64"
        hint = "dividing the column by a constant"
        raise DataError(_name(wide[0], names), expected, "numbers further apart", hint)


def _warn_of_constant(scale: np.ndarray, names: Sequence[str] | None) -> None:
    """Warn about columns that are constant in the training set."""
    constant = np.flatnonzero(scale == 0)
    if constant.size:
        listed = ", ".join(_name(j, names) for j in constant[:5])
        more = f" and {constant.size - 5} more" if constant.size > 5 else ""
        _warn(f"constant in the training set, kept with scale 1: {listed}{more}.")


def _constant_to_one(scale: np.ndarray) -> np.ndarray:
    """Return the scale with 1 for constant columns."""
    return np.where(scale == 0, 1.0, scale)


def _check_finite(block: np.ndarray, start: int, names: Sequence[str] | None) -> None:
    """Refuse NaN and infinity, and report the position of the first."""
    if np.isfinite(block).all():
        return
    row, *rest = np.argwhere(~np.isfinite(block))[0]
    where = f"{_name(rest[-1], names) if len(rest) == 1 else 'image'}, row {start + row}"
    value = str(block[(row, *rest)])
    hint = "an empty cell for a missing value in a CSV file, or removing the row"
    raise DataError(where, "a finite number within the range of float32", value, hint)


def _name(column: int, names: Sequence[str] | None) -> str:
    """Return the name of a column, for messages."""
    return f"column {names[column]!r}" if names is not None else f"column {column}"


def _warn(message: str) -> None:
    """Issue a DataWarning at the caller of the public method."""
    warnings.warn(message, DataWarning, stacklevel=4)
