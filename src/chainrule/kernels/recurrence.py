"""Recurrent layers: the products over all steps at once, and the loops over time.

A layer is computed in three parts, with the steps as rows (T, m, n), one row per example:

    Z  = W_x X, one product for all steps
    the loop over time, which gives A from Z, or dZ from dA (`xla_recurrence.py`)
    dW = Σ over t of dZ[t] [A[t−1]; X[t]]ᵀ and dX = W_xᵀ dZ, one product each for all steps
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Integer

from chainrule.kernels.rows import stored, summed_products

Real = Bool[Array, "T m 1"] | None


def rows_of_steps(
    X: Float[Array, "T n m"], lengths: Integer[Array, " m"] | None
) -> tuple[Float[Array, "T m n"], Real]:
    """Return X with examples as rows and 0 beyond the lengths, and which steps are real."""
    x = X.swapaxes(1, 2)
    if lengths is None:
        return x, None
    steps = jnp.arange(X.shape[0], dtype=np.int32)[:, None, None]
    real = steps < jnp.asarray(lengths).astype(np.int32)[None, :, None]
    return jnp.where(real, x, 0), real


def input_products(x: Float[Array, "T m n_x"], W_x: Float[Array, "k n_x"]) -> Float[Array, "T m k"]:
    """Return W_x X[t] for all steps."""
    T, m, n_x = x.shape
    return (x.reshape(T * m, n_x) @ stored(W_x.T)).reshape(T, m, -1)


def input_gradient(
    dZ: Float[Array, "T m k"], W_x: Float[Array, "k n_x"]
) -> Float[Array, "T n_x m"]:
    """Return dX[t] = W_xᵀ dZ[t] for all steps."""
    T, m, k = dZ.shape
    return (dZ.reshape(T * m, k) @ W_x).reshape(T, m, -1).swapaxes(1, 2)


def states_before(
    A: Float[Array, "T m n_a"], a0: Float[Array, "m n_a"], real: Real, *, reverse: bool
) -> Float[Array, "T m n_a"]:
    """Return the state before each step: A of the step before, and a0 before the first."""
    if not reverse:
        return jnp.concatenate([a0[None], A[:-1]])
    before = jnp.concatenate([A[1:], a0[None]])
    if real is None:
        return before
    later_is_real = jnp.concatenate([real[1:], jnp.zeros_like(real[:1])])
    return jnp.where(later_is_real, before, a0)


def weight_gradient(
    dZ: Float[Array, "T m k"], *inputs: Float[Array, "T m n"]
) -> Float[Array, "k n_inputs"]:
    """Return Σ over t of dZ[t] [inputs[t]]ᵀ, with the inputs side by side."""
    T, m, k = dZ.shape
    side_by_side = jnp.concatenate(inputs, axis=2).reshape(T * m, -1)
    return summed_products(dZ.reshape(T * m, k), side_by_side)


def bias_gradient(dZ: Float[Array, "T m k"]) -> Float[Array, "k 1"]:
    """Return Σ over t and the examples of dZ[t]."""
    return dZ.sum(axis=(0, 1))[:, None]
