"""Read CSV files, gzipped or not, strictly: a malformed row is reported with its line number.

pandas is fast but lenient: it fills short rows, renames duplicate columns and takes a surplus first
column as the index. Here each of these is an error that names the line. An empty cell, or one that
holds NA, N/A, NaN or null, is a missing value; None is ordinary text.

How numbers are written is decided once for the whole file, from all of its cells:

    12,5         the comma is the decimal separator
    12.5         the point is the decimal separator
    1.250,5      the last of two different separators is the decimal separator
    1,234,567    a separator that occurs twice is the thousands separator
    1.250        the point can be either of them; other cells of the file decide

The apostrophe that `csv_cells.py` writes in front of a formula is removed.

A file in which two cells contradict each other is refused. Numbers with leading zeros, such as the
postcode 02139, are text.
"""

import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.data.cells import MANY, check_column_count, with_columns, without_blanks
from chainrule.data.csv_cells import original_cell, restored
from chainrule.data.files import read_text_bytes
from chainrule.data.units import NUMBER, OTHER, decimal_sign
from chainrule.errors import DataError, DataWarning
from chainrule.formatting import count_of

if TYPE_CHECKING:
    import pandas as pd

MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "<NA>", "#N/A"]
SEPARATORS = ",;\t|"
NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
OTHER_ENCODING = "another encoding"
SAMPLE = 100  # rows that decide the separator
LARGEST_WHOLE = 2**53  # whole numbers beyond are not all exact in float64


def read_delimited(
    path: Path,
    as_written: Sequence[str | None] = (),
    texts: Sequence[str] = (),
    quantities: Sequence[str | None] = (),
    verbatim: str | None = None,
) -> "pd.DataFrame":
    """Return the rows below the header; the index holds line numbers.

    as_written  columns of labels or keys, which become numbers or booleans only if no two of their
                texts become equal and no digit is lost; 007 stays text
    texts       columns that stay text, whatever they hold
    quantities  those of `as_written` in which 3.1 and 3.10 may become the same number
    verbatim    a column of text whose cells keep their blanks; only an empty one is missing

    Columns without a name are dropped. Blank lines are skipped, except in a file with one column,
    where each of them is a missing value.
    """
    with _read_errors(path):
        file = _open(path)
        _check_header(path, file)
        columns = [name or f"unnamed {i}" for i, name in enumerate(file.header)]
        known = set(columns)
        labels = {name for name in as_written if name in known}
        kept = labels | known.intersection(texts)
        frame = _parse(path, file, columns, kept, labels)
        if frame.iloc[:, -1].isna().any():  # a short row ends in a missing value
            _check_ragged(path, file)
        as_text = {*texts, *(labels - set(quantities))}
        free = [name for name in columns if name not in as_text]
        frame = _read_grouped(path, file, frame, free, labels)
        lossless = {name: None if name in texts else name not in quantities for name in labels}
        read = {name: _labels(path, frame[name], how) for name, how in lossless.items()}
        if verbatim in known:
            stripped: Any = frame[verbatim]
            read[verbatim] = _verbatim(path, file, columns, verbatim, stripped)
        frame = with_columns(frame, read)
        frame.index = _lines(path, file, len(frame))
        if len(columns) > MANY:  # pandas is slow for columns in separate arrays; a copy joins them
            frame = frame.copy()
    return frame.drop(columns=_unnamed(path, file.header, columns))


class _File(NamedTuple):
    """The content of a file: its header, how its cells are separated, and the rows below.

    below  the bytes below the header; first  the number of their first line
    """

    header: list[str]
    separator: str
    below: bytes
    first: int


