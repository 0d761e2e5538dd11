"""A Parquet file as a table, with the types it was written with."""

from pathlib import Path
from typing import TYPE_CHECKING

from chainrule.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    import pandas as pd


def read_parquet(path: Path) -> "pd.DataFrame":
    """All of its columns; an index that pandas saved without a name is left out.

    Not through `pandas.read_parquet`, which hides the columns that pandas once used as an index.
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
        got = f"damage: {str(error).splitlines()[0].rstrip('.')}"
        hint = "copying or downloading it again"
        raise DataError(path.name, "a whole Parquet file", got, hint) from None
    names = table.column_names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        got = ", ".join(repr(name) for name in twice) + " twice"
        raise DataError(path.name, "each name once", got, "another name for one of them")
    kept = [name for name in names if not name.startswith("__index_level_")]
    return table.select(kept).to_pandas(ignore_metadata=True)
