"""A residual block: A = g(main(A_prev) + shortcut(A_prev)).

Notes: "ResNets" (course 4, week 2): a[l+2] = g(z[l+2] + a[l]).

    shortcut    A_prev itself, where its shape is that of main(A_prev): the identity is easy to
                learn, so more layers do no harm
                Projection(A_prev), W_s A_prev of 1 by 1 with stride s, where the shape changes
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import DTypeLike

from chainrule.blocks.activations import identity, relu
from chainrule.blocks.convolution import conv2d
from chainrule.errors import ShapeError, check_images
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import strided
from chainrule.layers.initializers import Initializer, he
from chainrule.layers.layer import Layer
from chainrule.layers.sequential import Sequential
from chainrule.types import Key


class Projection(Layer):
    """A shortcut that changes the shape: a convolution of 1 by 1 with stride s, and batch norm.

    It runs beside the layers it leads around, and has the number of the last of them.
    """

    numbered: ClassVar[bool] = False

    W: Float[Array, "1 1 n_C_prev n_C"]
    normalization: BatchNorm
    s: int = eqx.field(static=True)

    def __init__(
        self,
        n_C_prev: int,
        n_C: int,
        *,
        s: int = 1,
        key: Key,
        initializer: Initializer = he,
        dtype: DTypeLike = np.float32,
    ):
        self.W = initializer(key, (1, 1, n_C_prev, n_C), dtype)
        self.normalization = BatchNorm(n_C, images=True, dtype=dtype)
        self.s = s

    def __call__(self, A_prev: Float[Array, "m n_H n_W n_C_prev"]) -> Array:
        """W_s A_prev, normalised with the running averages."""
        return self.normalization(self._linear(A_prev))

    def train(
        self, A_prev: Array, *, key: Key, weights: Array | None = None
    ) -> tuple[Array, "Projection"]:
        """W_s A_prev, normalised by the batch, and the layer after it."""
        A, after = self.normalization.train(self._linear(A_prev), key=key, weights=weights)
        return A, eqx.tree_at(lambda one: one.normalization, self, after)

    def _linear(self, A_prev: Array) -> Array:
        check_images(self.title, A_prev, self.W.shape[2])
        return conv2d(A_prev, self.W, None, s=self.s)

    @property
    def title(self) -> str:
        """Such as "Projection(16 -> 32, s=2)"."""
        _, _, n_C_prev, n_C = self.W.shape
        return f"Projection({n_C_prev} -> {n_C}{strided(self.s, 'same')})"


class Residual(Layer):
    """A = g(main(A_prev) + shortcut(A_prev)); without a shortcut layer A_prev itself is added.

    It has no number of its own: the layers of `main` are counted.
    """

    numbered: ClassVar[bool] = False

    main: Sequential
    shortcut: Projection | None
    activation: Callable = eqx.field(static=True)

    def __init__(
        self,
        main: Sequential,
        shortcut: Projection | None = None,
        *,
        activation: Callable = relu,
    ):
        self.main, self.shortcut, self.activation = main, shortcut, activation

    def __call__(self, A_prev: Array) -> Array:
        """A as prediction does it."""
        with self._said():
            led_around = A_prev if self.shortcut is None else self.shortcut(A_prev)
            Z = self.main(A_prev)
        return self._joined(A_prev, Z, led_around)

    def train(
        self, A_prev: Array, *, key: Key, weights: Array | None = None
    ) -> tuple[Array, "Residual"]:
        """A as training does it, and the block after it."""
        own, key = self.keys(key)
        led_around, shortcut = A_prev, None
        with self._said():
            if self.shortcut is not None:
                led_around, shortcut = self.shortcut.train(A_prev, key=own, weights=weights)
            fused = self._fused()
            main = self.main if fused is None else Sequential(self.main.layers[:-1])
            Z, main = main.train(A_prev, key=key, weights=weights)
        if fused is None:
            A = self._joined(A_prev, Z, led_around)
        else:
            self._check_alike(A_prev, Z, led_around)
            A, last = fused.join(Z, led_around, weights, with_relu=self.activation is relu)
            main = Sequential([*main.layers, last])
        return A, Residual(main, shortcut, activation=self.activation)

    def _fused(self) -> BatchNorm | None:
        """The last layer, where its pass over memory can do the sum and the activation too."""
        last = self.main.layers[-1]
        if not isinstance(last, BatchNorm) or last.activation is not identity:
            return None
        return last if self.activation in (identity, relu) else None

    def keys(self, key: Key) -> tuple[Key, Key]:
        """The shortcut's and the layers'; without a shortcut they get the whole."""
        if self.shortcut is None:
            return key, key
        main, shortcut = jax.random.split(key)
        return shortcut, main

    def _joined(self, A_prev: Array, Z: Array, led_around: Array) -> Array:
        self._check_alike(A_prev, Z, led_around)
        return self.activation(Z + led_around)

    def _check_alike(self, A_prev: Array, Z: Array, led_around: Array) -> None:
        """Refuse a shortcut of another shape than what it is added to."""
        if Z.shape != led_around.shape:
            n_C_prev, n_C, s = A_prev.shape[3], Z.shape[3], -(-A_prev.shape[1] // Z.shape[1])
            raise ShapeError(
                self.title,
                f"a shortcut of the shape that its layers give, {tuple(Z.shape)}",
                str(tuple(led_around.shape)),
                f"Projection({n_C_prev}, {n_C}{strided(s, 'same')}, key=key) as its shortcut",
            )

    @contextmanager
    def _said(self) -> Iterator[None]:
        """What does not fit inside is said with the block it is in."""
        try:
            yield
        except ShapeError as error:
            raise error.inside(self.title) from None

    @property
    def title(self) -> str:
        """Such as "Residual(Conv2D(3×3, 16 -> 16), …)"."""
        first = self.main.layers[0].title
        shortcut = "identity" if self.shortcut is None else self.shortcut.title
        return f"Residual({first} … + {shortcut})"
