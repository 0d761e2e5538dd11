"""List the mistakes of a run for error analysis: the most costly ones, or a random sample.

Notes: "Carrying out error analysis" (course 3, week 2).

    cost of one example   its loss, blocks/losses.py; the highest first
    random                a random sample, whose shares estimate those of all mistakes

In regression every example has some error: the sample is then drawn from all examples, and each
is weighted by its share of the squared error.
"""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from chainrule.blocks.losses import logistic_loss, softmax_loss, squared_loss
from chainrule.data.batches import padded
from chainrule.data.cells import names_of, positions_by_type
from chainrule.data.dataset import Dataset
from chainrule.data.sequences import Sequences
from chainrule.data.split import inspection_split
from chainrule.errors import check_choice, check_integer
from chainrule.formatting import aligned, count_of
from chainrule.runs.prepare import Data, labels_of_set
from chainrule.runs.preprocessing import are_texts, square
from chainrule.runs.run import Run
from chainrule.train.outputs import network_outputs

LOSSES = {"logistic": logistic_loss, "softmax": softmax_loss, "squared": squared_loss}


class ExampleResults(NamedTuple):
    """The results for the m examples of a set.

    true     (m,) the labels
    answers  (m,) the predictions: labels, or numbers in the target's units
    sure     (m,) the probability of each prediction; None in regression
    costs    (m,) the loss of each example
    error    (m,) 1 where the class is wrong, or the squared error in the target's units
    """

    true: np.ndarray
    answers: np.ndarray
    sure: np.ndarray | None
    costs: np.ndarray
    error: np.ndarray


def evaluate_examples(run: Run, data: Data, part: str) -> ExampleResults:
    """Evaluate the network on each example of a set."""
    check_choice("the set", part, data.parts)
    preprocessor, rows = run.preprocessor, data.parts[part]
    Z, true = network_outputs(run.network, rows.X), labels_of_set(data.sources[part])
    answers, costs = preprocessor.answers(Z), losses(Z, rows.Y, preprocessor.cost)
    if preprocessor.labels.task == "classification":
        sure = preprocessor.probabilities(Z)[np.arange(len(Z)), preprocessor.predicted_classes(Z)]
        return ExampleResults(true, answers, sure, costs, (answers != true).astype(float))
    squares = (np.asarray(answers, np.float64) - true) ** 2
    return ExampleResults(true, answers, None, costs, squares.reshape(len(Z), -1).sum(axis=1))


def losses(Z: np.ndarray, Y: np.ndarray, cost: str) -> np.ndarray:
    """Return the loss of each example (m,), from Z and Y (m, n_L)."""
    padding = ((0, padded(len(Z)) - len(Z)), (0, 0))
    return np.asarray(_losses(np.pad(Z, padding), np.pad(Y, padding), cost=cost))[0, : len(Z)]


def default_part(data: Data) -> str:
    """Return the set whose mistakes are analysed: dev, or else test, or else train."""
    return inspection_split(data.parts)


@partial(jax.jit, static_argnames="cost")
def _losses(Z: Any, Y: Any, *, cost: str):
    return LOSSES[cost](Z.T, Y.T)


COUNT = 100
SAMPLES = ("worst", "random")
SHOWN = 20
MOST_COLUMNS = 100
"""A row of more unnamed numbers than this is not shown."""


@dataclass(frozen=True)
class Mistake:
    """A mistake of the network.

    place      where the example is in the data set: a line, a row, a file
    index      its index in the set (train, dev or test)
    sure       the probability that the network assigns to its prediction; None in regression
    cost       its loss
    share      its share of the total error of the set: of the mistakes, or of the squared error
    row        the values of the example's columns, if the data has only a few columns
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
    """The mistakes selected for error analysis, and the set they come from.

    m, wrong   the number of examples of the set, and of those predicted wrongly (in regression,
               all that have an error)
    error      the error of the set: 1 − accuracy, or the RMSE in the target's units
    sample     how they were selected: "worst" or "random"
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

    @property
    def title(self) -> str:
        """Return a line with the error of the set and the number of mistakes listed."""
        n = len(self.listed)
        if self.task == "regression":
            head = f"{self.part}: RMSE {self.error:.4g} on {count_of(self.m, 'example')}"
            which = "largest errors" if self.sample == "worst" else "examples, drawn at random"
            return f"{head}; the {n:,} {which}"
        mistakes, examples = count_of(self.wrong, "mistake"), count_of(self.m, "example")
        head = f"{self.part}: {mistakes} in {examples} ({self.error:.1%})"
        if not self.wrong:
            return head
        which = "the most costly first" if self.sample == "worst" else "drawn at random"
        return f"{head}; {'all' if n == self.wrong else f'{n:,}'} of them, {which}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    def text(self, most: int = SHOWN) -> str:
        """Return a table of the first `most` mistakes."""
        if not self.listed:
            return self.title
        classes = self.task == "classification"
        head = [self.place_name, "true", "predicted", "prob" if classes else "off by", "cost"]
        names = list(self.listed[0].row)[:6]
        lines = [[*head, *names]]
        for one in self.listed[:most]:
            sure = format_error(one) if one.sure is None else f"{one.sure:.3f}"
            cells = [one.place, one.true, one.predicted, sure, f"{one.cost:.3f}"]
            lines.append([brief(cell) for cell in (*cells, *(one.row[name] for name in names))])
        right = [0, 3, 4] if classes else [0, 1, 2, 3, 4]
        more = len(self.listed) - most
        rest = f"\n… and {more:,} more" if more > 0 else ""
        return f"{self.title}\n\n" + "\n".join(aligned(lines, right)) + rest


