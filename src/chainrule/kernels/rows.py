"""Sequences as the rows of one matrix: the products over all steps and examples at once.

    rows      X (T, n, m) → R (m·T, n), the steps of an example one after the other
    steps     R (m·T, n) → X (T, n, m)

A product with the same matrix at every step is then one large product, and the numbers of one step,
over which a layer norm or an attention sums, are side by side. Inside a compiled program `steps`
followed by `rows` costs nothing, since XLA removes the pair. On a CPU, XLA's fast product needs its
first matrix in row-major order, so that a transposed one is copied first where that is faster
(docs/experiments.md, "Attention on a CPU").
"""

import jax
from jaxtyping import Array, Float

from chainrule.kernels.products import on_cpu


def rows(X: Float[Array, "T n m"]) -> Float[Array, "rows n"]:
    """Return the steps of all examples as the rows of a matrix."""
    T, n, m = X.shape
    return X.transpose(2, 0, 1).reshape(m * T, n)


def steps(R: Float[Array, "rows n"], T: int) -> Float[Array, "T n m"]:
    """Return the inverse of `rows`, for T steps."""
    return R.reshape(R.shape[0] // T, T, R.shape[1]).transpose(1, 2, 0)


def stored(x: Array) -> Array:
    """Have x computed in its own order before it is used, such as a transpose, on a CPU."""
    return jax.lax.optimization_barrier(x) if on_cpu() else x


def summed_products(A: Float[Array, "rows a"], B: Float[Array, "rows b"]) -> Float[Array, "a b"]:
    """Return Aᵀ B, a sum over all rows; the narrower matrix is the one that is transposed.

    Of two that are equally wide it is B, which in an attention is the input of several products.
    """
    if A.shape[1] < B.shape[1]:
        return stored(A.T) @ B
    return stored(stored(B.T) @ A).T
