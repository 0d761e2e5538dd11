"""The task of `chainrule segment`: from images with masks to a class for each pixel of new images.

    source     a folder that contains images and masks, or one with train, dev and test; or a .npz
               file of X and Y; see `vision/segmentation/masks.py`
    classes    a file that names the values or colours of the masks; see
               `vision/segmentation/mask_classes.py`

Dev and test sets that are not provided are split off the training set, sized as in the course
notes. The predictions for new images are written in the original size of each:

    masks/1.png       the values of the classes, as in the masks of the training data, in the
                      colours of the classes
    overlays/1.png    the mask on top of the image, with the names of the classes that occur
    classes.txt       the value of each class

The probabilities of the classes are interpolated, not their numbers, so that edges are smooth.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NotRequired, Required, TypedDict

import numpy as np

from chainrule.data.augmentation import read_augmentation
from chainrule.data.csv_cells import write_csv
from chainrule.data.decoding import FULL, decode_image, read_image_header
from chainrule.data.files import choose_part
from chainrule.errors import DataError, DataWarning, OptionError, ShapeError
from chainrule.formatting import count_of
from chainrule.host.reading import Byte, Count, Positive
from chainrule.inspection.image_plots import (
    compare_masks,
    encode_mask_png,
    encode_png,
    palette,
    with_legend,
)
from chainrule.inspection.plots import cost_curve
from chainrule.inspection.report.task_report import report
from chainrule.runs.prepare import HELD_OUT
from chainrule.vision.estimator import Fitted
from chainrule.vision.parts import (
    as_bytes,
    as_channels,
    check_once,
    names_of_drawings,
    read_new,
    split_images,
    without_nan,
)
from chainrule.vision.recipe import SegmentRecipe
from chainrule.vision.segmentation.cost import class_scores, pixel_scores
from chainrule.vision.segmentation.mask_classes import IGNORED, MaskClasses
from chainrule.vision.segmentation.masks import MaskedImages, read_masks
from chainrule.vision.segmentation.segmenter import Segmenter
from chainrule.vision.task import ReadOptions, VisionJob, VisionModel, VisionTask

SHOWN, SHOWN_WIDTH = 4, 256
"""The images in the report: how many, and about how many pixels wide."""


class SavedClasses(TypedDict):
    """The result of `MaskClasses.to_dict`; earlier versions did not store the last entries."""

    names: list[str]
    marks: list[list[Byte]]
    ignored: list[Byte] | None
    binary: NotRequired[bool]
    palette: NotRequired[list[tuple[Byte, list[Byte]]]]
    left_out: NotRequired[list[str]]


class FittedSegmenter(Fitted):
    """The attributes of a fitted `Segmenter` that are saved."""

    n_classes_: Required[Positive]
    counts_: Required[list[Count]]
    marks_: Required[SavedClasses]


class Segment(VisionTask):
    """The task of segmentation: see `VisionTask` in `vision/task.py`."""

    title = "segmenter"
    recipe = SegmentRecipe
    model = Segmenter
    fitted = FittedSegmenter
    main = "mean_iou"
    words: ClassVar = {"mean_iou": "mean IoU", "pixel_accuracy": "pixel accuracy", "iou": "IoU"}
    captions: ClassVar = {
        "masks.png": "A few images: the image, its annotated mask, and the predicted mask. Pixels "
        "that are not annotated show the image.",
    }

    def check_fitted(self, model: Any, names: tuple[str, ...]) -> None:
        """Refuse a saved model whose attributes contradict its network or the class names."""
        super().check_fitted(model, names)
        parts = {
            "pixel counts": model.counts_,
            **{name: model.marks_[name] for name in ("names", "marks")},
        }
        for part, values in parts.items():
            if len(values) != model.n_classes_:
                expected = f"{model.n_classes_} {part}, one for each class"
                raise DataError("the fitted model", expected, str(len(values)))

    def open(self, recipe: SegmentRecipe) -> VisionJob:
        """Read the images and their masks, and split them."""
        how: dict[str, Any] = {"masks": recipe.masks, "image_size": recipe.image_size}
        how["binary"] = recipe.binary
        found = read_masks(recipe.source, classes=recipe.classes, ignored=recipe.ignored, **how)
        if "train" not in found:
            hint = "adding a folder train beside them"
            raise DataError(recipe.source, "a training set", " and ".join(found), hint)
        first = found["train"]
        for part in HELD_OUT:
            given = getattr(recipe, part)
            check_once(recipe, part, found)
            if given not in (None, "none"):
                like: dict[str, Any] = {"white": first.white or FULL}
                shape = first.X.shape[1:]
                found[part] = read_similar(given, part, first.classes, shape, **like)
        read_augmentation(recipe.augment or "none", first.X.shape[1:])  # refused before training
        found = {part: found[part] for part in ("train", *HELD_OUT) if part in found}
        parts = split_images(recipe, found)
        check_classes(parts["train"])
        return VisionJob(recipe, parts, first.classes.names)

    def estimator(self, job: VisionJob) -> Segmenter:
        """Return the segmenter with the options of the recipe, and the values of the masks."""
        model = Segmenter(**job.recipe.options)
        model.marks_ = job.parts["train"].classes.to_dict()
        return model

    def fit_options(self, job: VisionJob) -> dict[str, Any]:
        """Return the number of classes, since some classes may not occur in the training set."""
        return {"n_classes": len(job.names)}

    def evaluate(self, model: Segmenter, X: Any, y: Any) -> dict[str, Any]:
        """Return m, the mean IoU, the pixel accuracy, and the IoU of each class."""
        counts = model.pixel_counts(X, y)
        iou = without_nan(class_scores(counts).tolist())
        return {"m": len(X), **pixel_scores(counts), "iou": iou, "pixels": int(counts.sum())}

    def read(self, model: VisionModel, source: str, how: ReadOptions) -> MaskedImages:
        """Read images with masks of the run's classes; `labels` is the folder of the masks."""
        if how.skip_unreadable:
            hint = "leaving it out"
            raise OptionError("--skip-unreadable", "images without masks", source, hint)
        shape = model.network.shape
        like: dict[str, Any] = {"masks": how.labels, "white": model.model.white_}
        return read_similar(source, how.split, classes_of(model), shape, **like)

    def describe_data(self, job: VisionJob) -> str:
        """Return the sizes of the data and of its sets, as text."""
        n_H, n_W = job.parts["train"].X.shape[1:3]
        names = ", ".join(job.names[:6]) + (", …" if len(job.names) > 6 else "")
        n_C = len(job.names)
        lines = [f"{job.recipe.source}: images of {n_H}×{n_W}, {count_of(n_C, 'class')} ({names})"]
        for name, part in job.parts.items():
            share = (part.Y != IGNORED).mean()
            lines.append(
                f"  {name:5} {len(part):>6,} {'image' if len(part) == 1 else 'images'}, "
                f"{share:.1%} of their pixels labelled"
            )
        return "\n".join(lines)

    def files(self, model: VisionModel, job: VisionJob) -> dict[str, bytes]:
        """Return the cost curve, the masks of a few images, and the report."""
        part = job.parts[job.result_set]
        rows = np.linspace(0, len(part) - 1, min(SHOWN, len(part))).astype(int)
        some = part.rows(rows)
        masks = list(zip(some.Y, model.predict(some.X), strict=True))
        scale = max(1, round(SHOWN_WIDTH / some.X.shape[2]))
        colours = colours_of(part.classes)
        shown = compare_masks(list(as_bytes(some.X)), masks, model.names, colours, scale)
        plots = {"cost.png": cost_curve(model.history), "masks.png": encode_png(shown)}
        return {**plots, "report.html": report(model, plots)}


