"""From a table to numbers: what each column gives was learned from the training rows alone.

    numbers      as they are, booleans 0 and 1; an empty cell is the median of the training rows,
                 and so is a word among booleans that training did not have
    text         one input per text seen in training, 1 where the cell holds it
    "… is missing"   one more input for a column of numbers that had empty cells in training
    "…=(missing)"    the same for text

A text never seen in training is 0 in all of its column's inputs, and is said.
"""

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.data.cells import (
    by_name,
    first,
    is_truth,
    kind_of,
    numbers,
    place,
    texts,
    truths,
)
from chainrule.errors import DataError, DataWarning, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

MISSING = "(missing)"
MOST = 1000  # different texts in a column


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers: one input, and a second where empty cells were seen in training.

    truth  booleans: words that are neither true nor false are the median, and said
    """

    name: str
    median: float
    flagged: bool
    truth: bool = False

    @classmethod
    def learn(cls, series: "pd.Series") -> "NumberColumn":
        """The median of what is there, and whether anything is not."""
        values = numbers(series)
        missing = np.isnan(values)
        flagged = bool(missing.any())
        median = np.median(values[~missing] if flagged else values)
        return cls(str(series.name), float(median), flagged, is_truth(series))

    @property
    def names(self) -> list[str]:
        """Of the inputs it gives."""
        return [self.name, f"{self.name} is missing"] if self.flagged else [self.name]

    def write(self, series: "pd.Series", out: np.ndarray) -> None:
        """Fill out, (m, 1) or (m, 2)."""
        values = self._read(series)
        out[:, 0] = values
        missing = np.isnan(values)
        if not missing.any():
            return
        out[missing, 0] = self.median
        if self.flagged:
            out[missing, 1] = 1
        else:
            _warn(
                f"column {self.name!r}: {missing.sum():,} empty (first: "
                f"{place(series, first(missing))}), though none was in training; "
                f"filled with the median {self.median:g}."
            )

    def _read(self, series: "pd.Series") -> np.ndarray:
        """The numbers, NaN where there is none."""
        if not self.truth or is_truth(series) or series.dtype.kind in "iuf":
            return numbers(series)
        values, others = truths(series)
        if others.any():
            _warn_unseen(self.name, series.to_numpy(object)[others], f"filled with {self.median:g}")
            values[others] = self.median
        return values


@dataclass(frozen=True)
class TextColumn:
    """A column of text: one input per text seen in training."""

    name: str
    categories: tuple[str, ...]

    @classmethod
    def learn(cls, series: "pd.Series") -> "TextColumn":
        """The different texts, in alphabetical order, then the missing one."""
        codes, different = texts(series)
        if len(different) > MOST:
            identifier = len(different) > 0.5 * len(series)
            raise DataError(
                f"column {series.name!r}",
                f"at most {MOST:,} categories",
                f"{len(different):,} in {len(series):,} rows",
                "leaving the column out: it looks like an identifier"
                if identifier
                else "one word, such as other, for its rare categories",
            )
        missing = (MISSING,) if (codes < 0).any() and MISSING not in different else ()
        return cls(str(series.name), tuple(sorted(set(different))) + missing)

    @property
    def names(self) -> list[str]:
        """Of the inputs it gives."""
        return [f"{self.name}={category}" for category in self.categories]

    def write(self, series: "pd.Series", out: np.ndarray) -> None:
        """Fill out, (m, number of categories), which comes as zeros."""
        codes, different = texts(series)
        index = {category: j for j, category in enumerate(self.categories)}
        column = np.array([index.get(text, -1) for text in [*different, MISSING]])[codes]
        seen = np.flatnonzero(column >= 0)
        out[seen, column[seen]] = 1
        if seen.size < len(column):
            unseen = np.array([*different, MISSING], dtype=object)[codes[column < 0]]
            _warn_unseen(self.name, unseen, "all of the column's inputs are 0 there")


Column = NumberColumn | TextColumn


@dataclass(frozen=True)
class Columns:
    """What the columns of the training rows were, and so what every other table has to be.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [20, None, 40], "colour": ["red", "blue", "red"]})
    >>> columns = Columns.learn(frame)
    >>> columns.names
    ['age', 'age is missing', 'colour=blue', 'colour=red']
    >>> columns.apply(frame).tolist()
    [[20.0, 0.0, 0.0, 1.0], [30.0, 1.0, 1.0, 0.0], [40.0, 0.0, 0.0, 1.0]]
    """

    columns: tuple[Column, ...]
    empty: tuple[str, ...] = ()  # nothing in training, so nothing since

    @classmethod
    def learn(cls, frame: "pd.DataFrame") -> "Columns":
        """From the training rows, and from no others."""
        if not frame.columns.is_unique:
            twice = ", ".join(repr(name) for name in frame.columns[frame.columns.duplicated()][:5])
            raise DataError(
                "the table", "each column's name once", f"{twice} twice", "another name for one"
            )
        cells = by_name(frame)
        kinds = {name: kind_of(series) for name, series in cells.items()}
        learners = {"numbers": NumberColumn.learn, "texts": TextColumn.learn}
        columns = [learners[kind](cells[name]) for name, kind in kinds.items() if kind in learners]
        empty = [name for name, kind in kinds.items() if kind == "nothing"]
        if empty:
            _warn(f"no value in the training rows, left out: {_listed(empty)}.")
        if not columns:
            hint = "columns besides those of --target, --group, --time and --weight"
            raise DataError("the table", "at least one column to learn from", "none", hint)
        return cls(tuple(columns), tuple(empty))

    @property
    def names(self) -> list[str]:
        """Of the network's inputs, in order."""
        return [name for column in self.columns for name in column.names]

    def apply(self, frame: "pd.DataFrame") -> np.ndarray:
        """The rows as numbers, (m, n) in float32. The order of the columns does not matter."""
        cells = by_name(frame)
        self._check(list(cells))
        out = np.zeros((len(frame), len(self.names)), np.float32)
        start = 0
        for column in self.columns:
            end = start + len(column.names)
            column.write(cells[column.name], out[:, start:end])
            start = end
        return out

    def _check(self, given: list[str]) -> None:
        """Refuse a table without one of the columns, and say which columns are new."""
        wanted = [column.name for column in self.columns]
        missing = [name for name in wanted if name not in given]
        if missing:
            raise DataError(
                f"column {_listed(missing)}",
                "the columns of the training table",
                f"a table without {'it' if len(missing) == 1 else 'them'}",
                did_you_mean(missing[0], [name for name in given if name not in wanted] or given),
            )
        extra = [name for name in given if name not in {*wanted, *self.empty}]
        if extra:
            _warn(f"not in the training table, ignored: {_listed(extra)}.")

    def to_dict(self) -> dict[str, Any]:
        """For JSON; `from_dict` gives the same columns again, to the last digit."""
        return {"columns": [asdict(column) for column in self.columns], "empty": list(self.empty)}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "Columns":
        """The columns that `to_dict` wrote."""
        columns = [
            TextColumn(column["name"], tuple(column["categories"]))
            if "categories" in column
            else NumberColumn(**column)
            for column in saved["columns"]
        ]
        return cls(tuple(columns), tuple(saved["empty"]))


def _warn_unseen(name: str, unseen: np.ndarray, then: str) -> None:
    values, counts = np.unique(unseen.astype(object), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    listed = ", ".join(f"{values[i]!r} ({counts[i]:,})" for i in order[:3])
    more = f" and {len(values) - 3:,} more" if len(values) > 3 else ""
    _warn(f"column {name!r}: not seen in training: {listed}{more}; {then}.")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(repr(name) for name in names[:5]) + more


def _warn(words: str) -> None:
    warnings.warn(words, DataWarning, stacklevel=4)
