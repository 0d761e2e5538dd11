"""The report's section on the worst mistakes: a gallery of images, or a table of rows."""

import numpy as np

from chainrule.inspection.class_names import short
from chainrule.inspection.gallery import as_colours, overlaid
from chainrule.inspection.report_html import Html, element, picture, png, table, together
from chainrule.inspection.report_told import ReportContext, number, set_name, share
from chainrule.strategy.error_analysis import Mistake, off
from chainrule.train.pixels import picture_shape

PIXELATED = 64
"""Images with sides of at most this many pixels are enlarged without smoothing."""
COLUMNS = 7


def mistakes(context: ReportContext) -> Html | None:
    """Return the recorded mistakes, those with the highest cost first."""
    found = context.mistakes
    if found is None:
        return None
    title = element("p", f"{found.title}.")
    if not found.listed:
        return title
    if context.data is not None and (shape := picture_shape(context.run.door)):
        return together([title, _images(context, shape)])
    return together([title, _rows(context)])


def _images(context: ReportContext, shape: tuple[int, ...]) -> Html:
    """Draw each mistake, and beside it the saliency map, if there is one."""
    listed, data = context.mistakes.listed, context.data
    assert data is not None
    X = np.asarray(data.sources[context.mistakes.part].X[[one.index for one in listed]])
    pixels = as_colours(X.reshape(-1, *shape))
    drawn = (
        [pixels] if context.saliencies is None else [pixels, overlaid(pixels, context.saliencies)]
    )
    items = []
    for one, *images in zip(listed, *drawn, strict=True):
        shown = [
            _image(image, text)
            for image, text in zip(images, _alt_texts(context, one), strict=False)
        ]
        items.append(element("li", element("div", *shown, class_="looks"), *_caption(context, one)))
    legend = "Beside each image: pixels for the prediction in orange, against it in blue."
    return together(
        [
            element("p", legend, class_="note") if context.saliencies is not None else None,
            element("ul", *items, class_="gallery" if len(drawn) == 1 else "gallery wide"),
        ]
    )


def _image(pixels: np.ndarray, alt_text: str) -> Html:
    small = "pixels" if max(pixels.shape[:2]) <= PIXELATED else None
    return picture(png(np.round(255 * pixels)), alt_text, class_=small)


def _rows(context: ReportContext) -> Html:
    found = context.mistakes
    classes = found.task == "classification"
    names = list(found.listed[0].row)[:COLUMNS]
    head = [found.place_name, "true", "predicted", "probability" if classes else "error", "cost"]
    rows = [
        [
            number(one.place),
            _label(context, one.true),
            _label(context, one.predicted),
            off(one) if one.sure is None else share(one.sure),
            number(one.cost, 3),
            *(number(one.row[name]) for name in names),
        ]
        for one in found.listed
    ]
    words = (1, 2) if classes else ()
    caption = f"Mistakes in the {set_name(found.part)} of {found.source}"
    return table(caption, [*head, *names], rows, words=words)


def _caption(context: ReportContext, one: Mistake) -> list[Html]:
    """Return the lines below an image: its true and predicted label, and its place in the data."""
    true, predicted = (
        element("strong", short(_label(context, v))) for v in (one.true, one.predicted)
    )
    detail = off(one) if one.sure is None else f"probability {share(one.sure)}"
    return [
        element("div", true, " predicted as ", predicted),
        element("div", detail, class_="note"),
        element("div", f"{context.mistakes.place_name} {one.place}", class_="note"),
    ]


def _alt_texts(context: ReportContext, one: Mistake) -> tuple[str, str]:
    """Return the alternative texts of an image and of its saliency map."""
    true, predicted = _label(context, one.true), _label(context, one.predicted)
    place = f"{context.mistakes.place_name} {one.place}"
    return f"{place}: {true}, predicted as {predicted}", f"{place}: saliency map"


def _label(context: ReportContext, value: object) -> str:
    """Return the name of a class, or a number as text."""
    labels = context.run.door.labels
    if value in labels.classes:
        return labels.names[labels.classes.index(value)]
    return ", ".join(map(number, value)) if isinstance(value, list) else number(value)
