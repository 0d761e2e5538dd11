"""Rows that stand in two parts: a dev score that counts them is too good."""

import hashlib
from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def duplicates_across(
    X_by_part: "Mapping[str, pd.DataFrame | np.ndarray]",
) -> dict[tuple[str, str], int]:
    """For each two parts, how many rows of the later one stand in the earlier one too.

    Values count, types do not: 1, 1.0 and True are the same.

    >>> duplicates_across({"train": np.eye(3), "test": np.eye(3)[[1, 1]]})
    {('train', 'test'): 2}
    """
    arrays: dict[str, Any] = dict(X_by_part)
    if not any(hasattr(X, "iloc") for X in arrays.values()):
        as_bytes = all(X.dtype == np.uint8 for X in arrays.values())
        dtype = np.dtype(np.uint8 if as_bytes else float)
        hashes = {part: array_hashes(X, dtype) for part, X in arrays.items()}
    else:
        hashes = {part: table_hashes(X) for part, X in X_by_part.items()}
    return {
        (first, second): int(np.isin(hashes[second], hashes[first]).sum())
        for first, second in combinations(hashes, 2)
    }


def table_hashes(X: Any) -> np.ndarray:
    """A number for each row of a table."""
    import pandas as pd
    from pandas import util
    from pandas.api.types import is_numeric_dtype

    def comparable(column):
        return column.astype(float) if is_numeric_dtype(column) else column

    columns = pd.DataFrame({name: comparable(X[name]) for name in X.columns})
    hash_rows: Any = util.hash_pandas_object  # the package loads it on demand: no type is known
    return hash_rows(columns, index=False).to_numpy()


def array_hashes(X: Any, dtype: np.dtype) -> np.ndarray:
    """A number for each row of an array; rows that are not in memory are read in parts."""
    known = getattr(X, "hashes", None) if dtype == np.uint8 else None
    if known is not None:
        return known
    hashes = np.empty(len(X), np.uint64)
    n_x = int(np.prod(X.shape[1:]))
    chunk = max(1, 10**6 // max(1, n_x))  # what a conversion to float may cost at a time
    for start in range(0, len(X), chunk):
        rows = np.asarray(X[start : start + chunk])
        rows = rows.astype(dtype, order="C") + dtype.type(0)  # -0.0 is 0.0
        for i, row in enumerate(rows.reshape(len(rows), -1), start):
            hashes[i] = row_hash(row)
    return hashes


def row_hash(row: np.ndarray) -> int:
    """The first 8 bytes of the BLAKE2 of the values."""
    values: Any = np.ascontiguousarray(row)
    return int.from_bytes(hashlib.blake2b(values, digest_size=8).digest())
