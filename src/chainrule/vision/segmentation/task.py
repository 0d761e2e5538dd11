"""Segmentation as a system: from pictures with masks to a class for every pixel of new ones.

    source     a folder with images and masks, or one with train, dev and test in it; or a .npz
               file of X and Y; `vision/segmentation/masks.py`
    classes    a file that names the values or colours of the masks;
               `vision/segmentation/mask_classes.py`

Without dev or test parts of their own they are split off, by the notes' rule.

What a segmenter says of the user's pictures, in the size of each: masks and overlays, as files.

    masks/1.png       the values of the classes, as the masks had them that it was trained on, in
                      the colours of the classes
    overlays/1.png    the same on the picture, with the names of those that there are
    classes.txt       what is what

The chances of the classes are enlarged, not their numbers, so that the edges are no stairs.
"""

import csv
import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from chainrule.data.augmentation import read_augmentation
from chainrule.data.decoding import decode_image, read_image_header
from chainrule.data.files import choose_part
from chainrule.errors import DataError, DataWarning, OptionError, ShapeError, check_choice
from chainrule.inspection.image_plots import (
    compare_masks,
    encode_mask_png,
    encode_png,
    palette,
    with_legend,
)
from chainrule.inspection.plots import cost_curve
from chainrule.vision.parts import (
    HELD_OUT,
    as_bytes,
    as_channels,
    check_once,
    known,
    read_new,
    split_off,
)
from chainrule.vision.recipe import VisionRecipe
from chainrule.vision.segmentation.cost import class_scores, pixel_scores
from chainrule.vision.segmentation.mask_classes import IGNORED, MaskClasses
from chainrule.vision.segmentation.masks import MaskedImages, by_stem, read_masks
from chainrule.vision.segmentation.segmenter import Segmenter
from chainrule.vision.task import Opened, System

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
    """The kind: see `Kind` in `vision/task.py`."""

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

    def measure(self, model: Segmenter, part: MaskedImages) -> dict[str, Any]:
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
        shown = compare_masks(list(as_bytes(some.X)), masks, system.names, colours, scale)
        return {"cost.png": cost_curve(system.history), "masks.png": encode_png(shown)}


KIND = Segment()


def check_there(train: MaskedImages) -> None:
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
) -> MaskedImages:
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


AT_ONCE = 32
"""Pictures whose chances are in memory."""


@dataclass(frozen=True, eq=False)
class Segmented:
    """A picture, and the number of the class of each of its pixels, (n_H, n_W) of bytes."""

    path: Path
    mask: np.ndarray
    names: tuple[str, ...]

    @property
    def shares(self) -> np.ndarray:
        """Of the pixels, by class."""
        return np.bincount(self.mask.ravel(), minlength=len(self.names)) / self.mask.size

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        n_H, n_W = self.mask.shape
        shares = dict(zip(self.names, self.shares.round(6).tolist(), strict=True))
        return {"file": str(self.path), "width": n_W, "height": n_H, "shares": shares}


def segmented(
    system: System, source: str | Path, *, skip_unreadable: bool = False
) -> Iterator[Segmented]:
    """What is said of each picture, whatever its size."""
    paths, X = read_new(source, system.network.shape, skip_unreadable=skip_unreadable)
    by_stem(paths)  # files of one name would be written over
    for start in range(0, len(X), AT_ONCE):
        chances = system.model.predict_proba(X[start : start + AT_ONCE])
        for path, own in zip(paths[start:], chances, strict=False):
            yield Segmented(path, likely(own, read_image_header(path).size), system.names)


def likely(chances: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The most likely class of each pixel at another size, from chances (n_H, n_W, C): bytes.

    >>> likely(np.array([[[1.0, 0.0], [0.3, 0.7]]]), (1, 4)).tolist()
    [[0, 0, 1, 1]]
    """
    for axis, new in enumerate(size):
        chances = enlarged(chances, new, axis)
    return chances.argmax(axis=2).astype(np.uint8)


def enlarged(A: np.ndarray, n: int, axis: int) -> np.ndarray:
    """n numbers along an axis, linear between the middles of the pixels, even beyond the outer.

    >>> enlarged(np.array([0.0, 1.0]), 4, axis=0).tolist()
    [0.0, 0.25, 0.75, 1.0]
    """
    old = A.shape[axis]
    if n == old:
        return A
    at = ((np.arange(n) + 0.5) * old / n - 0.5).clip(0, old - 1)
    first = np.minimum(at.astype(int), max(old - 2, 0))
    share = (at - first).reshape([-1 if i == axis else 1 for i in range(A.ndim)])
    second = np.minimum(first + 1, old - 1)
    return A.take(first, axis) * (1 - share) + A.take(second, axis) * share


def files_of(found: Sequence[Segmented], system: System) -> dict[str, bytes]:
    """Masks, overlays and the list of the classes, by name."""
    classes = classes_of(system)
    colours = colours_of(classes)
    shown = np.zeros((256, 3), np.uint8)
    shown[classes.mask_values(np.arange(len(classes)))] = colours
    files = {"classes.txt": listed(classes).encode()}
    for one in found:
        pixels, _ = decode_image(one.path, one.mask.shape, grey=False)  # pyright: ignore
        name = f"{one.path.stem}.png"
        files[f"masks/{name}"] = encode_mask_png(classes.mask_values(one.mask), shown)
        drawn = with_legend(pixels, one.mask, one.names, colours)
        files[f"overlays/{name}"] = encode_png(drawn)
    return files


def listed(classes: MaskClasses) -> str:
    """The file that `read_classes` reads as the same.

    >>> print(listed(MaskClasses(("cat", "dog"), ((1,), (7,)))), end="")
    cat 1
    dog 7
    """
    rows = zip(classes.names, classes.marks, strict=True)
    return "".join(f"{name} {' '.join(map(str, mark))}\n" for name, mark in rows)


def as_csv(found: Sequence[Segmented]) -> str:
    """A header, and for each picture the share of each class."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    for i, one in enumerate(found):
        if i == 0:
            table.writerow(["file", *one.names])
        table.writerow([one.path, *(f"{share:.6f}" for share in one.shares)])
    return text.getvalue()
