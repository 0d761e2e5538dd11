"""RMSprop: every gradient is divided by its typical size, so that all directions advance equally.

Notes: "RMSprop" (course 2, week 2).

    S = β2 S + (1 − β2) dθ²
    θ = θ − α dθ / (√S + ε)

ε is outside the root. S starts at zero and is not bias-corrected, so the first step is
1 / √(1 − β2) times as long as later ones: about 3 times at β2 = 0.9.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from chainrule.optim.averages import weighted_average
from chainrule.optim.optimizer import (
    NO_STEPS,
    Optimizer,
    Schedule,
    as_array,
    rate_as_array,
    rate_at,
    zeros_like,
)
from chainrule.types import Params


class RMSpropState(NamedTuple):
    """The state of RMSprop: α or its schedule, β2, ε, the number of steps, and the mean square."""

    learning_rate: Float[Array, ""] | Schedule
    beta2: Float[Array, ""]
    epsilon: Float[Array, ""]
    t: Int[Array, ""]
    S: Params


def rmsprop(
    learning_rate: float | Array | Schedule = 0.001,
    beta2: float | Array = 0.9,
    epsilon: float | Array = 1e-8,
) -> Optimizer:
    """Return the optimiser RMSprop, θ = θ − α dθ / (√S + ε), as defined above.

    >>> optimizer = rmsprop(0.1, beta2=0.75)
    >>> updates, _ = optimizer.update(jnp.array(5.0), optimizer.init(jnp.array(1.0)))
    >>> round(float(updates), 6)
    -0.2
    """
    return Optimizer(partial(_init, learning_rate, beta2, epsilon), _update)


def _init(learning_rate, beta2, epsilon, theta: Params) -> RMSpropState:
    return RMSpropState(
        learning_rate=rate_as_array(learning_rate, theta),
        beta2=as_array(beta2, theta),
        epsilon=as_array(epsilon, theta),
        t=NO_STEPS,
        S=zeros_like(theta),
    )


def _update(
    gradients: Params, state: RMSpropState, theta: Params = None
) -> tuple[Params, RMSpropState]:
    alpha = rate_at(state.learning_rate, state.t)
    squares = jax.tree.map(lambda d: d**2, gradients)
    S = weighted_average(state.S, squares, state.beta2)
    updates = jax.tree.map(lambda d, s: -alpha * d / (jnp.sqrt(s) + state.epsilon), gradients, S)
    return updates, state._replace(t=state.t + 1, S=S)
