"""Pictures changed at random, each its own way, so that no two epochs see the same.

Notes: "Data augmentation" (course 4, week 2).

    mirror        left and right exchanged, with that probability
    crop          a window up to so many pixels above or below, left or right of the picture
    rotation      an angle up to so many degrees, either way; shear likewise
    zoom          (1 + zoom)ᵘ times as large, u from −1 to 1
    warp          each knot of a grid moved up to so many pixels, and what lies between along
    contrast      the differences from the mean times 1 − c to 1 + c
    brightness    up to so much added to all pixels, or taken; colour likewise, for each channel
    pca           α λ p added, α normal with that deviation
    noise         a normal number with that deviation added to each number

Where pixels are moved is `data/resampling.py`: once, and by whole pixels where that is enough. All
is drawn from the key by `kernels/bits.py`, cheap enough for every step on a CPU, and each change
has places of its own there: another change beside it leaves it as it was, more examples the first.
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
"""Which of an example's numbers each change takes; colour and pca follow, n_C each."""

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
    """The pictures (m, n_H, n_W, n_C) with the changes that `strengths` names.

    Other strengths are not another program. `directions` is what `principal_colours` gives; "pca"
    asks for it.
    """
    draw = numbers_of(key, images)
    images = moved(images, strengths, draw, padding)
    return tinted(images, strengths, draw, key, directions)


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
    """The same pictures, and masks whose pixels have moved along: each is that of the nearest.

    With the padding "zeros" a mask is `beyond` where its picture is 0.
    """
    draw = numbers_of(key, images)
    numbered = masks.astype(jnp.int32)[..., None] - beyond  # what `select` adds is 0
    numbered = moved(numbered, strengths, draw, padding, nearest=True) + beyond
    images = moved(images, strengths, draw, padding)
    return tinted(images, strengths, draw, key, directions), numbered[..., 0].astype(masks.dtype)


def tinted(
    images: Images, strengths: Mapping, draw: Draw, key: Key, directions: Array | None
) -> Images:
    """What changes the numbers of pixels, and moves none."""
    images = coloured(images, strengths, draw, directions)
    if "noise" not in strengths:
        return images
    noise = normal(uniform(jax.random.fold_in(key, 1), images.shape))
    return images + (_number(strengths["noise"]) * noise).astype(images.dtype)


def moved(
    images: Array, strengths: Mapping, draw: Draw, padding: str, *, nearest: bool = False
) -> Array:
    """What is geometric; `nearest` as in `resampling.transform`."""
    if not any(name in strengths for name in GEOMETRIC):
        return images
    window, turned = windows(strengths, draw), turns(strengths, draw)
    if not turned:
        return select(images, **window, padding=padding)
    return transform(images, **window, **turned, nearest=nearest, padding=padding)


def windows(strengths: Mapping, draw: Draw) -> dict:
    """What moves whole pixels: `mirrored`, `down` and `right` of each picture, as drawn."""
    window: dict = {"mirrored": False, "down": 0, "right": 0}
    if "mirror" in strengths:
        window["mirrored"] = (draw("mirror")[:, 0] + 1) / 2 < _number(strengths["mirror"])
    if "crop" in strengths:
        window["down"], window["right"] = offsets(draw("crop"), strengths["crop"]).T
    return window


def turns(strengths: Mapping, draw: Draw) -> dict:
    """What moves pixels in between others, as `resampling.transform` takes it."""
    made = [name for name in INTERPOLATED if name in strengths]  # in an order: one program
    u = {name: _number(strengths[name]) * draw(name) for name in made}
    if "zoom" in u:
        u["zoom"] = (1 + _number(strengths["zoom"])) ** draw("zoom")
    knots = {"knots": u.pop("warp").reshape(-1, 2, KNOTS, KNOTS)} if "warp" in u else {}
    return {name: number[:, 0] for name, number in u.items()} | knots


def coloured(images: Images, strengths: Mapping, draw: Draw, directions: Array | None) -> Images:
    """What changes all pixels of a picture alike."""
    if "contrast" in strengths:
        images = scale_contrast(images, 1 + _number(strengths["contrast"]) * draw("contrast")[:, 0])
    made = [name for name in SHIFTS if name in strengths]
    return shift_colours(images, shifts(images, strengths, draw, directions)) if made else images


def shifts(
    images: Images, strengths: Mapping, draw: Draw, directions: Array | None
) -> Float[Array, "m n_C"]:
    """What brightness, colour and pca add to each channel.

    A product of matrices: XLA on a CPU keeps its result, where it would draw plain sums anew for
    every pixel.
    """
    n_C = images.shape[3]
    along = {"brightness": jnp.ones((1, n_C)), "colour": jnp.eye(n_C)}
    if directions is not None:
        along["pca"] = directions.T
    made = [name for name in SHIFTS if name in strengths]
    drawn = {name: normal(draw(name)) if name == "pca" else draw(name) for name in made}
    alpha = jnp.concatenate([_number(strengths[name]) * drawn[name] for name in made], axis=1)
    return alpha @ jnp.concatenate([along[name].astype(alpha.dtype) for name in made])


def numbers_of(key: Key, images: Images) -> Draw:
    """Numbers from −1 to 1 for each example: the places of one change, (m, n)."""
    m, *_, n_C = images.shape
    end = PLACES["warp"].stop
    places = {**PLACES, "colour": slice(end, end + n_C), "pca": slice(end + n_C, end + 2 * n_C)}
    numbers = uniform(key, (m, end + 2 * n_C, 1))[..., 0]
    return lambda name: numbers[:, places[name]]


def offsets(u: Float[Array, "m 2"], most: ArrayLike) -> Float[Array, "m 2"]:
    """Whole numbers from −most to most, each as likely, from u between −1 and 1."""
    most = _number(most)
    return jnp.minimum(jnp.floor((u + 1) / 2 * (2 * most + 1)) - most, most)


def uniform(key: Key, shape: tuple[int, ...]) -> Float[Array, "..."]:
    """Numbers between −1 and 1, never the ends: the middles of 2²³ equal pieces."""
    pieces = (random_bits(key, shape) >> 9).astype(jnp.int32)
    return (2 * pieces + 1).astype(jnp.float32) * jnp.float32(2.0**-23) - 1


def normal(u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Normal numbers, of deviation 1, from uniform ones."""
    return jnp.float32(np.sqrt(2)) * jax.lax.erf_inv(u)


def _number(strength: ArrayLike) -> Float[Array, ""]:
    return jnp.asarray(strength).astype(jnp.float32)
