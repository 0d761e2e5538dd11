"""Decide how each column of a table is read, and convert the columns to network inputs.

Everything is learned from the training rows. A column becomes, in this order,

    what an option says   --drop, --key, --category, --number or --date
    numbers               booleans, the words true and false, and numbers; also a column with up to
                          5 % of other words, which count as missing
    dates                 text of which 95 % are dates in the same order (`data/dates.py`)
    numbers with units    text such as $1,200, 42.7 % or 60+, if all cells agree (`data/units.py`)
    nothing               identifiers, row numbers, sentences, and columns without a value
    categories            other text; rare values share one input

`column_types.py` says which inputs each type has. A text value not seen in training sets all inputs
of its column to 0, and a warning reports it, unless the column has rare values, to which it then
belongs. A cell that is not what its column holds counts as missing, and a warning reports it.
"""

import re
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple, NotRequired, TypedDict

import numpy as np

from chainrule.choices import COLUMN_RULES
from chainrule.data.cells import (
    PlainColumns,
    check_all_numbers,
    first,
    kind_of,
    names_of,
    parsed,
    place,
    plain_columns,
    texts,
    warn_of_columns,
    with_columns,
)
from chainrule.data.column_types import (
    ALL_RARE,
    COUNTS,
    IDENTIFIER,
    KEYS,
    MARKERS,
    NOTHING,
    NUMBERED,
    OTHER,
    SENTENCES,
    Column,
    DateColumn,
    LeftOut,
    NumberColumn,
    TextColumn,
    UnitColumn,
    moments_are,
    override,
    quoted_list,
    restored_column,
)
from chainrule.data.dates import ORDERS, FoundOrder, moments, order_of, order_of_numbers
from chainrule.data.units import Unit
from chainrule.errors import DataError, DataWarning, OptionError, did_you_mean
from chainrule.formatting import count_of
from chainrule.host.reading import convert

if TYPE_CHECKING:
    import pandas as pd

FROM = 20  # rows; with fewer, every row may have its own value by chance
MOSTLY_NUMBERS = 0.95
LEADING_ZEROS = re.compile(r"[-+]?0[0-9]+")
ID_NAME = re.compile(
    r"(?:.*(?:[^A-Za-z]|(?<=[a-z])(?=I)))?(?:id|Id|ID)|rownames|row[_ ]?number|Unnamed: 0"
)
WORDS, CHARACTERS = 4, 30
"""The mean number of words and of characters from which a column of texts holds sentences."""


