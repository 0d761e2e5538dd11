"""chainrule/data/oddities.py: what is said of a table that is odd, and of which it is silent."""

import warnings

import numpy as np
import pandas as pd
import pytest

from chainrule.data.oddities import note_columns, note_target
from chainrule.errors import DataWarning


def said(column, name="c") -> list[str]:
    """The notes about one column."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        note_columns(pd.DataFrame({name: column}))
    assert all(warning.category is DataWarning for warning in caught)
    return [str(warning.message) for warning in caught]


def said_of_target(y) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        note_target(np.asarray(y))
    return [str(warning.message) for warning in caught]


# ---- numbers written as text


def test_numbers_written_as_text():
    assert said([f"{i}.5%" for i in range(30)], "quota") == [
        "column 'quota': numbers written as text, such as '0.5%', and so 30 inputs of 0 or 1; "
        "digits and a point alone would make it one number."
    ]


@pytest.mark.parametrize(
    "write", ["{}%", "{} %", "-{},5", "1,{:03}", "1.{:03},50", "€{}", "{} €", "$ {}.00", "{} kg"]
)
def test_each_way_to_write_a_number(write):
    assert "numbers written as text" in said([write.format(i) for i in range(30)])[0]


@pytest.mark.parametrize("write", ["{}", "A{}", "{}-{}", "{} Main Street", "B 1{}", "{}abcd"])
def test_what_is_no_number(write):
    assert said([write.format(i % 9, i % 3) for i in range(30)]) == []


def test_a_few_sizes_among_words_are_words():
    assert said(["5 cm", "large", "small"] * 10) == []


# ---- a text for each row


def test_a_text_for_each_row():
    assert said([f"person {'abcdefghij'[i % 10]}{i}" for i in range(30)], "name") == [
        "column 'name': 30 different texts in 30 rows, an input for each; "
        "if they are names, leave the column out."
    ]


def test_texts_that_come_back_are_categories():
    assert said([f"town {i % 22}" for i in range(60)]) == []


# ---- a count of the rows


def test_a_count_of_the_rows():
    assert said(range(1000, 1030), "id") == [
        "column 'id': counts the rows (1000, 1001, …); if it is only their number, leave it out."
    ]


@pytest.mark.parametrize(
    "column",
    [[*range(29), 40], np.arange(30.0), range(0, 60, 2), [True] * 30, list(range(10))],
)
def test_other_numbers_are_no_count(column):
    assert said(column) == []


def test_missing_cells_are_borne():
    assert said([None, *range(30)]) == []
    assert said([None, *["x", "y"] * 15]) == []


# ---- the target


def test_whole_floats_could_be_classes():
    assert said_of_target([0.0, 1.0] * 5) == [
        "the target holds 0.0, 1.0 alone and is learned as a quantity; "
        "--task classification makes classes of them."
    ]


@pytest.mark.parametrize("y", [[0.5, 1.0] * 5, np.arange(30.0), np.arange(4.0), np.zeros((9, 2))])
def test_quantities_are_quantities(y):
    assert said_of_target(y) == []
