"""A network of 3-4-1 in plain JAX, with a derivative written by hand that a test may spoil."""

import jax
import jax.numpy as jnp

X = jax.random.normal(jax.random.key(1), (3, 6), jnp.float32)
Y = jnp.array([[0.0, 1.0, 1.0, 0.0, 1.0, 0.0]], jnp.float32)


def plain_backward(dZ, A_prev, W):
    return W.T @ dZ, dZ @ A_prev.T, dZ.sum(axis=1, keepdims=True)


def linear_with(backward):
    """Z = W A_prev + b, with a derivative written by hand."""

    @jax.custom_vjp
    def linear(A_prev, W, b):
        return W @ A_prev + b

    linear.defvjp(
        lambda A_prev, W, b: (W @ A_prev + b, (A_prev, W)),
        lambda cache, dZ: backward(dZ, *cache),
    )
    return linear


RIGHT = linear_with(plain_backward)


def network(linear=RIGHT, g=jnp.tanh):
    """The cost of 3-4-1 on X and Y, by θ."""

    def J(theta):
        A = g(linear(X, theta["W1"], theta["b1"]))
        Z = linear(A, theta["W2"], theta["b2"])
        return jnp.mean(jnp.logaddexp(0.0, Z) - Y * Z)

    return J


def weights():
    keys = jax.random.split(jax.random.key(0), 4)
    shapes = {"W1": (4, 3), "b1": (4, 1), "W2": (1, 4), "b2": (1, 1)}
    return {
        name: jax.random.normal(key, shape, jnp.float32)
        for key, (name, shape) in zip(keys, shapes.items(), strict=True)
    }
