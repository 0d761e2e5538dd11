"""Matrix products in the layout that is fastest on this machine.

On a CPU, XLA's fast product needs its first matrix in row-major order and uses a slower one for a
transposed matrix; with few examples and a large W it is faster with the examples as rows. So on a
CPU a transpose is computed explicitly where it pays off (docs/experiments.md has the figures): it
saves 15 % of a step at 784-256-128-10 with 64 examples, and 8 % at 784-2048-2048-10 with 256. The
results are equal up to rounding. On other devices the layout does not matter.
"""

import jax
from jaxtyping import Array, Float

FEW_EXAMPLES = 128
LARGE = 2**15  # entries of W


def product(
    W: Float[Array, "n_l n_prev"], A_prev: Float[Array, "n_prev m"]
) -> Float[Array, "n_l m"]:
    """Return W A_prev."""
    if _better_in_rows(W, A_prev):
        return jax.lax.optimization_barrier(A_prev.T @ W.T).T
    return W @ A_prev


def transposed_product(
    W: Float[Array, "n_l n_prev"], dZ: Float[Array, "n_l m"]
) -> Float[Array, "n_prev m"]:
    """Return Wᵀ dZ."""
    if _better_in_rows(W, dZ):
        return jax.lax.optimization_barrier(dZ.T @ W).T
    if on_cpu():
        return jax.lax.optimization_barrier(W.T) @ dZ
    return W.T @ dZ


def _better_in_rows(W: Array, columns: Array) -> bool:
    return on_cpu() and columns.shape[1] <= FEW_EXAMPLES and W.size >= LARGE


def on_cpu() -> bool:
    """Return whether the function being traced will run on a CPU."""
    return jax.default_backend() == "cpu"
