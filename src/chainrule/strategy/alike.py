"""Are two parts drawn alike? A classifier tries to tell their rows apart.

Notes: "Train/dev/test distributions" (course 3, week 1): dev and test from the same distribution;
"Bias and variance with mismatched data distributions" (course 3, week 2).

    AUC    how often, of a row of each part, the classifier takes the right one for the second
           part's: 0.5 is chance. Cross-fitted: each row is judged by a classifier that has not
           seen it, and compared within its fold; the folds' AUCs are averaged
    Var    [A (1 − A) + (n₁ − 1)(Q₁ − A²) + (n₂ − 1)(Q₂ − A²)] / (n₁ n₂),
           Q₁ = A / (2 − A),  Q₂ = 2A² / (1 + A)        (Hanley and McNeil), a fold's; with A = ½
           it is that of chance, exactly. The mean of the folds has twice the variance that it
           would have were they independent: of two rows that resemble each other by chance, each
           is judged by a classifier that knew the other
    D      the largest distance of the distribution functions of one column (Kolmogorov, Smirnov)

The parts differ where the AUC's interval lies above 0.5, or where a column alone says so after
counting how many were asked. Truly alike parts are said to differ in 1 or 2 of 100 cases.
The classifier is a small network on the numbers that the run's door makes of the rows.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chainrule.blocks.costs import logistic_cost
from chainrule.data.source import Source
from chainrule.data.split import numbered
from chainrule.data.streamed import rows_that_fit
from chainrule.errors import DataError, check_choice
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.randomness import key_from_seed
from chainrule.search.folds import fold_rows
from chainrule.strategy.table import aligned
from chainrule.strategy.two_samples import Told, columns_that_tell, labels_alike
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.outputs import network_outputs
from chainrule.train.penalty import make_penalty
from chainrule.train.prepare import Data, labelled
from chainrule.train.run import Run

FEWEST, MOST = 10, 2000
"""Rows of a part: fewer say nothing, of more some are taken."""
Z = 2.576
"""99 % of a normal distribution: `diagnose` asks of two pairs, and an alarm should be rare."""
FOLDS = 5
TWICE = 2
HIDDEN, STEPS, LEARNING_RATE, L2 = 16, 100, 0.01, 1.0


@dataclass(frozen=True)
class Alike:
    """Two parts beside each other.

    parts    their names; rows: how many of each were looked at
    auc      and the ends of its 99 % interval
    columns  those that tell the parts apart by themselves, the clearest first
    labels   what tells their labels apart, or None
    """

    parts: tuple[str, str]
    rows: tuple[int, int]
    auc: float
    low: float
    high: float
    columns: tuple[Told, ...]
    labels: Told | None

    @property
    def differ(self) -> bool:
        """Whether something tells the rows apart beyond chance."""
        return self.low > 0.5 or bool(self.columns)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"differ": self.differ}

    def text(self) -> str:
        """What was found, and what to do."""
        first, second = self.parts
        lines = [
            f"{first} and {second}: of a row of each, a classifier knows which is which in "
            f"{percent(self.auc)} of the cases",
            f"({percent(self.low)} to {percent(self.high)} by an interval of 99 %; 50 % is chance; "
            f"{self.rows[0]:,} and {self.rows[1]:,} rows).",
        ]
        if not self.differ:
            lines.append("Nothing tells them apart: drawn alike, as far as these rows can show.")
        else:
            lines.append(f"They are not drawn alike. {ADVICE[first]}")
        if self.columns:
            lines += ["", *self._table()]
        if self.labels is not None:
            lines.append(f"Their labels are not shared out alike either: {self.labels.words()}.")
        return "\n".join(lines)

    def _table(self) -> list[str]:
        head = ["what tells most", "distance", *(f"mean in {part}" for part in self.parts)]
        rows = [
            [c.name, f"{c.distance:.2f}", *(f"{mean:.4g}" for mean in c.means)]
            for c in self.columns
        ]
        return aligned([head, *rows], right=(1, 2, 3))


ADVICE = {
    "dev": "Shuffle both together and split anew: what is chosen on the one says\n"
    "little of the other.",
    "train": "What that costs a train-dev part can say: train with --train-dev.",
    "train-dev": "What that costs is the gap between their errors: data mismatch.",
}


def percent(share: float) -> str:
    """As people read it.

    >>> percent(0.523)
    '52.3 %'
    """
    return f"{100 * share:.1f} %"


def alike(
    run: Run, data: Data, first: str = "dev", second: str = "test", *, seed: int = 0
) -> Alike:
    """Try to tell the rows of two parts apart.

    Of a group only one row is taken: rows of a group are alike, and no group is in two parts.
    """
    pair = first, second
    for part in pair:
        check_choice("the parts to compare", part, data.parts)
    rng = np.random.default_rng(seed)
    rows = [sample(data, part, rng) for part in pair]
    X = [np.asarray(data.parts[part].X[some]) for part, some in zip(pair, rows, strict=True)]
    A, deviation = cross_fitted(X[0], X[1], seed=seed)
    low, high = (float(np.clip(A + side * Z * deviation, 0, 1)) for side in (-1, 1))
    y = [labelled(data.sources[part])[some] for part, some in zip(pair, rows, strict=True)]
    return Alike(
        pair,
        (len(X[0]), len(X[1])),
        A,
        low,
        high,
        columns_that_tell(X[0], X[1], run.door.names, run.door.inputs),
        labels_alike(y[0], y[1], run.door.labels.task),
    )


def pairs_to_compare(data: Data) -> list[tuple[str, str]]:
    """Which parts should be alike: dev and test, and what is trained on with dev."""
    trained = "train-dev" if "train-dev" in data.parts else "train"
    pairs = [("dev", "test"), (trained, "dev" if "dev" in data.parts else "test")]
    return [pair for pair in pairs if set(pair) <= set(data.parts)]


def sample(data: Data, part: str, rng: np.random.Generator) -> np.ndarray:
    """Rows of the part that stand for themselves, `MOST` at most."""
    rows = rng.permutation(len(data.parts[part].X))
    groups = data.sources[part].groups
    if groups is not None:
        rows = rows[np.unique(numbered(groups)[rows], return_index=True)[1]]
        rows = rng.permutation(rows)
    if len(rows) < FEWEST:
        what = "rows" if groups is None else "groups"
        expected = f"at least {FEWEST} {what} in each"
        raise DataError("the parts to compare", expected, f"{len(rows)} in {part}", f"more {what}")
    return rows[: rows_that_fit(data.parts[part].X, MOST)]


def cross_fitted(X1: np.ndarray, X2: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
    """The AUC of a classifier on rows that it has not seen, and its standard deviation."""
    X = np.concatenate([X1, X2])
    y = np.repeat([0.0, 1.0], [len(X1), len(X2)]).astype(np.float32)
    X = standardized(X)
    areas, counts = [], []
    for known, held_out in fold_rows(Source("both", X, y), FOLDS, stratify=True, seed=seed):
        score = classifier(X[known], y[known], seed)(X[held_out])
        second = y[held_out] == 1
        areas.append(area(score[~second], score[second]))
        counts.append((int((~second).sum()), int(second.sum())))
    A = float(np.mean(areas))
    variance = np.mean([variance_of_area(A, *of_fold) for of_fold in counts])
    return A, float(np.sqrt(TWICE * variance / len(areas)))


def classifier(X: np.ndarray, y: np.ndarray, seed: int):
    """A small network that has learned which rows are the second part's: rows to scores."""
    network = DeepNetwork((X.shape[1], HIDDEN, 1), key=key_from_seed(seed))
    trained = fit(
        network,
        adam(LEARNING_RATE),
        logistic_cost,
        Examples(X, y[:, None]),
        epochs=STEPS,
        batch_size=len(X),
        penalty=make_penalty(L2, 0.0, len(X)),
        seed=seed,
    ).network
    return lambda rows: network_outputs(trained, rows)[:, 0]


def standardized(X: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and deviation 1; one that never varies is 0."""
    deviation = X.std(axis=0, dtype=np.float64)
    scaled = (X - X.mean(axis=0, dtype=np.float64)) / np.where(deviation > 0, deviation, 1)
    return scaled.astype(np.float32)


def area(first: np.ndarray, second: np.ndarray) -> float:
    """How often a score of the second is above one of the first; equal ones count half.

    >>> area(np.array([0.1, 0.4]), np.array([0.4, 0.9]))
    0.875
    """
    ordered = np.sort(first)
    below, up_to = (np.searchsorted(ordered, second, side) for side in ("left", "right"))
    return float((below + up_to).mean() / 2 / len(first))


def variance_of_area(A: float, n1: int, n2: int) -> float:
    """As the formula says.

    >>> round(variance_of_area(0.5, 10, 10) * 12 * 100)
    21
    """
    Q1, Q2 = A / (2 - A), 2 * A**2 / (1 + A)
    spread = A * (1 - A) + (n1 - 1) * (Q1 - A**2) + (n2 - 1) * (Q2 - A**2)
    return spread / (n1 * n2)
