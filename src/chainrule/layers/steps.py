"""A batch of sequences, as the layers pass it on.

Notes: "Recurrent neural network, for sequence data" (course 5, week 1).

x^{<t>} of all examples is X[t], a column batch (n_x, m), so that X is (T, n_x, m). `lengths` says
how many steps of each example are real; what lies beyond changes no state, output, cost or
gradient.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Steps(NamedTuple):
    """Sequences with their lengths; without lengths, all steps are real.

    `values` is (T, n, m), or (T, m) for token ids.
    """

    values: Float[Array, "T n m"] | Int[Array, "T m"]
    lengths: Int[Array, " m"] | None = None

    @property
    def real(self) -> Bool[Array, "T m"]:
        """Return which steps are real."""
        T, m = self.values.shape[0], self.values.shape[-1]
        if self.lengths is None:
            return jnp.full((T, m), True)
        return jnp.arange(T, dtype=self.lengths.dtype)[:, None] < self.lengths[None]


def values_of(X: Any) -> Array:
    """Return the values of Steps; an array, in which all steps are real, is returned as it is."""
    return X.values if isinstance(X, Steps) else X


def like(X: Any, values: Array, lengths: Array | None = None) -> Any:
    """Return values as X is: Steps with its lengths, and 0 in the steps beyond, or an array.

    `lengths` replaces those of X, if a layer changes the number of steps.
    """
    if not isinstance(X, Steps):
        return values
    steps = Steps(values, X.lengths if lengths is None else lengths)
    if steps.lengths is None:
        return steps
    real = steps.real.reshape(len(values), *(1,) * (values.ndim - 2), -1)
    return steps._replace(values=jnp.where(real, values, 0))
