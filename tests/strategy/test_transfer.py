"""chainrule/strategy/transfer.py"""

import json
import re
import warnings
from dataclasses import replace

import numpy as np
import pytest

from chainrule.errors import OptionError
from chainrule.layers.layer import named_arrays
from chainrule.runs.folder import load, save
from chainrule.runs.job import train_prepared
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe
from chainrule.strategy import transfer_report
from chainrule.strategy.transfer import prepare_transfer
from chainrule.strategy.transfer_report import FineTuned, TransferReport
from tests.strategy.transfers import OPTIONS, base, finished, ready, run_on, task


@pytest.fixture(autouse=True)
def nothing_is_tried(monkeypatch):
    """Skip the trials on dev, which take most of the time and have their own tests."""
    monkeypatch.setattr(transfer_report, "OPERATIONS", 0)


pytestmark = pytest.mark.filterwarnings("ignore:transfer from:chainrule.errors.DataWarning")


@pytest.mark.parametrize("batch_norm", [False, True])
def test_frozen_layers_stay_and_the_others_are_trained(tmp_path, batch_norm):
    start = base(batch_norm)
    old = named_arrays(start.network)
    for retrain, frozen in {"last": {"W1", "W2"}, "2": {"W1"}, "all": set()}.items():
        run = finished(ready(task(tmp_path, "new", 60, 3), start, retrain=retrain))
        new = named_arrays(run.network)
        same = {name for name in ("W1", "W2") if np.array_equal(old[name], new[name])}
        assert same == frozen
        assert run.network.sizes == (4, 6, 5, 3)
        if batch_norm:  # frozen running averages are those of the base
            kept = np.array_equal(old["mean1"], new["mean1"])
            assert kept == (retrain != "all")


@pytest.mark.parametrize("retrain", ["last", "all"])
def test_the_results_are_those_of_the_whole_network(tmp_path, retrain):
    start = ready(task(tmp_path, "new", 60, 3), base(), retrain=retrain)
    run = finished(start)
    for name, part in start.prepared.sources.items():
        again = run.evaluate(part.X, part.y)
        assert again["cost"] == pytest.approx(run.results[name]["cost"], rel=1e-5)


def test_a_saved_run_predicts_the_same_and_names_its_base(tmp_path):
    run = finished(ready(task(tmp_path, "new", 60, 3), base(True), retrain="last"))
    again = load(save(run, tmp_path / "run").path)
    X = np.random.default_rng(5).standard_normal((7, 4))
    np.testing.assert_array_equal(run.predict_proba(X), again.predict_proba(X))
    found = TransferReport.from_dict(again.facts["transfer"])
    assert (found.retrain, found.layers, found.trained) == ("last", 3, 1)
    assert again.recipe.hidden == (6, 5)
    assert again.recipe.batch_norm
    assert again.recipe.base == str(base(True).path)


def test_the_recipe_repeats_the_transfer_bit_for_bit(tmp_path):
    start = ready(task(tmp_path, "new", 60, 3), base(True))
    saved = Recipe.from_dict(json.loads(json.dumps(start.prepared.recipe.to_dict())))
    assert saved.retrain == start.report.retrain
    once, repeated = finished(start), finished(prepare_transfer(saved))
    for name, array in named_arrays(once.network).items():
        np.testing.assert_array_equal(array, named_arrays(repeated.network)[name])


def test_pretrained_layers_have_a_lower_learning_rate(tmp_path):
    start = ready(task(tmp_path, "new", 60, 3), base(), retrain="all")
    assert isinstance(start.training, FineTuned)
    assert start.training.parts is start.prepared.parts
    only = ready(task(tmp_path, "new", 60, 3), base(), retrain="last").training
    assert not isinstance(only, FineTuned)
    assert only.parts["dev"].X.shape == (12, 5)


