"""Read dates and times of a table, and convert them to numbers.

    year first       2024-01-31, 2024/1/31 10:30, 2024-01-31T10:30:00Z, 2024-01
    day first        31.01.2024, 31/1/24 10:30
    month first      01/31/2024, 1-31-24 10:30 pm
    month name       31-Jan-2024, 31 January 2024, Jan 31, 2024, Jan 2024
    time             10:30, 10:30:15 pm
    digits           20240131
    seconds, milliseconds      since the beginning of 1970

The last three orders are numbers, and are read as dates only with the option --date. Whether the
day or the month comes first is shown by a number above 12; where no cell of a column shows it, the
month comes first in 1/2/2024, and the day in 1.2.2024 and 1-2-2024. The time is that of the clock,
whatever its time zone.

    year, month, day, weekday (0 is Monday), hour (10.5 at half past ten), elapsed days
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from chainrule.data.units import LONGEST

if TYPE_CHECKING:
    import pandas as pd

Order = Literal[
    "year first", "day first", "month first", "month name", "time", "digits", "seconds",
    "milliseconds",
]  # fmt: skip
ORDERS: tuple[Order, ...] = get_args(Order)
SAMPLE = 100
"""The number of texts from which it is decided which orders are tried on all of them."""
MOSTLY = 0.95
"""A text column with this share of dates is a column of dates."""

CLOCK = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,][0-9]+)?)?"
    r"\s*(?P<half>[ap])?(?:\.?m\.?)?\s*(?:Z|UTC|GMT|[-+][0-9]{2}:?[0-9]{2})?"
)
AFTER = rf"(?:(?:T|,?\s+){CLOCK})?"
YEAR = r"(?P<year>[0-9]{4}|(?<=[-/\s])[0-9]{2})"
NUMBERED = r"(?P<%s>[0-9]{1,2})(?P<s>[-/.])(?P<%s>[0-9]{1,2})(?P=s)" + YEAR + AFTER
NTH = r"(?:st|nd|rd|th)?"
PATTERNS: dict[str, re.Pattern] = {
    order: re.compile(pattern, re.IGNORECASE)
    for order, pattern in {
        "year first": r"(?P<year>[0-9]{4})(?P<s>[-/.])(?P<month>[0-9]{1,2})"
        rf"(?:(?P=s)(?P<day>[0-9]{{1,2}}){AFTER}|(?<!\.[0-9])(?<!\.[0-9]{{2}}))",
        "day first": NUMBERED % ("day", "month"),
        "month first": NUMBERED % ("month", "day"),
        "month name": r"(?:[a-z]{3,9},?\s+)?"
        rf"(?:(?P<day>[0-9]{{1,2}}){NTH}[-\s./]*(?P<month>[a-z]{{3,9}})"
        rf"|(?P<month2>[a-z]{{3,9}})\.?(?:[-\s]+(?P<day2>[0-9]{{1,2}}){NTH}(?=[-\s,]))?)"
        rf"\.?,?[-\s/]+{YEAR}{AFTER}",
        "time": CLOCK,
        "digits": r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})(?:\.0)?",
    }.items()
}
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
NO_DATE = (0, 0, 0, 0)


class FoundOrder(NamedTuple):
    """The order in which the dates of a column are written, and whether it had to be assumed."""

    order: Order
    assumed: bool = False


def order_of(texts: Sequence[str], counts: np.ndarray) -> FoundOrder | None:
    """Return the order of the dates in these different texts, or None if they are not dates.

    `counts` is the number of cells with each text; 95 % of the cells must be dates.

    >>> order_of(["31.1.2024", "1.2.2024"], np.array([1, 1]))
    FoundOrder(order='day first', assumed=False)
    """
    enough = MOSTLY * counts.sum()
    sample = texts[:: max(1, len(texts) // SAMPLE)]
    likely = [one for one in ORDERS[:5] if 2 * _count(sample, one) >= len(sample)]
    for order in ("year first", "month name", "time"):
        if order in likely and counts[~np.isnat(moments(texts, order))].sum() >= enough:
            return FoundOrder(order)
    if not {"day first", "month first"} & {*likely}:
        return None
    read = {order: moments(texts, order) for order in ("day first", "month first")}
    day, month = (counts[~np.isnat(found)].sum() for found in read.values())
    if max(day, month) < enough:
        return None
    if day != month:
        return FoundOrder("day first" if day > month else "month first")
    slashes = any("/" in text for text in texts)
    different = (read["day first"] != read["month first"]) & ~np.isnat(read["day first"])
    return FoundOrder("month first" if slashes else "day first", bool(different.any()))


def _count(texts: Sequence[str], order: Order) -> int:
    """Return how many of the texts are dates in this order."""
    return int((~np.isnat(moments(texts, order))).sum())


def moments(texts: Sequence[str], order: Order) -> np.ndarray:
    """Return the date and time that each text contains in this order, NaT for other text."""
    if order in ("seconds", "milliseconds"):
        return _since_1970(texts, 1 if order == "seconds" else 1000)
    fields = [_fields(PATTERNS[order], text) for text in texts]
    year, month, day, second = np.array(fields, np.int64).reshape(-1, 4).T
    found = _day(year, month, day)
    return np.where(np.isnat(found), found, found + second.astype("timedelta64[s]"))


def _since_1970(texts: Sequence[str], unit: int) -> np.ndarray:
    """Return the moments that lie these numbers of seconds, or of fractions, after 1970 began."""
    found = np.full(len(texts), np.datetime64("NaT"), "datetime64[s]")
    for i, text in enumerate(texts):
        if re.fullmatch(r"\s*-?[0-9]{1,14}(?:\.[0-9]*)?\s*", text):
            found[i] = np.datetime64(int(float(text) // unit), "s")
    return found


def _fields(pattern: re.Pattern, text: str) -> tuple[int, int, int, int]:
    """Return the year, the month, the day and the second of the day; zeros for other text."""
    match = pattern.fullmatch(text.strip()) if len(text) <= LONGEST else None
    if match is None:
        return NO_DATE
    found = match.groupdict()
    second = _second(found)
    month = _month(found.get("month") or found.get("month2") or "1")
    if second is None or month is None:
        return NO_DATE
    day = int(found.get("day") or found.get("day2") or 1)
    return _year(found.get("year") or "1970"), month, day, second


def _year(text: str) -> int:
    """Return a year; 69 to 99 belong to the last century.

    >>> _year("1998"), _year("98"), _year("24")
    (1998, 1998, 2024)
    """
    year = int(text)
    return year if len(text) > 2 else year + (1900 if year >= 69 else 2000)


def _month(text: str) -> int | None:
    """Return the number of a month from its number, its name, or the beginning of its name."""
    if text.isdigit():
        return int(text)
    word = text.lower()
    return next((i for i, name in enumerate(MONTHS, start=1) if name.startswith(word)), None)


def _second(found: dict[str, Any]) -> int | None:
    """Return the second of the day, 0 without a time, None for a time that does not exist."""
    hour, minute, second = (int(found.get(name) or 0) for name in ("hour", "minute", "second"))
    half = (found.get("half") or "").lower()
    if half:
        hour = hour % 12 + (12 if half == "p" else 0) if 1 <= hour <= 12 else 24
    return 3600 * hour + 60 * minute + second if hour < 24 and minute < 60 and second < 61 else None


def _day(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Return dates as datetime64[s], NaT for those that do not exist, such as 31 February."""
    first = (12 * (year - 1970) + month - 1).astype("datetime64[M]")
    found = first.astype("datetime64[D]") + (day - 1)
    exists = (year > 0) & (month >= 1) & (month <= 12) & (day > 0)
    exists &= found.astype("datetime64[M]") == first
    return np.where(exists, found, np.datetime64("NaT")).astype("datetime64[s]")


