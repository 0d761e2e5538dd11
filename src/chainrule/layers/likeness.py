"""A pair classifier: logistic regression on how the embeddings of two images differ.

Notes: "Face verification and binary classification" (course 4, week 4).

    Z = W |f(x1) − f(x2)| + b        ŷ = sigmoid(Z): its cost is logistic

ŷ is the probability that both images show the same person.
"""

import jax
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import DTypeLike

from chainrule.blocks.distances import absolute_difference
from chainrule.blocks.linear import linear
from chainrule.errors import check_columns
from chainrule.layers.initializers import Initializer, small
from chainrule.layers.layer import Layer
from chainrule.types import Key


class Likeness(Layer):
    """Z (1, m) for m pairs; each column of A_prev (2n, m) is one embedding above the other.

    >>> layer = Likeness(2, key=jax.random.key(0))
    >>> layer(jnp.ones((4, 3), jnp.float32)).tolist()  # equal embeddings: Z = b
    [[0.0, 0.0, 0.0]]
    """

    W: Float[Array, "1 n"]
    b: Float[Array, "1 1"]

    def __init__(
        self, n: int, *, key: Key, initializer: Initializer = small, dtype: DTypeLike = np.float32
    ):
        self.W = initializer(key, (1, n), dtype)
        self.b = jax.device_put(np.zeros((1, 1), dtype))

    def __call__(self, A_prev: Float[Array, "n2 m"]) -> Float[Array, "1 m"]:
        """Z = W |f(x1) − f(x2)| + b."""
        n = self.W.shape[1]
        check_columns(self.title, A_prev, 2 * n)
        return linear(absolute_difference(A_prev[:n], A_prev[n:]), self.W, self.b)

    @property
    def title(self) -> str:
        """The title, such as "Likeness(2×64 -> 1)"."""
        return f"Likeness(2×{self.W.shape[1]} -> 1)"
