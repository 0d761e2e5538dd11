"""Read the cells of a table: the kind of each column, its numbers, its texts, and their places.

A column whose cells cannot be used is refused with an error that names it, a value and its place.
`columns.py` decides what is learned from a column. Warnings report columns, and a numeric target
with only 0.0 and 1.0, that may not be meant as they are read.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from chainrule.data.labels import FEW
from chainrule.errors import DataError, DataWarning

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["numbers", "texts", "dates", "mixed", "nothing"]
LARGEST = float(np.finfo(np.float32).max)
BOOLEANS = {"true": 1.0, "false": 0.0}
NUMBERS = {"boolean", "integer", "floating", "mixed-integer-float", "decimal"}
MANY = 50  # columns
MOST_COLUMNS = 200_000
DATES = {"date", "datetime", "datetime64", "period", "time", "timedelta", "timedelta64"}


def kind_of(series: "pd.Series") -> Kind:
    """Return what the cells of a column are; objects such as lists are refused.

    Booleans count as the numbers 0 and 1, as do the words true and false in a column without other
    words. A pandas categorical is text, whatever its values. A column is mixed if only some of its
    texts are numbers. Dates are those that pandas stores as such, not texts.
    """
    import pandas as pd
    from pandas.api import types

    if not series.notna().any():
        return "nothing"
    if isinstance(series.dtype, pd.CategoricalDtype) or series.dtype.kind == "m":
        return "texts" if series.dtype.kind == "O" else "numbers"
    found = types.infer_dtype(series, skipna=True)
    if found in NUMBERS or (found == "string" and is_boolean(series)):
        return "numbers"  # a column of words is read as text because of another word elsewhere
    if found in DATES:
        return "dates"
    if found != "string":
        return _kind_of_objects(series)
    is_number = ~np.isnan(parsed(pd.Series(texts(series)[1], dtype=object)))
    return "mixed" if is_number.any() and not is_number.all() else "texts"


def numbers(series: "pd.Series") -> np.ndarray:
    """Return the column as numbers, NaN for empty cells; infinity and text are refused."""
    import pandas as pd

    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "biuf":
        values = series.to_numpy()
    elif pd.api.types.is_numeric_dtype(series.dtype):  # pandas' extension types have their own NA
        values = np.asarray(series.astype("Float64").to_numpy("float64", na_value=np.nan))
    elif is_boolean(series):
        values = parse_booleans(series)[0]
    else:
        values = parsed(series)
        check_all_numbers(series, ~np.isnan(values))
    check_finite(series, values)
    return values


def parsed(series: "pd.Series") -> np.ndarray:
    """Parse each cell as a number; empty cells and other text become NaN."""
    import pandas as pd

    cells: Any = series.astype(object)
    try:
        values: Any = pd.to_numeric(cells, errors="coerce")
    except OverflowError:  # whole numbers of more than 308 digits, which become infinite
        values = pd.to_numeric(cells.map(_float_of_integer), errors="coerce")
    return values.to_numpy(np.float64)


def _float_of_integer(cell: object) -> object:
    """Return a whole number as a float, infinite if float64 cannot hold it; keep other cells."""
    if not isinstance(cell, int):
        return cell
    try:
        return float(cell)
    except OverflowError:
        return np.inf if cell > 0 else -np.inf


def parse_booleans(series: "pd.Series") -> tuple[np.ndarray, np.ndarray]:
    """Return 1 for true, 0 for false and NaN for other cells, and a mask of the other words."""
    codes, found = texts(series)
    values = np.array([*(BOOLEANS.get(text.lower(), np.nan) for text in found), np.nan])[codes]
    return values, (codes >= 0) & np.isnan(values)


def is_boolean(series: "pd.Series") -> bool:
    """Return whether the column holds only booleans, or only the words true and false."""
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "biuf":
        return series.dtype.kind == "b"
    return bool(series.notna().any()) and not parse_booleans(series)[1].any()


def texts(series: "pd.Series") -> tuple[np.ndarray, list[str]]:
    """Return each cell's index in the list of distinct text values (−1 if empty), and the list."""
    import pandas as pd

    codes, different = pd.factorize(series)
    return codes, [str(text) for text in different]


