"""Gradient descent: θ = θ − α dθ.

Notes: "Gradient descent" (course 1, week 2).
"""

from functools import partial
from typing import NamedTuple

import jax
from jaxtyping import Array, Float, Int

from chainrule.optim.optimizer import NO_STEPS, Optimizer, Schedule, rate_as_array, rate_at
from chainrule.types import Params


class GradientDescentState(NamedTuple):
    """The state of gradient descent: α or its schedule, and the number of steps so far."""

    learning_rate: Float[Array, ""] | Schedule
    t: Int[Array, ""]


def gradient_descent(learning_rate: float | Array | Schedule) -> Optimizer:
    """Return gradient descent, θ = θ − α dθ, with α the learning rate.

    >>> optimizer = gradient_descent(0.1)
    >>> updates, _ = optimizer.update(jnp.array(2.0), optimizer.init(jnp.array(1.0)))
    >>> float(updates)
    -0.2
    """
    return Optimizer(partial(_init, learning_rate), _update)


def _init(learning_rate, theta: Params) -> GradientDescentState:
    return GradientDescentState(rate_as_array(learning_rate, theta), NO_STEPS)


def _update(
    gradients: Params, state: GradientDescentState, theta: Params = None
) -> tuple[Params, GradientDescentState]:
    """Return the update −α dθ, and the new state."""
    alpha = rate_at(state.learning_rate, state.t)
    return jax.tree.map(lambda d: -alpha * d, gradients), state._replace(t=state.t + 1)