def find_mistakes(
    run: Run,
    data: Data,
    part: str | None = None,
    count: int = COUNT,
    *,
    sample: str = "worst",
    seed: int = 0,
) -> Mistakes:
    """Return the most costly mistakes, or a random sample of them; by default on the dev set."""
    check_choice("--sample", sample, SAMPLES)
    check_integer("--count", count, hint="100")
    part = default_part(data) if part is None else part
    results = evaluate_examples(run, data, part)
    return gather(results, data.sources[part], part, choose(results, count, sample, seed), sample)


def gather(
    results: ExampleResults, source: Dataset, part: str, chosen: np.ndarray, sample: str
) -> Mistakes:
    """Build the record of the chosen mistakes from their indices in the set."""
    shares, error = shares_of(results, source)
    rows = rows_of(source, chosen)
    return Mistakes(
        part,
        source.name,
        source.place_name,
        "regression" if results.sure is None else "classification",
        len(source),
        int(np.count_nonzero(results.error)),
        error,
        sample,
        tuple(
            _mistake(int(i), results, source, float(shares[i]), row)
            for i, row in zip(chosen, rows, strict=True)
        ),
    )


def shares_of(results: ExampleResults, source: Dataset) -> tuple[np.ndarray, float]:
    """Return each example's share of the error of its set, and that error."""
    weights = np.ones(len(source)) if source.weights is None else source.weights
    error, squares = weights * results.error, results.sure is None
    mean = error.sum() / weights.sum() / (_outputs(results) if squares else 1)
    return error / max(error.sum(), 1e-300), float(np.sqrt(mean) if squares else mean)


def choose(results: ExampleResults, count: int, sample: str, seed: int) -> np.ndarray:
    """Return the indices in the set of the mistakes to list."""
    wrong = np.flatnonzero(results.error)
    if sample == "random":
        return np.random.default_rng(seed).permutation(wrong)[:count]  # any prefix is a sample too
    return wrong[np.argsort(-results.costs[wrong], kind="stable")][:count]


def format_error(mistake: Mistake) -> str:
    """Format the signed error of a number; for several numbers, their root mean square error."""
    difference = np.asarray(mistake.predicted) - np.asarray(mistake.true)
    if difference.ndim == 0:
        return f"{difference:+.4g}"
    return f"{np.sqrt(np.mean(difference**2)):.4g}"


def brief(cell: Any) -> str:
    """Format a cell for a terminal, shortened to 24 characters."""
    if cell is None:
        return ""
    if isinstance(cell, list):
        return " ".join(map(brief, cell))
    text = f"{cell:.4g}" if isinstance(cell, float) else " ".join(str(cell).split())
    return text if len(text) <= 24 else f"{text[:23]}…"


def _outputs(results: ExampleResults) -> int:
    return results.true.shape[1] if results.true.ndim == 2 else 1


def _mistake(
    i: int, results: ExampleResults, source: Dataset, share: float, row: dict[str, Any]
) -> Mistake:
    columns = (source.where, results.true, results.answers)
    place, true, answer = (values[i : i + 1].tolist()[0] for values in columns)
    sure = None if results.sure is None else float(results.sure[i])
    return Mistake(place, i, true, answer, sure, float(results.costs[i]), share, row)


def rows_of(source: Dataset, chosen: np.ndarray) -> list[dict[str, Any]]:
    """Return the keys and the columns of examples as they were read, None where missing.

    Images have no columns.
    """
    keys = source.key_values
    known = [{name: values[i] for name, values in keys.items()} for i in chosen]
    return [key | row for key, row in zip(known, _columns_of(source, chosen), strict=True)]


def _columns_of(source: Dataset, chosen: np.ndarray) -> list[dict[str, Any]]:
    """Return the columns of examples as they were read, None where missing; none for images."""
    if isinstance(source.X, Sequences):
        return [{"steps": int(source.X.lengths[i])} for i in chosen]
    if not source.is_table and are_texts(source.X):
        return [{"text": source.X[i]} for i in chosen]
    if not source.is_table:
        return [_named_numbers(np.asarray(source.X[i])) for i in chosen]
    some, names = source.X.iloc[chosen], names_of(source.X)
    cells = np.empty(some.shape, object)
    plain = positions_by_type(some).values()
    for at in plain:
        cells[:, at] = some.iloc[:, at].to_numpy()
    for at in set(range(len(names))).difference(*(found.tolist() for found in plain)):
        cells[:, at] = some.iloc[:, at].astype(object).to_numpy()
    cells[some.isna().to_numpy()] = None
    return [dict(zip(names, row, strict=True)) for row in cells.tolist()]


def _named_numbers(numbers: np.ndarray) -> dict[str, Any]:
    """Return the numbers of a row as columns, unless they are an image or too many."""
    if numbers.ndim != 1 or numbers.size > MOST_COLUMNS or square(numbers.size):
        return {}
    return {f"x{j + 1}": float(x) for j, x in enumerate(numbers)}
