"""The worst examples of a part: pictures, or rows of a table."""

import numpy as np

from chainrule.inspection.class_names import short
from chainrule.inspection.report_html import Html, element, picture, png, table, together
from chainrule.inspection.report_told import Told, number, share
from chainrule.strategy.error_analysis import Mistake, off
from chainrule.strategy.pixels import picture_shape

PIXELATED = 64
"""Pixels of a side up to which they are drawn as squares."""
COLUMNS = 7


def mistakes(told: Told) -> Html | None:
    """What the record lists, the most costly first."""
    found = told.mistakes
    if found is None:
        return None
    seen = element("p", f"{found.title}.")
    if not found.listed:
        return seen
    if told.data is not None and (shape := picture_shape(told.run.door)):
        return together([seen, _pictures(told, shape)])
    return together([seen, _rows(told)])


def _pictures(told: Told, shape: tuple[int, ...]) -> Html:
    X = np.asarray(told.data.sources[told.mistakes.part].X)  # pyright: ignore
    pixels = as_bytes(X, [one.index for one in told.mistakes.listed], shape)
    small = "pixels" if max(shape[:2]) <= PIXELATED else None
    shown = zip(told.mistakes.listed, pixels, strict=True)
    items = [
        element("li", picture(png(drawn), _words(told, one), class_=small), *_said(told, one))
        for one, drawn in shown
    ]
    return element("ul", *items, class_="gallery")


def as_bytes(X: np.ndarray, index: list[int], shape: tuple[int, ...]) -> np.ndarray:
    """The examples as pictures of 0 to 255: bytes as they are, other numbers by their range."""
    chosen = X[index].reshape(len(index), *shape)
    if X.dtype == np.uint8:
        return chosen
    low, high = float(np.min(X)), float(np.max(X))
    return np.round((chosen - low) * (255 / (high - low or 1))).astype(np.uint8)


def _rows(told: Told) -> Html:
    found = told.mistakes
    classes = found.task == "classification"
    names = list(found.listed[0].row)[:COLUMNS]
    head = [found.place_name, "true", "predicted", "sure" if classes else "off by", "cost"]
    rows = [
        [
            number(one.place),
            _label(told, one.true),
            _label(told, one.predicted),
            off(one) if one.sure is None else share(one.sure),
            number(one.cost, 3),
            *(number(one.row[name]) for name in names),
        ]
        for one in found.listed
    ]
    words = (1, 2) if classes else ()
    return table(f"Of {found.source}, {found.part} part", [*head, *names], rows, words=words)


def _said(told: Told, one: Mistake) -> list[Html]:
    """Under a picture: what it is, and what the network takes it for."""
    true, given = _label(told, one.true), _label(told, one.predicted)
    sure = off(one) if one.sure is None else f"{share(one.sure)} sure"
    return [
        element(
            "div", element("strong", short(true)), " taken for ", element("strong", short(given))
        ),
        element("div", f"{sure} · {told.mistakes.place_name} {one.place}", class_="note"),
    ]


def _words(told: Told, one: Mistake) -> str:
    true, given = _label(told, one.true), _label(told, one.predicted)
    return f"{told.mistakes.place_name} {one.place}: {true}, taken for {given}"


def _label(told: Told, value: object) -> str:
    """A class by its name; a number as it is."""
    labels = told.run.door.labels
    if value in labels.classes:
        return labels.names[labels.classes.index(value)]
    return ", ".join(map(number, value)) if isinstance(value, list) else number(value)
