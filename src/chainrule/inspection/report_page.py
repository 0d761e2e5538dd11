"""The HTML page of a report: a single file that contains its style sheet and its script.

It works offline: a content security policy in its head forbids it to load anything or to run any
other script. All names from the data are escaped (`report_html.py`).
"""

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files

from chainrule import __version__
from chainrule.inspection.report_html import Html, element

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
