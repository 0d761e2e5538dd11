"""What training sees: examples as they are, and beside each what augmentation makes of it."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from chainrule.errors import OptionError
from chainrule.inspection.gallery import Tile, as_colours, gallery
from chainrule.layers.augment import Augment
from chainrule.layers.layer import Layer
from chainrule.randomness import key_from_seed
from chainrule.types import Key

ROWS, CHANGED = 4, 4
"""Examples, and how often each is shown changed: sixteen in all."""

WHERE = "augmented_gallery"


def augmented_gallery(
    network: Layer, images: ArrayLike, *, key: Key | None = None, title: str = ""
) -> bytes:
    """A PNG: in each row one of the first four images, and that image as training may see it.

    `network` is an `Augment` or holds one; `images` (m, n_H, n_W, n_C) are in its numbers, or
    bytes, which are divided by 255. The brightness is that of the images as they are.
    """
    layer = augment_layer(network)
    originals = as_numbers(np.asarray(images))
    originals = originals[np.arange(ROWS) % len(originals)]
    batch = np.repeat(originals, CHANGED, axis=0)
    changed, _ = layer.train(jnp.asarray(batch), key=key_from_seed(0) if key is None else key)
    shown = np.asarray(changed).reshape(ROWS, CHANGED, *originals.shape[1:])
    every = np.concatenate([originals[:, None], shown], axis=1)
    pictures = as_colours(as_bytes(every.reshape(-1, *originals.shape[1:]), originals))
    captions = ["as it is", *[""] * CHANGED] * ROWS
    tiles = [Tile(*pair) for pair in zip(pictures, captions, strict=True)]
    return gallery(tiles, title or layer.title, columns=1 + CHANGED)


def augment_layer(network: Layer) -> Augment:
    """The `Augment` among its parts; OptionError where there is none."""
    for part in network.parts():
        if isinstance(part, Augment):
            return part
    hint = "augment_for(images) as the first of its layers"
    raise OptionError(WHERE, "a network that changes its pictures", network.title, hint)


def as_numbers(images: np.ndarray) -> np.ndarray:
    """Images in float32; bytes from 0 to 1."""
    if images.ndim != 4 or not len(images):
        hint = "images[:4], with an axis for the channels"
        raise OptionError(WHERE, "images (m, n_H, n_W, n_C)", str(images.shape), hint)
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    return images.astype(np.float32)


def as_bytes(images: np.ndarray, originals: np.ndarray) -> np.ndarray:
    """Black and white are those of the originals: 0 and 1 where these lie between, else their ends.

    >>> as_bytes(np.array([-1.0, 0.0, 0.5, 2.0]), np.array([0.0, 0.9])).tolist()
    [0, 0, 128, 255]
    """
    low, high = originals.min(), originals.max()
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    shares = (images - low) / ((high - low) or 1.0)
    return np.rint(255 * np.clip(shares, 0, 1)).astype(np.uint8)
