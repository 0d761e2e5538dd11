"""Read COCO annotations: one JSON file for all images, with boxes in pixels.

    images         [{"id": 1, "file_name": "one.jpg", "width": 640, "height": 480}, …]
    annotations    [{"image_id": 1, "category_id": 3, "bbox": [x, y, width, height]}, …]
    categories     [{"id": 3, "name": "car"}, …]

Classes keep the order of the categories. Crowd annotations ("iscrowd": 1) are skipped, because
their box surrounds many objects.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.data.annotations import (
    Annotations,
    build_annotations,
    checked_box,
    checked_size,
    find_image,
)
from chainrule.errors import DataError, did_you_mean

LISTS = ("images", "annotations", "categories")


def read_coco(file: str | os.PathLike, *, images: str | os.PathLike | None = None) -> Annotations:
    """Read a JSON file and find its images (in `images`, or in folders next to the file)."""
    file, images = Path(file), None if images is None else Path(images)
    content = _lists(file)
    names, positions = [], {}
    for i, one in enumerate(content["categories"]):
        where = f"{file}, categories[{i}]"
        positions[_field(where, one, "id", int)] = len(names)
        names.append(_field(where, one, "name", str))
    known, paths = {}, []
    for i, one in enumerate(content["images"]):
        where = f"{file}, images[{i}]"
        size = _field(where, one, "width", int), _field(where, one, "height", int)
        path = find_image(where, _field(where, one, "file_name", str), file.parent, images)
        checked_size(where, path, size)
        known[_field(where, one, "id", int)] = (len(paths), size)
        paths.append(path)
    boxes: list[list] = [[] for _ in paths]
    classes: list[list] = [[] for _ in paths]
    for i, one in enumerate(content["annotations"]):
        where = f"{file}, annotations[{i}]"
        if isinstance(one, Mapping) and one.get("iscrowd"):
            continue
        at, size = _one_of(where, one, "image_id", known, "images")
        x, y, width, height = _numbers(f"{where}.bbox", _field(where, one, "bbox", list))
        boxes[at].append(checked_box(f"{where}.bbox", (x, y, x + width, y + height), size))
        classes[at].append(_one_of(where, one, "category_id", positions, "categories"))
    return build_annotations(str(file), paths, boxes, classes, names)


def _lists(file: Path) -> dict[str, list]:
    """Return the three lists of the file."""
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise DataError(str(file), "a JSON file", "no such file", "the path of the file") from None
    except json.JSONDecodeError as error:
        hint = "the complete file: this one is damaged"
        where, got = f"{file}, line {error.lineno}", f"{error.msg}, column {error.colno}"
        raise DataError(where, "JSON", got, hint) from None
    except (UnicodeDecodeError, RecursionError):
        raise DataError(str(file), "JSON", "other content", "another file") from None
    if not isinstance(content, Mapping):
        got = f"a {type(content).__name__}"
        raise DataError(str(file), f"an object with {', '.join(LISTS)}", got, "another file")
    for name in LISTS:
        if not isinstance(content.get(name), list):
            expected, got = f"a list {name!r}", ", ".join(map(str, content)) or "nothing"
            raise DataError(str(file), expected, got, did_you_mean(name, content))
    return {name: content[name] for name in LISTS}


def _field(where: str, one: Any, name: str, kind: type) -> Any:
    """Return a field of an entry, or raise DataError if it is missing or of another type."""
    value = one.get(name) if isinstance(one, Mapping) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        expected = {int: "a whole number", str: "a string", list: "a list"}[kind]
        hint = "writing it as in the other entries"
        raise DataError(f"{where}.{name}", expected, json.dumps(value), hint)
    return value


def _one_of(where: str, one: Any, name: str, known: Mapping[int, Any], listing: str) -> Any:
    """Look up the id in a field among the known ids of the list named `listing`."""
    number = _field(where, one, name, int)
    if number not in known:
        hint = f"an id from {listing}, such as {', '.join(map(str, [*known][:5])) or 'none'}"
        raise DataError(f"{where}.{name}", f"an id from {listing}", str(number), hint)
    return known[number]


def _numbers(where: str, values: list) -> list[int | float]:
    """Return the four numbers of a box."""
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) != 4 or len(values) != 4:
        hint = "writing the four numbers in pixels"
        raise DataError(where, "four numbers: x, y, width, height", json.dumps(values), hint)
    return numbers
