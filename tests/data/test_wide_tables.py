"""chainrule/data: tables with thousands of columns are read in time linear in their number."""

import time
import warnings

import numpy as np
import pandas as pd
import pytest

from chainrule.data.cells import plain_columns
from chainrule.data.columns import ColumnOptions, Columns, settled
from chainrule.data.delimited import read_delimited
from chainrule.data.split import table_hashes
from chainrule.data.tables import read_parquet
from chainrule.errors import DataError, DataWarning

MIXED = pd.DataFrame(
    {
        "whole": np.arange(30, dtype=np.int16)[::-1],
        "fraction": np.linspace(-1, 1, 30),
        "gaps": [np.nan, 1.0, 2.0] * 10,
        "word": list("abc") * 10,
        "flag": [True, False, True] * 10,
        "other": np.linspace(0, 5, 30, dtype=np.float32),
    }
)


def numbers_table(n: int, m: int = 25) -> pd.DataFrame:
    values = np.random.default_rng(0).normal(size=(m, n)).round(3)
    return pd.DataFrame(values, columns=[f"c{i}" for i in range(n)])


def seconds(n: int, path) -> float:
    """Return the processor time for writing n columns, reading them and making inputs of them."""
    numbers_table(n).assign(word=["a", "b", "c", "d", "e"] * 5).to_csv(path, index=False)
    start = time.process_time()
    frame = read_delimited(path)
    frame = settled(frame, ColumnOptions())
    columns = Columns.learn(frame)
    assert columns.apply(frame).shape == (25, n + 5)
    table_hashes(frame)
    return time.process_time() - start


def test_the_time_is_linear_in_the_number_of_columns(tmp_path):
    seconds(500, tmp_path / "a.csv")
    short, long = (seconds(n, tmp_path / f"{n}.csv") for n in (1000, 8000))
    assert long < 8 * 2.5 * short + 0.5
    assert long < 15


def test_plain_columns_give_the_same_inputs_as_columns_one_by_one():
    together = Columns.learn(MIXED)
    found = {name for one in plain_columns(MIXED) for name in MIXED.columns[one.at]}
    assert found == {"whole", "fraction", "other"}
    for k, name in enumerate(MIXED):
        alone = Columns.learn(MIXED[[name]].astype(object) if name in found else MIXED[[name]])
        assert alone.columns[0] == together.columns[k]
    np.testing.assert_array_equal(
        together.apply(MIXED),
        np.hstack([Columns.learn(MIXED[[n]]).apply(MIXED[[n]]) for n in MIXED]),
    )
    reordered = together.apply(MIXED[MIXED.columns[::-1]])
    np.testing.assert_array_equal(reordered, together.apply(MIXED))


def test_row_hashes_are_those_of_pandas():
    as_floats = {name: MIXED[name].astype(float) for name in MIXED if name != "word"}
    expected = pd.util.hash_pandas_object(MIXED.assign(**as_floats), index=False)
    np.testing.assert_array_equal(table_hashes(MIXED), expected)


def test_only_the_first_columns_are_warned_of():
    texts = {f"t{i}": [f"{i} {j}" for j in range(40)] for i in range(40)}
    with pytest.warns(DataWarning) as said:
        Columns.learn(pd.DataFrame({"x": np.arange(40.0), **texts}))
    assert len(said) == 6
    assert str(said[-1].message) == (
        "similar warnings apply to 35 more columns: 't5', 't6', 't7', …."
    )
    frame = pd.DataFrame({f"t{i}": list("ab") * 20 for i in range(40)})
    columns = Columns.learn(frame)
    with pytest.warns(DataWarning) as said:
        columns.apply(frame.assign(**{name: "new" for name in frame}))
    assert len(said) == 6


def test_the_names_of_many_columns_are_not_all_listed(tmp_path):
    frame = numbers_table(3000, 3)
    columns = Columns.learn(frame)
    with pytest.raises(DataError) as error:
        columns.apply(frame.iloc[:, ::2])
    assert len(str(error.value)) < 1000
    names = ",".join(["x", "y"] * 2000)
    (tmp_path / "a.csv").write_text(f"{names}\n{names}\n")
    with pytest.raises(DataError, match="unique column names; got 'x', 'y' twice"):
        read_delimited(tmp_path / "a.csv")
    frame.to_parquet(tmp_path / "a.parquet")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_parquet(tmp_path / "a.parquet").shape == (3, 3000)
