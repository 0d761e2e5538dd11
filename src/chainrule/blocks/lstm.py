"""LSTM: a memory cell c, with gates for what is written to it, kept in it and read from it.

Notes: "Long Short Term Memory (LSTM)" (course 5, week 1).

    lstm_cell   forward     Γu, Γf, Γo = σ of their rows of W [a_prev; x] + b;
                            c̃ = tanh of its rows; c = Γu ⊙ c̃ + Γf ⊙ c_prev; a = Γo ⊙ tanh(c)
                backward    dc_all = dc + da ⊙ Γo ⊙ (1 − tanh(c)²); dc_prev = dc_all ⊙ Γf;
                            dz_u = dc_all ⊙ c̃ ⊙ Γu ⊙ (1 − Γu);
                            dz_f = dc_all ⊙ c_prev ⊙ Γf ⊙ (1 − Γf);
                            dz_o = da ⊙ tanh(c) ⊙ Γo ⊙ (1 − Γo);
                            dz_c = dc_all ⊙ Γu ⊙ (1 − c̃²); dz = [dz_u; dz_f; dz_o; dz_c];
                            dx = W_xᵀ dz; da_prev = W_aᵀ dz; dW = dz [a_prev; x]ᵀ;
                            db = Σ over the m examples of dz
    lstm        forward     A[t], C[t] = lstm_cell(X[t], A[t−1], C[t−1], W, b), with a0 and c0 first
                backward    da[t] = dA[t] + W_aᵀ dZ[t + 1]; dc[t] = dC[t] + dc_prev of step t + 1;
                            dZ[t] = dz of step t; dX[t] = W_xᵀ dZ[t];
                            dW = Σ over t of dZ[t] [A[t−1]; X[t]]ᵀ;
                            db = Σ over t and the m examples of dZ[t]

W = [W_a W_x] is (4 n_a, n_a + n_x): the rows of Γu, Γf, Γo and c̃. With `lengths` (m,), a step
t ≥ lengths changes nothing, and A[t] and C[t] are 0 there. With `reverse` the steps run from the
last real one to the first. The products with X, and dW, are one product for all steps
(`kernels/recurrence.py`).

>>> W, b = jnp.zeros((4, 2)), jnp.array([[50.0], [50.0], [50.0], [1.0]])  # all gates are open
>>> A, C = lstm(jnp.ones((3, 1, 1)), jnp.zeros((1, 1)), jnp.zeros((1, 1)), W, b)
>>> C.ravel().round(4)  # tanh(1) is added to c at each step
Array([0.7616, 1.5232, 2.2848], dtype=float64)
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from chainrule.blocks.activations import sigmoid_forward
from chainrule.blocks.block import as_block
from chainrule.kernels import recurrence as kernel
from chainrule.kernels.recurrence import LSTMKept

# One step


class LSTMCellCache(NamedTuple):
    """The cache of a step: its inputs [a_prev; x] and c_prev, the gates, c̃, tanh(c) and W."""

    inputs: Float[Array, "n m"]
    c_prev: Float[Array, "n_a m"]
    update: Float[Array, "n_a m"]
    forget: Float[Array, "n_a m"]
    output: Float[Array, "n_a m"]
    candidate: Float[Array, "n_a m"]
    tanh_c: Float[Array, "n_a m"]
    W: Float[Array, "k n"]


def lstm_cell_forward(
    x: Float[Array, "n_x m"],
    a_prev: Float[Array, "n_a m"],
    c_prev: Float[Array, "n_a m"],
    W: Float[Array, "k n"],
    b: Float[Array, "k 1"],
) -> tuple[tuple[Float[Array, "n_a m"], Float[Array, "n_a m"]], LSTMCellCache]:
    """Return (a, c) after the step, and the cache for `lstm_cell_backward`."""
    inputs = jnp.concatenate([a_prev, x])
    z_u, z_f, z_o, z_c = jnp.split(W @ inputs + b, 4)
    update, forget, output = (sigmoid_forward(z)[0] for z in (z_u, z_f, z_o))
    candidate = jnp.tanh(z_c)
    c = update * candidate + forget * c_prev
    tanh_c = jnp.tanh(c)
    cache = LSTMCellCache(inputs, c_prev, update, forget, output, candidate, tanh_c, W)
    return (output * tanh_c, c), cache


def lstm_cell_backward(
    d_output: tuple[Float[Array, "n_a m"], Float[Array, "n_a m"]], cache: LSTMCellCache
) -> tuple[
    Float[Array, "n_x m"],
    Float[Array, "n_a m"],
    Float[Array, "n_a m"],
    Float[Array, "k n"],
    Float[Array, "k 1"],
]:
    """Return the gradients of x, a_prev, c_prev, W and b, from those of a and c."""
    da, dc = d_output
    inputs, c_prev, update, forget, output, candidate, tanh_c, W = cache
    dc = dc + da * output * (1 - tanh_c**2)
    dz = jnp.concatenate(
        [
            dc * candidate * update * (1 - update),
            dc * c_prev * forget * (1 - forget),
            da * tanh_c * output * (1 - output),
            dc * update * (1 - candidate**2),
        ]
    )
    d_inputs, n_a = W.T @ dz, len(c_prev)
    dW, db = dz @ inputs.T, dz.sum(axis=1, keepdims=True)
    return d_inputs[n_a:], d_inputs[:n_a], dc * forget, dW, db


lstm_cell = as_block(lstm_cell_forward, lstm_cell_backward)


# All steps


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["x", "a0", "A", "kept", "W", "lengths"],
    meta_fields=["reverse"],
)
@dataclass(frozen=True)
class LSTMCache:
    """The values of all steps that the forward pass keeps, with one row per example."""

    x: Float[Array, "T m n_x"]
    a0: Float[Array, "m n_a"]
    A: Float[Array, "T m n_a"]
    kept: LSTMKept
    W: Float[Array, "k n"]
    lengths: Integer[Array, " m"] | None
    reverse: bool


def lstm_forward(
    X: Float[Array, "T n_x m"],
    a0: Float[Array, "n_a m"],
    c0: Float[Array, "n_a m"],
    W: Float[Array, "k n"],
    b: Float[Array, "k 1"],
    lengths: Integer[Array, " m"] | None = None,
    *,
    reverse: bool = False,
) -> tuple[tuple[Float[Array, "T n_a m"], Float[Array, "T n_a m"]], LSTMCache]:
    """Return (A, C) of all steps, and the cache for `lstm_backward`."""
    n_a, a0 = len(a0), a0.T
    x = kernel.rows_of_steps(X, lengths)
    Z = kernel.input_products(x, W[:, n_a:])
    A, C, kept = kernel.lstm_forward(Z, W[:, :n_a], b.T, a0, c0.T, lengths, reverse=reverse)
    return (A.swapaxes(1, 2), C.swapaxes(1, 2)), LSTMCache(x, a0, A, kept, W, lengths, reverse)


def lstm_backward(
    d_output: tuple[Float[Array, "T n_a m"], Float[Array, "T n_a m"]], cache: LSTMCache
) -> tuple[
    Float[Array, "T n_x m"],
    Float[Array, "n_a m"],
    Float[Array, "n_a m"],
    Float[Array, "k n"],
    Float[Array, "k 1"],
]:
    """Return the gradients of X, a0, c0, W and b, from those of A and C."""
    x, a0, A, W, lengths = cache.x, cache.a0, cache.A, cache.W, cache.lengths
    n_a = a0.shape[1]
    dA, dC = (d.swapaxes(1, 2) for d in d_output)
    dZ, da0, dc0 = kernel.lstm_backward(
        dA, dC, A, cache.kept, W[:, :n_a], a0, lengths, reverse=cache.reverse
    )
    A_prev = kernel.states_before(A, a0, lengths, reverse=cache.reverse)
    dW, db = kernel.weight_gradient(dZ, A_prev, x), kernel.bias_gradient(dZ)
    return kernel.input_gradient(dZ, W[:, n_a:]), da0.T, dc0.T, dW, db


lstm = as_block(lstm_forward, lstm_backward)
