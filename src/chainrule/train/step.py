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
import numpy as np
from jaxtyping import Array, Float

from chainrule.blocks.regularization import l1_penalty, l2_penalty
from chainrule.data.sequences import Inputs, Sequences
from chainrule.errors import check_number
from chainrule.layers.layer import Layer, penalized_arrays, split_parameters
from chainrule.layers.steps import Steps
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

    X is an array, `Steps`, or a tuple of these. Y is the target of the network's Z: columns (n_L,
    m), or a label for each step (T, m), −1 where a step is not real; for a network that outputs
    images, an array as its cost takes it, with the examples along the first axis.
    """

    X: Any
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


def columns(rows: Any) -> Any:
    """Convert rows (m, n) to columns; of sequences, each step becomes columns. Images stay.

    Sequences become `Steps`, with time first, and inputs of several parts a tuple of these.
    """
    if isinstance(rows, Sequences):
        return Steps(jnp.moveaxis(rows.values, 0, -1), rows.lengths)
    if isinstance(rows, Inputs):
        return tuple(columns(part) for part in rows.parts)
    return rows.T if rows.ndim == 2 else rows


def rows_of_outputs(Z: Array) -> Array:
    """Convert the outputs of a network, columns (n_L, m) or (T, C, m), to rows; images stay."""
    return jnp.moveaxis(Z, -1, 0) if Z.ndim in (2, 3) else Z


def columns_of_outputs(Z: Array) -> Array:
    """Convert outputs in rows, (m, n_L) or (m, T, C), back to columns; images stay."""
    return jnp.moveaxis(Z, 0, -1) if Z.ndim in (2, 3) else Z


def counted(batch: Batch) -> Float[Array, ""]:
    """Return the number of examples of a batch, or of real steps if each step has a label."""
    Y = batch.Y
    if Y.ndim == 2 and jnp.issubdtype(Y.dtype, jnp.integer):
        return (batch.weights * (Y >= 0).astype(batch.weights.dtype)).sum()
    return batch.weights.sum()


class SequenceRow(NamedTuple):
    """The form of one example of sequences: the shape of its values, and their dtype."""

    shape: tuple[int, ...]
    dtype: Any


class InputsRow(NamedTuple):
    """The forms of the parts of one example of a network with several inputs."""

    parts: tuple[Any, ...]


def row_of(X: Any) -> Any:
    """Return the form of one row of X, which can be hashed: the shape of an array, and so on."""
    if isinstance(X, Sequences):
        return SequenceRow(X.shape[1:], np.dtype(X.dtype))
    if isinstance(X, Inputs):
        return InputsRow(tuple(row_of(part) for part in X.parts))
    return X.shape[1:]


def batch_like(row: Any, m: int, dtype: Any) -> Any:
    """Return the shapes of the input of a network for m examples of this form.

    `dtype` is that of numbers; token ids keep theirs.
    """
    if isinstance(row, InputsRow):
        return tuple(batch_like(part, m, dtype) for part in row.parts)
    if isinstance(row, SequenceRow):
        ids = jnp.issubdtype(row.dtype, jnp.integer)
        values: Any = jax.ShapeDtypeStruct((*row.shape, m), row.dtype if ids else dtype)
        lengths: Any = jax.ShapeDtypeStruct((m,), np.int32)
        return Steps(values, lengths)
    return jax.ShapeDtypeStruct((*row, m) if len(row) == 1 else (m, *row), dtype)


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
