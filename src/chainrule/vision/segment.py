"""Segmentation as a system: from pictures with masks to a class for every pixel of new ones.

    source     a folder with images and masks, or one with train, dev and test in it; or a .npz
               file of X and Y; `data/masks.py`
    classes    a file that names the values or colours of the masks; `data/mask_classes.py`

Without dev or test parts of their own they are split off, by the notes' rule.
"""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from chainrule.data.augmentation import read_augmentation
from chainrule.data.drawing import png_of
from chainrule.data.files import choose_part
from chainrule.data.mask_classes import IGNORED, MaskClasses
from chainrule.data.masks import Masked, read_masks
from chainrule.errors import DataError, DataWarning, OptionError, ShapeError, check_choice
from chainrule.inspection.overlays import compared, palette
from chainrule.inspection.plots import cost_curve
from chainrule.segmenter import Segmenter
from chainrule.train.segmentation import class_scores, pixel_scores
from chainrule.vision.parts import HELD_OUT, as_bytes, as_channels, check_once, known, split_off
from chainrule.vision.recipe import VisionRecipe
from chainrule.vision.system import Opened, System

SHOWN, SHOWN_WIDTH = 4, 256
"""Pictures of a report: how many, and about how many pixels wide."""


@dataclass(frozen=True)
class SegmentRecipe(VisionRecipe):
    """masks, classes, ignored: see `read_masks`; depth, keep_prob, class_weight: `Segmenter`."""

    masks: str | None = None
    classes: str | None = None
    ignored: str | None = None
    depth: int | None = None
    keep_prob: float | None = None
    class_weight: str | None = None

    kind: ClassVar[str] = "segment"
    chosen: ClassVar[tuple[str, ...]] = (*VisionRecipe.chosen, "depth", "keep_prob", "class_weight")

    def __post_init__(self):
        """Refuse what means nothing, before anything is read."""
        super().__post_init__()
        self.check_least("depth", 1, "a whole number from 1 on")
        if self.keep_prob is not None and not 0 < self.keep_prob <= 1:
            expected, got = "a share above 0 and up to 1", f"{self.keep_prob:g}"
            raise OptionError("--keep-prob", expected, got, "--keep-prob 0.8")
        if self.class_weight is not None:
            check_choice("--class-weight", self.class_weight, ["balanced", "none"])

    @property
    def options(self) -> dict[str, Any]:
        """What is said of the model."""
        said = super().options
        return said | ({"class_weight": None} if self.class_weight == "none" else {})


