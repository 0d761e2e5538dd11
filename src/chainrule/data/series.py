"""Read one column of a table as a series of numbers, in row order."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainrule.data.cells import by_name, first, kind_of, numbers, place
from chainrule.data.delimited import read_delimited
from chainrule.data.parquet import read_parquet
from chainrule.data.sources import TABLES, find
from chainrule.errors import DataError, OptionError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd


class Series(NamedTuple):
    """The name of a column, and its values in float64."""

    name: str
    values: np.ndarray


def read_series(path: str | os.PathLike[str], column: str | None = None) -> Series:
    """Return a column of a .csv, .csv.gz or .parquet file; by default the only one with numbers.

    Raises DataError for empty cells and for anything but numbers, and OptionError for a column that
    does not exist.
    """
    file, _ = find(os.fspath(path))
    columns = by_name(_table(file))
    series = columns[_chosen(file.name, columns, column)]
    where = f"{file.name}, column {series.name!r}"
    kind = kind_of(series)
    if kind != "numbers":
        got = (
            "only empty cells" if kind == "nothing" else f"text such as {series.dropna().iloc[0]!r}"
        )
        raise DataError(where, "numbers", got, f"another column: {_listed(columns)}")
    values = np.asarray(numbers(series), np.float64)
    empty = np.isnan(values)
    if empty.any():
        got = f"an empty cell in {place(series, first(empty))}"
        hint = "removing the row, or repeating the value before it"
        raise DataError(where, "a number in every row", got, hint)
    return Series(str(series.name), values)


def _table(file: Path) -> "pd.DataFrame":
    """Read the file; it must be a table with at least one row."""
    if file.is_dir() or not file.name.lower().endswith(TABLES):
        suffix = f"suffix {file.suffix}" if file.suffix else "no suffix"
        got = "a folder" if file.is_dir() else f"a file with {suffix}"
        hint = "a table with one row per value"
        raise DataError(str(file), f"one of {', '.join(TABLES)}", got, hint)
    frame = read_parquet(file) if file.suffix.lower() == ".parquet" else read_delimited(file)
    if not len(frame):
        raise DataError(file.name, "rows", "only a header", "a file with one row per value")
    return frame


def _chosen(file: str, columns: dict[str, "pd.Series"], column: str | None) -> str:
    """Return the named column, or the only one with numbers."""
    if column is not None:
        if column not in columns:
            hint = did_you_mean(column, columns)
            raise OptionError("--column", f"a column of {file}", repr(column), hint)
        return column
    if len(columns) == 1:
        return next(iter(columns))
    with_numbers = [name for name, series in columns.items() if series.dtype.kind in "iuf"]
    if len(with_numbers) != 1:
        got = f"no name, and {len(with_numbers)} columns with numbers"
        raise OptionError(
            "--column", f"the name of a column of {file}", got, did_you_mean("", columns)
        )
    return with_numbers[0]


def _listed(columns: dict[str, "pd.Series"]) -> str:
    """Return the first column names."""
    return ", ".join(list(columns)[:20])
