"""Tests of chainrule/errors.py."""

import pickle
import warnings

import numpy as np
import pytest

from chainrule.errors import (
    ChainruleError,
    DataError,
    DataWarning,
    MissingExtraError,
    NotFiniteError,
    OptionError,
    ResultWarning,
    RunError,
    ShapeError,
    check_choice,
    check_columns,
    check_number,
    did_you_mean,
)

KINDS = [ChainruleError, ShapeError, DataError, OptionError, RunError, NotFiniteError]


def test_the_form_of_a_message():
    error = DataError("scores.csv, line 3", "4 cells", "5", "quotes around a comma")
    assert str(error) == (
        "scores.csv, line 3: expected 4 cells; got 5.\nTry quotes around a comma."
    )
    assert str(DataError("scores.csv", "rows", "none")) == "scores.csv: expected rows; got none."


def test_a_message_with_an_outer_place():
    error = ShapeError("Dense(3 -> 4)", "(3, m)", "(5, 3)", "the transpose").inside("layer 2")
    assert type(error) is ShapeError
    assert str(error) == "layer 2, Dense(3 -> 4): expected (3, m); got (5, 3).\nTry the transpose."
    assert (error.where, error.expected) == ("layer 2, Dense(3 -> 4)", "(3, m)")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_value_error_and_can_be_pickled(kind):
    error = kind("here", "this", "that", "the other")
    assert isinstance(error, ChainruleError)
    assert isinstance(error, ValueError)  # what scikit-learn's users catch
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error)


def test_not_finite_is_an_arithmetic_error_and_a_missing_extra_an_import_error():
    assert issubclass(NotFiniteError, ArithmeticError)
    assert issubclass(MissingExtraError, ImportError)
    assert issubclass(DataWarning, UserWarning)


WITHOUT_H5PY = (
    "cats.h5: expected the package h5py; got an installation without it.\n"
    'Try pip install "chainrule[data]".'
)


def test_a_missing_extra_explains_how_to_install_it():
    error = MissingExtraError("cats.h5", "h5py", "data")
    assert str(error) == WITHOUT_H5PY
    assert str(pickle.loads(pickle.dumps(error))) == WITHOUT_H5PY
    assert str(error.inside("--dev")) == f"--dev, {WITHOUT_H5PY}"
    assert type(error.inside("--dev")) is MissingExtraError
    hinted = MissingExtraError("cats.h5", "h5py", "data", "an .npz file")
    assert str(hinted).endswith("\nTry an .npz file.")


@pytest.mark.parametrize(
    ("word", "choices", "words"),
    [
        ("adm", ["adam", "sgd"], "adam (did you mean that?); the choices are adam, sgd"),
        ("RELU", ["relu", "tanh"], "relu (did you mean that?); the choices are relu, tanh"),
        ("Speceis", ["Species", "x"], "Species (did you mean that?); the choices are Species, x"),
        ("xyz", ["adam", "momentum"], "one of adam, momentum"),
        (3, [13, 4], "13 (did you mean that?); the choices are 13, 4"),
    ],
)
def test_did_you_mean(word, choices, words):
    assert did_you_mean(word, choices) == words


def test_many_choices_are_shortened():
    words = did_you_mean("zzz", [f"column_{i}" for i in range(25)])
    assert words.endswith("column_18, column_19 and 5 more")


def test_check_choice():
    check_choice("--init", "he", ["he", "zeros"])
    with pytest.raises(OptionError) as error:
        check_choice("--init", "xavir", iter(["he", "xavier"]))
    assert str(error.value) == (
        "--init: expected one of 2 choices; got 'xavir'.\n"
        "Try xavier (did you mean that?); the choices are he, xavier."
    )


def test_check_columns_refuses_examples_as_rows():
    check_columns("Dense(3 -> 4)", np.ones((3, 5)), 3)
    with pytest.raises(ShapeError) as error:
        check_columns("Dense(3 -> 4)", np.ones((5, 3)), 3)
    assert str(error.value) == (
        "Dense(3 -> 4): expected (3, m), one column per example; got (5, 3).\n"
        "Try the transpose: it has 3 rows."
    )


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 3, 4), ()])
def test_check_columns_refuses_every_other_shape(shape):
    with pytest.raises(ShapeError) as error:
        check_columns("Dense(3 -> 4)", np.ones(shape), 3)
    assert str(error.value) == (
        f"Dense(3 -> 4): expected (3, m), one column per example; got {shape}.\n"
        "Try checking the layer before it: its output should have 3 features per example."
    )


def test_names_in_messages_cannot_control_a_terminal():
    name = "\x1b]0;title\x07\u202e"
    error = DataError(name, name, name, name + "!")
    shown = r"\x1b]0;title\x07\u202e"
    assert str(error) == f"{shown}: expected {shown}; got {shown}.\nTry {shown}!."
    assert error.got == name
    for category in (DataWarning, ResultWarning):
        with pytest.warns(category) as said:
            warnings.warn(f"{name} is odd", category, stacklevel=1)
        assert str(said[0].message) == f"{shown} is odd"


def test_a_long_part_of_a_message_is_shortened():
    text = str(DataError("a.json", "b", "x" * 50_000))
    assert text == f"a.json: expected b; got {'x' * 4000} … (46,000 more characters)."


def test_a_similar_word_among_many_long_names_is_found_quickly():
    names = [f"{i:05}" * 1000 for i in range(3000)]
    assert "did you mean" not in did_you_mean("ab" * 2500, names)
    assert did_you_mean("adm", [*names[:50], "adam"]).startswith("adam (did you mean that?)")


def test_a_whole_number_beyond_float64_is_outside_every_bound():
    with pytest.raises(OptionError, match="keep_prob: expected a number at most 1; got 1000"):
        check_number("keep_prob", 10**400, maximum=1)
