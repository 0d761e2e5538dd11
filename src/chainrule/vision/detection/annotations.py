"""Read images with bounding boxes, in the formats COCO, Pascal VOC and YOLO.

Notes: "Object localization" (course 4, week 3): the class, and the box b_x, b_y, b_h, b_w.

    read_coco    one JSON file for all images, with boxes in pixels
        images         [{"id": 1, "file_name": "one.jpg", "width": 640, "height": 480}, …]
        annotations    [{"image_id": 1, "category_id": 3, "bbox": [x, y, width, height]}, …]
        categories     [{"id": 3, "name": "car"}, …]

    read_voc     a folder with one XML file per image, with boxes in pixels
        <annotation>
          <filename>one.jpg</filename>
          <size> <width>640</width> <height>480</height> … </size>
          <object> <name>car</name> <bndbox> <xmin>…</xmin> <ymin>…</ymin> … </bndbox> </object>
        </annotation>

    read_yolo    a folder with one text file per image, with one line per object
        0 0.51 0.40 0.20 0.35        class, b_x, b_y, b_w, b_h, as fractions of the image
        0 0.5 0.4 0.7 0.4 0.6 0.8    class and the corners of a polygon, whose box is used

Whatever the format, the result is an `Annotations` whose boxes are corners x1, y1, x2, y2, as
fractions of the image's width and height. `vision/detection/image_files.py` finds the image of each
annotation, and `vision/detection/box_checks.py` says which boxes are clipped, left out or refused.
An unknown class, an annotation whose image is missing and a key that occurs twice (an id, the image
of two entries, a class name) raise errors that name the file and the line or field. An image size
that is missing, or 0, is read from the image.

COCO: classes keep the order of the categories; ids are numbers or strings. Crowd annotations
("iscrowd": 1), and Pascal VOC objects marked as difficult, are ignored regions: see `Annotations`.
Pascal VOC: box coordinates are used as written; if the labelling program counts pixels from 1,
boxes are half a pixel off. A file with a document type declaration is refused, because its entities
could expand until memory is full or read other files. YOLO: the class names are in classes.txt,
obj.names or _darknet.labels, one per line, or are passed in; a blank line is a number without a
class. A sixth value in a line, the confidence of a prediction, is ignored with a warning. An image
without a text file has no objects.
"""

import json
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np

from chainrule.data.decoding import read_image_header
from chainrule.data.files import PARTS
from chainrule.data.images import subfolders, visible
from chainrule.errors import ChainruleError, DataError, DataWarning, OptionError, did_you_mean
from chainrule.formatting import count_of
from chainrule.host.reading import lines_of, parse_number, read_bytes, read_json_file, read_text
from chainrule.vision.detection.box_checks import BoxChecks
from chainrule.vision.detection.image_files import (
    ImageFolders,
    checked_size,
    claim,
    image_folders,
    listed,
)

# The common result, and the checks of every format

NONE = -1
"""The class that marks an empty slot in padded labels."""

IGNORED = -1000
"""An ignored region of class c has the class IGNORED − c in padded labels."""


