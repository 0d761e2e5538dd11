"""Choose the decision threshold of a binary classifier by the goal, and measure a goal's metrics.

Notes: "Single number evaluation metric" (course 3, week 1); the threshold trades precision for
recall.

Every threshold that changes a prediction on the dev set is tried, from a single sort. The best by
the goal is chosen; ties go to the one nearest 0.5, and between two probabilities the midpoint is
used. For accuracy the threshold stays at 0.5 unless `always` is set, since there a chosen threshold
mostly fits the noise of the dev set.

A model may be too weak for any threshold: then the best one is used, and a DataWarning says so.

A goal may ask for the scores of a network, for its prediction time and for its size.
"""

import time
import warnings
from dataclasses import replace

import numpy as np

from chainrule.errors import DataWarning
from chainrule.layers.layer import Layer, count_parameters
from chainrule.runs.metrics import Ranking
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.run import Evaluation, Run, evaluation
from chainrule.runs.scores import (
    PER_CLASS,
    ClassificationResults,
    chance_scores,
    count_scores,
    results_of_outputs,
    score_of,
)
from chainrule.strategy.goal import Goal, class_of, name_of
from chainrule.strategy.uncertainty import Gain, gain
from chainrule.train.examples import Examples
from chainrule.train.outputs import network_outputs

NOT_TUNED = ("accuracy", "roc_auc", "pr_auc", "log_loss", "brier", "calibration_error")
"""Metrics for which no threshold is chosen; accuracy alone among them depends on a threshold."""
WEAK = 0.2
"""A model is too weak to use if no more than this share of its positive predictions is correct."""


def choose_threshold(run: Run, dev: Examples, goal: Goal, *, always: bool = False) -> Run:
    """Return the run with the best threshold on the dev set by the goal.

    The stored results are not updated: see `reevaluate`. Warns if the model is too weak to use.
    """
    Z = network_outputs(run.network, dev.X)
    preprocessor = with_best_threshold(goal, run.preprocessor, Z, dev.Y, dev.weights, always=always)
    if preprocessor is run.preprocessor:
        return run
    if reason := weakness(goal, preprocessor, Z, dev):
        warnings.warn(reason, DataWarning, stacklevel=2)
    return replace(run, preprocessor=preprocessor)


def weakness(goal: Goal, preprocessor: Preprocessor, Z: np.ndarray, part: Examples) -> str:
    """Return why a binary classifier is too weak to use at its threshold, or an empty string.

    It is too weak if at most a fifth of its positive predictions are correct, or if their share is
    not larger than the share of positive examples. The positive class is the one that the goal
    names, or else the second one.
    """
    rows = results_of_outputs(preprocessor, Z, part.Y, part.weights)
    assert isinstance(rows, ClassificationResults)
    names = preprocessor.labels.names
    label = next(filter(None, map(class_of, goal.metrics)), names[1])
    c, counts = names.index(label), rows.counts
    predicted, right = float(counts[:, c].sum()), float(counts[c, c])
    share = float(counts[c].sum() / counts.sum())
    if predicted and right / predicted > max(WEAK, share):
        return ""
    best = f"at its best threshold for {goal.metric}, {preprocessor.threshold:.3g},"
    if not predicted:
        found = f"it never predicts {label} on the dev set"
    else:
        correct = f"{100 * right / predicted:.0f} % of its predictions of {label} on the dev set"
        found = f"only {correct} are correct, and {100 * share:.0f} % of all examples are {label}"
    hint = "chainrule diagnose RUN suggests how to improve it"
    return f"the model is too weak to use: {best} {found}; {hint}."


def gain_at_best_thresholds(
    goal: Goal, preprocessor: Preprocessor, new: np.ndarray, old: np.ndarray, part: Examples
) -> Gain:
    """Compare two networks by their outputs on the same examples, each at its best threshold."""
    Y, weights = part.Y, part.weights
    of_new, of_old = (with_best_threshold(goal, preprocessor, Z, Y, weights) for Z in (new, old))
    return gain(goal, of_new, new, old, Y, weights, old_preprocessor=of_old)


def with_best_threshold(
    goal: Goal,
    preprocessor: Preprocessor,
    Z: np.ndarray,
    Y: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    always: bool = False,
) -> Preprocessor:
    """Return the preprocessor with the best threshold by the goal on these outputs.

    It is unchanged unless there are two classes, both of them occur, and the goal depends on the
    threshold; `always` chooses one for accuracy too.
    """
    if preprocessor.cost != "logistic" or not (always or depends(goal)):
        return preprocessor
    rows = results_of_outputs(preprocessor, Z, Y, weights)
    if (
        not isinstance(rows, ClassificationResults)
        or not rows.ranked
        or not np.isfinite(rows.A).all()
    ):
        return preprocessor
    return replace(preprocessor, threshold=best_threshold(rows, goal, preprocessor.labels.names))


def depends(goal: Goal) -> bool:
    """Return whether a metric of the goal, other than accuracy, depends on the threshold."""
    return any(name_of(metric) not in NOT_TUNED for metric in goal.metrics)


def best_threshold(rows: ClassificationResults, goal: Goal, names: tuple[str, ...]) -> float:
    """Return the best threshold by the goal."""
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
    """Return all thresholds (k,) with different predictions and their counts (k, 2, 2).

    They are in descending order. Between two probabilities the threshold is 0.5 if it lies there,
    else their midpoint.
    """
    high, low = np.append(1.0, rank.values), np.append(rank.values, 0.0)
    middle = low + (high - low) / 2
    middle = np.where(middle < high, middle, low)  # where no number lies between them
    thresholds = np.where((low <= 0.5) & (high > 0.5), 0.5, middle)
    tp, fp = np.append(0.0, rank.tp), np.append(0.0, rank.fp)
    counts = np.array([[rank.N - fp, fp], [rank.tp[-1] - tp, tp]])
    return thresholds, np.moveaxis(counts, -1, 0)


TIMES = 30
WARM_UP = 3


def measure(
    goal: Goal, network: Layer, preprocessor: Preprocessor, part: Examples
) -> dict[str, float]:
    """Compute every score of the task on a set, and the time and size that the goal mentions."""
    return measure_outputs(goal, network, evaluation(network, preprocessor, part))


def measure_outputs(goal: Goal, network: Layer, evaluated: Evaluation) -> dict[str, float]:
    """Compute what `measure` does from the outputs of the network, which is not run again."""
    preprocessor, part = evaluated.preprocessor, evaluated.part
    found = goal.scores(preprocessor, evaluated.Z, part.Y, part.weights)
    if "parameters" in goal.metrics:
        found["parameters"] = count_parameters(network)
    if "prediction" in goal.metrics:
        found["prediction"] = prediction_ms(network, preprocessor)
    return found


def prediction_ms(network: Layer, preprocessor: Preprocessor) -> float:
    """Return the median time to predict one row in milliseconds, without compilation."""
    row = np.zeros((1, preprocessor.n_x), np.float32)
    seconds = []
    for _ in range(WARM_UP + TIMES):
        began = time.perf_counter()
        network_outputs(network, row)
        seconds.append(time.perf_counter() - began)
    return 1000 * float(np.median(seconds[WARM_UP:]))
