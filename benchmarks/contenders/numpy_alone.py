"""NumPy alone: the notes' two loops over the layers, and Adam in place."""

import numpy as np

from benchmarks.cases import LEARNING_RATE, Case, examples, initial_weights, order, targets


def numpy_alone(case: Case, epochs: int):
    """Forward, backward, update, by hand."""
    X, classes = examples(case)
    Y = targets(case, classes)
    theta = initial_weights(case)
    V, S = ([tuple(np.zeros_like(p) for p in pair) for pair in theta] for _ in range(2))
    table = None if case.whole else order(case, epochs)
    steps = epochs * case.steps_per_epoch

    def run():
        for k in range(steps):
            batch = (X.T, Y.T) if table is None else (X[table[k]].T, Y[table[k]].T)
            adam(theta, gradients(theta, *batch), V, S, k + 1)

    return run


def gradients(theta, X, Y):
    """dW and db of each layer."""
    A = [X]
    for W, b in theta[:-1]:
        A.append(np.maximum(W @ A[-1] + b, 0))
    W, b = theta[-1]
    dZ = (probabilities(W @ A[-1] + b) - Y) / np.float32(Y.shape[1])
    found = []
    for l in reversed(range(len(theta))):
        found.append((dZ @ A[l].T, dZ.sum(axis=1, keepdims=True)))
        if l:
            dZ = (theta[l][0].T @ dZ) * (A[l] > 0)
    return found[::-1]


def probabilities(Z):
    """Sigmoid of one output, softmax of several."""
    if len(Z) == 1:
        return 1 / (1 + np.exp(-Z))
    E = np.exp(Z - Z.max(axis=0))
    return E / E.sum(axis=0)


def adam(theta, found, V, S, t, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """In place: no new arrays for θ, V and S."""
    rate = np.float32(LEARNING_RATE * np.sqrt(1 - beta2**t) / (1 - beta1**t))
    epsilon = np.float32(epsilon * np.sqrt(1 - beta2**t))
    for arrays in zip(theta, found, V, S, strict=True):
        for p, d, v, s in zip(*arrays, strict=True):
            v *= np.float32(beta1)
            v += np.float32(1 - beta1) * d
            s *= np.float32(beta2)
            s += np.float32(1 - beta2) * d * d
            p -= rate * v / (np.sqrt(s) + epsilon)