def _open(path: Path) -> _File:
    """Read the file, and find its header and its separator."""
    content = read_text_bytes(path).removeprefix(b"\xef\xbb\xbf")
    if b"\0" in content:
        raise _zero_byte(path, content)
    try:
        named = re.match(rb'"?sep=([,;\t|])"?\r?\n', content, re.IGNORECASE)  # written by Excel
        above = 1 if named else 0
        content = content[named.end() :] if named else content
        separator = named.group(1).decode() if named else _separator(content)
        found = ((end, row) for _, end, row in _rows(content, separator) if "".join(row).strip())
        lines, header = next(found, (0, []))
    except UnicodeDecodeError:
        raise _not_utf8(path, content) from None
    if not header and content.strip():
        got = f"a quote that is not closed, or more than {csv.field_size_limit():,} characters"
        hint = "closing the quote, or another separator"
        raise DataError(f"{path.name}, line {above + 1}", "the names of the columns", got, hint)
    if not header:
        hint = "another file: this one holds no text"
        raise DataError(path.name, "a header and rows", "an empty file", hint)
    below = _after(content, lines)
    if len(header) == 1:
        below = below.rstrip()
    names = [original_cell(name.strip()) for name in header]
    changed = [new for name, new in zip(header, names, strict=True) if name.strip() != new]
    _warn_restored(path, len(changed), changed[:1])
    return _File(names, separator, below, above + lines + 1)


def _warn_restored(path: Path, count: int, cells: Sequence[str]) -> None:
    """Warn of the cells from which an apostrophe was removed."""
    if count:
        texts = "1 text" if count == 1 else f"{count:,} texts"
        what = f"the apostrophe in front of {texts}, such as {cells[0]!r}, is left out"
        message = f"{path.name}: {what}; it keeps a spreadsheet from running a formula."
        warnings.warn(message, DataWarning, stacklevel=6)


def _after(content: bytes, lines: int) -> bytes:
    """Return the content without this number of lines at the beginning."""
    ends = re.finditer(rb"\r\n|\n|\r", content)
    last = next(islice(ends, lines - 1, None), None)
    return content[last.end() :] if last else b""


def _separator(content: bytes) -> str:
    """Return the separator outside of quotes that splits the first rows as it splits the header.

    It is the separator that splits the most rows into as many cells as the header; if several do,
    the one that gives the most cells.
    """
    best, score = ",", (0.0, 1)
    for separator in SEPARATORS:
        rows = [row for _, _, row in islice(_rows(content, separator), SAMPLE) if any(row)]
        if not rows or len(rows[0]) < 2:
            continue
        share = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        if (share, len(rows[0])) > score:
            best, score = separator, (share, len(rows[0]))
    return best


def _rows(content: bytes, separator: str) -> Iterator[tuple[int, int, list[str]]]:
    """Yield the first and last line number and the cells of each row, including blank rows.

    A row that cannot be read, because an unclosed quote swallows the rest of the file, has no
    cells.
    """
    text = io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="")
    reader = csv.reader(text, delimiter=separator, skipinitialspace=True)
    line = 1
    try:
        for row in reader:
            yield line, reader.line_num, row
            line = reader.line_num + 1
    except csv.Error:
        yield line, line, []


def _is_blank(row: list[str], n: int) -> bool:
    """Return whether a row of a table with n columns is a blank line."""
    return not row or (len(row) == 1 and n > 1 and not row[0].strip())


def _parse(
    path: Path, file: _File, columns: list[str], kept: set[str], labels: set[str]
) -> "pd.DataFrame":
    """Parse the rows with pandas; columns with leading zeros stay text, and blanks are stripped."""
    import pandas as pd

    texts: Any = dict.fromkeys(kept, str)
    if re.search(rb'(?:^|[\r\n,;\t|])[ ]*+"?[ ]*+[-+]?0\d', file.below):
        cells = _read_csv(path, file, columns, str, labels)
        zeros = [name for name in columns if _has_leading_zeros(cells[name])]
        texts |= dict.fromkeys(zeros, str)
    frame = _restored(path, file, _read_csv(path, file, columns, texts, labels))
    changed: dict[str, pd.Series] = {}
    for name, dtype in zip(columns, frame.dtypes, strict=True):
        if not pd.api.types.is_numeric_dtype(dtype):
            missing = [""] if name in labels else MISSING
            changed[name] = _stripped(frame[name], missing, numeric=name not in texts)
    return with_columns(frame, changed)


