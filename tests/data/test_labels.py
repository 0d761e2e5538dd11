"""chainrule/data/labels.py"""

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data.labels import Labels
from chainrule.errors import ChainruleError, DataWarning


def error_text(y, **options):
    with pytest.raises(ChainruleError) as error:
        Labels.learn(np.asarray(y), **options)
    return str(error.value)


def test_two_classes_done_by_hand():
    y = np.array(["no", "yes", "yes", "no"], dtype=object)
    labels = Labels.learn(y)
    assert (labels.task, labels.cost, labels.n_outputs) == ("classification", "logistic", 1)
    np.testing.assert_array_equal(labels.encode(y), [[0], [1], [1], [0]])
    assert labels.encode(y).dtype == np.float32
    assert labels.decode(np.array([[0.2], [0.5], [0.51]])).tolist() == ["no", "no", "yes"]


def test_three_classes_done_by_hand():
    y = np.array([7, 3, 5, 3, 5, 7])
    labels = Labels.learn(y)
    assert (labels.classes, labels.cost, labels.n_outputs) == ((3, 5, 7), "softmax", 3)
    np.testing.assert_array_equal(labels.encode(y[:3]), [[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    assert labels.decode(np.array([[0.1, 0.2, 0.7], [0.4, 0.3, 0.3]])).tolist() == [7, 3]


def test_whole_numbers_among_numbers_are_numbers():
    labels = Labels.learn(np.array([1, 2.5, 1, 2.5], dtype=object))
    assert labels.task == "regression"


def test_numbers_pass_through():
    y = np.array([1.5, 2.5, -1])
    labels = Labels.learn(y)
    assert (labels.task, labels.cost, labels.n_outputs) == ("regression", "squared", 1)
    np.testing.assert_array_equal(labels.encode(y), [[1.5], [2.5], [-1]])
    np.testing.assert_array_equal(labels.decode(labels.encode(y)), y)


def test_several_columns_of_numbers():
    y = np.array([[1, 2.5], [3, 4]])
    labels = Labels.learn(y)
    assert (labels.task, labels.n_outputs) == ("regression", 2)
    np.testing.assert_array_equal(labels.decode(labels.encode(y)), y)


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (["a", "b"] * 2, "classification"),
        ([True, False] * 2, "classification"),
        (list(range(20)) * 2, "classification"),
        (list(range(21)) * 2, "regression"),
        ([1.0, 2.0] * 2, "regression"),
        ([[1], [2], [1], [2]], "classification"),
    ],
    ids=["text", "booleans", "20 integers", "21 integers", "whole numbers", "(m, 1)"],
)
def test_what_is_a_class(y, task):
    assert Labels.learn(np.array(y)).task == task


def test_the_task_can_be_given():
    assert Labels.learn(np.array([0, 1, 0, 1]), task="regression").cost == "squared"
    assert Labels.learn(np.array([1.0, 2.5] * 2), task="classification").classes == (1.0, 2.5)
    assert Labels.learn(np.array([True, False]), task="regression").n_outputs == 1


@pytest.mark.parametrize(
    "y",
    [
        np.array(["a", "b"] * 2),
        np.array(["a", "b"] * 2, dtype=object),
        np.array([b"a", b"b"] * 2),
        np.array([3, 1] * 2, dtype=np.uint8),
        np.array([np.int64(3), 1] * 2, dtype=object),
        np.array([True, False] * 2),
        pd.Series(["a", "b"] * 2, dtype="category").to_numpy(),
    ],
    ids=lambda y: str(y.dtype),
)
def test_classes_keep_their_type_through_json(y):
    labels = Labels.learn(y)
    again = Labels.from_dict(json.loads(json.dumps(labels.to_dict())))
    assert again == labels
    kinds = {"U": str, "S": str, "u": int, "b": bool, "O": type(labels.classes[0])}
    assert [type(c) for c in again.classes] == [kinds[y.dtype.kind]] * 2
    back = again.decode(again.encode(y))
    assert back.tolist() == [c.decode() if isinstance(c, bytes) else c for c in y.tolist()]


def test_floats_as_classes_stay_floats_through_json():
    labels = Labels.learn(np.array([1.0, 2.0] * 2), task="classification")
    again = Labels.from_dict(json.loads(json.dumps(labels.to_dict())))
    assert [type(c) for c in again.classes] == [float, float]


def test_an_integer_read_as_a_float_is_the_same_class():
    np.testing.assert_array_equal(Labels.learn(np.array([1, 2] * 2)).encode([2.0, 1.0]), [[1], [0]])


def test_class_names_from_the_file_are_for_display():
    labels = Labels.learn(np.array([0, 1, 0, 1]), classes=("non-cat", "cat"))
    assert labels.names == ("non-cat", "cat")
    assert labels.decode(np.array([[0.9]])).tolist() == [1]
    many = Labels.learn(np.arange(43).repeat(2), classes=[f"sign {i}" for i in range(43)])
    assert many.n_outputs == 43
    assert Labels.learn(np.array([True, False] * 2)).names == ("False", "True")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=4, max_size=4))
