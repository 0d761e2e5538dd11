"""chainrule/strategy/diagnosis.py: runs with a known problem, and real ones."""

import json
from dataclasses import replace

import numpy as np
import pytest

from chainrule.data.dataset import Dataset
from chainrule.data.labels import Labels
from chainrule.errors import OptionError
from chainrule.runs.job import train_prepared
from chainrule.runs.prepare import prepare, prepare_network, preprocess_sets
from chainrule.runs.recipe import Recipe
from chainrule.strategy.diagnosis import Diagnosis, diagnose, findings_of
from chainrule.strategy.findings import BIAS, VARIANCE, Finding
from chainrule.strategy.remedies import LOOSER, RunSettings, remedies
from chainrule.strategy.train_model import open_data
from chainrule.train.history import Epoch
from tests.validation.diagnoses import diagnosed, is_right, verdict
from tests.validation.known_runs import MAKERS

pytestmark = pytest.mark.usefixtures("float32_world")
PROBLEMS = [kind for kind in MAKERS if kind != "sound"]


@pytest.fixture(scope="module")
def wine():
    """A small and quick run, and its data."""
    prepared = prepare(Recipe("wine", hidden=(4,), epochs=5))
    return train_prepared(prepared), prepared.data


# with known truth


@pytest.mark.parametrize("kind", PROBLEMS)
def test_the_known_problem_is_found_first(kind):
    for i in (0, 1):
        made = MAKERS[kind](np.random.default_rng([7, i]))
        found = diagnosed(made)
        assert is_right(made, verdict(made, found)), f"{made.how}\n{found.text()}"


def test_nothing_is_found_in_a_sound_run():
    made = MAKERS["sound"](np.random.default_rng(3))
    assert diagnosed(made).found == ()


# by hand


def test_the_errors_are_those_of_the_run(wine):
    run, data = wine
    made = diagnose(run, data)
    for part in made.errors:
        assert part.error == pytest.approx(1 - run.results[part.name]["accuracy"], abs=1e-6)
        assert part.low <= part.error <= part.high
    assert [part.name for part in made.errors] == ["train", "dev", "test"]


def test_the_errors_are_by_the_goal_of_the_run(wine):
    run, data = wine
    made = diagnose(replace(run, recipe=replace(run.recipe, goal="f1")), data)
    assert made.metric == "macro_f1"
    assert "1 - macro_f1" in made.text()
    for part in made.errors:
        assert part.error == pytest.approx(1 - run.results[part.name]["macro_f1"], abs=1e-6)
        assert part.low <= part.error <= part.high


def test_numbers_have_an_rmse_and_no_bias_without_a_reference():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 3))
    y = 100 + 50 * (X[:, 0] + 0.5 * rng.standard_normal(300))
    sources = {"train": Dataset("made", X[:200], y[:200]), "dev": Dataset("made", X[200:], y[200:])}
    data = preprocess_sets(sources, Labels.learn(y), None)
    recipe = Recipe("made", hidden=(), epochs=300, learning_rate=0.01)
    run = train_prepared(prepare_network(recipe, data))
    made = diagnose(run, data)
    assert [part.error for part in made.errors] == pytest.approx([25, 25], rel=0.15)
    (bias,) = (one for one in made.findings if one.name == BIAS)
    assert not bias.found
    assert bias.words.endswith("only a reference can show how much of it is avoidable")
    assert BIAS in [one.name for one in diagnose(run, data, reference=10).found]
    assert "rmse" in made.text()


# properties


def test_the_reference_defaults_to_that_of_the_recipe(wine):
    run, data = wine
    run = replace(run, recipe=replace(run.recipe, reference=0.9))
    assert diagnose(run, data).reference == 0.9
    assert diagnose(run, data, reference=0.0).reference == 0.0


def test_a_reference_above_1_is_refused_before_training(wine):
    message = r"--reference: expected a share from 0 to 1; got 50\."
    with pytest.raises(OptionError, match=message):
        diagnose(*wine, reference=50.0)
    with pytest.raises(OptionError, match=message):
        findings_of({"train": 0.1}, reference=50.0)
    with pytest.raises(OptionError, match=message):
        open_data(Recipe("wine", hidden=(4,), reference=50.0))
    open_data(Recipe("diabetes", hidden=(4,), reference=50.0))


def test_a_diagnosis_is_plain_data_for_json(wine):
    record = json.loads(json.dumps(diagnose(*wine).to_dict()))
    assert {"errors", "reference", "unit", "metric", "findings", "next"} == record.keys()
    assert {"name", "size", "low", "high", "unit", "found", "words", "cures"} == record["findings"][
        0
    ].keys()


def test_the_next_steps_do_not_counteract_each_other():
    both = [
        Finding(
            name, size, size, size, "share", True, "", remedies(name, RunSettings((8,), l2=1.8))
        )
        for name, size in ((VARIANCE, 0.2), (BIAS, 0.1))
    ]
    steps = Diagnosis((), 0.0, "share", "accuracy", tuple(both)).next_steps
    assert steps[:2] == ("more training data", "L2: --l2 18")
    assert len(steps) == 3
    assert not any(step.startswith(LOOSER) for step in steps)


def test_a_training_problem_counts_only_with_a_high_training_error(wine):
    run, data = wine
    epochs = [Epoch(i, cost, 1.0, 0.1) for i, cost in enumerate((0.1, 9.0, 9.0, 9.0, 9.0), 1)]
    history = replace(run.history, epochs=epochs)
    for reference, harm in ((0.0, True), (0.9, False)):
        made = diagnose(replace(run, history=history), data, reference=reference)
        (problem,) = (one for one in made.findings if one.name == "learning rate too high")
        assert problem.found is harm
        assert problem.words.endswith("; this did no harm") is not harm
        assert (made.findings[0] is problem) is harm
        assert problem.cures == (
            "a third of the learning rate, or a learning rate that decays: --learning-rate 0.00067",
        )
