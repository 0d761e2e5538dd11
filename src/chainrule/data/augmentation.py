"""Parse the augmentation option: which changes to apply to training images, and how strongly.

    mirror,crop=4,rotation=10,colour=0.1        only the named changes
    crop=2,padding=zeros                        how pixels outside the image are filled
    none                                        no augmentation
    auto                                        changes that are safe for this kind of image

Notes: "Data augmentation" (course 4, week 2).

>>> read_augmentation("mirror, crop=4")
Augmentation(mirror=0.5, crop=4, padding='reflect')
>>> print(read_augmentation("auto", (28, 28, 1)))
crop=3,padding=edge
"""

import math
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from chainrule.errors import OptionError, check_choice

WHERE = "augmentation"
PADDINGS = ("reflect", "edge", "zeros")
COLOURS = 3
CROPPED = 8  # an eighth of the side: the usual 4 pixels for images of 32


class Kind(NamedTuple):
    """A change: its default strength, its largest strength, and the unit."""

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
    """The strength of each change (the units are in data/augment.py); 0 disables it.

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
                WHERE, "the shape of the images together with auto", "none", "shape=(32, 32, 3)"
            )
        return usual_augmentation(shape)
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


def usual_augmentation(shape: tuple[int, ...]) -> Augmentation:
    """Return the default: a crop by an eighth of the shorter side, with a flip for colour images.

    Grey images may show digits or letters, and a mirrored b is a d.
    """
    n_H, n_W, n_C = shape
    crop = min(max(1, min(n_H, n_W) // CROPPED), min(n_H, n_W) - 1)
    if n_C == COLOURS:
        return Augmentation(mirror=0.5, crop=crop)
    return Augmentation(crop=crop, padding="edge")


def check_strength(name: str, value: Any) -> None:
    """Refuse a strength outside the range of its kind."""
    kind = KINDS[name]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = number and 0 <= value <= kind.most and math.isfinite(value)
    if fits and (name != "crop" or value == int(value)):
        return
    to = "at least 0" if kind.most == math.inf else f"from 0 to {kind.most}"
    hint = f"{name}={kind.usual}, the default"
    raise OptionError(f"{WHERE}, {name}", f"{kind.unit}, {to}", repr(value), hint)


def check_fits(augmentation: Augmentation, shape: tuple[int, ...]) -> None:
    """Refuse a crop that could leave nothing of the image."""
    n_H, n_W, *_ = shape
    least = min(n_H, n_W)
    if augmentation.crop >= least:
        expected = f"fewer pixels than the {least} of the shorter side"
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
