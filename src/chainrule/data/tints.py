"""Colour augmentation: change brightness, colours and contrast by the same amount in a whole image.

Notes: "Data augmentation" (course 4, week 2): colour shifting, and the PCA kind of AlexNet.

    brighten          X + b                         b one number for an image
    shift_colours     X + (b₁, b₂, b₃)              one for each of its channels
    scale_contrast    X̄ + f (X − X̄)                 X̄ the mean of each channel of the image
    principal_shift   X + Σᵢ αᵢ λᵢ pᵢ               pᵢ, λᵢ from `principal_colours`

pᵢ and λᵢ are the eigenvectors and eigenvalues of the covariance of the colours of all training
pixels: colours that vary together are shifted together, those that vary most by the most. As in
AlexNet it is λ and not √λ, for pixels from 0 to 1. Results are not clipped to [0, 1].
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

Images = Float[Array, "m n_H n_W n_C"]

MOST_PIXELS = 1_000_000


def brighten(images: Images, by: ArrayLike) -> Images:
    """Return X + b; b is one number for all images or (m,)."""
    b = jnp.broadcast_to(jnp.asarray(by).astype(images.dtype), images.shape[:1])
    return images + b[:, None, None, None]


def shift_colours(images: Images, by: Float[Array, "m n_C"]) -> Images:
    """Return X + (b₁, b₂, b₃)."""
    return images + by.astype(images.dtype)[:, None, None, :]


def scale_contrast(images: Images, factor: ArrayLike) -> Images:
    """Return X̄ + f (X − X̄); f is one number for all images or (m,)."""
    f = jnp.broadcast_to(jnp.asarray(factor).astype(images.dtype), images.shape[:1])
    mean = images.mean(axis=(1, 2), keepdims=True)
    return mean + f[:, None, None, None] * (images - mean)


def principal_shift(
    images: Images, alpha: Float[Array, "m n_C"], directions: Float[Array, "n_C n_C"]
) -> Images:
    """Return X + Σᵢ αᵢ λᵢ pᵢ, with λᵢ pᵢ the columns of `directions`."""
    return shift_colours(images, alpha @ directions.astype(alpha.dtype).T)


def principal_colours(images: ArrayLike, most: int = MOST_PIXELS) -> np.ndarray:
    """Return λᵢ pᵢ as columns (n_C, n_C), largest first, from at most `most` pixels.

    >>> grey = np.repeat(np.array([0.0, 1.0, 0.0, 1.0]).reshape(1, 2, 2, 1), 3, axis=-1)
    >>> abs(principal_colours(grey)).round(3)  # one direction: all three together
    array([[0.433, 0.   , 0.   ],
           [0.433, 0.   , 0.   ],
           [0.433, 0.   , 0.   ]])
    """
    images = np.asarray(images)
    pixels = images.reshape(-1, images.shape[-1])
    pixels = pixels[:: -(-len(pixels) // most)].astype(np.float64)
    from_mean = pixels - pixels.mean(axis=0)
    size, direction = np.linalg.eigh(from_mean.T @ from_mean / len(pixels))
    direction = direction * np.where(direction.sum(axis=0) < 0, -1, 1)  # makes the sign unique
    return np.ascontiguousarray((direction * np.maximum(size, 0))[:, ::-1])
