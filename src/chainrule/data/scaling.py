"""Normalise inputs: (X − μ) / σ for a table, X / 255 for pixels.

Notes: "Normalizing inputs" (course 2, week 1).

    standard    μ = (1/m) Σ x        σ² = (1/m) Σ (x − μ)²        x → (x − μ) / σ
    pixels      μ = 0                σ = 255, or the range of the training images
    none        μ = 0                σ = 1

The notes divide by σ²; only dividing by σ gives variance 1. μ and σ are computed on the training
set alone and saved with the model, so that dev, test and new data are scaled by the same numbers.
Images have one μ and σ per colour channel. The range of pixels follows from their type and from the
largest training value: 255 for bytes, 1 for fractions up to 1, and otherwise the largest value of
8, 10, 12, 14 or 16 bits that is needed. Sums are in float64 over blocks of rows, which keeps
them accurate at a mean of 1e6 and needs no copy of the data besides the float32 result.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.choices import NORMALIZATIONS
from chainrule.errors import DataError, DataWarning, ShapeError, check_choice
from chainrule.formatting import count_of

BLOCK = 2**18  # numbers processed at a time: 2 MB in float64


@dataclass(frozen=True, eq=False)
class Normalizer:
    """The normalisation x → (x − mean) / scale, with parameters learned from the training set.

    mean and scale are (n_x,) for features, (n_C,) for images, () for one number for all.

    >>> X = np.array([[1.0, 10.0], [3.0, 10.0], [5.0, 40.0], [7.0, 40.0]])
    >>> Normalizer.learn("standard", X).mean.tolist()
    [4.0, 25.0]
    """

    kind: str
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def learn(cls, kind: str, X: np.ndarray, names: Sequence[str] | None = None) -> "Normalizer":
        """Learn mean and scale from the training rows; `names` are column names for messages."""
        check_choice("--normalize", kind, NORMALIZATIONS)
        if kind == "standard":
            mean, scale = _moments(X, names)
            return cls(kind, mean, _constant_to_one(scale, names))
        scale = _pixel_range(X) if kind == "pixels" else 1.0
        return cls(kind, np.zeros(()), np.array(scale))

    @classmethod
    def from_arrays(cls, kind: str, arrays: dict[str, np.ndarray]) -> "Normalizer":
        """Restore the normaliser from the result of `arrays`."""
        return cls(kind, arrays["input_mean"], arrays["input_scale"])

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that a saved model stores."""
        return {"input_mean": self.mean, "input_scale": self.scale}

    def apply(self, X: np.ndarray, names: Sequence[str] | None = None) -> np.ndarray:
        """Return the normalised rows of X: float32, C order, every number finite."""
        if self.mean.ndim and X.shape[-1] != self.mean.size:
            n, got = self.mean.size, X.shape[-1]
            hint = "the columns that the network was trained on"
            raise ShapeError(
                "the inputs", f"{count_of(n, 'feature')}, as in training", str(got), hint
            )
        out = np.empty(X.shape, np.float32)
        for rows in _blocks(X):
            with np.errstate(over="ignore", invalid="ignore"):  # reported just below
                out[rows] = self._scaled(np.asarray(X[rows]))
            _check_finite(out[rows], rows.start, names)
        return out

    def _scaled(self, block: np.ndarray) -> np.ndarray:
        """Return a block of rows, normalised."""
        if self.kind == "none":
            return block
        if self.kind == "pixels":
            return np.divide(block, float(self.scale), dtype=np.float32, casting="unsafe")
        return (block - self.mean) / self.scale  # float64, as mean and scale are


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


def _moments(X: np.ndarray, names: Sequence[str] | None) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation over the examples, in two passes.

    Sums are relative to the first example, so a constant column has a deviation of exactly 0.
    """
    over = 0 if X.ndim == 2 else (0, 1, 2)
    count = len(X) if X.ndim == 2 else int(np.prod(X.shape[:3]))
    first = X[0].astype(np.float64) if X.ndim == 2 else X[0][0, 0].astype(np.float64)
    total = np.zeros(first.shape)
    for rows in _blocks(X):
        block = np.asarray(X[rows])
        _check_finite(block, rows.start, names)
        total += (block - first).sum(axis=over)
    shift = total / count
    squares = np.zeros(first.shape)
    for rows in _blocks(X):
        squares += np.square(np.asarray(X[rows]) - first - shift).sum(axis=over)
    return np.asarray(first + shift), np.asarray(np.sqrt(squares / count))


def _constant_to_one(scale: np.ndarray, names: Sequence[str] | None) -> np.ndarray:
    """Return the scale with 1 for constant columns, and warn about them."""
    constant = np.flatnonzero(scale == 0)
    if constant.size:
        listed = ", ".join(_name(j, names) for j in constant[:5])
        more = f" and {constant.size - 5} more" if constant.size > 5 else ""
        _warn(f"constant in the training set, kept with scale 1: {listed}{more}.")
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