def as_text(series: "pd.Series") -> "pd.Series":
    """Return a column of bytes in UTF-8 as text; other columns stay as they are."""
    import pandas as pd

    if pd.api.types.infer_dtype(series, skipna=True) != "bytes":
        return series
    try:
        return series.map(bytes.decode, na_action="ignore")
    except UnicodeDecodeError:
        return series


def without_blanks(series: "pd.Series") -> "pd.Series":
    """Return a column of text without blanks around its cells; the same column if it has none."""
    import pandas as pd

    if pd.api.types.infer_dtype(series, skipna=True) not in ("string", "mixed-integer"):
        return series
    codes, found = pd.factorize(series)
    if not any(isinstance(cell, str) and cell != cell.strip() for cell in found):
        return series
    cells = [cell.strip() if isinstance(cell, str) else cell for cell in found]
    return pd.Series(np.array([*cells, np.nan], object)[codes], series.index, name=series.name)


def by_name(frame: "pd.DataFrame") -> dict[str, "pd.Series"]:
    """Return the columns of a table by name."""
    return {str(name): series for name, series in frame.items()}


def with_columns(frame: "pd.DataFrame", changed: dict[str, "pd.Series"]) -> "pd.DataFrame":
    """Return the table with some of its columns replaced, in time linear in their number."""
    import pandas as pd

    if len(changed) > MANY:  # replaced one by one, each column would move all the others
        return pd.DataFrame({**dict(frame.items()), **changed}, index=frame.index, copy=False)
    frame = frame.copy(deep=False)
    for name, series in changed.items():
        frame[name] = series
    return frame


def names_of(frame: "pd.DataFrame") -> list[str]:
    """Return the names of the columns of a table."""
    return [str(name) for name in frame.columns.tolist()]


def positions_by_type(frame: "pd.DataFrame", kinds: str = "biuf") -> dict[np.dtype, np.ndarray]:
    """Return the positions of the columns of each NumPy type of these kinds."""
    types: dict[np.dtype, list[int]] = {}
    for at, dtype in enumerate(frame.dtypes.tolist()):
        if isinstance(dtype, np.dtype) and dtype.kind in kinds:
            types.setdefault(dtype, []).append(at)
    return {dtype: np.array(found) for dtype, found in types.items()}


class PlainColumns(NamedTuple):
    """Columns of one NumPy type whose cells are all numbers in the range of float32.

    at       (n,) the positions of the columns in their table
    values   (m, n)
    """

    at: np.ndarray
    values: np.ndarray


def plain_columns(frame: "pd.DataFrame") -> Iterator[PlainColumns]:
    """Yield the plain columns of a table, type by type: most tables have no other numbers.

    They are treated together, since handling thousands of columns one by one takes pandas minutes.
    """
    for dtype, at in positions_by_type(frame, "iuf").items() if len(frame) else ():
        values = frame.iloc[:, at].to_numpy(dtype)
        if dtype.kind == "f":
            good = np.abs(values).max(axis=0) <= LARGEST  # False for NaN too
            at, values = at[good], values[:, good]
        yield PlainColumns(at, values)


def check_column_count(file: str, count: int) -> None:
    """Refuse a table with more columns than can be read in a reasonable time."""
    if count > MOST_COLUMNS:
        hint = "the transpose, if the examples are columns, or a .npz file with an array"
        raise DataError(file, f"at most {MOST_COLUMNS:,} columns", f"{count:,}", hint)


