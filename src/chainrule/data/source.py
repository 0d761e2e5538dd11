"""What every reader of files returns: examples in rows, labels as the user wrote them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Source:
    """A data set in rows, before anything is learned from it.

    X        a table (pandas DataFrame), numbers (m, n_x), or images (m, n_H, n_W[, n_C])
    y        (m,) labels or numbers as they were written, (m, k) numbers, or None without labels
    weights  (m,) how much each example counts, or None
    groups   (m,) rows of one group stay in one part, or None
    time     (m,) the latest rows are dev and test, or None
    classes  names of the labels 0, 1, … where the file brings them
    parts    "dev" and "test", where the source comes split already
    digest   sha256 of the bytes it was read from
    """

    name: str
    X: Any  # pd.DataFrame or np.ndarray
    y: np.ndarray | None = None
    target: str | None = None
    weights: np.ndarray | None = None
    groups: np.ndarray | None = None
    time: np.ndarray | None = None
    classes: tuple[str, ...] | None = None
    parts: dict[str, Source] = field(default_factory=dict)
    digest: str = ""

    def __len__(self) -> int:
        """How many examples."""
        return len(self.X)

    @property
    def is_table(self) -> bool:
        """True for named columns, which `columns.py` turns into numbers."""
        return hasattr(self.X, "iloc")

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
            parts={},
        )