def _restored(path: Path, file: _File, frame: "pd.DataFrame") -> "pd.DataFrame":
    """Return the table without the apostrophes that `csv_cells.py` puts in front of formulas."""
    if b"'" not in file.below:
        return frame
    count, cells, changed = 0, [], {}
    for name, series in frame.items():
        if series.dtype.kind not in "biuf" and (new := restored(series)) is not series:
            different = (new != series) & series.notna()
            count, cells = count + int(different.sum()), [*cells, *new[different][:1]]
            changed[name] = new
    _warn_restored(path, count, cells)
    return with_columns(frame, changed)


def _read_csv(
    path: Path,
    file: _File,
    columns: list[str],
    dtype: Any,
    labels: Collection[str],
    *,
    skip: bool = True,
    only: str | None = None,
) -> "pd.DataFrame":
    """Parse the rows; an error is raised for surplus cells, even if every row has them.

    In columns of labels, only an empty cell is a missing value. `skip` leaves out the blanks after
    a separator, and `only` names the one column that is read.
    """
    import pandas as pd

    if not file.below.strip(b"\r\n"):
        return pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.BytesIO(file.below),
                sep=file.separator,
                header=None,
                names=columns,
                index_col=False,
                dtype=dtype,
                keep_default_na=False,
                na_values={name: [""] if name in labels else MISSING for name in columns},
                skipinitialspace=skip,
                usecols=None if only is None else [only],
                skip_blank_lines=len(columns) > 1,
                low_memory=False,
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        _check_ragged(path, file)
        last = re.search(r"EOF inside string starting at row ([0-9]+)", str(error))
        if last:
            line = _line_numbers(file)[min(int(last[1]), len(_line_numbers(file)) - 1)]
            where, got = f"{path.name}, line {line}", "an unclosed quote"
            raise DataError(where, "a quote at the end of the cell", got, "closing it") from None
        hint = "checking the quotes and the separators in the file"
        raise DataError(path.name, "a CSV table", str(error).strip(), hint) from None


def _verbatim(
    path: Path, file: _File, columns: list[str], name: str, stripped: "pd.Series"
) -> "pd.Series":
    """Return the texts of a column with the blanks around them.

    Where a blank stands between a separator and a quote, the blanks belong to the format.
    """
    separator = file.separator.encode()
    blanks = b" " if separator == b"\t" else b" \t"
    form = re.compile(rb'(?:^|[\r\n]|%s)[%s]+"' % (re.escape(separator), blanks))
    skip = form.search(file.below) is not None
    cells: Any = _read_csv(path, file, columns, str, {name}, skip=skip, only=name)[name]
    return restored(cells) if len(cells) == len(stripped) else stripped


def _stripped(series: Any, missing: Sequence[str], *, numeric: bool) -> "pd.Series":
    """Strip blanks around the cells of a column of text; one that is then empty is missing.

    If only numbers remain, return numbers where the column may be `numeric`.
    """
    import pandas as pd

    stripped = without_blanks(series)
    if stripped is series:
        return series
    stripped = stripped.mask(stripped.isin(list(missing)))
    values: Any = pd.to_numeric(stripped, errors="coerce")
    return values if numeric and (values.notna() | stripped.isna()).all() else stripped


LEADING_ZEROS = r"[-+]?0[0-9]+"


def _has_leading_zeros(series: Any) -> bool:
    """Return whether a whole number with leading zeros occurs in a column of numbers."""
    found = series.dropna().str.strip().drop_duplicates()
    zeros = found.str.fullmatch(LEADING_ZEROS).to_numpy(bool)
    return bool(zeros.any()) and bool(found.str.fullmatch(NUMBER).all())


