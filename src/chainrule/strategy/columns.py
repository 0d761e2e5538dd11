"""The columns of a run's data as integer codes: which of its values each example has.

The values of a text column are its categories. The values of a numeric column are its distinct
numbers in the training set; a number that is not among them gets the code of the nearest one. A
missing cell is a value of its own.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from chainrule.data.columns import NumberColumn
from chainrule.train.door import Door


class Coded(NamedTuple):
    """A column: its name, its codes (0, 1, …) in each set, and the number of distinct values."""

    name: str
    codes: tuple[np.ndarray, ...]
    values: int


def coded_columns(door: Door, *parts: np.ndarray) -> Iterator[Coded]:
    """Encode each column of the sets' X (m, n_x); the values are those of the first set."""
    first = 0
    for name, width, is_text in _columns(door):
        blocks = [X[:, first : first + width] for X in parts]
        first += width
        codes = _text_codes(blocks) if is_text else _number_codes(blocks)
        yield Coded(name, codes, 1 + max(int(c.max(initial=0)) for c in codes))


def _columns(door: Door) -> Iterator[tuple[str, int, bool]]:
    """Yield (name, number of network inputs, whether it is text) for each column."""
    if door.columns is None:
        yield from ((name, 1, False) for name in door.names)
        return
    for column in door.columns.columns:
        yield column.name, len(column.names), not isinstance(column, NumberColumn)


def _text_codes(blocks: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Return the code of the category that is set, 0 for none, also when the inputs are scaled."""
    least = blocks[0].min(axis=0, initial=np.inf)
    above = [B - least for B in blocks]
    return tuple(np.where(A.any(axis=1), A.argmax(axis=1) + 1, 0) for A in above)


def _number_codes(blocks: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Return the code of the nearest number; a second input, if any, marks missing cells."""
    values = np.unique(blocks[0][:, 0])
    middles = (values[1:] + values[:-1]) / 2
    codes = tuple(np.searchsorted(middles, B[:, 0]) for B in blocks)
    if blocks[0].shape[1] == 1:
        return codes
    present = blocks[0][:, 1].min(initial=np.inf)
    pairs = zip(codes, blocks, strict=True)
    return tuple(np.where(B[:, 1] > present, len(values), code) for code, B in pairs)
