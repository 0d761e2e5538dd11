"""01: logistic regression, from one weight to cats.

Notes: "Logistic regression cost function", "Gradient descent", "Vectorizing logistic regression's
gradient output" and "Logistic regression with a neural network mindset" (course 1, week 2).
Targets: one weight reaches the same minimum from either side; J(w, b) of the logistic cost is
convex and the squared error is not; two explicit loops give the vectorised step to 1e-6; on the
cats, from zeros with learning rate 0.005 and 2,000 iterations: cost 0.6931, and 0.1409 at iteration
1,900, accuracy 0.9904 on the training set and 0.70 on the test set.
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from example import Example

from chainrule import gradient_descent, train_model
from chainrule.blocks.activations import sigmoid
from chainrule.blocks.costs import (
    logistic_cost,
    logistic_cost_backward,
    logistic_cost_forward,
    squared_cost,
)
from chainrule.blocks.linear import linear, linear_backward, linear_forward
from chainrule.inspection.example_plots import cost_bowl, cost_over_weight
from chainrule.optim.optimizer import apply_updates

TRAIN, TEST = "catvnoncat/train_catvnoncat.h5", "catvnoncat/test_catvnoncat.h5"
W_ENDS, B_ENDS = (-6.0, 8.0), (-6.0, 6.0)


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    X, Y = one_feature()
    one_weight(example, X, Y)
    bowl(example, X, Y)
    loops(example)
    example.part("The cats")
    if example.has(TRAIN, TEST):
        cats(example)
    example.finish()


def one_feature() -> tuple[np.ndarray, np.ndarray]:
    """Return 60 examples of one feature, X and Y (1, 60), with noise near the class boundary."""
    random = np.random.default_rng(0)
    X = random.standard_normal((1, 60))
    Y = X - 0.4 + 0.7 * random.standard_normal((1, 60)) > 0
    return X.astype(np.float32), Y.astype(np.float32)


def walk(J: Callable, theta: Any, learning_rate: float, iterations: int) -> list[Any]:
    """Return θ at the start and after each step θ = θ − α dθ."""
    optimizer, slope = gradient_descent(learning_rate), jax.jit(jax.grad(J))
    state, places = optimizer.init(theta), [theta]
    for _ in range(iterations):
        updates, state = optimizer.update(slope(places[-1]), state, places[-1])
        places.append(apply_updates(places[-1], updates))
    return places


def one_weight(example: Example, X, Y) -> None:
    """Descend J(w) with b = 0: the slope is negative left of the minimum, positive right of it."""
    example.part("One weight walking downhill, w = w − α dJ/dw, α = 2")

    def J(w):
        return logistic_cost(w * X, Y)

    walks = {f"from {start:g}": walk(J, jnp.float32(start), 2.0, 80) for start in (-3.0, 6.0)}
    slope = jax.jit(jax.grad(J))
    print("step " + "".join(f"{name:>10s}     slope" for name in walks))
    for i in (0, 1, 2, 3, 5, 10, 20, 40, 80):
        print(f"{i:4d} " + "".join(f"{w[i]:10.4f}{slope(w[i]):10.4f}" for w in walks.values()))
    left, right = (float(path[-1]) for path in walks.values())
    said = f"one weight: {left:.4f} from the left, {right:.4f} from the right (target 1e-2 apart)"
    example.target(said, abs(left - right) <= 1e-2)
    name = "each step follows the slope"
    example.picture("walk.png", cost_over_weight, {name: J}, (-3.5, 6.5), walks)


def bowl(example: Example, X, Y) -> None:
    """Show that the logistic cost of w and b is convex, and the squared error of sigmoid is not."""
    example.part("The bowl J(w, b)")

    def logistic(w, b):
        return logistic_cost(linear(X, w[None, None], b[None, None]), Y)

    def squared(w, b):
        return squared_cost(sigmoid(linear(X, w[None, None], b[None, None])), Y)

    start = (jnp.float32(-5.0), jnp.float32(4.5))
    path = np.array(walk(lambda theta: logistic(*theta), start, 2.0, 60))
    (w, b), J = path[-1], logistic(*path[-1])
    print(
        f"from w = {start[0]}, b = {start[1]} in 60 steps to w = {w:.3f}, b = {b:.3f}, J = {J:.4f}"
    )
    for name, cost in {"logistic cost": logistic, "squared error": squared}.items():
        least, w, b = least_curvature(cost)
        print(f"{name}: the smallest curvature is {least:.2g}, at w = {w:.2f}, b = {b:.2f}")
        if name == "logistic cost":
            example.target(f"{name}: curvature {least:.1g} (target above −1e-6)", least > -1e-6)
        else:
            example.target(f"{name}: curvature {least:.2g} (target below 0)", least < -1e-3)
    title = "J(w, b) is a bowl with one minimum"
    example.picture("bowl.png", cost_bowl, logistic, path, W_ENDS, B_ENDS, title)
    zero = np.float32(0)
    over_w = {
        "logistic cost: convex": lambda w: logistic(w, zero),
        "squared error: flat where most wrong": lambda w: squared(w, zero),
    }
    example.picture("not_convex.png", cost_over_weight, over_w, (-10.0, 10.0))


def least_curvature(cost: Callable) -> tuple[float, float, float]:
    """Return the smallest eigenvalue of the second derivatives on a grid, and its w and b."""
    w, b = (
        grid.ravel() for grid in np.meshgrid(np.linspace(*W_ENDS, 57), np.linspace(*B_ENDS, 49))
    )
    second = jax.jacrev(jax.grad(lambda theta: cost(theta[0], theta[1])))
    places = jnp.array(np.stack([w, b], axis=1), jnp.float32)
    values = np.linalg.eigvalsh(np.asarray(jax.jit(jax.vmap(second))(places)))[:, 0]
    i = values.argmin()
    return float(values[i]), float(w[i]), float(b[i])


def loops(example: Example) -> None:
    """Compare the notes' two loops, over examples and features, with the vectorised step."""
    example.part("One step by two explicit loops, and vectorised")
    random = np.random.default_rng(1)
    X, Y = random.standard_normal((50, 200)), random.integers(0, 2, (1, 200))
    W, b = 0.1 * random.standard_normal((1, 50)), np.array([[0.2]])
    arrays = [array.astype(np.float32) for array in (X, W, b, Y)]
    vectorised = jax.jit(step_vectorised)
    jax.block_until_ready(vectorised(*arrays))
    began = time.perf_counter()
    slow = step_by_loops(*arrays)
    between = time.perf_counter()
    fast = jax.block_until_ready(vectorised(*arrays))
    loop_ms, fast_ms = 1e3 * (between - began), 1e3 * (time.perf_counter() - between)
    print(f"two loops {loop_ms:.2f} ms, vectorised {fast_ms:.3f} ms; J = {slow[0]:.6f}")
    apart = max(float(np.abs(one - other).max()) for one, other in zip(slow, fast, strict=True))
    example.target(f"J, dW and db: {apart:.0e} apart (target at most 1e-6)", apart <= 1e-6)


