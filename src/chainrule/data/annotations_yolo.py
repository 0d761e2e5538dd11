"""Annotations as YOLO has them: a text file for each picture, a line for each object.

    0 0.51 0.40 0.20 0.35        class, b_x, b_y, b_w, b_h, as shares of the picture

The names of the classes are in classes.txt, one a line, or are told. A picture without a file has
no objects.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from chainrule.data.annotations import (
    Annotations,
    check_folder,
    checked_box,
    gathered,
    picture_of,
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
    """The text files of a folder, with their pictures (in `images`, or in folders beside)."""
    folder, images = Path(folder), None if images is None else Path(images)
    names = _names(folder) if names is None else names
    found: dict[Path, tuple[list, list]] = {}
    for file in check_folder(folder, ".txt"):
        if file.name == CLASSES:
            continue
        path = picture_of(str(file), f"{file.stem}{SUFFIXES[0]}", folder, images)
        look(path)  # what is no picture is said here
        found[path] = _objects(file, names)
    for beside in {path.parent for path in found}:
        for path in beside.iterdir():
            if path.suffix.lower() in SUFFIXES:
                found.setdefault(path, ([], []))
    paths = sorted(found)
    boxes, classes = ([found[path][i] for path in paths] for i in (0, 1))
    return gathered(str(folder), paths, boxes, classes, names)


def _objects(file: Path, names: Sequence[str]) -> tuple[list[np.ndarray], list[int]]:
    boxes, classes = [], []
    for i, line in enumerate(_lines(file), 1):
        where, words = f"{file}, line {i}", line.split()
        if not words:
            continue
        kind, *numbers = _numbers(where, words)
        if kind != int(kind) or not 0 <= kind < len(names):
            expected = f"a class from 0 to {len(names) - 1}"
            raise DataError(where, expected, words[0], f"a name for it in {CLASSES}")
        b_x, b_y, b_w, b_h = numbers
        corners = b_x - b_w / 2, b_y - b_h / 2, b_x + b_w / 2, b_y + b_h / 2
        boxes.append(checked_box(where, corners, (1, 1)))
        classes.append(int(kind))
    return boxes, classes


def _numbers(where: str, words: list[str]) -> list[float]:
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) != 5 or not np.isfinite(numbers).all():
        got = f"{len(words)} words" if len(words) != 5 else " ".join(words)
        hint = "a line such as 0 0.51 0.40 0.20 0.35"
        raise DataError(where, "class, b_x, b_y, b_w, b_h", got, hint)
    return numbers


def _names(folder: Path) -> list[str]:
    for file in (beside / CLASSES for beside in (folder, *folder.absolute().parents[:2])):
        if file.is_file():
            return [line.strip() for line in _lines(file) if line.strip()]
    hint = f"a {CLASSES} with a name on each line"
    raise DataError(str(folder), "the names of the classes", f"no {CLASSES}", hint)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        raise DataError(str(file), "text in UTF-8", "other bytes", "saving it so") from None
