"""Flax (NNX) with Optax: the state split once, all the steps in one `lax.scan`, jitted, donated."""

from functools import partial
from itertools import pairwise

import jax
import optax
from flax import nnx

from benchmarks.cases import LEARNING_RATE, Case, examples, order


class Network(nnx.Module):
    """Linear and ReLU, then linear."""

    def __init__(self, sizes, rngs):
        pairs = pairwise(sizes)
        self.layers = nnx.List([nnx.Linear(n_prev, n, rngs=rngs) for n_prev, n in pairs])

    def __call__(self, A):
        """Z[L], rows in, rows out."""
        for layer in self.layers[:-1]:
            A = nnx.relu(layer(A))
        return self.layers[-1](A)


def flax_optax(case: Case, epochs: int):
    """The functional form that Flax's manual recommends for speed."""
    X, y = jax.device_put(examples(case))
    graph, theta = nnx.split(Network(case.sizes, nnx.Rngs(0)), nnx.Param)
    table = None if case.whole else jax.device_put(order(case, epochs))
    kept = [(theta, optax.adam(LEARNING_RATE).init(theta))]
    steps = epochs * case.steps_per_epoch

    def run():
        kept[0], costs = train(graph, kept[0], X, y, table, steps=steps)
        costs.block_until_ready()

    return run


@partial(jax.jit, static_argnames=("graph", "steps"), donate_argnames="state")
def train(graph, state, X, y, table, *, steps: int):
    """All the steps; the cost of each."""
    optimizer = optax.adam(LEARNING_RATE)

    def cost(theta, X, y):
        Z = nnx.merge(graph, theta)(X)
        if Z.shape[1] == 1:
            return optax.sigmoid_binary_cross_entropy(Z[:, 0], y).mean()
        return optax.softmax_cross_entropy_with_integer_labels(Z, y).mean()

    def step(state, rows):
        theta, adam = state
        batch = (X, y) if rows is None else (X[rows], y[rows])
        J, gradients = jax.value_and_grad(cost)(theta, *batch)
        updates, adam = optimizer.update(gradients, adam, theta)
        return (optax.apply_updates(theta, updates), adam), J

    return jax.lax.scan(step, state, table, length=steps)
