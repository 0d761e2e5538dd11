"""Image augmentation: random changes of the training images, different in every epoch.

Notes: "Data augmentation" (course 4, week 2): mirroring, random cropping, rotation, shearing, local
warping, colour shifting, and the PCA colour augmentation of AlexNet.

The option `--augment` names the changes and their strengths:

    mirror,crop=4,rotation=10,colour=0.1        only the named changes
    crop=2,padding=zeros                        how pixels outside the image are filled
    none                                        no augmentation
    auto                                        changes that are safe for this kind of image

The changes and their units:

    mirror        a horizontal flip, with this probability
    crop          a shift by up to this many pixels, vertically and horizontally
    rotation      an angle of up to this many degrees, in either direction; shear likewise
    zoom          a magnification by (1 + zoom)ᵘ, u from −1 to 1
    warp          a smooth deformation: each knot of a grid moves by up to this many pixels
    contrast      differences from the mean are multiplied by 1 − c to 1 + c
    brightness    all pixels become brighter or darker, by up to this much
    colour        each channel becomes brighter or darker, by up to this much
    pca           adds α λ p, with α from a normal distribution with this standard deviation
    noise         adds normally distributed noise of this standard deviation to each value

Changes of brightness, colour and contrast are the same for all pixels of an image:

    brighten          X + b                         b one number for an image
    shift_colours     X + (b₁, b₂, b₃)              one for each of its channels
    scale_contrast    X̄ + f (X − X̄)                 X̄ the mean of each channel of the image
    principal_shift   X + Σᵢ αᵢ λᵢ pᵢ               pᵢ, λᵢ from `principal_colours`

pᵢ and λᵢ are the eigenvectors and eigenvalues of the covariance of the colours of all training
pixels: colours that vary together are shifted together, and those that vary most are shifted most.
As in AlexNet, the factor is λ and not √λ, for pixels from 0 to 1. Results are not clipped to [0,
1].

`data/resampling.py` moves the pixels: all geometric changes in one interpolation, or in none where
shifts by whole pixels suffice. `kernels/random_bits.py` derives the random numbers from the key,
cheaply enough for every step on a CPU. Each change has its own slots among an example's numbers, so
that adding a change, or more examples, leaves the other numbers as they were.

>>> read_augmentation("mirror, crop=4")
Augmentation(mirror=0.5, crop=4, padding='reflect')
>>> print(read_augmentation("auto", (28, 28, 1)))
crop=3,padding=edge
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from chainrule.data.resampling import KNOTS, Images, select, transform
from chainrule.errors import OptionError, check_choice
from chainrule.kernels.random_bits import random_bits
from chainrule.types import Key

# Reading the option

WHERE = "augmentation"
PADDINGS = ("reflect", "edge", "zeros")
COLOURS = 3
CROPPED = 8  # an eighth of the side: the usual 4 pixels for images of 32


class Kind(NamedTuple):
    """A kind of change: its default strength, its largest strength, and the unit of both."""

    usual: float
    most: float
    unit: str


KINDS = {
    "mirror": Kind(0.5, 1, "a probability"),
    "crop": Kind(4, math.inf, "a whole number of pixels"),
    "rotation": Kind(10, 180, "a number of degrees"),
    "shear": Kind(5, 60, "a number of degrees"),
    "zoom": Kind(0.1, 4, "a fraction of the size"),
    "warp": Kind(1, math.inf, "a number of pixels"),
    "contrast": Kind(0.2, 1, "a fraction of the contrast"),
    "brightness": Kind(0.1, math.inf, "in the units of the pixels"),
    "colour": Kind(0.1, math.inf, "in the units of the pixels"),
    "pca": Kind(0.1, math.inf, "a standard deviation"),
    "noise": Kind(0.02, math.inf, "a standard deviation"),
}


@dataclass(frozen=True, repr=False)
class Augmentation:
    """The strength of each change, in the unit given in `KINDS`; 0 disables it.

    `padding` fills pixels outside the image: the mirrored image ("reflect"), its last pixel
    ("edge"), or "zeros".
    """

    mirror: float = 0
    crop: int = 0
    rotation: float = 0
    shear: float = 0
    zoom: float = 0
    warp: float = 0
    contrast: float = 0
    brightness: float = 0
    colour: float = 0
    pca: float = 0
    noise: float = 0
    padding: str = "reflect"

    def __post_init__(self):
        for name in KINDS:
            check_strength(name, getattr(self, name))
        check_choice(f"{WHERE}, padding", self.padding, PADDINGS)

    @property
    def strengths(self) -> dict[str, float]:
        """Return the enabled changes with their strengths, in order of application."""
        return {name: getattr(self, name) for name in KINDS if getattr(self, name)}

    def __str__(self) -> str:
        """Return the text from which `read_augmentation` restores this object."""
        items = [f"{name}={strength!r}" for name, strength in self.strengths.items()]
        if self.padding != "reflect":
            items.append(f"padding={self.padding}")
        return ",".join(items) or "none"

    def __repr__(self) -> str:
        items = {**self.strengths, "padding": self.padding}
        return f"Augmentation({', '.join(f'{name}={value!r}' for name, value in items.items())})"


def read_augmentation(text: str, shape: tuple[int, ...] | None = None) -> Augmentation:
    """Parse an augmentation option; "auto" needs the images' `shape` (n_H, n_W, n_C)."""
    if text.strip() == "auto":
        if shape is None:
            raise OptionError(
                WHERE, "the shape of the images, which auto needs", "none", "shape=(32, 32, 3)"
            )
        return default_augmentation(shape)
    settings = {}
    for part in [] if text.strip() == "none" else text.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        check_choice(WHERE, name, [*KINDS, "padding"])
        if name in settings:
            raise OptionError(WHERE, "each change at most once", f"{name} twice in {text!r}")
        settings[name] = _value(name, value) if equals else _default_strength(name)
    augmentation = Augmentation(**settings)
    if shape is not None:
        check_fits(augmentation, shape)
    return augmentation


