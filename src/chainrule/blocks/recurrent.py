"""A recurrent layer: each step also depends on the activation of the step before.

Notes: "Recurrent Neural Network Model" and "Backpropagation through time" (course 5, week 1).

    rnn_cell    forward     z = W [a_prev; x] + b; a = g(z), g is tanh or relu
                backward    dz = da ⊙ g'(z), where g' is 1 − a² for tanh, and for relu 1 where
                            a > 0 and 0 elsewhere;
                            dx = W_xᵀ dz; da_prev = W_aᵀ dz; dW = dz [a_prev; x]ᵀ;
                            db = Σ over the m examples of dz
    rnn         forward     A[t] = g(W [A[t−1]; X[t]] + b), and A[−1] is a0
                backward    da[t] = dA[t] + W_aᵀ dZ[t + 1]; dZ[t] = da[t] ⊙ g'(Z[t]);
                            dX[t] = W_xᵀ dZ[t]; da0 = W_aᵀ dZ[0];
                            dW = Σ over t of dZ[t] [A[t−1]; X[t]]ᵀ;
                            db = Σ over t and the m examples of dZ[t]
    last_step   forward     a = A[lengths − 1], the last real step of each example, 0 without any
                backward    dA[t] = da where t = lengths − 1, else 0

W = [W_a W_x] is (n_a, n_a + n_x) and X (T, n_x, m). With `lengths` (m,), a step t ≥ lengths changes
nothing, and A[t] is 0 there. With `reverse` the steps run from the last real one to the first:
A[t + 1] takes the place of A[t−1]. The products with X, and dW, are one product for all steps
(`kernels/recurrence.py`).

>>> W, b = jnp.array([[0.5, 1.0]]), jnp.zeros((1, 1))
>>> rnn(jnp.ones((3, 1, 1)), jnp.zeros((1, 1)), W, b, g="relu").ravel()  # 1, 1 + ½, 1 + ¾
Array([1.  , 1.5 , 1.75], dtype=float64)
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Integer

from chainrule.blocks.block import as_block
from chainrule.errors import check_choice
from chainrule.kernels import recurrence as kernel

ACTIVATIONS = ("tanh", "relu")
"""The names of g."""


# One step


@partial(jax.tree_util.register_dataclass, data_fields=["inputs", "a", "W"], meta_fields=["g"])
@dataclass(frozen=True)
class RNNCellCache:
    """The cache of a step: its inputs [a_prev; x], its activation a, and W."""

    inputs: Float[Array, "n m"]
    a: Float[Array, "n_a m"]
    W: Float[Array, "n_a n"]
    g: str


def rnn_cell_forward(
    x: Float[Array, "n_x m"],
    a_prev: Float[Array, "n_a m"],
    W: Float[Array, "n_a n"],
    b: Float[Array, "n_a 1"],
    *,
    g: str = "tanh",
) -> tuple[Float[Array, "n_a m"], RNNCellCache]:
    """Return a = g(W [a_prev; x] + b), and the cache for `rnn_cell_backward`."""
    check_choice("rnn_cell(g=…)", g, ACTIVATIONS)
    inputs = jnp.concatenate([a_prev, x])
    z = W @ inputs + b
    a = jnp.tanh(z) if g == "tanh" else jnp.maximum(z, 0)
    return a, RNNCellCache(inputs, a, W, g)


def rnn_cell_backward(
    da: Float[Array, "n_a m"], cache: RNNCellCache
) -> tuple[
    Float[Array, "n_x m"], Float[Array, "n_a m"], Float[Array, "n_a n"], Float[Array, "n_a 1"]
]:
    """Return the gradients of x, a_prev, W and b, in that order."""
    a, W = cache.a, cache.W
    dz = da * (1 - a**2) if cache.g == "tanh" else jnp.where(a > 0, da, 0)
    d_inputs = W.T @ dz
    dW, db = dz @ cache.inputs.T, dz.sum(axis=1, keepdims=True)
    return d_inputs[len(a) :], d_inputs[: len(a)], dW, db


rnn_cell = as_block(rnn_cell_forward, rnn_cell_backward)


# All steps


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["x", "a0", "A", "W", "lengths"],
    meta_fields=["g", "reverse"],
)
@dataclass(frozen=True)
class RNNCache:
    """The values of all steps that the forward pass keeps, with one row per example."""

    x: Float[Array, "T m n_x"]
    a0: Float[Array, "m n_a"]
    A: Float[Array, "T m n_a"]
    W: Float[Array, "n_a n"]
    lengths: Integer[Array, " m"] | None
    g: str
    reverse: bool


def rnn_forward(
    X: Float[Array, "T n_x m"],
    a0: Float[Array, "n_a m"],
    W: Float[Array, "n_a n"],
    b: Float[Array, "n_a 1"],
    lengths: Integer[Array, " m"] | None = None,
    *,
    g: str = "tanh",
    reverse: bool = False,
) -> tuple[Float[Array, "T n_a m"], RNNCache]:
    """Return A of all steps, and the cache for `rnn_backward`."""
    check_choice("rnn(g=…)", g, ACTIVATIONS)
    n_a, a0 = len(a0), a0.T
    x = kernel.rows_of_steps(X, lengths)
    Z = kernel.input_products(x, W[:, n_a:])
    A = kernel.rnn_forward(Z, W[:, :n_a], b.T, a0, lengths, g=g, reverse=reverse)
    return A.swapaxes(1, 2), RNNCache(x, a0, A, W, lengths, g, reverse)


def rnn_backward(
    dA: Float[Array, "T n_a m"], cache: RNNCache
) -> tuple[
    Float[Array, "T n_x m"], Float[Array, "n_a m"], Float[Array, "n_a n"], Float[Array, "n_a 1"]
]:
    """Return the gradients of X, a0, W and b, in that order."""
    x, a0, A, W, lengths = cache.x, cache.a0, cache.A, cache.W, cache.lengths
    n_a = len(W)
    dZ, da0 = kernel.rnn_backward(
        dA.swapaxes(1, 2), A, W[:, :n_a], a0, lengths, g=cache.g, reverse=cache.reverse
    )
    A_prev = kernel.states_before(A, a0, lengths, reverse=cache.reverse)
    dW, db = kernel.weight_gradient(dZ, A_prev, x), kernel.bias_gradient(dZ)
    return kernel.input_gradient(dZ, W[:, n_a:]), da0.T, dW, db


rnn = as_block(rnn_forward, rnn_backward)


# The last real step


@partial(jax.tree_util.register_dataclass, data_fields=["is_last"], meta_fields=[])
@dataclass(frozen=True)
class LastStepCache:
    """Which step of each example is its last."""

    is_last: Bool[Array, "T 1 m"]


def last_step_forward(
    A: Float[Array, "T n_a m"], lengths: Integer[Array, " m"]
) -> tuple[Float[Array, "n_a m"], LastStepCache]:
    """Return A[lengths − 1] of each example, and 0 for an example without steps."""
    last = jnp.asarray(lengths).astype(jnp.int32) - 1
    steps = jnp.arange(A.shape[0], dtype=jnp.int32)
    a = jnp.take_along_axis(A, jnp.maximum(last, 0)[None, None], axis=0)[0]
    return jnp.where(last[None] >= 0, a, 0), LastStepCache(steps[:, None, None] == last[None, None])


def last_step_backward(da: Float[Array, "n_a m"], cache: LastStepCache) -> Float[Array, "T n_a m"]:
    """Return the gradient of A."""
    return jnp.where(cache.is_last, da[None], 0)


last_step = as_block(last_step_forward, last_step_backward)
