"""Initialisers for the weights: small enough not to saturate, large enough to carry the signal.

Notes: "Random initialization" (course 1, week 3); "Weight initialization for deep networks"
(course 2, week 1).

    zeros         0: for logistic regression; in a deeper network all units of a layer stay equal
    small         0.01 · normal: the notes' first choice, for a network of one hidden layer
    lecun         normal with variance 1 / n_prev: the notes' √(1/n_prev), for tanh
    xavier        normal with variance 2 / (n_prev + n_l), for tanh
    he            normal with variance 2 / n_prev, for relu
    orthogonal    rows or columns of length 1 at right angles, for the state of a recurrent layer

Each is a function (key, shape, dtype) -> W for a shape (n_l, n_prev); it draws the numbers on the
host. In float64, all digits are drawn, and the first seven are those of float32. Filters
(f, f, n_C_prev, n_C) have n_prev = f² n_C_prev and n_l = f² n_C; for those of a depthwise
convolution (f, f, n_C) both are f².

>>> small(jax.random.key(0), (4, 3)).shape
(4, 3)
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import DTypeLike

from chainrule.host.randomness import host_generator
from chainrule.layers.allocation import check_size, filled, needs_only_shapes
from chainrule.types import Key

Initializer = Callable[..., Array]


def zeros(key: Key, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> Array:
    """Return zeros: all units of a layer are equal."""
    return jax.device_put(filled(0, shape, dtype))


def small(key: Key, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> Array:
    """Draw W as 0.01 · normal."""
    return _normal(0.01, key, shape, dtype)


def lecun(key: Key, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> Array:
    """Draw W from a normal distribution with variance 1 / n_prev."""
    _, n_prev = fans(shape)
    return _normal((1 / n_prev) ** 0.5, key, shape, dtype)


def xavier(key: Key, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> Array:
    """Draw W from a normal distribution with variance 2 / (n_prev + n_l)."""
    n_l, n_prev = fans(shape)
    return _normal((2 / (n_prev + n_l)) ** 0.5, key, shape, dtype)


def he(key: Key, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> Array:
    """Draw W from a normal distribution with variance 2 / n_prev."""
    _, n_prev = fans(shape)
    return _normal((2 / n_prev) ** 0.5, key, shape, dtype)


def orthogonal(key: Key, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> Array:
    """Draw W with rows of length 1 at right angles, or columns if there are fewer of them.

    It is Q of the decomposition Q R of normal numbers, with the signs that make it uniform.
    """
    if needs_only_shapes():
        return jnp.zeros(shape, np.dtype(dtype))
    check_size(shape, dtype)
    Q, R = np.linalg.qr(host_generator(key).standard_normal((max(shape), min(shape))))
    Q = Q * np.where(np.diag(R) < 0, -1, 1)
    return jax.device_put((Q if shape[0] >= shape[1] else Q.T).astype(dtype))


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return n_l and n_prev: how many outputs an input affects, and how many inputs an output has.

    >>> fans((4, 3)), fans((3, 3, 16, 32)), fans((3, 3, 8))
    ((4, 3), (288, 144), (9, 9))
    """
    if len(shape) == 2:
        return shape[0], shape[1]
    area = shape[0] * shape[1]
    return (area * shape[3], area * shape[2]) if len(shape) == 4 else (area, area)


def _normal(deviation: float, key: Key, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    if needs_only_shapes():
        return jnp.zeros(shape, np.dtype(dtype))
    check_size(shape, dtype)
    rng = host_generator(key)
    numbers: Any = rng.standard_normal(shape, np.float32)
    if np.dtype(dtype) == np.float64:  # the digits that a float32 does not have are drawn too
        numbers = numbers + np.spacing(numbers) * (rng.random(shape) - 0.5)
    return jax.device_put((deviation * numbers).astype(dtype))