TASK = Segment()


def check_classes(train: MaskedImages) -> None:
    """Refuse a training set with a single class, and warn of classes that have no pixel in it."""
    present = np.isin(np.arange(len(train.classes)), train.Y)
    names = np.array(train.classes.names)
    where = f"the training set of {train.name}"
    if present.sum() < 2:
        got = f"only pixels of {', '.join(names[present])}"
        raise DataError(where, "pixels of at least two classes", got, "more images")
    if not present.all():
        missing = ", ".join(names[~present])
        message = f"{where} has no pixel of {missing}, so this class will never be predicted"
        warnings.warn(message, DataWarning, stacklevel=2)


def read_similar(
    source: str,
    part: str,
    classes: MaskClasses,
    shape: tuple[int, int, int],
    *,
    masks: str | None = None,
    white: int = FULL,
) -> MaskedImages:
    """Read a set from another source, with the same classes and with images resized to `shape`."""
    size = None if ".npz" in source.lower() else shape[:2]
    found = read_masks(source, masks=masks, classes=classes, image_size=size, white=white)
    chosen = found[choose_part(source, found, part)]
    X = as_channels(chosen.X, shape[2])
    if X.shape[1:] != shape:
        expected, got = (f"images of {n_H}×{n_W}" for n_H, n_W, _ in (shape, X.shape[1:]))
        raise ShapeError(source, expected, got, "images of the size used in training")
    return replace(chosen, X=X)