@dataclass(frozen=True)
class ColumnOptions:
    """The columns whose reading an option determines, and whether odd cells are refused.

    drop, key               columns that are not inputs; a key is copied into the predictions
    category, number, date  columns that are read as text, as numbers or as dates
    strict                  whether a cell that is not what its column holds is an error
    rules                   the version of the rules for all other columns: in the first one, every
                            column was either numbers or categories
    """

    drop: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    number: tuple[str, ...] = ()
    date: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    strict: bool = False
    rules: int = COLUMN_RULES[-1]

    @property
    def by_option(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the columns by the flag of their option."""
        names = [one.name for one in fields(self) if one.name not in ("strict", "rules")]
        return {f"--{name}": getattr(self, name) for name in names}

    def check(self, file: str, columns: Sequence[str], roles: Mapping[str, str]) -> None:
        """Refuse a name that is not a column, and a column with two options.

        `roles` contains the option of each column that has a role already, such as --target.
        """
        option_of = dict(roles)
        for option, names in self.by_option.items():
            for name in names:
                if name not in columns:
                    free = [column for column in columns if column not in option_of]
                    expected = f"a column of {file}"
                    raise OptionError(option, expected, repr(name), did_you_mean(name, free))
                if name in option_of:
                    got = f"{name!r}, which is also {option_of[name]}"
                    hint = "different columns for the two options"
                    raise OptionError(option, "a column without another role", got, hint)
                option_of[name] = option


class ReadColumn(NamedTuple):
    """A row of the table of columns: how a column is read, and the option that overrides it."""

    name: str
    read_as: str
    inputs: int
    note: str
    option: str

    @property
    def is_plain(self) -> bool:
        """Return whether there is nothing to say about the column."""
        return not self.note and self.read_as in ("number", "boolean", "category")


@dataclass(frozen=True)
class Columns:
    """The columns learned from the training rows, which every other table must have.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [20, None, 40], "colour": ["red", "blue", "red"]})
    >>> columns = Columns.learn(frame)
    >>> columns.names
    ['age', 'age is missing', 'colour=blue', 'colour=red']
    >>> columns.apply(frame).tolist()
    [[20.0, 0.0, 0.0, 1.0], [30.0, 1.0, 1.0, 0.0], [40.0, 0.0, 0.0, 1.0]]
    """

    columns: tuple[Column, ...]
    left_out: tuple[LeftOut, ...] = ()

    @classmethod
    def learn(cls, frame: "pd.DataFrame", options: ColumnOptions | None = None) -> "Columns":
        """Learn the columns from the training rows."""
        options = options or ColumnOptions()
        if not frame.columns.is_unique:
            twice = ", ".join(repr(name) for name in frame.columns[frame.columns.duplicated()][:5])
            raise DataError(
                "the table", "unique column names", f"{twice} twice", "renaming one of them"
            )
        names = names_of(frame)
        found: dict[int, Column | LeftOut] = dict(_learn_plain(frame, options))
        for at, name in enumerate(names):
            if at not in found:
                found[at] = _learned(frame.iloc[:, at], name, options)
        if all(isinstance(one, LeftOut) for one in found.values()):
            found |= _row_numbers(frame, found)
        columns = [found[at] for at in range(len(names))]
        used = tuple(one for one in columns if not isinstance(one, LeftOut))
        aside = [LeftOut(name, "--drop") for name in options.drop]
        aside += [LeftOut(name, "--key") for name in options.key]
        left_out = [one for one in columns if isinstance(one, LeftOut)]
        _warn_of_readings(used, left_out)
        if not used:
            hint = "adding columns besides those of --target, --group, --time and --weight"
            hint = f"{left_out[0].option}, or {hint}" if left_out and left_out[0].option else hint
            raise DataError("the table", "at least one column to learn from", "none", hint)
        return cls(used, (*left_out, *aside))

    @property
    def names(self) -> list[str]:
        """Return the names of the network's inputs, in order."""
        return [name for column in self.columns for name in column.names]

    @property
    def texts(self) -> list[str]:
        """Return the names of the columns that are read as text from every file."""
        return [one.name for one in self.columns if not isinstance(one, NumberColumn)]

    @property
    def table(self) -> list[ReadColumn]:
        """Return how each column is read, and the option that overrides it."""
        used = [
            ReadColumn(one.name, one.read_as, len(one.names), one.note, one.option)
            for one in self.columns
        ]
        for one in self.left_out:
            used.append(ReadColumn(one.name, "left out", 0, one.reason, one.option))
        return used

    def to_records(self) -> list[dict[str, Any]]:
        """Return the table of how each column is read as plain data for JSON."""
        return [one._asdict() for one in self.table]

    def apply(self, frame: "pd.DataFrame") -> np.ndarray:
        """Return the rows as numbers, (m, n) in float64; columns may be in any order."""
        position = {name: at for at, name in enumerate(names_of(frame))}
        self._check(position)
        widths = [len(column.names) for column in self.columns]
        starts = np.cumsum([0, *widths])
        out = np.zeros((len(frame), starts[-1]))
        written = self._write_plain(frame, starts, out)
        unusual = [
            (column.name, message)
            for column, start, width in zip(self.columns, starts, widths, strict=False)
            if column.name not in written
            for message in column.write(
                frame.iloc[:, position[column.name]], out[:, start : start + width]
            )
        ]
        warn_of_columns(unusual, stacklevel=3)
        return out

    def check_cells(self, frame: "pd.DataFrame") -> None:
        """Refuse a cell that is not what its column holds, such as text among numbers."""
        plain = {at for found in plain_columns(frame) for at in found.at.tolist()}
        position = {name: at for at, name in enumerate(names_of(frame)) if at not in plain}
        for column in self.columns:
            if column.name not in position:
                continue
            series = frame.iloc[:, position[column.name]]
            odd = column.unreadable(series)
            if odd.any():
                at = first(odd)
                where = f"column {column.name!r}, {place(series, at)}"
                hint = "an empty cell, if the value is unknown, or leaving out --strict"
                raise DataError(where, f"a {column.read_as}", repr(str(series.iloc[at])), hint)

    def _write_plain(self, frame: "pd.DataFrame", starts: np.ndarray, out: np.ndarray) -> set[str]:
        """Write the inputs of all plain columns; return their names."""
        start_of = {
            column.name: start
            for column, start in zip(self.columns, starts, strict=False)
            if isinstance(column, NumberColumn)
        }
        names, written = names_of(frame), set()
        for found in plain_columns(frame):
            chosen = [i for i, at in enumerate(found.at) if names[at] in start_of]
            here = [names[found.at[i]] for i in chosen]
            out[:, [start_of[name] for name in here]] = found.values[:, chosen]
            written |= set(here)
        return written

    def _check(self, given: Collection[str]) -> None:
        """Refuse a table that lacks a column; warn about columns that are new."""
        wanted = dict.fromkeys(column.name for column in self.columns)
        missing = [name for name in wanted if name not in given]
        if missing:
            unused = [name for name in given if name not in wanted]
            raise DataError(
                f"column {quoted_list(missing)}",
                "the columns of the training table",
                "no such column" if len(missing) == 1 else "no such columns",
                did_you_mean(missing[0], unused)
                if unused
                else "a table with all columns of training",
            )
        known = {*wanted, *(one.name for one in self.left_out)}
        extra = [name for name in given if name not in known]
        if extra:
            listed = quoted_list(extra)
            _warn(f"ignored the columns that the training table does not have: {listed}.")

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-compatible data; `from_dict` restores identical columns."""
        parts = {"columns": self.columns, "left_out": self.left_out}
        return {name: [asdict(one) for one in part] for name, part in parts.items()}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "Columns":
        """Restore the columns from the result of `to_dict`, and refuse a column that is not one."""
        listed = convert(saved, SavedColumns, "the columns")
        columns = tuple(map(restored_column, listed["columns"]))
        if len({column.name for column in columns}) < len(columns) or not columns:
            names = quoted_list([column.name for column in columns])
            raise DataError("the columns", "columns of different names", names or "none")
        empty = [LeftOut(name, NOTHING) for name in listed.get("empty", [])]
        return cls(columns, (*listed.get("left_out", []), *empty))


class SavedColumns(TypedDict):
    """The result of `Columns.to_dict`; earlier versions stored only the names of empty columns."""

    columns: list[dict[str, Any]]
    left_out: NotRequired[list[LeftOut]]
    empty: NotRequired[list[str]]


# How a column is read


def _learned(series: "pd.Series", name: str, options: ColumnOptions) -> Column | LeftOut:
    """Decide how a column is read, and learn it."""
    if not series.notna().any():
        return LeftOut(name, NOTHING)
    forced = {**dict.fromkeys(options.category, _as_category)}
    forced |= dict.fromkeys(options.number, _as_number) | dict.fromkeys(options.date, _as_date)
    if name in forced:
        return forced[name](series)
    kind = kind_of(series)
    if kind == "numbers":
        return NumberColumn.learn(series)
    if options.rules == COLUMN_RULES[0]:
        return TextColumn.learn(series, merge=False)
    if kind == "dates":
        return DateColumn.learn(series, FoundOrder("year first"))
    return _mixed(series, options) if kind == "mixed" else _text(series)


def _as_category(series: "pd.Series") -> Column | LeftOut:
    kind_of(series)  # refuses objects such as lists
    return TextColumn.learn(series, wanted=True)


def _as_number(series: "pd.Series") -> Column | LeftOut:
    """Read the numbers of a column, plain ones or those with the most frequent unit."""
    if kind_of(series) == "numbers":
        return NumberColumn.learn(series)
    different = texts(series)[1]
    unit = Unit.most(different)
    with_unit, plain = (~np.isnan(read) for read in (unit.parse(different), _numbers_in(different)))
    if not (with_unit | plain).any():
        where = f"--number, column {series.name!r}"
        got = f"text such as {different[0]!r}"
        raise DataError(where, "numbers", got, override("--category", str(series.name)))
    if with_unit.sum() > plain.sum():
        return UnitColumn.learn(series, unit)
    return NumberColumn.learn(series)


def _as_date(series: "pd.Series") -> Column | LeftOut:
    """Read the dates of a column in the order in which most cells are dates."""
    kind = kind_of(series)
    if kind == "dates":
        return DateColumn.learn(series, FoundOrder("year first"))
    if series.dtype.kind in "iuf":
        found = FoundOrder(order_of_numbers(series.to_numpy(np.float64, na_value=np.nan)))
    else:
        codes, different = texts(series)
        found = order_of(different, np.bincount(codes[codes >= 0])) or _most_dates(different)
    if not moments_are(series, found.order).any():
        at = first(series.notna().to_numpy())
        got = f"{str(series.iloc[at])!r} ({place(series, at)})"
        where = f"--date, column {series.name!r}"
        raise DataError(where, "dates such as 2024-01-31", got, "leaving out --date")
    return DateColumn.learn(series, found)


def _most_dates(different: Sequence[str]) -> FoundOrder:
    """Return the order in which most of these texts are dates."""
    return FoundOrder(
        max(ORDERS[:6], key=lambda order: int((~np.isnat(moments(different, order))).sum()))
    )


def _mixed(series: "pd.Series", options: ColumnOptions) -> Column | LeftOut:
    """Read a column in which some texts are numbers: as numbers if nearly all of them are."""
    if (unit := _unit_of(texts(series)[1])) is not None:
        return UnitColumn.learn(series, unit)
    if options.strict:
        check_all_numbers(series, ~np.isnan(parsed(series)))
    if _mostly_numbers(series):
        return NumberColumn.learn(series)
    return _text(series, numeric=True)


def _text(series: "pd.Series", *, numeric: bool = False) -> Column | LeftOut:
    """Read a column of text: as dates, as numbers with units, not at all, or as categories."""
    import pandas as pd

    codes, different = texts(series)
    counts = np.bincount(codes[codes >= 0], minlength=len(different))
    if not isinstance(series.dtype, pd.CategoricalDtype):
        if (found := order_of(different, counts)) is not None:
            return DateColumn.learn(series, found)
        if (unit := _unit_of(different)) is not None:
            return UnitColumn.learn(series, unit)
    if (reason := _no_category(different, len(series), int(counts.sum()))) is not None:
        return LeftOut(str(series.name), reason)
    column = TextColumn.learn(series, numeric=numeric)
    return LeftOut(column.name, ALL_RARE) if column.categories == (OTHER,) else column


def _no_category(different: Sequence[str], m: int, known: int) -> str | None:
    """Return why nothing can be learned from the values of a text column, or None."""
    if known < FROM or len(different) <= known / 2:
        return None
    n = len(different)
    words = sum(len(text.split()) for text in different) / n
    if words >= WORDS and sum(map(len, different)) / n >= CHARACTERS:
        return SENTENCES
    return IDENTIFIER if n == m else None


def _unit_of(different: Sequence[str]) -> Unit | None:
    """Return how numbers with units are written, if all texts but words for missing ones agree."""
    return Unit.learn([text for text in different if text.strip().lower() not in MARKERS])


def _numbers_in(different: Sequence[str]) -> np.ndarray:
    """Return the number in each text, NaN for other text."""
    import pandas as pd

    return parsed(pd.Series(different, dtype=object))


def _mostly_numbers(series: "pd.Series") -> bool:
    """Return whether nearly all cells are numbers, apart from words for missing ones."""
    codes, different = texts(series)
    counts = np.bincount(codes[codes >= 0], minlength=len(different))
    is_number = ~np.isnan(_numbers_in(different))
    if any(LEADING_ZEROS.fullmatch(text.strip()) for text in different):
        return False  # these are codes
    marks = np.array([text.strip().lower() in MARKERS for text in different], bool)
    count = counts[is_number].sum()
    return bool(count) and count >= MOSTLY_NUMBERS * counts[~marks].sum()


def settled(
    frame: "pd.DataFrame", options: ColumnOptions, *, only_numbers: bool = False
) -> "pd.DataFrame":
    """Return the table with numbers in the columns of which nearly all cells are numbers.

    This is decided from all rows of a file, since a part of them may hold only numbers or only
    other words. Cells that are not numbers become missing values, with a warning, or are refused if
    the options are strict. `only_numbers` says that no column can be read as categories.
    """
    import pandas as pd

    known = {*options.category, *options.date}
    changed, unusual = {}, []
    for at, (name, dtype) in enumerate(zip(names_of(frame), frame.dtypes.tolist(), strict=True)):
        if name in known or dtype.kind in "biufmM" or isinstance(dtype, pd.CategoricalDtype):
            continue
        series = frame.iloc[:, at]
        if kind_of(series) != "mixed":
            continue
        values, forced = parsed(series), name in options.number
        if _unit_of(texts(series)[1]) is not None:
            changed[frame.columns[at]] = _with_numbers(series, values)
            continue
        if options.strict:
            check_all_numbers(series, ~np.isnan(values))
        if _mostly_numbers(series) or (forced and _is_plain(series, values)):
            changed[frame.columns[at]] = pd.Series(values, series.index, name=series.name)
            forced = forced or only_numbers
            unusual.append((name, _counted_as_missing(series, values, name, forced=forced)))
    warn_of_columns(unusual)
    return with_columns(frame, changed)


def _with_numbers(series: "pd.Series", values: np.ndarray) -> "pd.Series":
    """Return a column of text with numbers in place of the texts that are plain numbers.

    Otherwise, a part of the rows without any text such as 60+ would look like categories.
    """
    import pandas as pd

    cells = series.to_numpy(object, copy=True)
    found = ~np.isnan(values)
    cells[found] = values[found]
    return pd.Series(cells, series.index, dtype=object, name=series.name)


def _is_plain(series: "pd.Series", values: np.ndarray) -> bool:
    """Return whether plain numbers are at least as frequent as those with the commonest unit."""
    different = texts(series)[1]
    with_unit = (~np.isnan(Unit.most(different).parse(different))).sum()
    return bool((~np.isnan(_numbers_in(different))).sum() >= with_unit)


def _counted_as_missing(series: "pd.Series", values: np.ndarray, name: str, *, forced: bool) -> str:
    """Describe the cells of a column of numbers that are not numbers."""
    other = np.isnan(values) & series.notna().to_numpy()
    at, n = first(other), int(other.sum())
    are = "is" if n == 1 else "are"
    message = (
        f"{count_of(n, 'cell')} {are} not a number and counted as missing, such as "
        f"{series.iloc[at]!r} ({place(series, at)})"
    )
    return message if forced else f"{message}; {override('--category', name)} keeps the texts"


def _learn_plain(frame: "pd.DataFrame", options: ColumnOptions) -> dict[int, Column | LeftOut]:
    """Learn the medians of all plain columns, and find those that number the rows, by position."""
    names, found = names_of(frame), {}
    forced = {*options.category, *options.date}
    used = set(names) if options.rules == COLUMN_RULES[0] else {*options.number}
    for columns in plain_columns(frame):
        medians = np.median(columns.values, axis=0).astype(float).tolist()
        reasons = _numbering(columns, names, frame.index.to_numpy())
        for at, median, reason in zip(columns.at.tolist(), medians, reasons, strict=True):
            name = names[at]
            if name not in forced:
                leave = reason and name not in used
                found[at] = LeftOut(name, reason) if leave else NumberColumn(name, median, False)
    return found


def _numbering(columns: PlainColumns, names: Sequence[str], index: np.ndarray) -> list[str]:
    """Return for each column why it only numbers the rows, or an empty text."""
    values, n = columns.values, len(columns.at)
    if values.dtype.kind not in "iu" or len(values) < FROM:
        return [""] * n
    counts = np.zeros(n, bool)
    if index.dtype.kind in "iu":
        first_row = values[0].astype(np.int64) - int(index[0])
        counts = (values.astype(np.int64) - index[:, None] == first_row).all(axis=0)
    at = columns.at.tolist()
    keys = [_is_key(str(names[k]), values[:, i]) for i, k in enumerate(at)]
    return [COUNTS if counts[i] else KEYS if keys[i] else "" for i in range(n)]


def _is_key(name: str, values: np.ndarray) -> bool:
    """Return whether a column is called id or so, and has a different number in every row."""
    return ID_NAME.fullmatch(name) is not None and len(np.unique(values)) == len(values)


def _row_numbers(
    frame: "pd.DataFrame", found: Mapping[int, Column | LeftOut]
) -> dict[int, Column | LeftOut]:
    """Return the columns that number the rows as numbers, for a table that has no others."""
    return {
        at: NumberColumn.learn(frame.iloc[:, at])
        for at, one in found.items()
        if isinstance(one, LeftOut) and one.reason in NUMBERED
    }


def _warn_of_readings(used: Iterable[Column], left_out: Sequence[LeftOut]) -> None:
    """Warn about columns that are left out, and dates whose order is assumed."""
    empty = [one.name for one in left_out if one.reason == NOTHING]
    if empty:
        listed = quoted_list(empty)
        _warn(f"ignored the columns without a value in the training rows: {listed}.", 5)
    unusual = [
        (one.name, f"left out ({one.reason})" + (f"; {one.option} uses it" if one.option else ""))
        for one in left_out
        if one.reason != NOTHING
    ]
    unusual += [
        (one.name, f"{one.note.rpartition('; ')[2]}, since no date shows the order")
        for one in used
        if isinstance(one, DateColumn) and one.assumed
    ]
    warn_of_columns(unusual, stacklevel=4)


def _warn(message: str, stacklevel: int = 4) -> None:
    """Issue a DataWarning at the caller of the public method."""
    warnings.warn(message, DataWarning, stacklevel=stacklevel)
