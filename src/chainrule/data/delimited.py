"""A CSV file, gzipped or not, read as it stands: a row that does not fit is named by its line.

pandas reads fast and forgives much: it fills short rows, renames repeated columns, takes a surplus
first column for an index. Here each of these is an error that says the line. An empty cell, or one
that holds NA, N/A, NaN or null, is a missing value; None is a word like any other.
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
    """The rows under the header; the index is the line of each, when no cell holds a line break.

    The columns of `as_written` become numbers or booleans only if these are written the same: 007
    stays text. Columns without a name are left out.
    """
    import pandas as pd

    with _said(path):
        header, separator = _header(path)
        _check_header(path, header)
        columns = [name or f"unnamed {i}" for i, name in enumerate(header)]
        decimal = _decimal(path, separator)
        texts = {name: str for name in as_written if name in columns}
        try:
            frame = _parse(path, separator, decimal, columns, texts)
        except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
            _check_ragged(path, len(header), separator)
            raise DataError(path.name, "a table in CSV", str(error).strip()) from None
        if frame.iloc[:, -1].isna().any():  # a short row ends in a gap
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
    """The rows, as pandas reads them; surplus cells in every row are an error too."""
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
    """The numbers or booleans that these texts are, or the texts where something would be lost."""
    import pandas as pd

    known = series.dropna()
    if len(known) and known.isin(["True", "False"]).all():
        return series.map({"True": True, "False": False})
    values: Any = pd.to_numeric(known.str.replace(decimal, ".", regex=False), errors="coerce")
    lost = values.dtype.kind in "iu" and (values.astype(str) != known).any()
    return series if values.isna().any() or lost else values.reindex(series.index)


def _decimal(path: Path, separator: str) -> str:
    """A comma where semicolons separate the cells and the first rows hold numbers such as 1,5."""
    if separator != ";":
        return "."
    cells = (cell for _, row in islice(_rows(path, separator), 100) for cell in row)
    return "," if any(re.fullmatch(COMMA, cell) for cell in cells) else "."


def _with_points(series: Any) -> "pd.Series":
    """A column of texts with a point in each number, and numbers where it holds nothing else.

    Whether the file writes 1,5 or 1.5 is told from its first rows, and one cell among them must not
    make texts of the other columns.
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
    return path.suffix.lower() == ".gz"


def _open(path: Path) -> gzip.GzipFile | IO[bytes]:
    return gzip.open(path) if _gzipped(path) else path.open("rb")


def _rows(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The line each row starts on and its cells; empty lines are left out.

    A row that cannot be read, since an open quote swallows the rest of the file, has no cells.
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
    """The names of the columns, and what separates them: a comma, a semicolon, a tab or a bar."""
    with _open(path) as file:
        first = next((line for line in file if line.strip()), b"")
    separator = max(",;\t|", key=first.decode("utf-8", "replace").count)
    _, header = next(_rows(path, separator), (0, []))
    if not "".join(header).strip():
        hint = "another file: this one holds no text at all"
        raise DataError(path.name, "a header and rows", "an empty file", hint)
    return [name.strip() for name in header], separator


def _check_header(path: Path, header: list[str]) -> None:
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        hint = "another name for one of them"
        raise DataError(f"{path.name}, line 1", "each name once", _listed(twice) + " twice", hint)


def _check_ragged(path: Path, n: int, separator: str) -> None:
    """Refuse the first row that has more or fewer cells than the header."""
    for line, cells in _rows(path, separator):
        if len(cells) != n:
            where, got = f"{path.name}, line {line}", str(len(cells) or "more than can be read")
            hint = "quotes around a cell that holds a comma, or a look for a quote never closed"
            raise DataError(where, f"{n} cells, as in the header", got, hint)


def _unnamed(path: Path, header: list[str], columns: list[str]) -> list[str]:
    """The columns without a name, which is how a saved row index looks; said once."""
    found = [column for name, column in zip(header, columns, strict=True) if not name]
    if found:
        words = f"{path.name}: a column without a name is left out (a saved row index?)."
        warnings.warn(words, DataWarning, stacklevel=4)
    return found


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names[:5])


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Bytes that cannot be read, in our words."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        hint = "copying or downloading it again"
        raise DataError(path.name, "a whole gzip file", f"damage: {error}", hint) from None
    except UnicodeDecodeError:
        raise _not_utf8(path) from None


def _not_utf8(path: Path) -> DataError:
    """The first line that is not UTF-8."""
    hint = 'saving it again as UTF-8 (in a spreadsheet: "CSV UTF-8")'
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                where, got = f"{path.name}, line {number}", f"the byte 0x{line[error.start]:02x}"
                return DataError(where, "text in UTF-8", got, hint)
    return DataError(path.name, "text in UTF-8", "other bytes", hint)
