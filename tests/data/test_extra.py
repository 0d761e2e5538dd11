"""chainrule/data/extra.py: extra data joins the training set only."""

import numpy as np
import pandas as pd
import pytest

from chainrule.data.dataset import Dataset
from chainrule.data.extra import add_extra_data, split_train_dev
from chainrule.errors import DataError, OptionError
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe
from tests.train.sources import OPTIONS, M, classes

TABLE = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})


def source(X, y=(0, 1), **more) -> Dataset:
    return Dataset("one", X, np.array(y), digest="1", **more)


# ---- by hand


def test_rows_of_both_with_the_target_distribution_first():
    extra = Dataset("two", TABLE.assign(c=0)[["c", "b", "a"]] * 2, np.array([1, 1]), digest="2")
    both = add_extra_data(source(TABLE), extra)
    assert both.X.to_dict("list") == {"a": [1.0, 2.0, 2.0, 4.0], "b": ["x", "y", "xx", "yy"]}
    assert both.y is not None
    assert both.y.tolist() == [0, 1, 1, 1]
    assert len({both.digest, "1", "2"}) == 3


def test_weights_and_groups_of_either():
    X = np.eye(2)
    weighed = add_extra_data(
        source(X, weights=np.array([3.0, 4.0])), source(X, groups=np.array([0, 0]))
    )
    assert weighed.weights is not None
    assert (weighed.weights.tolist(), weighed.groups) == ([3.0, 4.0, 1.0, 1.0], None)
    grouped = add_extra_data(source(X, groups=np.array(["p", "p"])), source(X))
    assert grouped.groups is not None
    assert grouped.groups.tolist() == [0, 0, 1, 2]


def test_labels_of_two_types_stay_what_they_are():
    both = add_extra_data(source(np.eye(2), ["a", "b"]), source(np.eye(2), [1, 0]))
    assert both.y is not None
    assert both.y.tolist() == ["a", "b", 1, 0]


# ---- properties


def test_each_class_stays_in_training_and_no_row_is_in_both():
    y = np.array([0] * 50 + [1] * 2)
    train, aside = split_train_dev(source(np.arange(52.0)[:, None], y), 20, classes=True)
    assert (len(train), len(aside)) == (42, 10)  # at most a fifth
    assert set(np.ravel(train.X)) | set(np.ravel(aside.X)) == set(range(52))
    assert set(np.asarray(train.y)) == {0, 1}


def test_a_group_is_not_cut():
    groups = np.repeat(np.arange(10), 4)
    made = source(np.arange(40.0)[:, None], np.arange(40) % 2, groups=groups)
    train, aside = split_train_dev(made, 8, classes=True)
    assert (len(train), len(aside)) == (32, 8)
    assert not set(np.asarray(train.groups)) & set(np.asarray(aside.groups))


def test_dev_and_test_see_nothing_of_the_second_source(tmp_path):
    alone = prepare(Recipe(**classes(tmp_path), **OPTIONS))
    rng = np.random.default_rng(9)
    np.savez(tmp_path / "more.npz", X=100 + rng.normal(size=(30, 3)), y=np.arange(30) % 3)
    both = prepare(Recipe(**classes(tmp_path), extra=str(tmp_path / "more.npz"), **OPTIONS))
    assert list(both.parts) == ["train", "train-dev", "dev", "test"]
    assert [len(part) for part in both.sources.values()] == [M - 16 + 30 - 10, 10, 8, 8]
    for name in ("dev", "test"):
        np.testing.assert_array_equal(both.sources[name].X, alone.sources[name].X)
        assert both.sources[name].X.max() < 50
    for name in ("train", "train-dev"):
        assert 0.2 < (both.sources[name].X.max(axis=1) > 50).mean() < 0.9


def test_a_train_dev_set_without_a_second_source_and_none_with_one(tmp_path):
    made = prepare(Recipe(**classes(tmp_path), train_dev=True, **OPTIONS))
    assert [len(part) for part in made.sources.values()] == [20, 4, 8, 8]
    more = classes(tmp_path)["source"]
    made = prepare(Recipe(source=more, extra=more, train_dev=False, **OPTIONS))
    assert list(made.parts) == ["train", "dev", "test"]


# ---- error messages


@pytest.mark.parametrize(
    ("X", "error_text"),
    [
        (
            TABLE[["a"]],
            "--extra two: expected the columns of one; got no column 'b'.\n"
            "Try using the same column names.",
        ),
        (
            np.eye(2),
            "--extra two: expected a table, like one; got arrays.\nTry a file of the same kind.",
        ),
    ],
)
def test_columns_that_do_not_fit(X, error_text):
    with pytest.raises(DataError) as error:
        add_extra_data(source(TABLE), Dataset("two", X, np.array([0, 1])))
    assert str(error.value) == error_text


def test_shapes_that_do_not_fit():
    with pytest.raises(DataError) as error:
        add_extra_data(
            source(np.zeros((2, 4, 4))), Dataset("two", np.zeros((2, 8, 8)), np.array([0, 1]))
        )
    assert str(error.value) == (
        "--extra two: expected examples of 4×4, as in one; got 8×8.\nTry examples of the "
        "same shape."
    )


def test_a_class_missing_from_the_dev_set(tmp_path):
    np.savez(tmp_path / "more.npz", X=np.zeros((4, 3)), y=[0, 1, 2, 7])
    with pytest.raises(DataError, match="got 7 \\(1\\)"):
        prepare(Recipe(**classes(tmp_path), extra=str(tmp_path / "more.npz"), **OPTIONS))


def test_too_few_for_a_train_dev_set():
    with pytest.raises(DataError) as error:
        split_train_dev(source(np.eye(2)), 1, classes=True)
    assert str(error.value) == (
        "the train-dev set: expected at least 5 examples; got 2.\n"
        "Try adding examples, or training without a train-dev set."
    )


def test_a_reference_outside_the_range_of_errors():
    with pytest.raises(OptionError, match="--reference: expected a number of at least 0; got -1"):
        Recipe("iris", reference=-1)