class Segment:
    """The kind: see `Kind` in `system.py`."""

    name = "segment"
    title = "segmenter"
    recipe = SegmentRecipe
    model = Segmenter
    fitted = ("n_classes_", "counts_", "marks_")
    main = "mean_iou"
    words: ClassVar = {"mean_iou": "mean IoU", "pixel_accuracy": "pixel accuracy", "iou": "IoU"}
    captions: ClassVar = {
        "masks.png": "A few pictures: as they are, as people marked them, and as it says. What "
        "people left unmarked is left as it is.",
    }

    def open(self, recipe: SegmentRecipe) -> Opened:
        """Pictures, their masks, and which of them train."""
        how: dict[str, Any] = {"masks": recipe.masks, "image_size": recipe.image_size}
        found = read_masks(recipe.source, classes=recipe.classes, ignored=recipe.ignored, **how)
        if "train" not in found:
            hint = "a folder train beside them"
            raise DataError(recipe.source, "a train part", " and ".join(found), hint)
        first = found["train"]
        for part in HELD_OUT:
            said = getattr(recipe, part)
            check_once(recipe, part, found)
            if said not in (None, "none"):
                found[part] = read_alike(said, part, first.classes, first.X.shape[1:])
        read_augmentation(recipe.augment or "none", first.X.shape[1:])  # refused before it begins
        found = {part: found[part] for part in ("train", *HELD_OUT) if part in found}
        parts = split_off(recipe, found)
        check_there(parts["train"])
        return Opened(recipe, parts, first.classes.names)

    def fit(self, model: Segmenter, opened: Opened, **how: Any) -> Any:
        """Train on the pictures of "train", and choose by those of "dev"."""
        train, dev = opened.parts["train"], opened.parts.get("dev")
        more = () if dev is None else (dev.X, dev.Y)
        model.fit(train.X, train.Y, *more, n_classes=len(opened.names), **how)
        model.marks_ = train.classes.to_dict()

    def measure(self, model: Segmenter, part: Masked) -> dict[str, Any]:
        """m, the mean IoU, the share of pixels that are right, and the IoU of each class."""
        counts = model.pixel_counts(part.X, part.Y)
        iou = known(class_scores(counts).tolist())
        return {"m": len(part), **pixel_scores(counts), "iou": iou, "pixels": int(counts.sum())}

    def data_words(self, opened: Opened) -> str:
        """How many pictures and pixels, of which classes, in which parts."""
        first = opened.parts["train"]
        n_H, n_W = first.X.shape[1:3]
        names = ", ".join(opened.names[:6]) + (", …" if len(opened.names) > 6 else "")
        n_C = len(opened.names)
        lines = [f"{opened.recipe.source}: pictures of {n_H}×{n_W}, {n_C} classes ({names})"]
        for name, part in opened.parts.items():
            share = (part.Y != IGNORED).mean()
            lines.append(f"  {name:5} {len(part):>6,} pictures, {share:.1%} of their pixels marked")
        return "\n".join(lines)

    def pictures(self, system: System, opened: Opened) -> dict[str, bytes]:
        """The cost, and what is said of a few pictures."""
        part = opened.parts[opened.judged]
        rows = np.linspace(0, len(part) - 1, min(SHOWN, len(part))).astype(int)
        some = part.rows(rows)
        masks = list(zip(some.Y, system.model.predict(some.X), strict=True))
        scale = max(1, round(SHOWN_WIDTH / some.X.shape[2]))
        colours = colours_of(part.classes)
        shown = compared(list(as_bytes(some.X)), masks, system.names, colours, scale)
        return {"cost.png": cost_curve(system.history), "masks.png": png_of(shown)}


KIND = Segment()


def check_there(train: Masked) -> None:
    """Refuse a training part of one class; say which classes it has no pixel of."""
    there = np.isin(np.arange(len(train.classes)), train.Y)
    names = np.array(train.classes.names)
    where = f"the training part of {train.name}"
    if there.sum() < 2:
        got = f"pixels of {', '.join(names[there])} alone"
        raise DataError(where, "pixels of two classes or more", got, "more pictures")
    if not there.all():
        missing = ", ".join(names[~there])
        said = f"{where}: no pixel of {missing}, which will never be said"
        warnings.warn(said, DataWarning, stacklevel=2)


def read_alike(
    source: str,
    part: str,
    classes: MaskClasses,
    shape: tuple[int, int, int],
    *,
    masks: str | None = None,
) -> Masked:
    """A part of another source, at the size of (n_H, n_W, n_C) and with the same classes."""
    size = shape[:2] if Path(source).is_dir() else None
    found = read_masks(source, masks=masks, classes=classes, image_size=size)
    chosen = found[choose_part(source, found, part)]
    X = as_channels(chosen.X, shape[2])
    if X.shape[1:] != shape:
        expected, got = (f"pictures of {n_H}×{n_W}" for n_H, n_W, _ in (shape, X.shape[1:]))
        raise ShapeError(source, expected, got, "pictures of the size that are trained on")
    return replace(chosen, X=X)


def classes_of(system: System) -> MaskClasses:
    """What stands in masks for its classes."""
    return MaskClasses.from_dict(system.model.marks_, "the run")


def colours_of(classes: MaskClasses) -> np.ndarray:
    """(n, 3): those of the masks, where masks have colours, else colours of our own."""
    if classes.coloured:
        return np.array(classes.marks, np.uint8)
    return palette(len(classes))
