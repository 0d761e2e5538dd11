"""chainrule/strategy/transfer_report.py"""

import json

from chainrule.strategy.transfer_report import (
    TransferReport,
    more_data,
    same_input,
    useful_features,
)

SCORES = {"last": 0.5, "from nothing": 0.8, "raw inputs": 0.9}
TRIALS = {name: {"cost": cost, "accuracy": 1 - cost} for name, cost in SCORES.items()}
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
    trials=TRIALS,
)


def test_by_hand_the_three_conditions():
    near, far, wide = same_input(0.5, 1.0), same_input(1.5, 1.0), same_input(0.5, 4.0)
    assert (near.holds, far.holds, wide.holds) == (True, False, False)
    assert same_input(None, None).holds is None
    assert [more_data(100, new).holds for new in (99, 100, 101)] == [True, False, False]
    assert useful_features(TRIALS, "last", 3).holds is True
    better = TRIALS | {"raw inputs": {"cost": 0.3, "accuracy": 0.7}}
    assert useful_features(better, "last", 3).holds is False
    close = TRIALS | {"raw inputs": {"cost": 0.52, "accuracy": 0.5}}
    assert useful_features(close, "last", 3).holds is None
    assert useful_features({"last": TRIALS["last"]}, "last", 3).holds is None


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
        "  3. its low-level features help: yes; dev cost 0.5 after training the last layer, "
        "0.8 from scratch, 0.9 for a regression on the raw inputs",
        "  trials on dev                          cost  accuracy",
        "    the last layer                     0.5000    0.5000",
        "    from scratch                       0.8000    0.2000",
        "    a regression on the raw inputs     0.9000    0.1000",
    ]
