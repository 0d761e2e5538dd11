"""chainrule/data/columns.py and cells.py"""

import datetime
import json
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data.columns import Columns
from chainrule.errors import DataError, DataWarning

PEOPLE = pd.DataFrame(
    {
        "age": [20.0, np.nan, 40.0, 60.0],
        "colour": ["red", "blue", "red", None],
        "member": [True, False, True, True],
        "rooms": [1, 2, 3, 4],
    }
)


def frame(**columns):
    """Return a table whose index holds line numbers, as from the file readers."""
    table = pd.DataFrame(columns)
    table.index = pd.RangeIndex(2, len(table) + 2, name="line")
    return table


def error_text(table, learned_from=None):
    learned_from = table if learned_from is None else learned_from
    with pytest.raises(DataError) as error:
        Columns.learn(learned_from).apply(table)
    return str(error.value)


def warned(columns, table):
    """Return the result of `apply`, and its only warning."""
    with pytest.warns(DataWarning) as caught:
        X = columns.apply(table)
    (warning,) = caught
    return X, str(warning.message)


def test_an_example_done_by_hand():
    columns = Columns.learn(PEOPLE)
    assert columns.names == [
        "age",
        "age is missing",
        "colour=blue",
        "colour=red",
        "colour=(missing)",
        "member",
        "rooms",
    ]
    X = columns.apply(PEOPLE)
    assert X.dtype == np.float64
    assert X.flags.c_contiguous
    np.testing.assert_array_equal(
        X,
        [
            [20, 0, 0, 1, 0, 1, 1],
            [40, 1, 1, 0, 0, 0, 2],
            [40, 0, 0, 1, 0, 1, 3],
            [60, 0, 0, 0, 1, 1, 4],
        ],
    )


def test_the_median_is_that_of_the_training_rows():
    columns = Columns.learn(frame(x=[1.0, 2.0, np.nan, 9.0]))
    np.testing.assert_array_equal(columns.apply(frame(x=[np.nan, 100.0])), [[2, 1], [100, 0]])


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series([1, 0, None], dtype="Int8"),
        pd.Series([1, 0, None], dtype="Float32"),
        pd.Series([True, False, None], dtype="boolean"),
        pd.Series([True, False, None], dtype=object),
        pd.Series([Decimal(1), Decimal(0), None], dtype=object),
        pd.Series([1, 0.0, None], dtype=object),
        pd.Series([1, False, None], dtype=object),
    ],
    ids=lambda cells: f"{cells.dtype}-{type(cells[0]).__name__}",
)
def test_every_pandas_dtype_of_numbers(cells):
    table = pd.DataFrame({"x": cells})
    np.testing.assert_array_equal(Columns.learn(table).apply(table), [[1, 0], [0, 0], [0.5, 1]])


@pytest.mark.parametrize("cells", [["True", "False", "True"], ["true", "false", "true"]])
def test_boolean_words_are_read_as_booleans(cells):
    """Another word elsewhere in the file makes pandas read the column as text."""
    booleans, texts = (Columns.learn(frame(x=x)) for x in ([True, False, True], cells))
    assert booleans == texts
    with pytest.warns(
        DataWarning, match=r"values not seen in training: 'maybe' \(1\); filled with 1"
    ):
        found = texts.apply(frame(x=["false", "maybe", "True"]))
    np.testing.assert_array_equal(found, [[0], [1], [1]])
    assert Columns.from_dict(texts.to_dict()) == texts


def test_every_pandas_dtype_of_text():
    texts = ["b", "a", "b"]
    for dtype in (object, "string", "category"):
        table = pd.DataFrame({"x": pd.Series(texts, dtype=dtype)})
        columns = Columns.learn(table)
        assert columns.names == ["x=a", "x=b"]
        np.testing.assert_array_equal(columns.apply(table), [[0, 1], [1, 0], [0, 1]])


