"""Pictures with boxes around their objects: what every reader of annotations returns.

Notes: "Object localization" (course 4, week 3): the class, and the box b_x, b_y, b_h, b_w.

    annotations_voc.py     a folder of XML files, one for each picture (Pascal VOC)
    annotations_coco.py    one JSON file for all (COCO)
    annotations_yolo.py    a folder of text files, one for each picture (YOLO)

Whatever the file says, a box here is its corners x1, y1, x2, y2 as shares of the picture's width
and height. A box outside its picture, or of no area, a class without a name and an annotation
without its picture are errors, which name the file and the line or the field.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chainrule.data.pictures import SUFFIXES, look
from chainrule.errors import DataError, OptionError, did_you_mean

NONE = -1
"""The class of a place without an object, in padded labels."""

ROUNDED = 2e-3
"""A share of the picture by which a box may pass its edge: rounding, which is cut off."""

FOLDERS = ("", "images", "JPEGImages", "../images", "../JPEGImages")
"""Where pictures are looked for, from the annotations."""


@dataclass(frozen=True, eq=False)
class Annotations:
    """Pictures and the objects in them: boxes (n, 4) and classes (n,) of each, names of classes."""

    paths: tuple[Path, ...]
    boxes: tuple[np.ndarray, ...]
    classes: tuple[np.ndarray, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def padded(self, most: int | None = None) -> np.ndarray:
        """Y (m, N, 5): class and corners, −1 where there is no object; N is the most there are.

        >>> box = np.array([[0.0, 0.0, 0.5, 0.5]])
        >>> one = Annotations((Path("a.png"),), (box,), (np.array([2]),), ("a", "b", "c"))
        >>> one.padded(2).tolist()
        [[[2.0, 0.0, 0.0, 0.5, 0.5], [-1.0, 0.0, 0.0, 0.0, 0.0]]]
        """
        there = max(map(len, self.boxes), default=0)
        N = max(there, 1) if most is None else most
        if there > N:
            where, hint = "Annotations.padded(most=…)", f"most={there}"
            raise OptionError(where, f"room for the {there} objects of one picture", str(N), hint)
        Y = np.zeros((len(self), N, 5), np.float32)
        Y[..., 0] = NONE
        for y, boxes, classes in zip(Y, self.boxes, self.classes, strict=True):
            y[: len(boxes), 0], y[: len(boxes), 1:] = classes, boxes
        return Y


def checked_box(where: str, corners: Sequence[float], unit: Sequence[float]) -> np.ndarray:
    """Corners as shares of a picture, `unit` = (width, height) of it in their unit.

    >>> checked_box("a.xml", (10, 0, 20, 50), (100, 50)).tolist()
    [0.1, 0.0, 0.2, 1.0]
    """
    x1, y1, x2, y2 = corners
    said = f"({x1:g}, {y1:g}) to ({x2:g}, {y2:g})"
    if not np.isfinite(corners).all():
        raise DataError(where, "four numbers", said, "drawing the box anew")
    box = np.asarray(corners, float) / [*unit, *unit]
    if not (box[0] < box[2] and box[1] < box[3]):
        turned = box[0] > box[2] or box[1] > box[3]
        hint = "its corners the other way round" if turned else "leaving it out"
        raise DataError(where, "a box with an area: x1 < x2 and y1 < y2", said, hint)
    if (box < -ROUNDED).any() or (box > 1 + ROUNDED).any():
        width, height = unit
        expected = f"a box inside its picture, of {width:g} by {height:g}"
        raise DataError(
            where, expected, said, "cutting it at the edge, if the picture is the right one"
        )
    return np.clip(box, 0, 1)


def checked_class(where: str, name: str, names: Sequence[str]) -> int:
    """The number of a class."""
    if name not in names:
        expected = f"one of the {len(names)} classes"
        raise DataError(where, expected, repr(name), did_you_mean(name, names))
    return list(names).index(name)


def checked_size(where: str, path: Path, size: tuple[int, int]) -> None:
    """Refuse a picture that is not of the size (width, height) that its annotation speaks of."""
    n_H, n_W = look(path).size
    if (n_W, n_H) != size:
        expected = f"the size of {path.name}, {n_W} by {n_H}"
        hint = "the picture that was annotated, or boxes for this one"
        raise DataError(where, expected, f"{size[0]} by {size[1]}", hint)


def picture_of(where: str, name: str, folder: Path, images: Path | None) -> Path:
    """The file of a picture, by its name or the same with another suffix."""
    folders = [images] if images else [folder / one for one in FOLDERS]
    for one in folders:
        path = one / name
        for file in (path, *(path.with_suffix(suffix) for suffix in SUFFIXES)):
            if file.suffix.lower() in SUFFIXES and file.is_file():
                return file
    looked = ", ".join(str(one) for one in folders if one.is_dir()) or str(images or folder)
    hint = "--images FOLDER, where the pictures are; or removing the annotation"
    raise DataError(where, f"its picture {name}", f"none in {looked}", hint)


def gathered(where: str, paths, boxes, classes, names: Sequence[str]) -> Annotations:
    """One record; refused where there is nothing in it."""
    if not paths:
        raise DataError(where, "annotations of pictures", "none", "another folder")
    if not any(map(len, boxes)):
        raise DataError(where, "an object in at least one picture", "none", "another folder")
    made = [np.asarray(own, float).reshape(-1, 4).astype(np.float32) for own in boxes]
    numbers = [np.asarray(own, np.int64).reshape(-1) for own in classes]
    return Annotations(tuple(paths), tuple(made), tuple(numbers), tuple(names))


def check_folder(folder: Path, suffix: str) -> list[Path]:
    """The files of a folder that end like this, by name."""
    if not folder.is_dir():
        got = "a file" if folder.exists() else "no such folder"
        raise DataError(str(folder), f"a folder of {suffix} files", got, "the path of the folder")
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() == suffix)
    if not files:
        raise DataError(str(folder), f"{suffix} files", "none", "the folder that holds them")
    return files
