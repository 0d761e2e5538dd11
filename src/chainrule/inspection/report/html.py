"""The HTML of a report, a single file that contains its style sheet, script and images.

Jinja2 escapes every value, so that no name in the data is interpreted as markup, except values of
the class `Html`, which are markup already. The page is generated from the template page.html, and
tables, images and charts from the macros in macros.html; `element` creates other elements:

    element("p", "a < b", class_="note")   <p class="note">a &lt; b</p>

The page works offline. A content security policy in its head prevents it from loading anything and
from running any other script.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from io import BytesIO
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup as Html
from markupsafe import escape

from chainrule import __version__
from chainrule.formatting import printable

EMPTY = ("br", "col", "img", "link", "meta")
"""Elements without an end tag."""

LARGEST = 80
"""The maximum length of the longer side of an image in pixels; larger images are reduced."""


def visible(value: Any) -> Any:
    """Return text with its control characters as escape sequences; markup and numbers stay."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Html) else value


TEMPLATES = Environment(
    loader=PackageLoader("chainrule.inspection.report"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
    finalize=lambda value: "" if value is None else visible(value),
)


def draw(macro: str, **values: Any) -> Html:
    """Return the markup that a macro of macros.html creates from these values."""
    return getattr(_macros(), macro)(**values)


def element(name: str, /, *inside: object, **attributes: object) -> Html:
    """Return an HTML element; attributes that are None are left out.

    A trailing underscore is removed from the name of an attribute (`class_`), and the others become
    hyphens (`data_x`).

    >>> element("b", "<script>", element("i", "x"), class_="a", title=None)
    Markup('<b class="a">&lt;script&gt;<i>x</i></b>')
    """
    written = Html().join(
        Html(' {}="{}"').format(key.rstrip("_").replace("_", "-"), visible(value))
        for key, value in attributes.items()
        if value is not None
    )
    if name in EMPTY:
        return Html("<{}{}>").format(name, written)
    return Html("<{0}{1}>{2}</{0}>").format(name, written, together(inside))


def together(parts: Iterable[object]) -> Html:
    """Join parts into one piece of markup; text is escaped, and None is skipped."""
    return Html().join(escape(visible(part)) for part in parts if part is not None)


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
    rows, marked = list(rows), set(marked)
    return draw("table", caption=caption, head=head, rows=rows, words=words, marked=marked)


def picture(png: bytes, words: str, class_: str | None = None) -> Html:
    """Return a PNG embedded in the page, with `words` as its alternative text."""
    source = f"data:image/png;base64,{b64encode(png).decode()}"
    return draw("image", source=source, alt=words, class_=class_)


def png(pixels: np.ndarray) -> bytes:
    """Encode values 0 to 255 (n_H, n_W[, 1 or 3]) as a PNG of at most LARGEST pixels a side.

    In a larger image, each pixel becomes the mean of a square of pixels.
    """
    from PIL import Image

    height, width = pixels.shape[:2]
    colours = pixels.size == 3 * height * width
    image = Image.fromarray(
        pixels.astype(np.uint8).reshape(height, width, *([3] if colours else []))
    )
    every = -(-max(height, width) // LARGEST)
    if every > 1:
        tall, wide = min(every, height), min(every, width)
        whole = (0, 0, width // wide * wide, height // tall * tall)
        image = image.reduce((wide, tall), whole)
    file = BytesIO()
    image.save(file, format="png")
    return file.getvalue()


Sections = Mapping[str, tuple[str, Html]]
"""The title and the content of each section, by the id that links refer to."""


def page(title: str, header: Html, sections: Sections) -> bytes:
    """Return the HTML file of a report as bytes."""
    style, script = _read("report.css"), _read("report.js")
    digest = b64encode(sha256(script.encode()).digest()).decode()
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    policy += f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    values = {"policy": policy, "style": style, "script": script, "version": __version__}
    made = TEMPLATES.get_template("page.html")
    written = made.render(title=title, header=header, sections=sections, **values)
    return f"{written}\n".encode("utf-8", "replace")  # file names need not be UTF-8


@cache
def _macros() -> Any:
    return TEMPLATES.get_template("macros.html").module


@cache
def _read(name: str) -> Html:
    """Return the text of a file in the folder of the templates, which is not escaped."""
    loader = TEMPLATES.loader
    assert loader is not None
    return Html(loader.get_source(TEMPLATES, name)[0])
