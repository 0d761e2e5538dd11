"""Gradient descent: θ = θ − α dθ.

Notes: "Gradient descent" (course 1, week 2).
"""

from functools import partial
from typing import NamedTuple

import jax
from jaxtyping import Array, Float

from chainrule.optim.optimizer import Optimizer, as_array
from chainrule.types import Params


class GradientDescentState(NamedTuple):
    """α."""

    learning_rate: Float[Array, ""]


def gradient_descent(learning_rate: float | Array) -> Optimizer:
    """θ = θ − α dθ, with α the learning rate.

    >>> optimizer = gradient_descent(0.1)
    >>> updates, _ = optimizer.update(jnp.array(2.0), optimizer.init(jnp.array(1.0)))
    >>> float(updates)
    -0.2
    """
    return Optimizer(partial(_init, learning_rate), _update)


def _init(learning_rate, theta: Params) -> GradientDescentState:
    return GradientDescentState(as_array(learning_rate, theta))


def _update(
    gradients: Params, state: GradientDescentState, theta: Params = None
) -> tuple[Params, GradientDescentState]:
    """−α dθ."""
    return jax.tree.map(lambda d: -state.learning_rate * d, gradients), state
