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

from chainrule.data.columns import ColumnOptions, Columns, settled
from chainrule.errors import DataError, DataWarning, OptionError

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
        ["2024-01-31", "2024-03-01T12:00:00Z"],
        ["31.01.2024", "01.03.2024 12:00"],
        ["01/31/24", "03/01/24 12:00 pm"],
        ["31-Jan-2024", "1 March 2024 12:00"],
        pd.to_datetime(["2024-01-31 00:00", "2024-03-01 12:00"]),
        pd.to_datetime(["2024-01-31 00:00", "2024-03-01 12:00"], utc=True),
        [datetime.datetime(2024, 1, 31), datetime.datetime(2024, 3, 1, 12)],
    ],
    ids=str,
)
def test_dates_become_the_parts_that_vary(dates):
    """2024 is a leap year; 31 January is a Wednesday, and 1 March a Friday, 30 days later."""
    columns = Columns.learn(frame(when=dates))
    assert columns.names == [
        "when month",
        "when day",
        "when weekday",
        "when hour",
        "when elapsed days",
    ]
    rows = [[1, 31, 2, 0, 0], [3, 1, 4, 12, 30.5]]
    np.testing.assert_array_equal(columns.apply(frame(when=dates)), rows)
    assert Columns.from_dict(json.loads(json.dumps(columns.to_dict()))) == columns


@pytest.mark.parametrize(
    "dates",
    [
        ["2024-01-31", None, "2024-02-02"],
        pd.PeriodIndex(["2024-01-31", None, "2024-02-02"], freq="D"),
        [datetime.date(2024, 1, 31), None, datetime.date(2024, 2, 2)],
    ],
    ids=str,
)
def test_a_missing_date_has_the_median_parts(dates):
    columns = Columns.learn(frame(when=dates))
    assert columns.names[-2:] == ["when elapsed days", "when is missing"]
    rows = [[1, 31, 2, 0, 0], [1.5, 16.5, 3, 1, 1], [2, 2, 4, 2, 0]]
    np.testing.assert_array_equal(columns.apply(frame(when=dates)), rows)


def test_durations_are_numbers_of_days():
    columns = Columns.learn(frame(x=pd.to_timedelta(["3 days", "36 hours", None])))
    assert columns.apply(frame(x=pd.to_timedelta(["12 hours"]))).tolist() == [[0.5, 0.0]]


def test_a_text_among_dates_is_missing():
    days = [f"2024-01-{i + 1:02}" for i in range(30)]
    columns = Columns.learn(frame(when=[*days, "soon"]))
    assert columns.names[-1] == "when is missing"
    X, message = warned(columns, frame(when=["2024-01-03", "31.12.2024"]))
    assert X[:, [0, -1]].tolist() == [[3, 0], [15.5, 1]]
    assert message == (
        "column 'when': 1 cell is not a date and counted as missing, such as '31.12.2024' "
        "(line 3); filled with the median date."
    )


def test_an_assumed_order_of_day_and_month_is_reported():
    with pytest.warns(DataWarning) as caught:
        columns = Columns.learn(frame(when=["1/2/2024", "3/4/2024"]))
    assert columns.names[:2] == ["when month", "when day"]
    assert columns.apply(frame(when=["3/4/2024"]))[0, :2].tolist() == [3, 4]
    assert [str(one.message) for one in caught] == [
        "column 'when': the month is assumed to come first, since no date shows the order."
    ]


@pytest.mark.parametrize(
    ("cells", "values", "read_as"),
    [
        (["$1,200", "$7.50", "($300)"], [1200, 7.5, -300], "number in $"),
        (["€1.5M", "€500K", "€0"], [1.5e6, 5e5, 0], "number in €"),
        (["42.7%", "3 %", "?"], [42.7, 3, 22.85], "percentage"),
        (["60+", "45", "<5"], [60, 45, 5], "number"),
        (["10+ years", "< 1 year", "2 years"], [10, 1, 2], "number in year"),
        (["1.250,50 €", "3 €", "1.000 €"], [1250.5, 3, 1000], "number in €"),
    ],
    ids=str,
)
def test_numbers_with_units_are_numbers(cells, values, read_as):
    columns = Columns.learn(frame(x=cells))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert columns.apply(frame(x=cells))[:, 0].tolist() == values
    assert columns.table[0].read_as == read_as
    assert Columns.from_dict(json.loads(json.dumps(columns.to_dict()))) == columns


