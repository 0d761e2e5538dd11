"""The loops of recurrent layers over time by the native wheel, for float32 on a CPU.

    rnn     forward     A from Z                    backward    dZ and da0 from dA
    lstm    forward     A and C from Z              backward    dZ, da0 and dc0 from dA and dC
    gru     forward     C from Z                    backward    dZ and dc0 from dC

Each thread runs through all steps with its own examples, so that the threads never wait for each
other, and the products of a step and its activations stay in the cache. The functions have the
arguments and results of those in `xla_recurrence.py`, but keep the gates instead of slopes; lengths
take the place of the mask.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from chainrule.kernels.native import native, uses_native

CELLS = ("tanh", "relu", "lstm", "before", "after", "none")
"""The cells, in the order in which the native kernels number them."""
Lengths = Integer[Array, " m"] | None


def available(X: Array) -> bool:
    """Return whether the native loops can be used: not with a wheel that does not have them yet."""
    return uses_native(X) and X.size > 0 and "chainrule_recurrence" in native().TARGETS


def rnn_forward(
    Z: Float[Array, "T m n_a"],
    W_a: Float[Array, "n_a n_a"],
    b: Float[Array, "1 n_a"],
    a0: Float[Array, "m n_a"],
    lengths: Lengths,
    *,
    g: str,
    reverse: bool,
) -> Float[Array, "T m n_a"]:
    """Return A[t] = g(Z[t] + W_a A[t−1] + b)."""
    return _forward(g, (Z, W_a, b, a0), lengths, reverse, results=0)[0]


def rnn_backward(
    dA: Float[Array, "T m n_a"],
    A: Float[Array, "T m n_a"],
    W_a: Float[Array, "n_a n_a"],
    a0: Float[Array, "m n_a"],
    lengths: Lengths,
    *,
    g: str,
    reverse: bool,
) -> tuple[Float[Array, "T m n_a"], Float[Array, "m n_a"]]:
    """Return dZ and da0."""
    dZ, da0 = _backward(g, (A, W_a, a0, A, dA), lengths, reverse, aliases={})
    return dZ, da0


class LSTMGates(NamedTuple):
    """Γu, Γf, Γo and c̃ of all steps, the memory cells, and those before the first step."""

    gates: Float[Array, "T m k"]
    C: Float[Array, "T m n_a"]
    c0: Float[Array, "m n_a"]


def lstm_forward(
    Z: Float[Array, "T m k"],
    W_a: Float[Array, "k n_a"],
    b: Float[Array, "1 k"],
    a0: Float[Array, "m n_a"],
    c0: Float[Array, "m n_a"],
    lengths: Lengths,
    *,
    reverse: bool,
) -> tuple[Float[Array, "T m n_a"], Float[Array, "T m n_a"], LSTMGates]:
    """Return A, C and the gates for `lstm_backward`."""
    G, A, C = _forward("lstm", (Z, W_a, b, a0, c0), lengths, reverse, results=2)
    return A, C, LSTMGates(G, C, c0)


def lstm_backward(
    dA: Float[Array, "T m n_a"],
    dC: Float[Array, "T m n_a"],
    A: Float[Array, "T m n_a"],
    kept: LSTMGates,
    W_a: Float[Array, "k n_a"],
    a0: Float[Array, "m n_a"],
    lengths: Lengths,
    *,
    reverse: bool,
) -> tuple[Float[Array, "T m k"], Float[Array, "m n_a"], Float[Array, "m n_a"]]:
    """Return dZ, da0 and dc0."""
    arrays = (kept.gates, W_a, a0, A, dA, kept.c0, kept.C, dC)
    dZ, da0, dc0 = _backward("lstm", arrays, lengths, reverse, aliases={0: 0})
    return dZ, da0, dc0


class GRUGates(NamedTuple):
    """Γu, Γr and c̃ of all steps, and what Γr resets.

    `input` is Γr ⊙ c_prev, which is the input of c̃ (before), W_cc c_prev + b_h (after), or None.
    """

    gates: Float[Array, "T m k"]
    input: Any


def gru_forward(
    Z: Float[Array, "T m k"],
    W_a: Float[Array, "k n_a"],
    b: Float[Array, "1 k_b"],
    c0: Float[Array, "m n_a"],
    lengths: Lengths,
    *,
    reset: str,
    reverse: bool,
) -> tuple[Float[Array, "T m n_a"], GRUGates]:
    """Return C and the gates for `gru_backward`; b has n_a more if `reset` is "after"."""
    results = 1 if reset == "none" else 2
    G, C, *H = _forward(reset, (Z, W_a, b, c0), lengths, reverse, results=results)
    return C, GRUGates(G, H[0] if H else None)


def gru_backward(
    dC: Float[Array, "T m n_a"],
    C: Float[Array, "T m n_a"],
    kept: GRUGates,
    W_a: Float[Array, "k n_a"],
    c0: Float[Array, "m n_a"],
    lengths: Lengths,
    *,
    reset: str,
    reverse: bool,
) -> tuple[Float[Array, "T m k"], Float[Array, "T m n_a"] | None, Float[Array, "m n_a"]]:
    """Return dZ, dc0, and between them dH of H = W_c c_prev + b_h if `reset` is "after"."""
    arrays, aliases = (kept.gates, W_a, c0, C, dC), {0: 0}
    if reset == "after":
        arrays, aliases = (*arrays, kept.input), {0: 0, 5: 2}
    dZ, dc0, *dH = _backward(reset, arrays, lengths, reverse, aliases=aliases)
    return dZ, dH[0] if dH else None, dc0


def _forward(cell: str, arrays: tuple, lengths: Lengths, reverse: bool, *, results: int) -> list:
    """Return G, in the memory of Z, and other results of the shape of A."""
    Z, W_a = arrays[:2]
    steps = (*Z.shape[:2], W_a.shape[1])
    shapes = [Z.shape, *[steps] * results]
    return _call("recurrence", cell, arrays, lengths, reverse, shapes, {0: 0})


def _backward(
    cell: str, arrays: tuple, lengths: Lengths, reverse: bool, *, aliases: dict[int, int]
) -> list:
    """Return dZ and the gradients of the states before the first step, and dH if H is given."""
    G, _, a0, A, *_ = arrays
    shapes = [G.shape, a0.shape]
    shapes += {"lstm": [a0.shape], "after": [A.shape]}.get(cell, [])
    return _call("recurrence_gradient", cell, arrays, lengths, reverse, shapes, aliases)


def _call(
    name: str,
    cell: str,
    arrays: tuple,
    lengths: Lengths,
    reverse: bool,
    shapes: list,
    aliases: dict[int, int],
) -> list:
    if lengths is not None:
        arrays = (*arrays, lengths.astype(np.int32))
    settings = np.array([CELLS.index(cell), reverse, lengths is not None], np.int64)
    results = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    call = jax.ffi.ffi_call(
        f"chainrule_{name}", results, vmap_method="sequential", input_output_aliases=aliases
    )
    return list(call(*arrays, settings=settings))
