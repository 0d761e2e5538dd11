"""chainrule/runs/encodings.py"""

import warnings
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

from chainrule.blocks.costs import squared_cost
from chainrule.data.scaling import Normalizer
from chainrule.data.split import FOLDS, Fold, fold
from chainrule.errors import DataWarning
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.runs import encodings
from chainrule.runs.defaults import CONSTANT_RATE
from chainrule.runs.encodings import (
    CANDIDATES,
    STANDARD,
    Choice,
    Setting,
    affordable,
    choose_encoding,
    choose_for,
    folds_of,
    lowest_cost,
    needed_folds,
    only_used,
    padded_columns,
    with_more_inputs,
)
from chainrule.runs.prepare import prepare_data
from chainrule.runs.recipe import Recipe
from chainrule.train.examples import Examples
from chainrule.train.history import Epoch, History
from chainrule.train.many import Candidate, TrainedCandidate, fit_many
from chainrule.train.metrics import r2

pytestmark = pytest.mark.usefixtures("float32_world")

SEEDS = [7, 8, 9, 10, 11]


def network(n_x: int, k: int = 0) -> DeepNetwork:
    """Return the network n_x-16-1 of fold k."""
    return DeepNetwork((n_x, 16, 1), activation="relu", key=jax.random.key(k))


SETTING = Setting(network, lambda steps, epochs: adam(0.05), squared_cost, r2, None, SEEDS)


def folds(m: int) -> list[Fold]:
    return [fold(m, k) for k in range(FOLDS)]


def stairs(m: int = 300, n: int = 1) -> Examples:
    """Return examples whose target is −1 or 1, in turns, on ten steps of the first column."""
    X = np.random.default_rng(0).uniform(size=(m, n))
    return Examples(X, np.where(np.floor(10 * X[:, :1]) % 2, 1.0, -1.0))


