"""Test whether two sets come from the same distribution, with a classifier that separates them.

Notes: "Train/dev/test distributions" (course 3, week 1): dev and test from the same distribution;
"Bias and variance with mismatched data distributions" (course 3, week 2).

    AUC    the probability that the classifier, given one row of each set, identifies which one
           comes from the second set: 0.5 is chance. It is cross-fitted: each row is scored by a
           classifier that was not trained on it, and compared within its fold; the AUCs of the
           folds are averaged
    Var    [A (1 − A) + (n₁ − 1)(Q₁ − A²) + (n₂ − 1)(Q₂ − A²)] / (n₁ n₂),
           Q₁ = A / (2 − A),  Q₂ = 2A² / (1 + A)        (Hanley and McNeil), for one fold; at
           A = ½ it is exact under the null hypothesis. The mean over the folds has twice the
           variance of a mean of independent folds: when two rows resemble each other by chance,
           each is scored by a classifier that was trained on the other
    D      the largest distance between the distribution functions of one column in the two sets
           (Kolmogorov, Smirnov)

The sets differ when the confidence interval of the AUC lies above 0.5, or when a single column
differs significantly after correcting for the number of columns tested. Two sets from the same
distribution are reported as different in 1 or 2 of 100 cases. The classifier is a small network
on the preprocessed rows of the run.

The columns and the labels of two samples are compared by these tests:

    D         = max over x of |F₁(x) − F₂(x)|                                (Kolmogorov, Smirnov)
    chance    ≈ 2 Σ (−1)^(k−1) e^(−2 k² λ²),  λ = (√n + 0.12 + 0.11/√n) D,  n = n₁ n₂ / (n₁ + n₂)
    χ²        = Σ (seen − expected)² / expected, over classes and both samples

The chance (p value) is the probability of a D or χ² at least as large between two samples of the
same distribution. With n columns the significance level of each is divided by n (Bonferroni).
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chainrule.blocks.costs import logistic_cost
from chainrule.data.dataset import Dataset
from chainrule.data.scaling import BY_QUANTILES, Normalizer
from chainrule.data.split import encode_classes
from chainrule.data.streaming import rows_that_fit
from chainrule.errors import DataError, check_choice
from chainrule.formatting import aligned
from chainrule.host.randomness import key_from_seed
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.runs.prepare import Data, labels_of_set
from chainrule.runs.run import Run
from chainrule.search.objective import fold_rows
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.outputs import network_outputs
from chainrule.train.step import make_penalty

UNLIKELY = 0.01
SHOWN = 5
EXPECTED = 5
"""Classes with a smaller expected count are merged into one."""


@dataclass(frozen=True)
class Difference:
    """A difference between two samples in one column or in the labels.

    distance   how large it is, from 0 to 1
    chance     its p value, multiplied by the number of columns tested
    means      the mean in each sample
    """

    name: str
    distance: float
    chance: float
    means: tuple[float, float]

    def describe(self) -> str:
        """Return a description of a difference between labels."""
        first, second = self.means
        return f"{self.name}, {first:.3g} against {second:.3g} (p = {self.chance:.1g})"


def shifted_columns(
    X1: np.ndarray, X2: np.ndarray, names: list[str], scale: Normalizer
) -> tuple[Difference, ...]:
    """Return the columns whose distributions differ, the largest distance first.

    X1 and X2 are inputs of the network; the means are in the units of the columns.
    """
    means = np.stack([_means(X, scale) for X in (X1, X2)])
    X1, X2 = scale.numbers_in(X1), scale.numbers_in(X2)
    D = np.array([distance(X1[:, j], X2[:, j]) for j in range(X1.shape[1])])
    chance = chance_of(D, len(X1), len(X2)) * len(D)
    order = np.argsort(-D, kind="stable")[:SHOWN]
    return tuple(
        Difference(
            names[j], float(D[j]), float(chance[j]), (float(means[0, j]), float(means[1, j]))
        )
        for j in order
        if chance[j] < UNLIKELY
    )


def _means(X: np.ndarray, scale: Normalizer) -> np.ndarray:
    """Return the mean of each column in its own units; of images, the means of the inputs."""
    if scale.kind in BY_QUANTILES:  # the smooth clipping is not linear
        return scale.undo(X).mean(axis=0)
    means = X.mean(axis=0).astype(np.float64)
    return scale.undo(means) if scale.mean.size in (1, len(means)) else means


def label_shift(y1: np.ndarray, y2: np.ndarray, task: str) -> Difference | None:
    """Return the difference between the labels, or None where chance explains it.

    For classification it is the class whose share differs most, for regression the target's mean.
    """
    if task == "regression":
        one, two = (y.reshape(len(y), -1)[:, 0].astype(np.float64) for y in (y1, y2))
        D = distance(one, two)
        chance = float(chance_of(np.array([D]), len(one), len(two))[0])
        difference = Difference(
            "mean of the target", D, chance, (float(one.mean()), float(two.mean()))
        )
        return difference if chance < UNLIKELY else None
    classes, codes = np.unique(np.concatenate([y1, y2]).astype(str), return_inverse=True)
    counts = np.stack([np.bincount(c, minlength=len(classes)) for c in np.split(codes, [len(y1)])])
    chi_square, freedom = chi_square_of(counts)
    chance = chance_of_chi_square(chi_square, freedom)
    shares = counts / counts.sum(axis=1, keepdims=True)
    most = int(np.abs(shares[0] - shares[1]).argmax())
    gap = float(np.abs(shares[0] - shares[1]).max())
    difference = Difference(
        f"the share of {classes[most]}",
        gap,
        chance,
        (float(shares[0, most]), float(shares[1, most])),
    )
    return difference if chance < UNLIKELY else None


def distance(x1: np.ndarray, x2: np.ndarray) -> float:
    """Return the Kolmogorov–Smirnov distance D.

    >>> distance(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.5
    """
    at = np.concatenate([x1, x2])
    F1, F2 = (np.searchsorted(np.sort(x), at, "right") / len(x) for x in (x1, x2))
    return float(np.abs(F1 - F2).max())


def chance_of(D: np.ndarray, n1: int, n2: int) -> np.ndarray:
    """Return the p value of each distance."""
    root = np.sqrt(n1 * n2 / (n1 + n2))
    k = np.arange(1, 101)[:, None]
    terms = 2.0 * (-1.0) ** (k - 1) * np.exp(-2 * (k * (root + 0.12 + 0.11 / root) * D) ** 2)
    return np.where(D * root < 0.2, 1.0, np.clip(terms.sum(axis=0), 0, 1))


def chi_square_of(counts: np.ndarray) -> tuple[float, int]:
    """Return χ² of two rows of counts and its degrees of freedom.

    >>> chi_square_of(np.array([[10, 20], [20, 10]]))[1]
    1
    """
    shares = counts.sum(axis=0) / counts.sum()
    rare = shares * counts.sum(axis=1).min() < EXPECTED
    if rare.any():
        counts = np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])
        shares = counts.sum(axis=0) / counts.sum()
    expected = shares * counts.sum(axis=1, keepdims=True)
    used = expected[0] > 0
    chi_square = ((counts - expected)[:, used] ** 2 / expected[:, used]).sum()
    return float(chi_square), int(used.sum()) - 1


def chance_of_chi_square(chi_square: float, freedom: int) -> float:
    """Return the p value of χ²; 1 where there is nothing to compare."""
    from scipy.special import chdtrc

    return float(chdtrc(freedom, chi_square)) if freedom > 0 else 1.0


FEWEST, MOST = 10, 2000
"""The minimum and maximum number of rows of a set to compare; a larger set is subsampled."""
Z = 2.576
"""Half the width of a 99 % interval, in standard errors; 99 % keeps false alarms rare."""
FOLDS = 5
VARIANCE_FACTOR = 2
HIDDEN, STEPS, LEARNING_RATE, L2 = 16, 100, 0.01, 1.0


@dataclass(frozen=True)
class DistributionComparison:
    """The comparison of two sets.

    parts    the names of the sets
    rows     how many rows of each were compared
    auc      the AUC of a classifier that was trained to tell the two sets apart; low and high are
             the ends of its 99 % confidence interval
    columns  the columns whose distributions differ, the largest difference first
    labels   the difference between the labels, or None
    """

    parts: tuple[str, str]
    rows: tuple[int, int]
    auc: float
    low: float
    high: float
    columns: tuple[Difference, ...]
    labels: Difference | None

    @property
    def differ(self) -> bool:
        """Return whether the rows of the two sets differ by more than chance."""
        return self.low > 0.5 or bool(self.columns)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self) | {"differ": self.differ}

    def text(self) -> str:
        """Return the result and the advice as text for a terminal."""
        first, second = self.parts
        lines = [
            f"{first} and {second}: given one row of each, a classifier identifies which is which "
            f"in {percent(self.auc)} of cases",
            f"(99 % confidence interval {percent(self.low)} to {percent(self.high)}; 50 % is "
            f"chance; {self.rows[0]:,} and {self.rows[1]:,} rows).",
        ]
        if not self.differ:
            lines.append("As far as these rows can show, they come from the same distribution.")
        else:
            lines.append(f"They come from different distributions. {ADVICE[first]}")
        if self.columns:
            lines += ["", *self._table()]
        if self.labels is not None:
            lines.append(f"Their labels are distributed differently: {self.labels.describe()}.")
        return "\n".join(lines)

    def _table(self) -> list[str]:
        head = ["column", "distance", *(f"mean in {part}" for part in self.parts)]
        rows = [
            [c.name, f"{c.distance:.2f}", *(f"{mean:.4g}" for mean in c.means)]
            for c in self.columns
        ]
        return aligned([head, *rows], right=(1, 2, 3))


ADVICE = {
    "dev": "Shuffle the two sets together and split them again:\n"
    "a model that is chosen on one of them may not be the best on the other.",
    "train": "To measure how much error that causes, train with --train-dev.",
    "train-dev": "The gap between their errors, the data mismatch, shows what this costs.",
}


def percent(share: float) -> str:
    """Format a share as a percentage.

    >>> percent(0.523)
    '52.3 %'
    """
    return f"{100 * share:.1f} %"


def compare_distributions(
    run: Run, data: Data, first: str = "dev", second: str = "test", *, seed: int = 0
) -> DistributionComparison:
    """Compare the distributions of two sets of a run.

    Only one row of each group is used: rows of a group resemble each other, and no group is in
    two sets.
    """
    pair = first, second
    for part in pair:
        check_choice("the sets to compare", part, data.parts)
    rng = np.random.default_rng(seed)
    rows = [sample(data, part, rng) for part in pair]
    X = [np.asarray(data.parts[part].X[some]) for part, some in zip(pair, rows, strict=True)]
    A, deviation = cross_fitted(X[0], X[1], seed=seed)
    low, high = (float(np.clip(A + side * Z * deviation, 0, 1)) for side in (-1, 1))
    y = [labels_of_set(data.sources[part])[some] for part, some in zip(pair, rows, strict=True)]
    return DistributionComparison(
        pair,
        (len(X[0]), len(X[1])),
        A,
        low,
        high,
        shifted_columns(X[0], X[1], run.preprocessor.names, run.preprocessor.inputs),
        label_shift(y[0], y[1], run.preprocessor.labels.task),
    )


def pairs_to_compare(data: Data) -> list[tuple[str, str]]:
    """Return the pairs of sets to compare: dev with test, and the training distribution with dev.

    The train-dev set, where there is one, stands for the training distribution; the test set
    stands for a missing dev set.
    """
    trained = "train-dev" if "train-dev" in data.parts else "train"
    pairs = [("dev", "test"), (trained, "dev" if "dev" in data.parts else "test")]
    return [pair for pair in pairs if set(pair) <= set(data.parts)]


def sample(data: Data, part: str, rng: np.random.Generator) -> np.ndarray:
    """Draw at most `MOST` rows of the set, one of each group."""
    rows = rng.permutation(len(data.parts[part].X))
    groups = data.sources[part].groups
    if groups is not None:
        rows = rows[np.unique(encode_classes(groups)[rows], return_index=True)[1]]
        rows = rng.permutation(rows)
    if len(rows) < FEWEST:
        what = "rows" if groups is None else "groups"
        expected = f"at least {FEWEST} {what} in each"
        hint = f"a {part} set with more {what}"
        raise DataError("the sets to compare", expected, f"{len(rows)} in {part}", hint)
    return rows[: rows_that_fit(data.parts[part].X, MOST)]


def cross_fitted(X1: np.ndarray, X2: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
    """Return the cross-fitted AUC of a classifier of the two sets, and its standard error."""
    X = np.concatenate([X1, X2])
    y = np.repeat([0.0, 1.0], [len(X1), len(X2)]).astype(np.float32)
    X = standardized(X)
    areas, counts = [], []
    for known, held_out in fold_rows(Dataset("both", X, y), FOLDS, stratify=True, seed=seed):
        score = classifier(X[known], y[known], seed)(X[held_out])
        second = y[held_out] == 1
        areas.append(area(score[~second], score[second]))
        counts.append((int((~second).sum()), int(second.sum())))
    A = float(np.mean(areas))
    variance = np.mean([variance_of_area(A, *of_fold) for of_fold in counts])
    return A, float(np.sqrt(VARIANCE_FACTOR * variance / len(areas)))


def classifier(X: np.ndarray, y: np.ndarray, seed: int):
    """Train a small network to separate the sets; return a function from rows to scores."""
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
    """Scale the columns to mean 0 and standard deviation 1; a constant column becomes 0."""
    deviation = X.std(axis=0, dtype=np.float64)
    scaled = (X - X.mean(axis=0, dtype=np.float64)) / np.where(deviation > 0, deviation, 1)
    return scaled.astype(np.float32)


def area(first: np.ndarray, second: np.ndarray) -> float:
    """Return the probability that a score of the second exceeds one of the first; ties count half.

    >>> area(np.array([0.1, 0.4]), np.array([0.4, 0.9]))
    0.875
    """
    ordered = np.sort(first)
    below, up_to = (np.searchsorted(ordered, second, side) for side in ("left", "right"))
    return float((below + up_to).mean() / 2 / len(first))


def variance_of_area(A: float, n1: int, n2: int) -> float:
    """Return the variance of an AUC by the formula of Hanley and McNeil.

    >>> round(variance_of_area(0.5, 10, 10) * 12 * 100)
    21
    """
    Q1, Q2 = A / (2 - A), 2 * A**2 / (1 + A)
    spread = A * (1 - A) + (n1 - 1) * (Q1 - A**2) + (n2 - 1) * (Q2 - A**2)
    return spread / (n1 * n2)