def classes_of(model: VisionModel) -> MaskClasses:
    """Return the names of the classes, and their values or colours in masks."""
    return MaskClasses.from_dict(model.model.marks_, "the run")


def colours_of(classes: MaskClasses) -> np.ndarray:
    """Return the colours of the masks (n, 3), or a palette if the masks have none."""
    if classes.coloured:
        return np.array(classes.marks, np.uint8)
    return palette(len(classes))


AT_ONCE = 32
"""The number of images whose probabilities are in memory at once."""


@dataclass(frozen=True, eq=False)
class SegmentedImage:
    """An image file, and the class of each of its pixels, (n_H, n_W) of bytes."""

    path: Path
    mask: np.ndarray
    names: tuple[str, ...]

    @property
    def shares(self) -> np.ndarray:
        """The share of the pixels that belongs to each class."""
        return np.bincount(self.mask.ravel(), minlength=len(self.names)) / self.mask.size

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        n_H, n_W = self.mask.shape
        shares = dict(zip(self.names, self.shares.round(6).tolist(), strict=True))
        return {"file": str(self.path), "width": n_W, "height": n_H, "shares": shares}


def segment_files(
    model: VisionModel, source: str | Path, *, skip_unreadable: bool = False
) -> Iterator[SegmentedImage]:
    """Yield the classes of the pixels of each image of a file or folder, in its original size."""
    how: dict[str, Any] = {"skip_unreadable": skip_unreadable, "white": model.model.white_}
    paths, X = read_new(source, model.network.shape, **how)
    for start in range(0, len(X), AT_ONCE):
        probabilities = model.model.predict_proba(X[start : start + AT_ONCE])
        for path, A in zip(paths[start:], probabilities, strict=False):
            yield SegmentedImage(path, resized_mask(A, read_image_header(path).size), model.names)


def resized_mask(A: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the most probable class of each pixel at another size, from A (n_H, n_W, C), as bytes.

    >>> resized_mask(np.array([[[1.0, 0.0], [0.3, 0.7]]]), (1, 4)).tolist()
    [[0, 0, 1, 1]]
    """
    for axis, new in enumerate(size):
        A = interpolated(A, new, axis)
    return A.argmax(axis=2).astype(np.uint8)


def interpolated(A: np.ndarray, n: int, axis: int) -> np.ndarray:
    """Interpolate n numbers along an axis, linearly between the centres of the pixels.

    >>> interpolated(np.array([0.0, 1.0]), 4, axis=0).tolist()
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


def mask_files(found: Sequence[SegmentedImage], model: VisionModel) -> dict[str, bytes]:
    """Return the masks, the overlays and the list of the classes, by file name."""
    classes = classes_of(model)
    colours = colours_of(classes)
    shown = np.zeros((256, 3), np.uint8)
    shown[classes.mask_values(np.arange(len(classes)))] = colours
    files = {"classes.txt": classes_text(classes).encode()}
    for one, name in zip(found, names_of_drawings([one.path for one in found]), strict=True):
        pixels, _ = decode_image(one.path, one.mask.shape, False, model.model.white_)
        files[f"masks/{name}"] = encode_mask_png(classes.mask_values(one.mask), shown)
        drawn = with_legend(pixels, one.mask, one.names, colours)
        files[f"overlays/{name}"] = encode_png(drawn)
    return files


def classes_text(classes: MaskClasses) -> str:
    """Return the text that `read_classes` reads as these classes.

    >>> print(classes_text(MaskClasses(("cat", "dog"), ((1,), (7,)))), end="")
    cat 1
    dog 7
    """
    rows = zip(classes.names, classes.marks, strict=True)
    return "".join(f"{name} {' '.join(map(str, mark))}\n" for name, mark in rows)


def as_csv(found: Sequence[SegmentedImage]) -> str:
    """Return a CSV table with a line for each image and the share of each class."""
    head = [["file", *one.names] for one in found[:1]]
    rows = [[one.path, *(f"{share:.6f}" for share in one.shares)] for one in found]
    return write_csv([*head, *rows])
