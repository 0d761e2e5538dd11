"""Check the boxes of annotations: each is used, clipped, left out with a count, or refused.

    inside its image                            used as it is
    a little over the edge                      clipped, and counted in a warning
    without area                                left out, and counted in a warning
    far outside, swapped corners, not a number  refused

A box is a little over the edge if no side is further out than a tenth of the image. With `strict`,
boxes over the edge and boxes without area are refused too. All refused boxes of a source are listed
in one message.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from chainrule.choices import BOX_CHECKS
from chainrule.errors import DataError, DataWarning, check_choice
from chainrule.vision.detection.image_files import listed

FAR = 0.1
"""The share of the image's side by which a box may leave the image and still be clipped."""

DECIMALS = 1e-3
"""The tolerance of shares of the image: numbers with three decimals leave it by rounding."""

PIXELS = 0.02
"""The tolerance of boxes in pixels: numbers with two decimals leave the image by rounding."""


class BoxChecks:
    """The checks of all boxes of one source, and what they found.

    `root` is the folder that the user named, which the names of images must not leave.
    """

    def __init__(self, boxes: str = "clip", root: Path | None = None):
        check_choice("--boxes", boxes, BOX_CHECKS)
        self.strict, self.root = boxes == "strict", root
        self.clipped: list[str] = []
        self.empty: list[str] = []
        self.refused: list[DataError] = []

    def box(self, where: str, corners: Sequence[float], unit: Sequence[float]) -> np.ndarray | None:
        """Return the corners as shares of the image, or None for a box that is left out.

        `unit` is the (width, height) of the image in the unit of the corners.

        >>> BoxChecks().box("a.xml", (10, 0, 20, 50), (100, 50)).tolist()
        [0.1, 0.0, 0.2, 1.0]
        """
        try:
            return self._checked(where, corners, unit)
        except DataError as error:
            self.refused.append(error)
            return None

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Collect an error in an object, so that all of them are listed in one message."""
        try:
            yield
        except DataError as error:
            self.refused.append(error)

    def _checked(
        self, where: str, corners: Sequence[float], unit: Sequence[float]
    ) -> np.ndarray | None:
        x1, y1, x2, y2 = corners
        text = f"({x1:g}, {y1:g}) to ({x2:g}, {y2:g})"
        if not np.isfinite(corners).all():
            raise DataError(where, "four finite numbers", text, "drawing the box again")
        box = np.asarray(corners, float) / [*unit, *unit]
        if box[0] > box[2] or box[1] > box[3]:
            hint = "swapping its corners"
            raise DataError(where, "a box with an area: x1 < x2 and y1 < y2", text, hint)
        if box[0] == box[2] or box[1] == box[3]:
            if self.strict:
                hint = "--boxes clip, which leaves it out"
                raise DataError(where, "a box with an area: x1 < x2 and y1 < y2", text, hint)
            self.empty.append(f"{where}: {text}")
            return None
        inside = np.clip(box, 0, 1)
        out = np.abs(box - inside)
        rounding = [DECIMALS if side == 1 else PIXELS / side for side in (*unit, *unit)]
        without = inside[0] >= inside[2] or inside[1] >= inside[3]
        if (out > rounding).any() or without:
            far = bool((out > FAR + 1e-9).any() or without)
            if self.strict or far:
                raise self._outside(where, text, unit, far=far)
            self.clipped.append(f"{where}: {text}")
        return inside

    def _outside(self, where: str, text: str, unit: Sequence[float], *, far: bool) -> DataError:
        """Return the error for a box that leaves its image."""
        width, height = unit
        expected = f"a box inside its image of {width:g} by {height:g}"
        hint = "clipping the box to the image, if it is the right image"
        return DataError(where, expected, text, hint if far else "--boxes clip")

    def report(self, source: str) -> None:
        """Raise one error that lists all refused objects; warn of boxes clipped or left out."""
        if len(self.refused) == 1:
            raise self.refused[0]
        if self.refused:
            places = [
                f"{one.where}: expected {one.expected}; got {one.got}" for one in self.refused
            ]
            separator = "\n  "
            got = f"{len(places):,} invalid objects:{separator}{listed(places, separator)}"
            hint = "; ".join(dict.fromkeys(one.hint for one in self.refused[:5]))
            raise DataError(source, "only valid objects in the annotations", got, hint)
        kinds = [
            (self.clipped, "clipped", "leave their image slightly", "leaves its image slightly"),
            (self.empty, "left out", "have no area", "has no area"),
        ]
        for places, action, are, is_ in kinds:
            if places:
                n = len(places)
                what = f"1 box that {is_} is" if n == 1 else f"{n:,} boxes that {are} are"
                message = f"{source}: {what} {action}: {listed(places)}"
                warnings.warn(message, DataWarning, stacklevel=3)
