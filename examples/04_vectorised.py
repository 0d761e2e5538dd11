"""04: vectorised computation compared with for loops.

Notes: "Vectorization" (course 1, week 2) and "Vectorizing across multiple examples" (week 3).
The dot product of a million numbers; then Z = W X + b of a layer, with its three loops removed one
after the other.
Targets: the same numbers to a relative difference of 1e-6, at least 10 times faster.
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from example import Example

from chainrule.blocks.linear import linear

FASTER, DIFFERENCE = 10, 1e-6


def main() -> None:
    """Run both comparisons."""
    example = Example(__doc__ or "")
    random = np.random.default_rng(0)
    dot_product(example, random)
    layer(example, random)
    example.finish()


def dot_product(example: Example, random: np.random.Generator) -> None:
    """Compare the dot product Σ a_i b_i with a loop."""
    example.part("The dot product of 1,000,000 numbers")
    a, b = random.random(1_000_000), random.random(1_000_000)
    slow, slow_ms = timed(lambda: dot_with_a_loop(a, b), times=1)
    fast, fast_ms = timed(lambda: np.dot(a, b))
    print(f"for loop    {slow:.6f}  {slow_ms:9.3f} ms")
    print(f"np.dot      {fast:.6f}  {fast_ms:9.3f} ms")
    compare(example, "dot product", slow, fast, slow_ms / fast_ms)


def dot_with_a_loop(a: np.ndarray, b: np.ndarray) -> float:
    """Return the dot product, computed by the notes' loop."""
    c = 0.0
    for i in range(len(a)):
        c += a[i] * b[i]
    return c


def layer(example: Example, random: np.random.Generator) -> None:
    """Compute Z = W X + b with three loops, two, one and none."""
    n_x, n_l, m = 64, 20, 100
    example.part(f"A layer of {n_l} units, {n_x} features, {m} examples: Z = W X + b")
    W, b, X = (
        random.standard_normal(shape).astype(np.float32)
        for shape in ((n_l, n_x), (n_l, 1), (n_x, m))
    )
    ways = {
        "over examples, units and features": lambda: three_loops(W, b, X),
        "over examples and units": lambda: two_loops(W, b, X),
        "over examples": lambda: one_loop(W, b, X),
    }
    found = {f"for loops {name}": timed(way, times=3) for name, way in ways.items()}
    compiled, on_device = jax.jit(linear), jax.device_put((X, W, b))
    found["no loop: chainrule's linear"] = timed(lambda: compiled(*on_device).block_until_ready())
    slow, slow_ms = next(iter(found.values()))
    for name, (Z, ms) in found.items():
        apart = difference(slow, Z)
        print(f"{name:45s}{ms:9.3f} ms {slow_ms / ms:7,.0f} times faster, {apart:.0e} apart")
    fast, fast_ms = found["no loop: chainrule's linear"]
    compare(example, "layer", slow, fast, slow_ms / fast_ms)


def three_loops(W: np.ndarray, b: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Compute Z one number at a time."""
    (n_l, n_x), m = W.shape, X.shape[1]
    Z = np.zeros((n_l, m))
    for i in range(m):
        for k in range(n_l):
            z = float(b[k, 0])
            for j in range(n_x):
                z += float(W[k, j]) * float(X[j, i])
            Z[k, i] = z
    return Z


def two_loops(W: np.ndarray, b: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Compute Z with a dot product for each unit and example."""
    Z = np.zeros((len(W), X.shape[1]))
    for i in range(X.shape[1]):
        for k in range(len(W)):
            Z[k, i] = W[k] @ X[:, i] + b[k, 0]
    return Z


def one_loop(W: np.ndarray, b: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Compute Z with a matrix product for each example."""
    Z = np.zeros((len(W), X.shape[1]))
    for i in range(X.shape[1]):
        Z[:, i] = W @ X[:, i] + b[:, 0]
    return Z


def timed(work: Callable[[], Any], times: int = 100) -> tuple[Any, float]:
    """Return the result of `work`, and the milliseconds of its fastest run."""
    result, seconds = work(), []
    for _ in range(times):
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return result, 1000 * min(seconds)


def difference(one, other) -> float:
    """Return the largest difference, relative to the largest number."""
    return float(np.abs(one - np.asarray(other)).max() / np.abs(one).max())


def compare(example: Example, name: str, slow, fast, ratio: float) -> None:
    """Check both targets."""
    apart = difference(slow, fast)
    said = f"{name}: relative difference {apart:.1e} (target at most {DIFFERENCE:.0e})"
    example.target(said, apart <= DIFFERENCE)
    said = f"{name}: {ratio:,.0f} times faster (target at least {FASTER})"
    example.target(said, ratio >= FASTER)


if __name__ == "__main__":
    main()
