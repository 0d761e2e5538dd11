"""Fit the error as a power law of the size of the training set, bounded and robust to outliers.

Notes: "Why is deep learning taking off?" (course 1, week 1): scale drives progress.

    error(m) = a + b m^(−c)        a ≥ 0,  b ≥ 0,  0.05 ≤ c ≤ 2

For each c of a grid, a and b are fitted by weighted least squares (weights from the standard
errors) within their bounds, and the c with the lowest loss is chosen. The loss is Huber's: the
pull of a point does not grow beyond `BEND` standard errors (small sets are often far off, where
the network has hardly learned anything).
"""

from typing import Any, NamedTuple

import numpy as np

EXPONENTS = np.geomspace(0.05, 2, 40)
BEND = 1.5
ROUNDS = 4


class PowerLaw(NamedTuple):
    """The parameters a, b and c, or arrays of them for several laws."""

    a: Any
    b: Any
    c: Any

    def at(self, m: float) -> Any:
        """Return the error at m examples.

        >>> PowerLaw(0.1, 2.0, 0.5).at(100)
        0.30000000000000004
        """
        return self.a + self.b * m**-self.c


def fit_power_law(m: np.ndarray, errors: np.ndarray, noise: np.ndarray) -> PowerLaw:
    """Fit a law to each row of errors (R, P), measured at m (P,) with standard errors (P,).

    >>> m = np.array([100, 200, 400, 800])
    >>> law = fit_power_law(m, 0.1 + 2 / np.sqrt(m)[None], np.full(4, 0.01))
    >>> law.at(1600).round(2)
    array([0.15])
    """
    x = (m / m.max())[None] ** -EXPONENTS[:, None]  # (C, P); b is rescaled at the end
    y = errors[:, None]  # (R, 1, P)
    weights = np.broadcast_to(noise**-2.0, (len(errors), *x.shape))
    for _ in range(ROUNDS):
        off = _off(x, y, *_bounded_line(x, y, weights)) / noise
        weights = noise**-2.0 * np.minimum(1, BEND / np.maximum(off, BEND))
    a, b = _bounded_line(x, y, weights)
    off = _off(x, y, a, b) / noise
    loss = np.where(off <= BEND, off**2 / 2, BEND * (off - BEND / 2)).sum(axis=-1)
    best = loss.argmin(axis=1)
    rows, c = np.arange(len(errors)), EXPONENTS[best]
    return PowerLaw(a[rows, best], b[rows, best] * m.max() ** c, c)


def _off(x, y, a, b) -> np.ndarray:
    """Return the distance of each point from its line."""
    return np.abs(y - a[..., None] - b[..., None] * x)


def _bounded_line(x, y, w) -> tuple[np.ndarray, np.ndarray]:
    """Return the a ≥ 0 and b ≥ 0 that minimise Σ w (y − a − b x)²."""
    S0, S1, S2 = w.sum(-1), (w * x).sum(-1), (w * x**2).sum(-1)
    T0, T1 = (w * y).sum(-1), (w * x * y).sum(-1)
    b = (S0 * T1 - S1 * T0) / (S0 * S2 - S1**2)
    a = (T0 - b * S1) / S0
    a = np.where(b < 0, T0 / S0, np.maximum(a, 0))
    return a, np.where(b < 0, 0, np.where(a > 0, b, T1 / S2))
