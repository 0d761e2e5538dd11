"""Measure predicted numbers, in float64 and in the target's units.

Notes: "Single number evaluation metric" (course 3, week 1).

    r2              1 − Σ w (z − y)² / Σ w (y − mean of y)²
    rmse            √(Σ w (z − y)² / Σ w)
    mae             Σ w |z − y| / Σ w
    median_error    the |z − y| that half of the weight does not exceed

Targets y and predictions z are (m, k), weights (m,). With several outputs the mean over them is
returned. R² is 0 if y is constant.
"""

import numpy as np


def r2(y: np.ndarray, z: np.ndarray, weights: np.ndarray) -> float:
    """Return R²: 1 for perfect predictions, 0 for always predicting the mean."""
    error, spread = squares(y, z, weights)
    varies = spread > 0
    return float(np.where(varies, 1 - error / np.where(varies, spread, 1), 0.0).mean())


def rmse(y: np.ndarray, z: np.ndarray, weights: np.ndarray) -> float:
    """Return the root mean squared error, to which large errors contribute most."""
    return float(np.sqrt(np.average((z - y) ** 2, axis=0, weights=weights)).mean())


def mae(y: np.ndarray, z: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean absolute error."""
    return float(np.average(np.abs(z - y), axis=0, weights=weights).mean())


def median_error(y: np.ndarray, z: np.ndarray, weights: np.ndarray) -> float:
    """Return the median absolute error, which is robust to a few large errors."""
    return float(np.mean([_median(column, weights) for column in np.abs(z - y).T]))


def squares(y: np.ndarray, z: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Σ w (z − y)² and Σ w (y − mean of y)² for each output."""
    mean = np.average(y, axis=0, weights=weights)
    return weights @ (z - y) ** 2, weights @ (y - mean) ** 2


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the weighted median; the mean of two values if it lies between them."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    low, high = (np.searchsorted(below, below[-1] / 2, side) for side in ("left", "right"))
    return values[order][[low, min(high, len(values) - 1)]].mean()
