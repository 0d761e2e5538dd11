"""A residual block: A = g(main(A_prev) + shortcut(A_prev)).

Notes: "ResNets" (course 4, week 2): a[l+2] = g(z[l+2] + a[l]).

    shortcut    A_prev itself, if it has the shape of main(A_prev): the identity is then easy to
                learn, so additional layers do no harm
                Projection(A_prev), a 1 by 1 convolution W_s A_prev, if the shape changes
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
from chainrule.layers.conv import stride_text
from chainrule.layers.initializers import Initializer, he
from chainrule.layers.layer import Layer
from chainrule.layers.sequential import Sequential
from chainrule.types import Key


class Projection(Layer):
    """A shortcut that changes the shape: a 1 by 1 convolution with stride s, and batch norm.

    It runs in parallel to the main layers of a block and has the layer number of the last one.
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
        """Return W_s A_prev, normalised with the running averages."""
        return self.normalization(self._linear(A_prev))

    def train(
        self, A_prev: Array, *, key: Key, weights: Array | None = None
    ) -> tuple[Array, "Projection"]:
        """Return W_s A_prev, normalised over the batch, and the layer after it."""
        A, after = self.normalization.train(self._linear(A_prev), key=key, weights=weights)
        return A, eqx.tree_at(lambda layer: layer.normalization, self, after)

    def _linear(self, A_prev: Array) -> Array:
        check_images(self.title, A_prev, self.W.shape[2])
        return conv2d(A_prev, self.W, None, s=self.s)

    @property
    def title(self) -> str:
        """The title of the layer, such as "Projection(16 -> 32, s=2)"."""
        _, _, n_C_prev, n_C = self.W.shape
        return f"Projection({n_C_prev} -> {n_C}{stride_text(self.s, 'same')})"


class Residual(Layer):
    """A = g(main(A_prev) + shortcut(A_prev)); without a shortcut layer, A_prev itself is added.

    It has no layer number: the layers of `main` are counted instead.
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
        """Return A in prediction."""
        with self._named_in_errors():
            shortcut = A_prev if self.shortcut is None else self.shortcut(A_prev)
            Z = self.main(A_prev)
        return self._add(A_prev, Z, shortcut)

    def train(
        self, A_prev: Array, *, key: Key, weights: Array | None = None
    ) -> tuple[Array, "Residual"]:
        """Return A in training, and the block after it."""
        shortcut_key, key = self.keys(key)
        shortcut, shortcut_layer = A_prev, None
        with self._named_in_errors():
            if self.shortcut is not None:
                shortcut, shortcut_layer = self.shortcut.train(
                    A_prev, key=shortcut_key, weights=weights
                )
            fused = self._fused()
            main = self.main if fused is None else Sequential(self.main.layers[:-1])
            Z, main = main.train(A_prev, key=key, weights=weights)
        if fused is None:
            A = self._add(A_prev, Z, shortcut)
        else:
            self._check_shapes(A_prev, Z, shortcut)
            A, last = fused.train_fused(Z, shortcut, weights, with_relu=self.activation is relu)
            main = Sequential([*main.layers, last])
        return A, Residual(main, shortcut_layer, activation=self.activation)

    def _fused(self) -> BatchNorm | None:
        """Return the last layer if it can also add the shortcut and apply g, otherwise None."""
        last = self.main.layers[-1]
        if not isinstance(last, BatchNorm) or last.activation is not identity:
            return None
        return last if self.activation in (identity, relu) else None

    def keys(self, key: Key) -> tuple[Key, Key]:
        """Return the keys of the shortcut and the main layers, both `key` without a shortcut."""
        if self.shortcut is None:
            return key, key
        main, shortcut = jax.random.split(key)
        return shortcut, main

    def _add(self, A_prev: Array, Z: Array, shortcut: Array) -> Array:
        self._check_shapes(A_prev, Z, shortcut)
        return self.activation(Z + shortcut)

    def _check_shapes(self, A_prev: Array, Z: Array, shortcut: Array) -> None:
        """Refuse a shortcut whose shape differs from the array that it is added to."""
        if Z.shape != shortcut.shape:
            n_C_prev, n_C, s = A_prev.shape[3], Z.shape[3], -(-A_prev.shape[1] // Z.shape[1])
            raise ShapeError(
                self.title,
                f"a shortcut with the output shape of its layers, {tuple(Z.shape)}",
                str(tuple(shortcut.shape)),
                f"Projection({n_C_prev}, {n_C}{stride_text(s, 'same')}, key=key) as its shortcut",
            )

    @contextmanager
    def _named_in_errors(self) -> Iterator[None]:
        """Prefix a ShapeError raised inside the block with the title of the block."""
        try:
            yield
        except ShapeError as error:
            raise error.inside(self.title) from None

    @property
    def title(self) -> str:
        """The title of the layer, such as "Residual(Conv2D(3×3, 16 -> 16), …)"."""
        first = self.main.layers[0].title
        shortcut = "identity" if self.shortcut is None else self.shortcut.title
        return f"Residual({first} … + {shortcut})"
