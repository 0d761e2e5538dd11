"""chainrule/strategy/goal.py: a metric, conditions, and how both are parsed."""

import numpy as np
import pytest

from chainrule.errors import OptionError
from chainrule.strategy.goal import Condition, Goal, goal_for, parse_goal
from chainrule.strategy.threshold import measure, prediction_ms
from chainrule.train.examples import Examples
from tests.strategy.labels import NUMBERS, THREE, TWO, outputs

NOTES = [  # "Satisficing and optimizing metric": accuracy, and a time of at most 100 ms
    {"accuracy": 0.90, "prediction": 80.0},
    {"accuracy": 0.92, "prediction": 95.0},
    {"accuracy": 0.95, "prediction": 1500.0},
]


# By hand


def test_the_classifiers_of_the_notes():
    goal = parse_goal("best accuracy with prediction <= 100 ms")
    assert goal.choose(NOTES) == 1
    assert [goal.satisfied(scores) for scores in NOTES] == [True, True, False]
    assert parse_goal("accuracy").choose(NOTES) == 2


def test_where_none_meets_the_conditions_the_nearest_is_chosen():
    goal = parse_goal("accuracy with prediction under 50 ms")
    assert goal.choose(NOTES) == 0
    assert goal.shortfall(NOTES[0]) == pytest.approx(0.6)
    assert goal.text(NOTES[0]) == (
        "goal: best accuracy with prediction < 50 ms\n"
        "  accuracy: 0.9000\n"
        "  prediction < 50 ms: 80, not met"
    )


def test_an_empty_choice_and_a_tie():
    assert parse_goal("f1").choose([]) is None
    assert parse_goal("f1").choose([{"f1": 0.5}, {"f1": 0.5}]) == 0


def test_errors_are_better_when_smaller():
    goal = parse_goal("rmse")
    assert goal.choose([{"rmse": 3.0}, {"rmse": 2.0}]) == 1
    assert goal.value({"rmse": 3.0}) == -3
    assert goal.error({"rmse": 3.0}) == 3
    assert parse_goal("f1").error({"f1": 0.75}) == 0.25
    assert goal_for(None, NUMBERS).error({"r2": 0.5, "rmse": 7.0}) == 7


def test_undefined_scores_are_worst():
    goal = parse_goal("roc_auc with recall > 0.5")
    assert goal.value({}) == -np.inf
    assert goal.shortfall({}) == np.inf
    assert not goal.satisfied({})
    assert "not defined" in goal.text({"recall": 0.6})


def test_a_strict_bound_is_not_met_by_equality():
    assert not parse_goal("f1 with recall > 0.5").satisfied({"recall": 0.5})
    assert parse_goal("f1 with recall > 0.5").shortfall({"recall": 0.5}) > 0
    assert parse_goal("f1 with recall >= 0.5").satisfied({"recall": 0.5})


# How it is written


@pytest.mark.parametrize(
    ("text", "metric", "conditions"),
    [
        ("f1", "f1", []),
        ("best Macro F1", "macro_f1", []),
        ("best R²", "r2", []),
        ("Balanced accuracy", "macro_recall", []),
        ("recall of malignant", "recall of malignant", []),
        (
            "best F1 with prediction under 1 ms and recall ≥ 0.9",
            "f1",
            [("prediction", "<", 1), ("recall", ">=", 0.9)],
        ),
        (
            "log loss where recall of Dog at least 90%, parameters at most 10,000",
            "log_loss",
            [("recall of Dog", ">=", 0.9), ("parameters", "<=", 1e4)],
        ),
        (
            "f1 with recall of black and white>0.5 and accuracy above 0.6",
            "f1",
            [("recall of black and white", ">", 0.5), ("accuracy", ">", 0.6)],
        ),
    ],
)
def test_goals_as_people_write_them(text, metric, conditions):
    goal = parse_goal(text)
    assert goal == Goal(metric, tuple(Condition(*each) for each in conditions))
    assert parse_goal(str(goal)) == goal
    assert goal.to_dict()["text"] == str(goal)


def test_the_default_goal():
    assert goal_for(None, THREE).metric == "accuracy"
    assert goal_for(None, NUMBERS).metric == "r2"


def test_with_many_classes_the_metric_is_the_macro_average():
    goal = goal_for("f1 with recall >= 0.5 and recall of dog >= 0.6", THREE)
    assert goal.metrics == ("macro_f1", "macro_recall", "recall of dog")
    assert goal_for("f1", TWO).metric == "f1"


# What it is measured by


