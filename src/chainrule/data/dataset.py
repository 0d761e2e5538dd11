"""The data set returned by every file reader: examples in rows, labels as they were written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Dataset:
    """A data set with examples in rows, before anything is learned from it.

    X        a table (pandas DataFrame), numbers (m, n_x), images (m, n_H, n_W[, n_C]), in memory
             or read in chunks (`Streamed`), sequences (`Sequences`), or texts (m,) of str
    y        (m,) labels or numbers as they were written, (m, k) numbers, or None without labels
    weights  (m,) the weight of each example, or None
    groups   (m,) the group of each example, or None; a group is never split between sets
    time     (m,) the time of each example, or None; the latest rows become dev and test
    keys     the columns that are copied into the predictions (pandas DataFrame), or None
    classes  names of the labels 0, 1, …, or all labels that are text, if the file contains them
    parts    the "dev" and "test" sets, if the data is already split
    places   (m,) where each example is in the file, if that is not its index
    digest   sha256 of the bytes it was read from
    skipped  unreadable files that were left out at the user's request
    white    the value of white in images with 16 bits, or None if there are none
    step_names  names of the n_x numbers of each step of a sequence, if the file contains them
    """

    name: str
    X: Any  # pd.DataFrame, np.ndarray, Streamed or Sequences
    y: np.ndarray | None = None
    target: str | None = None
    weights: np.ndarray | None = None
    groups: np.ndarray | None = None
    time: np.ndarray | None = None
    keys: Any = None  # pd.DataFrame
    classes: tuple[str, ...] | None = None
    parts: dict[str, Dataset] = field(default_factory=dict)
    places: np.ndarray | None = None
    digest: str = ""
    skipped: tuple[str, ...] = ()
    white: int | None = None
    step_names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.X)

    @property
    def is_table(self) -> bool:
        """Return whether X has named columns, which `columns.py` converts to numbers."""
        return hasattr(self.X, "iloc")

    @property
    def where(self) -> np.ndarray:
        """Return the place of each example: the line of a CSV, an image file, or its row from 0."""
        if self.places is not None:
            return self.places
        return self.X.index.to_numpy() if self.is_table else np.arange(len(self))

    @property
    def place_name(self) -> str:
        """Return the unit of `where`: "line", "file" or "row"."""
        where = self.where
        if where.dtype.kind in "UO":
            return "file" if where.dtype.kind == "U" else "place"
        return "line" if self.is_table and self.X.index.name == "line" else "row"

    @property
    def key_values(self) -> dict[str, list[Any]]:
        """Return the values of the keys by the name of their column, None for an empty cell."""
        if self.keys is None:
            return {}
        cells = self.keys.astype(object).where(self.keys.notna(), None)
        return {
            str(name): [
                value if value is None or isinstance(value, (int, float, str)) else str(value)
                for value in series.tolist()
            ]
            for name, series in cells.items()
        }

    def rows(self, index: np.ndarray) -> Dataset:
        """Return the examples with these row numbers, in this order."""

        def pick(values):
            return None if values is None else values[index]

        X = self.X.iloc[index] if self.is_table else self.X[index]
        return replace(
            self,
            X=X,
            y=pick(self.y),
            weights=pick(self.weights),
            groups=pick(self.groups),
            time=pick(self.time),
            keys=None if self.keys is None else self.keys.iloc[index],
            places=self.where[index],
            parts={},
        )
