"""A small problem shared by the tests of training, so that they share compiled programs.

20 examples of 4 features, a network 4-3-1 of tanh, in float64; mini-batches of 8 leave a last
batch of 4. The dev set is 10 other examples of the same rule. And the same training once more in
NumPy, written as the notes write it.
"""

import jax
import numpy as np

from chainrule.blocks.costs import logistic_cost
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.train.examples import Examples
from chainrule.train.fit import fit


def examples(m: int, seed: int) -> Examples:
    """Return m examples, whose class is whether the first two features add up to more than 0."""
    X = np.random.default_rng(seed).standard_normal((m, 4))
    return Examples(X, (X[:, :1] + X[:, 1:2] > 0).astype(float))


TRAIN, DEV = examples(20, seed=0), examples(10, seed=1)


def network(seed: int = 1) -> DeepNetwork:
    """Return the network 4-3-1, initialised with the seed."""
    return DeepNetwork((4, 3, 1), activation="tanh", key=jax.random.key(seed), dtype=float)


def train(train=TRAIN, dev=DEV, *, start=None, rate=0.5, cost=logistic_cost, epochs=5, **options):
    """Call `fit` with gradient descent and default settings for all other options."""
    start = network() if start is None else start
    return fit(start, gradient_descent(rate), cost, train, dev, epochs=epochs, **options)


def weights(model) -> list[np.ndarray]:
    """Return [W1, b1, W2, b2, …]."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves(model)]


def assert_same(one, other) -> None:
    """Check that all arrays are the same bit for bit."""
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(a, b)


def notes_forward(theta, X):
    """Return [A0, A1, …, A[L−1], Z[L]] of a tanh network for X (n_x, m)."""
    A = [X]
    for W, b in zip(theta[:-2:2], theta[1:-2:2], strict=True):
        A.append(np.tanh(W @ A[-1] + b))
    return [*A, theta[-2] @ A[-1] + theta[-1]]


def notes_cost(theta, X, Y):
    """Return −(1/m) Σ Y log A + (1 − Y) log(1 − A)."""
    A = 1 / (1 + np.exp(-notes_forward(theta, X)[-1]))
    return -np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A))


def notes_gradients(theta, X, Y):
    """Return [dW1, db1, …] with 1/m where the notes write it: dW = (1/m) dZ Aᵀ, dZ[L] = A − Y."""
    *A, Z = notes_forward(theta, X)
    m, gradients = X.shape[1], []
    dZ = 1 / (1 + np.exp(-Z)) - Y
    for l in reversed(range(len(A))):
        W = theta[2 * l]
        gradients = [dZ @ A[l].T / m, dZ.sum(axis=1, keepdims=True) / m, *gradients]
        dZ = W.T @ dZ * (1 - A[l] ** 2)
    return gradients


def notes_length(gradients):
    """Return ‖dθ‖."""
    return np.sqrt(sum((d**2).sum() for d in gradients))


def notes_step(theta, X, Y, rate):
    """Return θ − α dθ."""
    pairs = zip(theta, notes_gradients(theta, X, Y), strict=True)
    return [p - rate * d for p, d in pairs]