@pytest.mark.parametrize(
    "cells", [["$5", "€5"], ["$5", "5%"], ["5 kg", "5"], ["1,250 €", "1.250 €"], ["18-25", "60+"]]
)
def test_units_that_do_not_agree_are_text(cells):
    assert Columns.learn(frame(x=cells)).names == [f"x={cell}" for cell in sorted(cells)]


def test_a_cell_without_its_unit_is_read_and_another_unit_is_missing():
    columns = Columns.learn(frame(x=["$1", "$2", "$9"]))
    assert columns.apply(frame(x=[7.5])).tolist() == [[7.5]]
    X, message = warned(columns, frame(x=["7", "€5"]))
    assert X.tolist() == [[7], [2]]
    assert "1 cell is not a number and counted as missing, such as '€5' (line 3)" in message


def test_a_bad_cell_of_a_new_table_is_missing():
    columns = Columns.learn(frame(x=[1, 2, 6]))
    X, message = warned(columns, frame(x=["1", "abc", "7"]))
    np.testing.assert_array_equal(X, [[1], [2], [7]])
    assert message == (
        "column 'x': 1 cell is not a number and counted as missing, such as 'abc' (line 3); "
        "filled with the median 2."
    )
    with pytest.raises(DataError) as error:
        columns.check_cells(frame(x=["1", "abc", "7"]))
    assert str(error.value) == (
        "column 'x', line 3: expected a number; got 'abc'.\n"
        "Try an empty cell, if the value is unknown, or leaving out --strict."
    )
    columns.check_cells(frame(x=["1", None, "7"]))


MIXED = ["1", "abc", *map(str, range(2, 40))]


def test_a_few_words_among_numbers_are_missing():
    with pytest.warns(DataWarning) as caught:
        table = settled(frame(x=MIXED), ColumnOptions())
    assert str(caught[0].message) == (
        "column 'x': 1 cell is not a number and counted as missing, such as 'abc' (line 3); "
        "--category x keeps the texts."
    )
    assert Columns.learn(table) == Columns.learn(frame(x=MIXED))
    assert Columns.learn(table).apply(table)[:3].tolist() == [[1, 0], [20, 1], [2, 0]]


def test_words_for_missing_values_do_not_make_numbers_text():
    with pytest.warns(DataWarning, match=r"3 cells are not a number .* such as '\?' \(line 4\)"):
        table = settled(frame(x=["1", "2", "?", "n.a.", "-"]), ColumnOptions())
    assert Columns.learn(table).names == ["x", "x is missing"]


@pytest.mark.parametrize("cells", [["1", "2", "abc", "4"], ["02139", "A1", *["10115"] * 40]])
def test_many_words_among_numbers_make_all_of_them_text(cells):
    table = settled(frame(x=cells), ColumnOptions())
    columns = Columns.learn(table)
    assert columns.names == [f"x={cell}" for cell in sorted({*cells})]
    assert columns.table[0].note == "some of the values are numbers"
    assert columns.table[0].option == "--number x"


@pytest.mark.parametrize(
    "cells", [["1", "2", "abc", "4"], [1, 2.5, "abc", 4], [1, 2, "abc", True]], ids=str
)
def test_strict_options_refuse_numbers_mixed_with_text(cells):
    strict = ColumnOptions(strict=True)
    table = frame(x=pd.Series(cells, dtype=object))
    for read in (lambda: settled(table, strict), lambda: Columns.learn(table, strict)):
        with pytest.raises(DataError) as error:
            read()
        assert str(error.value) == (
            "column 'x': expected only numbers, or only text; got 3 numbers and 1 text such as "
            "'abc' (line 4).\nTry leaving cells with an unknown number empty, or adding a letter "
            "to numbers that are names."
        )


def test_a_bound_elsewhere_in_the_file_does_not_make_numbers_text():
    """In the first rows of the file, every cell is a plain number."""
    table = settled(frame(age=["45", "50", "60+"]), ColumnOptions())
    columns = Columns.learn(table.iloc[:2])
    assert columns.names == ["age"]
    with pytest.warns(DataWarning, match=r"'60\+'"):
        assert columns.apply(table).tolist() == [[45], [50], [47.5]]


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


def test_rare_values_share_an_input():
    """Of 300 rows, a value needs 3; the two values that are left have 3 and 2 rows each."""
    cells = ["b"] * 150 + ["a"] * 98 + ["three"] * 3 + [f"t{i // 2}" for i in range(48)] + [None]
    columns = Columns.learn(frame(town=cells))
    assert columns.names == ["town=a", "town=b", "town=three", "town=(other)", "town=(missing)"]
    assert columns.table[0].note == "24 rare values share an input"
    found = columns.apply(frame(town=["b", "t7", "new", None]))
    np.testing.assert_array_equal(found, np.eye(5)[[1, 3, 3, 4]])
    assert Columns.from_dict(json.loads(json.dumps(columns.to_dict()))) == columns