def test_regression_from_a_classifier(tmp_path):
    X = np.random.default_rng(1).standard_normal((60, 4))
    np.savez(tmp_path / "numbers.npz", X=X, y=X @ [1.0, 2.0, 0.0, 0.5] + 100)
    run = finished(ready(str(tmp_path / "numbers.npz"), base(), retrain="2"))
    assert run.network.sizes[-1] == 1
    assert {"cost", "r2"} <= run.results["test"].keys()
    assert abs(run.predict(X).mean() - 100) < 3


def test_weights_of_examples_are_used(tmp_path):
    start = ready(task(tmp_path, "new", 60, 3), base(), retrain="last")
    weights = np.linspace(1, 2, len(start.prepared.parts["train"].X)).astype(np.float32)
    parts = {**start.training.parts}
    parts["train"] = parts["train"]._replace(weights=weights)
    weighted = replace(start.training, parts=parts)
    plain, other = train_prepared(start.training), train_prepared(weighted)
    assert not np.array_equal(plain.network.parts()[-1].W, other.network.parts()[-1].W)


# Words


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"hidden": (7,)},
            "--hidden: expected (6, 5), the setting of the --from run; got (7,).\n"
            "Try leaving --hidden out.",
        ),
        (
            {"activation": "tanh"},
            "--activation: expected 'relu', the setting of the --from run; got 'tanh'.\n"
            "Try leaving --activation out.",
        ),
        (
            {"retrain": "4"},
            "--retrain: expected last, all, or a number of layers from 1 to 3; got '4'.\n"
            "Try last for few examples, all for many, or leaving it out.",
        ),
        (
            {"retrain": "half"},
            "--retrain: expected last, all, or a number of layers from 1 to 3; got 'half'.\n"
            "Try last for few examples, all for many, or leaving it out.",
        ),
    ],
)
def test_options_that_conflict_with_the_base_are_refused(tmp_path, options, words):
    with pytest.raises(OptionError) as error:
        ready(task(tmp_path, "new", 60, 3), base(), **options)
    assert str(error.value) == words


def test_a_base_without_hidden_layers_is_refused(tmp_path):
    source = task(tmp_path, "old", 60, 2)
    linear = save(run_on(source, hidden=()), tmp_path / "linear")
    with pytest.raises(OptionError) as error:
        ready(source, linear)
    assert str(error.value) == (
        f"--from {linear.path}: expected a network with hidden layers to reuse; "
        "got DeepNetwork(4-1).\nTry a base with hidden layers, such as --hidden 64,32."
    )


def test_more_data_for_the_new_task_is_a_warning(tmp_path):
    source = task(tmp_path, "new", 300, 3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ready(source, base(), dev="none", retrain="last")
    messages = [str(one.message) for one in caught]
    assert messages == [
        f"transfer from {base().path} may not help: it was trained on fewer examples than the new "
        "task has. Compare with a training run without --from."
    ]


def test_prepare_reads_what_transfer_reads(tmp_path):
    """The sets have the same rows as without a base, so that the two can be compared."""
    source = task(tmp_path, "new", 60, 3)
    transfer = ready(source, base(), retrain="last")
    plain = prepare(Recipe(source, hidden=(6, 5), **OPTIONS))
    assert transfer.prepared.digests == plain.digests
    for name, part in plain.sources.items():
        np.testing.assert_array_equal(transfer.prepared.sources[name].y, part.y)


@pytest.mark.parametrize(("seed", "sets"), [(0, 0), (1, 2)])
def test_rows_on_which_the_base_was_trained_are_reported(seed, sets):
    start = base()
    with warnings.catch_warnings(record=True, action="always") as caught:
        ready(start.recipe.source, start, retrain="last", seed=seed)
    found = [str(one.message) for one in caught if "are training rows of" in str(one.message)]
    assert len(found) == sets
    pattern = r"\d+ of the 20 rows of (dev|test) .* the score on \1 is optimistic"
    assert all(re.match(pattern, one) for one in found)
