"""Which changes training makes to its pictures, and how strong, as people write them.

    mirror,crop=4,rotation=10,colour=0.1        what is named, the rest is left as it is
    crop=2,padding=zeros                        what is seen beyond the edge
    none                                        nothing
    auto                                        what is safe for pictures of this kind

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
CROPPED = 8  # by an eighth of the side: the 4 pixels of 32 that are usual


class Kind(NamedTuple):
    """A change: its strength where only its name is written, the most it may be, and its unit."""

    usual: float
    most: float
    unit: str


KINDS = {
    "mirror": Kind(0.5, 1, "a probability"),
    "crop": Kind(4, math.inf, "whole pixels"),
    "rotation": Kind(10, 180, "degrees"),
    "shear": Kind(5, 60, "degrees"),
    "zoom": Kind(0.1, 4, "a share of the size"),
    "warp": Kind(1, math.inf, "pixels"),
    "contrast": Kind(0.2, 1, "a share of the contrast"),
    "brightness": Kind(0.1, math.inf, "in the pixels' own numbers"),
    "colour": Kind(0.1, math.inf, "in the pixels' own numbers"),
    "pca": Kind(0.1, math.inf, "a standard deviation"),
    "noise": Kind(0.02, math.inf, "a standard deviation"),
}


@dataclass(frozen=True, repr=False)
class Augmentation:
    """How strong each change is (what the numbers mean: data/augment.py); 0 where it is not made.

    `padding` is what is seen beyond the edge: the picture mirrored ("reflect"), its last pixel
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
        """Those that are made, in the order in which they are."""
        return {name: getattr(self, name) for name in KINDS if getattr(self, name)}

    def __str__(self) -> str:
        """The text that `read_augmentation` reads as the same again."""
        said = [f"{name}={strength!r}" for name, strength in self.strengths.items()]
        if self.padding != "reflect":
            said.append(f"padding={self.padding}")
        return ",".join(said) or "none"

    def __repr__(self) -> str:
        said = {**self.strengths, "padding": self.padding}
        return f"Augmentation({', '.join(f'{name}={value!r}' for name, value in said.items())})"


def read_augmentation(text: str, shape: tuple[int, ...] | None = None) -> Augmentation:
    """What a text means; `shape` (n_H, n_W, n_C) is that of the pictures, which "auto" asks for."""
    if text.strip() == "auto":
        if shape is None:
            raise OptionError(WHERE, "the shape of the pictures beside auto", "none", "(32, 32, 3)")
        return usual_augmentation(shape)
    said = {}
    for part in [] if text.strip() == "none" else text.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        check_choice(WHERE, name, [*KINDS, "padding"])
        if name in said:
            raise OptionError(WHERE, "every change once", f"{name} twice in {text!r}")
        said[name] = _value(name, value) if equals else _usual(name)
    augmentation = Augmentation(**said)
    if shape is not None:
        check_fits(augmentation, shape)
    return augmentation


def usual_augmentation(shape: tuple[int, ...]) -> Augmentation:
    """A crop by an eighth of the shorter side, and for pictures in colour the mirror.

    Grey pictures may be digits or letters, and a mirrored b is a d.
    """
    n_H, n_W, n_C = shape
    crop = min(max(1, min(n_H, n_W) // CROPPED), min(n_H, n_W) - 1)
    if n_C == COLOURS:
        return Augmentation(mirror=0.5, crop=crop)
    return Augmentation(crop=crop, padding="edge")


def check_strength(name: str, value: Any) -> None:
    """Refuse what is no number from 0 to the most of its kind."""
    kind = KINDS[name]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = number and 0 <= value <= kind.most and math.isfinite(value)
    if fits and (name != "crop" or value == int(value)):
        return
    to = "at least 0" if kind.most == math.inf else f"from 0 to {kind.most}"
    hint = f"{name}={kind.usual}, which is usual"
    raise OptionError(f"{WHERE}, {name}", f"{kind.unit}, {to}", repr(value), hint)


def check_fits(augmentation: Augmentation, shape: tuple[int, ...]) -> None:
    """Refuse a crop that would leave nothing of the picture."""
    n_H, n_W, *_ = shape
    least = min(n_H, n_W)
    if augmentation.crop >= least:
        expected = f"fewer than the {least} pixels of the shorter side"
        hint = f"crop={max(1, least // CROPPED)}"
        raise OptionError(f"{WHERE}, crop", expected, str(augmentation.crop), hint)


def _value(name: str, text: str):
    """The number of a text, whole where it is; the word, where no number is meant."""
    if name == "padding":
        return text
    try:
        number = float(text)
    except ValueError:
        return text  # `check_strength` says what is wrong with it
    return int(number) if name == "crop" and number.is_integer() else number


def _usual(name: str) -> float:
    if name == "padding":
        hint = ", ".join(f"padding={padding}" for padding in PADDINGS)
        raise OptionError(f"{WHERE}, padding", f"one of {len(PADDINGS)} choices", "none", hint)
    return KINDS[name].usual


assert [field.name for field in fields(Augmentation)] == [*KINDS, "padding"]