def step_by_loops(X, W, b, Y) -> tuple[float, np.ndarray, float]:
    """Return J, dW and db, computed one example and one feature at a time, as in the notes."""
    n_x, m = X.shape
    J, dW, db = 0.0, np.zeros((1, n_x)), 0.0
    for i in range(m):
        z = float(b[0, 0])
        for j in range(n_x):
            z += float(W[0, j]) * float(X[j, i])
        a, y = 1 / (1 + np.exp(-z)), float(Y[0, i])
        J += -(y * np.log(a) + (1 - y) * np.log(1 - a))
        dz = a - y
        for j in range(n_x):
            dW[0, j] += float(X[j, i]) * dz
        db += dz
    return J / m, dW / m, db / m


def step_vectorised(X, W, b, Y):
    """Return J, dW and db, computed by the blocks: forward, then backward from dJ = 1."""
    Z, linear_cache = linear_forward(X, W, b)
    J, cost_cache = logistic_cost_forward(Z, Y)
    dZ = logistic_cost_backward(jnp.ones_like(J), cost_cache)
    _, dW, db = linear_backward(dZ, linear_cache)
    return J, dW, db


def cats(example: Example) -> None:
    """Train one unit on 12288 pixels; nothing is random, so the numbers agree to four digits."""
    run = train_model(
        str(example.data / TRAIN),
        test=str(example.data / TEST),
        dev="none",
        hidden=(),
        init="zeros",
        optimizer="gradient_descent",
        learning_rate=0.005,
        batch_size=0,
        epochs=2000,
        early_stopping=False,
    )
    costs = run.history.costs
    for i in range(0, 2000, 100):
        print(f"cost after iteration {i:4d}: {costs[i]:.4f}")
    found = {
        "cost at iteration 0": (costs[0], "0.6931"),
        "cost at iteration 1,900": (costs[1900], "0.1409"),
        "accuracy on train": (run.results["train"]["accuracy"], "0.9904"),
        "accuracy on test": (run.results["test"]["accuracy"], "0.7000"),
    }
    for what, (value, wanted) in found.items():
        example.target(f"cats, {what}: {value:.4f} (target {wanted})", f"{value:.4f}" == wanted)


if __name__ == "__main__":
    main()
