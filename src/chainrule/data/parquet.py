"""Read a Parquet file as a table, with the column types stored in it."""

from pathlib import Path
from typing import TYPE_CHECKING

from chainrule.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    import pandas as pd


def read_parquet(path: Path) -> "pd.DataFrame":
    """Read all columns; an unnamed index saved by pandas is dropped.

    This does not use `pandas.read_parquet`, which hides columns that pandas once used as an index.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError(path.name, "pyarrow", "data") from None
    try:
        with parquet.ParquetFile(path) as file:
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        got = f"a damaged one ({str(error).splitlines()[0].rstrip('.')})"
        hint = "copying or downloading it again"
        raise DataError(path.name, "a complete Parquet file", got, hint) from None
    names = table.column_names
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        got = ", ".join(repr(name) for name in duplicates) + " twice"
        raise DataError(path.name, "unique column names", got, "renaming one of them")
    columns = [name for name in names if not name.startswith("__index_level_")]
    return table.select(columns).to_pandas(ignore_metadata=True)
