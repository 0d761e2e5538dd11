"""Where made examples come from, with the least error that there can be.

Two worlds make the examples. Both have a Bayes error that is known from 50,000 of them, and it lies
at the border between the classes: what is wrong far from it was put there.

    waves      y = 1 with probability σ(k s(x)), s a product of two waves (no line can follow it)
    clusters   each of four classes is three Gaussians
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

N_X = 8
MANY = 50_000

Parts = dict[str, tuple[np.ndarray, np.ndarray]]


class World(NamedTuple):
    """Where examples come from: `draw(m)` gives X (m, n_x) and y, `bayes` is the least error."""

    draw: Callable[[int], tuple[np.ndarray, np.ndarray]]
    bayes: float


def waves(rng: np.random.Generator, n_x: int = N_X, sharp: float | None = None) -> World:
    """s(x) = sin(a x₁ + b) · sin(c x₂ + d) on two columns; the others are noise."""
    frequency, shift = rng.uniform(1.2, 1.6, 2), rng.uniform(-0.4, 0.4, 2)
    k = rng.uniform(8, 40) if sharp is None else sharp

    def chances(m: int):
        X = rng.standard_normal((m, n_x))
        s = np.sin(frequency * X[:, :2] + shift).prod(axis=1)
        return X, 1 / (1 + np.exp(-k * s))

    def draw(m: int):
        X, p = chances(m)
        return X, (rng.random(m) < p).astype(int)

    _, p = chances(MANY)
    return World(draw, float(np.minimum(p, 1 - p).mean()))


def clusters(rng: np.random.Generator, n_x: int = N_X, apart: float | None = None) -> World:
    """Three centres for each of four classes, σ = 1."""
    apart = rng.uniform(1.6, 2.2) if apart is None else apart
    centres = apart * rng.standard_normal((12, n_x))

    def draw(m: int):
        which = rng.integers(12, size=m)
        return centres[which] + rng.standard_normal((m, n_x)), which % 4

    X, y = draw(MANY)
    near = (X**2).sum(1)[:, None] + (centres**2).sum(1) - 2 * X @ centres.T
    likely = np.exp(-near / 2 + near.min(1, keepdims=True) / 2).reshape(-1, 3, 4).sum(axis=1)
    return World(draw, float((likely.argmax(axis=1) != y).mean()))


def any_world(rng: np.random.Generator) -> World:
    """Either of them."""
    return (waves, clusters)[rng.integers(2)](rng)


def parts_of(world: World, train: int = 1200, dev: int = 400, test: int = 400) -> Parts:
    """All of them from one world."""
    return {name: world.draw(m) for name, m in (("train", train), ("dev", dev), ("test", test))}