def place(series: "pd.Series", at: int) -> str:
    """Return the place of a cell, in the numbering of its file.

    >>> import pandas as pd
    >>> place(pd.Series([1, 2], index=pd.RangeIndex(2, 4, name="line")), 0)
    'line 2'
    """
    return f"{series.index.name or 'row'} {series.index[at]}"


def first(mask: np.ndarray) -> int:
    """Return the index of the first True value in a mask."""
    return int(np.flatnonzero(mask)[0])


# Checks of single columns


def check_finite(series: "pd.Series", values: np.ndarray) -> None:
    """Refuse infinity, and numbers that do not fit float32."""
    if values.dtype.kind != "f":
        return
    beyond = np.abs(values) > LARGEST
    if beyond.any():
        at = first(beyond)
        where = f"column {series.name!r}, {place(series, at)}"
        hint = "an empty cell, if the value is unknown"
        raise DataError(where, "a finite number within the range of float32", str(values[at]), hint)


def check_all_numbers(series: "pd.Series", is_number: np.ndarray) -> None:
    """Refuse a column in which some cells are neither empty nor numbers."""
    other = ~is_number & series.notna().to_numpy()
    if not other.any():
        return
    at, n, total = first(other), int(other.sum()), int(series.notna().sum())
    raise DataError(
        f"column {series.name!r}",
        "only numbers, or only text",
        f"{_several(total - n, 'number')} and {_several(n, 'text')} such as "
        f"{series.iloc[at]!r} ({place(series, at)})",
        "leaving cells with an unknown number empty, or adding a letter to numbers that are names",
    )


def _kind_of_objects(series: "pd.Series") -> Kind:
    """Return whether Python objects are numbers or mixed with text; other objects are refused."""
    is_number = _each(series, lambda value: isinstance(value, Real))
    is_text = _each(series, lambda value: isinstance(value, str))
    strange = series.notna().to_numpy() & ~is_number & ~is_text
    if strange.any():
        at = first(strange)
        got = f"a {type(series.iloc[at]).__name__} ({place(series, at)})"
        hint = f"--drop {series.name}, or converting the column to numbers"
        raise DataError(f"column {series.name!r}", "numbers, booleans, dates or text", got, hint)
    return "mixed" if is_text.any() else "numbers"


def _each(series: "pd.Series", holds: Callable[[object], bool]) -> np.ndarray:
    """Return the mask of the cells for which `holds` is true."""
    return np.fromiter((holds(value) for value in series), bool, len(series))


def _several(n: int, word: str) -> str:
    """Return a count with its noun, such as "1 number" or "2 numbers"."""
    return f"{n:,} {word}{'' if n == 1 else 's'}"


# Warnings

MOST_WARNINGS = 5  # columns; further ones are counted in one more warning


def warn_of_columns(messages: Sequence[tuple[str, str]], stacklevel: int = 3) -> None:
    """Warn about columns, given as pairs of a name and what is odd; the first few one by one."""
    for name, message in messages[:MOST_WARNINGS]:
        warnings.warn(f"column {name!r}: {message}.", DataWarning, stacklevel=stacklevel)
    others = [repr(name) for name, _ in messages[MOST_WARNINGS:]]
    if others:
        listed = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
        more = "1 more column" if len(others) == 1 else f"{len(others):,} more columns"
        message = f"similar warnings apply to {more}: {listed}."
        warnings.warn(message, DataWarning, stacklevel=stacklevel)


def warn_integer_target(y: np.ndarray) -> None:
    """Warn about a numeric target that could be classes."""
    if y.ndim > 1 or y.dtype.kind != "f" or (y != np.rint(y)).any():
        return
    found = np.unique(y)
    if len(found) <= FEW and len(found) < len(y) / 2:
        listed = ", ".join(map(str, found[:3].tolist())) + (", …" if len(found) > 3 else "")
        message = f"the target holds only {listed} and is learned as a quantity (regression)"
        hint = "use --task classification if these are classes"
        warnings.warn(f"{message}; {hint}.", DataWarning, stacklevel=2)
