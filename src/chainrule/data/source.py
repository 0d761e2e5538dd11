"""What every reader of files returns: examples in rows, labels as the user wrote them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Source:
    """A data set in rows, before anything is learned from it.

    X        a table (pandas DataFrame), numbers (m, n_x), or images (m, n_H, n_W[, n_C]), in
             memory or read in parts (`Streamed`)
    y        (m,) labels or numbers as they were written, (m, k) numbers, or None without labels
    weights  (m,) how much each example counts, or None
    groups   (m,) rows of one group stay in one part, or None
    time     (m,) the latest rows are dev and test, or None
    classes  names of the labels 0, 1, … where the file brings them
    parts    "dev" and "test", where the source comes split already
    places   (m,) where each example stands in what was read, if that is not its index
    digest   sha256 of the bytes it was read from
    skipped  files that could not be read and were left out, as the user wanted
    """

    name: str
    X: Any  # pd.DataFrame, np.ndarray or Streamed
    y: np.ndarray | None = None
    target: str | None = None
    weights: np.ndarray | None = None
    groups: np.ndarray | None = None
    time: np.ndarray | None = None
    classes: tuple[str, ...] | None = None
    parts: dict[str, Source] = field(default_factory=dict)
    places: np.ndarray | None = None
    digest: str = ""
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many examples."""
        return len(self.X)

    @property
    def is_table(self) -> bool:
        """True for named columns, which `columns.py` turns into numbers."""
        return hasattr(self.X, "iloc")

    @property
    def where(self) -> np.ndarray:
        """Where each example stands: the line of a CSV, a picture's file, else its row from 0."""
        if self.places is not None:
            return self.places
        return self.X.index.to_numpy() if self.is_table else np.arange(len(self))

    @property
    def place_name(self) -> str:
        """What `where` counts: "line", "file" or "row"."""
        where = self.where
        if where.dtype.kind in "UO":
            return "file" if where.dtype.kind == "U" else "place"
        return "line" if self.is_table and self.X.index.name == "line" else "row"

    def rows(self, index: np.ndarray) -> Source:
        """The examples with these row numbers, in this order."""

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
            places=self.where[index],
            parts={},
        )
