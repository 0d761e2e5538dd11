"""Adam: momentum and RMSprop combined, both bias-corrected for their start at zero.

Notes: "Adam optimization algorithm" (course 2, week 2).

    V = β1 V + (1 − β1) dθ            V_corrected = V / (1 − β1ᵗ)
    S = β2 S + (1 − β2) dθ²           S_corrected = S / (1 − β2ᵗ)
    θ = θ − α V_corrected / (√S_corrected + ε)

t counts from 1; ε is outside the root.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from chainrule.optim.averages import bias_corrected, weighted_average
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


class AdamState(NamedTuple):
    """The state of Adam: α or its schedule, β1, β2, ε, the number of steps, and the averages."""

    learning_rate: Float[Array, ""] | Schedule
    beta1: Float[Array, ""]
    beta2: Float[Array, ""]
    epsilon: Float[Array, ""]
    t: Int[Array, ""]
    V: Params
    S: Params


def adam(
    learning_rate: float | Array | Schedule = 0.001,
    beta1: float | Array = 0.9,
    beta2: float | Array = 0.999,
    epsilon: float | Array = 1e-8,
) -> Optimizer:
    """Return the optimiser Adam, θ = θ − α V_corrected / (√S_corrected + ε), as defined above.

    >>> optimizer = adam(0.001)
    >>> updates, _ = optimizer.update(jnp.array(5.0), optimizer.init(jnp.array(1.0)))
    >>> round(float(updates), 6)
    -0.001
    """
    return Optimizer(partial(_init, learning_rate, beta1, beta2, epsilon), _update)


def _init(learning_rate, beta1, beta2, epsilon, theta: Params) -> AdamState:
    return AdamState(
        learning_rate=rate_as_array(learning_rate, theta),
        beta1=as_array(beta1, theta),
        beta2=as_array(beta2, theta),
        epsilon=as_array(epsilon, theta),
        t=NO_STEPS,
        V=zeros_like(theta),
        S=zeros_like(theta),
    )


def _update(gradients: Params, state: AdamState, theta: Params = None) -> tuple[Params, AdamState]:
    alpha, t = rate_at(state.learning_rate, state.t), state.t + 1
    squares = jax.tree.map(lambda d: d**2, gradients)
    V = weighted_average(state.V, gradients, state.beta1)
    S = weighted_average(state.S, squares, state.beta2)
    updates = jax.tree.map(
        lambda v, s: -alpha * v / (jnp.sqrt(s) + state.epsilon),
        bias_corrected(V, state.beta1, t),
        bias_corrected(S, state.beta2, t),
    )
    return updates, state._replace(t=t, V=V, S=S)
