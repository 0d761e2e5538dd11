"""Adam: momentum and RMSprop together, both corrected for their start at zero.

Notes: "Adam optimization algorithm" (course 2, week 2).

    V = β1 V + (1 − β1) dθ            V_corrected = V / (1 − β1ᵗ)
    S = β2 S + (1 − β2) dθ²           S_corrected = S / (1 − β2ᵗ)
    θ = θ − α V_corrected / (√S_corrected + ε)

t counts from 1; ε is outside the root.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from chainrule.optim.optimizer import Optimizer, as_array, zeros_like
from chainrule.types import Params


class AdamState(NamedTuple):
    """α, β1, β2, ε; the steps so far; the two averages, each of θ's shape."""

    learning_rate: Float[Array, ""]
    beta1: Float[Array, ""]
    beta2: Float[Array, ""]
    epsilon: Float[Array, ""]
    t: Int[Array, ""]
    V: Params
    S: Params


def adam(
    learning_rate: float | Array = 0.001,
    beta1: float | Array = 0.9,
    beta2: float | Array = 0.999,
    epsilon: float | Array = 1e-8,
) -> Optimizer:
    """θ = θ − α V_corrected / (√S_corrected + ε), the notes' equations above.

    >>> optimizer = adam(0.001)
    >>> updates, _ = optimizer.update(jnp.array(5.0), optimizer.init(jnp.array(1.0)))
    >>> round(float(updates), 6)
    -0.001
    """
    return Optimizer(partial(_init, learning_rate, beta1, beta2, epsilon), _update)


def _init(learning_rate, beta1, beta2, epsilon, theta: Params) -> AdamState:
    zero: Any = np.zeros((), np.int32)
    return AdamState(
        learning_rate=as_array(learning_rate, theta),
        beta1=as_array(beta1, theta),
        beta2=as_array(beta2, theta),
        epsilon=as_array(epsilon, theta),
        t=zero,
        V=zeros_like(theta),
        S=zeros_like(theta),
    )


def _update(gradients: Params, state: AdamState, theta: Params = None) -> tuple[Params, AdamState]:
    alpha, beta1, beta2, epsilon = state[:4]
    t = state.t + 1
    V = jax.tree.map(lambda v, d: beta1 * v + (1 - beta1) * d, state.V, gradients)
    S = jax.tree.map(lambda s, d: beta2 * s + (1 - beta2) * d**2, state.S, gradients)
    correct1, correct2 = 1 - beta1 ** t.astype(beta1.dtype), 1 - beta2 ** t.astype(beta2.dtype)
    updates = jax.tree.map(
        lambda v, s: -alpha * (v / correct1) / (jnp.sqrt(s / correct2) + epsilon), V, S
    )
    return updates, state._replace(t=t, V=V, S=S)
