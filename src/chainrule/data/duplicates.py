"""Find rows that occur in two sets: counting them makes the dev score too optimistic."""

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
    """Count, for each pair of sets, the rows of the later one that also occur in the earlier one.

    Only values are compared, not types: 1, 1.0 and True are equal.

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
    """Return a hash of each row of a table."""
    import pandas as pd
    from pandas import util
    from pandas.api.types import is_numeric_dtype

    def comparable(column):
        return column.astype(float) if is_numeric_dtype(column) else column

    columns = pd.DataFrame({name: comparable(X[name]) for name in X.columns})
    hash_rows: Any = util.hash_pandas_object  # loaded lazily by pandas, so its type is unknown
    return hash_rows(columns, index=False).to_numpy()


def array_hashes(X: Any, dtype: np.dtype) -> np.ndarray:
    """Return a hash of each row of an array; rows that are not in memory are read in chunks."""
    known = getattr(X, "hashes", None) if dtype == np.uint8 else None
    if known is not None:
        return known
    hashes = np.empty(len(X), np.uint64)
    n_x = int(np.prod(X.shape[1:]))
    chunk = max(1, 10**6 // max(1, n_x))  # bounds the memory of the conversion to float
    for start in range(0, len(X), chunk):
        rows = np.asarray(X[start : start + chunk])
        rows = rows.astype(dtype, order="C") + dtype.type(0)  # -0.0 is 0.0
        for i, row in enumerate(rows.reshape(len(rows), -1), start):
            hashes[i] = row_hash(row)
    return hashes


def row_hash(row: np.ndarray) -> int:
    """Return the first 8 bytes of the BLAKE2 hash of the values, as an integer."""
    values: Any = np.ascontiguousarray(row)
    return int.from_bytes(hashlib.blake2b(values, digest_size=8).digest())
