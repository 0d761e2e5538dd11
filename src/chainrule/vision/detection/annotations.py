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

Whatever the format, the result is an `Annotations` whose boxes are corners x1, y1, x2, y2, as
fractions of the image's width and height. A box outside its image or without an area, an unknown
class and an annotation whose image is missing raise errors that name the file and the line or
field.

COCO: classes keep the order of the categories. Crowd annotations ("iscrowd": 1) are skipped,
because their box surrounds many objects. Pascal VOC: box coordinates are used as written; if the
labelling program counts pixels from 1, boxes are half a pixel off. A file with a document type
declaration is refused, because its entities could expand until memory is full or read other files.
YOLO: the class names are in classes.txt, one per line, or are passed in. An image without a text
file has no objects.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np

from chainrule.data.decoding import SUFFIXES, read_image_header
from chainrule.errors import DataError, OptionError, did_you_mean

# The common result, and the checks of every format

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
            raise OptionError(
                where,
                f"at least {largest}, the number of objects in one of the images",
                str(N),
                hint,
            )
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
    n_H, n_W = read_image_header(path).size
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


# COCO

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
        x, y, width, height = _coco_numbers(f"{where}.bbox", _field(where, one, "bbox", list))
        boxes[at].append(checked_box(f"{where}.bbox", (x, y, x + width, y + height), size))
        classes[at].append(_one_of(where, one, "category_id", positions, "categories"))
    return build_annotations(str(file), paths, boxes, classes, names)


def _lists(file: Path) -> dict[str, list]:
    """Return the images, annotations and categories listed in a COCO file."""
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


def _coco_numbers(where: str, values: list) -> list[int | float]:
    """Return the four numbers of a box in a COCO file, after checking them."""
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) != 4 or len(values) != 4:
        hint = "writing the four numbers in pixels"
        raise DataError(where, "four numbers: x, y, width, height", json.dumps(values), hint)
    return numbers


# Pascal VOC

LINE = "\0line"
"""Attribute that holds an element's line number; no XML file can contain this name."""

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc(
    folder: str | os.PathLike,
    *,
    images: str | os.PathLike | None = None,
    names: list[str] | None = None,
) -> Annotations:
    """Read the XML files of a folder and find their images (in `images`, or in folders next to it).

    `names` are the classes; by default all that occur, in alphabetical order.
    """
    folder, images = Path(folder), None if images is None else Path(images)
    paths, boxes, kinds = [], [], []
    for file in list_files(folder, ".xml"):
        root = parse_xml(file)
        name = _text(file, root, "filename")
        path = find_image(_at(file, root), name, folder, images)
        size = _find(file, root, "size")
        width, height = (_number(file, size, side) for side in ("width", "height"))
        checked_size(_at(file, size), path, (int(width), int(height)))
        objects = root.findall("object")
        boxes.append([_box(file, one, (width, height)) for one in objects])
        kinds.append([(_text(file, one, "name"), _at(file, one)) for one in objects])
        paths.append(path)
    known = sorted({name for own in kinds for name, _ in own}) if names is None else names
    classes = [[checked_class(where, name, known) for name, where in own] for own in kinds]
    return build_annotations(str(folder), paths, boxes, classes, known)


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
        parser.Parse(file.read_bytes(), True)
    except expat.ExpatError as error:
        got = expat.ErrorString(error.code)
        where = f"{file}, line {error.lineno}"
        raise DataError(where, "XML", got, "the complete file: this one is damaged") from None
    except LookupError:
        hint = "saving it as UTF-8"
        raise DataError(str(file), "XML in UTF-8", "another encoding", hint) from None
    return builder.close()


def _box(file: Path, one: Element, size: tuple[float, float]):
    """Return the box of an object, checked against the image size."""
    bndbox = _find(file, one, "bndbox")
    corners = [_number(file, bndbox, corner) for corner in CORNERS]
    return checked_box(f"{_at(file, bndbox)}, bndbox", corners, size)


def _at(file: Path, element: Element) -> str:
    """Return the file and line of an element, for messages."""
    return f"{file}, line {element.get(LINE)}"


def _find(file: Path, inside: Element, tag: str) -> Element:
    """Return the child element with this tag, or raise DataError."""
    found = inside.find(tag)
    if found is None:
        hint = f"adding <{tag}>, as in the other files"
        raise DataError(_at(file, inside), f"<{tag}> in <{inside.tag}>", "none", hint)
    return found


def _text(file: Path, inside: Element, tag: str) -> str:
    """Return the text of a child element, or raise DataError if it is empty."""
    found = _find(file, inside, tag)
    text = (found.text or "").strip()
    if not text:
        raise DataError(_at(file, found), f"text in <{tag}>", "nothing", "filling it in")
    return text


def _number(file: Path, inside: Element, tag: str) -> float:
    """Return a child element's text as a number; width and height must be whole."""
    text = _text(file, inside, tag)
    try:
        number = float(text)
    except ValueError:
        where, hint = _at(file, _find(file, inside, tag)), "a number of pixels, such as 120"
        raise DataError(where, f"a number in <{tag}>", repr(text), hint) from None
    if tag in ("width", "height") and not (number >= 1 and number == int(number)):
        where, hint = _at(file, _find(file, inside, tag)), "the size of the image"
        raise DataError(where, f"a whole number of pixels in <{tag}>", text, hint)
    return number


# YOLO

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
        read_image_header(path)  # raises an error if it is not an image
        found[path] = _objects(file, names)
    for image_folder in {path.parent for path in found}:
        for path in image_folder.iterdir():
            if path.suffix.lower() in SUFFIXES:
                found.setdefault(path, ([], []))
    paths = sorted(found)
    boxes, classes = ([found[path][i] for path in paths] for i in (0, 1))
    return build_annotations(str(folder), paths, boxes, classes, names)


def _objects(file: Path, names: Sequence[str]) -> tuple[list[np.ndarray], list[int]]:
    """Return the boxes and classes of the objects listed in one text file."""
    boxes, classes = [], []
    for i, line in enumerate(_lines(file), 1):
        where, words = f"{file}, line {i}", line.split()
        if not words:
            continue
        kind, *numbers = _yolo_numbers(where, words)
        if kind != int(kind) or not 0 <= kind < len(names):
            expected = f"a class number from 0 to {len(names) - 1}"
            raise DataError(where, expected, words[0], f"adding its name to {CLASSES}")
        b_x, b_y, b_w, b_h = numbers
        corners = b_x - b_w / 2, b_y - b_h / 2, b_x + b_w / 2, b_y + b_h / 2
        boxes.append(checked_box(where, corners, (1, 1)))
        classes.append(int(kind))
    return boxes, classes


def _yolo_numbers(where: str, words: list[str]) -> list[float]:
    """Return the class and the box that one line of a text file describes."""
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
