"""How good said numbers are, in float64 and in the target's own units.

Notes: "Single number evaluation metric" (course 3, week 1).

    r2              1 − Σ w (z − y)² / Σ w (y − mean of y)²
    rmse            √(Σ w (z − y)² / Σ w)
    mae             Σ w |z − y| / Σ w
    median_error    the |z − y| that half of the weight does not exceed

y and z are (m, k), weights (m,); of several outputs the mean. Where y never changes R² is 0.
"""

import numpy as np


def r2(y: np.ndarray, z: np.ndarray, weights: np.ndarray) -> float:
    """1 for all right, 0 for always saying the mean."""
    error, spread = squares(y, z, weights)
    kept = spread > 0
    return float(np.where(kept, 1 - error / np.where(kept, spread, 1), 0.0).mean())


def rmse(y: np.ndarray, z: np.ndarray, weights: np.ndarray) -> float:
    """Large errors count more than small ones."""
    return float(np.sqrt(np.average((z - y) ** 2, axis=0, weights=weights)).mean())


def mae(y: np.ndarray, z: np.ndarray, weights: np.ndarray) -> float:
    """Each error counts as much as it is."""
    return float(np.average(np.abs(z - y), axis=0, weights=weights).mean())


def median_error(y: np.ndarray, z: np.ndarray, weights: np.ndarray) -> float:
    """A few that are far off do not count."""
    return float(np.mean([_median(column, weights) for column in np.abs(z - y).T]))


def squares(y: np.ndarray, z: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each output: Σ w of the squared errors, and of the squared distances from the mean."""
    mean = np.average(y, axis=0, weights=weights)
    return weights @ (z - y) ** 2, weights @ (y - mean) ** 2


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    """The middle of the weight; between two, where it lies between them."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    low, high = (np.searchsorted(below, below[-1] / 2, side) for side in ("left", "right"))
    return values[order][[low, min(high, len(values) - 1)]].mean()
