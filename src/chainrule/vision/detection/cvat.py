"""Read the XML files of CVAT, the Computer Vision Annotation Tool ("CVAT for images").

    <annotations>
      <meta> … <labels> <label><name>car</name></label> … </labels> … </meta>
      <image id="0" name="one.jpg" subset="train" width="640" height="480">
        <box label="car" xtl="10.0" ytl="5.0" xbr="40.0" ybr="30.0" />
        <polygon label="car" points="10.0,5.0;40.0,5.0;40.0,30.0" />
      </image>
    </annotations>

The classes keep the order of the labels. The box of a rotated rectangle, a polygon, a polyline, an
ellipse or a mask is the smallest one around it. Points, cuboids and skeletons are left out, with a
count. The other exports of CVAT are COCO, Pascal VOC or YOLO, and are read as such.
"""

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element

from chainrule.data.files import PARTS
from chainrule.errors import DataError, DataWarning
from chainrule.host.reading import parse_number
from chainrule.vision.detection.annotations import (
    LINE,
    Annotations,
    ImageObjects,
    build_named,
    claim,
    claim_image,
    corners_around,
    parse_xml,
)
from chainrule.vision.detection.box_checks import BoxChecks
from chainrule.vision.detection.image_files import checked_size, image_folders, listed

ROOT = "annotations"
SHAPES = ("box", "polygon", "polyline", "ellipse", "mask")
OTHERS = ("points", "cuboid", "skeleton")
Corners = tuple[float, float, float, float]


def read_cvat(
    file: Path, *, images: Path | None = None, make_checks: Callable[[], BoxChecks] = BoxChecks
) -> dict[str, Annotations]:
    """Return the annotations of each subset; all of them are "train" unless a subset has this name.

    The images are searched in `images`, or in folders next to the file.
    """
    root = parse_xml(file)
    if root.tag != ROOT:
        hint = "the folder of the files, if they are those of Pascal VOC"
        expected = f"the root element <{ROOT}> of a CVAT file"
        raise DataError(str(file), expected, f"<{root.tag}>", hint)
    if root.find("track") is not None:
        where, hint = _at(file, root.find("track")), "exporting them as “CVAT for images”"
        raise DataError(where, "annotated images", "the tracks of a video", hint)
    elements = root.findall("image")
    parts = [PARTS.get(one.get("subset", "").lower(), "") for one in elements]
    if "train" not in parts or "" in parts:
        parts = ["train"] * len(elements)
    texts = [(one.text or "").strip() for one in root.iterfind(".//labels/label/name")]
    names = [*dict.fromkeys(text for text in texts if text)]
    found = {}
    for part in dict.fromkeys(parts or ["train"]):
        own = [one for one, its in zip(elements, parts, strict=True) if its == part]
        found[part] = _read_images(file, own, images, make_checks(), names)
    return found


def _read_images(
    file: Path, elements: list[Element], images: Path | None, checks: BoxChecks, names: list[str]
) -> Annotations:
    """Return the annotations of some <image> elements."""
    subsets = sorted({one.get("subset", "") for one in elements} - {""})
    finder, found, left_out = image_folders(file.parent, images, subsets, checks.root), [], []
    ids: dict[str, str] = {}
    paths: dict[Path, str] = {}
    places: dict[str, str] = {}
    for element in elements:
        where = _at(file, element)
        number, hint = _attribute(file, element, "id"), "giving each image a unique id"
        claim(ids, number, where, "an id that no other image has", number, hint)
        path = finder.find(where, _attribute(file, element, "name"))
        claim_image(paths, path, where)
        sides = [_number(file, element, side, 0) for side in ("width", "height")]
        unit = checked_size(where, path, None if 0 in sides else (sides[0], sides[1]))
        own = ImageObjects(path)
        for shape in element:
            if shape.tag in OTHERS:
                left_out.append(f"{_at(file, shape)}, <{shape.tag}>")
            if shape.tag not in SHAPES:
                continue
            with checks.collected():
                label = _attribute(file, shape, "label")
                places.setdefault(label, _at(file, shape))
                place = f"{_at(file, shape)}, <{shape.tag}>"
                own.add(label, checks.box(place, _corners(file, shape), unit))
        found.append(own)
    finder.report(str(file))
    checks.report(str(file))
    if left_out:
        many = f"{len(left_out):,} shapes without a box are"
        what = "1 shape without a box is" if len(left_out) == 1 else many
        message = f"{file}: {what} left out: {listed(left_out)}"
        warnings.warn(message, DataWarning, stacklevel=4)
    return build_named(str(file), found, places, names or None)


def _corners(file: Path, shape: Element) -> Corners:
    """Return the corners of the smallest box around a shape."""

    def number(name: str) -> float:
        return _number(file, shape, name)

    if shape.tag == "box":
        corners = [number(name) for name in ("xtl", "ytl", "xbr", "ybr")]
        return rotated_box(corners, _number(file, shape, "rotation", 0))
    if shape.tag == "ellipse":
        cx, cy, rx, ry = (number(name) for name in ("cx", "cy", "rx", "ry"))
        angle = math.radians(_number(file, shape, "rotation", 0))
        x = math.hypot(rx * math.cos(angle), ry * math.sin(angle))
        y = math.hypot(rx * math.sin(angle), ry * math.cos(angle))
        return cx - x, cy - y, cx + x, cy + y
    if shape.tag == "mask":
        left, top = number("left"), number("top")
        return left, top, left + number("width"), top + number("height")
    text = _attribute(file, shape, "points")
    points = [[parse_number(word) for word in one.split(",")] for one in text.split(";")]
    numbers = [number for one in points if len(one) == 2 for number in one if number is not None]
    if len(numbers) != 2 * len(points):
        hint = 'points such as "10,5;40,5;40,30"'
        raise DataError(_at(file, shape), "the points of a polygon", repr(text)[:80], hint)
    return corners_around(numbers[0::2], numbers[1::2])


def rotated_box(corners: list[float], degrees: float) -> Corners:
    """Return the box around a rectangle that is rotated about its centre.

    >>> rotated_box([0, 1, 4, 3], 0), [round(x) for x in rotated_box([0, 1, 4, 3], 90)]
    ((0, 1, 4, 3), [1, 0, 3, 4])
    """
    x1, y1, x2, y2 = corners
    if degrees == 0:
        return x1, y1, x2, y2
    angle, cx, cy = math.radians(degrees), (x1 + x2) / 2, (y1 + y2) / 2
    w, h = (x2 - x1) / 2, (y2 - y1) / 2
    x = abs(w * math.cos(angle)) + abs(h * math.sin(angle))
    y = abs(w * math.sin(angle)) + abs(h * math.cos(angle))
    return cx - x, cy - y, cx + x, cy + y


def _at(file: Path, element: Element | None) -> str:
    """Return the file and line of an element, for messages."""
    return f"{file}, line {None if element is None else element.get(LINE)}"


def _attribute(file: Path, element: Element, name: str) -> str:
    """Return an attribute of an element, or raise DataError if it is missing or empty."""
    value = element.get(name, "").strip()
    if not value:
        expected, hint = f"the attribute {name} of <{element.tag}>", "exporting the task again"
        raise DataError(_at(file, element), expected, "none", hint)
    return value


def _number(file: Path, element: Element, name: str, default: float | None = None) -> float:
    """Return an attribute as a number; without a default, it must be there."""
    if default is not None and not element.get(name, "").strip():
        return default
    text = _attribute(file, element, name)
    number = parse_number(text)
    if number is None:
        where, hint = _at(file, element), "exporting the task again"
        raise DataError(where, f"a number as {name}", repr(text), hint)
    return number
