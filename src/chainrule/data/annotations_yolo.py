"""Read YOLO annotations: one text file per image, with one line per object.

    0 0.51 0.40 0.20 0.35        class, b_x, b_y, b_w, b_h, as fractions of the image

The class names are in classes.txt, one per line, or are passed in. An image without a text file has
no objects.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from chainrule.data.annotations import (
    Annotations,
    build_annotations,
    checked_box,
    find_image,
    list_files,
)
from chainrule.data.pictures import SUFFIXES, look
from chainrule.errors import DataError

CLASSES = "classes.txt"


def read_yolo(
    folder: str | os.PathLike,
    *,
    images: str | os.PathLike | None = None,
    names: Sequence[str] | None = None,
) -> Annotations:
    """Read the text files of a folder and find their images (in `images`, or next to it)."""
    folder, images = Path(folder), None if images is None else Path(images)
    names = _names(folder) if names is None else names
    found: dict[Path, tuple[list, list]] = {}
    for file in list_files(folder, ".txt"):
        if file.name == CLASSES:
            continue
        path = find_image(str(file), f"{file.stem}{SUFFIXES[0]}", folder, images)
        look(path)  # raises an error if it is not an image
        found[path] = _objects(file, names)
    for image_folder in {path.parent for path in found}:
        for path in image_folder.iterdir():
            if path.suffix.lower() in SUFFIXES:
                found.setdefault(path, ([], []))
    paths = sorted(found)
    boxes, classes = ([found[path][i] for path in paths] for i in (0, 1))
    return build_annotations(str(folder), paths, boxes, classes, names)


def _objects(file: Path, names: Sequence[str]) -> tuple[list[np.ndarray], list[int]]:
    """Return the boxes and classes in one text file."""
    boxes, classes = [], []
    for i, line in enumerate(_lines(file), 1):
        where, words = f"{file}, line {i}", line.split()
        if not words:
            continue
        kind, *numbers = _numbers(where, words)
        if kind != int(kind) or not 0 <= kind < len(names):
            expected = f"a class number from 0 to {len(names) - 1}"
            raise DataError(where, expected, words[0], f"adding its name to {CLASSES}")
        b_x, b_y, b_w, b_h = numbers
        corners = b_x - b_w / 2, b_y - b_h / 2, b_x + b_w / 2, b_y + b_h / 2
        boxes.append(checked_box(where, corners, (1, 1)))
        classes.append(int(kind))
    return boxes, classes


def _numbers(where: str, words: list[str]) -> list[float]:
    """Return the class and the box of one line."""
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) != 5 or not np.isfinite(numbers).all():
        got = f"{len(words)} values" if len(words) != 5 else " ".join(words)
        hint = "a line such as 0 0.51 0.40 0.20 0.35"
        raise DataError(where, "five numbers: class, b_x, b_y, b_w, b_h", got, hint)
    return numbers


def _names(folder: Path) -> list[str]:
    """Return the class names in classes.txt, in this folder or up to two levels above it."""
    for file in (parent / CLASSES for parent in (folder, *folder.absolute().parents[:2])):
        if file.is_file():
            return [line.strip() for line in _lines(file) if line.strip()]
    hint = f"a {CLASSES} with one name per line"
    raise DataError(str(folder), "the names of the classes", f"no {CLASSES}", hint)


def _lines(file: Path) -> list[str]:
    """Return the lines of a UTF-8 text file."""
    try:
        return file.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        hint = "saving it as UTF-8"
        raise DataError(str(file), "text in UTF-8", "another encoding", hint) from None