def test_a_pandas_categorical_of_numbers_matches_plain_numbers():
    columns = Columns.learn(frame(x=pd.Categorical([3, 1, 3], categories=[1, 2, 3])))
    assert columns.names == ["x=1", "x=3"]
    np.testing.assert_array_equal(columns.apply(frame(x=[1, 3])), [[1, 0], [0, 1]])


def test_the_order_of_columns_does_not_matter():
    columns = Columns.learn(PEOPLE)
    np.testing.assert_array_equal(
        columns.apply(PEOPLE[PEOPLE.columns[::-1]]), columns.apply(PEOPLE)
    )


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", None]), min_size=6, max_size=6), st.permutations(range(6))
)
def test_a_row_does_not_see_the_others(texts, order):
    columns = Columns.learn(pd.DataFrame({"t": ["a", "b", None], "x": [1.5, np.nan, 3]}))
    table = pd.DataFrame({"t": pd.Series(texts, dtype=object), "x": [1.0, np.nan, 2, np.nan, 4, 5]})
    np.testing.assert_array_equal(columns.apply(table)[order], columns.apply(table.iloc[order]))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e30, 1e30) | st.just(np.nan), min_size=3, max_size=3))
def test_json_round_trip(numbers):
    table = pd.DataFrame({"x": [*numbers, 0.1], "colour": ["ä", "b", None, '"']})
    columns = Columns.learn(table)
    again = Columns.from_dict(json.loads(json.dumps(columns.to_dict())))
    assert again == columns
    np.testing.assert_array_equal(again.apply(table), columns.apply(table))


def test_text_not_seen_in_training_is_0_everywhere():
    columns = Columns.learn(frame(colour=["red", "blue"]))
    X, message = warned(columns, frame(colour=["pink", "red", "teal", "pink", None]))
    np.testing.assert_array_equal(X, [[0, 0], [0, 1], [0, 0], [0, 0], [0, 0]])
    assert message == (
        "column 'colour': values not seen in training: 'pink' (2), '(missing)' (1), 'teal' (1); "
        "all inputs of the column are 0 in these rows."
    )


def test_a_gap_where_training_had_none_is_the_median():
    X, message = warned(Columns.learn(frame(x=[1, 2, 6])), frame(x=[1, None]))
    np.testing.assert_array_equal(X, [[1], [2]])
    assert message == (
        "column 'x': 1 empty (first: line 3), but training had none; filled with the median 2."
    )


def test_an_empty_column_stays_ignored():
    table = frame(x=[1, 2], note=[None, None], gap=[np.nan, np.nan])
    with pytest.warns(
        DataWarning,
        match="^ignored the columns without a value in the training rows: 'note', 'gap'",
    ):
        columns = Columns.learn(table)
    assert columns.names == ["x"]
    assert columns.apply(table.assign(note="new")).shape == (2, 1)


def test_a_new_column_is_ignored():
    X, message = warned(Columns.learn(frame(x=[1, 2])), frame(x=[3], z=["?"]))
    np.testing.assert_array_equal(X, [[3]])
    assert message == "ignored the columns that the training table does not have: 'z'."


def test_few_dates_among_text_are_text():
    texts = ["2024-01-31", *["a"] * 9]
    assert Columns.learn(frame(x=texts)).names == ["x=2024-01-31", "x=a"]


def test_reports_when_a_column_is_missing():
    assert error_text(frame(aeg=[1], colour=["red"]), learned_from=PEOPLE[["age", "colour"]]) == (
        "column 'age': expected the columns of the training table; got no such column.\n"
        "Try aeg (did you mean that?); the choices are aeg."
    )


