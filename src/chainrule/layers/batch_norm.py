"""Batch norm layer: each feature gets the mean β and the standard deviation γ, then g is applied.

    A = g(γ ⊙ Z_norm + β)

Notes: "Fitting batch norm into a neural network" and "Batch norm at test time" (course 2, week 3).

    training      Z_norm from the mean and variance of the batch, which move the running averages:
                  r = r + (1 − β₀) / (1 − β₀ᵗ) (x − r),   t the batches seen, β₀ = 0.9
    prediction    Z_norm from the running averages

This is the exponentially weighted average of the notes, with the bias correction built in: after
the first batch the averages are exactly its mean and variance, and they are never biased towards
their initial values.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import DTypeLike

from chainrule.blocks.activations import identity, relu
from chainrule.blocks.batch_norm_relu import batch_norm_relu
from chainrule.blocks.normalization import EPSILON, Feature, batch_norm, batch_norm_predict
from chainrule.errors import ShapeError, check_columns, check_number
from chainrule.layers.allocation import filled
from chainrule.layers.layer import Layer
from chainrule.types import Key

BETA = 0.9
"""The weight of the old running averages at each batch: they cover about ten batches."""


class BatchNorm(Layer):
    """A = g(γ ⊙ Z_norm + β) for n features: columns Z (n, m), or images (m, n_H, n_W, n).

    It follows a linear layer without activation and without b, which batch norm would cancel:
    `Sequential([Dense(64, 32, bias=False, key=key), BatchNorm(32, activation=relu)])`. The learned
    parameters are γ (`gamma`) and β (`beta`), which start at 1 and 0. `mean`, `variance` and the
    number of batches `t` are buffers; before the first batch, predictions use mean 0, variance 1.
    `epsilon` is the ε in Z_norm = (Z − mean) / √(variance + ε).
    """

    buffers: ClassVar[tuple[str, ...]] = ("mean", "variance", "t")
    numbered: ClassVar[bool] = False

    gamma: Feature
    beta: Feature
    mean: Feature
    variance: Feature
    t: Int[Array, ""]
    activation: Callable = eqx.field(static=True)
    epsilon: float = eqx.field(static=True)

    def __init__(
        self,
        n: int,
        *,
        activation: Callable = identity,
        images: bool = False,
        epsilon: float = EPSILON,
        dtype: DTypeLike = np.float32,
    ):
        check_number("BatchNorm(epsilon=…)", epsilon, above=0, hint=f"{EPSILON:g}")
        shape = (1, 1, 1, n) if images else (n, 1)
        zeros, ones = filled(0, shape, dtype), filled(1, shape, dtype)
        start: Any = (ones, zeros, zeros, ones, np.zeros((), np.int32))
        self.gamma, self.beta, self.mean, self.variance, self.t = jax.device_put(start)
        self.activation, self.epsilon = activation, float(epsilon)

    def __call__(self, A_prev: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Return A in prediction, normalised with the running averages."""
        self.check(A_prev)
        Z, gamma, beta = self._exact(A_prev)
        A = batch_norm_predict(Z, gamma, beta, self.mean, self.variance, eps=self.epsilon)
        return self.activation(A.astype(A_prev.dtype))

    def train(
        self, A_prev: Float[Array, "*shape"], *, key: Key, weights: Array | None = None
    ) -> tuple[Float[Array, "*shape"], "BatchNorm"]:
        """Return A, normalised with the mean and variance of the batch, and the new layer."""
        if A_prev.ndim == 4:
            fused = self.activation is relu
            A, after = self.train_fused(A_prev, None, weights, with_relu=fused)
            return A if fused else self.activation(A), after
        self.check(A_prev)
        Z, gamma, beta = self._exact(A_prev)
        weights = None if weights is None else weights.astype(Z.dtype)
        A, mean, variance = batch_norm(Z, gamma, beta, weights, eps=self.epsilon)
        return self.activation(A.astype(A_prev.dtype)), self.update_averages(mean, variance)

    def train_fused(
        self, A_prev: Array, shortcut: Array | None, weights: Array | None, *, with_relu: bool
    ) -> tuple[Array, "BatchNorm"]:
        """Train on images like `train`, with the shortcut and the ReLU in the same passes."""
        self.check(A_prev)
        Z, gamma, beta = self._exact(A_prev)
        weights = None if weights is None else weights.astype(Z.dtype)
        shortcut = None if shortcut is None else shortcut.astype(Z.dtype)
        settings = {"relu": with_relu, "eps": self.epsilon}
        A, mean, variance = batch_norm_relu(Z, gamma, beta, shortcut, weights, **settings)
        return A.astype(A_prev.dtype), self.update_averages(mean, variance)

    def update_averages(self, mean: Feature, variance: Feature) -> "BatchNorm":
        """Return the layer after a batch with this mean and variance."""
        t = self.t + 1
        decay = jnp.asarray(BETA, mean.dtype)
        # t = 1 is a separate case, since decay¹ may be rounded on some devices.
        rate = jnp.where(t == 1, 1, (1 - decay) / (1 - decay ** t.astype(mean.dtype)))
        averages = (
            (1 - rate) * self.mean + rate * mean,  # exactly the mean of the first batch: rate = 1
            (1 - rate) * self.variance + rate * variance,
            t,
        )
        return eqx.tree_at(lambda layer: (layer.mean, layer.variance, layer.t), self, averages)

    def _exact(self, A_prev: Array) -> list[Array]:
        """Return Z, γ and β in at least the averages' precision, since bfloat16 is too coarse."""
        dtype = max(A_prev.dtype, self.mean.dtype, key=lambda dtype: jnp.finfo(dtype).bits)
        return [x.astype(dtype) for x in (A_prev, self.gamma, self.beta)]

    def check(self, A_prev: Array) -> None:
        """Refuse an array that does not have n features."""
        n = self.gamma.size
        if self.gamma.ndim == 2:
            check_columns(self.title, A_prev, n)
        elif A_prev.ndim != 4 or A_prev.shape[3] != n:
            expected = f"(m, n_H, n_W, {n}), images with {n} channels"
            hint = f"checking the layer before it: its output should have {n} channels"
            raise ShapeError(self.title, expected, str(tuple(A_prev.shape)), hint)

    @property
    def title(self) -> str:
        """The title of the layer, such as "BatchNorm(32)"."""
        return f"BatchNorm({self.gamma.size})"