def _labels(path: Path, series: Any, lossless: bool | None) -> "pd.Series":
    """Return labels as numbers or booleans if no information is lost, otherwise as text.

    `lossless` is explained in `_numbers_of`.
    A label written NA is a missing value among numbers, and a separate class among other texts.
    """
    words = series.isin(MISSING)
    if words.any():
        others = _numbers_of(series.mask(words), lossless)
        if lossless is not None and others.dtype.kind in "biuf":
            return others
        word, count = series[words].iloc[0], int(words.sum())
        some = f"{word!r} in {count:,} row{'' if count == 1 else 's'}"
        message = f"{path.name}, column {series.name!r}: {some} is read as a label"
        hint = "leave the cell empty if the label is unknown"
        warnings.warn(f"{message}; {hint}.", DataWarning, stacklevel=5)
    return _numbers_of(series, lossless)


def _numbers_of(series: Any, lossless: bool | None) -> "pd.Series":
    """Convert labels to numbers or booleans, unless that changes how one of them is written.

    If `lossless` is False, fractions are converted even if their text changes (3.10 becomes 3.1);
    if it is None, nothing is converted.
    """
    import pandas as pd

    known = series.dropna()
    if not len(known) or lossless is None:
        return series
    if known.isin(["True", "False"]).all():
        return series.map({"True": True, "False": False})
    different = known.drop_duplicates()
    values: Any = pd.to_numeric(different, errors="coerce")
    if values.isna().any():
        return series
    exact = values.astype(object).map(str) == different
    if lossless or values.dtype.kind in "iu":
        return pd.to_numeric(series) if exact.all() else series  # pyright: ignore
    whole = different.str.fullmatch(r"[-+]?[0-9]+")
    too_long = (values[whole].abs() > LARGEST_WHOLE).any()
    if too_long or different[whole].str.match(LEADING_ZEROS).any():
        return series
    return pd.to_numeric(series)  # pyright: ignore


# How numbers are written

MOSTLY = 0.5  # a column with this share of numbers is evidence of how numbers are written


def _read_grouped(
    path: Path, file: _File, frame: Any, columns: list[str], labels: set[str]
) -> "pd.DataFrame":
    """Return the table with the numbers that have a decimal comma or a thousands separator.

    Most files have no such numbers; the columns that pandas read as numbers are then right.
    """
    plain = dict(zip(frame, frame.dtypes, strict=True))
    if not any(plain[name].kind not in "biuf" and _has_signs(frame[name]) for name in columns):
        return frame
    cells = _read_csv(path, file, list(frame), str, labels)
    read = {name: _Column.of(cells[name], [""] if name in labels else MISSING) for name in columns}
    evident = [column for column in read.values() if column.share >= MOSTLY]
    decimal = _decided(path, file, evident)
    changed = {
        name: _plain_numbers(column, decimal, name in labels)
        for name, column in read.items()
        if column.has_signs and column.share >= MOSTLY
    }
    return with_columns(frame, changed)


def _has_signs(series: Any) -> bool:
    """Return whether a text column holds a number with a comma or a thousands separator."""
    found = series.dropna().drop_duplicates()
    text = found[[isinstance(cell, str) for cell in found]]
    return bool(text.str.fullmatch(r"\s*[-+]?[\d.]*(?:,\d+|\.\d{3}\.\d{3})[\d.,]*\s*").any())