@pytest.mark.parametrize(
    "dates",
    [
        ["2024-01-31", "2024-02-01T10:00:00Z"],
        ["2024/1/31 10:00", None],
        ["31.01.2024", "01.02.2024"],
        pd.to_datetime(["2024-01-31", None]),
        pd.to_datetime(["2024-01-31", None], utc=True),
        pd.PeriodIndex(["2024-01", None], freq="M"),
        pd.to_timedelta(["3 days", None]),
        [datetime.date(2024, 1, 31), None],
    ],
    ids=str,
)
def test_reports_how_to_convert_dates(dates):
    message = error_text(frame(when=dates))
    assert message.startswith(
        "column 'when': expected numbers, booleans or text; got dates such as '"
    )
    assert message.endswith(
        "(line 2).\nTry converting it to numbers, such as the number of days since a fixed date, "
        "or the month and the weekday; or, to use the latest rows as the test set, --time when."
    )


@pytest.mark.parametrize(
    "cells", [["1", "2", "abc", "4"], [1, 2.5, "abc", 4], [1, 2, "abc", True]], ids=str
)
def test_reports_when_numbers_and_text_are_mixed(cells):
    expected = (
        "column 'x': expected only numbers, or only text; got 3 numbers and 1 text such as 'abc' "
        "(line 4).\nTry leaving cells with an unknown number empty, or adding a letter to numbers "
        "that are names."
    )
    assert error_text(frame(x=pd.Series(cells, dtype=object))) == expected
    assert (
        error_text(frame(x=pd.Series(cells, dtype=object)), learned_from=frame(x=[1, 2]))
        == expected
    )


@pytest.mark.parametrize("value", ["inf", "-inf", "1e39"])
def test_reports_where_a_number_is_not_finite(value):
    table = frame(x=[1.0, float(value)])
    assert error_text(table) == (
        "column 'x', line 3: expected a finite number within the range of float32; got "
        f"{float(value)}.\n"
        "Try an empty cell, if the value is unknown."
    )
    assert error_text(table, learned_from=frame(x=[1.0, 2.0])) == error_text(table)


def test_rows_without_lines_are_called_rows():
    assert error_text(pd.DataFrame({"x": [1.0, np.inf]})).startswith("column 'x', row 1: ")


def test_reports_when_there_are_too_many_categories():
    assert error_text(frame(name=[f"n{i}" for i in range(10_000)])) == (
        "column 'name': expected at most 1,000 distinct text values; got 10,000 in 10,000 rows.\n"
        "Try removing the column: it looks like an identifier."
    )
    many = error_text(frame(name=[f"n{i % 1500}" for i in range(10_000)]))
    assert many.endswith("Try replacing rare values by one word, such as other.")
    assert len(Columns.learn(frame(name=[f"n{i % 1000}" for i in range(2000)])).names) == 1000


@pytest.mark.parametrize(
    ("value", "kind"), [([1], "list"), ({}, "dict"), (b"a", "bytes"), (1j, "complex")]
)
def test_reports_which_cells_cannot_be_used(value, kind):
    assert error_text(frame(x=pd.Series([None, value], dtype=object))) == (
        f"column 'x': expected numbers, booleans or text; got a {kind} (line 3).\n"
        "Try removing the column, or converting it to numbers."
    )


def test_reports_when_nothing_is_left():
    with pytest.warns(DataWarning):
        assert error_text(frame(x=[None, None])).startswith(
            "the table: expected at least one column"
        )


def test_reports_when_a_name_is_duplicated():
    table = pd.DataFrame([[1, 2]], columns=["a", "a"])
    assert error_text(table) == (
        "the table: expected unique column names; got 'a' twice.\nTry renaming one of them."
    )


def test_clean_tables_raise_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        columns = Columns.learn(PEOPLE)
        columns.apply(PEOPLE)


def test_reports_when_no_column_holds_anything():
    with pytest.warns(
        DataWarning, match="ignored the columns without a value in the training rows: 'a'"
    ):
        actual_text = error_text(pd.DataFrame({"a": [np.nan, np.nan]}))
    assert actual_text == (
        "the table: expected at least one column to learn from; got none.\n"
        "Try adding columns besides those of --target, --group, --time and --weight."
    )
