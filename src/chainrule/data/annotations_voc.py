"""Annotations as Pascal VOC has them: an XML file for each picture, boxes in pixels.

    <annotation>
      <filename>one.jpg</filename>
      <size> <width>640</width> <height>480</height> … </size>
      <object> <name>car</name> <bndbox> <xmin>…</xmin> <ymin>…</ymin> … </bndbox> </object>
    </annotation>

The numbers of a box are taken as the edges they name: where a program counts pixels from 1, that is
half a pixel off. A file that declares anything of its own (a document type, entities) is refused:
such declarations can make a small file fill the memory, or read others.
"""

import os
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from chainrule.data.annotations import (
    Annotations,
    check_folder,
    checked_box,
    checked_class,
    checked_size,
    gathered,
    picture_of,
)
from chainrule.errors import DataError

LINE = "\0line"
"""The attribute under which an element keeps its line; no file can have one of that name."""

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc(
    folder: str | os.PathLike,
    *,
    images: str | os.PathLike | None = None,
    names: list[str] | None = None,
) -> Annotations:
    """The XML files of a folder, with their pictures (in `images`, or in folders beside).

    `names` are those of the classes; without it all that occur, by the alphabet.
    """
    folder, images = Path(folder), None if images is None else Path(images)
    paths, boxes, kinds = [], [], []
    for file in check_folder(folder, ".xml"):
        root = parsed(file)
        name = _text(file, root, "filename")
        path = picture_of(_at(file, root), name, folder, images)
        size = _find(file, root, "size")
        width, height = (_number(file, size, side) for side in ("width", "height"))
        checked_size(_at(file, size), path, (int(width), int(height)))
        objects = root.findall("object")
        boxes.append([_box(file, one, (width, height)) for one in objects])
        kinds.append([(_text(file, one, "name"), _at(file, one)) for one in objects])
        paths.append(path)
    known = sorted({name for own in kinds for name, _ in own}) if names is None else names
    classes = [[checked_class(where, name, known) for name, where in own] for own in kinds]
    return gathered(str(folder), paths, boxes, classes, known)


def parsed(file: Path) -> Element:
    """The root of an XML file, each element with its line."""
    builder, parser = TreeBuilder(), expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        builder.start(tag, {**attributes, LINE: str(parser.CurrentLineNumber)})

    def refuse(*_: object) -> None:
        where, expected = f"{file}, line {parser.CurrentLineNumber}", "an annotation alone"
        hint = "removing the lines from <!DOCTYPE to its end"
        raise DataError(where, expected, "a document type, which may declare entities", hint)

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda tag: builder.end(tag) and None
    parser.CharacterDataHandler = lambda data: builder.data(data)
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(file.read_bytes(), True)
    except expat.ExpatError as error:
        words = expat.ErrorString(error.code)
        where = f"{file}, line {error.lineno}"
        raise DataError(where, "XML", words, "the whole file: this one is damaged") from None
    except LookupError:
        raise DataError(str(file), "XML in UTF-8", "another encoding", "saving it so") from None
    return builder.close()


def _box(file: Path, one: Element, size: tuple[float, float]):
    bndbox = _find(file, one, "bndbox")
    corners = [_number(file, bndbox, corner) for corner in CORNERS]
    return checked_box(f"{_at(file, bndbox)}, bndbox", corners, size)


def _at(file: Path, element: Element) -> str:
    return f"{file}, line {element.get(LINE)}"


def _find(file: Path, inside: Element, tag: str) -> Element:
    found = inside.find(tag)
    if found is None:
        hint = f"adding <{tag}>, as other files have it"
        raise DataError(_at(file, inside), f"<{tag}> in <{inside.tag}>", "none", hint)
    return found


def _text(file: Path, inside: Element, tag: str) -> str:
    found = _find(file, inside, tag)
    text = (found.text or "").strip()
    if not text:
        raise DataError(_at(file, found), f"a text in <{tag}>", "nothing", "writing it there")
    return text


def _number(file: Path, inside: Element, tag: str) -> float:
    text = _text(file, inside, tag)
    try:
        number = float(text)
    except ValueError:
        where, hint = _at(file, _find(file, inside, tag)), "pixels, such as 120"
        raise DataError(where, f"a number in <{tag}>", repr(text), hint) from None
    if tag in ("width", "height") and not (number >= 1 and number == int(number)):
        where, hint = _at(file, _find(file, inside, tag)), "the size of the picture"
        raise DataError(where, f"a whole number of pixels in <{tag}>", text, hint)
    return number
