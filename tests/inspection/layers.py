"""Layers that are not Dense: one with an array of its own, two without any."""

import jax.numpy as jnp
from jaxtyping import Array

from chainrule.layers.layer import Layer


class Scale(Layer):
    """A = γ ⊙ A_prev; `seen` is stored, not learned."""

    gamma: Array
    seen: Array
    buffers = ("seen",)

    def __init__(self, n: int = 2):
        self.gamma, self.seen = jnp.full((n, 1), 2.0), jnp.zeros((n, 1))

    def __call__(self, A_prev):
        return self.gamma * A_prev


class Half(Layer):
    """A = A_prev / 2."""

    def __call__(self, A_prev):
        return A_prev / 2


class Flatten(Layer):
    """Images (m, n_H, n_W, n_C) → columns (n, m)."""

    def __call__(self, A_prev):
        return A_prev.reshape(A_prev.shape[0], -1).T
