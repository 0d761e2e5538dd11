"""All scores of a set for classification or regression, under flat names.

    classes   accuracy; precision, recall and f1 of the second of two classes; their means over the
              classes; roc_auc and pr_auc (with more than two classes the mean of one against the
              rest); log_loss, brier, calibration_error
    numbers   r2, rmse, mae, median_error, in the target's units

The formulas are in `runs/metrics.py`: NumPy in float64, on the network's outputs, so nothing is
compiled. Scores that are not defined, such as an area when only one class occurs, are left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chainrule.errors import DataError
from chainrule.runs import metrics as classes
from chainrule.runs import metrics as numbers
from chainrule.runs.metrics import (
    Ranking,
    Reliability,
    brier_losses,
    calibration_error,
    counted_ranking,
    log_losses,
    pr_auc,
    ranking,
    reliability,
    roc_auc,
)
from chainrule.runs.preprocessing import Preprocessor


@dataclass(frozen=True, eq=False)
class ClassificationResults:
    """Classification results: true y (m,), `predicted` (m,), A (m, C), weights (m,)."""

    y: np.ndarray
    predicted: np.ndarray
    A: np.ndarray
    weights: np.ndarray

    @property
    def is_binary(self) -> bool:
        """Return whether there are two classes, so that the scores of the second one suffice."""
        return self.A.shape[1] == 2

    @cached_property
    def counts(self) -> np.ndarray:
        """The confusion matrix (C, C): true classes in rows, predicted ones in columns."""
        return classes.class_counts(self.y, self.predicted, self.weights, self.A.shape[1])

    @property
    def ranked(self) -> list[int]:
        """The classes whose ranking is measured: those that occur, or the second of two."""
        return self.there[-1:] if self.is_binary else self.there

    def only(self, c: int | None) -> list[int]:
        """Return [c] if class c and another class occur, else []; if c is None, return `ranked`."""
        return self.ranked if c is None else [c] if c in self.there else []

    @cached_property
    def there(self) -> list[int]:
        """The classes that have examples; none if only one class has examples."""
        present = np.flatnonzero(self.counts.sum(axis=1)).tolist()
        return present if len(present) > 1 else []

    def ranking(self, c: int) -> tuple[Ranking, np.ndarray]:
        """Rank the examples by the probability of class c; also return each example's place."""
        return ranking(self.A[:, c], self.y == c, self.weights)

    def area_ranking(self, c: int) -> Ranking:
        """Rank the examples by the probability of class c, with the thresholds that areas need."""
        if (self.weights == self.weights[0]).all():
            return counted_ranking(self.A[:, c], self.y == c)
        return self.ranking(c)[0]

    @cached_property
    def confidence(self) -> tuple[np.ndarray, np.ndarray]:
        """The predicted probability of one class (m,), and whether it is the true class (m,).

        With two classes, it is the second class; with more, the most likely class of each example.
        """
        if self.is_binary:
            return self.A[:, 1], self.y == 1
        return self.A.max(axis=1), self.A.argmax(axis=1) == self.y

    @cached_property
    def reliability(self) -> Reliability:
        """The predicted probabilities compared with the observed frequencies."""
        return reliability(*self.confidence, self.weights)


@dataclass(frozen=True, eq=False)
class RegressionResults:
    """Regression results: targets y and predictions z (m, k) in their units, weights (m,)."""

    y: np.ndarray
    z: np.ndarray
    weights: np.ndarray


def results_of_outputs(
    preprocessor: Preprocessor, Z: np.ndarray, Y: np.ndarray, weights: np.ndarray | None = None
) -> ClassificationResults | RegressionResults:
    """Convert outputs Z and targets Y (m, n_L) to results; examples of weight 0 are left out."""
    w = np.ones(len(Z)) if weights is None else np.asarray(weights, np.float64)
    if not w.any():
        got = "only zeros" if len(w) else "no examples"
        raise DataError("scores", "at least one example with a weight greater than 0", got)
    w, counts = np.ldexp(w, -np.frexp(w.max())[1]), w > 0  # near 1, without rounding
    if not counts.all():
        Z, Y, w = Z[counts], Y[counts], w[counts]
    if preprocessor.labels.task == "regression":
        y, z = (preprocessor.numbers(np.asarray(V, np.float64)) for V in (Y, Z))
        return RegressionResults(y, z, w)
    y = (Y[:, 0] > 0.5).astype(np.intp) if Y.shape[1] == 1 else Y.argmax(axis=1)
    return ClassificationResults(
        y, preprocessor.predicted_classes(Z), preprocessor.probabilities(Z), w
    )


