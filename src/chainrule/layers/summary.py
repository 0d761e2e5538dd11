"""A sequence as one column of numbers: the simplest input for logistic regression.

Notes: "Build your first system quickly, then iterate" (course 3, week 2).

    SummaryStatistics   of each number its mean, standard deviation, least, largest, first and last
                        value and mean absolute change over the real steps, and the logarithm of the
                        length
    CharacterCounts     how often each run of one to three characters occurs, marks for the
                        beginning and the end included, divided by the root of the number of runs.
                        Runs are hashed to a fixed number of rows, so that no table is needed.

A network on more than such a summary should be better than logistic regression on it; if it is not,
the order of the steps does not matter, or has not been learned.
"""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from chainrule.errors import ShapeError
from chainrule.layers.layer import Layer
from chainrule.layers.steps import Steps

Sequences = Any
"""`Steps`: values (T, n, m) or ids (T, m), and their lengths."""
STATISTICS = 7
"""The statistics of each number; the length is one more row."""
SMALLEST = 1e-6
RUNS = 3
"""The length of the longest run of characters that is counted."""
FACTOR = 1_000_003


class SummaryStatistics(Layer):
    """Statistics of every number over the real steps: (T, n_x, m) → (7 n_x + 1, m).

    >>> X = Steps(jnp.array([[[1.0]], [[3.0]], [[9.0]]]), jnp.array([2]))
    >>> [round(float(x), 2) for x in SummaryStatistics()(X)[:, 0]]
    [2.0, 1.0, 1.0, 3.0, 1.0, 3.0, 2.0, 0.69]
    """

    numbered: ClassVar[bool] = False

    def __call__(self, A_prev: Sequences) -> Float[Array, "n m"]:
        """Return the statistics of each sequence."""
        steps = A_prev if isinstance(A_prev, Steps) else Steps(A_prev)
        if steps.values.ndim != 3:
            got = f"the shape {steps.values.shape}"
            raise ShapeError(self.title, "numbers (T, n_x, m)", got, "CharacterCounts for ids")
        X, real = steps.values, steps.real[:, None]
        count = jnp.maximum(real.sum(axis=0), 1).astype(X.dtype)
        shares = real.astype(X.dtype) / count[None]
        mean = (X * shares).sum(axis=0)
        variance = ((X - mean[None]) ** 2 * shares).sum(axis=0)
        least = jnp.where(real, X, jnp.inf).min(axis=0)
        largest = jnp.where(real, X, -jnp.inf).max(axis=0)
        last_place = real & ~jnp.pad(real[1:], ((0, 1), (0, 0), (0, 0)))
        last = jnp.where(last_place, X, 0).sum(axis=0)
        change = jnp.where(real[1:], jnp.abs(X[1:] - X[:-1]), 0).sum(axis=0)
        rows = (
            *(mean, jnp.sqrt(variance + SMALLEST**2), least, largest),
            *(X[0], last, change / jnp.maximum(count - 1, 1), jnp.log(count)),
        )
        empty = ~real.any(axis=0)
        return jnp.concatenate([jnp.where(empty, 0, row) for row in rows])


class CharacterCounts(Layer):
    """Counts of runs of one to three token ids: (T, m) → (size, m).

    >>> counts = CharacterCounts(64)(Steps(jnp.array([[5], [6]], "int32"), jnp.array([2], "int32")))
    >>> counts.shape, float((counts * 9**0.5).sum().round(6))
    ((64, 1), 9.0)
    """

    size: int = eqx.field(static=True)
    dtype: str = eqx.field(static=True)
    numbered: ClassVar[bool] = False

    def __init__(self, size: int = 4096, dtype: str = "float32"):
        self.size, self.dtype = size, dtype

    def __call__(self, A_prev: Sequences) -> Float[Array, "size m"]:
        """Return the counts of each sequence."""
        steps = A_prev if isinstance(A_prev, Steps) else Steps(A_prev)
        ids = steps.values
        if ids.ndim != 2:
            got = f"the shape {ids.shape}"
            raise ShapeError(self.title, "token ids (T, m)", got, "SummaryStatistics for numbers")
        # A mark of id 1 before the first and after the last character; the others follow from 2.
        real = steps.real
        marked = jnp.pad(jnp.where(real, ids.astype(jnp.uint32) + 2, 0), ((1, RUNS), (0, 0)))
        inside = jnp.pad(real, ((1, RUNS), (0, 0)))
        after = jnp.pad(inside[:-1], ((1, 0), (0, 0))) & ~inside
        after = after.at[1].set(after[1] | ~inside[1])  # an empty sequence has both marks
        marked = jnp.where(after, 1, marked).at[0].set(1)
        present = (inside | after).at[0].set(True)
        m, length = ids.shape[1], len(ids) + 2
        columns = jnp.broadcast_to(jnp.arange(m)[None], (length, m))
        counts = jnp.zeros((self.size, m), self.dtype)
        run, whole = jnp.zeros((length, m), jnp.uint32), jnp.full((length, m), True)
        for k in range(RUNS):
            run = run * jnp.uint32(FACTOR) + marked[k : k + length]
            whole = whole & present[k : k + length]
            row = (_mixed(run + jnp.uint32(k)) % self.size).astype(jnp.int32)
            counts = counts.at[row, columns].add(whole.astype(self.dtype))
        return counts / jnp.sqrt(jnp.maximum(counts.sum(axis=0, keepdims=True), 1))


def _mixed(x: Array) -> Array:
    """Return well-mixed bits, so that runs are spread evenly over the rows."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)
