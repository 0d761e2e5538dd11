"""chainrule/data/load.py"""

import numpy as np
import pandas as pd
import pytest

from chainrule.data.load import read_series
from chainrule.errors import DataError, OptionError


@pytest.fixture
def file(tmp_path):
    """Return a function that saves columns as a table and returns its path."""

    def file(name="t.csv", **columns):
        frame, path = pd.DataFrame(columns), tmp_path / name
        frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
        return path

    return file


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
def test_a_column_by_its_name(file, name):
    found = read_series(file(name, day=[3, 1, 2], warm=[1.5, 2.5, -1.0]), "warm")
    assert (found.name, found.values.dtype) == ("warm", np.float64)
    assert found.values.tolist() == [1.5, 2.5, -1.0]


def test_the_only_column_and_the_only_one_with_numbers(file):
    assert read_series(file(v=[1, 2])).values.tolist() == [1, 2]
    assert read_series(file(town=["A", "B"], v=[1, 2], on=[True, False])).name == "v"


def test_booleans_are_numbers_where_they_are_asked_for(file):
    assert read_series(file(v=[1, 2], on=[True, False]), "on").values.tolist() == [1.0, 0.0]


def refused(kind, *arguments):
    with pytest.raises(kind) as error:
        read_series(*arguments)
    return str(error.value)


def test_reports_which_columns_there_are(file):
    path = file(day=[1, 2], warm=[3, 4], town=["A", "B"])
    assert refused(OptionError, path) == (
        "--column: expected the name of a column of t.csv; got no name, and 2 columns to "
        "choose from.\n"
        "Try one of day, warm, town."
    )
    assert refused(OptionError, path, "wram") == (
        "--column: expected a column of t.csv; got 'wram'.\n"
        "Try warm (did you mean that?); the choices are day, warm, town."
    )


def test_reports_cells_that_are_not_numbers(file):
    path = file(town=["A", "B"], gap=[1, None], none=[None, None])
    assert refused(DataError, path, "town") == (
        "t.csv, column 'town': expected numbers; got text such as 'A'.\n"
        "Try another column: town, gap, none."
    )
    assert refused(DataError, path, "gap") == (
        "t.csv, column 'gap': expected a number in every row; got an empty cell in line 3.\n"
        "Try removing the row, or repeating the value before it."
    )
    assert "column 'none': expected numbers; got only empty cells." in refused(
        DataError, path, "none"
    )
    path = file(v=[1, np.inf])
    assert "column 'v', line 3: expected a finite number" in refused(DataError, path)


def test_reports_the_supported_formats(tmp_path):
    (tmp_path / "a.log").write_text("1\n2\n")
    formats = "expected one of .csv, .csv.gz, .tsv, .tsv.gz, .txt, .txt.gz, .parquet"
    assert f"{formats}; got a file with suffix .log.\nTry " in refused(
        DataError, tmp_path / "a.log"
    )
    assert f"{formats}; got a folder.\nTry " in refused(DataError, tmp_path)
    (tmp_path / "b.csv").write_text("v\n")
    assert "b.csv: expected rows; got only a header.\nTry " in refused(
        DataError, tmp_path / "b.csv"
    )
    assert "no such file" in refused(DataError, tmp_path / "c.csv")
