"""Annotations as COCO has them: one JSON file for all pictures, boxes in pixels.

    images         [{"id": 1, "file_name": "one.jpg", "width": 640, "height": 480}, …]
    annotations    [{"image_id": 1, "category_id": 3, "bbox": [x, y, width, height]}, …]
    categories     [{"id": 3, "name": "car"}, …]

Classes are in the order of the categories. An annotation of a crowd ("iscrowd": 1) is left out: its
box is around many objects.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.data.annotations import (
    Annotations,
    checked_box,
    checked_size,
    gathered,
    picture_of,
)
from chainrule.errors import DataError, did_you_mean

LISTS = ("images", "annotations", "categories")


def read_coco(file: str | os.PathLike, *, images: str | os.PathLike | None = None) -> Annotations:
    """A JSON file, with its pictures (in the folder `images`, or in folders beside the file)."""
    file, images = Path(file), None if images is None else Path(images)
    made = _lists(file)
    names, places = [], {}
    for i, one in enumerate(made["categories"]):
        where = f"{file}, categories[{i}]"
        places[_field(where, one, "id", int)] = len(names)
        names.append(_field(where, one, "name", str))
    known, paths = {}, []
    for i, one in enumerate(made["images"]):
        where = f"{file}, images[{i}]"
        size = _field(where, one, "width", int), _field(where, one, "height", int)
        path = picture_of(where, _field(where, one, "file_name", str), file.parent, images)
        checked_size(where, path, size)
        known[_field(where, one, "id", int)] = (len(paths), size)
        paths.append(path)
    boxes: list[list] = [[] for _ in paths]
    classes: list[list] = [[] for _ in paths]
    for i, one in enumerate(made["annotations"]):
        where = f"{file}, annotations[{i}]"
        if isinstance(one, Mapping) and one.get("iscrowd"):
            continue
        at, size = _one_of(where, one, "image_id", known, "images")
        x, y, width, height = _numbers(f"{where}.bbox", _field(where, one, "bbox", list))
        boxes[at].append(checked_box(f"{where}.bbox", (x, y, x + width, y + height), size))
        classes[at].append(_one_of(where, one, "category_id", places, "categories"))
    return gathered(str(file), paths, boxes, classes, names)


def _lists(file: Path) -> dict[str, list]:
    """The three lists of the file."""
    try:
        made = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise DataError(str(file), "a JSON file", "no such file", "its path") from None
    except json.JSONDecodeError as error:
        hint = "the whole file: this one is damaged"
        where, got = f"{file}, line {error.lineno}", f"{error.msg}, column {error.colno}"
        raise DataError(where, "JSON", got, hint) from None
    except (UnicodeDecodeError, RecursionError):
        raise DataError(str(file), "JSON", "something else", "another file") from None
    if not isinstance(made, Mapping):
        got = f"a {type(made).__name__}"
        raise DataError(str(file), f"an object with {', '.join(LISTS)}", got, "another file")
    for name in LISTS:
        if not isinstance(made.get(name), list):
            expected, got = f"a list {name!r}", ", ".join(map(str, made)) or "nothing"
            raise DataError(str(file), expected, got, did_you_mean(name, made))
    return {name: made[name] for name in LISTS}


def _field(where: str, one: Any, name: str, kind: type) -> Any:
    value = one.get(name) if isinstance(one, Mapping) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        words = {int: "a whole number", str: "a text", list: "a list"}[kind]
        raise DataError(f"{where}.{name}", words, json.dumps(value), "a look at the others")
    return value


def _one_of(where: str, one: Any, name: str, known: Mapping[int, Any], there: str) -> Any:
    number = _field(where, one, name, int)
    if number not in known:
        hint = f"an id of {there}, such as {', '.join(map(str, [*known][:5])) or 'none'}"
        raise DataError(f"{where}.{name}", f"the id of one of {there}", str(number), hint)
    return known[number]


def _numbers(where: str, values: list) -> list[int | float]:
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) != 4 or len(values) != 4:
        raise DataError(where, "x, y, width, height", json.dumps(values), "four numbers, in pixels")
    return numbers
