"""chainrule/strategy/transfer_report.py"""

import json

import numpy as np

from chainrule.search.trials import DONE, FAILED, Outcome
from chainrule.strategy.goal import goal_for
from chainrule.strategy.transfer_report import (
    NOTHING,
    RAW,
    Comparison,
    TransferReport,
    Trial,
    more_data,
    same_input,
    useful_features,
)
from chainrule.train.examples import Examples
from tests.strategy.labels import TWO

M = 100
Y = (np.arange(M) % 2)[:, None].astype(float)


def trial(right: int, cost: float, m: int = M) -> Trial:
    """Return a trial whose first `right` predictions on the dev set are correct."""
    signs = np.where(np.arange(m) < right, 1.0, -1.0)[:, None]
    return Trial(Outcome(DONE, cost), signs * (2 * Y[:m] - 1))


def compared(m: int = M, goal: str | None = None, **trials: Trial) -> Comparison:
    named = {{"nothing": NOTHING, "raw": RAW}.get(name, name): one for name, one in trials.items()}
    return Comparison(named, goal_for(goal, TWO), TWO, Examples(np.zeros((m, 1)), Y[:m]))


GOOD, FAIR, BAD = trial(90, 0.5), trial(70, 0.8), trial(50, 0.9)
TRIALS = compared(last=GOOD, nothing=FAIR, raw=BAD)
REPORT = TransferReport(
    base="runs/old-1",
    base_data="old.csv",
    retrain="last",
    layers=3,
    trained=1,
    parameters=(18, 83),
    examples=160,
    rate=0.3,
    rule="all",
    why="as given",
    conditions=(same_input(0.2, 1.1), more_data(1000, 160), useful_features(TRIALS, "last", 3)),
    trials=TRIALS.scores(),
)


def test_by_hand_the_three_conditions():
    near, far, wide = same_input(0.5, 1.0), same_input(1.5, 1.0), same_input(0.5, 4.0)
    assert (near.holds, far.holds, wide.holds) == (True, False, False)
    assert same_input(None, None).holds is None
    assert [more_data(100, new).holds for new in (99, 100, 101)] == [True, False, False]
    assert useful_features(TRIALS, "last", 3).holds is True
    assert useful_features(None, "last", 3).holds is None


def test_by_hand_features_are_judged_by_the_metric_and_not_by_the_cost():
    """A confident network has a high cost, although it predicts far more classes correctly."""
    random_weights, confident = trial(25, 0.69), trial(79, 2.0)
    found = compared(last=random_weights, nothing=confident, raw=trial(60, 0.9))
    condition = useful_features(found, "last", 3)
    assert condition.holds is False
    assert condition.numbers == {"last": 0.25, NOTHING: 0.79, RAW: 0.6}
    assert useful_features(compared(last=GOOD, nothing=BAD, raw=confident), "last", 3).holds


def test_by_hand_features_that_beat_one_baseline_only():
    found = compared(last=GOOD, nothing=trial(92, 0.9), raw=BAD)
    condition = useful_features(found, "last", 3)
    assert condition.holds is None
    assert condition.words.endswith(": too close to tell on 100 examples")


def test_few_examples_do_not_show_whether_features_help():
    trials = {"last": trial(20, 0.1, m=20), "nothing": trial(2, 0.9, 20), "raw": trial(2, 0.9, 20)}
    condition = useful_features(compared(20, **trials), "last", 3)
    assert condition.holds is None
    assert condition.words.endswith(": too few examples to tell (20)")


def test_features_are_judged_by_the_goal():
    """The base finds all malignant examples; from scratch, more answers are right in total."""
    positive = Trial(Outcome(DONE, 0.5), np.ones((M, 1)))
    half = np.where((Y == 1) & (np.arange(M)[:, None] < 50), 1.0, -1.0)
    cautious = Trial(Outcome(DONE, 0.5), half)
    trials = {"last": positive, "nothing": cautious, "raw": cautious}
    assert useful_features(compared(**trials), "last", 3).holds is False
    goal = "recall with precision >= 0.5"
    condition = useful_features(compared(goal=goal, **trials), "last", 3)
    assert (condition.holds, condition.words.split(" ")[:2]) == (None, ["dev", "recall"])


def test_choices_that_are_worse_by_the_metric_are_named():
    low_cost = {"last": trial(25, 0.5), "all": trial(80, 0.9), "2": trial(78, 0.8)}
    assert compared(**low_cost, nothing=GOOD).worse_choices() == {"last"}
    failed = low_cost | {"2": Trial(Outcome(FAILED))}
    assert compared(**failed).worse_choices() == {"last"}
    assert useful_features(compared(last=GOOD, nothing=GOOD), "last", 3).holds is None


def test_json_and_back():
    assert TransferReport.from_dict(json.loads(json.dumps(REPORT.to_dict()))) == REPORT


# Words


def test_the_text():
    assert REPORT.text().splitlines() == [
        "transfer from runs/old-1 (old.csv)",
        "  the last layer is trained, 2 frozen (18 of 83 parameters): as given",
        "  1. the same kind of input: yes; the means differ by 0.2 of the base's standard "
        "deviations, the spread is 1.1 times the base's",
        "  2. more data for the base task: yes; 1,000 examples for the base, 160 here",
        "  3. its low-level features help: yes; dev accuracy 0.9 after training the last layer, "
        "0.7 from scratch, 0.5 for a regression on the raw inputs",
        "  trials on dev                          cost  accuracy",
        "    the last layer                     0.5000    0.9000",
        "    from scratch                       0.8000    0.7000",
        "    a regression on the raw inputs     0.9000    0.5000",
    ]
