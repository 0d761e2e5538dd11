"""The worst examples of a part: pictures, or rows of a table."""

import numpy as np

from chainrule.inspection.class_names import short
from chainrule.inspection.gallery import as_colours, overlaid
from chainrule.inspection.report_html import Html, element, picture, png, table, together
from chainrule.inspection.report_told import Told, number, share
from chainrule.strategy.error_analysis import Mistake, off
from chainrule.train.pixels import picture_shape

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
    """Each mistake, and beside it where the network looked, if that is known."""
    listed, data = told.mistakes.listed, told.data
    assert data is not None
    X = np.asarray(data.sources[told.mistakes.part].X[[one.index for one in listed]])
    pixels = as_colours(X.reshape(-1, *shape))
    drawn = [pixels] if told.saliencies is None else [pixels, overlaid(pixels, told.saliencies)]
    items = []
    for one, *images in zip(listed, *drawn, strict=True):
        shown = [
            _image(image, words) for image, words in zip(images, _words(told, one), strict=False)
        ]
        items.append(element("li", element("div", *shown, class_="looks"), *_said(told, one)))
    looked = "Beside each what spoke for the answer, orange, and against it, blue."
    return together(
        [
            element("p", looked, class_="note") if told.saliencies is not None else None,
            element("ul", *items, class_="gallery" if len(drawn) == 1 else "gallery wide"),
        ]
    )


def _image(pixels: np.ndarray, words: str) -> Html:
    small = "pixels" if max(pixels.shape[:2]) <= PIXELATED else None
    return picture(png(np.round(255 * pixels)), words, class_=small)


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
    true, given = (element("strong", short(_label(told, v))) for v in (one.true, one.predicted))
    sure = off(one) if one.sure is None else f"{share(one.sure)} sure"
    return [
        element("div", true, " taken for ", given),
        element("div", sure, class_="note"),
        element("div", f"{told.mistakes.place_name} {one.place}", class_="note"),
    ]


def _words(told: Told, one: Mistake) -> tuple[str, str]:
    """What the picture shows, and the one beside it."""
    true, given = _label(told, one.true), _label(told, one.predicted)
    what = f"{told.mistakes.place_name} {one.place}"
    return f"{what}: {true}, taken for {given}", f"{what}: where the network looked"


def _label(told: Told, value: object) -> str:
    """A class by its name; a number as it is."""
    labels = told.run.door.labels
    if value in labels.classes:
        return labels.names[labels.classes.index(value)]
    return ", ".join(map(number, value)) if isinstance(value, list) else number(value)
