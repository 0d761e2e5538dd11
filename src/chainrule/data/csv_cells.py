"""Write CSV files that no spreadsheet runs as a program, and read their cells back unchanged.

A spreadsheet evaluates a cell that begins with = + - or @, whoever wrote it: a column, a class or a
file with such a name could send data away or start a program. A text is therefore written with an
apostrophe in front if such a sign, also a full-width one, follows any blanks and quotes at its
beginning, or if it begins with a tab or the end of a line:

    =1+1      '=1+1        the apostrophe marks text in spreadsheets
    '=1+1     ''=1+1       so that reading removes exactly what writing added
    -3.5      -3.5         numbers stay numbers
    -3.5 kg   '-3.5 kg
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from numbers import Number
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SIGNS = "-=+@\uff0d\uff1d\uff0b\uff20"
INVISIBLE = "\\s\ufeff\u200b-\u200d\u2060"
FORMULA = re.compile(f"[{INVISIBLE}\"']*[{SIGNS}]|'*[\\t\\r\\n]")
DIGITS = r"(?:[0-9]+(?:[.,][0-9]+)*[.,]?|[.,][0-9]+)"
PLAIN_NUMBER = re.compile(rf"\s*[-+]?{DIGITS}(?:[eE][-+]?[0-9]+)?%?\s*")


def write_csv(rows: Iterable[Sequence[object]]) -> str:
    """Return a CSV table in which no cell is a formula; its lines end in a line feed.

    Written with another end of a line, csv also quotes a cell with a carriage return, which would
    otherwise begin a row.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    lines = []
    for row in rows:
        writer.writerow([safe_cell(cell) for cell in row])
        lines.append(text.getvalue().removesuffix("\r\n"))
        text.seek(0)
        text.truncate()
    return "".join(f"{line}\n" for line in lines)


def safe_cell(value: object) -> object:
    """Return a number or None as it is, and a text with an apostrophe in front if it is a formula.

    >>> [safe_cell(value) for value in ("=1+1", "'=1+1", "a=b", "-3.5", -3.5, "-a", " @a")]
    ["'=1+1", "''=1+1", 'a=b', '-3.5', -3.5, "'-a", "' @a"]
    """
    if value is None or isinstance(value, Number):
        return value
    text = str(value)
    return f"'{text}" if is_formula(text) else text


def is_formula(text: str) -> bool:
    """Return whether a spreadsheet may evaluate a text, also behind apostrophes."""
    return FORMULA.match(text) is not None and PLAIN_NUMBER.fullmatch(text) is None


def original_cell(text: str) -> str:
    """Return the text that `safe_cell` was given.

    >>> [original_cell(cell) for cell in ("'=1+1", "''=1+1", "'a'", "it's", "-a")]
    ['=1+1', "'=1+1", "'a'", "it's", '-a']
    """
    return text[1:] if text.startswith("'") and is_formula(text[1:]) else text


def write_table(frame: "pd.DataFrame") -> str:
    """Return a table as CSV, whose texts and names of columns are no formulas."""
    import pandas as pd

    safe = [
        series if pd.api.types.is_numeric_dtype(series.dtype) else _safe_texts(series)
        for _, series in frame.items()
    ]
    table = pd.concat(safe, axis=1).set_axis([safe_cell(name) for name in frame.columns], axis=1)
    texts = (cell for series in safe for cell in series if isinstance(cell, str))
    quoted = any("\r" in cell for cell in (*map(str, table.columns), *texts))
    quoting = csv.QUOTE_NONNUMERIC if quoted else csv.QUOTE_MINIMAL
    return table.to_csv(index=False, quoting=quoting, lineterminator="\n")


def _safe_texts(series: "pd.Series") -> "pd.Series":
    """Return a column of text without formulas; missing values stay."""
    return series.astype(object).map(safe_cell, na_action="ignore")


def restored(series: "pd.Series") -> "pd.Series":
    """Return a column of text as it was before it was written, the same column if it is equal."""
    import numpy as np
    import pandas as pd

    codes, found = pd.factorize(series)
    cells = [original_cell(cell) if isinstance(cell, str) else cell for cell in found]
    if all(new is old for new, old in zip(cells, found, strict=True)):
        return series
    return pd.Series(np.array([*cells, np.nan], object)[codes], series.index, name=series.name)
