"""One step of training: forward, cost, backward, update.

Notes: "Gradient descent for neural networks" (course 1, week 3).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from chainrule.layers.layer import Layer, split_parameters
from chainrule.optim.optimizer import apply_updates
from chainrule.types import Key, Params


class Batch(NamedTuple):
    """Examples as the engine takes them: X columns or images, Y (n_L, m), weights (1, m)."""

    X: Array
    Y: Float[Array, "n_L m"]
    weights: Float[Array, "1 m"]


def cost_and_gradients(
    network: Layer, batch: Batch, cost: Callable, key: Key
) -> tuple[Float[Array, ""], Params, Layer]:
    """J, dθ, and the network with what its layers remember of this batch."""
    theta, rest = split_parameters(network)

    def J(theta):
        Z, after = eqx.combine(theta, rest).train(batch.X, key=key, weights=batch.weights)
        return cost(Z, batch.Y, batch.weights), split_parameters(after)[1]

    (J_value, rest), gradients = jax.value_and_grad(J, has_aux=True)(theta)
    return J_value, gradients, eqx.combine(theta, rest)


def train_step(
    network: Layer, state: Any, batch: Batch, cost: Callable, update: Callable, key: Key
) -> tuple[Layer, Any, Float[Array, ""], Params]:
    """The network and the optimiser's state after one step, J before it, and dθ."""
    J, gradients, network = cost_and_gradients(network, batch, cost, key)
    theta, rest = split_parameters(network)
    updates, state = update(gradients, state, theta)
    return eqx.combine(apply_updates(theta, updates), rest), state, J, gradients


def norm(tree: Params) -> Float[Array, ""]:
    """The length of all the numbers of a pytree taken as one vector."""
    return jnp.sqrt(sum(jnp.vdot(x, x) for x in jax.tree.leaves(tree)))
