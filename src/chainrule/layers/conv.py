"""Convolutional layers: A = g(Z), Z a convolution of A_prev with learned filters.

Notes: "One layer of a convolutional network" (course 4, week 1); "MobileNet" (course 4, week 2);
"Transposed convolutions" (course 4, week 3); "Trigger word detection" (course 5, week 3).

The input is images (m, n_H, n_W, n_C_prev), the output (m, n_H', n_W', n_C); for Conv1D they are
sequences (T, n_x, m) and (T', n_C, m). The filters are initialised by `initializer`, b with zeros;
with `bias=False` there is no b, as before batch norm.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import DTypeLike

from chainrule.blocks.activations import identity
from chainrule.blocks.conv1d import conv1d
from chainrule.blocks.convolution import Padding, conv2d, pads_of
from chainrule.blocks.depthwise import depthwise
from chainrule.blocks.transposed import transposed
from chainrule.errors import OptionError, ShapeError, check_images, check_steps
from chainrule.layers.allocation import filled
from chainrule.layers.initializers import Initializer, he
from chainrule.layers.layer import Layer
from chainrule.layers.steps import Steps, like, values_of
from chainrule.types import Key


class Conv2D(Layer):
    """A = g(A_prev ∗ W + b): n_C filters of f by f, stride s, padding p.

    p is "same", "valid", a number, or (before, after); sizes as in `blocks.convolution.size_after`.

    >>> layer = Conv2D(3, 8, f=3, key=jax.random.key(0))
    >>> layer(jnp.ones((5, 32, 32, 3), jnp.float32)).shape
    (5, 32, 32, 8)
    """

    W: Float[Array, "f f n_C_prev n_C"]
    b: Float[Array, "1 1 1 n_C"] | None
    s: int = eqx.field(static=True)
    p: Padding = eqx.field(static=True)
    activation: Callable = eqx.field(static=True)

    def __init__(
        self,
        n_C_prev: int,
        n_C: int,
        *,
        f: int = 3,
        s: int = 1,
        p: Padding = "same",
        key: Key,
        activation: Callable = identity,
        initializer: Initializer = he,
        bias: bool = True,
        dtype: DTypeLike = np.float32,
    ):
        self.W = initializer(key, (f, f, n_C_prev, n_C), dtype)
        self.b = zero_bias(n_C, dtype) if bias else None
        self.s, self.p, self.activation = s, p, activation

    def __call__(self, A_prev: Float[Array, "m n_H n_W n_C_prev"]) -> Array:
        """Return A = g(A_prev ∗ W + b)."""
        check_images(self.title, A_prev, self.W.shape[2])
        with block_errors_in(self):
            Z = conv2d(A_prev, self.W, self.b, s=self.s, p=self.p)
        return self.activation(Z)

    @property
    def title(self) -> str:
        """The title of the layer, such as "Conv2D(3×3, 16 -> 32, s=2, p=same)"."""
        f, _, n_C_prev, n_C = self.W.shape
        return f"Conv2D({f}×{f}, {n_C_prev} -> {n_C}{stride_text(self.s, self.p)})"


class DepthwiseConv2D(Layer):
    """A = g(Z): a depthwise convolution, one f by f filter per channel, stride s, padding p.

    >>> layer = DepthwiseConv2D(8, f=3, key=jax.random.key(0))
    >>> layer(jnp.ones((5, 32, 32, 8), jnp.float32)).shape
    (5, 32, 32, 8)
    """

    W: Float[Array, "f f n_C"]
    b: Float[Array, "1 1 1 n_C"] | None
    s: int = eqx.field(static=True)
    p: Padding = eqx.field(static=True)
    activation: Callable = eqx.field(static=True)

    def __init__(
        self,
        n_C: int,
        *,
        f: int = 3,
        s: int = 1,
        p: Padding = "same",
        key: Key,
        activation: Callable = identity,
        initializer: Initializer = he,
        bias: bool = True,
        dtype: DTypeLike = np.float32,
    ):
        self.W = initializer(key, (f, f, n_C), dtype)
        self.b = zero_bias(n_C, dtype) if bias else None
        self.s, self.p, self.activation = s, p, activation

    def __call__(self, A_prev: Float[Array, "m n_H n_W n_C"]) -> Array:
        """Return A = g(Z)."""
        check_images(self.title, A_prev, self.W.shape[2])
        with block_errors_in(self):
            Z = depthwise(A_prev, self.W, self.b, s=self.s, p=self.p)
        return self.activation(Z)

    @property
    def title(self) -> str:
        """The title of the layer, such as "DepthwiseConv2D(3×3, 32, s=2, p=same)"."""
        f, _, n_C = self.W.shape
        return f"DepthwiseConv2D({f}×{f}, {n_C}{stride_text(self.s, self.p)})"


class ConvTranspose2D(Layer):
    """A = g(Z): a transposed convolution, which enlarges images by a factor of about s.

    >>> layer = ConvTranspose2D(8, 4, f=2, s=2, key=jax.random.key(0))
    >>> layer(jnp.ones((5, 16, 16, 8), jnp.float32)).shape
    (5, 32, 32, 4)
    """

    W: Float[Array, "f f n_C_prev n_C"]
    b: Float[Array, "1 1 1 n_C"] | None
    s: int = eqx.field(static=True)
    p: Padding = eqx.field(static=True)
    activation: Callable = eqx.field(static=True)

    def __init__(
        self,
        n_C_prev: int,
        n_C: int,
        *,
        f: int = 2,
        s: int = 2,
        p: Padding = 0,
        key: Key,
        activation: Callable = identity,
        initializer: Initializer = he,
        bias: bool = True,
        dtype: DTypeLike = np.float32,
    ):
        self.W = initializer(key, (f, f, n_C_prev, n_C), dtype)
        self.b = zero_bias(n_C, dtype) if bias else None
        self.s, self.p, self.activation = s, p, activation

    def __call__(self, A_prev: Float[Array, "m n_H n_W n_C_prev"]) -> Array:
        """Return A = g(Z)."""
        check_images(self.title, A_prev, self.W.shape[2])
        with block_errors_in(self):
            Z = transposed(A_prev, self.W, self.b, s=self.s, p=self.p)
        return self.activation(Z)

    @property
    def title(self) -> str:
        """The title of the layer, such as "ConvTranspose2D(2×2, 8 -> 4, s=2, p=0)"."""
        f, _, n_C_prev, n_C = self.W.shape
        return f"ConvTranspose2D({f}×{f}, {n_C_prev} -> {n_C}{stride_text(self.s, self.p)})"


class Conv1D(Layer):
    """A = g(X ∗ W + b) over time: n_C filters of f steps, stride s, padding p.

    The input is `Steps` or an array (T, n_x, m). p is as for Conv2D; (f − 1, 0) makes the layer
    causal, so that no step depends on a later one. The output has ⌊(T + p − f)/s⌋ + 1 steps, p the
    sum of the paddings, and of them as many are real as if the sequence ended at its length.

    >>> layer = Conv1D(3, 8, f=5, key=jax.random.key(0))
    >>> layer(jnp.ones((10, 3, 2), jnp.float32)).shape
    (10, 8, 2)
    """

    W: Float[Array, "f n_x n_C"]
    b: Float[Array, "n_C 1"] | None
    s: int = eqx.field(static=True)
    p: Padding = eqx.field(static=True)
    activation: Callable = eqx.field(static=True)

    def __init__(
        self,
        n_x: int,
        n_C: int,
        *,
        f: int = 3,
        s: int = 1,
        p: Padding = "same",
        key: Key,
        activation: Callable = identity,
        initializer: Initializer = he,
        bias: bool = True,
        dtype: DTypeLike = np.float32,
    ):
        self.W = initializer(key, (1, f, n_x, n_C), dtype)[0]
        self.b = jax.device_put(filled(0, (n_C, 1), dtype)) if bias else None
        self.s, self.p, self.activation = s, p, activation

    def __call__(self, A_prev: Any) -> Any:
        """Return A = g(X ∗ W + b)."""
        X, (f, n_x, _) = values_of(A_prev), self.W.shape
        check_steps(self.title, X, n_x)
        X = values_of(like(A_prev, X))  # what lies beyond the lengths counts as padding
        with block_errors_in(self):
            A = self.activation(conv1d(X, self.W, self.b, s=self.s, p=self.p))
        if not isinstance(A_prev, Steps) or A_prev.lengths is None:
            return like(A_prev, A)
        lengths = (A_prev.lengths + (sum(pads_of(self.p, f)) - f)) // self.s + 1
        return like(A_prev, A, jnp.where(A_prev.lengths > 0, jnp.maximum(lengths, 0), 0))

    @property
    def title(self) -> str:
        """The title of the layer, such as "Conv1D(5, 16 -> 32, s=2)"."""
        f, n_x, n_C = self.W.shape
        return f"Conv1D({f}, {n_x} -> {n_C}{stride_text(self.s, self.p)})"


@contextmanager
def block_errors_in(layer: Layer) -> Iterator[None]:
    """Report an error of a block with the title of the layer instead of the block's name."""
    try:
        yield
    except (ShapeError, OptionError) as error:
        raise type(error)(layer.title, error.expected, error.got, error.hint) from None


def zero_bias(n_C: int, dtype: DTypeLike) -> Float[Array, "1 1 1 n_C"]:
    """Return the initial b, zeros (1, 1, 1, n_C)."""
    return jax.device_put(filled(0, (1, 1, 1, n_C), dtype))


def stride_text(s: int, p: Padding) -> str:
    """Return stride and padding for a title; the usual s = 1 and p = same are left out."""
    return (f", s={s}" if s != 1 else "") + (f", p={p}" if p != "same" else "")
