"""chainrule/data/cells.py: warnings about unusual tables, and none about others."""

import warnings

import numpy as np
import pandas as pd
import pytest

from chainrule.data.cells import warn_integer_target, warn_unusual_columns
from chainrule.errors import DataWarning


def column_warnings(column, name="c") -> list[str]:
    """Return the warnings about one column."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_unusual_columns(pd.DataFrame({name: column}))
    assert all(warning.category is DataWarning for warning in caught)
    return [str(warning.message) for warning in caught]


def said_of_target(y) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_integer_target(np.asarray(y))
    return [str(warning.message) for warning in caught]


# ---- numbers written as text


def test_numbers_written_as_text():
    assert column_warnings([f"{i}.5%" for i in range(30)], "quota") == [
        (
            "column 'quota': holds numbers written as text, such as '0.5%', which become 30 "
            "inputs of 0 or 1; written with digits and a point only, it would be one number."
        )
    ]


@pytest.mark.parametrize(
    "write", ["{}%", "{} %", "-{},5", "1,{:03}", "1.{:03},50", "€{}", "{} €", "$ {}.00", "{} kg"]
)
def test_each_notation_of_a_number(write):
    assert "numbers written as text" in column_warnings([write.format(i) for i in range(30)])[0]


@pytest.mark.parametrize("write", ["{}", "A{}", "{}-{}", "{} Main Street", "B 1{}", "{}abcd"])
def test_text_that_is_not_a_number(write):
    assert column_warnings([write.format(i % 9, i % 3) for i in range(30)]) == []


def test_a_few_sizes_among_words_are_words():
    assert column_warnings(["5 cm", "large", "small"] * 10) == []


# ---- a text for each row


def test_a_different_text_in_each_row():
    assert column_warnings([f"person {'abcdefghij'[i % 10]}{i}" for i in range(30)], "name") == [
        (
            "column 'name': holds 30 distinct text values in 30 rows, with one input for each; if "
            "they are names, remove the column."
        )
    ]


def test_repeated_texts_are_categories():
    assert column_warnings([f"town {i % 22}" for i in range(60)]) == []


# ---- a count of the rows


def test_a_count_of_the_rows():
    assert column_warnings(range(1000, 1030), "id") == [
        "column 'id': counts the rows (1000, 1001, …); if it only numbers them, remove the column."
    ]


@pytest.mark.parametrize(
    "column",
    [[*range(29), 40], np.arange(30.0), range(0, 60, 2), [True] * 30, list(range(10))],
)
def test_other_numbers_are_not_row_counts(column):
    assert column_warnings(column) == []


def test_missing_cells_are_accepted():
    assert column_warnings([None, *range(30)]) == []
    assert column_warnings([None, *["x", "y"] * 15]) == []


# ---- the target


def test_whole_floats_could_be_classes():
    assert said_of_target([0.0, 1.0] * 5) == [
        (
            "the target holds only 0.0, 1.0 and is learned as a quantity (regression); use "
            "--task classification if these are classes."
        )
    ]


@pytest.mark.parametrize("y", [[0.5, 1.0] * 5, np.arange(30.0), np.arange(4.0), np.zeros((9, 2))])
def test_quantities_raise_no_warning(y):
    assert said_of_target(y) == []
