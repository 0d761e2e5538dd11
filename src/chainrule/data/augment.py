"""Random image augmentation: every image is changed differently in every epoch.

Notes: "Data augmentation" (course 4, week 2).

    mirror        a horizontal flip, with this probability
    crop          a shift by up to this many pixels, vertically and horizontally
    rotation      an angle of up to this many degrees, in either direction; shear likewise
    zoom          a magnification by (1 + zoom)ᵘ, u from −1 to 1
    warp          a smooth deformation: each knot of a grid moves by up to this many pixels
    contrast      differences from the mean are multiplied by 1 − c to 1 + c
    brightness    a shift of all pixels by up to this much, up or down; colour: one per channel
    pca           adds α λ p, with α normal and of this standard deviation
    noise         adds a normal number of this standard deviation to each value

`data/resampling.py` moves the pixels: all geometric changes in one interpolation, or in none where
shifts by whole pixels suffice. `kernels/bits.py` derives the random numbers from the key, cheaply
enough for every step on a CPU. Each change has its own slots among an example's numbers, so that
adding a change, or more examples, leaves the other numbers as they were.
"""

from collections.abc import Callable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from chainrule.data.resampling import KNOTS, Images, select, transform
from chainrule.data.tints import scale_contrast, shift_colours
from chainrule.kernels.bits import random_bits
from chainrule.types import Key

INTERPOLATED = ("rotation", "shear", "zoom", "warp")
SHIFTS = ("brightness", "colour", "pca")
GEOMETRIC = (*INTERPOLATED, "mirror", "crop")

PLACES = {
    "mirror": slice(0, 1),
    "crop": slice(1, 3),
    "rotation": slice(3, 4),
    "shear": slice(4, 5),
    "zoom": slice(5, 6),
    "contrast": slice(6, 7),
    "brightness": slice(7, 8),
    "warp": slice(8, 8 + 2 * KNOTS**2),
}
"""The random numbers of an example that each change uses; colour and pca follow, n_C each."""

Draw = Callable[[str], Float[Array, "m n"]]


@partial(jax.jit, static_argnames="padding", inline=True)
def augment(
    images: Images,
    strengths: Mapping[str, ArrayLike],
    *,
    key: Key,
    padding: str = "reflect",
    directions: Float[Array, "n_C n_C"] | None = None,
) -> Images:
    """Return the images (m, n_H, n_W, n_C) with the changes named in `strengths` applied.

    Changing a strength does not recompile. `directions`, from `principal_colours`, is needed for
    "pca".
    """
    draw = numbers_of(key, images)
    images = moved(images, strengths, draw, padding)
    return change_colours(images, strengths, draw, key, directions)


@partial(jax.jit, static_argnames=("padding", "beyond"), inline=True)
def augment_marked(
    images: Images,
    masks: Int[Array, "m n_H n_W"],
    strengths: Mapping[str, ArrayLike],
    *,
    key: Key,
    beyond: int,
    padding: str = "reflect",
    directions: Float[Array, "n_C n_C"] | None = None,
) -> tuple[Images, Int[Array, "m n_H n_W"]]:
    """Augment images together with their masks, whose pixels move along (nearest neighbour).

    With padding "zeros", masks have the value `beyond` outside the image.
    """
    draw = numbers_of(key, images)
    numbered = masks.astype(jnp.int32)[..., None] - beyond  # `select` pads with 0
    numbered = moved(numbered, strengths, draw, padding, nearest=True) + beyond
    images = moved(images, strengths, draw, padding)
    return change_colours(images, strengths, draw, key, directions), numbered[..., 0].astype(
        masks.dtype
    )


def change_colours(
    images: Images, strengths: Mapping, draw: Draw, key: Key, directions: Array | None
) -> Images:
    """Apply the changes of pixel values, which move no pixels."""
    images = coloured(images, strengths, draw, directions)
    if "noise" not in strengths:
        return images
    noise = normal(uniform(jax.random.fold_in(key, 1), images.shape))
    return images + (_number(strengths["noise"]) * noise).astype(images.dtype)