def default_augmentation(shape: tuple[int, ...]) -> Augmentation:
    """Return the default: a crop by an eighth of the shorter side, with a flip for colour images.

    Grey images may show digits or letters, and a mirrored b is a d.
    """
    n_H, n_W, n_C = shape
    crop = min(max(1, min(n_H, n_W) // CROPPED), min(n_H, n_W) - 1)
    if n_C == COLOURS:
        return Augmentation(mirror=0.5, crop=crop)
    return Augmentation(crop=crop, padding="edge")


def check_strength(name: str, value: Any) -> None:
    """Raise an error if a strength is outside the range that its change allows."""
    kind = KINDS[name]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = number and 0 <= value <= kind.most and math.isfinite(value)
    if fits and (name != "crop" or value == int(value)):
        return
    to = "at least 0" if kind.most == math.inf else f"from 0 to {kind.most}"
    hint = f"{name}={kind.usual}, the default"
    raise OptionError(f"{WHERE}, {name}", f"{kind.unit}, {to}", repr(value), hint)


def check_fits(augmentation: Augmentation, shape: tuple[int, ...]) -> None:
    """Refuse a crop so large that nothing of the image could remain."""
    n_H, n_W, *_ = shape
    least = min(n_H, n_W)
    if augmentation.crop >= least:
        expected = f"a number of pixels less than the shorter side of the image ({least})"
        hint = f"crop={max(1, least // CROPPED)}"
        raise OptionError(f"{WHERE}, crop", expected, str(augmentation.crop), hint)


def _value(name: str, text: str):
    """Parse a value: a number, an integer for crop, or the text if it is not a number."""
    if name == "padding":
        return text
    try:
        number = float(text)
    except ValueError:
        return text  # `check_strength` raises the error
    return int(number) if name == "crop" and number.is_integer() else number


def _default_strength(name: str) -> float:
    """Return the default strength of a change."""
    if name == "padding":
        hint = ", ".join(f"padding={padding}" for padding in PADDINGS)
        raise OptionError(f"{WHERE}, padding", f"one of {len(PADDINGS)} choices", "no value", hint)
    return KINDS[name].usual


assert [field.name for field in fields(Augmentation)] == [*KINDS, "padding"]

# Applying the changes to a batch

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
    images = apply_geometry(images, strengths, draw, padding)
    return change_colours(images, strengths, draw, key, directions)


@partial(jax.jit, static_argnames=("padding", "beyond"), inline=True)
def augment_with_masks(
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
    numbered = apply_geometry(numbered, strengths, draw, padding, nearest=True) + beyond
    images = apply_geometry(images, strengths, draw, padding)
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


def apply_geometry(
    images: Array, strengths: Mapping, draw: Draw, padding: str, *, nearest: bool = False
) -> Array:
    """Apply the geometric changes; for `nearest` see `resampling.transform`."""
    if not any(name in strengths for name in GEOMETRIC):
        return images
    window, turned = draw_windows(strengths, draw), draw_transformations(strengths, draw)
    if not turned:
        return select(images, **window, padding=padding)
    return transform(images, **window, **turned, nearest=nearest, padding=padding)


def draw_windows(strengths: Mapping, draw: Draw) -> dict:
    """Draw whether each image is `mirrored`, and its shift `down` and `right` by whole pixels."""
    window: dict = {"mirrored": False, "down": 0, "right": 0}
    if "mirror" in strengths:
        window["mirrored"] = (draw("mirror")[:, 0] + 1) / 2 < _number(strengths["mirror"])
    if "crop" in strengths:
        window["down"], window["right"] = offsets(draw("crop"), strengths["crop"]).T
    return window


def draw_transformations(strengths: Mapping, draw: Draw) -> dict:
    """Draw the changes that need interpolation, as arguments of `resampling.transform`."""
    # The order is fixed, so that the same changes are the same compiled program.
    applied = [name for name in INTERPOLATED if name in strengths]
    u = {name: _number(strengths[name]) * draw(name) for name in applied}
    if "zoom" in u:
        u["zoom"] = (1 + _number(strengths["zoom"])) ** draw("zoom")
    knots = {"knots": u.pop("warp").reshape(-1, 2, KNOTS, KNOTS)} if "warp" in u else {}
    return {name: number[:, 0] for name, number in u.items()} | knots


def coloured(images: Images, strengths: Mapping, draw: Draw, directions: Array | None) -> Images:
    """Apply the changes of brightness and colour, which are the same for all pixels of an image."""
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


# Brightness, colours and contrast

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