def test_decode_undoes_encode(y):
    labels = Labels.learn(np.array(["a", "b", "c"] * 2))
    assert labels.decode(labels.encode(np.array(y))).tolist() == y


def test_reports_which_class_has_one_example():
    assert error_text(["a", "a", "b", "b", "c"]) == (
        "the target: expected at least two examples of each class; got only one example of "
        "'c'.\nTry removing it, merging it with another class, or adding examples."
    )
    assert "Try --task regression, if these are quantities, or removing" in error_text([1, 1, 2])


def test_reports_when_there_is_one_class():
    assert error_text(["cat"] * 3) == (
        "the target: expected at least two classes; got only 'cat'.\nTry a target that varies."
    )


def test_reports_which_label_training_never_saw():
    labels = Labels.learn(np.array(["a", "b"] * 2))
    with pytest.raises(ChainruleError) as error:
        labels.encode(np.array(["a", "z", "z", "y"]))
    assert str(error.value) == (
        "the target: expected the classes seen in training, 'a', 'b'; got 'z' (2), 'y' (1).\n"
        "Try training with rows of this class, or removing these rows."
    )
    with pytest.raises(ChainruleError, match=r"got 0 \(1\)"):
        labels.encode(np.array([0]))


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, pd.NaT], ids=str)
def test_reports_where_a_label_is_missing(nothing):
    assert error_text(np.array(["a", "b", nothing, "a"], dtype=object)) == (
        "the target: expected a label in every row; got 1 row without a label, the first "
        "of them row 2.\n"
        "Try removing these rows."
    )


@pytest.mark.parametrize("y", [[1.0, np.nan], [[1.0, 2.0], [3.0, np.nan]]], ids=str)
def test_reports_where_a_number_is_missing(y):
    assert "row" in error_text(y)
    labels = Labels.learn(np.ones_like(y))
    with pytest.raises(ChainruleError, match="row 1"):
        labels.encode(np.array(y))


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e39])
def test_reports_where_a_number_is_not_finite(value):
    assert error_text([0.5, value]) == (
        f"the target: expected a finite number in every row; got {value} in row 1.\n"
        "Try removing these rows."
    )


@pytest.mark.parametrize(
    ("y", "got"),
    [
        (["a", 1, "b"], "2 texts and 1 integers"),
        ([True, 1, 1], "2 integers and 1 booleans"),
        (["a", (1,)], "1 texts and 1 tuple"),
    ],
)
def test_reports_when_types_are_mixed(y, got):
    array = np.empty(len(y), object)
    array[:] = y
    assert error_text(array) == (
        f"the target: expected labels of one type: text, booleans or numbers; got {got}.\n"
        "Try writing all labels of the column in the same way."
    )


