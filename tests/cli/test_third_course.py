"""chainrule train and the method: the ladder, a goal, a second source, transfer."""

import json

import numpy as np
import pytest

from chainrule.strategy import ladder_candidates
from tests.cli.command import chainrule

QUICK = ("--epochs", "30", "--no-check")


@pytest.fixture
def classes(tmp_path, monkeypatch):
    """Points of two classes in mine.npz, more of them in more.npz; and a short ladder."""
    monkeypatch.setattr(ladder_candidates, "WIDTHS", (8,))
    monkeypatch.setattr(ladder_candidates, "MOST", 2)
    rng = np.random.default_rng(0)
    for name, m in (("mine", 120), ("more", 60)):
        X = rng.normal(size=(m, 3))
        np.savez(
            tmp_path / f"{name}.npz", X=X, y=(X[:, 0] + rng.normal(0, 0.5, m) > 0.8).astype(int)
        )
    return tmp_path


def test_the_ladder_is_climbed_where_no_network_is_named(classes):
    said = chainrule(classes, "train", "mine.npz", *QUICK, "--out", "run")
    assert said.code == 0, said.err
    head, *lines = said.out[said.out.index("no network is given") :].splitlines()
    budget, first_estimate, first, second_estimate, second, *_ = lines
    assert (
        head
        == "no network is given (--hidden): networks of increasing size are compared (the ladder)"
    )
    assert budget.startswith("  the budget is 10 minutes (--budget)")
    assert first_estimate.startswith("  no hidden layer: at most about 0.")
    assert second_estimate.startswith("  8: at most about 0.")
    assert first.split(":")[0] == "  no hidden layer  best of  2"
    assert second.split(":")[0] == "  8                best of  2"
    saved = json.loads((classes / "run" / "recipe.json").read_text())
    rungs_there = saved["facts"]["ladder"]
    assert [rung["name"] for rung in rungs_there][:2] == ["no hidden layer", "8"]
    (chosen,) = [rung for rung in rungs_there if "chosen" in rung["verdict"]]
    assert saved["recipe"]["hidden"] == chosen["hidden"]
    page = (classes / "run" / "report.html").read_text()
    assert "The ladder" in page
    assert "no hidden layer" in page
    again = chainrule(classes, "train", "--recipe", "run", *QUICK, "--out", "again")
    assert "no network is given" not in again.out


def test_a_named_network_is_not_searched_for(classes):
    said = chainrule(classes, "train", "mine.npz", "--hidden", "4", *QUICK, "--json")
    assert json.loads(said.out)["parameters"] == 4 * 4 + 5


def test_a_goal_moves_the_threshold_and_is_told(classes):
    goal = ("--goal", "best f1 with recall >= 0.5", "--hidden", "none")
    said = chainrule(classes, "train", "mine.npz", *goal, *QUICK, "--out", "run")
    assert said.code == 0, said.err
    assert "goal: best f1 with recall >= 0.5; on test\n  f1: " in said.out
    saved = json.loads((classes / "run" / "recipe.json").read_text())
    assert saved["facts"]["goal"]["metric"] == "f1"
    assert saved["door"]["threshold"] != 0.5


def test_the_conditions_stand_beside_each_rung(classes):
    goal = ("--goal", "f1 with recall >= 0.5 and parameters <= 20")
    said = chainrule(classes, "train", "mine.npz", *goal, *QUICK, "--out", "run")
    assert said.code == 0, said.err
    first, second = (line for line in said.out.splitlines() if " best of " in line)
    assert "parameters <= 20: 4, met, " in first
    assert "parameters <= 20: 41, not met, " in second
    assert second.endswith("further from the conditions")
    assert json.loads((classes / "run" / "recipe.json").read_text())["recipe"]["hidden"] == []


def test_a_second_source_joins_the_training_part(classes):
    options = ("--extra", "more.npz", "--hidden", "4", *QUICK, "--out", "run")
    said = chainrule(classes, "train", "mine.npz", *options)
    assert said.code == 0, said.err
    assert "train 106 · train-dev 26 · dev 24 · test 24" in said.out


def test_layers_of_a_run_are_taken_over(classes):
    chainrule(classes, "train", "mine.npz", "--hidden", "4", *QUICK, "--out", "base")
    said = chainrule(classes, "train", "more.npz", "--from", "base", *QUICK, "--out", "run")
    assert said.code == 0, said.err
    assert "initial weights: from base; the last layer is initialised at random" in said.out
    assert json.loads((classes / "run" / "recipe.json").read_text())["recipe"]["hidden"] == [4]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("--retrain", "last"),
            "--retrain: expected a run whose layers are reused; got none.\n"
            "Try --from RUN, or leaving --retrain out.",
        ),
        (("--reference", "-0.1"), "--reference: expected a number of at least 0; got -0.1.\n"),
        (("--goal", "f2"), "--goal"),
        (("--goal", "rmse"), "--goal: expected a metric for a target that consists of classes: "),
        (
            ("--extra", "less.npz"),
            "less.npz: expected a file, a folder or the name of a built-in data set; got no",
        ),
        (("--from", "nowhere"), "nowhere: expected the folder of a run; got no such folder.\n"),
    ],
)
def test_what_is_refused(classes, options, words):
    said = chainrule(classes, "train", "mine.npz", *options, "--out", "run")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(words)
    assert sorted(file.name for file in classes.iterdir()) == ["mine.npz", "more.npz"]
