"""Activation functions: A = g(Z), element by element; softmax over the units of an example.

Notes: "Activation functions" and "Derivatives of activation functions" (course 1, week 3);
"Softmax regression" (course 2, week 3); "MobileNet" (course 4, week 2), whose paper has relu6.

    forward     sigmoid       A = 1 / (1 + e^−Z)
                tanh          A = (e^Z − e^−Z) / (e^Z + e^−Z)
                relu          A = max(0, Z)
                relu6         A = min(max(0, Z), 6)
                leaky_relu    A = max(slope · Z, Z)
                softmax       A = e^Z / Σ e^Z, the sum over the units of one example
                identity      A = Z
    backward    sigmoid       dZ = dA ⊙ A ⊙ (1 − A)
                tanh          dZ = dA ⊙ (1 − A²)
                relu          dZ = dA where Z > 0, else 0
                relu6         dZ = dA where 0 < Z < 6, else 0
                leaky_relu    dZ = dA where Z > 0, else slope · dA
                softmax       dZ = A ⊙ (dA − Σ dA ⊙ A)
                identity      dZ = dA

At Z = 0 the derivative of relu is 0 (the notes take 1; either is valid, and with 0 a unit whose
output is 0 gets no gradient), and so is the derivative of relu6 at both kinks. Each function takes
a number, one example (n, 1) or many (n, m).

>>> sigmoid(0.0), relu(jnp.array([[-2.0, 3.0]]))
(Array(0.5, dtype=float64, weak_type=True), Array([[0., 3.]], dtype=float64))
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from chainrule.blocks.block import as_block


class OutputCache(NamedTuple):
    """The cache of an activation: its output A, from which the derivative is computed."""

    A: Float[Array, "*shape"]


def sigmoid_forward(Z: Float[ArrayLike, "*shape"]) -> tuple[Float[Array, "*shape"], OutputCache]:
    """A = 1 / (1 + e^−Z)."""
    A = 1 / (1 + jnp.exp(-jnp.asarray(Z)))
    return A, OutputCache(A)


def sigmoid_backward(dA: Float[ArrayLike, "*shape"], cache: OutputCache) -> Float[Array, "*shape"]:
    """dZ = dA ⊙ A ⊙ (1 − A)."""
    return jnp.multiply(dA, cache.A * (1 - cache.A))


sigmoid = as_block(sigmoid_forward, sigmoid_backward)


def tanh_forward(Z: Float[ArrayLike, "*shape"]) -> tuple[Float[Array, "*shape"], OutputCache]:
    """A = (e^Z − e^−Z) / (e^Z + e^−Z)."""
    A = jnp.tanh(Z)
    return A, OutputCache(A)


def tanh_backward(dA: Float[ArrayLike, "*shape"], cache: OutputCache) -> Float[Array, "*shape"]:
    """dZ = dA ⊙ (1 − A²)."""
    return jnp.multiply(dA, 1 - cache.A**2)


tanh = as_block(tanh_forward, tanh_backward)


def relu_forward(Z: Float[ArrayLike, "*shape"]) -> tuple[Float[Array, "*shape"], OutputCache]:
    """A = max(0, Z)."""
    A = jnp.maximum(0, Z)
    return A, OutputCache(A)


def relu_backward(dA: Float[ArrayLike, "*shape"], cache: OutputCache) -> Float[Array, "*shape"]:
    """dZ = dA where Z > 0 (which is where A > 0), else 0."""
    return jnp.where(cache.A > 0, dA, 0)


relu = as_block(relu_forward, relu_backward)


def relu6_forward(Z: Float[ArrayLike, "*shape"]) -> tuple[Float[Array, "*shape"], OutputCache]:
    """A = min(max(0, Z), 6)."""
    A = jnp.clip(jnp.asarray(Z), 0, 6)
    return A, OutputCache(A)


def relu6_backward(dA: Float[ArrayLike, "*shape"], cache: OutputCache) -> Float[Array, "*shape"]:
    """dZ = dA where 0 < Z < 6 (which is where 0 < A < 6), else 0."""
    return jnp.where((cache.A > 0) & (cache.A < 6), dA, 0)


relu6 = as_block(relu6_forward, relu6_backward)


class LeakyReluCache(NamedTuple):
    """The cache of leaky_relu: Z, whose sign selects the slope, and the slope for negative Z."""

    Z: Float[Array, "*shape"]
    slope: Float[Array, ""]


def leaky_relu_forward(
    Z: Float[ArrayLike, "*shape"], slope: Float[ArrayLike, ""] = 0.01
) -> tuple[Float[Array, "*shape"], LeakyReluCache]:
    """A = max(slope · Z, Z), for a slope below 1."""
    Z = jnp.asarray(Z)
    slope = jnp.asarray(slope, Z.dtype)
    return jnp.where(Z > 0, Z, slope * Z), LeakyReluCache(Z, slope)


def leaky_relu_backward(
    dA: Float[ArrayLike, "*shape"], cache: LeakyReluCache
) -> Float[Array, "*shape"]:
    """dZ = dA where Z > 0, else slope · dA."""
    return jnp.where(cache.Z > 0, dA, cache.slope * dA)


leaky_relu = as_block(leaky_relu_forward, leaky_relu_backward)


@partial(jax.tree_util.register_dataclass, data_fields=["A"], meta_fields=["axis"])
@dataclass(frozen=True)
class SoftmaxCache:
    """The cache of softmax: the output A, and the axis along which A sums to one."""

    A: Float[Array, "*shape"]
    axis: int | None


def softmax_forward(
    Z: Float[ArrayLike, "*shape"], *, axis: int = 0
) -> tuple[Float[Array, "*shape"], SoftmaxCache]:
    """A = e^Z / Σ e^Z over `axis`: 0 for columns, −1 for images.

    The largest Z of an example is first subtracted from all of them: A is the same, and nothing
    overflows. A number is one unit, so its A is 1.
    """
    Z = jnp.asarray(Z)
    units = axis if Z.ndim else None
    E = jnp.exp(Z - Z.max(axis=units, keepdims=True))
    A = E / E.sum(axis=units, keepdims=True)
    return A, SoftmaxCache(A, units)


def softmax_backward(dA: Float[ArrayLike, "*shape"], cache: SoftmaxCache) -> Float[Array, "*shape"]:
    """dZ = A ⊙ (dA − Σ dA ⊙ A)."""
    return cache.A * (dA - jnp.multiply(dA, cache.A).sum(axis=cache.axis, keepdims=True))


softmax = as_block(softmax_forward, softmax_backward)


class IdentityCache(NamedTuple):
    """The cache of the identity function, which is empty: the derivative is 1 everywhere."""


def identity_forward(Z: Float[ArrayLike, "*shape"]) -> tuple[Float[Array, "*shape"], IdentityCache]:
    """A = Z."""
    return jnp.asarray(Z), IdentityCache()


def identity_backward(
    dA: Float[ArrayLike, "*shape"], cache: IdentityCache
) -> Float[Array, "*shape"]:
    """dZ = dA."""
    return jnp.asarray(dA)


identity = as_block(identity_forward, identity_backward)
