"""All that is counted of a part: every score that fits the task, under flat names.

    classes   accuracy; precision, recall and f1 of the second of two classes; their means over the
              classes; areas (of more than two classes the mean, each against the others); log_loss,
              brier, calibration_error
    numbers   r2, rmse, mae, median_error, in the target's units

The formulas are in `scores_classes.py`, `scores_ranking.py`, `scores_chances.py` and
`scores_numbers.py`: NumPy in float64, on the network's outputs, so nothing is compiled. What has no
meaning (an area where there is one class alone) is left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chainrule.errors import DataError
from chainrule.train import scores_classes as classes
from chainrule.train import scores_numbers as numbers
from chainrule.train.door import Door
from chainrule.train.scores_chances import (
    Reliability,
    brier_losses,
    calibration_error,
    log_losses,
    reliability,
)
from chainrule.train.scores_ranking import Ranking, counted_ranking, pr_auc, ranking, roc_auc


@dataclass(frozen=True, eq=False)
class Judged:
    """Examples with weight: y and said (m,) as numbers of classes, A (m, C), weights (m,)."""

    y: np.ndarray
    said: np.ndarray
    A: np.ndarray
    weights: np.ndarray

    @property
    def is_binary(self) -> bool:
        """Two classes: what is said of the second one says all."""
        return self.A.shape[1] == 2

    @cached_property
    def counts(self) -> np.ndarray:
        """(C, C): how often each class was said of each truth."""
        return classes.class_counts(self.y, self.said, self.weights, self.A.shape[1])

    @property
    def ranked(self) -> list[int]:
        """Classes that are there and not alone; the second of two stands for both."""
        return self.there[-1:] if self.is_binary else self.there

    def only(self, c: int | None) -> list[int]:
        """Class c, if it is there and not alone; of none, those that are."""
        return self.ranked if c is None else [c] if c in self.there else []

    @cached_property
    def there(self) -> list[int]:
        """Classes with examples, if there are two or more."""
        found = np.flatnonzero(self.counts.sum(axis=1)).tolist()
        return found if len(found) > 1 else []

    def ranking(self, c: int) -> tuple[Ranking, np.ndarray]:
        """By the probability of class c, and where each example stands."""
        return ranking(self.A[:, c], self.y == c, self.weights)

    def area_ranking(self, c: int) -> Ranking:
        """The same, as far as the areas need it."""
        if (self.weights == self.weights[0]).all():
            return counted_ranking(self.A[:, c], self.y == c)
        return self.ranking(c)[0]

    @cached_property
    def sure(self) -> tuple[np.ndarray, np.ndarray]:
        """p (m,) of the second of two classes or of the likeliest, and whether it came true."""
        if self.is_binary:
            return self.A[:, 1], self.y == 1
        return self.A.max(axis=1), self.A.argmax(axis=1) == self.y

    @cached_property
    def reliability(self) -> Reliability:
        """What was said, and what came true."""
        return reliability(*self.sure, self.weights)


@dataclass(frozen=True, eq=False)
class Guessed:
    """Examples with weight: y and z (m, k) in the target's units, weights (m,)."""

    y: np.ndarray
    z: np.ndarray
    weights: np.ndarray


def judged(
    door: Door, Z: np.ndarray, Y: np.ndarray, weights: np.ndarray | None = None
) -> Judged | Guessed:
    """Z and Y (m, n_L), as the network gives and the cost takes them; weight 0 counts nothing."""
    w = np.ones(len(Z)) if weights is None else np.asarray(weights, np.float64)
    if not w.any():
        got = "zeros alone" if len(w) else "no examples"
        raise DataError("scores", "an example with a weight above 0", got)
    w, kept = np.ldexp(w, -np.frexp(w.max())[1]), w > 0  # near 1, and every bit as it was
    if not kept.all():
        Z, Y, w = Z[kept], Y[kept], w[kept]
    if door.labels.task == "regression":
        y, z = (door.numbers(np.asarray(V, np.float64)) for V in (Y, Z))
        return Guessed(y, z, w)
    y = (Y[:, 0] > 0.5).astype(np.intp) if Y.shape[1] == 1 else Y.argmax(axis=1)
    return Judged(y, door.said(Z), door.probabilities(Z), w)


def scores(
    door: Door, Z: np.ndarray, Y: np.ndarray, weights: np.ndarray | None = None
) -> dict[str, float]:
    """Every score that fits, by name; accuracy or r2 is the first."""
    rows = judged(door, Z, Y, weights)
    if isinstance(rows, Guessed):
        return {name: function(rows.y, rows.z, rows.weights) for name, function in NUMBERS.items()}
    found = count_scores(rows.counts)
    if np.isfinite(rows.A).all():  # outputs beyond float32 have no probabilities
        found |= chance_scores(rows)
    return {name: float(value) for name, value in found.items()}


def per_class(
    door: Door, Z: np.ndarray, Y: np.ndarray, weights: np.ndarray | None = None
) -> dict[str, dict[str, float]]:
    """precision, recall and f1 of each class by its name, and how many examples it has."""
    rows = judged(door, Z, Y, weights)
    if isinstance(rows, Guessed):
        return {}
    columns = {name: function(rows.counts) for name, function in PER_CLASS.items()}
    columns["examples"] = np.bincount(rows.y, minlength=rows.A.shape[1])
    return {
        label: {name: column[c].item() for name, column in columns.items()}
        for c, label in enumerate(door.labels.names)
    }


def count_scores(counts: np.ndarray) -> dict[str, np.ndarray]:
    """What depends on the answers alone, from counts (…, C, C)."""
    values = {name: function(counts) for name, function in PER_CLASS.items()}
    found = {"accuracy": classes.accuracy(counts)}
    if counts.shape[-1] == 2:
        found |= {name: value[..., 1] for name, value in values.items()}
    found |= {f"macro_{name}": classes.macro(value, counts) for name, value in values.items()}
    return found | {"weighted_f1": classes.weighted(values["f1"], counts)}


def chance_scores(rows: Judged) -> dict[str, float]:
    """What depends on the probabilities, and on no threshold."""
    return areas(rows, rows.ranked) | {name: function(rows) for name, function in CHANCES.items()}


def areas(rows: Judged, of: Sequence[int]) -> dict[str, float]:
    """roc_auc and pr_auc, the mean over these classes, each against the others."""
    ranks = [rows.area_ranking(c) for c in of]
    if not ranks:
        return {}
    return {name: float(np.mean([area(rank) for rank in ranks])) for name, area in AREAS.items()}


def score_of(name: str, rows: Judged | Guessed, c: int | None = None) -> float:
    """One of the scores, or that of class c; nan where it is not defined."""
    if isinstance(rows, Guessed):
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
CHANCES: dict[str, Callable[[Judged], float]] = {
    "log_loss": lambda rows: float(np.average(log_losses(rows.A, rows.y), weights=rows.weights)),
    "brier": lambda rows: float(np.average(brier_losses(rows.A, rows.y), weights=rows.weights)),
    "calibration_error": lambda rows: calibration_error(rows.reliability),
}