@dataclass(frozen=True, eq=False)
class Annotations:
    """Image paths, with the boxes (n, 4) and classes (n,) of each image, and the class names.

    `ignored` holds the ignored regions of each image, (n, 5): class and corners. A box that is
    predicted inside such a region counts neither as correct nor as wrong, and costs nothing in
    training. An empty tuple means that there are none.
    """

    paths: tuple[Path, ...]
    boxes: tuple[np.ndarray, ...]
    classes: tuple[np.ndarray, ...]
    names: tuple[str, ...]
    ignored: tuple[np.ndarray, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def most(self) -> int:
        """The largest number of objects and ignored regions of an image."""
        return max(map(len, map(self._labels, range(len(self)))), default=0)

    def _labels(self, i: int) -> np.ndarray:
        """Return the class and the corners of each object and ignored region of an image."""
        objects = np.column_stack([self.classes[i], self.boxes[i]])
        regions = self.ignored[i] if self.ignored else np.empty((0, 5))
        return np.concatenate([objects, np.column_stack([IGNORED - regions[:, 0], regions[:, 1:]])])

    def padded(self, most: int | None = None) -> np.ndarray:
        """Return Y (m, N, 5): class and corners, for the N objects of each image.

        Unused rows have the class −1. An ignored region of class c has the class −1000 − c.

        >>> box = np.array([[0.0, 0.0, 0.5, 0.5]])
        >>> one = Annotations((Path("a.png"),), (box,), (np.array([2]),), ("a", "b", "c"))
        >>> one.padded(2).tolist()
        [[[2.0, 0.0, 0.0, 0.5, 0.5], [-1.0, 0.0, 0.0, 0.0, 0.0]]]
        """
        largest = self.most
        N = max(largest, 1) if most is None else most
        if largest > N:
            where, hint = "Annotations.padded(most=…)", f"most={largest}"
            raise OptionError(
                where,
                f"at least {largest}, the number of objects in one of the images",
                str(N),
                hint,
            )
        Y = np.zeros((len(self), N, 5), np.float32)
        Y[..., 0] = NONE
        for i, y in enumerate(Y):
            labels = self._labels(i)
            y[: len(labels)] = labels
        return Y


@dataclass
class ImageObjects:
    """The objects and the ignored regions of one image, while they are read."""

    path: Path
    boxes: list[np.ndarray] = field(default_factory=list)
    classes: list[Any] = field(default_factory=list)
    ignored: list[tuple[Any, np.ndarray]] = field(default_factory=list)

    def add(self, kind: Any, box: np.ndarray | None, *, ignored: bool = False) -> None:
        """Add an object of a class, or an ignored region; `None` is a box that is left out."""
        if box is None:
            return
        if ignored:
            self.ignored.append((kind, box))
        else:
            self.boxes.append(box)
            self.classes.append(kind)


def build_annotations(
    where: str, images: Sequence[ImageObjects], names: Sequence[str]
) -> Annotations:
    """Build `Annotations` from classes that are numbers; refuse data without an image or object."""
    if not images:
        hint = "the folder or the file that contains the annotations"
        raise DataError(where, "annotated images", "none", hint)
    if not any(one.boxes for one in images):
        hint = "images in which objects are annotated"
        raise DataError(where, "at least one object in one of the images", "none", hint)
    boxes = tuple(np.asarray(one.boxes, float).reshape(-1, 4).astype(np.float32) for one in images)
    classes = tuple(np.asarray(one.classes, np.int64).reshape(-1) for one in images)
    rows = [[[kind, *box] for kind, box in one.ignored] for one in images]
    ignored = tuple(np.asarray(own, np.float32).reshape(-1, 5) for own in rows) if any(rows) else ()
    return Annotations(tuple(one.path for one in images), boxes, classes, tuple(names), ignored)


def build_named(
    where: str,
    images: Sequence[ImageObjects],
    places: Mapping[str, str],
    names: Sequence[str] | None,
) -> Annotations:
    """Build `Annotations` from classes that are names; `places` says where each name occurs first.

    Without `names`, the classes are all that occur, in alphabetical order.
    """
    known = sorted(places) if names is None else names
    numbers = {name: checked_class(place, name, known) for name, place in places.items()}
    for one in images:
        one.classes = [numbers[name] for name in one.classes]
        one.ignored = [(numbers[name], box) for name, box in one.ignored]
    return build_annotations(where, images, known)


def checked_class(where: str, name: str, names: Sequence[str]) -> int:
    """Return the index of a class name, or raise DataError if it is not listed."""
    if name not in names:
        expected = f"one of the {count_of(len(names), 'listed class')}"
        raise DataError(where, expected, repr(name), did_you_mean(name, names))
    return list(names).index(name)


def claim_image(places: dict[Path, str], path: Path, where: str) -> None:
    """Refuse an image that two entries or files name, and name both."""
    hint = "one entry for each image, with all of its objects"
    claim(places, path.resolve(), where, "an image that occurs only once", f"{path.name}", hint)


def list_files(folder: Path, suffix: str) -> list[Path]:
    """Return the files of a folder with this suffix, by name; refuse a folder without any."""
    if not folder.is_dir():
        got = "a file" if folder.exists() else "no such folder"
        raise DataError(str(folder), f"a folder of {suffix} files", got, "the path of the folder")
    files = [file for file in sorted(folder.iterdir()) if file.suffix.lower() == suffix]
    files = [file for file in files if visible(file)]
    if not files:
        raise DataError(str(folder), f"{suffix} files", "none", "the folder that holds them")
    below = [str(file) for inner in subfolders(folder) for file in sorted(inner.glob(f"*{suffix}"))]
    if below:
        many = f"{len(below):,} files in subfolders are"
        what = "1 file in a subfolder is" if len(below) == 1 else many
        message = f"{folder}: {what} left out: {listed(below)}"
        warnings.warn(message, DataWarning, stacklevel=3)
    return files


# COCO

LISTS = ("images", "annotations", "categories")

FLAGS = {"": False, "0": False, "false": False, "no": False, "unspecified": False}
FLAGS |= {"1": True, "true": True, "yes": True}
"""The values of marks such as iscrowd and <difficult>, in lower case."""


def read_coco(
    file: str | os.PathLike,
    *,
    images: str | os.PathLike | None = None,
    checks: BoxChecks | None = None,
) -> Annotations:
    """Read a JSON file and find its images (in `images`, or in folders next to the file)."""
    file, images = Path(file), None if images is None else Path(images)
    return coco_annotations(file, read_exported(file), images, checks or BoxChecks())


def read_exported(file: Path) -> Any:
    """Return the content of a JSON file; numbers that are not finite matter only where used."""
    return read_json_file(file, hint="exporting the annotations again", finite=False)


def coco_annotations(
    file: Path, content: Any, images: Path | None, checks: BoxChecks
) -> Annotations:
    """Return the annotations in the content of a JSON file."""
    content = _lists(file, content)
    names, positions = _categories(file, content)
    finder = image_folders(file.parent, images, set_names(file.stem), checks.root)
    known: dict[str, tuple[ImageObjects, tuple[int, int]]] = {}
    ids: dict[str, str] = {}
    paths: dict[Path, str] = {}
    for i, one in enumerate(content["images"]):
        where = f"{file}, images[{i}]"
        number = _claim_id(ids, where, one, "image")
        size = _size(where, one)
        path = finder.find(where, _field(where, one, "file_name", str))
        claim_image(paths, path, where)
        known[number] = ImageObjects(path), checked_size(where, path, size)
    finder.report(str(file))
    ids = {}
    for i, one in enumerate(content["annotations"]):
        where = f"{file}, annotations[{i}]"
        if isinstance(one, Mapping) and one.get("id") is not None:
            _claim_id(ids, where, one, "annotation")
        with checks.collected():
            image, size = _one_of(where, one, "image_id", known, "images")
            box = checks.box(f"{where}.bbox", _coco_corners(where, one), size)
            kind = _one_of(where, one, "category_id", positions, "categories")
            marks = [_mark(f"{where}.{name}", one.get(name)) for name in ("iscrowd", "ignore")]
            image.add(kind, box, ignored=any(marks))
    checks.report(str(file))
    return build_annotations(str(file), [image for image, _ in known.values()], names)


def _mark(where: str, value: Any) -> bool:
    """Return whether a mark of an annotation is 1; one that is missing is 0."""
    text = "" if value is None else str(value).strip().lower()
    if text not in FLAGS:
        raise DataError(where, "0 or 1", json.dumps(value)[:80], "0 for no, or 1 for yes")
    return FLAGS[text]


def set_names(stem: str) -> list[str]:
    """Return the folders that the images of a file may have, if its name is that of a set.

    >>> set_names("instances_val2017"), set_names("cells")
    (['val2017', 'val'], [])
    """
    last = stem.replace("-", "_").replace(".", "_").split("_")[-1]
    words = dict.fromkeys([last, last.rstrip("0123456789")])
    return list(words) if last.rstrip("0123456789").lower() in PARTS else []


def _lists(file: Path, content: Any) -> dict[str, list]:
    """Return the images, annotations and categories listed in a COCO file."""
    if not isinstance(content, Mapping):
        got = f"a {type(content).__name__}"
        expected, hint = f"an object with {', '.join(LISTS)}", "exporting it in the COCO format"
        raise DataError(str(file), expected, got, hint)
    for name in LISTS:
        if not isinstance(content.get(name), list):
            expected, got = f"a list named {name!r}", ", ".join(map(str, content)) or "nothing"
            raise DataError(str(file), expected, got, did_you_mean(name, content))
    return {name: content[name] for name in LISTS}


def _categories(file: Path, content: Mapping[str, list]) -> tuple[list[str], dict[str, int]]:
    """Return the names of the classes, and the position of each category's id among them.

    A category that no annotation uses may have the name of another one: exports of Roboflow begin
    with such a category.
    """
    used = {as_id(one.get("category_id")) for one in content["annotations"] if _is_mapping(one)}
    entries, ids = [], {}
    for i, one in enumerate(content["categories"]):
        where = f"{file}, categories[{i}]"
        number = _claim_id(ids, where, one, "category")
        entries.append((where, number, _field(where, one, "name", str)))
    used_names = {name for _, number, name in entries if number in used}
    names, positions, places = [], {}, {}
    for where, number, name in entries:
        if number not in used and (name in used_names or name in places):
            continue
        hint = "one category for each class"
        claim(places, name, where, "a unique name", repr(name), hint)
        positions[number] = len(names)
        names.append(name)
    return names, positions


def _is_mapping(one: Any) -> bool:
    return isinstance(one, Mapping)


def as_id(value: Any) -> str | None:
    """Return an id, a whole number or a string, as text; None for anything else.

    >>> as_id(7), as_id(7.0), as_id("007"), as_id(True)
    ('7', '7', '007', None)
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        return None
    return str(value)


def _id(where: str, one: Any, name: str) -> str:
    """Return the id in a field, or raise DataError."""
    value = one.get(name) if isinstance(one, Mapping) else None
    found = as_id(value)
    if found is None:
        hint = "writing it as in the other entries"
        raise DataError(f"{where}.{name}", "a whole number or a string", json.dumps(value), hint)
    return found


def _claim_id(places: dict[str, str], where: str, one: Any, kind: str) -> str:
    """Return the id of an entry; refuse one that an earlier entry has, and name both."""
    number = _id(where, one, "id")
    hint = "giving each entry a unique id"
    claim(places, number, f"{where}.id", f"an id that no other {kind} has", number, hint)
    return number


def _size(where: str, one: Any) -> tuple[float, float] | None:
    """Return the (width, height) of an image entry, or None if it is missing or 0."""
    sides = [side_of(f"{where}.{name}", one.get(name)) for name in ("width", "height")]
    return None if 0 in sides else (sides[0], sides[1])


def side_of(where: str, value: Any) -> float:
    """Return a number of pixels that may be written as text, and 0 for a missing one."""
    if value is None or value == "":
        return 0
    number = parse_number(value) if isinstance(value, str) else as_number(value)
    if number is None or not 0 <= number < inf:
        hint = "the size of the image, or leaving it out: it is read from the image"
        raise DataError(where, "a number of pixels", json.dumps(value)[:80], hint)
    return number


def _field(where: str, one: Any, name: str, kind: type) -> Any:
    """Return a field of an entry, or raise DataError if it is missing or of another type."""
    value = one.get(name) if isinstance(one, Mapping) else None
    if not isinstance(value, kind) or isinstance(value, bool) or value == "":
        expected = {str: "a string", list: "a list"}[kind]
        hint = "writing it as in the other entries"
        raise DataError(f"{where}.{name}", expected, json.dumps(value), hint)
    return value


def _one_of(where: str, one: Any, name: str, known: Mapping[str, Any], listing: str) -> Any:
    """Look up the id in a field among the known ids of the list named `listing`."""
    number = _id(where, one, name)
    if number not in known:
        hint = f"an id from {listing}, such as {', '.join([*known][:5]) or 'none'}"
        raise DataError(f"{where}.{name}", f"an id from {listing}", number, hint)
    return known[number]


def _coco_corners(where: str, one: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Return the corners of an object: those of its box, else those around its polygons."""
    polygons = one.get("segmentation")
    if not one.get("bbox") and isinstance(polygons, list) and polygons:
        values = [v for polygon in polygons if isinstance(polygon, list) for v in polygon]
        numbers = _numbers(f"{where}.segmentation", values, "the x and y of each corner", None)
        return corners_around(numbers[0::2], numbers[1::2])
    values = _field(where, one, "bbox", list)
    x, y, width, height = _numbers(f"{where}.bbox", values, "x, y, width, height", 4)
    return x, y, x + width, y + height


def corners_around(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float, float]:
    """Return the corners of the box around points.

    >>> corners_around([3, 1, 2], [5, 5, 8])
    (1, 5, 3, 8)
    """
    return min(x), min(y), max(x), max(y)


def _numbers(where: str, values: list, what: str, n: int | None) -> list[float]:
    """Return a list of numbers, which are n numbers, or, without n, at least three pairs."""
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    fits = len(values) == n if n else len(values) >= 6 and len(values) % 2 == 0
    if len(numbers) != len(values) or not fits:
        count = "four numbers" if n else "an even number of coordinates, at least six"
        hint = f"writing the {'four ' if n else ''}numbers in pixels"
        raise DataError(where, f"{count}: {what}", json.dumps(values)[:80], hint)
    return [inf if (number := as_number(v)) is None else number for v in numbers]


def as_number(value: Any) -> float | None:
    """Return a number of a JSON file, infinity for a whole number that is too large; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return inf


# Pascal VOC

LINE = "\0line"
"""Attribute that holds an element's line number; no XML file can contain this name."""

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc(
    folder: str | os.PathLike,
    *,
    images: str | os.PathLike | None = None,
    names: list[str] | None = None,
    checks: BoxChecks | None = None,
) -> Annotations:
    """Read the XML files of a folder and find their images (in `images`, or in folders next to it).

    `names` are the classes; by default all that occur, in alphabetical order.
    """
    folder, images = Path(folder), None if images is None else Path(images)
    checks = checks or BoxChecks()
    finder, found = image_folders(folder, images, [folder.name], checks.root), []
    paths: dict[Path, str] = {}
    places: dict[str, str] = {}
    for file in list_files(folder, ".xml"):
        root = parse_xml(file)
        path = finder.find(_at(file, root), _text(file, root, "filename"))
        claim_image(paths, path, _at(file, _find(file, root, "filename")))
        size = root.find("size")
        where = _at(file, root if size is None else size)
        unit = checked_size(where, path, None if size is None else _voc_size(file, size))
        own = ImageObjects(path)
        for one in root.findall("object"):
            with checks.collected():
                _add_object(file, one, unit, own, places, checks)
        found.append(own)
    finder.report(str(folder))
    checks.report(str(folder))
    return build_named(str(folder), found, places, names)


def _add_object(
    file: Path,
    one: Element,
    unit: tuple[int, int],
    own: ImageObjects,
    places: dict[str, str],
    checks: BoxChecks,
) -> None:
    """Add the object of an element to those of its image, and its class to the known classes."""
    name, bndbox = _text(file, one, "name"), _find(file, one, "bndbox")
    corners = [_number(file, bndbox, corner) for corner in CORNERS]
    box = checks.box(f"{_at(file, bndbox)}, bndbox", corners, unit)
    places.setdefault(name, _at(file, one))
    own.add(name, box, ignored=_flag(file, one, "difficult"))


def _voc_size(file: Path, size: Element) -> tuple[float, float] | None:
    """Return the (width, height) in an element, or None if one is missing or 0."""
    sides = []
    for tag in ("width", "height"):
        found = size.find(tag)
        empty = found is None or not (found.text or "").strip()
        sides.append(0 if empty else _number(file, size, tag))
        if sides[-1] < 0:
            where, hint = _at(file, _find(file, size, tag)), "the size of the image"
            raise DataError(where, f"a number of pixels in <{tag}>", f"{sides[-1]:g}", hint)
    return None if 0 in sides else (sides[0], sides[1])


def _flag(file: Path, one: Element, tag: str) -> bool:
    """Return whether a child element is 1; an object without it is not marked."""
    found = one.find(tag)
    if found is None:
        return False
    text = (found.text or "").strip()
    if text.lower() not in FLAGS:
        expected, hint = f"0 or 1 in <{tag}>", "0 for no, or 1 for yes"
        raise DataError(_at(file, found), expected, repr(text), hint)
    return FLAGS[text.lower()]


def parse_xml(file: Path) -> Element:
    """Return the root of an XML file; every element carries its line number."""
    builder, parser = TreeBuilder(), expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        builder.start(tag, {**attributes, LINE: str(parser.CurrentLineNumber)})

    def refuse(*_: object) -> None:
        where = f"{file}, line {parser.CurrentLineNumber}"
        expected = "an annotation without a document type"
        hint = "removing the <!DOCTYPE …> declaration"
        raise DataError(where, expected, "<!DOCTYPE, which may declare entities", hint)

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda tag: builder.end(tag) and None
    parser.CharacterDataHandler = lambda data: builder.data(data)
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(read_bytes(file), True)
    except ChainruleError:
        raise
    except expat.ExpatError as error:
        got = expat.ErrorString(error.code)
        where = f"{file}, line {error.lineno}"
        got, hint = f"an error in the file ({got})", "the complete file: this one is damaged"
        raise DataError(where, "valid XML", got, hint) from None
    except (LookupError, TypeError, ValueError):  # what Python's decoders raise
        hint = "saving it as UTF-8"
        raise DataError(str(file), "XML in UTF-8", "another encoding", hint) from None
    return builder.close()


def _at(file: Path, element: Element) -> str:
    """Return the file and line of an element, for messages."""
    return f"{file}, line {element.get(LINE)}"


def _find(file: Path, inside: Element, tag: str) -> Element:
    """Return the only child element with this tag, or raise DataError."""
    found = inside.findall(tag)
    if not found:
        hint = f"adding <{tag}>, as in the other files"
        raise DataError(_at(file, inside), f"<{tag}> in <{inside.tag}>", "none", hint)
    if len(found) > 1:
        lines = " and ".join(str(one.get(LINE)) for one in found)
        expected, hint = f"one <{tag}> in <{inside.tag}>", "keeping one of them"
        raise DataError(_at(file, inside), expected, f"{len(found)}, in lines {lines}", hint)
    return found[0]


def _text(file: Path, inside: Element, tag: str) -> str:
    """Return the text of a child element, or raise DataError if it is empty."""
    found = _find(file, inside, tag)
    text = (found.text or "").strip()
    if not text:
        raise DataError(_at(file, found), f"text in <{tag}>", "nothing", "filling it in")
    return text


def _number(file: Path, inside: Element, tag: str) -> float:
    """Return a child element's text as a number."""
    text = _text(file, inside, tag)
    number = parse_number(text)
    if number is None:
        where, hint = _at(file, _find(file, inside, tag)), "a number of pixels, such as 120"
        raise DataError(where, f"a number in <{tag}>", repr(text), hint)
    return number


# YOLO

CLASSES = "classes.txt"
CLASS_LISTS = (CLASSES, "obj.names", "_darknet.labels")
"""Files with one class name per line."""

OTHER_TEXTS = ("labels", "names", "predefined_classes", "train", "val", "valid", "test", "dev")
"""Text files beside labels, which are labels only if there is an image of that name."""


class LineReader:
    """A reader of the objects in text files, which also counts the values that it ignores.

    names        the number and the name of each class
    keypoints    the number of keypoint values in each line, after the box
    """

    def __init__(self, names: Mapping[int, str], checks: BoxChecks, keypoints: int = 0):
        self.numbers = {number: i for i, number in enumerate(names)}
        self.checks, self.keypoints = checks, keypoints
        self.confidences: list[str] = []

    def read(self, file: Path, own: ImageObjects) -> None:
        """Add the objects in a text file to those of an image."""
        for i, line in enumerate(lines_of(read_text(file)), 1):
            if line.strip():
                with self.checks.collected():
                    self._read_line(f"{file}, line {i}", line.split(), own)

    def report(self, source: str) -> None:
        """Raise or warn of the problems that were found in all files."""
        self.checks.report(source)
        if n := len(self.confidences):
            lines = "1 line" if n == 1 else f"{n:,} lines"
            message = f"{source}: the sixth value of {lines}, a confidence, is ignored: "
            warnings.warn(message + listed(self.confidences), DataWarning, stacklevel=3)

    def _read_line(self, where: str, words: list[str], own: ImageObjects) -> None:
        numbers = self._numbers(where, words)
        kind = numbers[0]
        if kind not in self.numbers:
            last = max(self.numbers, default=0)
            missing = f"a class number from 0 to {last}"
            blank = kind == int(kind) and 0 <= kind < last
            got = f"{words[0]}, whose line in the list of classes is blank" if blank else words[0]
            raise DataError(where, missing, got, f"adding its name to {CLASSES}")
        if len(numbers) > 6 and not self.keypoints:
            corners = corners_around(numbers[1::2], numbers[2::2])
        else:
            b_x, b_y, b_w, b_h = numbers[1:5]
            corners = b_x - b_w / 2, b_y - b_h / 2, b_x + b_w / 2, b_y + b_h / 2
        if len(numbers) == 6:
            self.confidences.append(where)
        own.add(self.numbers[int(kind)], self.checks.box(where, corners, (1, 1)))

    def _numbers(self, where: str, words: list[str]) -> list[float]:
        """Return the numbers of a line: a class with a box, or with a polygon."""
        numbers = [number for word in words if (number := parse_number(word)) is not None]
        n = len(words)
        polygon = n >= 7 and n % 2 == 1 and not self.keypoints
        fits = n in (5, 6) or polygon or n == 5 + self.keypoints
        if not (fits and len(numbers) == n):
            got = count_of(n, "value") if not fits else " ".join(words)
            hint = "a line such as 0 0.51 0.40 0.20 0.35"
            raise DataError(where, "five numbers: class, b_x, b_y, b_w, b_h", got, hint)
        return numbers


def read_yolo(
    folder: str | os.PathLike,
    *,
    images: str | os.PathLike | None = None,
    names: Sequence[str] | Mapping[int, str] | None = None,
    checks: BoxChecks | None = None,
) -> Annotations:
    """Read the text files of a folder and find their images (in `images`, or next to it).

    `names` are the names of the classes, or those of the numbers that have a name.
    """
    folder, images = Path(folder), None if images is None else Path(images)
    known = as_numbered(class_names(folder) if names is None else names)
    checks = checks or BoxChecks()
    finder = image_folders(folder, images, [folder.name], checks.root)
    reader, paths = LineReader(known, checks), {}
    found: dict[Path, ImageObjects] = {}
    for file in label_files(folder, finder):
        path = finder.find(str(file), file.stem, stem=True)
        claim_image(paths, path, str(file))
        read_image_header(path)  # raises an error if it is not an image
        reader.read(file, found.setdefault(path, ImageObjects(path)))
    for image_folder in {path.parent for path in found}:
        for path in finder.files(image_folder):
            found.setdefault(path, ImageObjects(path))
    reader.report(str(folder))
    return build_annotations(
        str(folder), [found[path] for path in sorted(found)], [*known.values()]
    )


def label_files(folder: Path, finder: ImageFolders) -> list[Path]:
    """Return the text files of a folder that are labels, and not lists or read-me files."""
    files = list_files(folder, ".txt")

    def is_label(file: Path) -> bool:
        stem = file.stem.lower()
        other = stem in OTHER_TEXTS or stem.startswith("readme")
        return file.name.lower() != CLASSES and not (
            other and finder.search(str(file), file.stem, stem=True) is None
        )

    return [file for file in files if is_label(file)]


def as_numbered(names: Sequence[str] | Mapping[int, str]) -> dict[int, str]:
    """Return the names of classes by their numbers."""
    return dict(names) if isinstance(names, Mapping) else dict(enumerate(names))


def class_names(folder: Path) -> dict[int, str]:
    """Return the names listed in this folder or up to two levels above it, by their numbers."""
    for parent in (folder, *folder.absolute().parents[:2]):
        files = [parent / name for name in CLASS_LISTS if (parent / name).is_file()]
        lists = [read_class_list(file) for file in files]
        different = [file for file, names in zip(files, lists, strict=True) if names != lists[0]]
        if different:
            expected, hint = "one list of classes", "keeping one of them"
            got = f"two that differ: {files[0].name} and {different[0].name}"
            raise DataError(str(parent), expected, got, hint)
        if files:
            return lists[0]
    hint = f"a {CLASSES} with one name per line"
    raise DataError(str(folder), "the names of the classes", f"no {CLASSES}", hint)


def read_class_list(file: Path) -> dict[int, str]:
    """Return the names in a file with one per line; a blank line is a number without a class."""
    lines = [line.strip() for line in lines_of(read_text(file))]
    return named_numbers(
        (f"{file}, line {i}", i - 1, name) for i, name in enumerate(lines, 1) if name
    )


def named_numbers(entries: Iterable[tuple[str, int, str]]) -> dict[int, str]:
    """Return the names of numbers, given with their places; refuse one name for two numbers."""
    places: dict[str, str] = {}
    names: dict[int, str] = {}
    for where, number, name in entries:
        claim(places, name, where, "a unique name", repr(name), "one line for each class")
        names[number] = name
    return dict(sorted(names.items()))
