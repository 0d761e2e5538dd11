"""chainrule/data/tables.py"""

import gzip
import hashlib

import numpy as np
import pandas as pd
import pytest

from chainrule.data.tables import read_table
from chainrule.errors import ChainruleError, DataError, DataWarning, OptionError

SMALL = "age,colour,y\n20,red,no\n,blue,yes\n40,red,yes\n"


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file and returns its path."""

    def write(content, name="people.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def error_text(path, **options):
    with pytest.raises(ChainruleError) as error:
        read_table(path, **options)
    return str(error.value)


def test_an_example_done_by_hand(write):
    path = write(SMALL)
    source = read_table(path, target="y")
    assert source.name == "people.csv"
    assert list(source.X) == ["age", "colour"]
    np.testing.assert_array_equal(source.X["age"], [20, np.nan, 40])
    assert source.X["colour"].tolist() == ["red", "blue", "red"]
    assert source.y.tolist() == ["no", "yes", "yes"]
    assert source.target == "y"
    assert source.digest == hashlib.sha256(SMALL.encode()).hexdigest()


def test_gzip_and_parquet_give_the_same(write, tmp_path):
    plain = read_table(write(SMALL), target="y")
    zipped = read_table(write(gzip.compress(SMALL.encode()), "people.csv.gz"), target="y")
    pd.read_csv(write(SMALL)).to_parquet(tmp_path / "people.parquet")
    parquet = read_table(tmp_path / "people.parquet", target="y")
    for other in (zipped, parquet):
        pd.testing.assert_frame_equal(
            other.X.reset_index(drop=True), plain.X.reset_index(drop=True)
        )
        assert other.y.tolist() == plain.y.tolist()


def test_group_time_and_weight_are_taken_out(write):
    path = write("a,who,when,w,y\n1,007,2024-02-01,1,0\n2,7,2024-01-15 12:30,0.5,1\n")
    source = read_table(path, target="y", group="who", time="when", weight="w")
    assert list(source.X) == ["a"]
    assert source.groups.tolist() == ["007", "7"]
    assert source.time.argsort().tolist() == [1, 0]
    assert source.weights.tolist() == [1, 0.5]


def test_several_targets_are_numbers(write):
    source = read_table(write("x,y1,y2\n1,2,0.5\n3,4,0.25\n"), target="y1, y2")
    np.testing.assert_array_equal(source.y, [[2, 0.5], [4, 0.25]])
    assert list(source.X) == ["x"]


def test_a_column_may_have_a_comma_in_its_name(write):
    assert read_table(write('x,"y,z"\n1,2\n3,4\n'), target="y,z").y.tolist() == [2, 4]


def test_prediction_needs_no_target_and_drops_it(write):
    for text in ("x,y\n1,\n", "x\n1\n"):
        source = read_table(write(text), target="y", group="who", labelled=False)
        assert list(source.X) == ["x"]
        assert source.y is None
    assert list(read_table(write("x,y\n1,2\n"), labelled=False).X) == ["x", "y"]


def test_a_saved_row_index_is_ignored(write, tmp_path):
    with pytest.warns(DataWarning, match="ignored a column without a name"):
        assert list(read_table(write(",x,y\n0,5,1\n1,6,2\n"), target="y").X) == ["x"]
    frame = pd.DataFrame({"x": [5, 6], "y": [1, 2]}, index=[3, 4])
    frame.to_parquet(tmp_path / "index.parquet")
    assert list(read_table(tmp_path / "index.parquet", target="y").X) == ["x"]


def test_reports_when_there_is_no_such_file(write, tmp_path):
    path = write(SMALL)
    assert error_text(path.with_name("poeple.csv"), target="y") == (
        f"{tmp_path}/poeple.csv: expected a file; got no such file.\n"
        "Try people.csv (did you mean that?); the choices are people.csv."
    )
    assert error_text(tmp_path / "nowhere" / "a.csv").endswith(
        f"Try another folder: {tmp_path}/nowhere has no files."
    )


def test_reports_which_columns_there_are_without_a_target(write):
    assert error_text(write(SMALL)) == (
        "--target: expected the name of the column of people.csv to predict; got none.\n"
        "Try one of age, colour, y."
    )


@pytest.mark.parametrize("option", ["target", "group", "time", "weight"])
def test_reports_when_a_column_does_not_exist(write, option):
    options = {"target": "y"} | {option: "colur"}
    assert error_text(write(SMALL), **options) == (
        f"--{option}: expected a column of people.csv; got 'colur'.\n"
        f"Try colour (did you mean that?); the choices are age, colour"
        f"{', y' if option == 'target' else ''}."
    )


def test_reports_when_a_column_has_two_roles(write):
    with pytest.raises(OptionError, match=r"--group: .* got 'y', which is also --target"):
        read_table(write(SMALL), target="y", group="y")


def test_reports_when_no_features_are_left(write):
    with pytest.raises(DataError, match="expected columns to learn from"):
        read_table(write("y\n1\n2\n"), target="y")


def test_reports_where_the_target_is_missing(write):
    assert error_text(write("x,y\n1,1.5\n2,\n3,NA\n"), target="y") == (
        "--target, column 'y': expected a value in every row; got 2 empty cells, the first "
        "in line 3.\n"
        "Try removing these rows, or filling the cells."
    )


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (["1", "-2"], "a number of at least 0; got -2 (line 3).\nTry 0 for a row that should not"),
        (
            ["0", "0"],
            (
                "at least one weight greater than 0; got 0 in every row.\nTry another column, or "
                "removing --weight"
            ),
        ),
        (["1", ""], "a value in every row; got 1 empty cell, the first in line 3."),
        (["1", "much"], "got 1 number and 1 text such as 'much' (line 3)."),
        (["1", "inf"], "line 3: expected a finite number within the range of float32; got inf."),
        (
            ["1", "9" * 400],
            "line 3: expected a finite number within the range of float32; got inf.",
        ),
    ],
)
def test_reports_which_weights_cannot_be_used(write, weights, message):
    text = "w,x,y\n" + "".join(f"{w},5,1\n" for w in weights)
    assert message in error_text(write(text), target="y", weight="w")


def test_reports_which_time_cannot_be_read(write):
    text = "x,t,y\n1,2024-01-31,0\n2,31/01/2024,1\n"
    assert error_text(write(text), target="y", time="t") == (
        "--time, column 't': expected numbers, or dates such as 2024-01-31 or 2024-01-31 12:30; "
        "got '31/01/2024' (line 3).\nTry writing the dates with the year first."
    )