def test_reports_when_there_are_too_many_classes():
    y = [f"n{i}" for i in range(1001)] * 2
    assert error_text(y) == (
        "the target: expected at most 1,000 classes; got 1,001.\n"
        "Try another column: this one looks like an identifier."
    )
    assert "Try --task regression, if these are quantities, or another column" in error_text(
        np.arange(2000), task="classification"
    )


def test_reports_when_text_should_be_numbers():
    assert error_text(["a", "b"], task="regression") == (
        "the target: expected numbers, for regression; got text.\nTry --task classification."
    )


def test_reports_when_labels_and_names_do_not_fit():
    assert error_text([0, 2] * 2, classes=("non-cat", "cat")) == (
        "the target: expected labels from 0 to 1, one per class name; got 0, 2.\n"
        "Try giving a name to each label."
    )


def test_reports_when_several_columns_should_be_classes():
    assert "expected one target column; got 2" in error_text([[0, 2]] * 2, task="classification")


def test_reports_when_the_number_of_columns_differs():
    labels = Labels.learn(np.arange(6.0).reshape(3, 2))
    with pytest.raises(ChainruleError, match="expected 2 columns; got 1"):
        labels.encode(np.ones(3))


def test_reports_the_available_tasks():
    assert "regression (did you mean that?)" in error_text([1, 2], task="regresion")


ONE_HOT = np.eye(3)[[0, 1, 2, 2, 1, 0]]


@pytest.mark.parametrize("dtype", [float, int, bool, np.uint8])
@pytest.mark.parametrize("task", [None, "classification"])
def test_the_columns_of_a_one_hot_target_are_classes(dtype, task):
    y = ONE_HOT.astype(dtype)
    labels = Labels.learn(y, task)
    assert (labels.task, labels.classes, labels.cost) == ("classification", (0, 1, 2), "softmax")
    np.testing.assert_array_equal(labels.encode(y), ONE_HOT)
    np.testing.assert_array_equal(labels.encode(y.argmax(axis=1)), ONE_HOT)


def test_two_columns_are_two_classes():
    labels = Labels.learn(np.eye(2)[[0, 1, 1, 0]])
    assert labels.cost == "logistic"
    np.testing.assert_array_equal(labels.encode(np.eye(2)), [[0], [1]])


def test_numbers_that_are_not_one_hot_stay_numbers():
    assert Labels.learn(ONE_HOT, "regression").n_outputs == 3
    assert Labels.learn(ONE_HOT * 2).task == "regression"
    assert Labels.learn(np.array([[0.3, 0.7], [0.5, 0.5]])).task == "regression"


def test_several_labels_per_example_are_reported():
    several = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 1]])
    with pytest.warns(DataWarning, match="the 3 columns of the target have only 0 and 1, but not"):
        assert Labels.learn(several).task == "regression"
    assert Labels.learn(several, "regression").task == "regression"


def test_a_target_of_columns_that_are_not_one_hot_is_refused_as_classes():
    labels = Labels.learn(np.array(["a", "b", "a", "b"]))
    np.testing.assert_array_equal(labels.encode(np.eye(2)), [[0], [1]])
    for y in (np.ones((2, 2)), np.eye(3)):
        with pytest.raises(ChainruleError, match="expected one class per row, or 2 columns with a"):
            labels.encode(y)


def test_decimals_are_numbers():
    y = np.array([Decimal("1.5"), Decimal("2.25"), Decimal("3")] * 2, object)
    labels = Labels.learn(y)
    assert labels.task == "regression"
    assert labels.encode(y)[:3, 0].tolist() == [1.5, 2.25, 3]


@pytest.mark.parametrize("words", [["true", "True"], ["Yes", "YES"], ["straße", "STRASSE"]])
def test_reports_labels_that_differ_only_in_case(words):
    with pytest.warns(DataWarning, match=r"\(2\) are different classes; write them alike if"):
        assert len(Labels.learn(np.array([*words, "other"] * 2)).classes) == 3
