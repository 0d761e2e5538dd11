"""GRU: a memory c, with a gate that decides at each step how much of it is replaced.

Notes: "Gated Recurrent Unit (GRU)" (course 5, week 1).

    gru_cell    forward     Γu, Γr = σ of their rows of W [c_prev; x] + b;
                            c̃ = tanh(W_c [Γr ⊙ c_prev; x] + b_c)              reset="before"
                            c̃ = tanh(W_cx x + b_c + Γr ⊙ (W_cc c_prev + b_h)) reset="after"
                            c̃ = tanh(W_c [c_prev; x] + b_c)                   reset="none"
                            c = Γu ⊙ c̃ + (1 − Γu) ⊙ c_prev
                backward    dz_u = dc ⊙ (c̃ − c_prev) ⊙ Γu ⊙ (1 − Γu);
                            dz_c = dc ⊙ Γu ⊙ (1 − c̃²);
                            dc_prev = dc ⊙ (1 − Γu) + W_uᵀ dz_u, and
                before      q = W_ccᵀ dz_c; dz_r = q ⊙ c_prev ⊙ Γr ⊙ (1 − Γr); + q ⊙ Γr + W_rᵀ dz_r
                after       h = W_cc c_prev + b_h; dz_r = dz_c ⊙ h ⊙ Γr ⊙ (1 − Γr); dh = dz_c ⊙ Γr;
                            + W_ccᵀ dh + W_rᵀ dz_r
                none        + W_ccᵀ dz_c
                            dx = W_xᵀ dz, dz = [dz_u; dz_r; dz_c]; dW and db as for any product
    gru         forward     C[t] = gru_cell(X[t], C[t−1], W, b), and C[−1] is c0
                backward    dc[t] = dC[t] + dc_prev of step t + 1; dZ[t] = dz of step t;
                            dX[t] = W_xᵀ dZ[t]; dW = Σ over t of dZ[t] [input[t]; X[t]]ᵀ, where the
                            input of a row is what multiplies it: C[t−1], and Γr ⊙ C[t−1] for W_c;
                            db = Σ over t and the m examples of dZ[t]

W = [W_a W_x] is (3 n_a, n_a + n_x): the rows of Γu, Γr and c̃; W_c = [W_cc W_cx] are those of c̃.
"before" is the full GRU of the course, "after" the one of PyTorch and cuDNN, in which b has n_a
more numbers, b_h. "none" is the simplified GRU of the course without Γr: W has the rows of Γu and
c̃ only, or also those of Γr, which then have no effect. PyTorch's update gate is 1 − Γu.

With `lengths` (m,), a step t ≥ lengths changes nothing, and C[t] is 0 there. With `reverse` the
steps run from the last real one to the first.

>>> W, b = jnp.zeros((2, 2)), jnp.array([[0.0], [50.0]])  # Γu is ½, and c̃ is 1
>>> gru(jnp.ones((3, 1, 1)), jnp.zeros((1, 1)), W, b, reset="none").ravel()
Array([0.5  , 0.75 , 0.875], dtype=float64)
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from chainrule.blocks.activations import sigmoid_forward
from chainrule.blocks.block import as_block
from chainrule.errors import check_choice
from chainrule.kernels import recurrence as kernel
from chainrule.kernels.recurrence import GRUKept

RESETS = ("before", "after", "none")
"""Where Γr resets c_prev: before the product with W_cc, after it, or not at all."""


# One step


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["x", "c_prev", "update", "reset_gate", "candidate", "h", "W"],
    meta_fields=["reset", "rows"],
)
@dataclass(frozen=True)
class GRUCellCache:
    """The cache of a step: its inputs, the gates, c̃, h = W_cc c_prev + b_h, and W.

    W does not have the rows of Γr if they have no effect; `rows` is how many W had before.
    """

    x: Float[Array, "n_x m"]
    c_prev: Float[Array, "n_a m"]
    update: Float[Array, "n_a m"]
    reset_gate: Float[Array, "n_a m"] | None
    candidate: Float[Array, "n_a m"]
    h: Float[Array, "n_a m"] | None
    W: Float[Array, "k n"]
    reset: str
    rows: int


def gru_cell_forward(
    x: Float[Array, "n_x m"],
    c_prev: Float[Array, "n_a m"],
    W: Float[Array, "k n"],
    b: Float[Array, "k_b 1"],
    *,
    reset: str = "before",
) -> tuple[Float[Array, "n_a m"], GRUCellCache]:
    """Return c after the step, and the cache for `gru_cell_backward`."""
    check_choice("gru_cell(reset=…)", reset, RESETS)
    n_a, rows = len(c_prev), len(W)
    W, b = _used_rows(W, n_a, reset), _used_rows(b, n_a, reset)
    gates = len(W) - n_a  # the rows before those of c̃
    inputs = jnp.concatenate([c_prev, x])
    G, _ = sigmoid_forward(W[:gates] @ inputs + b[:gates])
    update, reset_gate, h = G[:n_a], G[n_a:], None
    W_cc, W_cx, b_c = W[gates:, :n_a], W[gates:, n_a:], b[gates : gates + n_a]
    if reset == "before":
        z_c = W_cc @ (reset_gate * c_prev) + W_cx @ x + b_c
    elif reset == "after":
        h = W_cc @ c_prev + b[gates + n_a :]
        z_c = W_cx @ x + b_c + reset_gate * h
    else:
        reset_gate, z_c = None, W[gates:] @ inputs + b_c
    candidate = jnp.tanh(z_c)
    c = update * candidate + (1 - update) * c_prev
    return c, GRUCellCache(x, c_prev, update, reset_gate, candidate, h, W, reset, rows)


def gru_cell_backward(
    dc: Float[Array, "n_a m"], cache: GRUCellCache
) -> tuple[
    Float[Array, "n_x m"], Float[Array, "n_a m"], Float[Array, "k n"], Float[Array, "k_b 1"]
]:
    """Return the gradients of x, c_prev, W and b, in that order."""
    x, c_prev, update, r, W = cache.x, cache.c_prev, cache.update, cache.reset_gate, cache.W
    n_a, reset = len(c_prev), cache.reset
    W_gates, W_cc, W_x = W[:-n_a, :n_a], W[-n_a:, :n_a], W[:, n_a:]
    dz_u = dc * (cache.candidate - c_prev) * update * (1 - update)
    dz_c = dc * update * (1 - cache.candidate**2)
    dc_prev, state, d_state = dc * (1 - update), c_prev, dz_c  # d_state is that of W_cc's product
    dz_gates = dz_u
    if r is not None and reset == "before":
        state, q = r * c_prev, W_cc.T @ dz_c
        dz_gates = jnp.concatenate([dz_u, q * c_prev * r * (1 - r)])
        dc_prev += q * r
    elif r is not None and cache.h is not None:
        d_state = dz_c * r
        dz_gates = jnp.concatenate([dz_u, dz_c * cache.h * r * (1 - r)])
    if reset != "before":
        dc_prev += W_cc.T @ d_state
    dc_prev += W_gates.T @ dz_gates
    dz = jnp.concatenate([dz_gates, dz_c])
    dW_a = jnp.concatenate([dz_gates @ c_prev.T, d_state @ state.T])
    dW = jnp.concatenate([dW_a, dz @ x.T], axis=1)
    db = jnp.concatenate([dz, d_state] if reset == "after" else [dz]).sum(axis=1, keepdims=True)
    dW, db = (_all_rows(d, n_a, reset, cache.rows) for d in (dW, db))
    return W_x.T @ dz, dc_prev, dW, db


gru_cell = as_block(gru_cell_forward, gru_cell_backward)


# All steps


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["x", "c0", "C", "kept", "W", "lengths"],
    meta_fields=["reset", "reverse", "rows"],
)
@dataclass(frozen=True)
class GRUCache:
    """The values of all steps that the forward pass keeps, with one row per example."""

    x: Float[Array, "T m n_x"]
    c0: Float[Array, "m n_a"]
    C: Float[Array, "T m n_a"]
    kept: GRUKept
    W: Float[Array, "k n"]
    lengths: Integer[Array, " m"] | None
    reset: str
    reverse: bool
    rows: int


def gru_forward(
    X: Float[Array, "T n_x m"],
    c0: Float[Array, "n_a m"],
    W: Float[Array, "k n"],
    b: Float[Array, "k_b 1"],
    lengths: Integer[Array, " m"] | None = None,
    *,
    reset: str = "before",
    reverse: bool = False,
) -> tuple[Float[Array, "T n_a m"], GRUCache]:
    """Return C of all steps, and the cache for `gru_backward`."""
    check_choice("gru(reset=…)", reset, RESETS)
    n_a, rows, c0 = len(c0), len(W), c0.T
    W, b = _used_rows(W, n_a, reset), _used_rows(b, n_a, reset)
    x = kernel.rows_of_steps(X, lengths)
    Z = kernel.input_products(x, W[:, n_a:])
    settings = {"reset": reset, "reverse": reverse}
    C, kept = kernel.gru_forward(Z, W[:, :n_a], b.T, c0, lengths, **settings)
    return C.swapaxes(1, 2), GRUCache(x, c0, C, kept, W, lengths, **settings, rows=rows)


def gru_backward(
    dC: Float[Array, "T n_a m"], cache: GRUCache
) -> tuple[
    Float[Array, "T n_x m"], Float[Array, "n_a m"], Float[Array, "k n"], Float[Array, "k_b 1"]
]:
    """Return the gradients of X, c0, W and b, in that order."""
    x, c0, C, W, lengths = cache.x, cache.c0, cache.C, cache.W, cache.lengths
    n_a, reset, reverse = c0.shape[1], cache.reset, cache.reverse
    dZ, dH, dc0 = kernel.gru_backward(
        dC.swapaxes(1, 2), C, cache.kept, W[:, :n_a], c0, lengths, reset=reset, reverse=reverse
    )
    C_prev = kernel.states_before(C, c0, lengths, reverse=reverse)
    db = kernel.bias_gradient(dZ)
    if reset == "none":
        dW = kernel.weight_gradient(dZ, C_prev, x)
    else:
        d_gates, d_candidate = dZ[..., :-n_a], dZ[..., -n_a:]
        dW_gates = kernel.weight_gradient(d_gates, C_prev, x)
        if dH is not None:
            d_products = kernel.weight_gradient(dH, C_prev), kernel.weight_gradient(d_candidate, x)
            dW_candidate = jnp.concatenate(d_products, axis=1)
            db = jnp.concatenate([db, kernel.bias_gradient(dH)])
        else:
            dW_candidate = kernel.weight_gradient(d_candidate, cache.kept.input, x)
        dW = jnp.concatenate([dW_gates, dW_candidate])
    dW, db = (_all_rows(d, n_a, reset, cache.rows) for d in (dW, db))
    return kernel.input_gradient(dZ, W[:, n_a:]), dc0.T, dW, db


gru = as_block(gru_forward, gru_backward)


# The rows of Γr


def _used_rows(W: Array, n_a: int, reset: str) -> Array:
    """Return W, or b, without the rows of Γr if they have no effect."""
    if reset == "none" and len(W) == 3 * n_a:
        return jnp.concatenate([W[:n_a], W[2 * n_a :]])
    return W


def _all_rows(dW: Array, n_a: int, reset: str, rows: int) -> Array:
    """Return the gradient of the W, or b, that was given: 0 in the rows without effect."""
    if reset == "none" and rows == 3 * n_a:
        return jnp.concatenate([dW[:n_a], jnp.zeros_like(dW[:n_a]), dW[n_a:]])
    return dW
