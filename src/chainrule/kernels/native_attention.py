"""Attention with several heads by the native wheel, for float32 on a CPU.

The functions are those of `attention.py`. The numbers of a head are read where they are, and its
products stay in the cache: S is computed for some queries at a time, turned into the weights, and
used for the products that follow. A thread computes whole heads. The kernel takes heads whose
numbers of features are multiples of 16, which are whole vectors on every processor.
"""

import jax
import numpy as np
from jaxtyping import Array, Bool, Float

from chainrule.kernels.native import native, uses_native

VECTOR = 16
"""The features of a head are a multiple of this number."""
Mask = Bool[Array, "#m #T_q #T_k"] | None


def available(Q: Float[Array, "m T_q d"], V: Float[Array, "m T_k d_v"], heads: int) -> bool:
    """Return whether the kernel can be used: not with a wheel that does not have it yet."""
    whole = all(x.size > 0 and x.shape[2] % (VECTOR * heads) == 0 for x in (Q, V))
    return whole and uses_native(Q) and "chainrule_attention" in native().TARGETS


def attend(
    Q: Float[Array, "m T_q d"],
    K: Float[Array, "m T_k d"],
    V: Float[Array, "m T_k d_v"],
    mask: Mask,
    *,
    heads: int,
) -> tuple[Float[Array, "m T_q d_v"], Float[Array, "m heads T_q T_k"]]:
    """Return A and the weights."""
    (m, T_q, _), (_, T_k, d_v) = Q.shape, V.shape
    arrays = (Q, K, V)
    if mask is not None:
        arrays += (jax.numpy.broadcast_to(mask, (*mask.shape[:2], T_k)),)
    A, weights = _call("attention", arrays, Q, heads, (m, T_q, d_v), (m, heads, T_q, T_k))
    return A, weights


def attend_backward(
    dA: Float[Array, "m T_q d_v"],
    Q: Float[Array, "m T_q d"],
    K: Float[Array, "m T_k d"],
    V: Float[Array, "m T_k d_v"],
    A: Float[Array, "m T_q d_v"],
    weights: Float[Array, "m heads T_q T_k"],
) -> tuple[Float[Array, "m T_q d"], Float[Array, "m T_k d"], Float[Array, "m T_k d_v"]]:
    """Return the gradients of Q, K and V."""
    arrays, shapes = (Q, K, V, A, weights, dA), (Q.shape, K.shape, V.shape)
    dQ, dK, dV = _call("attention_gradient", arrays, Q, weights.shape[1], *shapes)
    return dQ, dK, dV


def _call(name: str, arrays: tuple, Q: Array, heads: int, *shapes: tuple[int, ...]) -> list[Array]:
    results = [jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes]
    call = jax.ffi.ffi_call(f"chainrule_{name}", results, vmap_method="sequential")
    scale = np.float32((Q.shape[2] // heads) ** -0.5)
    return list(call(*arrays, heads=np.int64(heads), scale=scale))
