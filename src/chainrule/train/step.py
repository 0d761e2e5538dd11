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
from chainrule.train.penalty import Penalty, penalty_cost
from chainrule.types import Key, Params


class Batch(NamedTuple):
    """Examples as the engine takes them: X columns or images, Y (n_L, m), weights (1, m)."""

    X: Array
    Y: Float[Array, "n_L m"]
    weights: Float[Array, "1 m"]


def cost_and_gradients(
    network: Layer, batch: Batch, cost: Callable, key: Key, penalty: Penalty | None = None
) -> tuple[Float[Array, ""], Params, Layer]:
    """The cost, dθ, and the network with what its layers remember of this batch.

    dθ is the gradient of cost and penalty together; the cost that is given leaves the penalty out.
    """
    theta, rest = split_parameters(network)

    def J(theta):
        network = eqx.combine(theta, rest)
        Z, after = network.train(batch.X, key=key, weights=batch.weights)
        J_value = cost(Z, batch.Y, batch.weights)
        total = J_value if penalty is None else J_value + penalty_cost(network, penalty)
        return total, (J_value, split_parameters(after)[1])

    (_, (J_value, rest)), gradients = jax.value_and_grad(J, has_aux=True)(theta)
    return J_value, gradients, eqx.combine(theta, rest)


def train_step(
    network: Layer,
    state: Any,
    batch: Batch,
    cost: Callable,
    update: Callable,
    key: Key,
    penalty: Penalty | None = None,
) -> tuple[Layer, Any, Float[Array, ""], Params]:
    """The network and the optimiser's state after one step, the cost before it, and dθ."""
    J, gradients, network = cost_and_gradients(network, batch, cost, key, penalty)
    theta, rest = split_parameters(network)
    updates, state = update(gradients, state, theta)
    return eqx.combine(apply_updates(theta, updates), rest), state, J, gradients


def norm(tree: Params) -> Float[Array, ""]:
    """The length of all the numbers of a pytree taken as one vector."""
    return jnp.sqrt(sum(jnp.vdot(x, x) for x in jax.tree.leaves(tree)))