class _Column(NamedTuple):
    """The distinct texts of a column, and the decimal separator of each of them.

    codes  the index of each cell's text, −1 for a missing value
    share  the share of the cells that are numbers
    """

    series: Any
    codes: np.ndarray
    found: list[str]
    signs: list[str | None]
    share: float

    @classmethod
    def of(cls, series: Any, missing: Sequence[str]) -> "_Column":
        """Find the decimal separator in every distinct text of a column."""
        import pandas as pd

        stripped = series.str.strip()
        codes, found = pd.factorize(stripped.mask(stripped.isin(missing)))
        signs = [decimal_sign(cell) for cell in found]
        counts = np.bincount(codes[codes >= 0], minlength=len(found))
        number = np.array([sign is not None for sign in signs], bool)
        share = counts[number].sum() / max(1, counts.sum())
        return cls(series, codes, list(found), signs, float(share))

    @property
    def has_signs(self) -> bool:
        """Return whether a number with a comma or a point occurs."""
        return any(
            sign is not None and ("," in cell or "." in cell)
            for cell, sign in zip(self.found, self.signs, strict=True)
        )

    def first(self, decimal: str, sign: str = "") -> tuple[str, int] | None:
        """Return the first number that shows this decimal separator, and its row.

        With `decimal` "", it is the first ambiguous number that contains `sign`.
        """
        for i, (cell, proved) in enumerate(zip(self.found, self.signs, strict=True)):
            if proved == decimal and sign in cell:
                return cell, int(np.argmax(self.codes == i))
        return None


def _decided(path: Path, file: _File, columns: list[_Column]) -> str:
    """Return the decimal separator of the file; refuse a file that uses two of them."""

    def first(decimal: str, sign: str = "") -> tuple[str, int] | None:
        return next(filter(None, (column.first(decimal, sign) for column in columns)), None)

    point, comma = first("."), first(",")
    open_point, open_comma = first("", "."), first("", ",")
    if not point and not comma and open_point and open_comma:
        point, comma = open_point, open_comma
    if point and comma:
        lines = _line_numbers(file)
        pair = sorted((point, comma), key=lambda proof: proof[1])
        got = " and ".join(f"{cell} (line {lines[row]})" for cell, row in pair)
        hint = "writing all numbers of the file in the same way"
        raise DataError(path.name, "the same decimal separator throughout the file", got, hint)
    if comma or point:
        return "," if comma else "."
    if not open_comma:
        return "."
    cell, row = open_comma
    decimal = "." if file.separator == "," else ","
    value = cell.replace(",", "" if decimal == "." else ".")
    how = f"a comma as the {'thousands' if decimal == '.' else 'decimal'} separator"
    where = f"{path.name}, line {_line_numbers(file)[row]}"
    reason = "no other number in the file shows which separator is meant"
    message = f"{where}: {cell} is read as {value}, with {how}; {reason}."
    warnings.warn(message, DataWarning, stacklevel=6)
    return decimal


def _plain_numbers(column: _Column, decimal: str, kept: bool) -> "pd.Series":
    """Return a column whose numbers have a decimal point and no thousands separators.

    Numbers are returned if every cell is a number. A column that is kept as written stays text; if
    it also holds other words, its original texts are returned.
    """
    import pandas as pd

    plain = [
        cell if sign is None else cell.replace(OTHER[decimal], "").replace(decimal, ".")
        for cell, sign in zip(column.found, column.signs, strict=True)
    ]
    words = [cell for cell, sign in zip(column.found, column.signs, strict=True) if sign is None]
    cells = np.array([*(column.found if kept and words else plain), np.nan], object)
    series = pd.Series(cells[column.codes], column.series.index, name=column.series.name)
    if words or kept or any(re.fullmatch(LEADING_ZEROS, cell) for cell in plain):
        return series
    return pd.to_numeric(series)  # pyright: ignore


# Lines, and what is wrong in them


def _line_numbers(file: _File) -> list[int]:
    """Return the line of each row."""
    n = len(file.header)
    rows = _rows(file.below, file.separator)
    return [file.first + line - 1 for line, _, row in rows if n == 1 or not _is_blank(row, n)]


