"""Read the table columns that are not features: labels, groups, time and weights, all complete."""

from typing import TYPE_CHECKING

import numpy as np

from chainrule.data.cells import first, numbers, place
from chainrule.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def read_labels(columns: list["pd.Series"]) -> np.ndarray:
    """Return the labels (m,) as written, or (m, k) numbers if several columns are named."""
    for series in columns:
        _check_complete("--target", series)
    if len(columns) > 1:
        return np.column_stack([numbers(series).astype(np.float64) for series in columns])
    return columns[0].to_numpy()


def read_groups(series: "pd.Series") -> np.ndarray:
    """Return the group of each row, (m,)."""
    _check_complete("--group", series)
    return series.to_numpy()


def read_weights(series: "pd.Series") -> np.ndarray:
    """Return the weight of each row, (m,): numbers of at least 0, not all 0."""
    _check_complete("--weight", series)
    weights = numbers(series).astype(np.float64)
    where = f"--weight, column {series.name!r}"
    if (weights < 0).any():
        at = first(weights < 0)
        got = f"{weights[at]:g} ({place(series, at)})"
        hint = "0 for a row that should not count"
        raise DataError(where, "a number of at least 0", got, hint)
    if not weights.any():
        hint = "another column, or removing --weight"
        raise DataError(where, "a weight greater than 0", "0 in every row", hint)
    return weights


def read_time(series: "pd.Series") -> np.ndarray:
    """Return the time of each row, (m,), as numbers or datetime64."""
    import pandas as pd

    _check_complete("--time", series)
    if pd.api.types.is_numeric_dtype(series.dtype):
        return numbers(series)
    moments = pd.to_datetime(series, format="ISO8601", errors="coerce", utc=True)
    if moments.isna().any():
        at = first(moments.isna().to_numpy())
        raise DataError(
            f"--time, column {series.name!r}",
            "numbers, or dates such as 2024-01-31 or 2024-01-31 12:30",
            f"{series.iloc[at]!r} ({place(series, at)})",
            "writing the dates with the year first",
        )
    return moments.dt.tz_localize(None).to_numpy()


def _check_complete(option: str, series: "pd.Series") -> None:
    """Refuse empty cells."""
    missing = series.isna().to_numpy()
    if not missing.any():
        return
    n = int(missing.sum())
    got = f"{n:,} empty cell{'' if n == 1 else 's'}, the first in {place(series, first(missing))}"
    where = f"{option}, column {series.name!r}"
    raise DataError(where, "a value in every row", got, "removing these rows, or filling the cells")
