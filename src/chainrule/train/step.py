"""One step of training: forward, cost, backward, update.

Notes: "Gradient descent for neural networks" (course 1, week 3).
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from chainrule.layers.layer import Layer, split_parameters
from chainrule.optim.optimizer import apply_updates
from chainrule.train.penalty import Penalty, penalty_cost
from chainrule.types import Key, Params

AUGMENTED = 2**31 - 1
"""Tells the key of an augmenter from those of the layers."""


class Batch(NamedTuple):
    """Examples as the engine takes them: X and Y columns or images, weights (1, m).

    Y is what the network's Z is compared with: columns (n_L, m), or for a network that gives images
    what its cost takes, the examples first.
    """

    X: Array
    Y: Array
    weights: Float[Array, "1 m"]


class Augmenter(Protocol):
    """What is done to the examples of a step before it: pictures and what is marked in them.

    A pytree, whose arrays are handed to the compiled program.
    """

    def __call__(self, batch: Batch, *, key: Key) -> Batch: ...


def augmented(batch: Batch, augmenter: Augmenter | None, key: Key) -> Batch:
    """The examples as the step with this key sees them."""
    return batch if augmenter is None else augmenter(batch, key=jax.random.fold_in(key, AUGMENTED))


def columns(rows: Array) -> Array:
    """Rows (m, n) as columns, and columns as rows; images stay as they are."""
    return rows.T if rows.ndim == 2 else rows


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
