"""Ensembles as runs: `members` of a recipe, saved, loaded and resumed."""

import json
from dataclasses import replace

import numpy as np
import pytest

from chainrule.cli.predict import Predictions, as_csv, json_text
from chainrule.errors import OptionError, RunError
from chainrule.host.randomness import seed_of_member
from chainrule.layers.layer import named_arrays
from chainrule.models.ensemble import Ensemble
from chainrule.runs.folder import load, save
from chainrule.runs.job import begin, request, resume, train_prepared
from chainrule.runs.networks import network_settings, restore_network
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe
from chainrule.runs.status import has_checkpoints
from chainrule.search.study import begin as begin_search
from chainrule.strategy.train_model import open_data, train_model
from chainrule.train.changes import Change
from chainrule.train.outputs import disagreement, member_outputs
from tests.train.problem import assert_same, network

OPTIONS = {"hidden": (4,), "members": 3, "epochs": 30, "batch_size": 45}


@pytest.fixture(scope="module")
def run():
    return train_model("iris", **OPTIONS)


def test_every_member_begins_as_a_single_network_with_its_seed():
    ensemble = prepare(Recipe("iris", **OPTIONS)).network
    assert isinstance(ensemble, Ensemble)
    settings = OPTIONS | {"members": 1, "dev": "none", "test": "none"}
    for k in range(3):
        one = prepare(Recipe("iris", **settings, seed=seed_of_member(0, k))).network
        assert_same(ensemble.member(k), one)


def test_a_run_is_loaded_as_it_was_saved(run, tmp_path):
    loaded = load(save(run, tmp_path / "run").path, "train")
    X = np.random.default_rng(0).standard_normal((7, 4))
    np.testing.assert_array_equal(loaded.predict_proba(X), run.predict_proba(X))
    assert loaded.network.title == "3 × DeepNetwork(4-4-3)"
    assert loaded.parameters == 3 * 35
    assert loaded.history == run.history
    assert [record["member"] for record in loaded.history.members] == [1, 2, 3]


def uncalibrated(run):
    """Return the run without its temperature, by which only the mean of the members is divided."""
    return replace(run, preprocessor=replace(run.preprocessor, temperature=1.0))


def test_the_probability_is_the_mean_of_the_members(run):
    run, X = uncalibrated(run), run.read("iris").X
    members = [replace(run, network=one).predict_proba(X) for one in run.network.members]
    np.testing.assert_allclose(run.predict_proba(X), np.mean(members, axis=0), atol=1e-6)


def test_the_disagreement_is_that_of_the_probabilities_after_calibration(run):
    X = run.read("iris").X
    flat = replace(run, preprocessor=replace(run.preprocessor, temperature=2.0))
    Z_k = member_outputs(run.network, run.preprocessor.rows(X))
    expected = disagreement(Z_k / 2, "softmax")
    np.testing.assert_allclose(flat.disagreement(X), expected, rtol=1e-6)
    assert (flat.disagreement(X) != uncalibrated(run).disagreement(X)).all()


def test_the_disagreement_is_a_column_of_the_predictions(run):
    run, X = uncalibrated(run), run.read("iris").X
    members = np.array([replace(run, network=one).predict_proba(X) for one in run.network.members])
    predicted = members.mean(axis=0).argmax(axis=1)
    expected = members.std(axis=0)[np.arange(len(X)), predicted]
    found = run.disagreement(X)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert replace(run, network=run.network.member(0)).disagreement(X) is None
    labels, probabilities, spread = (part[:1] for part in run.predictions(X))
    np.testing.assert_array_equal(spread, found[:1])
    predicted = Predictions(labels, probabilities, ["p(a)", "p(b)", "p(c)"], None, spread)
    head, row, *_ = as_csv(predicted).splitlines()
    assert head == "prediction,p(a),p(b),p(c),disagreement"
    assert row.endswith(f",{found[0]:.6f}")
    assert json.loads(json_text(predicted))["disagreement"] == [found[0]]


def test_the_disagreement_about_several_targets():
    numbers = np.array([[1.0, 2.0], [3.0, 4.0]])
    predicted = Predictions(numbers, None, [], ["a.png", "b.png"], numbers / 10)
    assert as_csv(predicted).splitlines() == [
        "file,prediction1,prediction2,disagreement1,disagreement2",
        "a.png,1.0,2.0,0.100000,0.200000",
        "b.png,3.0,4.0,0.300000,0.400000",
    ]


def test_a_killed_training_is_resumed_bit_for_bit(run, tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.train.fit.SECONDS_PER_CALL", 0.0)
    monkeypatch.setattr("chainrule.train.many.SECONDS_PER_CALL", 0.001)
    out = tmp_path / "killed"

    class Killed(BaseException):
        pass

    def kill(history, share):
        if has_checkpoints(out):
            raise Killed

    job = open_data(Recipe("iris", **OPTIONS))
    with pytest.raises(Killed), begin(job, out) as unfinished:
        train_prepared(job.prepared, kill, unfinished=unfinished, every=0)
    again = resume(out)
    assert_same(again.network, run.network)
    assert again.history.costs == run.history.costs
    assert again.results == run.results


# Messages


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"members": 0}, "--members: expected a whole number of at least 1; got 0"),
        ({"members": 101}, "--members: expected at most 100 members; got 101.\nTry 5."),
        ({"members": 2, "network": "lenet"}, "--members: expected 1 with --network; got 2"),
        (
            {"members": 2, "layers": "flatten, dense 3"},
            "--members: expected 1 with --layers; got 2",
        ),
        ({"members": 2, "base": "runs/x"}, "--members: expected 1 with --from; got 2"),
        (
            {"members": 2, "hidden": (), "initial_weights": "w.npz"},
            "--members: expected 1 with --initial-weights; got 2",
        ),
    ],
)
def test_what_an_ensemble_excludes_is_refused(options, message):
    with pytest.raises(OptionError) as caught:
        Recipe("iris", **options)
    assert str(caught.value).startswith(message)


def test_a_search_with_members_is_refused(tmp_path):
    with pytest.raises(OptionError, match="--members: expected 1 in a search, which compares"):
        begin_search("iris", members=2, out=tmp_path / "search")


def test_an_ensemble_is_no_base_for_transfer_learning(run, tmp_path):
    save(run, tmp_path / "base")
    with pytest.raises(RunError, match="expected a run of a single network; got an ensemble, 3 ×"):
        train_model("iris", base=str(tmp_path / "base"))


def test_a_change_is_refused(run, tmp_path, monkeypatch):
    job = open_data(Recipe("iris", **OPTIONS))
    with begin(job, tmp_path / "run") as unfinished:
        monkeypatch.setattr("chainrule.runs.job.is_trained_now", lambda _: True)
        with pytest.raises(RunError, match="expected a training run of a single network; got one"):
            request(tmp_path / "run", Change(learning_rate=0.1))
        with pytest.raises(OptionError, match="--learning-rate: expected no change of a training"):
            train_prepared(job.prepared, unfinished=unfinished, change=Change(learning_rate=0.1))


def test_settings_that_are_not_those_of_an_ensemble_are_refused():
    ensemble = Ensemble.of([network(0), network(1)], "logistic")
    settings, arrays = network_settings(ensemble), named_arrays(ensemble)
    arrays = {name: np.asarray(x) for name, x in arrays.items()}
    for wrong in ({"members": 3}, {"members": 0}, {"cost": "hinge"}, {"members": 10**9}):
        with pytest.raises(Exception, match="expected"):
            restore_network({**settings, "sizes": list(settings["sizes"]), **wrong}, arrays)
