"""Read the JSON files of Label Studio ("JSON" and "JSON-MIN").

    [{"data": {"image": "/data/upload/1/8ff0b2f4-one.jpg"},
      "annotations": [{"result": [{"value": {"x": 10, "y": 5, "width": 20, "height": 30,
                                             "rotation": 0, "rectanglelabels": ["car"]},
                                   "original_width": 640, "original_height": 480, …}]}]}]

Coordinates are percentages of the image; a rectangle is rotated about its upper left corner. The
box of a rotated rectangle, a polygon or an ellipse is the smallest one around it. Other regions are
left out, with a count. A task without an annotation is left out, with a count; one with several is
refused, unless one of them is the ground truth. Classes are in alphabetical order. The other
exports of Label Studio are COCO, Pascal VOC or YOLO, and are read as such.
"""

import json
import math
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from chainrule.data.decoding import SUFFIXES
from chainrule.errors import DataError, DataWarning
from chainrule.host.reading import parse_number
from chainrule.vision.detection.annotations import (
    Annotations,
    ImageObjects,
    as_number,
    build_named,
    claim_image,
    corners_around,
    side_of,
)
from chainrule.vision.detection.box_checks import BoxChecks
from chainrule.vision.detection.image_files import (
    ImageFolders,
    checked_size,
    image_folders,
    listed,
)

LABELS = ("rectanglelabels", "polygonlabels", "ellipselabels", "labels")
UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")
"""The prefix that Label Studio adds to the name of an uploaded file."""


def read_label_studio(
    file: Path, tasks: list, images: Path | None, checks: BoxChecks
) -> Annotations:
    """Return the annotations in a list of tasks; images are searched in `images`, or nearby."""
    finder = image_folders(file.parent, images, root=checks.root)
    found, unlabelled, left_out = [], [], []
    paths: dict[Path, str] = {}
    places: dict[str, str] = {}
    for i, task in enumerate(tasks):
        where = f"{file}, [{i}]"
        regions = _regions(where, task)
        if regions is None:
            unlabelled.append(where)
            continue
        path = _image_of(where, task, finder)
        claim_image(paths, path, where)
        own = ImageObjects(path)
        for place, region in regions:
            with checks.collected():
                label = _label(place, region)
                if label is None:
                    left_out.append(place)
                    continue
                unit = checked_size(place, path, _size(place, region))
                places.setdefault(label, place)
                own.add(label, checks.box(place, _corners(place, region, unit), unit))
        found.append(own)
    finder.report(str(file))
    checks.report(str(file))
    for some, what in (
        (unlabelled, "tasks without annotations"),
        (left_out, "regions without a box"),
    ):
        if some:
            message = f"{file}: {what} are left out ({len(some):,}): {listed(some)}"
            warnings.warn(message, DataWarning, stacklevel=4)
    return build_named(str(file), found, places, None)


def _regions(where: str, task: Any) -> list[tuple[str, dict]] | None:
    """Return the regions of a task with their places, or None for a task without annotations."""
    if not isinstance(task, Mapping):
        hint = "an export of Label Studio, or a file in the format of COCO"
        raise DataError(where, "a task of Label Studio", json.dumps(task)[:80], hint)
    if "annotations" in task or "completions" in task:
        key = "annotations" if "annotations" in task else "completions"
        return _full(f"{where}.{key}", task[key])
    regions = []
    for key, value in task.items():  # JSON-MIN: each entry is a value itself
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            for i, one in enumerate(value):
                sizes = {name: one.get(name) for name in ("original_width", "original_height")}
                regions.append((f"{where}.{key}[{i}]", {"value": one, **sizes}))
    return regions or None


def _full(where: str, annotations: Any) -> list[tuple[str, dict]] | None:
    """Return the regions of the only annotation of a task that counts."""
    kept = [
        (i, one)
        for i, one in enumerate(annotations if isinstance(annotations, list) else [])
        if isinstance(one, Mapping) and not one.get("was_cancelled")
    ]
    kept = [(i, one) for i, one in kept if one.get("ground_truth")] or kept
    if len(kept) > 1:
        hint = "keeping one of them, or marking one as the ground truth"
        raise DataError(where, "one annotation for each task", f"{len(kept)}", hint)
    if not kept:
        return None
    at, one = kept[0]
    result = one.get("result")
    if not isinstance(result, list):
        hint = "exporting the project again"
        raise DataError(f"{where}[{at}].result", "a list", json.dumps(result)[:80], hint)
    regions = []
    for i, region in enumerate(result):
        known = isinstance(region, dict) and isinstance(region.get("value"), dict)
        if not (isinstance(region, dict) and region.get("type") == "relation"):
            regions.append((f"{where}[{at}].result[{i}]", region if known else {"value": {}}))
    return regions


