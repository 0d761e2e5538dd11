"""A layer that drops random units during training.

Notes: "Dropout regularization" and "Understanding dropout" (course 2, week 1).
"""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import DTypeLike

from chainrule.blocks.dropout import dropout
from chainrule.errors import OptionError
from chainrule.kernels.random_bits import random_bits
from chainrule.layers.layer import Layer
from chainrule.layers.steps import Steps, like, values_of
from chainrule.types import Key


class Dropout(Layer):
    """Training: A = A_prev ⊙ D / keep_prob, with a new mask D for each key. Prediction: A = A_prev.

    `keep_prob` is a number above 0 and at most 1, which keeps all units. It is stored as an array
    that optimisers do not change, so that another value does not recompile the program.

    Each step of a sequence has a mask of its own.

    >>> layer = Dropout(0.8)
    >>> layer(jnp.ones((2, 3), jnp.float32)).sum()
    Array(6., dtype=float32)
    """

    buffers: ClassVar[tuple[str, ...]] = ("keep_prob",)
    numbered: ClassVar[bool] = False

    keep_prob: Float[Array, ""]

    def __init__(self, keep_prob: float = 0.5, *, dtype: DTypeLike = np.float32):
        check_keep_prob("Dropout", keep_prob)
        self.keep_prob = jax.device_put(np.asarray(keep_prob, dtype))

    def __call__(self, A_prev: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Return A = A_prev."""
        return A_prev

    def train(
        self, A_prev: Any, *, key: Key, weights: Array | None = None
    ) -> tuple[Any, "Dropout"]:
        """Return A = A_prev ⊙ D / keep_prob, and the unchanged layer; A_prev may be `Steps`."""
        if isinstance(A_prev, Steps):
            return like(A_prev, drop_steps(values_of(A_prev), key, self.keep_prob)), self
        D = dropout_mask(key, A_prev.shape, self.keep_prob)
        return dropout(A_prev, D, self.keep_prob), self

    @property
    def title(self) -> str:
        """The title of the layer, such as "Dropout(0.8)"."""
        return f"Dropout({float(self.keep_prob):.3g})"


def drop_steps(
    A: Float[Array, "T n m"], key: Key, keep_prob: Float[Array, ""]
) -> Float[Array, "T n m"]:
    """Return steps with dropout; more examples do not change the masks of the first ones."""
    D = dropout_mask(key, A.transpose(2, 0, 1).shape, keep_prob).transpose(1, 2, 0)
    return dropout(A, D, keep_prob)


def dropout_mask(
    key: Key, shape: tuple[int, ...], keep_prob: Float[Array, ""]
) -> Bool[Array, "..."]:
    """Return the mask D for a key: True with probability keep_prob, rounded to 24 bits.

    Adding examples does not change the masks of the first ones.
    """
    bits = (random_bits(key, shape) >> 8).astype(jnp.int32)
    below = jnp.ceil(jnp.asarray(keep_prob, jnp.float32) * 2.0**24).astype(jnp.int32)
    return bits < below


def check_keep_prob(where: str, keep_prob: Any) -> None:
    """Refuse a keep_prob that is not a number above 0 and at most 1."""
    number = isinstance(keep_prob, int | float | np.number) and not isinstance(keep_prob, bool)
    if not number or not 0 < keep_prob <= 1:
        hint = "1 to keep every unit, or 0.8 to drop a fifth of them"
        raise OptionError(where, "a keep_prob greater than 0 and at most 1", repr(keep_prob), hint)
