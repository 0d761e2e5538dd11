"""Momentum: the step follows the average of the gradients, in which oscillations cancel.

Notes: "Gradient descent with momentum" (course 2, week 2).

    V = β1 V + (1 − β1) dθ
    θ = θ − α V

This is the notes' variant, with the factor 1 − β1, so that α means the same as in gradient descent.
Where others write V = β V + dθ, their α is (1 − β) times this one. V starts at zero and is not
bias-corrected.
"""

from functools import partial
from typing import NamedTuple

import jax
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


class MomentumState(NamedTuple):
    """The state of momentum: α or its schedule, β1, the number of steps, and the average."""

    learning_rate: Float[Array, ""] | Schedule
    beta1: Float[Array, ""]
    t: Int[Array, ""]
    V: Params


def momentum(learning_rate: float | Array | Schedule, beta1: float | Array = 0.9) -> Optimizer:
    """Return the optimiser gradient descent with momentum, θ = θ − α V, as defined above.

    >>> optimizer = momentum(0.1, beta1=0.5)
    >>> updates, _ = optimizer.update(jnp.array(2.0), optimizer.init(jnp.array(1.0)))
    >>> float(updates)
    -0.1
    """
    return Optimizer(partial(_init, learning_rate, beta1), _update)


def _init(learning_rate, beta1, theta: Params) -> MomentumState:
    return MomentumState(
        learning_rate=rate_as_array(learning_rate, theta),
        beta1=as_array(beta1, theta),
        t=NO_STEPS,
        V=zeros_like(theta),
    )


def _update(
    gradients: Params, state: MomentumState, theta: Params = None
) -> tuple[Params, MomentumState]:
    alpha = rate_at(state.learning_rate, state.t)
    V = weighted_average(state.V, gradients, state.beta1)
    updates = jax.tree.map(lambda v: -alpha * v, V)
    return updates, state._replace(t=state.t + 1, V=V)
