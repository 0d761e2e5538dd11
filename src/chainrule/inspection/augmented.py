"""A gallery of augmented images: each original image next to augmented versions of it."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from chainrule.errors import OptionError
from chainrule.inspection.gallery import Tile, as_colours, gallery
from chainrule.layers.augment import Augment
from chainrule.layers.layer import Layer
from chainrule.randomness import key_from_seed
from chainrule.types import Key

ROWS, VERSIONS = 4, 4
"""The number of original images, and of augmented versions of each."""

WHERE = "augmented_gallery"


def augmented_gallery(
    network: Layer, images: ArrayLike, *, key: Key | None = None, title: str = ""
) -> bytes:
    """Return a PNG whose rows show one of the first four images and augmented versions of it.

    `network` is an `Augment` layer or contains one. `images` (m, n_H, n_W, n_C) are scaled as the
    network expects them, or are bytes, which are divided by 255. All versions are drawn on the
    brightness scale of the original images.
    """
    layer = augment_layer(network)
    originals = as_numbers(np.asarray(images))
    originals = originals[np.arange(ROWS) % len(originals)]
    batch = np.repeat(originals, VERSIONS, axis=0)
    augmented, _ = layer.train(jnp.asarray(batch), key=key_from_seed(0) if key is None else key)
    versions = np.asarray(augmented).reshape(ROWS, VERSIONS, *originals.shape[1:])
    rows = np.concatenate([originals[:, None], versions], axis=1)
    shown = as_colours(as_bytes(rows.reshape(-1, *originals.shape[1:]), originals))
    captions = ["original", *[""] * VERSIONS] * ROWS
    tiles = [Tile(*pair) for pair in zip(shown, captions, strict=True)]
    return gallery(tiles, title or layer.title, columns=1 + VERSIONS)


def augment_layer(network: Layer) -> Augment:
    """Return the first `Augment` layer of a network; raise OptionError if it has none."""
    for part in network.parts():
        if isinstance(part, Augment):
            return part
    hint = "augment_for(images) as the first layer of the network"
    raise OptionError(WHERE, "a network with an Augment layer", network.title, hint)


def as_numbers(images: np.ndarray) -> np.ndarray:
    """Convert images to float32; bytes are divided by 255."""
    if images.ndim != 4 or not len(images):
        hint = "images[:4], with an axis for the channels"
        raise OptionError(WHERE, "images (m, n_H, n_W, n_C)", str(images.shape), hint)
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    return images.astype(np.float32)


def as_bytes(images: np.ndarray, originals: np.ndarray) -> np.ndarray:
    """Convert images to bytes, with black and white set by the original images.

    Black is 0 and white is 1 if the originals lie between 0 and 1; otherwise they are the least
    and the greatest value of the originals.

    >>> as_bytes(np.array([-1.0, 0.0, 0.5, 2.0]), np.array([0.0, 0.9])).tolist()
    [0, 0, 128, 255]
    """
    low, high = originals.min(), originals.max()
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    shares = (images - low) / ((high - low) or 1.0)
    return np.rint(255 * np.clip(shares, 0, 1)).astype(np.uint8)
