"""Convert table columns to network inputs, with parameters learned from the training rows only.

    numbers      used as they are, booleans as 0 and 1; empty cells, and words unseen in training
                 in a column of booleans, are filled with the median of the training rows
    text         one-hot: one input for each text value seen in training
    "… is missing"   an additional input for a number column with empty cells in training
    "…=(missing)"    the same for a text column

A text value not seen in training sets all inputs of its column to 0, and a warning reports it.
"""

import warnings
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from chainrule.data.cells import (
    first,
    is_boolean,
    kind_of,
    names_of,
    numbers,
    parse_booleans,
    place,
    plain_columns,
    texts,
    warn_of_columns,
)
from chainrule.errors import DataError, DataWarning, did_you_mean
from chainrule.formatting import count_of
from chainrule.host.reading import convert

if TYPE_CHECKING:
    import pandas as pd

MISSING = "(missing)"
MOST = 1000  # distinct text values in a column


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
        """Learn the median of the non-empty cells, and whether there are empty ones."""
        values = numbers(series)
        missing = np.isnan(values)
        flagged = bool(missing.any())
        median = np.median(values[~missing] if flagged else values)
        return cls(str(series.name), float(median), flagged, is_boolean(series))

    @property
    def names(self) -> list[str]:
        """Return the names of the inputs of this column."""
        return [self.name, f"{self.name} is missing"] if self.flagged else [self.name]

    def write(self, series: "pd.Series", out: np.ndarray) -> list[str]:
        """Write the inputs of the rows into `out`, (m, 1) or (m, 2); return what is unusual."""
        values, found = self._read(series)
        out[:, 0] = values
        missing = np.isnan(values)
        if not missing.any():
            return found
        out[missing, 0] = self.median
        if self.flagged:
            out[missing, 1] = 1
            return found
        return [
            *found,
            f"{missing.sum():,} empty (first: {place(series, first(missing))}), "
            f"but training had none; filled with the median {self.median:g}",
        ]

    def _read(self, series: "pd.Series") -> tuple[np.ndarray, list[str]]:
        """Return the numbers, NaN for empty cells, and what is unusual."""
        if not self.truth or is_boolean(series) or series.dtype.kind in "iuf":
            return numbers(series), []
        values, others = parse_booleans(series)
        if not others.any():
            return values, []
        values[others] = self.median
        return values, [_unseen(series.to_numpy(object)[others], f"filled with {self.median:g}")]


@dataclass(frozen=True)
class TextColumn:
    """A column of text: one-hot inputs for the text values seen in training."""

    name: str
    categories: tuple[str, ...]

    @classmethod
    def learn(cls, series: "pd.Series") -> "TextColumn":
        """Learn the distinct text values in alphabetical order, with a missing value last."""
        codes, different = texts(series)
        if len(different) > MOST:
            identifier = len(different) > 0.5 * len(series)
            raise DataError(
                f"column {series.name!r}",
                f"at most {MOST:,} distinct text values",
                f"{len(different):,} in {count_of(len(series), 'row')}",
                "removing the column: it looks like an identifier"
                if identifier
                else "replacing rare values by one word, such as other",
            )
        missing = (MISSING,) if (codes < 0).any() and MISSING not in different else ()
        return cls(str(series.name), tuple(sorted(set(different))) + missing)

    @property
    def names(self) -> list[str]:
        """Return the names of the inputs of this column."""
        return [f"{self.name}={category}" for category in self.categories]

    def write(self, series: "pd.Series", out: np.ndarray) -> list[str]:
        """Write the one-hot inputs into `out`, (m, number of texts), which must be all zeros.

        Returns what is unusual.
        """
        codes, different = texts(series)
        index = {category: j for j, category in enumerate(self.categories)}
        if series.dtype.kind in "iuf":  # the whole number 7 may be the text "7" or "7.0"
            index = {text.removesuffix(".0"): j for text, j in index.items()} | index
            different = [text if text in index else text.removesuffix(".0") for text in different]
        column = np.array([index.get(text, -1) for text in [*different, MISSING]])[codes]
        seen = np.flatnonzero(column >= 0)
        out[seen, column[seen]] = 1
        if seen.size == len(column):
            return []
        unseen = np.array([*different, MISSING], dtype=object)[codes[column < 0]]
        return [_unseen(unseen, "all inputs of the column are 0 in these rows")]


