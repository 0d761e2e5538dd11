"""The types of table columns, and the inputs that each of them becomes.

    NumberColumn   numbers, and booleans as 0 and 1
    UnitColumn     numbers that are written with a unit, such as $1,200, 42.7 % or 60+
    TextColumn     one input for each text value (one-hot)
    DateColumn     year, month, day, weekday, hour and elapsed days, without those that are constant
    LeftOut        a column without inputs

Empty cells, and cells that are not what the column holds, are filled with the median of the
training rows; if there were any in training, an additional input "… is missing" marks them. For
text, "…=(missing)" does the same, and "…=(other)" stands for all rare values.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from chainrule.data.cells import (
    check_finite,
    first,
    is_boolean,
    kind_of,
    numbers,
    parse_booleans,
    parsed,
    place,
    texts,
)
from chainrule.data.dates import (
    PARTS,
    FoundOrder,
    Order,
    date_parts,
    moments,
    stored_moments,
)
from chainrule.data.units import PERCENT, Unit
from chainrule.errors import DataError
from chainrule.formatting import count_of
from chainrule.host.reading import convert

if TYPE_CHECKING:
    import pandas as pd

MISSING, OTHER = "(missing)", "(other)"
MOST = 100  # text values that have an input of their own
FEW = 20  # text values; up to this number, none of them is rare
FEWEST = 2, 10  # rows with a text value that is not rare: one in a hundred, within these bounds
MARKERS = {"?", "-", "--", "—", ".", "*", "none", "unknown", "missing", "nil", "n.a.", "n/d", "nd"}
"""Words for an unknown number, in lower case."""


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers: one input, and a second if the training rows had empty cells.

    truth  whether the column holds booleans; any other word is then replaced by the median, with a
           warning
    """

    name: str
    median: float
    flagged: bool
    truth: bool = False

    @classmethod
    def learn(cls, series: "pd.Series") -> "NumberColumn":
        """Learn the median of the numbers, and whether there are empty cells."""
        truth = is_boolean(series)
        values = numbers(series) if truth else numbers_of(series)
        median, flagged = _median(values)
        return cls(str(series.name), median, flagged, truth)

    @property
    def names(self) -> list[str]:
        """Return the names of the inputs of this column."""
        return _with_flag(self)

    @property
    def read_as(self) -> str:
        """Return the type of the column in words."""
        return "boolean" if self.truth else "number"

    @property
    def note(self) -> str:
        """Return what is remarkable about how the column is read."""
        return _median_note(self)

    @property
    def option(self) -> str:
        """Return the option that overrides how the column is read."""
        return override("--category", self.name)

    def unreadable(self, series: "pd.Series") -> np.ndarray:
        """Return the mask of the cells that are neither empty nor numbers."""
        return _unread(series, self._read(series)[0])

    def write(self, series: "pd.Series", out: np.ndarray) -> list[str]:
        """Write the inputs of the rows into `out`, (m, 1) or (m, 2); return what is unusual."""
        values, found = self._read(series)
        return found + _write_numbers(self, series, values, out)

    def _read(self, series: "pd.Series") -> tuple[np.ndarray, list[str]]:
        """Return the numbers, NaN for other cells, and what is unusual."""
        if not self.truth or is_boolean(series) or series.dtype.kind in "iuf":
            return numbers_of(series), []
        values, others = parse_booleans(series)
        if not others.any():
            return values, []
        values[others] = self.median
        return values, [_unseen(series.to_numpy(object)[others], f"filled with {self.median:g}")]


