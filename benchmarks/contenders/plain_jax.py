"""The yardstick: the network, its cost and Adam by hand in JAX, all the steps in one `lax.scan`.

The same equations on columns as chainrule's, and nothing else: no weights of examples, no norm of
the gradient, no check that numbers are finite, no dev set, no records.
"""

from functools import partial

import jax
import jax.numpy as jnp

from benchmarks.cases import LEARNING_RATE, Case, examples, initial_weights, order, targets


def plain_jax(case: Case, epochs: int):
    """`lax.scan` over the steps, jitted, its state donated."""
    X, classes = examples(case)
    X, Y = jax.device_put((X, targets(case, classes)))
    table = None if case.whole else jax.device_put(order(case, epochs))
    theta = jax.device_put(initial_weights(case))
    zeros = jax.tree.map(jnp.zeros_like, theta)
    kept = [(theta, zeros, jax.tree.map(jnp.copy, zeros), jnp.zeros((), jnp.int32))]
    steps = epochs * case.steps_per_epoch

    def run():
        kept[0], costs = train(kept[0], X, Y, table, steps=steps, logistic=case.logistic)
        costs.block_until_ready()

    return run


@partial(jax.jit, static_argnames=("steps", "logistic"), donate_argnums=0)
def train(state, X, Y, table, *, steps: int, logistic: bool):
    """All the steps; the cost of each."""

    def step(state, rows):
        theta, V, S, t = state
        batch = (X.T, Y.T) if rows is None else (X[rows].T, Y[rows].T)
        J, gradients = jax.value_and_grad(cost)(theta, *batch, logistic)
        return adam(theta, gradients, V, S, t + 1), J

    return jax.lax.scan(step, state, table, length=steps)


def cost(theta, X, Y, logistic: bool):
    """Linear and ReLU, then linear; cross-entropy."""
    A = X
    for W, b in theta[:-1]:
        A = jax.nn.relu(W @ A + b)
    W, b = theta[-1]
    Z = W @ A + b
    if logistic:
        return (jax.nn.softplus(Z) - Y * Z).mean()
    return -(Y * jax.nn.log_softmax(Z, axis=0)).sum(axis=0).mean()


def adam(theta, gradients, V, S, t, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """The notes' equations, leaf by leaf."""
    V = jax.tree.map(lambda v, d: beta1 * v + (1 - beta1) * d, V, gradients)
    S = jax.tree.map(lambda s, d: beta2 * s + (1 - beta2) * d * d, S, gradients)
    correct1 = 1 - beta1 ** t.astype(jnp.float32)
    correct2 = 1 - beta2 ** t.astype(jnp.float32)
    theta = jax.tree.map(
        lambda p, v, s: p - LEARNING_RATE * (v / correct1) / (jnp.sqrt(s / correct2) + epsilon),
        theta,
        V,
        S,
    )
    return theta, V, S, t