class Trainings(list):
    """The arguments of each call of `fit_many`, in place of which nothing is trained."""

    def __init__(self, *costs: float):
        self.costs = costs

    def __call__(self, candidates, cost, train, dev, **options) -> list[TrainedCandidate]:
        self.append((candidates, train, options))
        each = len(candidates) // len(CANDIDATES)
        return [trained(self.costs[i // each]) for i in range(len(candidates))]


def trained(*dev_costs: float, stopped: str = "epochs") -> TrainedCandidate:
    epochs = [Epoch(i, 0.0, 1.0, 0.0, J, None) for i, J in enumerate(dev_costs, 1)]
    return TrainedCandidate(network(1), History(epochs, 1, stopped))


@pytest.fixture
def trainings(monkeypatch) -> Trainings:
    asked = Trainings(3.0, 2.0, 1.0)
    monkeypatch.setattr(encodings, "fit_many", asked)
    return asked


# By hand


def test_a_step_function_needs_the_bins():
    choice = choose_encoding(stairs(), folds(300), SETTING)
    assert choice.kind == "piecewise"
    assert list(choice.costs) == list(CANDIDATES)
    assert choice.costs["piecewise"] < 0.5 * min(choice.costs["standard"], choice.costs["robust"])


def test_one_far_number_needs_the_quartiles():
    """Standardised, all other numbers of the column are almost equal."""
    X = np.random.default_rng(0).standard_normal((300, 1))
    Y = np.tanh(2 * X)
    X[0] = 1e7
    choice = choose_encoding(Examples(X, Y), folds(300), SETTING)
    assert choice.kind != STANDARD
    assert choice.costs["robust"] < 0.5 * choice.costs["standard"]


def test_a_sum_of_columns_needs_neither_clipping_nor_bins():
    X = np.random.default_rng(0).standard_normal((120, 10))
    examples = Examples(X, X.sum(axis=1, keepdims=True) / 10**0.5)
    assert choose_encoding(examples, folds(120), SETTING).kind == STANDARD


def test_the_lowest_mean_is_chosen_and_the_simplest_of_equals(trainings):
    assert choose_encoding(stairs(), folds(300), SETTING) == Choice(
        "piecewise", {"standard": 3.0, "robust": 2.0, "piecewise": 1.0}
    )
    trainings.costs = (2.0, 1.0, 1.0)
    assert choose_encoding(stairs(), folds(300), SETTING).kind == "robust"


def test_the_cost_is_that_of_the_best_epoch_and_infinite_if_a_training_diverged():
    assert lowest_cost(trained(3.0, 1.0, 2.0)) == 1
    assert lowest_cost(trained(np.nan, 1.0, np.inf)) == 1
    assert lowest_cost(trained(3.0, 1.0, stopped="not finite")) == np.inf
    assert lowest_cost(trained(np.nan)) == lowest_cost(trained()) == np.inf


# Nothing is trained


@pytest.mark.parametrize("m", [5, 99])
def test_few_rows_are_standardised_without_training(trainings, m):
    assert choose_encoding(stairs(m), folds(m), SETTING) == Choice(STANDARD, {})
    assert choose_encoding(stairs(m), [], SETTING) == Choice(STANDARD, {})
    assert trainings == []


def test_100_held_out_predictions_are_enough(trainings):
    """Five dev sets of 20 rows: 100 rows, each of which is held out once."""
    assert choose_encoding(stairs(100), folds(100), SETTING).kind == "piecewise"
    assert choose_encoding(stairs(100), folds(100)[:4], SETTING) == Choice(STANDARD, {})
    assert len(trainings) == 1


def test_columns_of_two_values_are_standardised_without_training(trainings):
    X = np.random.default_rng(0).integers(0, 2, (300, 3)).astype(float)
    assert choose_encoding(Examples(X, X[:, :1]), folds(300), SETTING) == Choice(STANDARD, {})
    assert trainings == []
    X[:, 2] = np.arange(300)
    assert choose_encoding(Examples(X, X[:, :1]), folds(300), SETTING).kind == "piecewise"


def test_a_constant_column_causes_no_warning_here(trainings):
    X = np.c_[np.ones(300), np.arange(300)]
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        assert choose_encoding(Examples(X, X[:, :1]), folds(300), SETTING).costs


# What is trained


def test_every_encoding_is_trained_on_the_same_folds(trainings):
    """Each encoding has a block of all rows, and candidates for the same rows of its block."""
    examples, five = stairs(300, n=2), folds(300)
    choose_encoding(examples, five, SETTING)
    [(candidates, several, options)] = trainings
    assert len(candidates) == 3 * FOLDS
    assert len(several.X) == 900
    np.testing.assert_array_equal(several.Y, np.tile(examples.Y, (3, 1)))
    for i, kind in enumerate(CANDIDATES):
        scale = Normalizer.learn(kind, examples.X[five[0].train])
        block = several.X[300 * i : 300 * (i + 1)]
        wide = scale.apply(examples.X)
        np.testing.assert_array_equal(block[:, : wide.shape[1]], wide)
        assert not block[:, wide.shape[1] :].any()
        for k, one in enumerate(five):
            candidate = candidates[FOLDS * i + k]
            np.testing.assert_array_equal(candidate.rows, one.train + 300 * i)
            np.testing.assert_array_equal(candidate.dev, one.dev + 300 * i)
            assert candidate.seed == candidate.order == SEEDS[k]
    assert options["batch_size"] == 128
    assert options["epochs"] == 150  # 300 steps, of which an epoch of 240 rows takes two


def test_networks_have_the_weights_of_their_fold_and_zeros_for_other_inputs(trainings):
    choose_encoding(stairs(n=2), folds(300), SETTING)
    candidates = trainings[0][0]
    most = candidates[-1].network.parts()[0].W.shape[1]
    assert most > 2
    for i, candidate in enumerate(candidates):
        W = np.asarray(candidate.network.parts()[0].W)
        width = 2 if i < 2 * FOLDS else most
        np.testing.assert_array_equal(W[:, :width], network(width, i % FOLDS).parts()[0].W)
        assert W.shape == (16, most)
        assert not W[:, width:].any()


def test_inputs_of_0_keep_weights_of_0_and_change_nothing():
    """A network with three more inputs is trained to the same weights as one without them."""
    X = np.random.default_rng(0).standard_normal((60, 2)).astype(np.float32)
    rows = Examples(X, X[:, :1] * X[:, 1:])
    wide = rows._replace(X=padded_columns(X, 5))
    one = fold(60, 0)

    def train(start: DeepNetwork, examples: Examples) -> TrainedCandidate:
        candidate = Candidate(start, adam(0.01), seed=3, order=3, rows=one.train, dev=one.dev)
        settings: dict[str, Any] = {"epochs": 30, "batch_size": 16, "metric": r2}
        return fit_many([candidate], squared_cost, examples, None, **settings)[0]

    narrow, padded = train(network(2), rows), train(with_more_inputs(network(2), 5), wide)
    W = np.asarray(padded.network.parts()[0].W)
    assert not W[:, 2:].any()
    np.testing.assert_allclose(W[:, :2], narrow.network.parts()[0].W, rtol=1e-4, atol=1e-6)
    assert narrow.history.dev_costs[-1] < 0.9 * narrow.history.dev_costs[0]
    np.testing.assert_allclose(padded.history.dev_costs, narrow.history.dev_costs, rtol=1e-4)


def test_weights_are_used(trainings):
    """Both to learn the encodings and in training; without them all rows count the same."""
    examples, five = stairs(), folds(300)
    choose_encoding(examples, five, SETTING)
    assert trainings[0][1].weights.tolist() == [1] * 900
    weights = np.random.default_rng(1).uniform(1, 9, 300).astype(np.float32)
    choose_encoding(examples._replace(weights=weights), five, SETTING)
    several = trainings[1][1]
    np.testing.assert_array_equal(several.weights, np.tile(weights, 3))
    first = five[0].train
    scale = Normalizer.learn(STANDARD, examples.X[first], None, weights[first])
    np.testing.assert_array_equal(several.X[:300, :1], scale.apply(examples.X))


def test_rows_of_little_weight_do_not_decide():
    """Half of the rows contradict the others; with little weight, the others can be learned."""
    X, Y, _ = stairs(400)
    Y[::2] *= -1
    weights = np.where(np.arange(400) % 2, 1, 1e-6).astype(np.float32)
    equal = choose_encoding(Examples(X, Y), folds(400), SETTING).costs["piecewise"]
    found = choose_encoding(Examples(X, Y, weights), folds(400), SETTING)
    assert found.kind == "piecewise"
    assert found.costs["piecewise"] < 0.5 * equal


def test_no_dev_row_of_the_first_fold_changes_an_encoding(trainings):
    examples, five = stairs(), folds(300)
    choose_encoding(examples, five, SETTING)
    moved = examples.X.copy()
    moved[five[0].dev] = 1e6
    choose_encoding(examples._replace(X=moved), five, SETTING)
    one, other = (several.X.reshape(3, 300, -1) for _, several, _ in trainings)
    first = five[0].train
    np.testing.assert_array_equal(one[:, first], other[:, first])
    assert not np.array_equal(one, other)


def test_a_training_that_diverges_is_not_chosen():
    def broken(n_x: int, k: int) -> DeepNetwork:
        one = network(n_x, k)
        return jax.tree.map(lambda W: W * np.nan, one) if n_x > 1 and k == 2 else one

    choice = choose_encoding(stairs(), folds(300), SETTING._replace(network=broken))
    assert choice.costs["piecewise"] == np.inf
    assert choice.kind in ("standard", "robust")


def test_the_inputs_are_standardised_if_all_trainings_diverge(trainings):
    trainings.costs = (np.inf, np.inf, np.inf)
    assert choose_encoding(stairs(), folds(300), SETTING).kind == STANDARD


# The folds


def test_as_many_folds_as_give_1000_predictions():
    counts = {m: len(needed_folds(folds(m))) for m in (100, 300, 1000, 1300, 2500, 5000, 20_000)}
    assert counts == {100: 5, 300: 5, 1000: 5, 1300: 4, 2500: 2, 5000: 1, 20_000: 1}


def test_at_most_10000_rows_of_a_fold_in_the_same_proportion():
    [one] = needed_folds(folds(20_000))
    whole = fold(20_000, 0)
    share = 10_000 / 20_000
    assert len(one.train) == int(share * len(whole.train))
    assert len(one.dev) == int(share * len(whole.dev))
    assert set(one.train) <= set(whole.train)
    assert set(one.dev) <= set(whole.dev)
    assert one.train[-1] > 19_900  # evenly


def test_fewer_rows_of_many_columns(trainings, monkeypatch):
    """Three blocks of the widest inputs must fit: here 3 · 200 · 2 values of two columns."""
    few = stairs(1000, n=2)
    choose_encoding(few, folds(1000), SETTING)
    width = trainings[0][1].X.shape[1]
    monkeypatch.setattr(encodings, "MOST_VALUES", 3 * 500 * width)
    choose_encoding(few, folds(1000), SETTING)
    candidates, several, _ = trainings[1]
    assert len(candidates[0].rows) == 400
    assert len(candidates[0].dev) == 100
    assert len(several.X) <= 3 * 1000
    monkeypatch.setattr(encodings, "MOST_VALUES", 3 * 90 * width)
    assert choose_encoding(few, folds(1000), SETTING).kind == STANDARD
    assert len(trainings) == 2


class Width:
    """A normaliser that makes a number of inputs."""

    def __init__(self, inputs: int):
        self.inputs = inputs

    def n_inputs(self, n: int) -> int:
        return self.inputs


@pytest.mark.parametrize(
    ("widths", "encodings", "kept"),
    [  # 300 steps · 6 · 128 rows · 16 units = 3.7e6 operations for each input, encoding and fold
        ((10, 10, 7000), 3, 5),  # 3.7e6 · 7,000 · 3 · 5 = 3.9e11
        ((10, 10, 8000), 3, 1),  # 100 held-out rows are enough: one fold of 140
        ((10, 10, 50_000), 2, 5),  # too many for a single fold with piecewise inputs
        ((20_000, 20_000, 50_000), 2, 1),
        ((60_000, 60_000, 90_000), 3, 0),
    ],
)
def test_a_comparison_of_many_inputs_is_shortened(widths, encodings, kept):
    scales: Any = [Width(width) for width in widths]
    found, few = affordable(scales, folds(700), 10, SETTING)
    assert (len(found), len(few)) == (encodings, kept)


def test_rows_outside_the_folds_are_left_out():
    examples = Examples(np.arange(10.0)[:, None], np.zeros((10, 1)))
    some, [one, other] = only_used(
        examples, [Fold(np.array([1, 9]), np.array([4])), Fold(np.array([4, 1]), np.array([7]))]
    )
    assert some.X[:, 0].tolist() == [1, 4, 7, 9]
    assert [rows.tolist() for rows in (*one, *other)] == [[0, 3], [1], [1, 0], [2]]


# The encoding for a recipe


@pytest.fixture
def table(tmp_path) -> str:
    """Return a table of 800 rows of two classes; its groups have ten rows each."""
    X, Y, _ = stairs(800, n=2)
    classes = np.where(Y[:, 0] > 0, "high", "low")
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(y=classes, who=np.arange(800) // 10)
    frame.to_csv(tmp_path / "stairs.csv", index=False)
    return str(tmp_path / "stairs.csv")


def choose(recipe: Recipe) -> Choice | None:
    return choose_for(recipe, prepare_data(recipe))


def test_the_training_rows_of_a_recipe_decide(table, trainings):
    recipe = Recipe(table, target="y", drop=("who",), hidden=(4,), seed=3)
    data = prepare_data(recipe)
    choice = choose_for(recipe, data)
    assert choice == Choice("piecewise", {"standard": 3.0, "robust": 2.0, "piecewise": 1.0})
    m = len(data.parts["train"].X)
    assert len(trainings[0][1].X) == 3 * m < 3 * 800
    train = data.parts["train"]
    for k, one in enumerate(folds_of(recipe, data, train)):
        expected = fold(m, k, classes=train.Y[:, 0], seed=3)
        np.testing.assert_array_equal(one.dev, expected.dev)


@pytest.mark.parametrize("group", [None, "who"])
def test_the_weights_of_the_classes_count(table, trainings, group):
    drop = () if group else ("who",)
    recipe = Recipe(table, target="y", drop=drop, group=group, hidden=(4,), class_weight="high:5")
    choose(recipe)
    [(_, several, _)] = trainings
    np.testing.assert_array_equal(several.weights, 5 - 4 * several.Y[:, 0].astype(np.float32))


@pytest.mark.parametrize("members", [None, 1, 2, 7])
def test_the_number_of_members_has_no_influence(table, trainings, members):
    recipe = Recipe(table, target="y", drop=("who",), hidden=(4,))
    for some in (recipe, replace(recipe, members=members)):
        choose(some)
    (one, rows, _), (other, more, _) = trainings
    np.testing.assert_array_equal(rows.X, more.X)
    for a, b in zip(one, other, strict=True):
        assert (a.seed, a.order) == (b.seed, b.order)
        for x, y in zip(jax.tree.leaves(a.network), jax.tree.leaves(b.network), strict=True):
            np.testing.assert_array_equal(x, y)


def test_rows_in_groups_are_compared_on_the_dev_set(table, trainings):
    recipe = Recipe(table, target="y", group="who", hidden=(4,))
    data = prepare_data(recipe)
    assert choose_for(recipe, data)
    sizes = [len(data.parts[name].X) for name in ("train", "dev")]
    assert sizes == [480, 160]
    [(candidates, several, _)] = trainings
    assert len(candidates) == 3
    assert candidates[0].rows.tolist() == list(range(480))
    assert candidates[0].dev.tolist() == list(range(480, 640))
    np.testing.assert_array_equal(
        several.X[:640, :2], [*data.parts["train"].X, *data.parts["dev"].X]
    )


@pytest.mark.parametrize(
    "options",
    [
        {"normalize": "standard"},
        {"normalize": "none"},
        {"hidden": ()},
        {"defaults": CONSTANT_RATE},
    ],
    ids=str,
)
def test_nothing_is_chosen_for(table, trainings, options):
    recipe = Recipe(table, **{"target": "y", "drop": ("who",), "hidden": (4,)} | options)
    assert choose(recipe) is None
    assert trainings == []
