"""Map the inputs of the network to the columns of the table that they encode."""

from typing import NamedTuple

import numpy as np

from chainrule.train.door import Door


class Inputs(NamedTuple):
    """The names of the columns, and for each input of the network the index of its column."""

    names: tuple[str, ...]
    column: np.ndarray


def column_inputs(door: Door) -> Inputs:
    """Group the inputs by the column they come from, since they can only change together."""
    if door.columns is None:
        return Inputs(tuple(door.names), np.arange(door.n_x))
    columns = door.columns.columns
    widths = [len(column.names) for column in columns]
    return Inputs(tuple(column.name for column in columns), np.repeat(range(len(widths)), widths))
