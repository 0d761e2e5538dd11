"""A layer with a buffer, for the tests of buffers."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from chainrule.layers.layer import Layer


class RunningMean(Layer):
    """A = scale ⊙ (A_prev − mean); training moves the mean by a tenth towards that of the batch."""

    buffers: ClassVar[tuple[str, ...]] = ("mean",)

    scale: Array
    mean: Array

    def __init__(self, n: int, dtype=float):
        self.scale = jnp.ones((n, 1), dtype)
        self.mean = jnp.zeros((n, 1), dtype)

    def __call__(self, A_prev):
        return self.scale * (A_prev - self.mean)

    def train(self, A_prev, *, key, weights=None):
        weights = jnp.ones((1, A_prev.shape[1]), A_prev.dtype) if weights is None else weights
        batch_mean = (weights * A_prev).sum(axis=1, keepdims=True) / weights.sum()
        mean = 0.9 * self.mean + 0.1 * batch_mean
        return self.scale * (A_prev - mean), eqx.tree_at(lambda layer: layer.mean, self, mean)
