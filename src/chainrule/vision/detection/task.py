"""Detection as a system: from annotated pictures to a detector, and its boxes on new ones.

    source    a .json file (COCO), a folder of .xml (Pascal VOC) or of .txt (YOLO), or one with
              train, dev and test in it; `vision/detection/dataset.py`
    images    the folder of the pictures, where they are not beside the annotations

Without dev or test parts of their own they are split off, by the notes' rule.

What a detector finds in the user's pictures: in pixels of each, as a table, JSON or drawn.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from chainrule.data.augmentation import read_augmentation
from chainrule.data.decoding import decode_image, read_image_header
from chainrule.errors import OptionError, check_choice
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
from chainrule.models.yolo import BODIES, STRIDE, STRIDES
from chainrule.vision.detection.boxes import Objects, objects_of
from chainrule.vision.detection.cost import AugmentBoxes
from chainrule.vision.detection.dataset import (
    BoxedImages,
    drop_unseen_classes,
    find_annotations,
    read_annotations,
    read_boxed_images,
)
from chainrule.vision.detection.detector import ANCHORS, Detector
from chainrule.vision.parts import as_bytes, check_once, known, read_new, split_off
from chainrule.vision.recipe import VisionRecipe
from chainrule.vision.segmentation.masks import by_stem
from chainrule.vision.task import Opened, System

SHOWN, COLUMNS, SHOWN_WIDTH = 6, 2, 480
"""Pictures of a report: how many, in how many columns, and how many pixels wide."""


@dataclass(frozen=True)
class DetectRecipe(VisionRecipe):
    """images: the folder of the pictures; body … overlap: see `Detector`."""

    images: str | None = None
    body: str | None = None
    base: str | None = None
    stride: int | None = None
    anchors: int | None = None
    overlap: float | None = None

    kind: ClassVar[str] = "detect"
    chosen: ClassVar[tuple[str, ...]] = (
        *VisionRecipe.chosen,
        *("body", "base", "stride", "anchors", "overlap"),
    )

    def __post_init__(self):
        """Refuse what means nothing, before anything is read."""
        super().__post_init__()
        self.check_least("anchors", 1, "a whole number from 1 on")
        if self.body is not None:
            check_choice("--body", self.body, BODIES)
        if self.stride is not None:
            check_choice("--stride", self.stride, STRIDES)
        if self.overlap is not None and not 0 < self.overlap < 1:
            got = f"{self.overlap:g}"
            raise OptionError("--overlap", "an IoU between 0 and 1", got, "--overlap 0.5")
        if self.base is not None and self.body in (None, "small"):
            hint = "--body resnet18, or mobilenet_v2"
            raise OptionError("--from", "a body that others have trained", "small", hint)
        stride = self.stride or STRIDE
        if self.image_size is not None and any(n % stride for n in self.image_size):
            near = "x".join(str(stride * max(1, round(n / stride))) for n in self.image_size)
            got = "x".join(map(str, self.image_size))
            expected = f"sides that the stride {stride} divides"
            raise OptionError("--image-size", expected, got, f"--image-size {near}")


class Detect:
    """The kind: see `Kind` in `vision/task.py`."""

    name = "detect"
    title = "detector"
    recipe = DetectRecipe
    model = Detector
    fitted = ("n_classes_", "threshold_")
    main = "map_50"
    words: ClassVar = {
        "map_50": "mAP@0.5",
        "map": "mAP@0.5:0.95",
        "precision": "precision",
        "recall": "recall",
        "ap_50": "AP@0.5",
    }
    captions: ClassVar = {
        "found.png": "What it finds: boxes and scores in colour, what people marked in white.",
    }

    def open(self, recipe: DetectRecipe) -> Opened:
        """Annotations, their pictures, and which of them train."""
        found = find_annotations(recipe.source, images=recipe.images)
        names = found["train"].names
        for part in ("dev", "test"):
            said = getattr(recipe, part)
            check_once(recipe, part, found)
            if said not in (None, "none"):
                found[part] = read_annotations(said, images=recipe.images, names=names)
        boxed = read_boxed_images(found, recipe.image_size, recipe.stride or STRIDE)
        parts = drop_unseen_classes(split_off(recipe, boxed))
        check_changes(recipe.augment, parts["train"].X.shape[1:])
        objects, wanted = objects_in(parts["train"]), recipe.anchors or ANCHORS
        if objects < wanted:
            expected = f"at most as many anchors as objects in training, {objects}"
            raise OptionError("--anchors", expected, f"{wanted}", f"--anchors {objects}")
        return Opened(recipe, parts, parts["train"].names)

    def fit(self, model: Detector, opened: Opened, **how: Any) -> Any:
        """Train on the pictures of "train", and choose by those of "dev"."""
        train, dev = opened.parts["train"], opened.parts.get("dev")
        more = () if dev is None else (dev.X, dev.Y)
        model.fit(train.X, train.Y, *more, **how)

    def measure(self, model: Detector, part: BoxedImages) -> dict[str, Any]:
        """m, mAP, and the AP of each class."""
        found = model.scores(part.X, part.Y)
        found = {name: known(value) for name, value in found.items()}
        return {"m": len(part), "objects": objects_in(part), **found}

    def data_words(self, opened: Opened) -> str:
        """How many pictures and objects, of which classes, in which parts."""
        first = opened.parts["train"]
        n_H, n_W = first.X.shape[1:3]
        names = ", ".join(opened.names[:6]) + (", …" if len(opened.names) > 6 else "")
        lines = [
            f"{opened.recipe.source}: pictures brought to {n_H}×{n_W}, "
            f"{len(opened.names)} classes ({names})"
        ]
        for name, part in opened.parts.items():
            lines.append(f"  {name:5} {len(part):>6,} pictures with {objects_in(part):,} objects")
        return "\n".join(lines)

    def pictures(self, system: System, opened: Opened) -> dict[str, bytes]:
        """The cost, and boxes on a few pictures."""
        part = opened.parts[opened.judged]
        rows = np.linspace(0, len(part) - 1, min(SHOWN, len(part))).astype(int)
        some = part.rows(rows)
        said, true = system.model.predict(some.X), objects_of(some.Y)
        drawn = [
            draw_boxes(
                as_bytes(X),
                [LabelledBox(box, "", WHITE, 1) for box in marked.boxes]
                + boxes_of(one, system.names),
                SHOWN_WIDTH / X.shape[1],
            )
            for X, one, marked in zip(some.X, said, true, strict=True)
        ]
        found = encode_png(image_grid(drawn, COLUMNS))
        return {"cost.png": cost_curve(system.history), "found.png": found}


KIND = Detect()


def check_changes(augment: str | None, shape: tuple[int, ...]) -> None:
    """Refuse changes that boxes cannot follow, or that do not fit, before anything is trained."""
    if augment in (None, "auto"):
        return
    try:
        AugmentBoxes(read_augmentation(augment, shape), shape=shape)
    except OptionError as error:
        raise error.inside("--augment") from None


def objects_in(part: BoxedImages) -> int:
    """How many there are."""
    return int((part.Y[..., 0] >= 0).sum())


def boxes_of(said: Objects, names: Sequence[str]) -> list[LabelledBox]:
    """What was said of a picture, to be drawn: the name of the class and the score."""
    assert said.scores is not None
    return [
        LabelledBox(box, f"{names[kind]} {score:.2f}", colour_of(kind))
        for box, kind, score in zip(said.boxes, said.classes, said.scores, strict=True)
    ]


def colour_of(kind: int) -> Colour:
    """That of a class."""
    r, g, b = palette(int(kind) + 1)[-1].tolist()
    return r, g, b


HEADER = ["file", "class", "score", "x1", "y1", "x2", "y2"]


@dataclass(frozen=True, eq=False)
class Found:
    """A picture, its size (n_H, n_W), and its objects: boxes in pixels, best first."""

    path: Path
    size: tuple[int, int]
    boxes: np.ndarray
    classes: np.ndarray
    names: tuple[str, ...]
    scores: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
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


def found_in(
    system: System, source: str | Path, *, score: float | None = None, skip_unreadable: bool = False
) -> list[Found]:
    """The objects of each picture, whatever its size."""
    paths, X = read_new(source, system.network.shape, skip_unreadable=skip_unreadable)
    said = system.model.predict(X, score=score)
    found = []
    for path, one in zip(paths, said, strict=True):
        size = read_image_header(path).size
        boxes = one.boxes * [size[1], size[0], size[1], size[0]]
        names = tuple(system.names[kind] for kind in one.classes)
        found.append(Found(path, size, boxes, one.classes, names, one.scores))
    return found


def as_csv(found: Sequence[Found]) -> str:
    """A header, and a line for each object."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(HEADER)
    for one in found:
        for name, score, box in zip(one.names, one.scores, one.boxes, strict=True):
            table.writerow([one.path, name, f"{score:.4f}", *(f"{x:.1f}" for x in box)])
    return text.getvalue()


def drawn(found: Sequence[Found]) -> dict[str, bytes]:
    """Each picture in its own size with its boxes, as PNG files by name."""
    by_stem([one.path for one in found])  # files of one name would be written over
    files = {}
    for one in found:
        n_H, n_W = one.size
        pixels, _ = decode_image(one.path, one.size, grey=False)
        boxes = [
            LabelledBox(box / [n_W, n_H, n_W, n_H], f"{name} {score:.2f}", colour_of(kind))
            for box, name, score, kind in zip(
                one.boxes, one.names, one.scores, one.classes, strict=True
            )
        ]
        files[f"{one.path.stem}.png"] = encode_png(draw_boxes(pixels, boxes))
    return files
