"""A layer that augments the training images, in a different random way at every step.

Notes: "Data augmentation" (course 4, week 2).
"""

from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, ArrayLike, Float
from numpy.typing import DTypeLike

from chainrule.data.augmentation import (
    KINDS,
    Augmentation,
    augment,
    principal_colours,
    read_augmentation,
)
from chainrule.errors import OptionError, ShapeError
from chainrule.layers.layer import Layer
from chainrule.types import Key

Strength = Float[Array, ""] | None


class Augment(Layer):
    """In training, random changes to the images A_prev (m, n_H, n_W, n_C); otherwise A = A_prev.

    It is the first layer of a network. The strength of each change is an array that optimisers do
    not change, or None if the change is not made. `directions` is for "pca", see `augment_for`.

    >>> layer = Augment("mirror, crop=4")
    >>> layer.title
    'Augment(mirror=0.5, crop=4)'
    >>> A, _ = layer.train(jnp.ones((2, 8, 8, 3)), key=jax.random.key(0))
    >>> A.shape
    (2, 8, 8, 3)
    """

    buffers: ClassVar[tuple[str, ...]] = (*KINDS, "directions")
    numbered: ClassVar[bool] = False

    mirror: Strength
    crop: Strength
    rotation: Strength
    shear: Strength
    zoom: Strength
    warp: Strength
    contrast: Strength
    brightness: Strength
    colour: Strength
    pca: Strength
    noise: Strength
    directions: Float[Array, "n_C n_C"] | None
    padding: str = eqx.field(static=True)

    def __init__(
        self,
        augmentation: Augmentation | str,
        *,
        directions: ArrayLike | None = None,
        dtype: DTypeLike = np.float32,
    ):
        if isinstance(augmentation, str):
            augmentation = read_augmentation(augmentation)
        strengths = augmentation.strengths
        for name in KINDS:
            used = name in strengths
            value = jax.device_put(np.asarray(strengths[name], dtype)) if used else None
            setattr(self, name, value)
        pca = "pca" in strengths
        if pca and directions is None:
            expected = "the principal components of the colours of the training images"
            raise OptionError("Augment, pca", expected, "none", "augment_for(images, …)")
        self.directions = jax.device_put(np.asarray(directions, dtype)) if pca else None
        self.padding = augmentation.padding

    def __call__(self, A_prev: Float[Array, "m n_H n_W n_C"]) -> Float[Array, "m n_H n_W n_C"]:
        """Return A = A_prev."""
        self.check(A_prev)
        return A_prev

    def train(
        self, A_prev: Float[Array, "m n_H n_W n_C"], *, key: Key, weights: Array | None = None
    ) -> tuple[Float[Array, "m n_H n_W n_C"], "Augment"]:
        """Return A_prev with random changes."""
        self.check(A_prev)
        settings = {"padding": self.padding, "directions": self.directions}
        return augment(A_prev, self.strengths, key=key, **settings), self

    @property
    def strengths(self) -> Mapping[str, Array]:
        """The strengths of the changes that are made, by name."""
        named = {name: getattr(self, name) for name in KINDS}
        return {name: strength for name, strength in named.items() if strength is not None}

    def check(self, A_prev: Array) -> None:
        """Refuse an array that is not images, or whose channels do not fit the directions."""
        n_C = "n_C" if self.directions is None else self.directions.shape[0]
        if A_prev.ndim == 4 and n_C in ("n_C", A_prev.shape[3]):
            return
        hint = "vector_to_image, if each image is a column of pixels"
        if A_prev.ndim == 4:
            hint = f"augment_for with images of {A_prev.shape[3]} channels"
        raise ShapeError("Augment", f"images (m, n_H, n_W, {n_C})", str(tuple(A_prev.shape)), hint)

    @property
    def title(self) -> str:
        """The title of the layer, such as "Augment(mirror=0.5, crop=4)"."""
        made = [f"{name}={float(strength):.3g}" for name, strength in self.strengths.items()]
        return f"Augment({', '.join(made)})"


def augment_for(
    images: ArrayLike, augmentation: Augmentation | str = "auto", *, dtype: DTypeLike = np.float32
) -> Augment:
    """Return the layer for training images (m, n_H, n_W, n_C), scaled as the network sees them.

    The images determine the meaning of "auto", the largest crop, and the directions for "pca".
    """
    shape = np.shape(images)
    if len(shape) != 4:
        hint = "images[..., None], if they are greyscale"
        raise ShapeError("augment_for", "images (m, n_H, n_W, n_C)", str(shape), hint)
    if isinstance(augmentation, str):
        augmentation = read_augmentation(augmentation, shape[1:])
    directions = principal_colours(images) if augmentation.pca else None
    return Augment(augmentation, directions=directions, dtype=dtype)
