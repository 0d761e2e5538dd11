"""How the error falls with the size of the training set: a power law, bounded and robust.

Notes: "Why is deep learning taking off?" (course 1, week 1): scale drives progress.

    error(m) = a + b m^(−c)        a ≥ 0,  b ≥ 0,  0.05 ≤ c ≤ 2

For each c of a grid, a and b are those of least squares, each point by its own noise, or the
nearest that are allowed; the c with the least loss is taken. The loss is Huber's: a point that is
off by many times its noise (as small sets are, where nothing is learned yet) pulls no harder than
one that is off by `BEND` times.
"""

from typing import Any, NamedTuple

import numpy as np

EXPONENTS = np.geomspace(0.05, 2, 40)
BEND = 1.5
ROUNDS = 4


class PowerLaw(NamedTuple):
    """a, b and c, or arrays of them for several laws at once."""

    a: Any
    b: Any
    c: Any

    def at(self, m: float) -> Any:
        """The error at m examples.

        >>> PowerLaw(0.1, 2.0, 0.5).at(100)
        0.30000000000000004
        """
        return self.a + self.b * m**-self.c


def fit_power_law(m: np.ndarray, errors: np.ndarray, noise: np.ndarray) -> PowerLaw:
    """The law of each row of errors (R, P), measured at m (P,) with standard errors (P,).

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
    """How far each point is from its line."""
    return np.abs(y - a[..., None] - b[..., None] * x)


def _bounded_line(x, y, w) -> tuple[np.ndarray, np.ndarray]:
    """a and b, 0 or more, of the line a + b x with the least Σ w (y − a − b x)²."""
    S0, S1, S2 = w.sum(-1), (w * x).sum(-1), (w * x**2).sum(-1)
    T0, T1 = (w * y).sum(-1), (w * x * y).sum(-1)
    b = (S0 * T1 - S1 * T0) / (S0 * S2 - S1**2)
    a = (T0 - b * S1) / S0
    a = np.where(b < 0, T0 / S0, np.maximum(a, 0))
    return a, np.where(b < 0, 0, np.where(a > 0, b, T1 / S2))
