"""Read Pascal VOC annotations: one XML file per image, with boxes in pixels.

    <annotation>
      <filename>one.jpg</filename>
      <size> <width>640</width> <height>480</height> … </size>
      <object> <name>car</name> <bndbox> <xmin>…</xmin> <ymin>…</ymin> … </bndbox> </object>
    </annotation>

Box coordinates are used as written: if the labelling program counts pixels from 1, boxes are half a
pixel off. A file with a document type declaration is refused, because its entities could expand
until memory is full or read other files.
"""

import os
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from chainrule.data.annotations import (
    Annotations,
    build_annotations,
    checked_box,
    checked_class,
    checked_size,
    find_image,
    list_files,
)
from chainrule.errors import DataError

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