def order_of_numbers(values: np.ndarray) -> Order:
    """Return how numbers are read as dates: as digits, or as the time since 1970."""
    known = values[~np.isnan(values)]
    whole = (known == np.rint(known)).all() and ((known >= 1e7) & (known < 1e8)).all()
    if whole and not np.isnat(moments([f"{x:.0f}" for x in known[:100]], "digits")).any():
        return "digits"
    return "milliseconds" if np.abs(known).max(initial=0) > 1e11 else "seconds"


def stored_moments(series: "pd.Series") -> np.ndarray:
    """Return the moments of a column that pandas stores as dates, times or periods."""
    import pandas as pd

    if isinstance(series.dtype, pd.PeriodDtype):
        series = series.dt.to_timestamp()
    elif isinstance(series.dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_localize(None)
    elif series.dtype.kind != "M":
        codes, found = pd.factorize(series)
        texts = [str(value) for value in found]
        order = "time" if texts and ":" in texts[0][:3] else "year first"
        return np.append(moments(texts, order), np.datetime64("NaT"))[codes]
    return series.to_numpy("datetime64[s]")


PARTS = ("year", "month", "day", "weekday", "hour", "elapsed days")


def date_parts(found: np.ndarray, origin: np.datetime64) -> np.ndarray:
    """Return the parts of dates (m,) as numbers (m, 6), NaN for NaT; days elapse from `origin`.

    >>> X = date_parts(np.array(["2024-01-31T10:30"], "datetime64[s]"), np.datetime64("2024-01-01"))
    >>> X.tolist()
    [[2024.0, 1.0, 31.0, 2.0, 10.5, 30.4375]]
    """
    day, month, year = (found.astype(f"datetime64[{unit}]") for unit in "DMY")
    columns = [
        year.astype(np.int64) + 1970,
        (month - year.astype("datetime64[M]")).astype(np.int64) + 1,
        (day - month.astype("datetime64[D]")).astype(np.int64) + 1,
        (day.astype(np.int64) + 3) % 7,  # 1970 began on a Thursday
        (found - day).astype(np.int64) / 3600,
        (found - origin.astype("datetime64[s]")).astype(np.int64) / 86_400,
    ]
    return np.where(np.isnat(found)[:, None], np.nan, np.stack(columns, axis=1))
