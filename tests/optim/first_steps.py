"""Compare the first steps of an optimiser with those of another or of NumPy."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.optim.optimizer import apply_updates

rng = np.random.default_rng(0)
THETA = {"W": jnp.asarray(rng.standard_normal((2, 3))), "b": jnp.zeros((2, 1))}
GRADIENTS = [{"W": rng.standard_normal((2, 3)), "b": rng.standard_normal((2, 1))} for _ in range(5)]


def thetas(optimizer) -> list:
    """Return θ after each of five steps from THETA with GRADIENTS."""
    theta, state, seen = THETA, optimizer.init(THETA), []
    update = jax.jit(optimizer.update)
    with jax.numpy_dtype_promotion("standard"):  # which optax requires
        for gradients in GRADIENTS:
            updates, state = update(jax.tree.map(jnp.asarray, gradients), state, theta)
            theta = apply_updates(theta, updates)
            seen.append(theta)
    return seen


def thetas_by_equations(step: Callable) -> list:
    """Return θ after each step of a NumPy rule `step(t, d, *averages) -> (update, *averages)`.

    It is called for each array; the averages are zero at first, and t counts from 1.
    """
    theta = {name: np.asarray(array) for name, array in THETA.items()}
    averages = {name: (0.0, 0.0) for name in theta}
    seen = []
    for t, gradients in enumerate(GRADIENTS, 1):
        for name, d in gradients.items():
            added, *averages[name] = step(t, d, *averages[name])
            theta = {**theta, name: theta[name] + added}
        seen.append(theta)
    return seen


def assert_same_path(one: list, other: list) -> None:
    """Check that the parameters are the same after every step."""
    for t, (a, b) in enumerate(zip(one, other, strict=True), 1):
        for name in THETA:
            np.testing.assert_allclose(a[name], b[name], rtol=1e-9, err_msg=f"{name} at t = {t}")