def _lines(path: Path, file: _File, count: int) -> "pd.Index":
    """Return the line of each of `count` rows, as an index; blank lines are reported."""
    import pandas as pd

    plain = pd.RangeIndex(file.first, file.first + count, name="line")
    below = file.below
    physical = len(re.findall(rb"\r\n|\n|\r", below)) + (below[-1:] not in (b"\n", b"\r", b""))
    if physical == count or not count:
        return plain
    lines = _line_numbers(file)
    if len(lines) != count:  # pandas and Python split the file differently
        return plain
    n = len(file.header)
    rows = [(line, _is_blank(row, n)) for line, _, row in _rows(below, file.separator)]
    while rows and rows[-1][1]:
        rows.pop()
    blank = [file.first + line - 1 for line, empty in rows if empty]
    if blank and n > 1:
        some = "a blank line" if len(blank) == 1 else f"{len(blank):,} blank lines"
        are = "is" if len(blank) == 1 else "are"
        message = f"{path.name}: {some} {are} skipped, the first in line {blank[0]}."
        warnings.warn(message, DataWarning, stacklevel=4)
    return pd.Index(lines, name="line")


def _check_header(path: Path, file: _File) -> None:
    """Refuse duplicate column names, and more columns than can be read."""
    header = file.header
    check_column_count(path.name, len(header))
    duplicates = sorted(name for name, count in Counter(header).items() if name and count > 1)
    if duplicates:
        hint = "renaming one of them"
        got = f"{_listed(duplicates)} twice"
        raise DataError(f"{path.name}, line {file.first - 1}", "unique column names", got, hint)
    numbers = [name for name in header if name and re.fullmatch(NUMBER, name)]
    if len(header) > 1 and 2 * len(numbers) >= len(header):
        message = f"{path.name}: line {file.first - 1} is read as the names of the columns"
        hint = "if it is an example, add a line with names above it"
        warnings.warn(f"{message}: {', '.join(header[:4])}; {hint}.", DataWarning, stacklevel=4)


def _check_ragged(path: Path, file: _File) -> None:
    """Refuse the first row with more or fewer cells than the header."""
    n = len(file.header)
    for line, _, cells in _rows(file.below, file.separator):
        if (n > 1 and _is_blank(cells, n) and cells) or len(cells) == n:
            continue
        if not cells and not _unclosed(file, line):
            continue
        where = f"{path.name}, line {file.first + line - 1}"
        got = str(len(cells) or "an unclosed quote")
        hint = "quoting cells that contain the separator, or closing an open quote"
        raise DataError(where, f"{count_of(n, 'cell')}, as in the header", got, hint)


def _unclosed(file: _File, line: int) -> bool:
    """Return whether the row that starts in this line holds an unclosed quote."""
    first = _after(file.below, line - 1) if line > 1 else file.below
    return first[:1] not in (b"\n", b"\r", b"")


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
    except UnicodeDecodeError:
        raise _not_utf8(path, read_text_bytes(path)) from None


def _zero_byte(path: Path, content: bytes) -> DataError:
    """Return the error for a zero byte, at which pandas would end the cell without a word."""
    before = content.partition(b"\0")[0]
    error = _not_utf8(path, before)
    if error.got != OTHER_ENCODING:
        return error
    line = len(re.findall(rb"\r\n|\n|\r", before)) + 1
    hint = f"{error.hint}, or copying the file again"
    return DataError(f"{path.name}, line {line}", "text in UTF-8", "a zero byte", hint)


def _not_utf8(path: Path, content: bytes) -> DataError:
    """Return the error for the first line that is not UTF-8."""
    hint = 'saving it again as UTF-8 (in a spreadsheet: "CSV UTF-8")'
    for number, line in enumerate(content.split(b"\n"), start=1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            where, got = f"{path.name}, line {number}", f"the byte 0x{line[error.start]:02x}"
            return DataError(where, "text in UTF-8", got, hint)
    return DataError(path.name, "text in UTF-8", OTHER_ENCODING, hint)
