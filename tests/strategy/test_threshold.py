"""chainrule/strategy/threshold.py: the best decision threshold."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from chainrule.errors import DataWarning
from chainrule.runs.metrics import ranking
from chainrule.runs.run import Run
from chainrule.runs.scores import results_of_outputs, scores
from chainrule.strategy import threshold
from chainrule.strategy.goal import goal_for
from chainrule.strategy.threshold import best_threshold, candidates, choose_threshold
from chainrule.train.examples import Examples
from tests.strategy.labels import THREE, TWO, outputs

NAMES = TWO.labels.names


@pytest.fixture
def run(monkeypatch) -> Run:
    """A run whose network gives its inputs as outputs."""
    monkeypatch.setattr(threshold, "network_outputs", lambda network, X: X)
    nothing = cast(Any, None)
    return Run(nothing, TWO, nothing, nothing, {})


def at(value: float):
    return replace(TWO, threshold=value)


# By hand


def test_candidates_by_hand():
    rank, _ = ranking(np.array([0.9, 0.6, 0.6, 0.1]), np.array([1, 1, 0, 0]), np.ones(4))
    thresholds, counts = candidates(rank)
    np.testing.assert_allclose(thresholds, [0.95, 0.75, 0.5, 0.05])
    np.testing.assert_array_equal(counts[2], [[1, 1], [0, 2]])
    assert counts[:, 1, 1].tolist() == [0, 1, 2, 2]


def test_the_best_threshold_is_chosen(run):
    Z = np.log([[0.1], [0.25], [0.3], [0.6]]) - np.log(1 - np.array([[0.1], [0.25], [0.3], [0.6]]))
    dev = Examples(Z, np.array([[0.0], [1], [1], [1]]))
    found = choose_threshold(run, dev, goal_for("f1", TWO))
    assert found.preprocessor.threshold == pytest.approx((0.1 + 0.25) / 2)
    assert found.network is run.network
    assert choose_threshold(run, dev, goal_for("accuracy", TWO)) is run
    assert choose_threshold(run, dev, goal_for("roc auc", TWO)) is run
    asked = choose_threshold(run, dev, goal_for("accuracy", TWO), always=True)
    assert asked.preprocessor.threshold == found.preprocessor.threshold


def test_the_threshold_stays_where_the_goal_does_not_depend_on_it(run):
    Z = np.array([[-1.0], [-0.5], [0.5], [1.0]])
    dev = Examples(Z, np.array([[0.0], [0], [1], [1]]))
    assert choose_threshold(run, dev, goal_for("f1", TWO)).preprocessor.threshold == 0.5
    for text in ("roc auc with recall >= 0", "pr auc of benign with recall of benign >= 0"):
        assert choose_threshold(run, dev, goal_for(text, TWO)).preprocessor.threshold == 0.5


def test_only_binary_classifiers_have_a_threshold(run):
    dev = Examples(np.eye(3), np.eye(3))
    many = replace(run, preprocessor=THREE)
    assert choose_threshold(many, dev, goal_for("f1", THREE)) is many
    alone = Examples(np.array([[1.0], [2.0]]), np.ones((2, 1)))
    assert choose_threshold(run, alone, goal_for("f1", TWO)) is run


# Models that are too weak for any threshold


def a_set(groups) -> Examples:
    """Return a set whose groups (count, p, positives) have the output of the probability p."""
    Z, Y = [], []
    for count, p, positives in groups:
        Z += [np.log(p / (1 - p))] * count
        Y += [1.0] * positives + [0.0] * (count - positives)
    return Examples(np.array(Z)[:, None], np.array(Y)[:, None])


def warned(run, goal: str, *groups) -> str:
    with pytest.warns(DataWarning) as found:
        choose_threshold(run, a_set(groups), goal_for(goal, TWO))
    (message,) = found
    return str(message.message)


def test_a_model_with_a_precision_of_a_tenth_is_too_weak_to_use(run):
    assert warned(run, "recall with precision >= 0.5", (100, 0.3, 10), (400, 0.1, 5)) == (
        "the model is too weak to use: at its best threshold for recall, 0.2, only 10 % of its "
        "predictions of malignant on the dev set are correct, and 3 % of all examples are "
        "malignant; chainrule diagnose RUN suggests how to improve it."
    )


def test_a_model_that_is_no_better_than_chance_is_too_weak_to_use(run):
    """With one output for all examples, F1 is best where all of them are called malignant."""
    message = warned(run, "f1", (40, 0.4, 20))
    assert "only 50 % of its predictions of malignant" in message
    assert "50 % of all examples are malignant" in message


def test_a_model_that_never_predicts_the_class_is_too_weak_to_use(run):
    message = warned(run, "f1 of malignant with recall of benign >= 1", (30, 0.6, 10), (5, 0.1, 0))
    assert "it never predicts malignant on the dev set" in message


def test_the_class_of_the_goal_decides_whether_a_model_is_too_weak(run):
    """Four of five predictions of malignant are correct, but one of ten of benign."""
    groups = (50, 0.8, 45), (50, 0.9, 50)
    assert "of benign on the dev set" in warned(run, "recall of benign", *groups)


def test_a_useful_model_is_not_called_weak(run):
    choose_threshold(run, a_set([(20, 0.9, 12), (200, 0.1, 2)]), goal_for("f1", TWO))


# Properties


@pytest.mark.parametrize("text", ["f1", "f1 of benign", "precision with recall >= 0.9", "macro f1"])
@pytest.mark.parametrize("seed", range(3))
def test_no_other_threshold_is_better(text, seed):
    Z, _, Y, weights = outputs(TWO, seed)
    goal = goal_for(text, TWO)
    chosen = best_threshold(results_of_outputs(TWO, Z, Y, weights), goal, NAMES)
    tried = [goal.scores(at(value), Z, Y, weights) for value in np.linspace(0.001, 0.999, 500)]
    found = goal.scores(at(chosen), Z, Y, weights)
    assert goal.choose([found, *tried]) == 0


def test_the_counts_of_each_threshold():
    Z, _, Y, weights = outputs(TWO)
    rows = results_of_outputs(TWO, Z, Y, weights)
    thresholds, counts = candidates(rows.ranking(1)[0])
    for value, count in zip(thresholds, counts, strict=True):
        results = results_of_outputs(at(float(value)), Z, Y, weights)
        np.testing.assert_allclose(results.counts, count, atol=1e-12)


def test_a_condition_that_cannot_be_met_is_missed_by_least():
    Z, Y = np.array([[2.0], [1.0], [-1.0], [-2.0]]), np.array([[0.0], [1], [1], [0]])
    goal = goal_for("recall with precision >= 0.9", TWO)
    chosen = best_threshold(results_of_outputs(TWO, Z, Y), goal, NAMES)
    assert scores(at(chosen), Z, Y)["precision"] == pytest.approx(2 / 3)


def test_saturated_probabilities_are_distinguished():
    Z, Y = np.array([[50.0], [60.0], [-50.0], [-800.0]]), np.array([[1.0], [1], [1], [0]])
    chosen = best_threshold(results_of_outputs(TWO, Z, Y), goal_for("f1", TWO), NAMES)
    assert scores(at(chosen), Z, Y)["f1"] == 1