Column = NumberColumn | TextColumn


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
    empty: tuple[str, ...] = ()  # no value in training, so ignored

    @classmethod
    def learn(cls, frame: "pd.DataFrame") -> "Columns":
        """Learn the columns from the training rows."""
        if not frame.columns.is_unique:
            twice = ", ".join(repr(name) for name in frame.columns[frame.columns.duplicated()][:5])
            raise DataError(
                "the table", "unique column names", f"{twice} twice", "renaming one of them"
            )
        names, plain = names_of(frame), _learn_plain(frame)
        others = {at: frame.iloc[:, at] for at in range(len(names)) if at not in plain}
        kinds = {at: kind_of(series) for at, series in others.items()}
        learners = {"numbers": NumberColumn.learn, "texts": TextColumn.learn}
        columns = [
            plain[at] if at in plain else learners[kinds[at]](others[at])
            for at in range(len(names))
            if kinds.get(at) != "nothing"
        ]
        empty = [names[at] for at, kind in kinds.items() if kind == "nothing"]
        if empty:
            _warn(f"ignored the columns without a value in the training rows: {_listed(empty)}.")
        if not columns:
            hint = "adding columns besides those of --target, --group, --time and --weight"
            raise DataError("the table", "at least one column to learn from", "none", hint)
        return cls(tuple(columns), tuple(empty))

    @property
    def names(self) -> list[str]:
        """Return the names of the network's inputs, in order."""
        return [name for column in self.columns for name in column.names]

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
                f"column {_listed(missing)}",
                "the columns of the training table",
                "no such column" if len(missing) == 1 else "no such columns",
                did_you_mean(missing[0], unused)
                if unused
                else "a table with all columns of training",
            )
        known = {*wanted, *self.empty}
        extra = [name for name in given if name not in known]
        if extra:
            _warn(f"ignored the columns that the training table does not have: {_listed(extra)}.")

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-compatible data; `from_dict` restores identical columns."""
        return {"columns": [asdict(column) for column in self.columns], "empty": list(self.empty)}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "Columns":
        """Restore the columns from the result of `to_dict`, and refuse a column that is not one."""
        listed = convert(saved, SavedColumns, "the columns")
        columns = tuple(map(_restored, listed["columns"]))
        if len({column.name for column in columns}) < len(columns) or not columns:
            names = _listed([column.name for column in columns])
            raise DataError("the columns", "columns of different names", names or "none")
        return cls(columns, tuple(listed["empty"]))


class SavedColumns(TypedDict):
    """The result of `Columns.to_dict`."""

    columns: list[dict[str, Any]]
    empty: list[str]


def _restored(saved: dict[str, Any]) -> Column:
    """Return the column that was stored as plain data."""
    where = f"the column {saved.get('name')!r}"
    if "categories" in saved:
        return convert(saved, TextColumn, where)
    column = convert(saved, NumberColumn, where)
    if not np.isfinite(column.median):
        raise DataError(where, "a finite median", f"{column.median}")
    return column


def _learn_plain(frame: "pd.DataFrame") -> dict[int, NumberColumn]:
    """Learn the medians of all plain columns; return their descriptions by position."""
    names = names_of(frame)
    return {
        at: NumberColumn(names[at], median, False)
        for found in plain_columns(frame)
        for at, median in zip(
            found.at.tolist(), np.median(found.values, axis=0).astype(float).tolist(), strict=True
        )
    }


def _unseen(unseen: np.ndarray, consequence: str) -> str:
    """Describe the text values not seen in training, the most frequent first."""
    values, counts = np.unique(unseen.astype(object), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    listed = ", ".join(f"{values[i]!r} ({counts[i]:,})" for i in order[:3])
    more = f" and {len(values) - 3:,} more" if len(values) > 3 else ""
    return f"values not seen in training: {listed}{more}; {consequence}"


def _listed(names: Sequence[str]) -> str:
    """Return the first names, quoted, and the number of the others."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(repr(name) for name in names[:5]) + more


def _warn(message: str) -> None:
    """Issue a DataWarning at the caller of the public method."""
    warnings.warn(message, DataWarning, stacklevel=4)
