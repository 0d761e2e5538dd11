"""chainrule/data/tables.py"""

import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from chainrule.data.columns import Columns
from chainrule.data.labels import Labels
from chainrule.data.tables import read_table
from chainrule.errors import ChainruleError, DataError, MissingExtraError


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


def test_parquet_keeps_the_types_it_has(tmp_path):
    frame = pd.DataFrame({"x": [1, 2], "y": ["1", "2"]})
    frame.to_parquet(tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet", target="y").y.tolist() == ["1", "2"]


def test_blanks_around_texts_of_parquet_are_stripped(tmp_path):
    frame = pd.DataFrame({"x": ["a ", " a", None, "b"], "y": ["no", "no ", "yes", " yes"]})
    frame["z"] = [b"a ", b"b", b"c", b"d"]
    frame.to_parquet(tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet", target="y")
    assert table.y.tolist() == ["no", "no", "yes", "yes"]
    assert table.X["x"].dropna().tolist() == ["a", "a", "b"]
    assert table.X["z"].tolist() == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        ([Decimal("1.0"), Decimal("2.0")], (1, 2)),
        ([b"no", b"yes"], ("no", "yes")),
        (pa.array([1, 2], pa.uint8()), (1, 2)),
        (pa.array(["a", "b"]).dictionary_encode(), ("a", "b")),
        ([True, False], (False, True)),
    ],
    ids=["decimals", "bytes", "small integers", "dictionary", "booleans"],
)
def test_what_can_be_a_feature_can_be_a_target(tmp_path, cells, classes):
    column = pa.array(cells) if isinstance(cells, list) else cells
    table = pa.table({"x": column, "y": column, "n": [0.5, 1.5]})
    parquet.write_table(pa.concat_tables([table] * 3).combine_chunks(), tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet", target="y")
    assert Columns.learn(table.X).names
    assert Labels.learn(table.y).classes == classes


def test_a_named_index_of_parquet_is_a_column(tmp_path):
    frame = pd.DataFrame({"x": [5, 6, 7], "y": [7, 2, 2]}).set_index("y")
    frame.to_parquet(tmp_path / "index.parquet")
    assert read_table(tmp_path / "index.parquet", target="y").y.tolist() == [7, 2, 2]


def test_parquet_errors_match_csv_errors(tmp_path):
    pd.DataFrame({"a": [], "y": []}).to_parquet(tmp_path / "none.parquet")
    assert error_text(tmp_path / "none.parquet", target="y").startswith(
        "none.parquet: expected rows;"
    )


def test_reports_which_name_is_duplicated(tmp_path):
    table = pa.table([[1, 2], [3, 4], [0, 1]], names=["x", "x", "y"])
    parquet.write_table(table, tmp_path / "two.parquet")
    assert error_text(tmp_path / "two.parquet", target="y") == (
        "two.parquet: expected unique column names; got 'x' twice.\nTry renaming one of them."
    )


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_reports_when_a_parquet_file_is_truncated(tmp_path, share):
    path = tmp_path / "cut.parquet"
    pd.DataFrame({"x": np.arange(1000.0), "y": np.arange(1000)}).to_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError) as error:
        read_table(path, target="y")
    assert (
        str(error.value)
        .replace(f"{tmp_path}/", "")
        .startswith(
            "cut.parquet: expected a complete Parquet file; got a truncated or damaged file ("
        )
    )


def test_reports_how_to_install_what_reads_parquet(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError) as error:
        read_table(write(b"PAR1", "a.parquet"), target="y")
    assert str(error.value) == (
        "a.parquet: expected the package pyarrow; got an installation without it.\n"
        'Try pip install "chainrule[data]".'
    )
