"""chainrule/data/long_tables.py: tables in which each row is one step of a sequence"""

import numpy as np
import pandas as pd
import pytest

from chainrule.data.columns import ColumnOptions
from chainrule.data.load import load
from chainrule.errors import ChainruleError, DataWarning

VISITS = """\
patient,hour,pulse,temperature,ward,weight,outcome
P9,1,80,36.9,a,1,ill
P7,0,84,,b,2,well
P9,0,85,37,a,1,ill
P7,10,86,38,b,2,well
P7,9,87,39,b,2,well
"""
ROLES = {"sequence": "patient", "time": "hour", "target": "outcome"}
ALL = ROLES | {"weight": "weight", "group": "ward"}
PULSE, TEMPERATURE = [[85, 80, 0], [84, 87, 86]], [[37, 36.9, 0], [np.nan, 39, 38]]


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes a table, in the working directory, and returns its name."""
    monkeypatch.chdir(tmp_path)

    def write(content: str, name: str = "a.csv") -> str:
        (tmp_path / name).write_text(content)
        return name

    return write


def error_text(name, **options) -> str:
    with pytest.raises(ChainruleError) as error:
        load(name, **options)
    return str(error.value)


def change(line: int, old: str, new: str, text: str = VISITS) -> str:
    """Return the table with a change in one line."""
    lines = text.splitlines(keepends=True)
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    return "".join(lines)


def check(data) -> None:
    """Check the steps of the two patients."""
    np.testing.assert_array_equal(data.X.values, np.stack([PULSE, TEMPERATURE], axis=2))
    assert data.X.lengths.tolist() == [2, 3]
    assert data.step_names == ("pulse", "temperature")


def test_an_example_done_by_hand(write):
    data = load(write(VISITS), **ALL)
    check(data)
    assert data.y.tolist() == ["ill", "well"]
    assert data.weights.tolist() == [1, 2]
    assert data.groups.tolist() == ["a", "b"]
    assert data.time is None
    assert data.key_values == {"patient": ["P9", "P7"]}
    assert (data.where.tolist(), data.place_name) == (["patient P9", "patient P7"], "place")
    assert (data.name, data.target) == ("a.csv", "outcome")
    other = data.rows(np.array([1]))
    assert other.key_values == {"patient": ["P7"]}
    assert other.step_names == data.step_names


@pytest.mark.parametrize("name", ["a.parquet", "a.tsv"])
def test_other_kinds_of_tables(write, name):
    frame = pd.read_csv(write(VISITS))
    if name == "a.tsv":
        frame.to_csv(name, sep="\t", index=False)
    else:
        frame.to_parquet(name)
    check(load(name, **ALL))


def test_without_a_time_the_steps_are_in_the_order_of_the_rows(write):
    data = load(
        write(VISITS),
        sequence="patient",
        target="outcome",
        options=ColumnOptions(drop=("ward", "weight")),
    )
    assert data.step_names == ("hour", "pulse", "temperature")
    assert data.X.values[:, :, 0].tolist() == [[1, 0, 0], [0, 10, 9]]


def test_times_may_be_dates(write):
    text = VISITS
    for hour, day in (
        (",1,80", "2024-02-01"),
        (",0,8", "2024-01-31"),
        (",10,", "2024-03-01 12:30"),
        (",9,87", "2024-03-01"),
    ):
        text = text.replace(hour, f",{day},{hour.rsplit(',', 1)[1]}")
    check(load(write(text), **ALL))


def test_two_sequences_may_have_steps_of_the_same_time(write):
    check(load(write(change(3, ",0,", ",1,")), **ALL))


def test_sequences_are_told_apart_as_they_are_written(write):
    data = load(write("id,x,y\n007,1,0\n7,2,1\n007,3,0\n"), sequence="id", target="y")
    assert data.X.lengths.tolist() == [2, 1]
    assert data.key_values == {"id": ["007", "7"]}
    data = load(write("id,x,y\n9,1,0\n7,2,1\n9,3,0\n"), sequence="id", target="y")
    assert data.where.tolist() == ["id 9", "id 7"]


def test_several_targets(write):
    data = load(write("id,x,u,v\n9,1,0,2.5\n7,2,1,3\n9,3,0,2.5\n"), sequence="id", target="u,v")
    assert data.y.tolist() == [[0, 2.5], [1, 3]]


def test_booleans_and_durations_are_numbers(write):
    frame = pd.read_csv(write(VISITS))[["patient", "outcome"]]
    frame["flag"] = [True, False, True, False, False]
    frame["word"] = ["true", "false", "true", "true", None]
    frame["span"] = pd.to_timedelta([1, 2, 3, 4, 12], "h")
    frame.to_parquet("b.parquet")
    data = load("b.parquet", sequence="patient", target="outcome")
    np.testing.assert_allclose(data.X.values[1], [[0, 0, 2 / 24], [0, 1, 4 / 24], [0, np.nan, 0.5]])


def test_a_column_without_values_is_reported(write):
    with pytest.warns(DataWarning) as warned:
        data = load(write("id,x,z,y\n9,1,,0\n7,2,,1\n"), sequence="id", target="y")
    assert np.isnan(data.X.values[:, :, 1]).all()
    assert [str(one.message) for one in warned] == [
        "column 'z': no cell has a value, so that all are missing."
    ]


def test_keys_and_dropped_columns(write):
    options = ColumnOptions(key=("ward",), drop=("weight", "temperature"))
    data = load(write(VISITS), **ROLES, options=options, training=True)
    assert data.key_values == {"patient": ["P9", "P7"], "ward": ["a", "b"]}
    assert data.step_names == ("pulse",)


def test_words_count_as_missing_in_columns_of_numbers(write):
    text = "id,x,y\n" + "".join(f"{i // 5},{i},{i // 50}\n" for i in range(100))
    with pytest.warns(DataWarning) as warned:
        data = load(write(text.replace(",7,", ",?,")), sequence="id", target="y")
    assert np.isnan(data.X.values[1, 2, 0])
    assert [str(one.message) for one in warned] == [
        "column 'x': 1 cell is not a number and counted as missing, such as '?' (line 9)."
    ]
    text = change(3, ",84", ",slow", change(2, ",80", ",$80", change(4, ",85", ",$85", VISITS)))
    data = load(write(text), **ALL, options=ColumnOptions(number=("pulse",)))
    np.testing.assert_array_equal(data.X.values[:, :, 0], [[85, 80, 0], [np.nan, 87, 86]])


def test_prediction_needs_the_sequence_and_the_time_only(write):
    name = write("hour,patient,temperature,pulse,x\n1,P9,36.9,80,7\n0,P9,37,85,8\n")
    with pytest.warns(DataWarning) as warned:
        data = load(name, **ALL, labelled=False, step_names=("pulse", "temperature"))
    assert data.y is data.weights is data.groups is None
    np.testing.assert_array_equal(data.X.values, [[[85, 37], [80, 36.9]]])
    assert data.key_values == {"patient": ["P9"]}
    assert [str(one.message) for one in warned] == [
        "a.csv: ignored the columns that the training table does not have: 'x'."
    ]
    assert error_text(name, **ALL, labelled=False, step_names=("pluse", "temperature")) == (
        "a.csv, column 'pluse': expected the columns of the training table; got no such column.\n"
        "Try pulse (did you mean that?); the choices are pulse, x."
    )
    assert error_text(name, **ALL | {"time": "hours"}, labelled=False) == (
        "--time: expected a column of a.csv; got 'hours'.\nTry hour (did you mean that?); the "
        "choices are hour, patient, temperature, pulse, x."
    )
    check(load(write(VISITS), **ALL, labelled=False))


SEQUENCE = "Try another column, or another column for --sequence."
WRONG = {
    "two labels": (
        change(5, "well", "ill"),
        {},
        "--target, column 'outcome': expected the same value in all steps of a sequence; got "
        f"'well' (line 3) and 'ill' (line 5) in patient 'P7'.\n{SEQUENCE}",
    ),
    "two weights": (
        change(4, ",1,ill", ",3,ill"),
        {},
        "--weight, column 'weight': expected the same value in all steps of a sequence; got 1 "
        f"(line 2) and 3 (line 4) in patient 'P9'.\n{SEQUENCE}",
    ),
    "two groups": (
        change(4, ",a,", ",b,"),
        {},
        "--group, column 'ward': expected the same value in all steps of a sequence; got 'a' (line "
        f"2) and 'b' (line 4) in patient 'P9'.\n{SEQUENCE}",
    ),
    "two keys": (
        VISITS,
        {"options": ColumnOptions(key=("temperature",))},
        "--key, column 'temperature': expected the same value in all steps of a sequence; got "
        f"'36.9' (line 2) and '37' (line 4) in patient 'P9'.\n{SEQUENCE}",
    ),
    "a step twice": (
        change(6, ",9,", ",0,"),
        {},
        "a.csv, line 3 and line 6: expected one row for each step of a sequence; got hour 0 of "
        "patient 'P7' twice.\nTry removing one of the rows, or another column for --time.",
    ),
    "text": (
        change(3, ",,", ",high,").replace("36.9", "low").replace(",37,", ",low,"),
        {},
        "a.csv, column 'temperature': expected numbers in all steps; got text such as 'low' (line "
        "2).\nTry --drop temperature, or --number temperature, so that other text counts as "
        "missing.",
    ),
    "only text": (
        VISITS,
        {"group": None},
        "a.csv, column 'ward': expected numbers in all steps; got text such as 'a' (line 2).\n"
        "Try --drop ward.",
    ),
    "text as numbers": (
        VISITS,
        {"group": None, "options": ColumnOptions(number=("ward",))},
        "a.csv, column 'ward': expected numbers in all steps; got text such as 'a' (line 2).\n"
        "Try --drop ward.",
    ),
    "categories": (
        VISITS,
        {"options": ColumnOptions(category=("pulse",))},
        "--category: expected no column of a step: all of them are numbers; got 'pulse'.\n"
        "Try --drop pulse.",
    ),
    "a number out of range": (
        change(2, ",80,", ",1e39,"),
        {},
        "column 'pulse', line 2: expected a finite number within the range of float32; got 1e+39.\n"
        "Try an empty cell, if the value is unknown.",
    ),
    "no sequence": (
        change(5, "P7", ""),
        {},
        "--sequence, column 'patient': expected a value in every row; got 1 empty cell, the first "
        "in line 5.\nTry removing these rows, or filling the cells.",
    ),
    "no time": (
        change(5, ",10,", ",,"),
        {},
        "--time, column 'hour': expected a value in every row; got 1 empty cell, the first in line "
        "5.\nTry removing these rows, or filling the cells.",
    ),
    "no such column": (
        VISITS,
        {"sequence": "pateint"},
        "--sequence: expected a column of a.csv; got 'pateint'.\nTry patient (did you mean that?); "
        "the choices are patient, pulse, temperature.",
    ),
    "one column for two options": (
        VISITS,
        {"group": "patient"},
        "--sequence: expected a column without another role; got 'patient', which is also "
        "--group.\nTry different columns for the two options.",
    ),
    "no numbers": (
        "patient,hour,outcome\n1,2,3\n",
        {"weight": None, "group": None},
        "a.csv: expected columns to learn from; got only the columns of --sequence, --target, "
        "--time.\nTry a table with features.",
    ),
    "images": (
        VISITS,
        {"images": "ward"},
        "--images, --sequence: expected one option that says what an example is; got two.\n"
        "Try only --images.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_reports_what_is_wrong(write, name):
    content, options, expected_text = WRONG[name]
    assert error_text(write(content), **ALL | options) == expected_text


def test_reports_that_nothing_is_left_for_prediction(write):
    assert error_text(write("patient,hour\n1,2\n"), **ROLES, labelled=False) == (
        "a.csv: expected columns with the numbers of a step; got only the columns of the options.\n"
        "Try a table with such columns."
    )


def test_dates_are_refused(write):
    frame = pd.read_csv(write(VISITS)).assign(day=pd.Timestamp("2024-01-31"))
    frame.to_parquet("b.parquet")
    assert error_text("b.parquet", **ALL, options=ColumnOptions(number=("day",))) == (
        "b.parquet, column 'day': expected numbers in all steps; got dates such as '2024-01-31 "
        "00:00:00' (row 0).\nTry --drop day."
    )


def test_a_large_table_is_refused_before_it_is_padded(write, monkeypatch):
    name = write("id,x,y\n" + "".join(f"{max(0, i - 50)},1,2\n" for i in range(100)))
    monkeypatch.setattr("chainrule.host.machine.available_bytes", lambda: 20_000)
    assert error_text(name, sequence="id", target="y") == (
        "a.csv: expected at most 20.00 kB, the free memory; got 20.40 kB.\n"
        "Try shorter sequences: all are padded to the length of the longest."
    )
