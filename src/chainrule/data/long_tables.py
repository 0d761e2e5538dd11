"""Read sequences from a long table, in which each row is one step of a sequence.

    patient,hour,pulse,temperature,outcome
    P7,0,80,36.9,well
    P7,1,84,37.2,well
    P9,0,95,38.4,ill

`--sequence patient --time hour --target outcome` gives two sequences of two numbers per step. The
sequences are in the order of their first rows, and their steps in that of the time, or of the rows
if no time is named. The target, the weight, the group and the keys have the same value in all steps
of a sequence. All other columns are the numbers of a step; an empty cell is NaN.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.data.cells import (
    check_finite,
    first,
    kind_of,
    names_of,
    place,
    texts,
    warn_of_columns,
)
from chainrule.data.column_types import numbers_of, override, quoted_list
from chainrule.data.columns import ColumnOptions, settled
from chainrule.data.dataset import Dataset
from chainrule.data.sequences import Sequences
from chainrule.data.units import Unit
from chainrule.errors import DataError, DataWarning, OptionError, did_you_mean
from chainrule.host.machine import check_memory

if TYPE_CHECKING:
    import pandas as pd


class Steps(NamedTuple):
    """Which rows of a table are the steps of which sequence.

    codes    (rows,) the number of the sequence of each row, in the order of their first rows
    order    (rows,) the rows sequence by sequence, and by time within a sequence
    starts   (m,) the first row of each sequence
    lengths  (m,) its number of steps
    """

    codes: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray


def read_long_table(
    dataset: Dataset,
    sequence: "pd.Series",
    time: tuple["pd.Series", np.ndarray] | None,
    constant: Sequence[tuple[str, "pd.Series"]],
    options: ColumnOptions,
    step_names: Sequence[str] | None = None,
) -> Dataset:
    """Return the sequences of a table whose rows are steps.

    sequence    (rows,) which sequence each row belongs to
    time        (rows,) the column of the time, and its values
    constant    the columns that must not vary within a sequence, each with its option
    step_names  the columns of a step, if they are known from training

    The sequence is the first of the keys, since it identifies a prediction.
    """
    file = dataset.name
    if step_names is not None:
        dataset = replace(dataset, X=_known_columns(file, dataset.X, step_names))
    steps = steps_of(sequence, None if time is None else time[1])
    if time is not None:
        _check_distinct(file, sequence, *time, steps)
    for option, series in constant:
        _check_constant(option, series, sequence, steps)
    values = _numbers_of_steps(file, dataset.X, options)
    m, T, n_x = len(steps.starts), int(steps.lengths.max()), values.shape[1]
    hint = "shorter sequences: all are padded to the length of the longest"
    check_memory(file, 8 * m * T * n_x, hint)
    padded = np.zeros((m, T, n_x))
    padded[np.arange(T) < steps.lengths[:, None]] = values[steps.order]
    rows = dataset.rows(steps.starts)
    ids = sequence.iloc[steps.starts]
    keys = ids.to_frame() if rows.keys is None else rows.keys.assign(**{str(ids.name): ids})
    return replace(
        rows,
        X=Sequences(padded, steps.lengths),
        keys=keys[[str(ids.name), *(name for name in keys if name != ids.name)]],
        places=np.array([f"{ids.name} {one}" for one in ids], object),
        step_names=tuple(names_of(dataset.X)),
    )


def steps_of(sequence: "pd.Series", moments: np.ndarray | None) -> Steps:
    """Return the steps of each sequence, sorted by their moments, or in the order of the rows."""
    import pandas as pd

    codes, _ = pd.factorize(sequence)
    keys = (codes,) if moments is None else (moments, codes)
    order = np.lexsort(keys)
    starts = np.unique(codes, return_index=True)[1]
    return Steps(codes, order, starts, np.bincount(codes).astype(np.int32))


def _check_distinct(
    file: str, sequence: "pd.Series", time: "pd.Series", moments: np.ndarray, steps: Steps
) -> None:
    """Refuse two rows of a sequence with the same time."""
    one, other = steps.order[:-1], steps.order[1:]
    same = (steps.codes[one] == steps.codes[other]) & (moments[one] == moments[other])
    if not same.any():
        return
    a, b = sorted((int(one[first(same)]), int(other[first(same)])))
    where = f"{file}, {place(sequence, a)} and {place(sequence, b)}"
    got = f"{time.name} {_shown(time.iloc[a])} of {_named(sequence, a)} twice"
    hint = "removing one of the rows, or another column for --time"
    raise DataError(where, "one row for each step of a sequence", got, hint)


def _check_constant(option: str, series: "pd.Series", sequence: "pd.Series", steps: Steps) -> None:
    """Refuse a column with two values in one sequence."""
    import pandas as pd

    codes, _ = pd.factorize(series)
    varies = codes != codes[steps.starts][steps.codes]
    if not varies.any():
        return
    b = first(varies)
    a = int(steps.starts[steps.codes[b]])
    pair = " and ".join(f"{_shown(series.iloc[at])} ({place(series, at)})" for at in (a, b))
    hint = "another column, or another column for --sequence"
    raise DataError(
        f"{option}, column {series.name!r}",
        "the same value in all steps of a sequence",
        f"{pair} in {_named(sequence, b)}",
        hint,
    )


def _named(sequence: "pd.Series", at: int) -> str:
    """Return the column and the name of a sequence, such as "patient 'P7'"."""
    return f"{sequence.name} {_shown(sequence.iloc[at])}"


def _shown(cell: Any) -> str:
    """Return a cell as it is shown: a text in quotes."""
    return repr(cell) if isinstance(cell, str) else str(cell)


# The numbers of a step


def _numbers_of_steps(file: str, frame: "pd.DataFrame", options: ColumnOptions) -> np.ndarray:
    """Return the columns as numbers (rows, n_x) in float64, NaN for missing cells."""
    if not len(frame.columns):
        got = "only the columns of the options"
        raise DataError(
            file, "columns with the numbers of a step", got, "a table with such columns"
        )
    for option in ("--category", "--date"):
        name = next((name for name in options.by_option[option] if name in frame), None)
        if name is not None:
            expected = "no column of a step: all of them are numbers"
            raise OptionError(option, expected, repr(name), f"{override('--drop', name)}")
    frame = settled(frame, options, only_numbers=True)
    columns = [_numbers_in(file, series, options) for _, series in frame.items()]
    empty = [str(series.name) for _, series in frame.items() if not series.notna().any()]
    warn_of_columns([(name, "no cell has a value, so that all are missing") for name in empty])
    return np.column_stack(columns)


def _known_columns(file: str, frame: "pd.DataFrame", step_names: Sequence[str]) -> "pd.DataFrame":
    """Return the columns of the training table; others are ignored with a warning."""
    missing = [name for name in step_names if name not in frame]
    others = [str(name) for name in frame if name not in {*step_names}]
    if missing:
        got = "no such column" if len(missing) == 1 else "no such columns"
        hint = (
            did_you_mean(missing[0], others) if others else "a table with all columns of training"
        )
        where = f"{file}, column {quoted_list(missing)}"
        raise DataError(where, "the columns of the training table", got, hint)
    if others:
        listed = quoted_list(others)
        message = f"{file}: ignored the columns that the training table does not have: {listed}."
        warnings.warn(message, DataWarning, stacklevel=6)
    return frame.loc[:, [*step_names]]


def _numbers_in(file: str, series: "pd.Series", options: ColumnOptions) -> np.ndarray:
    """Return a column as numbers; refuse text and dates, unless --number names the column."""
    kind, name = kind_of(series), str(series.name)
    if kind in ("numbers", "nothing"):
        return np.asarray(numbers_of(series), np.float64)
    codes, different = texts(series)
    values = np.append(Unit.most(different).parse(different), np.nan)[codes]
    readable = kind != "dates" and not np.isnan(values).all()
    if name in options.number and readable:
        check_finite(series, values)
        return values
    others = np.isnan(values) & series.notna().to_numpy()
    at = first(others) if others.any() else first(series.notna().to_numpy())
    what = "dates" if kind == "dates" else "text"
    got = f"{what} such as {str(series.iloc[at])!r} ({place(series, at)})"
    number = f", or {override('--number', name)}, so that other text counts as missing"
    hint = override("--drop", name) + (number if readable else "")
    raise DataError(f"{file}, column {name!r}", "numbers in all steps", got, hint)
