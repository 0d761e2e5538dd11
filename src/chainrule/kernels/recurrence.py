"""Recurrent layers: the products over all steps at once, and the loops over time.

A layer is computed in three parts, with the steps as rows (T, m, n), one row per example:

    Z  = W_x X, one product for all steps
    the loop over time, which gives A from Z, or dZ from dA
    dW = Σ over t of dZ[t] [A[t−1]; X[t]]ᵀ and dX = W_xᵀ dZ, one product each for all steps

The fastest available loop is chosen when a call is traced: that of the native wheel if it is
installed and the arrays are float32 (`native_recurrence.py`), otherwise that of XLA
(`xla_recurrence.py`). Both keep for the backward pass what suits them.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Integer

from chainrule.kernels import native_recurrence, xla_recurrence
from chainrule.kernels.native_recurrence import GRUGates, LSTMGates
from chainrule.kernels.rows import stored, summed_products
from chainrule.kernels.xla_recurrence import GRUSlopes, LSTMSlopes

Lengths = Integer[Array, " m"] | None
States = Float[Array, "T m n_a"]
LSTMKept = LSTMGates | LSTMSlopes
GRUKept = GRUGates | GRUSlopes

# The loops


def rnn_forward(
    Z: States,
    W_a: Float[Array, "n_a n_a"],
    b: Float[Array, "1 n_a"],
    a0: Float[Array, "m n_a"],
    lengths: Lengths,
    *,
    g: str,
    reverse: bool,
) -> States:
    """Return A[t] = g(Z[t] + W_a A[t−1] + b)."""
    settings = {"g": g, "reverse": reverse}
    if native_recurrence.available(Z):
        return native_recurrence.rnn_forward(Z, W_a, b, a0, lengths, **settings)
    return xla_recurrence.rnn_forward(Z, W_a, b, a0, real_steps(Z, lengths), **settings)


def rnn_backward(
    dA: States,
    A: States,
    W_a: Float[Array, "n_a n_a"],
    a0: Float[Array, "m n_a"],
    lengths: Lengths,
    *,
    g: str,
    reverse: bool,
) -> tuple[States, Float[Array, "m n_a"]]:
    """Return dZ and da0."""
    settings = {"g": g, "reverse": reverse}
    if native_recurrence.available(dA):
        return native_recurrence.rnn_backward(dA, A, W_a, a0, lengths, **settings)
    return xla_recurrence.rnn_backward(dA, A, W_a, real_steps(A, lengths), **settings)


def lstm_forward(
    Z: Float[Array, "T m k"],
    W_a: Float[Array, "k n_a"],
    b: Float[Array, "1 k"],
    a0: Float[Array, "m n_a"],
    c0: Float[Array, "m n_a"],
    lengths: Lengths,
    *,
    reverse: bool,
) -> tuple[States, States, LSTMKept]:
    """Return A, C and what `lstm_backward` needs."""
    if native_recurrence.available(Z):
        return native_recurrence.lstm_forward(Z, W_a, b, a0, c0, lengths, reverse=reverse)
    real = real_steps(Z, lengths)
    return xla_recurrence.lstm_forward(Z, W_a, b, a0, c0, real, reverse=reverse)


def lstm_backward(
    dA: States,
    dC: States,
    A: States,
    kept: LSTMKept,
    W_a: Float[Array, "k n_a"],
    a0: Float[Array, "m n_a"],
    lengths: Lengths,
    *,
    reverse: bool,
) -> tuple[Float[Array, "T m k"], Float[Array, "m n_a"], Float[Array, "m n_a"]]:
    """Return dZ, da0 and dc0."""
    if isinstance(kept, LSTMGates):
        arrays = (dA, dC, A, kept, W_a, a0, lengths)
        return native_recurrence.lstm_backward(*arrays, reverse=reverse)
    real = real_steps(A, lengths)
    return xla_recurrence.lstm_backward(dA, dC, kept, W_a, real, reverse=reverse)


def gru_forward(
    Z: Float[Array, "T m k"],
    W_a: Float[Array, "k n_a"],
    b: Float[Array, "1 k_b"],
    c0: Float[Array, "m n_a"],
    lengths: Lengths,
    *,
    reset: str,
    reverse: bool,
) -> tuple[States, GRUKept]:
    """Return C and what `gru_backward` needs; b has n_a more if `reset` is "after".

    If `reset` is "before", `input` of the latter is Γr ⊙ c_prev, the input of c̃.
    """
    settings: Any = {"reset": reset, "reverse": reverse}
    if native_recurrence.available(Z):
        return native_recurrence.gru_forward(Z, W_a, b, c0, lengths, **settings)
    return xla_recurrence.gru_forward(Z, W_a, b, c0, real_steps(Z, lengths), **settings)


def gru_backward(
    dC: States,
    C: States,
    kept: GRUKept,
    W_a: Float[Array, "k n_a"],
    c0: Float[Array, "m n_a"],
    lengths: Lengths,
    *,
    reset: str,
    reverse: bool,
) -> tuple[Float[Array, "T m k"], States | None, Float[Array, "m n_a"]]:
    """Return dZ, dc0, and between them dH of H = W_cc c_prev + b_h if `reset` is "after"."""
    settings: Any = {"reset": reset, "reverse": reverse}
    if isinstance(kept, GRUGates):
        return native_recurrence.gru_backward(dC, C, kept, W_a, c0, lengths, **settings)
    return xla_recurrence.gru_backward(dC, kept, W_a, real_steps(C, lengths), **settings)


# Steps as rows


def rows_of_steps(X: Float[Array, "T n m"], lengths: Lengths) -> Float[Array, "T m n"]:
    """Return X with one row per example, and 0 beyond the lengths."""
    x = X.swapaxes(1, 2)
    real = real_steps(x, lengths)
    return x if real is None else jnp.where(real, x, 0)


def real_steps(x: Float[Array, "T m n"], lengths: Lengths) -> Bool[Array, "T m 1"] | None:
    """Return which steps are real, or None if all are."""
    if lengths is None:
        return None
    return jnp.arange(len(x), dtype=np.int32)[:, None, None] < _whole(lengths)[None, :, None]


def states_before(
    A: States, a0: Float[Array, "m n_a"], lengths: Lengths, *, reverse: bool
) -> States:
    """Return the state before each step: A of the step before, and a0 before the first."""
    if not reverse:
        return jnp.concatenate([a0[None], A[:-1]])
    before = jnp.concatenate([A[1:], a0[None]])
    if lengths is None:
        return before
    steps = jnp.arange(1, len(A) + 1, dtype=np.int32)[:, None, None]
    return jnp.where(steps < _whole(lengths)[None, :, None], before, a0)


def _whole(lengths: Integer[Array, " m"]) -> Integer[Array, " m"]:
    return jnp.asarray(lengths).astype(np.int32)


# The products over all steps


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
