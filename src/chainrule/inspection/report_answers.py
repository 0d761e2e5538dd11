"""What a run answers, as a section of its report: which class is taken for which, or how near."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from chainrule.inspection.class_names import codes, short
from chainrule.inspection.report_charts import scatter
from chainrule.inspection.report_html import Html, element, picture, together
from chainrule.inspection.report_told import Told, count, share
from chainrule.train.outputs import network_outputs
from chainrule.train.prepare import labelled

MOST_CLASSES = 20
"""A matrix of more classes is not drawn: only what is confused most."""
PAIRS = 6


class Confusion(NamedTuple):
    """How often each true class (row) is taken for each class (column)."""

    counts: np.ndarray
    names: Sequence[str]

    @property
    def right(self) -> int:
        """How many are on the diagonal."""
        return int(np.trace(self.counts))

    def pairs(self) -> list[tuple[str, str, int, float]]:
        """True class, taken for, how often, as a share of the true class; the most often first."""
        wrong = self.counts * ~np.eye(len(self.counts), dtype=bool)
        order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
        found = [divmod(int(place), len(wrong)) for place in order]
        return [
            (self.names[i], self.names[j], int(wrong[i, j]), wrong[i, j] / self.counts[i].sum())
            for i, j in found
            if wrong[i, j]
        ]


def answers(told: Told) -> Html | None:
    """The answers on the part that is looked at."""
    data, door, name = told.data, told.run.door, told.looked_at
    if data is None or name not in data.parts:
        return None
    given = door.answers(network_outputs(told.run.network, data.parts[name].X))
    true = labelled(data.sources[name])
    if door.labels.classes:
        counts = _counts(codes(true, door.labels.classes), codes(given, door.labels.classes))
        return together([*_confusion(Confusion(counts, door.labels.names), name), *_plane(told)])
    true = np.asarray(true, np.float64).reshape(len(given), -1)
    if true.shape[1] > 1:
        return None
    words = f"Predicted against true, {name}: on the dashed line the prediction is right"
    return scatter(true[:, 0], np.ravel(given), words)


def _counts(true: np.ndarray, given: np.ndarray) -> np.ndarray:
    C = int(max(true.max(), given.max())) + 1
    return np.bincount(true * C + given, minlength=C * C).reshape(C, C)


def _confusion(found: Confusion, part: str) -> Iterator[Html]:
    """In words, and as a matrix where the classes are few."""
    total = int(found.counts.sum())
    yield element("p", f"{found.right:,} of {count(total, f'{part} example')} are right.")
    most = None
    if pairs := found.pairs():
        lines = [
            element(
                "li",
                _bold(true),
                " is taken for ",
                _bold(other),
                f": {n:,} of its examples, {share(of)}",
            )
            for true, other, n, of in pairs
        ]
        most = together([element("p", "Confused most often:"), element("ul", *lines)])
    matrix = _matrix(found, part) if len(found.names) <= MOST_CLASSES else None
    yield element("div", matrix, element("div", most), class_="sides")


def _matrix(found: Confusion, part: str) -> Html:
    """A table: rows are true, columns predicted; the stronger the colour, the larger the share."""
    shares = found.counts / np.maximum(found.counts.sum(axis=1, keepdims=True), 1)
    caption = f"Confusion on {part}: rows are true, columns predicted"
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


def _plane(told: Told) -> Iterator[Html]:
    """The boundary between the classes, where there are two inputs."""
    if "boundary.png" in told.pictures:
        words = "The classes of the plane, as the network sees them, and the examples"
        image = picture(told.pictures["boundary.png"], words, class_="card")
        yield element("figure", element("figcaption", words), image)
