"""The page that a report is: one file, with its style and its script inside.

No network is needed, and a policy in the head forbids the page to load anything or to run any other
script. Every name in it is escaped (`report_html.py`).
"""

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files

from chainrule import __version__
from chainrule.inspection.report_html import Html, element

Sections = Mapping[str, tuple[str, Html]]
"""Title and content by the name that links go to."""


def page(title: str, header: Html, sections: Sections) -> bytes:
    """The file."""
    made = [
        element("section", element("h2", words), inside, id=key, aria_label=words)
        for key, (words, inside) in sections.items()
    ]
    sheet = element(
        "div",
        header,
        _contents({key: words for key, (words, _) in sections.items()}),
        element("main", *made, id="main"),
        element("footer", f"Made by chainrule {__version__}. This file needs no network."),
        class_="sheet",
    )
    skip = element("a", "To the content", href="#main", class_="skip")
    body = element("body", skip, sheet, element("script", Html(_asset("report.js"))))
    whole = element("html", _head(title), body, lang="en")
    return f"<!doctype html>\n{whole}\n".encode()


def _head(title: str) -> Html:
    """Title, style, and the policy: only the script of this file runs, nothing is loaded."""
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
    """A file that lies beside this one."""
    return (files("chainrule.inspection") / name).read_text("utf-8")
