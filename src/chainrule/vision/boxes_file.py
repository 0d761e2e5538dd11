"""What a detector finds in the user's pictures: in pixels of each, as a table, JSON or drawn."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.drawing import Drawn, png_of, with_boxes
from chainrule.data.mask_files import by_stem
from chainrule.data.pictures import decode, look
from chainrule.vision.detect import colour_of
from chainrule.vision.parts import read_new
from chainrule.vision.system import System

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
        size = look(path).size
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
        pixels, _ = decode(one.path, one.size, grey=False)
        boxes = [
            Drawn(box / [n_W, n_H, n_W, n_H], f"{name} {score:.2f}", colour_of(kind))
            for box, name, score, kind in zip(
                one.boxes, one.names, one.scores, one.classes, strict=True
            )
        ]
        files[f"{one.path.stem}.png"] = png_of(with_boxes(pixels, boxes))
    return files
