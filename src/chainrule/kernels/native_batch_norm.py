"""Batch norm of images by the native wheel, fused with the ReLU and the sum that follow it.

It makes two passes over Z forward and two backward, where XLA needs several more.

    forward     A = relu(γ ⊙ Z_norm + β + shortcut), the mean and the variance
    backward    dZ, dγ, dβ and dshortcut from dA, dmean and dvariance

float32, images (m, n_H, n_W, n_C), features (1, 1, 1, n_C), weights (1, m). ReLU and shortcut are
optional. `blocks/batch_norm_relu.py` has the formulas; `choice.py` decides when this is used.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from chainrule.kernels import onednn


def forward(
    Z: Array,
    gamma: Array,
    beta: Array,
    weights: Array | None,
    shortcut: Array | None,
    *,
    eps: float,
    relu: bool,
) -> tuple[Array, Array, Array]:
    """Return A, the mean and the variance."""
    arrays = [Z, gamma, beta, *(x for x in (weights, shortcut) if x is not None)]
    feature = _like(gamma)
    settings = _settings(weights is not None, shortcut is not None, relu)
    A, mean, variance = _call("batch_norm", [_like(Z), feature, feature], eps, settings, arrays)
    return A, mean, variance


def backward(
    d_output: tuple[Array, Array, Array],
    A: Array | None,
    Z: Array,
    gamma: Array,
    mean: Array,
    variance: Array,
    weights: Array | None,
    *,
    eps: float,
    shortcut: bool,
) -> tuple[Array, Array, Array, Array | None]:
    """Return dZ, dγ, dβ, and dshortcut if there was a shortcut; A is None if there was no ReLU."""
    arrays = [*d_output, Z, gamma, mean, variance]
    arrays += [x for x in (weights, A) if x is not None]
    results = [_like(Z), _like(gamma), _like(gamma), *([_like(Z)] if shortcut else [])]
    settings = _settings(weights is not None, shortcut, A is not None)
    dZ, d_gamma, d_beta, *others = _call("batch_norm_gradient", results, eps, settings, arrays)
    return dZ, d_gamma, d_beta, others[0] if shortcut else None


def _like(x: Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(x.shape, jnp.float32)


def _settings(*flags: bool) -> np.ndarray:
    return np.array(flags, np.int64)


def _call(name: str, results: list, eps: float, settings: np.ndarray, arrays: list) -> list[Array]:
    onednn.native()
    call = jax.ffi.ffi_call(f"chainrule_{name}", results, vmap_method="sequential")
    return list(call(*arrays, settings=settings, epsilon=np.float32(eps)))
