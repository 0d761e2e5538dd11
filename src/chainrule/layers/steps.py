"""A batch of sequences, as the layers pass it on.

Notes: "Recurrent neural network, for sequence data" (course 5, week 1).

x^{<t>} of all examples is X[t], a column batch (n_x, m), so that X is (T, n_x, m). `lengths` says
how many steps of each example are real; what lies beyond changes no state, output, cost or
gradient.
"""

from typing import NamedTuple

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
