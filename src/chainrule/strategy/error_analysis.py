"""The mistakes of a run, to be looked at: the worst of them, or a random hundred.

Notes: "Carrying out error analysis" (course 3, week 2).

    cost of one example   its loss, blocks/losses.py; the highest first
    random                the sample whose shares are those of all mistakes

Where numbers are predicted every example is off by something: a sample is then of all of them, and
what counts of each is its share of the squared error.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chainrule.data.source import Source
from chainrule.errors import OptionError, check_choice
from chainrule.strategy.judged import Judged, default_part, judge
from chainrule.strategy.table import aligned
from chainrule.train.pixels import square
from chainrule.train.prepare import Data
from chainrule.train.run import Run

COUNT = 100
SAMPLES = ("worst", "random")
SHOWN = 20
MOST_COLUMNS = 100
"""Unnamed numbers that are still shown one by one."""


@dataclass(frozen=True)
class Mistake:
    """One of them.

    place      where it stands in the source: a line, a row, a file
    index      where in the part
    sure       how likely the network holds its answer, None for numbers
    cost       its loss
    share      of the error of the whole part: of its mistakes, or of its squared error
    row        its columns, where there are few
    """

    place: int | str
    index: int
    true: Any
    predicted: Any
    sure: float | None
    cost: float
    share: float
    row: dict[str, Any]


@dataclass(frozen=True)
class Mistakes:
    """Those that are looked at, and what they stand for.

    m, wrong   examples of the part, and how many of them are wrong (of numbers: all that are off)
    error      of the part: 1 − accuracy, or the RMSE in the target's units
    sample     "worst" or "random"
    """

    part: str
    source: str
    place_name: str
    task: str
    m: int
    wrong: int
    error: float
    sample: str
    listed: tuple[Mistake, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @property
    def title(self) -> str:
        """How many, of how many."""
        n = len(self.listed)
        if self.task == "regression":
            head = f"{self.part}: RMSE {self.error:.4g} on {self.m:,} examples"
            which = "largest errors" if self.sample == "worst" else "examples, drawn at random"
            return f"{head}; the {n:,} {which}"
        mistakes = "mistake" if self.wrong == 1 else "mistakes"
        head = f"{self.part}: {self.wrong:,} {mistakes} in {self.m:,} examples ({self.error:.1%})"
        if not self.wrong:
            return head
        which = "the most costly first" if self.sample == "worst" else "drawn at random"
        return f"{head}; {'all' if n == self.wrong else f'{n:,}'} of them, {which}"

    def text(self, most: int = SHOWN) -> str:
        """A table of the first of them."""
        if not self.listed:
            return self.title
        classes = self.task == "classification"
        head = [self.place_name, "true", "predicted", "sure" if classes else "off by", "cost"]
        names = list(self.listed[0].row)[:6]
        lines = [[*head, *names]]
        for one in self.listed[:most]:
            sure = off(one) if one.sure is None else f"{one.sure:.3f}"
            cells = [one.place, one.true, one.predicted, sure, f"{one.cost:.3f}"]
            lines.append([brief(cell) for cell in (*cells, *(one.row[name] for name in names))])
        right = [0, 3, 4] if classes else [0, 1, 2, 3, 4]
        more = len(self.listed) - most
        rest = f"\n… and {more:,} more" if more > 0 else ""
        return f"{self.title}\n\n" + "\n".join(aligned(lines, right)) + rest


def worst(
    run: Run,
    data: Data,
    part: str | None = None,
    count: int = COUNT,
    *,
    sample: str = "worst",
    seed: int = 0,
) -> Mistakes:
    """The mistakes with the highest cost, or as many drawn at random; None is the dev part."""
    check_choice("--sample", sample, SAMPLES)
    if count < 1:
        raise OptionError("--count", "a whole number from 1 on", str(count), "100")
    part = default_part(data) if part is None else part
    judged = judge(run, data, part)
    return gathered(judged, data.sources[part], part, choose(judged, count, sample, seed), sample)


def gathered(
    judged: Judged, source: Source, part: str, chosen: np.ndarray, sample: str
) -> Mistakes:
    """The record of those that were chosen, by their places in the part."""
    shares, error = shares_of(judged, source)
    return Mistakes(
        part,
        source.name,
        source.place_name,
        "regression" if judged.sure is None else "classification",
        len(source),
        int(np.count_nonzero(judged.error)),
        error,
        sample,
        tuple(_mistake(int(i), judged, source, float(shares[i])) for i in chosen),
    )


def shares_of(judged: Judged, source: Source) -> tuple[np.ndarray, float]:
    """Each example's share of the error of its part, and that error."""
    weights = np.ones(len(source)) if source.weights is None else source.weights
    error, squares = weights * judged.error, judged.sure is None
    mean = error.sum() / weights.sum() / (_outputs(judged) if squares else 1)
    return error / max(error.sum(), 1e-300), float(np.sqrt(mean) if squares else mean)


def choose(judged: Judged, count: int, sample: str, seed: int) -> np.ndarray:
    """The places in the part of those that are looked at."""
    wrong = np.flatnonzero(judged.error)
    if sample == "random":
        return np.random.default_rng(seed).permutation(wrong)[:count]  # half of it is a sample too
    return wrong[np.argsort(-judged.costs[wrong], kind="stable")][:count]


def off(mistake: Mistake) -> str:
    """By how much a number is wrong, with its sign; of several, the root of the mean square."""
    difference = np.asarray(mistake.predicted) - np.asarray(mistake.true)
    if difference.ndim == 0:
        return f"{difference:+.4g}"
    return f"{np.sqrt(np.mean(difference**2)):.4g}"


def brief(cell: Any) -> str:
    """A cell as a terminal shows it."""
    if cell is None:
        return ""
    if isinstance(cell, list):
        return " ".join(map(brief, cell))
    text = f"{cell:.4g}" if isinstance(cell, float) else " ".join(str(cell).split())
    return text if len(text) <= 24 else f"{text[:23]}…"


def _outputs(judged: Judged) -> int:
    return judged.true.shape[1] if judged.true.ndim == 2 else 1


def _mistake(i: int, judged: Judged, source: Source, share: float) -> Mistake:
    said = (source.where, judged.true, judged.answers)
    place, true, answer = (values[i : i + 1].tolist()[0] for values in said)
    sure = None if judged.sure is None else float(judged.sure[i])
    return Mistake(place, i, true, answer, sure, float(judged.costs[i]), share, row_of(source, i))


def row_of(source: Source, i: int) -> dict[str, Any]:
    """The columns of an example, as they were read, None where empty; nothing for pictures."""
    if source.is_table:
        row = source.X.iloc[i : i + 1].astype(object)
        row = row.where(row.notna(), None)
        return {str(name): row[name].tolist()[0] for name in row}
    numbers = np.asarray(source.X[i])
    if numbers.ndim != 1 or numbers.size > MOST_COLUMNS or square(numbers.size):
        return {}
    return {f"x{j + 1}": float(x) for j, x in enumerate(numbers)}
