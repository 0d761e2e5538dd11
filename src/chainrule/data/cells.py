"""What the cells of one column are: numbers, texts or categories, or nothing a network can use.

Whatever cannot be used is refused here, with the column, a value and the place of it.
"""

from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np

from chainrule.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["numbers", "texts", "nothing"]
LARGEST = float(np.finfo(np.float32).max)
DATE = r"\s*(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})(?:[T\s].*)?$"
TRUTHS = {"true": 1.0, "false": 0.0}
MOSTLY = 0.95  # a text column with this share of dates is a column of dates
NUMBERS = {"boolean", "integer", "floating", "mixed-integer-float", "decimal"}
DATES = {"date", "datetime", "datetime64", "period", "time", "timedelta", "timedelta64"}


def kind_of(series: "pd.Series") -> Kind:
    """What the column holds; dates, mixtures and objects are refused.

    Booleans are the numbers 0 and 1, and so are the words true and false where there are no
    others; a pandas category is text, whatever its values are.
    """
    import pandas as pd
    from pandas.api import types

    if not series.notna().any():
        return "nothing"
    if isinstance(series.dtype, pd.CategoricalDtype):
        return "texts"
    found = types.infer_dtype(series, skipna=True)
    if found in NUMBERS:
        return "numbers"
    if found in DATES:
        _refuse_dates(series, series.notna().to_numpy())
    if found == "string" and is_truth(series):
        return "numbers"  # a word among them elsewhere in the file made texts of all
    if found == "string":
        _check_texts(series)
        return "texts"
    return _mixture(series)


def numbers(series: "pd.Series") -> np.ndarray:
    """The column as numbers, NaN where a cell is empty. Infinity and text are refused."""
    import pandas as pd

    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "biuf":
        values = series.to_numpy()
    elif pd.api.types.is_numeric_dtype(series.dtype):  # pandas' own types have their own NA
        values = np.asarray(series.astype("Float64").to_numpy("float64", na_value=np.nan))
    elif is_truth(series):
        values = truths(series)[0]
    else:
        values = parsed(series)
        _check_all_numbers(series, ~np.isnan(values))
    _check_finite(series, values)
    return values


def parsed(series: "pd.Series") -> np.ndarray:
    """The cells read as numbers, NaN where one is empty or is no number."""
    import pandas as pd

    values: Any = pd.to_numeric(series.astype(object), errors="coerce")
    return values.to_numpy(np.float64)


def truths(series: "pd.Series") -> tuple[np.ndarray, np.ndarray]:
    """1 and 0 for the words true and false, NaN for all others; and which cells hold others."""
    codes, found = texts(series)
    values = np.array([*(TRUTHS.get(text.lower(), np.nan) for text in found), np.nan])[codes]
    return values, (codes >= 0) & np.isnan(values)


def is_truth(series: "pd.Series") -> bool:
    """Whether it holds booleans, or the words true and false, and nothing else."""
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "biuf":
        return series.dtype.kind == "b"
    return bool(series.notna().any()) and not truths(series)[1].any()


def texts(series: "pd.Series") -> tuple[np.ndarray, list[str]]:
    """Each cell's place in the list of the different texts, −1 where it is empty."""
    import pandas as pd

    codes, different = pd.factorize(series)
    return codes, [str(text) for text in different]


def by_name(frame: "pd.DataFrame") -> dict[str, "pd.Series"]:
    """The columns of a table."""
    return {str(name): series for name, series in frame.items()}


def place(series: "pd.Series", at: int) -> str:
    """Where a cell is, as the reader of the file counts.

    >>> import pandas as pd
    >>> place(pd.Series([1, 2], index=pd.RangeIndex(2, 4, name="line")), 0)
    'line 2'
    """
    return f"{series.index.name or 'row'} {series.index[at]}"


def first(mask: np.ndarray) -> int:
    """The position of the first True."""
    return int(np.flatnonzero(mask)[0])


def _check_finite(series: "pd.Series", values: np.ndarray) -> None:
    if values.dtype.kind != "f":
        return
    beyond = np.abs(values) > LARGEST
    if beyond.any():
        at = first(beyond)
        where = f"column {series.name!r}, {place(series, at)}"
        hint = "an empty cell, if the value is not known"
        raise DataError(where, "a finite number that fits float32", str(values[at]), hint)


def _check_texts(series: "pd.Series") -> None:
    """Refuse dates, and numbers among texts, looking once at each different text."""
    import pandas as pd

    codes, found = texts(series)
    counts = np.bincount(codes[codes >= 0])
    different = pd.Series(found, dtype=object)
    is_date = different.str.match(DATE).to_numpy(bool)
    if counts[is_date].sum() >= MOSTLY * counts.sum():
        _refuse_dates(series, np.append(is_date, False)[codes])
    is_number = ~np.isnan(parsed(different))
    if is_number.any() and not is_number.all():
        _check_all_numbers(series, np.append(is_number, False)[codes])


def _check_all_numbers(series: "pd.Series", is_number: np.ndarray) -> None:
    """Refuse a column where some cell is neither empty nor a number."""
    other = ~is_number & series.notna().to_numpy()
    if not other.any():
        return
    at, n, total = first(other), int(other.sum()), int(series.notna().sum())
    raise DataError(
        f"column {series.name!r}",
        "numbers alone, or text alone",
        f"{_several(total - n, 'number')} and {_several(n, 'text')} such as "
        f"{series.iloc[at]!r} ({place(series, at)})",
        "an empty cell where a number is not known, or a letter before numbers that are names",
    )


def _mixture(series: "pd.Series") -> Kind:
    """The column holds Python objects of several kinds: numbers after all, or refused."""
    is_number = _each(series, lambda value: isinstance(value, Real))
    is_text = _each(series, lambda value: isinstance(value, str))
    strange = series.notna().to_numpy() & ~is_number & ~is_text
    if strange.any():
        at = first(strange)
        got = f"a {type(series.iloc[at]).__name__} ({place(series, at)})"
        hint = "leaving the column out, or numbers made of it"
        raise DataError(f"column {series.name!r}", "numbers, booleans or text", got, hint)
    _check_all_numbers(series, is_number)
    return "numbers"


def _each(series: "pd.Series", holds: Callable[[object], bool]) -> np.ndarray:
    return np.fromiter((holds(value) for value in series), bool, len(series))


def _refuse_dates(series: "pd.Series", is_date: np.ndarray) -> NoReturn:
    at = first(is_date)
    raise DataError(
        f"column {series.name!r}",
        "numbers, booleans or text",
        f"dates such as {str(series.iloc[at])!r} ({place(series, at)})",
        "numbers made of it, such as days since a start, or month and weekday; or, if the latest "
        f"rows are to be the test, --time {series.name}",
    )


def _several(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"