def _label(where: str, region: dict) -> str | None:
    """Return the class of a region, or None for a region that has no box."""
    value = region["value"]
    given = next((value[key] for key in LABELS if key in value), None)
    if given is None or not ({"x", "y"} <= value.keys() or "points" in value):
        return None
    if not (isinstance(given, list) and len(given) == 1 and isinstance(given[0], str) and given[0]):
        hint = "giving the region one label"
        raise DataError(where, "one label", json.dumps(given)[:80], hint)
    return given[0]


def _size(where: str, region: dict) -> tuple[float, float] | None:
    """Return the annotated (width, height) of the image, or None if it is not given."""
    names = ("original_width", "original_height")
    sides = [side_of(f"{where}.{name}", region.get(name)) for name in names]
    return None if 0 in sides else (sides[0], sides[1])


def _corners(where: str, region: dict, unit: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return the corners of the smallest box around a region, in pixels."""
    value = region["value"]
    try:
        if "points" in value:
            points = [
                (_number(x) * unit[0] / 100, _number(y) * unit[1] / 100) for x, y in value["points"]
            ]
            return corners_around(*zip(*points, strict=True))
        x, y = (_number(value[key]) * side / 100 for key, side in zip("xy", unit, strict=True))
        keys = ("radiusX", "radiusY") if "radiusX" in value else ("width", "height")
        a, b = (_number(value[key]) * side / 100 for key, side in zip(keys, unit, strict=True))
        angle = math.radians(_number(value.get("rotation") or 0))
        cos, sin = math.cos(angle), math.sin(angle)
    except (KeyError, TypeError, ValueError):
        expected, hint = "x, y, width and height in percent", "exporting the project again"
        raise DataError(where, expected, json.dumps(value)[:80], hint) from None
    if "radiusX" in value:
        half = math.hypot(a * cos, b * sin), math.hypot(a * sin, b * cos)
        return x - half[0], y - half[1], x + half[0], y + half[1]
    if angle == 0:
        return x, y, x + a, y + b
    columns = [x, x + a * cos, x + a * cos - b * sin, x - b * sin]
    rows = [y, y + a * sin, y + a * sin + b * cos, y + b * cos]
    return corners_around(columns, rows)


def _number(value: Any) -> float:
    """Return a finite number that may be written as text, or raise ValueError."""
    number = parse_number(value) if isinstance(value, str) else as_number(value)
    if number is None or not math.isfinite(number):
        raise ValueError(value)
    return number


def _image_of(where: str, task: Mapping[str, Any], finder: ImageFolders) -> Path:
    """Return the image of a task."""
    data = task["data"] if isinstance(task.get("data"), Mapping) else task
    texts = [value for value in data.values() if isinstance(value, str)]
    names = [name for name in map(_file_name, texts) if name.lower().endswith(SUFFIXES)]
    if len(set(names)) != 1:
        got = listed(names, ", ") or "none"
        hint = "exporting a project whose tasks show one image each"
        raise DataError(where, "the path of one image", got, hint)
    found = finder.search(where, names[0])
    original = UPLOADED.sub("", names[0].rsplit("/", 1)[-1])
    if found is None and original != names[0].rsplit("/", 1)[-1]:
        found = finder.search(where, original)
    return finder.find(where, names[0]) if found is None else found


def _file_name(url: str) -> str:
    """Return the path of a file in an address of Label Studio.

    >>> _file_name("/data/local-files/?d=pets/one.jpg"), _file_name("http://a.org/one.jpg?t=1")
    ('pets/one.jpg', 'http://a.org/one.jpg')
    """
    _, local, path = url.partition("?d=")
    if local:
        return unquote(path)
    return url.split("?")[0] if "://" in url else url
