"""The columns of a run's data one by one, as codes: which of its values each example has.

A column of text is its texts, a column of numbers its different numbers in the training part; a
number that was not there is the nearest that was. An empty cell is a value of its own.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from chainrule.data.columns import NumberColumn
from chainrule.train.door import Door


class Coded(NamedTuple):
    """A column's name, its codes in each part that was asked for, from 0 on, how many there are."""

    name: str
    codes: tuple[np.ndarray, ...]
    values: int


def coded_columns(door: Door, *parts: np.ndarray) -> Iterator[Coded]:
    """Each column of X (m, n_x) of the parts; the values are those of the first."""
    first = 0
    for name, width, is_text in _columns(door):
        blocks = [X[:, first : first + width] for X in parts]
        first += width
        codes = _texts(blocks) if is_text else _numbers(blocks)
        yield Coded(name, codes, 1 + max(int(c.max(initial=0)) for c in codes))


def _columns(door: Door) -> Iterator[tuple[str, int, bool]]:
    """(name, how many inputs it gives, whether it is text)."""
    if door.columns is None:
        yield from ((name, 1, False) for name in door.names)
        return
    for column in door.columns.columns:
        yield column.name, len(column.names), not isinstance(column, NumberColumn)


def _texts(blocks: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """One input per text: the one that stands out; the scale of inputs keeps their order."""
    least = blocks[0].min(axis=0, initial=np.inf)
    above = [B - least for B in blocks]
    return tuple(np.where(A.any(axis=1), A.argmax(axis=1) + 1, 0) for A in above)


def _numbers(blocks: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The nearest of the numbers; a second input says that the cell was empty."""
    values = np.unique(blocks[0][:, 0])
    middles = (values[1:] + values[:-1]) / 2
    codes = tuple(np.searchsorted(middles, B[:, 0]) for B in blocks)
    if blocks[0].shape[1] == 1:
        return codes
    present = blocks[0][:, 1].min(initial=np.inf)
    pairs = zip(codes, blocks, strict=True)
    return tuple(np.where(B[:, 1] > present, len(values), code) for code, B in pairs)
