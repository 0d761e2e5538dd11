"""Which inputs of the network one column of the table gives: its texts, and "is missing"."""

from typing import NamedTuple

import numpy as np

from chainrule.train.door import Door


class Inputs(NamedTuple):
    """The columns by name, and of each input of the network the place of its column."""

    names: tuple[str, ...]
    column: np.ndarray


def column_inputs(door: Door) -> Inputs:
    """What goes together: nobody has one text of a column and another one too."""
    if door.columns is None:
        return Inputs(tuple(door.names), np.arange(door.n_x))
    columns = door.columns.columns
    widths = [len(column.names) for column in columns]
    return Inputs(tuple(column.name for column in columns), np.repeat(range(len(widths)), widths))
