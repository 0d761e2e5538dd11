"""Read CSV files, gzipped or not, strictly: a malformed row is reported with its line number.

pandas is fast but lenient: it fills short rows, renames duplicate columns and takes a surplus first
column as the index. Here each of these is an error that names the line. An empty cell, or one that
holds NA, N/A, NaN or null, is a missing value; None is ordinary text.
"""

import csv
import gzip
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from chainrule.errors import DataError, DataWarning

if TYPE_CHECKING:
    import pandas as pd

COMMA = r"[-+]?\d+,\d+"
MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "<NA>", "#N/A"]


def read_delimited(path: Path, as_written: tuple[str | None, ...] = ()) -> "pd.DataFrame":
    """Return the rows below the header; the index holds line numbers.

    Line numbers are exact unless cells contain line breaks. Columns in `as_written` become numbers
    or booleans only if that preserves their text: 007 stays text. Columns without a name are
    dropped.
    """
    import pandas as pd

    with _read_errors(path):
        header, separator = _header(path)
        _check_header(path, header)
        columns = [name or f"unnamed {i}" for i, name in enumerate(header)]
        decimal = _decimal(path, separator)
        texts = {name: str for name in as_written if name in columns}
        try:
            frame = _parse(path, separator, decimal, columns, texts)
        except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
            _check_ragged(path, len(header), separator)
            raise DataError(path.name, "a CSV table", str(error).strip()) from None
        if frame.iloc[:, -1].isna().any():  # a short row ends in a missing value
            _check_ragged(path, len(header), separator)
    for name in texts:
        frame[name] = _as_written(frame[name], decimal)
    if separator == ";":
        for name in [name for name in columns if name not in texts]:
            frame[name] = _with_points(frame[name])
    frame.index = pd.RangeIndex(2, len(frame) + 2, name="line")
    return frame.drop(columns=_unnamed(path, header, columns))


def _parse(
    path: Path, separator: str, decimal: str, columns: list[str], texts: dict
) -> "pd.DataFrame":
    """Parse the rows with pandas; raise an error for surplus cells, even if every row has them."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(
            path,
            sep=separator,
            header=0,
            names=columns,
            index_col=False,
            decimal=decimal,
            dtype=texts,
            keep_default_na=False,
            na_values=MISSING,
            skipinitialspace=True,
            low_memory=False,
            compression="gzip" if _gzipped(path) else None,
        )


def _as_written(series: Any, decimal: str) -> "pd.Series":
    """Convert text values to numbers or booleans, unless that would change how they are written."""
    import pandas as pd

    known = series.dropna()
    if len(known) and known.isin(["True", "False"]).all():
        return series.map({"True": True, "False": False})
    values: Any = pd.to_numeric(known.str.replace(decimal, ".", regex=False), errors="coerce")
    lost = values.dtype.kind in "iu" and (values.astype(str) != known).any()
    return series if values.isna().any() or lost else values.reindex(series.index)


def _decimal(path: Path, separator: str) -> str:
    """Return the decimal sign: a comma if cells are separated by ; and hold numbers such as 1,5."""
    if separator != ";":
        return "."
    cells = (cell for _, row in islice(_rows(path, separator), 100) for cell in row)
    return "," if any(re.fullmatch(COMMA, cell) for cell in cells) else "."


def _with_points(series: Any) -> "pd.Series":
    """Replace decimal commas by points, and return numbers if the column holds nothing else.

    The decimal sign is inferred from the first rows only, and one cell there must not turn the
    other columns into text.
    """
    import pandas as pd

    if series.dtype.kind in "biuf" or not any(isinstance(cell, str) for cell in series):
        return series

    def pointed(cell: Any) -> Any:
        comma = isinstance(cell, str) and re.fullmatch(COMMA, cell)
        return cell.replace(",", ".") if comma else cell

    cells: Any = series.astype(object).map(pointed)
    values: Any = pd.to_numeric(cells, errors="coerce")
    return cells if (values.isna() & series.notna()).any() else values


def _gzipped(path: Path) -> bool:
    """Return whether the file name ends in .gz."""
    return path.suffix.lower() == ".gz"


def _open(path: Path) -> gzip.GzipFile | IO[bytes]:
    """Open the file for reading bytes, decompressing .gz."""
    return gzip.open(path) if _gzipped(path) else path.open("rb")


def _rows(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the first line number and the cells of each row; empty lines are skipped.

    A row that cannot be read, because an unclosed quote swallows the rest of the file, has no
    cells.
    """
    with _open(path) as file, TextIOWrapper(file, "utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=separator, skipinitialspace=True)
        line = 1
        try:
            for row in reader:
                if row:
                    yield line, row
                line = reader.line_num + 1
        except csv.Error:
            yield line, []


def _header(path: Path) -> tuple[list[str], str]:
    """Return the column names and the separator: a comma, a semicolon, a tab or a bar."""
    with _open(path) as file:
        first = next((line for line in file if line.strip()), b"")
    separator = max(",;\t|", key=first.decode("utf-8", "replace").count)
    _, header = next(_rows(path, separator), (0, []))
    if not "".join(header).strip():
        hint = "another file: this one holds no text"
        raise DataError(path.name, "a header and rows", "an empty file", hint)
    return [name.strip() for name in header], separator


def _check_header(path: Path, header: list[str]) -> None:
    """Refuse duplicate column names."""
    duplicates = sorted({name for name in header if name and header.count(name) > 1})
    if duplicates:
        hint = "renaming one of them"
        got = f"{_listed(duplicates)} twice"
        raise DataError(f"{path.name}, line 1", "unique column names", got, hint)


def _check_ragged(path: Path, n: int, separator: str) -> None:
    """Refuse the first row with more or fewer cells than the header."""
    for line, cells in _rows(path, separator):
        if len(cells) != n:
            where, got = f"{path.name}, line {line}", str(len(cells) or "an unclosed quote")
            hint = "quoting cells that contain the separator, or closing an open quote"
            raise DataError(where, f"{n} cells, as in the header", got, hint)


def _unnamed(path: Path, header: list[str], columns: list[str]) -> list[str]:
    """Return the columns without a name, probably a saved row index, with one warning."""
    found = [column for name, column in zip(header, columns, strict=True) if not name]
    if found:
        message = f"{path.name}: ignored a column without a name (a saved row index?)."
        warnings.warn(message, DataWarning, stacklevel=4)
    return found


def _listed(names: list[str]) -> str:
    """Return the first names, quoted."""
    return ", ".join(repr(name) for name in names[:5])


@contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    """Turn decoding errors into DataError."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        hint = "copying or downloading it again"
        raise DataError(
            path.name, "a complete gzip file", f"a damaged one ({error})", hint
        ) from None
    except UnicodeDecodeError:
        raise _not_utf8(path) from None


def _not_utf8(path: Path) -> DataError:
    """Return the error for the first line that is not UTF-8."""
    hint = 'saving it again as UTF-8 (in a spreadsheet: "CSV UTF-8")'
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                where, got = f"{path.name}, line {number}", f"the byte 0x{line[error.start]:02x}"
                return DataError(where, "text in UTF-8", got, hint)
    return DataError(path.name, "text in UTF-8", "another encoding", hint)
