"""What an optimiser is: an update rule in optax's form, so that either fits the other.

    state          = optimizer.init(theta)
    updates, state = optimizer.update(gradients, state, theta)
    theta          = theta + updates

`update` is a function of a module, never made anew, and the hyperparameters are arrays in the
state: another learning rate is not another program, and a thousand of them can be trained at once.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from chainrule.types import Params


class Optimizer(NamedTuple):
    """init(theta) -> state; update(gradients, state, theta) -> (updates, state)."""

    init: Callable[[Params], Any]
    update: Callable[..., tuple[Params, Any]]


def apply_updates(theta: Params, updates: Params) -> Params:
    """θ = θ + update, leaf by leaf; each keeps its dtype."""
    return jax.tree.map(lambda p, u: p + jnp.asarray(u, jnp.result_type(p)), theta, updates)


def as_array(number: float | Array, theta: Params) -> Any:
    """A hyperparameter as an array of the state's dtype, made on the host."""
    dtype = _state_dtype(theta)
    return number.astype(dtype) if isinstance(number, jax.Array) else np.asarray(number, dtype)


def zeros_like(theta: Params) -> Params:
    """Zeros of θ's shape, made on the host: nothing to compile."""
    return jax.tree.map(lambda p: np.zeros(jnp.shape(p), _state_dtype(theta)), theta)


def _state_dtype(theta: Params) -> np.dtype:
    """The parameters' dtype, and at least float32: in bfloat16 Adam's 0.999 would be 1."""
    dtype = jnp.result_type(*jax.tree.leaves(theta))
    return dtype if dtype.itemsize >= 4 else np.dtype(np.float32)
