"""The dimension names and types used in signatures.

    n_x, n_prev, n_l   features of the input, of the layer before, of this layer
    m                  examples, one per column in the engine
    C                  classes
    n_H n_W n_C        height, width and channels of an image, (m, n_H, n_W, n_C)
    "*shape"           any shape: a number, one example (n, 1), or many (n, m)

Signatures never fix the float dtype: it follows the inputs.
"""

from collections.abc import Callable
from typing import Any

from jaxtyping import Array, Float, PRNGKeyArray

Key = PRNGKeyArray
"""A JAX random key; always a keyword-only argument."""

Params = Any
"""θ: a pytree of arrays that training changes."""

Cost = Callable[[Any], Float[Array, ""]]
"""J: a function from the parameters to one number."""
