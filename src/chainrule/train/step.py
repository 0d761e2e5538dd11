"""One step of training: forward, cost with its penalty, backward, update.

Notes: "Gradient descent for neural networks" (course 1, week 3); "Regularization" (course 2,
week 1).

    J  = (1/m) Σ L + λ/(2m) Σ ‖W[l]‖²  (+ λ1/m Σ |W[l]|)
    dW = (from backpropagation) + (λ/m) W

m is the size of the training set, whatever the size of a mini-batch. Only weights W are penalised,
never b, γ or β. Reported costs do not include the penalty.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from chainrule.blocks.regularization import l1_penalty, l2_penalty
from chainrule.errors import check_number
from chainrule.layers.layer import Layer, penalized_arrays, split_parameters
from chainrule.optim.optimizer import apply_updates, as_array
from chainrule.types import Key, Params

# The penalty on large weights


class Penalty(NamedTuple):
    """The strengths λ (L2) and λ1 (L1, or None), and m; numbers or arrays."""

    l2: Any
    l1: Any
    m: Any


def penalty_cost(network: Layer, penalty: Penalty) -> Float[Array, ""]:
    """Return λ/(2m) Σ ‖W[l]‖² + λ1/m Σ |W[l]|."""
    weights = penalized_arrays(network)
    J: Any = sum(l2_penalty(W, penalty.l2, penalty.m) for W in weights)
    if penalty.l1 is not None:
        J += sum(l1_penalty(W, penalty.l1, penalty.m) for W in weights)
    return J


def make_penalty(l2: float, l1: float, m: float, *, always: bool = False) -> Penalty | None:
    """Return the penalty of a training run, or None if there is none, which saves its computation.

    With `always` a penalty with λ = 0 is returned, so that λ can be raised during training.
    """
    for name, value in (("l2", l2), ("l1", l1)):
        check_strength(name, value)
    if not (l2 or l1 or always):
        return None
    return Penalty(l2, l1 if l1 else None, m)


def check_strength(option: str, value: float) -> None:
    """Refuse a λ that is not a number of at least 0."""
    check_number(option, value, minimum=0, hint="0.1")


def as_arrays(penalty: Penalty | None, theta: Params) -> Penalty | None:
    """Convert the numbers to arrays of θ's dtype, on the host."""
    if penalty is None:
        return None
    return Penalty(*(None if x is None else as_array(x, theta) for x in penalty))


# The step

AUGMENTED = 2**31 - 1
"""The number that makes the random key of an augmenter differ from those of the layers."""


class Batch(NamedTuple):
    """The examples of a step, as the network takes them: X and Y, and weights (1, m).

    Y is the target of the network's Z: columns (n_L, m), or, for a network that outputs images, an
    array as its cost takes it, with the examples along the first axis.
    """

    X: Array
    Y: Array
    weights: Float[Array, "1 m"]


class Augmenter(Protocol):
    """A random change of the examples of a step: of images together with their boxes or masks.

    It is a pytree, whose arrays are passed to the compiled program.
    """

    def __call__(self, batch: Batch, *, key: Key) -> Batch: ...


def augmented(batch: Batch, augmenter: Augmenter | None, key: Key) -> Batch:
    """Return the examples as changed for the step with this key."""
    return batch if augmenter is None else augmenter(batch, key=jax.random.fold_in(key, AUGMENTED))


def columns(rows: Array) -> Array:
    """Transpose rows (m, n) to columns, or columns to rows; images stay as they are."""
    return rows.T if rows.ndim == 2 else rows


def cost_and_gradients(
    network: Layer, batch: Batch, cost: Callable, key: Key, penalty: Penalty | None = None
) -> tuple[Float[Array, ""], Params, Layer]:
    """Return the cost, dθ, and the network with the state that its layers keep from this batch.

    dθ is the gradient of cost plus penalty; the returned cost does not include the penalty.
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
    """Return the network and the optimiser's state after one step, the cost before it, and dθ."""
    J, gradients, network = cost_and_gradients(network, batch, cost, key, penalty)
    theta, rest = split_parameters(network)
    updates, state = update(gradients, state, theta)
    return eqx.combine(apply_updates(theta, updates), rest), state, J, gradients


def norm(tree: Params) -> Float[Array, ""]:
    """Return the Euclidean norm of all numbers of a pytree together."""
    return jnp.sqrt(sum(jnp.vdot(x, x) for x in jax.tree.leaves(tree)))
