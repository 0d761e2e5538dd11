"""The report's section on predictions: a confusion matrix, or predicted against true values."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from chainrule.inspection.class_names import codes, short
from chainrule.inspection.report_charts import scatter
from chainrule.inspection.report_html import Html, element, picture, together
from chainrule.inspection.report_told import ReportContext, count, set_name, share
from chainrule.train.outputs import network_outputs
from chainrule.train.prepare import labelled

MOST_CLASSES = 20
"""A matrix of more classes is not drawn; the classes confused most often are listed instead."""
PAIRS = 6


class Confusion(NamedTuple):
    """A confusion matrix: the true classes are its rows, the predicted classes its columns."""

    counts: np.ndarray
    names: Sequence[str]

    @property
    def right(self) -> int:
        """Return the number of correct predictions, which are on the diagonal."""
        return int(np.trace(self.counts))

    def pairs(self) -> list[tuple[str, str, int, float]]:
        """Return the most frequent confusions, most frequent first.

        Each is (true class, predicted class, count, share of the true class).
        """
        wrong = self.counts * ~np.eye(len(self.counts), dtype=bool)
        order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
        found = [divmod(int(place), len(wrong)) for place in order]
        return [
            (self.names[i], self.names[j], int(wrong[i, j]), wrong[i, j] / self.counts[i].sum())
            for i, j in found
            if wrong[i, j]
        ]


def answers(context: ReportContext) -> Html | None:
    """Return the section on the predictions for the context's `example_set`."""
    data, door, name = context.data, context.run.door, context.example_set
    if data is None or name not in data.parts:
        return None
    y_pred = door.answers(network_outputs(context.run.network, data.parts[name].X))
    true = labelled(data.sources[name])
    if door.labels.classes:
        counts = _counts(codes(true, door.labels.classes), codes(y_pred, door.labels.classes))
        return together([*_confusion(Confusion(counts, door.labels.names), name), *_plane(context)])
    true = np.asarray(true, np.float64).reshape(len(y_pred), -1)
    if true.shape[1] > 1:
        return None
    caption = (
        f"Predicted against true values of the {set_name(name)}; on the dashed line both agree"
    )
    return scatter(true[:, 0], np.ravel(y_pred), caption)


def _counts(true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    C = int(max(true.max(), y_pred.max())) + 1
    return np.bincount(true * C + y_pred, minlength=C * C).reshape(C, C)


def _confusion(found: Confusion, part: str) -> Iterator[Html]:
    """Yield the number of correct predictions, the confusions, and the matrix of few classes."""
    total = int(found.counts.sum())
    yield element("p", f"{found.right:,} of {count(total, f'{part} example')} are correct.")
    most = None
    if pairs := found.pairs():
        lines = [
            element(
                "li",
                _bold(true),
                " is predicted as ",
                _bold(other),
                f": {count(n, 'example')}, {share(of)} of the class",
            )
            for true, other, n, of in pairs
        ]
        most = together([element("p", "Confused most often:"), element("ul", *lines)])
    matrix = _matrix(found, part) if len(found.names) <= MOST_CLASSES else None
    yield element("div", matrix, element("div", most), class_="sides")


def _matrix(found: Confusion, part: str) -> Html:
    """Return the confusion matrix as a table; a stronger colour means a larger share of its row."""
    shares = found.counts / np.maximum(found.counts.sum(axis=1, keepdims=True), 1)
    caption = f"Confusion matrix of the {set_name(part)}: rows are true, columns predicted classes"
    head = [element("td"), *(element("th", short(n), scope="col") for n in found.names)]
    rows = []
    for i, name in enumerate(found.names):
        cells = [_cell(int(n), shares[i, j], i == j) for j, n in enumerate(found.counts[i])]
        rows.append(element("tr", element("th", short(name), scope="row"), *cells))
    inside = (element("thead", element("tr", *head)), element("tbody", *rows))
    body = element("table", element("caption", caption), *inside, class_="confusion")
    return element("div", body, class_="frame", tabindex="0", role="region", aria_label=caption)


def _cell(n: int, of_row: float, right: bool) -> Html:
    if n == 0:
        return element("td", "0", class_="none")
    strength = f"--v:{0.12 + 0.5 * of_row**0.5:.2f}"
    return element("td", f"{n:,}", class_="right" if right else "wrong", style=strength)


def _bold(name: str) -> Html:
    return element("strong", name)


def _plane(context: ReportContext) -> Iterator[Html]:
    """Yield the plot of the decision boundary, if the network has two inputs."""
    if "boundary.png" in context.pictures:
        caption = "The predicted class at each point of the plane, and the examples"
        image = picture(context.pictures["boundary.png"], caption, class_="card")
        yield element("figure", element("figcaption", caption), image)
