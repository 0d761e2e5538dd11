"""HTML built from nested calls; all text is escaped, so that no name in the data becomes markup.

    element("p", "a < b", class_="note")   <p class="note">a &lt; b</p>

Only the results of `element` are markup; every other value is text. This module also builds the
tables and images of the report's sections.

The HTML page of a report: a single file that contains its style sheet and its script.

It works offline: a content security policy in its head forbids it to load anything or to run any
other script. All names from the data are escaped (`inspection/report/html.py`).
"""

import struct
import zlib
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files

import numpy as np

from chainrule import __version__

EMPTY = ("br", "col", "img", "link", "meta")
"""Elements without an end tag."""

LARGEST = 80
"""The most pixels of an image's longer side; larger images are reduced by averaging squares."""


class Html(str):
    """Text that is already markup and is not escaped again."""


def element(name: str, /, *inside: object, **attributes: object) -> Html:
    """Return an element; attributes that are None are left out.

    A trailing underscore is removed from the name of an attribute (`class_`), and the others become
    hyphens (`data_x`).

    >>> element("b", "<script>", Html("<i>x</i>"), class_="a", title=None)
    '<b class="a">&lt;script&gt;<i>x</i></b>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in EMPTY:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{together(inside)}</{name}>")


def together(parts: Iterable[object]) -> Html:
    """Join parts into one piece of markup; None adds nothing."""
    return Html("".join(map(markup, parts)))


def markup(part: object) -> str:
    """Return a part as markup: text is escaped, and None is ""."""
    if part is None:
        return ""
    return part if isinstance(part, Html) else escape(str(part))


def table(
    caption: str,
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    words: Sequence[int] = (0,),
    marked: Iterable[int] = (),
) -> Html:
    """Return a table that scrolls in its own frame.

    The columns in `words` hold text and are aligned left, all others right. The rows in `marked`
    are highlighted.
    """
    kind = ["words" if i in words else "number" for i in range(len(head))]
    marked = set(marked)
    first = [
        element("th", cell, scope="col", class_=name) for cell, name in zip(head, kind, strict=True)
    ]
    lines = [_row(row, kind, "marked" if i in marked else None) for i, row in enumerate(rows)]
    inside = (element("thead", element("tr", *first)), element("tbody", *lines))
    body = element("table", element("caption", caption), *inside)
    return element("div", body, class_="frame", tabindex="0", role="region", aria_label=caption)


def _row(row: Sequence[object], kind: Sequence[str], class_: str | None) -> Html:
    first, *others = zip(row, kind, strict=True)
    cells = [element("td", cell, class_=name) for cell, name in others]
    return element(
        "tr", element("th", first[0], scope="row", class_=first[1]), *cells, class_=class_
    )


def picture(png: bytes, words: str, **attributes: object) -> Html:
    """Return a PNG embedded in the page, with `words` as its alternative text."""
    data = f"data:image/png;base64,{b64encode(png).decode()}"
    return element("img", src=data, alt=words, **attributes)


def png(pixels: np.ndarray) -> bytes:
    """Encode bytes (n_H, n_W[, 1 or 3]) as a PNG whose longer side is at most LARGEST pixels."""
    pixels = _shrunk(pixels, -(-max(pixels.shape[:2]) // LARGEST))
    height, width = pixels.shape[:2]
    colour = 2 if pixels.size == 3 * height * width else 0
    lines = pixels.reshape(height, -1)
    unfiltered = np.hstack([np.zeros((height, 1), np.uint8), lines]).tobytes()
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(unfiltered, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _shrunk(pixels: np.ndarray, every: int) -> np.ndarray:
    """Reduce an image: each pixel becomes the mean of a square of `every` by `every` pixels."""
    height, width = (max(1, n // every) for n in pixels.shape[:2])
    whole = pixels[: height * every, : width * every].astype(float)
    tall, wide = len(whole) // height, whole.shape[1] // width
    squares = whole.reshape(height, tall, width, wide, -1)
    return np.round(squares.mean(axis=(1, 3))).astype(np.uint8)


def _chunk(name: bytes, content: bytes) -> bytes:
    checked = name + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


Sections = Mapping[str, tuple[str, Html]]
"""The title and the content of each section, by the id that links refer to."""


def page(title: str, header: Html, sections: Sections) -> bytes:
    """Return the bytes of the HTML file."""
    made = [
        element("section", element("h2", heading), inside, id=key, aria_label=heading)
        for key, (heading, inside) in sections.items()
    ]
    sheet = element(
        "div",
        header,
        _contents({key: heading for key, (heading, _) in sections.items()}),
        element("main", *made, id="main"),
        element("footer", f"Created by chainrule {__version__}. This file works offline."),
        class_="sheet",
    )
    skip = element("a", "Skip to the content", href="#main", class_="skip")
    body = element("body", skip, sheet, element("script", Html(_asset("report.js"))))
    whole = element("html", _head(title), body, lang="en")
    return f"<!doctype html>\n{whole}\n".encode()


def _head(title: str) -> Html:
    """Return the head: title, style, and the policy that only this file's script may run."""
    digest = b64encode(sha256(_asset("report.js").encode()).digest()).decode()
    allowed = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    allowed += f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=allowed),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", Html(_asset("report.css"))),
    )


def _contents(titles: Mapping[str, str]) -> Html:
    links = [element("li", element("a", title, href=f"#{key}")) for key, title in titles.items()]
    return element("nav", element("ul", *links), aria_label="Contents")


@cache
def _asset(name: str) -> str:
    """Return the text of a file in the same folder as this module."""
    return (files("chainrule.inspection") / name).read_text("utf-8")