def moved(
    images: Array, strengths: Mapping, draw: Draw, padding: str, *, nearest: bool = False
) -> Array:
    """Apply the geometric changes; for `nearest` see `resampling.transform`."""
    if not any(name in strengths for name in GEOMETRIC):
        return images
    window, turned = windows(strengths, draw), turns(strengths, draw)
    if not turned:
        return select(images, **window, padding=padding)
    return transform(images, **window, **turned, nearest=nearest, padding=padding)


def windows(strengths: Mapping, draw: Draw) -> dict:
    """Return the drawn shifts by whole pixels: `mirrored`, `down` and `right` of each image."""
    window: dict = {"mirrored": False, "down": 0, "right": 0}
    if "mirror" in strengths:
        window["mirrored"] = (draw("mirror")[:, 0] + 1) / 2 < _number(strengths["mirror"])
    if "crop" in strengths:
        window["down"], window["right"] = offsets(draw("crop"), strengths["crop"]).T
    return window


def turns(strengths: Mapping, draw: Draw) -> dict:
    """Return the drawn changes that need interpolation, as arguments of `resampling.transform`."""
    # The order is fixed, so that the same changes are the same compiled program.
    applied = [name for name in INTERPOLATED if name in strengths]
    u = {name: _number(strengths[name]) * draw(name) for name in applied}
    if "zoom" in u:
        u["zoom"] = (1 + _number(strengths["zoom"])) ** draw("zoom")
    knots = {"knots": u.pop("warp").reshape(-1, 2, KNOTS, KNOTS)} if "warp" in u else {}
    return {name: number[:, 0] for name, number in u.items()} | knots


def coloured(images: Images, strengths: Mapping, draw: Draw, directions: Array | None) -> Images:
    """Apply the changes that are the same for all pixels of an image."""
    if "contrast" in strengths:
        images = scale_contrast(images, 1 + _number(strengths["contrast"]) * draw("contrast")[:, 0])
    applied = [name for name in SHIFTS if name in strengths]
    return shift_colours(images, shifts(images, strengths, draw, directions)) if applied else images


def shifts(
    images: Images, strengths: Mapping, draw: Draw, directions: Array | None
) -> Float[Array, "m n_C"]:
    """Return what brightness, colour and pca add to each channel.

    It is a matrix product because XLA on a CPU stores its result; plain sums would be recomputed
    for every pixel.
    """
    n_C = images.shape[3]
    along = {"brightness": jnp.ones((1, n_C)), "colour": jnp.eye(n_C)}
    if directions is not None:
        along["pca"] = directions.T
    applied = [name for name in SHIFTS if name in strengths]
    drawn = {name: normal(draw(name)) if name == "pca" else draw(name) for name in applied}
    alpha = jnp.concatenate([_number(strengths[name]) * drawn[name] for name in applied], axis=1)
    return alpha @ jnp.concatenate([along[name].astype(alpha.dtype) for name in applied])


def numbers_of(key: Key, images: Images) -> Draw:
    """Return a function that gives the random numbers, from −1 to 1, of a change: (m, n)."""
    m, *_, n_C = images.shape
    end = PLACES["warp"].stop
    places = {**PLACES, "colour": slice(end, end + n_C), "pca": slice(end + n_C, end + 2 * n_C)}
    numbers = uniform(key, (m, end + 2 * n_C, 1))[..., 0]
    return lambda name: numbers[:, places[name]]


def offsets(u: Float[Array, "m 2"], most: ArrayLike) -> Float[Array, "m 2"]:
    """Map u between −1 and 1 to integers from −most to most, each equally likely."""
    most = _number(most)
    return jnp.minimum(jnp.floor((u + 1) / 2 * (2 * most + 1)) - most, most)


def uniform(key: Key, shape: tuple[int, ...]) -> Float[Array, "..."]:
    """Return numbers in (−1, 1), the ends excluded: midpoints of 2²³ equal intervals."""
    pieces = (random_bits(key, shape) >> 9).astype(jnp.int32)
    return (2 * pieces + 1).astype(jnp.float32) * jnp.float32(2.0**-23) - 1


def normal(u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Map uniform numbers in (−1, 1) to standard normal ones."""
    return jnp.float32(np.sqrt(2)) * jax.lax.erf_inv(u)


def _number(strength: ArrayLike) -> Float[Array, ""]:
    """Return a strength as a float32 scalar."""
    return jnp.asarray(strength).astype(jnp.float32)