def scores(
    preprocessor: Preprocessor, Z: np.ndarray, Y: np.ndarray, weights: np.ndarray | None = None
) -> dict[str, float]:
    """Return every score for the task by its name; the first is accuracy or r2."""
    rows = results_of_outputs(preprocessor, Z, Y, weights)
    if isinstance(rows, RegressionResults):
        return {name: function(rows.y, rows.z, rows.weights) for name, function in NUMBERS.items()}
    values = count_scores(rows.counts)
    if np.isfinite(rows.A).all():  # infinite outputs have no probabilities
        values |= chance_scores(rows)
    return {name: float(value) for name, value in values.items()}


def per_class(
    preprocessor: Preprocessor, Z: np.ndarray, Y: np.ndarray, weights: np.ndarray | None = None
) -> dict[str, dict[str, float]]:
    """Return precision, recall, f1 and the number of examples of each class by its name."""
    rows = results_of_outputs(preprocessor, Z, Y, weights)
    if isinstance(rows, RegressionResults):
        return {}
    columns = {name: function(rows.counts) for name, function in PER_CLASS.items()}
    columns["examples"] = np.bincount(rows.y, minlength=rows.A.shape[1])
    return {
        label: {name: column[c].item() for name, column in columns.items()}
        for c, label in enumerate(preprocessor.labels.names)
    }


def count_scores(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return the scores that depend only on the predicted classes, from counts (…, C, C)."""
    values = {name: function(counts) for name, function in PER_CLASS.items()}
    found = {"accuracy": classes.accuracy(counts)}
    if counts.shape[-1] == 2:
        found |= {name: value[..., 1] for name, value in values.items()}
    found |= {f"macro_{name}": classes.macro(value, counts) for name, value in values.items()}
    return found | {"weighted_f1": classes.weighted(values["f1"], counts)}


def chance_scores(rows: ClassificationResults) -> dict[str, float]:
    """Return the scores that depend on the probabilities and on no threshold."""
    return areas(rows, rows.ranked) | {name: function(rows) for name, function in CHANCES.items()}


def areas(rows: ClassificationResults, of: Sequence[int]) -> dict[str, float]:
    """Return roc_auc and pr_auc, the mean over these classes, each against the rest."""
    ranks = [rows.area_ranking(c) for c in of]
    if not ranks:
        return {}
    return {name: float(np.mean([area(rank) for rank in ranks])) for name, area in AREAS.items()}


def score_of(
    name: str, rows: ClassificationResults | RegressionResults, c: int | None = None
) -> float:
    """Return one score, overall or of class c; nan where it is not defined."""
    if isinstance(rows, RegressionResults):
        return NUMBERS[name](rows.y, rows.z, rows.weights)
    if name in AREAS:
        return areas(rows, rows.only(c)).get(name, float("nan"))
    if c is not None:
        return float(PER_CLASS[name](rows.counts)[c])
    if name in CHANCES:
        return CHANCES[name](rows)
    return float(count_scores(rows.counts)[name])


PER_CLASS: dict[str, Callable] = {
    "precision": classes.precision,
    "recall": classes.recall,
    "f1": classes.f1,
}
NUMBERS: dict[str, Callable] = {
    "r2": numbers.r2,
    "rmse": numbers.rmse,
    "mae": numbers.mae,
    "median_error": numbers.median_error,
}
AREAS: dict[str, Callable[[Ranking], float]] = {"roc_auc": roc_auc, "pr_auc": pr_auc}
CHANCES: dict[str, Callable[[ClassificationResults], float]] = {
    "log_loss": lambda rows: float(np.average(log_losses(rows.A, rows.y), weights=rows.weights)),
    "brier": lambda rows: float(np.average(brier_losses(rows.A, rows.y), weights=rows.weights)),
    "calibration_error": lambda rows: calibration_error(rows.reliability),
}