@pytest.mark.parametrize("preprocessor", [TWO, THREE, NUMBERS])
def test_scores_have_what_the_goal_names(preprocessor):
    label = preprocessor.labels.names[-1] if preprocessor.labels.names else None
    text = f"f1 of {label} with precision of {label} >= 0.5" if label else "mae with r2 > 0"
    goal, (Z, _, Y, weights) = goal_for(text, preprocessor), outputs(preprocessor)
    found = goal.scores(preprocessor, Z, Y, weights)
    assert set(goal.metrics) <= set(found)
    if preprocessor is TWO:
        assert found["f1 of malignant"] == found["f1"]
        Z = np.round(Z, 1)  # ties that are none but for rounding would be told apart in −Z
        first = goal_for("pr auc of benign", TWO).scores(TWO, Z, Y, weights)
        turned = goal_for("pr auc", TWO).scores(TWO, -Z, 1 - Y, weights)
        assert first["pr_auc of benign"] == pytest.approx(turned["pr_auc"])


@pytest.mark.usefixtures("float32_world")
def test_the_time_and_the_size_of_a_network():
    from chainrule.host.randomness import key_from_seed
    from chainrule.models.deep_network import DeepNetwork

    network = DeepNetwork((1, 4, 1), key=key_from_seed(0))
    goal = goal_for("accuracy with prediction under 1000 ms and parameters < 14", TWO)
    part = Examples(np.zeros((4, 1), np.float32), np.array([[0.0], [1], [0], [1]], np.float32))
    found = measure(goal, network, TWO, part)
    assert found["parameters"] == 13
    assert 0 < prediction_ms(network, TWO) < 1000
    assert goal.satisfied(found)
    assert "prediction" not in measure(goal_for("f1", TWO), network, TWO, part)


# Words


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "acuracy",
            "--goal: expected a metric; got 'acuracy'.\nTry accuracy (did you mean that?)",
        ),
        ("", "--goal: expected a metric; got ''."),
        (
            "accuracy of dog",
            "--goal: expected a metric that is defined for one class (precision, recall, f1, "
            "roc_auc, pr_auc); got 'accuracy of dog'.\nTry accuracy.",
        ),
        (
            "prediction",
            "--goal: expected a metric that can be optimised; got prediction.\n"
            "Try it as a condition, as in f1 with recall >= 0.9 and prediction under 1 ms.",
        ),
        (
            "f1 with recall",
            '--goal: expected conditions of a metric, a comparison and a number, joined by "and"; '
            "got 'recall'.\nTry f1 with recall >= 0.9 and prediction under 1 ms.",
        ),
        (
            "f1 with recall >= 90",
            "--goal, recall: expected a number from 0 to 1; got 90.\nTry recall >= 90 %.",
        ),
        ("f1 with recall under 1 ms", "--goal, recall: expected a number without a unit; got 1 ms"),
    ],
)
def test_invalid_goals_are_refused(text, message):
    with pytest.raises(OptionError) as error:
        parse_goal(text)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "preprocessor", "message"),
    [
        (
            "rmse",
            TWO,
            "--goal: expected a metric for a target that consists of classes: "
            "accuracy, precision, recall",
        ),
        (
            "f1",
            NUMBERS,
            "--goal: expected a metric for a target that consists of numbers: "
            "r2, rmse, mae, median_error; "
            "got f1.\nTry r2.",
        ),
        (
            "median_error",
            NUMBERS,
            "--goal: expected a metric that can be optimised; got median_error.\n"
            "Try it as a condition, as in mae with median_error <= 5 and prediction under 1 ms.",
        ),
        (
            "prediction",
            NUMBERS,
            "--goal: expected a metric that can be optimised; got prediction.\n"
            "Try it as a condition, as in mae with median_error <= 5 and prediction under 1 ms.",
        ),
        (
            "best f2",
            NUMBERS,
            "--goal: expected a metric; got 'f2'.\nTry r2 (did you mean that?); the choices are "
            "r2, rmse, mae, median_error, prediction, parameters.",
        ),
        (
            "mae with rmse",
            NUMBERS,
            '--goal: expected conditions of a metric, a comparison and a number, joined by "and"; '
            "got 'rmse'.\nTry mae with median_error <= 5 and prediction under 1 ms.",
        ),
        (
            "recall of malignent",
            TWO,
            "--goal: expected a class of the target; got 'malignent'.\n"
            "Try malignant (did you mean that?); the choices are benign, malignant.",
        ),
    ],
)
def test_goals_that_do_not_fit_the_target_are_refused(text, preprocessor, message):
    with pytest.raises(OptionError) as error:
        goal_for(text, preprocessor)
    assert str(error.value).startswith(message)
