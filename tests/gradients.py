"""Two independent witnesses for a hand-written derivative."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree


def slope_of(J, inputs, eps=1e-6):
    """(J(θ + ε eᵢ) − J(θ − ε eᵢ)) / 2ε for every number i of the inputs, one after another."""
    theta, restore = ravel_pytree(inputs)

    def along(e_i):
        return (J(*restore(theta + eps * e_i)) - J(*restore(theta - eps * e_i))) / (2 * eps)

    return jax.lax.map(along, jnp.eye(theta.size, dtype=theta.dtype))


def assert_gradients(block, twin, *inputs, key, **settings):
    """The gradients of `block` are those of the plain formula, and they are its slope.

    Every input is differentiated; one that gets no gradient (a label) belongs in a closure.
    """

    @jax.jit  # everything in one compilation: a test costs what it compiles
    def witnesses(inputs):
        output, pull = jax.vjp(lambda *args: block(*args, **settings), *inputs)
        twin_output, twin_pull = jax.vjp(lambda *args: twin(*args, **settings), *inputs)
        d_output = jax.random.normal(key, output.shape)
        slope = slope_of(lambda *args: jnp.sum(d_output * block(*args, **settings)), inputs)
        return output, pull(d_output), twin_output, twin_pull(d_output), slope

    output, gradients, twin_output, twin_gradients, slope = witnesses(inputs)
    np.testing.assert_allclose(output, twin_output, rtol=1e-12, atol=1e-12)
    for i, (got, want) in enumerate(zip(gradients, twin_gradients, strict=True)):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12, err_msg=f"input {i}")
    got, _ = ravel_pytree(gradients)
    size = np.linalg.norm(got) + np.linalg.norm(slope)
    assert size > 0, "a gradient of zeros everywhere shows nothing"
    assert np.linalg.norm(got - slope) < 1e-7 * size