def test_at_most_a_hundred_values_have_their_own_input():
    sizes = np.arange(20, 140)
    columns = Columns.learn(frame(town=np.repeat([f"t{n}" for n in sizes], sizes)))
    assert columns.names[-1] == "town=(other)"
    assert {*columns.names[:-1]} == {f"town=t{n}" for n in range(40, 140)}


def test_up_to_twenty_values_are_never_rare():
    assert len(Columns.learn(frame(x=[*map(str, "abcdefghijklmnopqrst"), *["a"] * 30])).names) == 20


def left_out(**columns):
    """Return the reasons why columns are left out beside one of numbers, and the warnings."""
    m = len(next(iter(columns.values())))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = Columns.learn(frame(x=np.linspace(0, 1, m), **columns))
    assert all(one.category is DataWarning for one in caught)
    reasons = {one.name: one.reason for one in found.left_out}
    return reasons, [str(one.message) for one in caught]


def test_identifiers_are_left_out():
    reasons, messages = left_out(
        name=[f"n{i}" for i in range(30)],
        row=range(1000, 1030),
        customer_id=np.random.default_rng(0).permutation(30),
    )
    assert reasons == {
        "name": "a different text in every row",
        "row": "counts the rows",
        "customer_id": "a different whole number in every row",
    }
    assert messages == [
        "column 'name': left out (a different text in every row); --category name uses it.",
        "column 'row': left out (counts the rows); --number row uses it.",
        "column 'customer_id': left out (a different whole number in every row); "
        "--number customer_id uses it.",
    ]


@pytest.mark.parametrize(
    "cells",
    [[*range(29), 40], np.arange(30.0), range(0, 60, 2), [True] * 30, list("ab") * 15],
    ids=lambda cells: str(cells)[:20],
)
def test_other_columns_are_not_identifiers(cells):
    assert left_out(paid=cells) == ({}, [])


@pytest.mark.parametrize("name", ["id", "ID", "PassengerId", "user_id", "rownames"])
def test_names_of_keys(name):
    numbers = np.random.default_rng(0).permutation(30)
    assert left_out(**{name: numbers})[0] == {name: "a different whole number in every row"}


@pytest.mark.parametrize("name", ["paid", "grid", "idle", "humid", "rooms"])
def test_names_of_other_numbers(name):
    assert left_out(**{name: np.random.default_rng(0).permutation(30)}) == ({}, [])


def test_few_rows_are_not_identifiers():
    assert left_out(name=[f"n{i}" for i in range(10)], row=range(10)) == ({}, [])


def test_sentences_are_left_out():
    cells = [f"the {i} guests of this room were very happy with it" for i in range(30)]
    assert left_out(text=[*cells, cells[0]])[0] == {"text": "sentences, mostly different ones"}


def test_values_that_are_all_rare_are_left_out():
    cells = [f"t{i // 2}" for i in range(600)]
    assert left_out(ticket=cells)[0] == {"ticket": "no text value is frequent enough"}
    known = Columns.learn(frame(cabin=[*cells, None]))
    assert known.names == ["cabin=(other)", "cabin=(missing)"]


def test_a_table_of_row_numbers_only_keeps_them():
    assert Columns.learn(frame(x=range(30))).names == ["x"]


def test_a_table_of_identifiers_only_is_refused():
    with pytest.warns(DataWarning, match="left out"):
        assert error_text(frame(name=[f"n{i}" for i in range(30)])) == (
            "the table: expected at least one column to learn from; got none.\n"
            "Try --category name, or adding columns besides those of --target, --group, --time and "
            "--weight."
        )


