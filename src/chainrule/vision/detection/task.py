"""The task of `chainrule detect`: from annotated images to a detector, and its boxes on new images.

    source    annotations in the format of COCO, Pascal VOC, YOLO, CVAT or Label Studio, or a folder
              that contains train, dev and test; see `vision/detection/dataset.py`
    images    the folder of the images, if they are not beside the annotations

Dev and test sets that are not provided are split off the training set, sized as in the course
notes. The objects found in new images are written in pixels as CSV or JSON, and drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Required

import numpy as np

from chainrule.data.augmentation import read_augmentation
from chainrule.data.csv_cells import write_csv
from chainrule.data.decoding import decode_image, read_image_header
from chainrule.errors import OptionError
from chainrule.formatting import count_of
from chainrule.host.reading import Positive, Share
from chainrule.inspection.image_plots import (
    WHITE,
    Colour,
    LabelledBox,
    draw_boxes,
    encode_png,
    image_grid,
    palette,
)
from chainrule.inspection.plots import cost_curve
from chainrule.inspection.report.task_report import report
from chainrule.models.yolo import STRIDE
from chainrule.vision.detection.boxes import Objects, objects_of
from chainrule.vision.detection.cost import IGNORED, AugmentBoxes
from chainrule.vision.detection.dataset import (
    BoxedImages,
    drop_unseen_classes,
    find_annotations,
    read_annotations,
    read_boxed_images,
)
from chainrule.vision.detection.detector import ANCHORS, Detector, as_objects
from chainrule.vision.estimator import Fitted
from chainrule.vision.parts import (
    as_bytes,
    check_once,
    names_of_drawings,
    read_new,
    split_images,
    without_nan,
)
from chainrule.vision.recipe import DetectRecipe
from chainrule.vision.task import ReadOptions, VisionJob, VisionModel, VisionTask

SHOWN, COLUMNS, SHOWN_WIDTH = 6, 2, 480
"""The images in the report: how many, in how many columns, and how many pixels wide."""


class FittedDetector(Fitted):
    """The attributes of a fitted `Detector` that are saved."""

    n_classes_: Required[Positive]
    threshold_: Required[Share]


class Detect(VisionTask):
    """The task of detection: see `VisionTask` in `vision/task.py`."""

    title = "detector"
    recipe = DetectRecipe
    model = Detector
    fitted = FittedDetector
    main = "map_50"
    words: ClassVar = {
        "map_50": "mAP@0.5",
        "map": "mAP@0.5:0.95",
        "precision": "precision",
        "recall": "recall",
        "ap_50": "AP@0.5",
    }
    captions: ClassVar = {
        "found.png": "Detected objects with their scores in colour, annotated objects in white.",
    }

    def open(self, recipe: DetectRecipe) -> VisionJob:
        """Read the annotations and their images, and split them."""
        how: dict[str, Any] = {"images": recipe.images, "boxes": recipe.boxes}
        found = find_annotations(recipe.source, **how)
        names = found["train"].names
        for part in ("dev", "test"):
            given = getattr(recipe, part)
            check_once(recipe, part, found)
            if given not in (None, "none"):
                found[part] = read_annotations(given, names=names, part=part, **how)
        boxed = read_boxed_images(found, recipe.image_size, recipe.stride or STRIDE)
        parts = drop_unseen_classes(split_images(recipe, boxed))
        check_augmentation(recipe.augment, parts["train"].X.shape[1:])
        objects, wanted = count_objects(parts["train"].Y), recipe.anchors or ANCHORS
        if objects < wanted:
            expected = f"at most as many anchors as objects in the training set, {objects}"
            raise OptionError("--anchors", expected, f"{wanted}", f"--anchors {objects}")
        return VisionJob(recipe, parts, parts["train"].names)

    def evaluate(self, model: Detector, X: Any, y: Any) -> dict[str, Any]:
        """Return m, the number of objects, the mAP, and the AP of each class."""
        Y = as_objects(y, len(X), "Y", model.n_classes_)
        found = {name: without_nan(value) for name, value in model.scores(X, Y).items()}
        return {"m": len(X), "objects": count_objects(Y), **found}

    def read(self, model: VisionModel, source: str, how: ReadOptions) -> BoxedImages:
        """Read annotations with the classes of the run; `labels` is the folder of the images."""
        if how.skip_unreadable:
            hint = "leaving it out"
            raise OptionError("--skip-unreadable", "images without annotations", source, hint)
        recipe: Any = model.recipe
        options: dict[str, Any] = {"images": how.labels, "part": how.split, "boxes": recipe.boxes}
        wanted = read_annotations(source, names=model.names, **options)
        size, white = model.network.shape[:2], model.model.white_
        return read_boxed_images({"train": wanted}, size, white=white)["train"]

    def describe_data(self, job: VisionJob) -> str:
        """Return the sizes of the data and of its sets, as text."""
        n_H, n_W = job.parts["train"].X.shape[1:3]
        names = ", ".join(job.names[:6]) + (", …" if len(job.names) > 6 else "")
        lines = [
            f"{job.recipe.source}: images resized to {n_H}×{n_W}, "
            f"{count_of(len(job.names), 'class')} ({names})"
        ]
        for name, part in job.parts.items():
            regions = int((part.Y[..., 0] <= IGNORED).sum())
            more = f" and {count_of(regions, 'ignored region')}" if regions else ""
            objects = f"{count_of(count_objects(part.Y), 'object')}{more}"
            images = "image" if len(part) == 1 else "images"
            lines.append(f"  {name:5} {len(part):>6,} {images} with {objects}")
        return "\n".join(lines)

    def files(self, model: VisionModel, job: VisionJob) -> dict[str, bytes]:
        """Return the cost curve, the boxes on a few images, and the report."""
        part = job.parts[job.result_set]
        rows = np.linspace(0, len(part) - 1, min(SHOWN, len(part))).astype(int)
        some = part.rows(rows)
        predicted, true = model.predict(some.X), objects_of(some.Y)
        drawn = [
            draw_boxes(
                as_bytes(X),
                [LabelledBox(box, "", WHITE, 1) for box in annotated.boxes[annotated.classes >= 0]]
                + labelled_boxes(one, model.names),
                SHOWN_WIDTH / X.shape[1],
            )
            for X, one, annotated in zip(some.X, predicted, true, strict=True)
        ]
        found = encode_png(image_grid(drawn, COLUMNS))
        plots = {"cost.png": cost_curve(model.history), "found.png": found}
        return {**plots, "report.html": report(model, plots)}


TASK = Detect()


def check_augmentation(augment: str | None, shape: tuple[int, ...]) -> None:
    """Refuse augmentation that cannot be applied to boxes, or to images of this shape."""
    if augment in (None, "auto"):
        return
    try:
        AugmentBoxes(read_augmentation(augment, shape), shape=shape)
    except OptionError as error:
        raise error.inside("--augment") from None


def count_objects(Y: np.ndarray) -> int:
    """Return the number of objects in padded labels (m, N, 5)."""
    return int((Y[..., 0] >= 0).sum())


def labelled_boxes(found: Objects, names: Sequence[str]) -> list[LabelledBox]:
    """Return the detected objects of an image for drawing, with the name of the class and score."""
    assert found.scores is not None
    return [
        LabelledBox(box, f"{names[code]} {score:.2f}", colour_of(code))
        for box, code, score in zip(found.boxes, found.classes, found.scores, strict=True)
    ]


def colour_of(code: int) -> Colour:
    """Return the colour of a class."""
    r, g, b = palette(int(code) + 1)[-1].tolist()
    return r, g, b


HEADER = ["file", "class", "score", "x1", "y1", "x2", "y2"]


@dataclass(frozen=True, eq=False)
class DetectedImage:
    """An image file, its size (n_H, n_W), and its objects: boxes in pixels, best first."""

    path: Path
    size: tuple[int, int]
    boxes: np.ndarray
    classes: np.ndarray
    names: tuple[str, ...]
    scores: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        objects = [
            {
                "class": name,
                "score": round(float(score), 4),
                "box": [round(float(x), 1) for x in box],
            }
            for name, score, box in zip(self.names, self.scores, self.boxes, strict=True)
        ]
        n_H, n_W = self.size
        return {"file": str(self.path), "width": n_W, "height": n_H, "objects": objects}


def detect_files(
    model: VisionModel,
    source: str | Path,
    *,
    score_threshold: float | None = None,
    skip_unreadable: bool = False,
) -> list[DetectedImage]:
    """Return the objects in each image of a file or folder, in pixels of its original size."""
    how: dict[str, Any] = {"skip_unreadable": skip_unreadable, "white": model.model.white_}
    paths, X = read_new(source, model.network.shape, **how)
    predicted, found = model.model.predict(X, score_threshold=score_threshold), []
    for path, one in zip(paths, predicted, strict=True):
        size = read_image_header(path).size
        boxes = one.boxes * [size[1], size[0], size[1], size[0]]
        names = tuple(model.names[code] for code in one.classes)
        found.append(DetectedImage(path, size, boxes, one.classes, names, one.scores))
    return found


def as_csv(found: Sequence[DetectedImage]) -> str:
    """Return a CSV table with a line for each object."""
    rows: list[Sequence[object]] = [HEADER]
    for one in found:
        for name, score, box in zip(one.names, one.scores, one.boxes, strict=True):
            rows.append([one.path, name, f"{score:.4f}", *(f"{x:.1f}" for x in box)])
    return write_csv(rows)


def draw_detections(found: Sequence[DetectedImage]) -> dict[str, bytes]:
    """Return each image in its original size with its boxes, as PNG files by name."""
    files = {}
    for one, name in zip(found, names_of_drawings([one.path for one in found]), strict=True):
        n_H, n_W = one.size
        pixels, _ = decode_image(one.path, one.size, grey=False)
        boxes = [
            LabelledBox(box / [n_W, n_H, n_W, n_H], f"{label} {score:.2f}", colour_of(code))
            for box, label, score, code in zip(
                one.boxes, one.names, one.scores, one.classes, strict=True
            )
        ]
        files[name] = encode_png(draw_boxes(pixels, boxes))
    return files
