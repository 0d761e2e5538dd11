"""A fully connected layer: A = g(W A_prev + b).

Notes: "Forward propagation in a deep network" (course 1, week 4).
"""

from collections.abc import Callable

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import DTypeLike

from chainrule.blocks.activations import identity
from chainrule.blocks.linear import linear
from chainrule.errors import check_columns
from chainrule.layers.allocation import filled
from chainrule.layers.initializers import Initializer, he
from chainrule.layers.layer import Layer
from chainrule.types import Key


class Dense(Layer):
    """A = g(W A_prev + b), for all examples at once. A_prev (n_prev, m) → A (n_l, m).

    W (n_l, n_prev) is initialised by `initializer`, b (n_l, 1) with zeros; with `bias=False` there
    is no b, as before batch norm, which would cancel it. `activation` is a module-level function
    such as `relu`: every new lambda would be compiled again.

    >>> layer = Dense(3, 2, key=jax.random.key(0))
    >>> layer(jnp.ones((3, 5), jnp.float32)).shape
    (2, 5)
    """

    W: Float[Array, "n_l n_prev"]
    b: Float[Array, "n_l 1"] | None
    activation: Callable = eqx.field(static=True)

    def __init__(
        self,
        n_prev: int,
        n_l: int,
        *,
        key: Key,
        activation: Callable = identity,
        initializer: Initializer = he,
        bias: bool = True,
        dtype: DTypeLike = np.float32,
    ):
        self.W = initializer(key, (n_l, n_prev), dtype)
        self.b = jax.device_put(filled(0, (n_l, 1), dtype)) if bias else None
        self.activation = activation

    def __call__(self, A_prev: Float[Array, "n_prev m"]) -> Float[Array, "n_l m"]:
        """Return A = g(W A_prev + b)."""
        check_columns(self.title, A_prev, self.W.shape[1])
        return self.activation(linear(A_prev, self.W, self.b))

    @property
    def title(self) -> str:
        """The title of the layer, such as "Dense(64 -> 10)"."""
        n_l, n_prev = self.W.shape
        return f"Dense({n_prev} -> {n_l})"
