"""Layers for face embeddings: scaling to length one, averaging mirror images, classifying pairs.

Notes: "Triplet loss", "Face verification and binary classification" (course 4, week 4);
"FaceNet" (Schroff and others, 2015).

    UnitLength        A = A_prev / ‖A_prev‖, column by column
    Mirrored          A = (main(A_prev) + main(A_prev mirrored)) / 2, for each image
    PairClassifier    Z = W |f(x1) − f(x2)| + b        ŷ = sigmoid(Z): its cost is logistic

At length one only the direction of an embedding matters, so that the margin has a fixed scale and
short vectors cannot keep the cost small.

A mirrored face is the same face. A network that has to learn this needs both images of every
person; a network that averages both satisfies it by construction, also for unknown people.

The pair classifier is logistic regression on how the embeddings of two images differ; ŷ is the
probability that both images show the same person.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import DTypeLike

from chainrule.blocks.distances import absolute_difference
from chainrule.blocks.linear import linear
from chainrule.blocks.similarity import normalize_rows
from chainrule.errors import ShapeError, check_columns, check_images, shape_errors_in
from chainrule.layers.initializers import Initializer, small
from chainrule.layers.layer import Layer
from chainrule.layers.sequential import Sequential
from chainrule.types import Key


class UnitLength(Layer):
    """A layer that divides each column of A_prev (n, m) by its length; a zero column stays zero.

    >>> UnitLength()(jnp.array([[0.0, 4.0, 0.0], [2.0, 0.0, 0.0]])).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """

    numbered: ClassVar[bool] = False

    def __call__(self, A_prev: Float[Array, "n m"]) -> Float[Array, "n m"]:
        """Return A = A_prev / ‖A_prev‖."""
        if A_prev.ndim != 2:
            expected, got = "(n, m), one column per example", str(tuple(A_prev.shape))
            raise ShapeError(self.title, expected, got, "a Flatten before it")
        return normalize_rows(A_prev.T).T


class Mirrored(Layer):
    """A layer whose output A (n, m) is equal for an image and its mirror image.

    It has no layer number: the layers of `main`, which must return columns, are counted instead.
    """

    numbered: ClassVar[bool] = False

    main: Sequential

    def __call__(self, A_prev: Array) -> Array:
        """Return A in prediction."""
        with shape_errors_in(self.title):
            return self._mean(self.main(self._both(A_prev)))

    def train(
        self, A_prev: Array, *, key: Key, weights: Array | None = None
    ) -> tuple[Array, "Mirrored"]:
        """Return A in training, and the layer after it."""
        twice = None if weights is None else jnp.concatenate([weights, weights], axis=-1)
        with shape_errors_in(self.title):
            A, main = self.main.train(self._both(A_prev), key=key, weights=twice)
            return self._mean(A), Mirrored(main)

    def _both(self, A_prev: Array) -> Array:
        """Return the images, followed by their mirror images."""
        check_images(self.title, A_prev)
        return jnp.concatenate([A_prev, A_prev[:, :, ::-1]], axis=0)

    def _mean(self, A: Array) -> Array:
        if A.ndim != 2:
            expected, got = "layers that return columns (n, m)", str(tuple(A.shape))
            raise ShapeError(self.title, expected, got, "a Flatten after them")
        m = A.shape[1] // 2
        return (A[:, :m] + A[:, m:]) / 2

    @property
    def title(self) -> str:
        """The title of the layer, such as "Mirrored(Conv2D(3×3, 1 -> 8) … Dense(96 -> 64))"."""
        return f"Mirrored({self.main.layers[0].title} … {self.main.layers[-1].title})"


class PairClassifier(Layer):
    """A layer that computes Z (1, m) for m pairs, each a column of A_prev with two embeddings.

    >>> layer = PairClassifier(2, key=jax.random.key(0))
    >>> layer(jnp.ones((4, 3), jnp.float32)).tolist()  # equal embeddings: Z = b
    [[0.0, 0.0, 0.0]]
    """

    W: Float[Array, "1 n"]
    b: Float[Array, "1 1"]

    def __init__(
        self, n: int, *, key: Key, initializer: Initializer = small, dtype: DTypeLike = np.float32
    ):
        self.W = initializer(key, (1, n), dtype)
        self.b = jax.device_put(np.zeros((1, 1), dtype))

    def __call__(self, A_prev: Float[Array, "n2 m"]) -> Float[Array, "1 m"]:
        """Return Z = W |f(x1) − f(x2)| + b."""
        n = self.W.shape[1]
        check_columns(self.title, A_prev, 2 * n)
        return linear(absolute_difference(A_prev[:n], A_prev[n:]), self.W, self.b)

    @property
    def title(self) -> str:
        """The title of the layer, such as "PairClassifier(2×64 -> 1)"."""
        return f"Likeness(2×{self.W.shape[1]} -> 1)"
