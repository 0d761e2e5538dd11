"""Images with bounding boxes: the common result of all annotation readers.

Notes: "Object localization" (course 4, week 3): the class, and the box b_x, b_y, b_h, b_w.

    annotations_voc.py     a folder with one XML file per image (Pascal VOC)
    annotations_coco.py    one JSON file for all images (COCO)
    annotations_yolo.py    a folder with one text file per image (YOLO)

Whatever the format, boxes are returned as corners x1, y1, x2, y2, as fractions of the image's width
and height. A box outside its image or without an area, an unknown class and an annotation whose
image is missing raise errors that name the file and the line or field.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chainrule.data.pictures import SUFFIXES, look
from chainrule.errors import DataError, OptionError, did_you_mean

NONE = -1
"""The class that marks an empty slot in padded labels."""

ROUNDED = 2e-3
"""Tolerance, as a fraction of the image: a box this far over the edge is clipped (rounding)."""

FOLDERS = ("", "images", "JPEGImages", "../images", "../JPEGImages")
"""Folders searched for images, relative to the annotations."""


@dataclass(frozen=True, eq=False)
class Annotations:
    """Image paths, with the boxes (n, 4) and classes (n,) of each image, and the class names."""

    paths: tuple[Path, ...]
    boxes: tuple[np.ndarray, ...]
    classes: tuple[np.ndarray, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def padded(self, most: int | None = None) -> np.ndarray:
        """Return Y (m, N, 5): class and corners; empty slots have class −1. N is the most objects.

        >>> box = np.array([[0.0, 0.0, 0.5, 0.5]])
        >>> one = Annotations((Path("a.png"),), (box,), (np.array([2]),), ("a", "b", "c"))
        >>> one.padded(2).tolist()
        [[[2.0, 0.0, 0.0, 0.5, 0.5], [-1.0, 0.0, 0.0, 0.0, 0.0]]]
        """
        largest = max(map(len, self.boxes), default=0)
        N = max(largest, 1) if most is None else most
        if largest > N:
            where, hint = "Annotations.padded(most=…)", f"most={largest}"
            raise OptionError(where, f"at least the {largest} objects of one image", str(N), hint)
        Y = np.zeros((len(self), N, 5), np.float32)
        Y[..., 0] = NONE
        for y, boxes, classes in zip(Y, self.boxes, self.classes, strict=True):
            y[: len(boxes), 0], y[: len(boxes), 1:] = classes, boxes
        return Y


def checked_box(where: str, corners: Sequence[float], unit: Sequence[float]) -> np.ndarray:
    """Return the corners as fractions of the image; `unit` is its (width, height) in their unit.

    >>> checked_box("a.xml", (10, 0, 20, 50), (100, 50)).tolist()
    [0.1, 0.0, 0.2, 1.0]
    """
    x1, y1, x2, y2 = corners
    corner_text = f"({x1:g}, {y1:g}) to ({x2:g}, {y2:g})"
    if not np.isfinite(corners).all():
        raise DataError(where, "four finite numbers", corner_text, "drawing the box again")
    box = np.asarray(corners, float) / [*unit, *unit]
    if not (box[0] < box[2] and box[1] < box[3]):
        swapped = box[0] > box[2] or box[1] > box[3]
        hint = "swapping its corners" if swapped else "removing it"
        raise DataError(where, "a box with an area: x1 < x2 and y1 < y2", corner_text, hint)
    if (box < -ROUNDED).any() or (box > 1 + ROUNDED).any():
        width, height = unit
        expected = f"a box inside its image of {width:g} by {height:g}"
        hint = "clipping the box to the image, if it is the right image"
        raise DataError(where, expected, corner_text, hint)
    return np.clip(box, 0, 1)


def checked_class(where: str, name: str, names: Sequence[str]) -> int:
    """Return the index of a class name, or raise DataError if it is not listed."""
    if name not in names:
        expected = f"one of the {len(names)} listed classes"
        raise DataError(where, expected, repr(name), did_you_mean(name, names))
    return list(names).index(name)


def checked_size(where: str, path: Path, size: tuple[int, int]) -> None:
    """Refuse an image whose size differs from the annotated size (width, height)."""
    n_H, n_W = look(path).size
    if (n_W, n_H) != size:
        expected = f"the size of {path.name}, {n_W} by {n_H}"
        hint = "the image that was annotated, or annotating this one again"
        raise DataError(where, expected, f"{size[0]} by {size[1]}", hint)


def find_image(where: str, name: str, folder: Path, images: Path | None) -> Path:
    """Return the path of an image, searched by name, then by the name with other suffixes."""
    folders = [images] if images else [folder / one for one in FOLDERS]
    for one in folders:
        path = one / name
        for file in (path, *(path.with_suffix(suffix) for suffix in SUFFIXES)):
            if file.suffix.lower() in SUFFIXES and file.is_file():
                return file
    searched = ", ".join(str(one) for one in folders if one.is_dir()) or str(images or folder)
    hint = "--images FOLDER, the folder of the images, or removing the annotation"
    raise DataError(where, f"its image {name}", f"no such file in {searched}", hint)


def build_annotations(where: str, paths, boxes, classes, names: Sequence[str]) -> Annotations:
    """Build `Annotations`; refuse data without a single image or object."""
    if not paths:
        raise DataError(where, "annotated images", "none", "another folder")
    if not any(map(len, boxes)):
        raise DataError(where, "at least one object in one of the images", "none", "another folder")
    boxes_32 = [np.asarray(own, float).reshape(-1, 4).astype(np.float32) for own in boxes]
    numbers = [np.asarray(own, np.int64).reshape(-1) for own in classes]
    return Annotations(tuple(paths), tuple(boxes_32), tuple(numbers), tuple(names))


def list_files(folder: Path, suffix: str) -> list[Path]:
    """Return the files of a folder with this suffix, by name; refuse a folder without any."""
    if not folder.is_dir():
        got = "a file" if folder.exists() else "no such folder"
        raise DataError(str(folder), f"a folder of {suffix} files", got, "the path of the folder")
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() == suffix)
    if not files:
        raise DataError(str(folder), f"{suffix} files", "none", "the folder that holds them")
    return files