def test_options_override_how_columns_are_read():
    m = 40
    table = frame(
        row=range(m),
        zip=[10115, 20095] * (m // 2),
        when=[20240131, 20240229] * (m // 2),
        price=["$5", "7"] * (m // 2),
        x=["1", "many"] * (m // 2),
        name=[f"n{i}" for i in range(m)],
    )
    options = ColumnOptions(
        drop=("a",), key=("b",), category=("zip", "name"), number=("row", "price", "x"),
        date=("when",),
    )  # fmt: skip
    columns = Columns.learn(table, options)
    kinds = {one.name: (one.read_as, one.inputs) for one in columns.table}
    assert kinds == {
        "row": ("number", 1),
        "zip": ("category", 2),
        "when": ("date", 4),
        "price": ("number in $", 1),
        "x": ("number", 2),
        "name": ("category", 40),
        "a": ("left out", 0),
        "b": ("left out", 0),
    }
    assert columns.names[1:3] == ["zip=10115", "zip=20095"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = columns.apply(table)
    np.testing.assert_array_equal(rows[:2, 1:3], np.eye(2))
    np.testing.assert_array_equal(rows[:2, 3:7], [[1, 31, 2, 0], [2, 29, 3, 29]])
    np.testing.assert_array_equal(rows[:2, 7], [5, 7])


@pytest.mark.parametrize(
    ("option", "expected", "got"),
    [("number", "numbers", "text such as 'a'"), ("date", "dates such as 2024-01-31", "'a'")],
)
def test_options_refuse_columns_that_do_not_fit(option, expected, got):
    with pytest.raises(DataError) as error:
        Columns.learn(frame(x=["a", "b"]), ColumnOptions(**{option: ("x",)}))
    message = str(error.value)
    assert message.startswith(f"--{option}, column 'x': expected {expected}; got {got}")


def test_options_must_name_columns_once():
    options = ColumnOptions(drop=("aeg",), key=("y",))
    with pytest.raises(OptionError) as error:
        options.check("t.csv", ["age", "y"], {"y": "--target"})
    assert str(error.value) == (
        "--drop: expected a column of t.csv; got 'aeg'.\n"
        "Try age (did you mean that?); the choices are age."
    )
    with pytest.raises(OptionError, match="--key: expected a column without another role; got 'y'"):
        ColumnOptions(key=("y",)).check("t.csv", ["age", "y"], {"y": "--target"})


def test_the_table_of_columns():
    columns = Columns.learn(frame(age=[20, None, 40], b=["x", "y", "x"]), ColumnOptions(key=("k",)))
    assert [tuple(one) for one in columns.table] == [
        ("age", "number", 2, "missing values are filled with 30", "--category age"),
        ("b", "category", 2, "", "--drop b"),
        ("k", "left out", 0, "--key", ""),
    ]
    assert [one.is_plain for one in columns.table] == [False, True, False]


@pytest.mark.parametrize(
    "change",
    [{"median": np.inf}, {"unit": 3}, {"decimal": ";"}, {"order": "backwards"}],
    ids=str,
)
def test_columns_that_a_run_cannot_have_are_refused(change):
    saved = Columns.learn(frame(x=["$1", "$2"], when=["2024-01-31", "2024-02-01"])).to_dict()
    at = 1 if "order" in change else 0
    saved["columns"][at] |= change
    with pytest.raises(DataError, match="the column"):
        Columns.from_dict(saved)


@pytest.mark.parametrize("entry", [("parts", ["year"]), ("origin", "x"), ("medians", [0.0] * 9)])
def test_dates_that_contradict_themselves_are_refused(entry):
    saved = Columns.learn(frame(when=["2024-01-31", "2024-02-01"])).to_dict()
    saved["columns"][0] |= dict([entry])
    with pytest.raises(DataError, match="expected the parts of a date with finite medians"):
        Columns.from_dict(saved)


def test_the_first_rules_read_every_column_as_numbers_or_categories():
    """A training that an earlier version began is resumed with the inputs that it had."""
    texts = [f"n{i}" for i in range(30)]
    rules = ColumnOptions(rules=1)
    columns = Columns.learn(frame(row=range(30), name=texts, paid=["$1", "$2"] * 15), rules)
    assert columns.names == ["row", *sorted(f"name={text}" for text in texts), "paid=$1", "paid=$2"]


def test_columns_of_earlier_versions_are_restored():
    old = {
        "columns": [
            {"name": "x", "median": 2.0, "flagged": False, "truth": False},
            {"name": "c", "categories": ["a", "b"]},
        ],
        "empty": ["z"],
    }
    columns = Columns.from_dict(old)
    assert columns.names == ["x", "c=a", "c=b"]
    assert columns.left_out[0].name == "z"
    with pytest.warns(DataWarning, match="all inputs of the column are 0"):
        assert columns.apply(frame(x=[1], c=["new"], z=[1])).tolist() == [[1, 0, 0]]


@pytest.mark.parametrize(
    ("value", "kind"), [([1], "list"), ({}, "dict"), (b"a", "bytes"), (1j, "complex")]
)
def test_reports_which_cells_cannot_be_used(value, kind):
    assert error_text(frame(x=pd.Series([None, value], dtype=object))) == (
        f"column 'x': expected numbers, booleans, dates or text; got a {kind} (line 3).\n"
        "Try --drop x, or converting the column to numbers."
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
