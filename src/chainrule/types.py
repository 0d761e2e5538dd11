"""The words that signatures use.

    n_x, n_prev, n_l   features of the input, of the layer before, of this layer
    m                  examples, one per column in the engine
    C                  classes
    n_H n_W n_C        height, width and channels of an image, (m, n_H, n_W, n_C)
    "*shape"           any shape: a number, one example (n, 1), or many (n, m)

A float dtype is never written into a signature: it follows the inputs.
"""

from collections.abc import Callable
from typing import Any

from jaxtyping import Array, Float, PRNGKeyArray

Key = PRNGKeyArray
"""A source of randomness, keyword-only wherever it is asked for."""

Params = Any
"""θ: a pytree of arrays that training changes."""

Cost = Callable[[Any], Float[Array, ""]]
"""J: parameters in, one number out."""
