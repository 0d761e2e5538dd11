"""A layer that changes the pictures that training sees, each time otherwise.

Notes: "Data augmentation" (course 4, week 2).
"""

from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, ArrayLike, Float
from numpy.typing import DTypeLike

from chainrule.data.augment import augment
from chainrule.data.augmentation import KINDS, Augmentation, read_augmentation
from chainrule.data.tints import principal_colours
from chainrule.errors import OptionError, ShapeError
from chainrule.layers.layer import Layer
from chainrule.types import Key

Strength = Float[Array, ""] | None


class Augment(Layer):
    """Training: the pictures A_prev (m, n_H, n_W, n_C), changed at random. Prediction: A = A_prev.

    The first layer of a network. How strong each change is, is held as an array that no optimiser
    moves, None where the change is not made; `directions` is for "pca": see `augment_for`.

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
        made = augmentation.strengths
        for name in KINDS:
            there = name in made
            setattr(self, name, jax.device_put(np.asarray(made[name], dtype)) if there else None)
        if "pca" in made and directions is None:
            expected = "the directions in which the colours of the training pictures vary"
            raise OptionError("Augment, pca", expected, "none", "augment_for(images, …)")
        has = "pca" in made
        self.directions = jax.device_put(np.asarray(directions, dtype)) if has else None
        self.padding = augmentation.padding

    def __call__(self, A_prev: Float[Array, "m n_H n_W n_C"]) -> Float[Array, "m n_H n_W n_C"]:
        """A = A_prev."""
        self.check(A_prev)
        return A_prev

    def train(
        self, A_prev: Float[Array, "m n_H n_W n_C"], *, key: Key, weights: Array | None = None
    ) -> tuple[Float[Array, "m n_H n_W n_C"], "Augment"]:
        """A_prev, changed."""
        self.check(A_prev)
        how = {"padding": self.padding, "directions": self.directions}
        return augment(A_prev, self.strengths, key=key, **how), self

    @property
    def strengths(self) -> Mapping[str, Array]:
        """The changes that are made."""
        named = {name: getattr(self, name) for name in KINDS}
        return {name: strength for name, strength in named.items() if strength is not None}

    def check(self, A_prev: Array) -> None:
        """Refuse what is no picture, or has other channels than the directions."""
        n_C = "n_C" if self.directions is None else self.directions.shape[0]
        if A_prev.ndim == 4 and n_C in ("n_C", A_prev.shape[3]):
            return
        hint = "vector_to_image, where the pixels stand in columns"
        if A_prev.ndim == 4:
            hint = f"augment_for with pictures of {A_prev.shape[3]} channels"
        raise ShapeError("Augment", f"(m, n_H, n_W, {n_C}), images", str(tuple(A_prev.shape)), hint)

    @property
    def title(self) -> str:
        """Such as "Augment(mirror=0.5, crop=4)"."""
        made = [f"{name}={float(strength):.3g}" for name, strength in self.strengths.items()]
        return f"Augment({', '.join(made)})"


def augment_for(
    images: ArrayLike, augmentation: Augmentation | str = "auto", *, dtype: DTypeLike = np.float32
) -> Augment:
    """The layer for training pictures (m, n_H, n_W, n_C), in the numbers that the network sees.

    It knows what "auto" means for them, that a crop leaves something of them, and their colours.
    """
    shape = np.shape(images)
    if len(shape) != 4:
        hint = "images[..., None], where they are grey"
        raise ShapeError("augment_for", "(m, n_H, n_W, n_C), images", str(shape), hint)
    if isinstance(augmentation, str):
        augmentation = read_augmentation(augmentation, shape[1:])
    directions = principal_colours(images) if augmentation.pca else None
    return Augment(augmentation, directions=directions, dtype=dtype)