@dataclass(frozen=True)
class UnitColumn:
    """A column of numbers written with a unit: the inputs are those of a column of numbers.

    unit     a currency, "%", a unit of measurement, or "" for numbers such as 60+ and <5
    decimal  the decimal separator
    example  a cell of the training rows
    """

    name: str
    median: float
    flagged: bool
    unit: str
    decimal: Literal[".", ","]
    example: str

    @classmethod
    def learn(cls, series: "pd.Series", unit: Unit) -> "UnitColumn":
        """Learn the median of the numbers, and whether there are other cells."""
        codes, different = texts(series)
        values = unit.parse(different)
        example = next((text for text in different if re.search(r"[^0-9.]", text)), different[0])
        median, flagged = _median(np.append(values, np.nan)[codes])
        return cls(str(series.name), median, flagged, unit.symbol, unit.decimal, example)  # pyright: ignore

    @property
    def names(self) -> list[str]:
        """Return the names of the inputs of this column."""
        return _with_flag(self)

    @property
    def read_as(self) -> str:
        """Return the type of the column in words."""
        if not self.unit:
            return "number"
        return "percentage" if self.unit == PERCENT else f"number in {self.unit}"

    @property
    def note(self) -> str:
        """Return an example of how the cells are read."""
        [value] = self._unit.parse([self.example])
        example = f"{self.example!r} is read as {value:g}"
        return "; ".join(filter(None, [example, _median_note(self)]))

    @property
    def option(self) -> str:
        """Return the option that overrides how the column is read."""
        return override("--category", self.name)

    @property
    def _unit(self) -> Unit:
        return Unit(self.unit, self.decimal)

    def unreadable(self, series: "pd.Series") -> np.ndarray:
        """Return the mask of the cells that are neither empty nor numbers in this unit."""
        return _unread(series, self._read(series))

    def write(self, series: "pd.Series", out: np.ndarray) -> list[str]:
        """Write the inputs of the rows into `out`, (m, 1) or (m, 2); return what is unusual."""
        return _write_numbers(self, series, self._read(series), out)

    def _read(self, series: "pd.Series") -> np.ndarray:
        if series.dtype.kind in "biuf":
            return numbers(series)
        codes, different = texts(series)
        return np.append(self._unit.parse(different), np.nan)[codes]


