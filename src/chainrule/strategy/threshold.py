"""The threshold of two classes: how likely the second must be to be the answer, by the goal.

Notes: "Single number evaluation metric" (course 3, week 1), whose precision and recall trade places
along it.

Every threshold that changes an answer on the dev set is tried, all from one sort. The best by the
goal is taken, of equals the one nearest 0.5, and between two values the middle. Accuracy is left at
0.5 unless asked for: there the dev set's noise gains more than the threshold does.
"""

from dataclasses import replace

import numpy as np

from chainrule.strategy.goal import Goal
from chainrule.strategy.goal_text import class_of, name_of
from chainrule.train.door import Door
from chainrule.train.examples import Examples
from chainrule.train.outputs import network_outputs
from chainrule.train.run import Run
from chainrule.train.scores import PER_CLASS, Judged, chance_scores, count_scores, judged, score_of
from chainrule.train.scores_ranking import Ranking

FREE = ("accuracy", "roc_auc", "pr_auc", "log_loss", "brier", "calibration_error")
"""Scores for whose sake no threshold is moved; all but the first do not depend on it."""


def choose_threshold(run: Run, dev: Examples, goal: Goal, *, always: bool = False) -> Run:
    """The run with the threshold that is best by the goal on the dev set; nothing else changes.

    Its results are those of before: see `remeasured`.
    """
    Z = network_outputs(run.network, dev.X)
    door = at_its_best(goal, run.door, Z, dev.Y, dev.weights, always=always)
    return run if door is run.door else replace(run, door=door)


def at_its_best(
    goal: Goal,
    door: Door,
    Z: np.ndarray,
    Y: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    always: bool = False,
) -> Door:
    """The door with the threshold that is best by the goal on these outputs.

    As it is where there are not two classes, where one of them is not there, and where the goal
    does not depend on the threshold; `always` moves it for accuracy too.
    """
    if door.cost != "logistic" or not (always or depends(goal)):
        return door
    rows = judged(door, Z, Y, weights)
    if not isinstance(rows, Judged) or not rows.ranked or not np.isfinite(rows.A).all():
        return door
    return replace(door, threshold=best_threshold(rows, goal, door.labels.names))


def depends(goal: Goal) -> bool:
    """Whether something that it names changes with the threshold, accuracy apart."""
    return any(name_of(metric) not in FREE for metric in goal.metrics)


def best_threshold(rows: Judged, goal: Goal, names: tuple[str, ...]) -> float:
    """Of all there are, by the goal."""
    thresholds, counts = candidates(rows.ranking(1)[0])
    found = chance_scores(rows) | count_scores(counts)
    for metric in filter(class_of, goal.metrics):
        name, c = name_of(metric), names.index(str(class_of(metric)))
        counted = PER_CLASS.get(name)
        found[metric] = counted(counts)[..., c] if counted else score_of(name, rows, c)
    far, worse = np.abs(thresholds - 0.5), -goal.value(found) + np.zeros(len(thresholds))
    missed = goal.shortfall(found) + np.zeros(len(thresholds))
    return float(thresholds[np.lexsort((far, worse, missed))[0]])


def candidates(rank: Ranking) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds (k,) with different answers, from none above to all; counts (k, 2, 2) of each.

    Between two values it is 0.5 if that is there, else their middle.
    """
    high, low = np.append(1.0, rank.values), np.append(rank.values, 0.0)
    middle = low + (high - low) / 2
    middle = np.where(middle < high, middle, low)  # where no number lies between them
    thresholds = np.where((low <= 0.5) & (high > 0.5), 0.5, middle)
    tp, fp = np.append(0.0, rank.tp), np.append(0.0, rank.fp)
    counts = np.array([[rank.N - fp, fp], [rank.tp[-1] - tp, tp]])
    return thresholds, np.moveaxis(counts, -1, 0)
