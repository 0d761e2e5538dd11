"""chainrule/strategy/comparison.py: the dev set, or the folds of a small table."""

import os
import signal
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chainrule.data.split import Fold
from chainrule.runs.prepare import prepare_data, prepare_network
from chainrule.runs.recipe import Recipe
from chainrule.strategy import comparison, ladder_candidates
from chainrule.strategy.comparison import (
    Comparison,
    averaged,
    comparison_for,
    for_folds,
    holding_out,
    train_on_folds,
)
from chainrule.strategy.ladder import judge_for, mean_gain
from chainrule.strategy.uncertainty import Gain
from chainrule.train.examples import Examples, joined
from chainrule.train.outputs import network_outputs
from tests.train.pictures import pictures

pytestmark = pytest.mark.usefixtures("float32_world")


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Train for few steps."""
    monkeypatch.setattr(comparison, "STEPS", 20)


def a_table(folder, m: int, name: str = "table.csv") -> str:
    """Write a table of m rows with two classes, a group and a time."""
    rng = np.random.default_rng(m)
    x = rng.normal(size=(m, 2))
    columns = {"a": x[:, 0], "b": x[:, 1], "y": np.where(x.sum(axis=1) > 0, "yes", "no")}
    columns |= {"house": [f"h{i % 9}" for i in range(m)], "year": rng.integers(1900, 2000, m)}
    pd.DataFrame(columns).to_csv(folder / name, index=False)
    return str(folder / name)


def fold(train, dev) -> Fold:
    return Fold(np.array(train), np.array(dev))


def six_rows() -> Examples:
    """Return six examples whose input is their row number."""
    rows = np.arange(6.0)[:, None]
    return Examples(rows, 10 * rows, np.arange(6.0))


TWICE = Comparison(
    six_rows(),
    (
        *(fold([2, 3, 4, 5], [0, 1]), fold([0, 1, 4, 5], [2, 3]), fold([0, 1, 2, 3], [4, 5])),
        *(fold([0, 1, 3, 4], [2, 5]), fold([1, 2, 4, 5], [0, 3]), fold([0, 2, 3, 5], [1, 4])),
    ),
    repeats=2,
)


# ---- by hand


def test_the_held_out_examples_of_each_repetition_are_in_the_order_of_the_folds():
    assert TWICE.per_repeat == 3
    one, other = TWICE.held_out
    assert one.X[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert other.X[:, 0].tolist() == [2, 5, 0, 3, 1, 4]
    np.testing.assert_array_equal(other.Y, 10 * other.X)
    assert other.weights is not None
    np.testing.assert_array_equal(other.weights, other.X[:, 0])


def test_the_training_examples_of_each_repetition_are_in_the_order_of_the_folds():
    one, other = TWICE.trained_on
    assert one.X[:, 0].tolist() == [2, 3, 4, 5, 0, 1, 4, 5, 0, 1, 2, 3]
    assert other.X[:, 0].tolist() == [0, 1, 3, 4, 1, 2, 4, 5, 0, 2, 3, 5]


def test_the_outputs_of_each_fold_stand_beside_its_examples():
    """The network of fold k returns 100 k + the row number."""
    Z_k = np.stack([100 * k + np.arange(6.0)[:, None] for k in range(6)])
    held_out = [Z[:, 0].tolist() for Z in TWICE.outputs(Z_k, "dev")]
    assert held_out == [[0, 1, 102, 103, 204, 205], [302, 305, 400, 403, 501, 504]]
    for Z, part in zip(TWICE.outputs(Z_k, "train"), TWICE.trained_on, strict=True):
        np.testing.assert_array_equal(Z % 100, part.X)
        assert len(set((Z[:4] // 100).flat)) == 1


def test_a_dev_set_is_held_out_once():
    one = Comparison(six_rows())
    assert (one.held_out, one.repeats) == ([one.part], 1)


def test_the_gain_of_several_repetitions_is_their_mean():
    assert mean_gain([Gain(0.5, 0.25), Gain(-1.0, 0.75)]) == (-0.25, 0.5)
    assert mean_gain([Gain(0.5, 0.25)]) == (0.5, 0.25)


def test_an_ensemble_averages_probabilities_and_numbers():
    """The logits ±log 3 are the probabilities ¾ and ¼, whose mean ½ has the logit 0."""
    log_3 = np.log(np.float32(3.0))
    results = [[np.array([[log_3], [log_3]])], [np.array([[-log_3], [log_3]])]]
    (Z,) = averaged(results, "logistic")
    np.testing.assert_allclose(Z, [[0.0], [log_3]], atol=1e-6)
    (Z,) = averaged([[np.array([[1.0, 2.0]])], [np.array([[3.0, 6.0]])]], "squared")
    np.testing.assert_allclose(Z, [[2.0, 4.0]])


def test_examples_with_and_without_weights_are_joined():
    part = six_rows()
    both = joined(part._replace(weights=None), part.take(np.array([5, 4])))
    assert both.X[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 5, 4]
    assert both.Y[:, 0].tolist() == [0, 10, 20, 30, 40, 50, 50, 40]
    assert both.weights is not None
    assert both.weights.tolist() == [1, 1, 1, 1, 1, 1, 5, 4]
    assert joined(*[part._replace(weights=None)] * 2).weights is None


# ---- what is compared on what


def compared(source: str, **options) -> Comparison | None:
    recipe = Recipe(source, **({"target": "y"} if source.endswith("csv") else {}) | options)
    return comparison_for(recipe, prepare_data(recipe), on_folds=True)


def test_a_small_table_is_compared_on_all_rows_outside_the_test_set(tmp_path):
    recipe = Recipe(a_table(tmp_path, 700), target="y")
    data = prepare_data(recipe)
    found = comparison_for(recipe, data, on_folds=True)
    assert found is not None
    train, dev = data.parts["train"], data.parts["dev"]
    np.testing.assert_array_equal(found.part.X, np.concatenate([train.X, dev.X]))
    np.testing.assert_array_equal(found.part.Y, np.concatenate([train.Y, dev.Y]))
    assert (len(found.part.X), len(found.folds), found.repeats) == (560, 5, 1)
    rows = np.sort(np.concatenate([one.dev for one in found.folds]))
    np.testing.assert_array_equal(rows, np.arange(560))
    shares = [found.part.Y[one.dev].mean() for one in found.folds]
    assert np.ptp(shares) < 0.02  # stratified
    for one in found.folds:
        assert not set(one.train) & set(one.dev)


def test_the_number_of_rows_decides_how_often_it_is_divided(tmp_path):
    few = compared(a_table(tmp_path, 499), test="none")
    assert few is not None
    assert (len(few.folds), few.repeats, few.per_repeat) == (10, 2, 5)
    first, second = (
        np.concatenate([one.dev for one in few.folds[i : i + 5]]).tolist() for i in (0, 5)
    )
    assert first != second
    assert len(set(first)) == len(set(second)) == 495  # equally many in each fold
    more = compared(a_table(tmp_path, 500), test="none")
    assert more is not None
    assert (len(more.folds), more.repeats) == (5, 1)


@pytest.mark.parametrize(("m", "folds"), [(2000, 5), (2001, 0)])
def test_above_2000_rows_the_dev_set_decides(tmp_path, m, folds):
    found = compared(a_table(tmp_path, m), test="none")
    assert found is not None
    assert len(found.folds) == folds
    assert len(found.part.X) == (2000 if folds else 400)


def test_without_a_dev_set_folds_decide_for_any_number_of_rows(tmp_path):
    """Three folds of 450 rows give 1,000 predictions."""
    small = compared(a_table(tmp_path, 300), dev="none", test="none")
    assert small is not None
    assert (len(small.folds), small.repeats, len(small.part.X)) == (10, 2, 300)
    large = compared(a_table(tmp_path, 2250), dev="none", test="none")
    assert large is not None
    assert [len(one.dev) for one in large.folds] == [450] * 3
    assert len(large.part.X) == 2250


def test_a_fold_takes_the_place_of_the_dev_set(tmp_path):
    """It has the same share of each class, and all rows are either in it or trained on."""
    recipe = Recipe(a_table(tmp_path, 2250), target="y", dev="none", test="none")
    data = prepare_data(recipe)
    found = holding_out(data, recipe.seed)
    parts = [found.parts[name] for name in ("train", "dev")]
    assert [len(part.X) for part in parts] == [1800, 450]
    np.testing.assert_allclose(*(part.Y.mean() for part in parts), atol=0.003)
    rows = np.concatenate([part.X for part in parts])
    assert {*map(tuple, rows)} == {*map(tuple, data.parts["train"].X)}
    for name, part in zip(("train", "dev"), parts, strict=True):
        texts = np.where(part.Y[:, 0] > 0, "yes", "no")
        np.testing.assert_array_equal(found.sources[name].y, texts)


DEPENDENT = {
    "groups": {"group": "house"},
    "time": {"time": "year"},
    "duplicates that stay together": {"group_duplicates": True},
    "the rules of an earlier version": {"defaults": 1},
}


@pytest.mark.parametrize("options", DEPENDENT.values(), ids=DEPENDENT)
def test_rows_that_are_not_divided_at_random_are_compared_on_the_dev_set(tmp_path, options):
    source = a_table(tmp_path, 200)
    recipe = Recipe(source, target="y", **options)
    data = prepare_data(recipe)
    found = comparison_for(recipe, data, on_folds=True)
    assert found is not None
    assert found.part is data.parts["dev"]
    assert found.folds == ()
    assert compared(source, dev="none", **options) is None


def test_additional_data_is_not_divided(tmp_path):
    other = a_table(tmp_path, 60, "other.csv")
    found = compared(a_table(tmp_path, 200), extra=other)
    assert found is not None
    assert (len(found.part.X), found.folds) == (40, ())


def test_a_dev_set_of_the_user_decides(tmp_path):
    found = compared(a_table(tmp_path, 200), dev=a_table(tmp_path, 60, "dev.csv"))
    assert found is not None
    assert (len(found.part.X), found.folds) == (60, ())


def test_the_dev_set_decides_for_images(tmp_path):
    recipe = Recipe(pictures(tmp_path, m=100))
    data = prepare_data(recipe)
    judge = judge_for(recipe, data)
    assert judge.kind == "images"
    assert judge.comparison.folds == ()
    assert len(judge.comparison.part.X) == 20


def test_too_few_rows_for_folds_are_compared_on_the_dev_set(tmp_path):
    """Each class must stay in training, so five rows with four classes cannot be divided."""
    X, y = np.random.default_rng(0).normal(size=(8, 2)), np.array(list("aabbccdd"))
    np.savez(tmp_path / "few.npz", X=X, y=y)
    recipe = Recipe(str(tmp_path / "few.npz"), dev="none", test="none")
    data = prepare_data(recipe)
    assert comparison_for(recipe, data, on_folds=True) is not None
    few = {"train": data.parts["train"].take(np.array([0, 2, 4, 6]))}
    assert comparison_for(recipe, data._replace(parts=few), on_folds=True) is None


# ---- the networks of the folds


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    """Data that one hidden layer can separate, and none cannot."""
    X = np.random.default_rng(0).normal(size=(120, 2))
    file = tmp_path_factory.mktemp("ring") / "ring.npz"
    np.savez(file, X=X, y=(np.linalg.norm(X, axis=1) > 1.2).astype(int))
    return Recipe(str(file), test="none", hidden=(8,), normalize="standard")


def a_group(recipe: Recipe):
    """Return a candidate for folds, and the comparison."""
    data = prepare_data(recipe)
    found = comparison_for(recipe, data, on_folds=True)
    assert found is not None
    return for_folds(prepare_network(recipe, data), found), found


def test_each_network_predicts_rows_that_it_was_not_trained_on(ring):
    """The costs in training do not depend on the labels of the held-out rows."""
    prepared, found = a_group(ring)
    (one,) = train_on_folds([prepared], found)
    assert [len(Z) for Z in one.held_out] == [120, 120]
    assert [len(Z) for Z in one.trained_on] == [480, 480]
    for rows, same in ((found.folds[0].dev, True), (found.folds[0].train[:1], False)):
        Y = found.part.Y.copy()
        Y[rows] = 1 - Y[rows]
        (other,) = train_on_folds([prepared], replace(found, part=found.part._replace(Y=Y)))
        assert (other.history.costs == one.history.costs) == same
    np.testing.assert_allclose(
        network_outputs(one.network, found.part.X)[found.folds[0].dev],
        np.split(one.held_out[0], 5)[0],
        atol=1e-5,
    )


def test_the_schedule_of_a_comparison_is_short(ring, monkeypatch):
    prepared, _ = a_group(ring)
    assert (prepared.batch_size, prepared.epochs, prepared.patience) == (96, 20, None)
    monkeypatch.setattr(comparison, "STEPS", 1)
    assert a_group(ring)[0].epochs == 5
    assert a_group(replace(ring, epochs=3))[0].epochs == 3


def test_members_have_their_own_seeds(ring):
    prepared, found = a_group(ring)
    several = train_on_folds([prepared], found, members=(0, 1))
    (alone,) = train_on_folds([prepared], found)
    assert len(several) == 2
    np.testing.assert_allclose(several[0].held_out[0], alone.held_out[0], atol=1e-5)
    assert not np.allclose(several[1].held_out[0], alone.held_out[0], atol=1e-2)


def test_the_weights_of_examples_and_classes_count_in_training(ring):
    """Where the examples of one class have nearly no weight, the outputs are lower."""
    prepared, found = a_group(ring)
    weights = np.where(found.part.Y[:, 0] > 0.5, 0.001, 1.0).astype(np.float32)
    light = replace(found, part=found.part._replace(weights=weights))
    of_examples, usual = (train_on_folds([prepared], one)[0] for one in (light, found))
    assert (of_examples.held_out[0] < usual.held_out[0]).mean() > 0.9
    by_class, found = a_group(replace(ring, class_weight="0:1,1:0.001"))
    (of_classes,) = train_on_folds([by_class], found)
    np.testing.assert_allclose(of_classes.held_out[0], of_examples.held_out[0], atol=1e-5)


@pytest.mark.parametrize("in_thread", [False, True], ids=["alone", "in a rung"])
def test_ctrl_c_ends_a_comparison(ring, in_thread):
    prepared, found = a_group(ring)

    pressed = []

    def press(*_):
        if not pressed:  # a second time would end any program
            os.kill(os.getpid(), signal.SIGINT)
        pressed.append(True)

    train: Any = partial(train_on_folds, [prepared], found, on_progress=press)
    if in_thread:
        train = partial(ladder_candidates.train_groups, [[prepared]], press, found)
    with pytest.raises(KeyboardInterrupt):
        train()