@dataclass(frozen=True)
class TextColumn:
    """A column of text: one-hot inputs for the text values seen in training.

    rare     the number of rare values, which have a common input
    numeric  whether some of the values are numbers
    """

    name: str
    categories: tuple[str, ...]
    rare: int = 0
    numeric: bool = False

    @classmethod
    def learn(
        cls,
        series: "pd.Series",
        *,
        merge: bool = True,
        numeric: bool = False,
        wanted: bool = False,
    ) -> "TextColumn":
        """Learn the text values in alphabetical order, then the rare ones, then the missing ones.

        Of more than 20 values, those are rare that are not among the 100 most frequent, or occur
        in less than one in a hundred rows (but 10 rows are always enough, and 2 are needed).
        If the column is `wanted` although all of its values are rare, 100 of them are kept.
        Without `merge`, no value is rare.
        """
        codes, different = _texts_of(series)
        counts = np.bincount(codes[codes >= 0], minlength=len(different))
        rare = np.zeros(len(different), bool)
        if merge and len(different) > FEW:
            least = max(FEWEST[0], min(FEWEST[1], len(codes) // 100))
            ranked = sorted(range(len(different)), key=lambda i: (-counts[i], different[i]))
            rare = counts < least
            rare[ranked[MOST:]] = True
            if wanted and rare.all():
                rare[ranked[:MOST]] = False
        kept = {text for text, left in zip(different, rare, strict=True) if not left}
        other = (OTHER,) if rare.any() and OTHER not in kept else ()
        missing = (MISSING,) if (codes < 0).any() and MISSING not in kept else ()
        categories = (*sorted(kept), *other, *missing)
        return cls(str(series.name), categories, int(rare.sum()), numeric)

    @property
    def names(self) -> list[str]:
        """Return the names of the inputs of this column."""
        return [f"{self.name}={category}" for category in self.categories]

    @property
    def read_as(self) -> str:
        """Return the type of the column in words."""
        return "category"

    @property
    def note(self) -> str:
        """Return what is remarkable about how the column is read."""
        rare = f"{count_of(self.rare, 'rare value')} share an input" if self.rare else ""
        numeric = "some of the values are numbers" if self.numeric else ""
        return "; ".join(filter(None, [rare, numeric]))

    @property
    def option(self) -> str:
        """Return the option that overrides how the column is read."""
        return override("--number" if self.numeric else "--drop", self.name)

    def unreadable(self, series: "pd.Series") -> np.ndarray:
        """Return the mask of the cells that cannot be read: none, since every cell is a text."""
        return np.zeros(len(series), bool)

    def write(self, series: "pd.Series", out: np.ndarray) -> list[str]:
        """Write the one-hot inputs into `out`, (m, number of texts), which must be all zeros.

        Returns what is unusual.
        """
        codes, different = texts(series)
        index = {category: j for j, category in enumerate(self.categories)}
        if series.dtype.kind in "iuf":  # the whole number 7 may be the text "7" or "7.0"
            index = {text.removesuffix(".0"): j for text, j in index.items()} | index
            different = [text if text in index else text.removesuffix(".0") for text in different]
        other = index[OTHER] if self.rare else -1
        column = [*(index.get(text, other) for text in different), index.get(MISSING, -1)]
        found = np.array(column)[codes]
        seen = np.flatnonzero(found >= 0)
        out[seen, found[seen]] = 1
        if seen.size == len(found):
            return []
        unseen = np.array([*different, MISSING], dtype=object)[codes[found < 0]]
        return [_unseen(unseen, "all inputs of the column are 0 in these rows")]


@dataclass(frozen=True)
class DateColumn:
    """A column of dates: an input for each part of a date that varies in training.

    order    how the dates are written, see `data/dates.py`
    assumed  whether the order of day and month was assumed, since no date shows it
    parts    the parts of a date that vary, some of `PARTS`
    medians  the median of each of them
    origin   the earliest date in training, from which days elapse
    """

    name: str
    order: Order
    assumed: bool
    parts: tuple[str, ...]
    medians: tuple[float, ...]
    flagged: bool
    origin: str

    @classmethod
    def learn(cls, series: "pd.Series", found: FoundOrder) -> "DateColumn | LeftOut":
        """Learn the earliest date, and the medians of the parts that vary."""
        name, moment = str(series.name), _moments_of(series, found.order)
        missing = np.isnat(moment)
        known = moment[~missing]
        if not known.size:
            return LeftOut(name, NOTHING)
        origin = known.min()
        values = date_parts(known, origin)
        varies = (values != values[0]).any(axis=0)
        parts = tuple(part for part, keep in zip(PARTS, varies, strict=True) if keep)
        medians = tuple(np.median(values[:, varies], axis=0).tolist())
        flagged = bool(missing.any())
        if not parts and not flagged:
            return LeftOut(name, SAME)
        return cls(name, found.order, found.assumed, parts, medians, flagged, str(origin))

    @property
    def names(self) -> list[str]:
        """Return the names of the inputs of this column."""
        flag = [f"{self.name} is missing"] if self.flagged else []
        return [f"{self.name} {part}" for part in self.parts] + flag

    @property
    def read_as(self) -> str:
        """Return the type of the column in words."""
        return "time" if self.order == "time" else "date"

    @property
    def note(self) -> str:
        """Return the parts of the date, and the order of day and month."""
        order = f"the {self.order.removesuffix(' first')} is assumed to come first"
        return "; ".join(filter(None, [", ".join(self.parts), order if self.assumed else ""]))

    @property
    def option(self) -> str:
        """Return the option that overrides how the column is read."""
        return override("--category", self.name)

    def unreadable(self, series: "pd.Series") -> np.ndarray:
        """Return the mask of the cells that are neither empty nor dates in this order."""
        return np.isnat(_moments_of(series, self.order)) & series.notna().to_numpy()

    def write(self, series: "pd.Series", out: np.ndarray) -> list[str]:
        """Write the parts of the dates into `out`, (m, inputs); return what is unusual."""
        moment = _moments_of(series, self.order)
        chosen = [PARTS.index(part) for part in self.parts]
        values = date_parts(moment, np.datetime64(self.origin))[:, chosen]
        missing = np.isnat(moment)
        values[missing] = self.medians
        out[:, : len(chosen)] = values
        if self.flagged:
            out[missing, len(chosen)] = 1
        filled = "filled with the median date"
        return _missing_cells(series, missing, "a date", filled, self.flagged)

    @property
    def is_valid(self) -> bool:
        """Return whether the entries do not contradict each other."""
        known = set(self.parts) <= {*PARTS} and len(self.parts) == len(self.medians)
        try:
            return (
                known
                and bool(np.isfinite([*self.medians, 0]).all())
                and not np.isnat(np.datetime64(self.origin, "s"))
            )
        except ValueError:
            return False


@dataclass(frozen=True)
class LeftOut:
    """A column that has no inputs, and the reason why."""

    name: str
    reason: str

    @property
    def option(self) -> str:
        """Return the option that overrides how the column is read."""
        if self.reason.startswith("--") or self.reason in (NOTHING, SAME):
            return ""
        return override("--number" if self.reason in NUMBERED else "--category", self.name)


NOTHING = "no value in the training rows"
SAME = "the same date in every row"
COUNTS = "counts the rows"
KEYS = "a different whole number in every row"
NUMBERED = (COUNTS, KEYS)
IDENTIFIER = "a different text in every row"
SENTENCES = "sentences, mostly different ones"
ALL_RARE = "no text value is frequent enough"

Column = NumberColumn | UnitColumn | TextColumn | DateColumn


def override(option: str, name: str) -> str:
    """Return an option with the name of a column as it is typed."""
    quoted = f'"{name}"' if "," in name else name
    return f"{option} {shlex.quote(quoted)}"


def restored_column(saved: dict[str, Any]) -> Column:
    """Return the column that was stored as plain data, and refuse what is not one."""
    where = f"the column {saved.get('name')!r}"
    kinds = {"categories": TextColumn, "unit": UnitColumn, "order": DateColumn}
    kind = next((one for entry, one in kinds.items() if entry in saved), NumberColumn)
    column: Any = convert(saved, kind, where)
    if isinstance(column, TextColumn):
        if column.rare and OTHER not in column.categories:
            raise DataError(where, f"the value {OTHER} for rare values", "none")
    elif isinstance(column, DateColumn):
        if not column.is_valid:
            raise DataError(where, "the parts of a date with finite medians", f"{column.parts}")
    elif not np.isfinite(column.median):
        raise DataError(where, "a finite median", f"{column.median}")
    return column


def moments_are(series: "pd.Series", order: Order) -> np.ndarray:
    """Return the mask of the cells that are dates in this order."""
    return ~np.isnat(_moments_of(series, order))


def _moments_of(series: "pd.Series", order: Order) -> np.ndarray:
    """Return the date and time in each cell, NaT for other cells."""
    if series.dtype.kind in "biuf":
        codes, different = _texts_of(series)
    elif kind_of(series) == "dates":
        return stored_moments(series)
    else:
        codes, different = texts(series)
    return np.append(moments(different, order), np.datetime64("NaT", "s"))[codes]


def _texts_of(series: "pd.Series") -> tuple[np.ndarray, list[str]]:
    """Return the texts of a column as `texts` does, whole numbers without a decimal point."""
    codes, different = texts(series)
    if series.dtype.kind == "f":
        different = [text.removesuffix(".0") for text in different]
    return codes, different


def numbers_of(series: "pd.Series") -> np.ndarray:
    """Return the numbers of a column, NaN for empty cells and other text; durations in days."""
    if series.dtype.kind == "m":
        return series.dt.total_seconds().to_numpy() / 86_400
    if series.dtype.kind in "biuf" or is_boolean(series):
        return numbers(series)
    values = parsed(series)
    check_finite(series, values)
    return values


def _median(values: np.ndarray) -> tuple[float, bool]:
    """Return the median of the numbers that are not NaN, and whether there are any NaN."""
    missing = np.isnan(values)
    return float(np.median(values[~missing] if missing.any() else values)), bool(missing.any())


def _with_flag(column: NumberColumn | UnitColumn) -> list[str]:
    return [column.name, f"{column.name} is missing"] if column.flagged else [column.name]


def _median_note(column: NumberColumn | UnitColumn) -> str:
    return f"missing values are filled with {column.median:g}" if column.flagged else ""


def _unread(series: "pd.Series", values: np.ndarray) -> np.ndarray:
    return np.isnan(values) & series.notna().to_numpy()


def _write_numbers(
    column: NumberColumn | UnitColumn, series: "pd.Series", values: np.ndarray, out: np.ndarray
) -> list[str]:
    """Write numbers into `out`, and the median in place of NaN; return what is unusual."""
    missing = np.isnan(values)
    out[:, 0] = np.where(missing, column.median, values)
    if column.flagged:
        out[missing, 1] = 1
    filled = f"filled with the median {column.median:g}"
    return _missing_cells(series, missing, "a number", filled, column.flagged)


def _missing_cells(
    series: "pd.Series", missing: np.ndarray, what: str, filled: str, flagged: bool
) -> list[str]:
    """Describe cells that cannot be read, and empty ones if training had none."""
    found = []
    unread = missing & series.notna().to_numpy()
    if unread.any():
        n, at = int(unread.sum()), first(unread)
        are = "is" if n == 1 else "are"
        found.append(
            f"{count_of(n, 'cell')} {are} not {what} and counted as missing, such as "
            f"{str(series.iloc[at])!r} ({place(series, at)}); {filled}"
        )
    empty = missing & ~unread
    if empty.any() and not flagged:
        where = place(series, first(empty))
        found.append(f"{empty.sum():,} empty (first: {where}), but training had none; {filled}")
    return found


def _unseen(unseen: np.ndarray, consequence: str) -> str:
    """Describe the text values not seen in training, the most frequent first."""
    values, counts = np.unique(unseen.astype(object), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    listed = ", ".join(f"{values[i]!r} ({counts[i]:,})" for i in order[:3])
    more = f" and {len(values) - 3:,} more" if len(values) > 3 else ""
    return f"values not seen in training: {listed}{more}; {consequence}"


def quoted_list(names: Sequence[str]) -> str:
    """Return the first names, quoted, and the number of the others."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(repr(name) for name in names[:5]) + more
