"""Warn about columns and targets that may not be meant as they are; training still uses them.

    numbers as text        text such as 42.7%, 41,215 or 7 kg: one input per text, not one number
    identifiers            a different text in most rows: nothing learned from it generalises
    row numbers            1000, 1001, 1002, …: in a sorted table they may leak the label
    integer targets        a numeric target of only 0.0 and 1.0: a quantity, or classes?

The checks look at the whole table, but do not change what is learned.
"""

import warnings
from typing import TYPE_CHECKING

import numpy as np

from chainrule.data.cells import MOSTLY, by_name, kind_of, parsed, texts
from chainrule.data.labels import FEW
from chainrule.errors import DataWarning

if TYPE_CHECKING:
    import pandas as pd

FROM = 20  # rows; with fewer, such patterns may be chance
NUMBER = r"\s*[^\w\s.,]*\s*\d[\d.,'\s]*\s*[^\W\d]{0,3}[^\w\s]?\s*$"  # one sign, one short unit


def note_columns(frame: "pd.DataFrame") -> None:
    """Warn about columns that are probably not meant as they are read."""
    for name, series in by_name(frame).items():
        kind = kind_of(series)
        message = None
        if len(series) >= FROM:
            message = _odd_text(series) if kind == "texts" else _odd_count(series)
        if message:
            warnings.warn(f"column {name!r}: {message}.", DataWarning, stacklevel=2)


def note_target(y: np.ndarray) -> None:
    """Warn about a numeric target that could be classes."""
    if y.ndim > 1 or y.dtype.kind != "f" or (y != np.rint(y)).any():
        return
    found = np.unique(y)
    if len(found) <= FEW and len(found) < len(y) / 2:
        listed = ", ".join(map(str, found[:3].tolist())) + (", …" if len(found) > 3 else "")
        message = f"the target holds only {listed} and is learned as a quantity (regression)"
        hint = "use --task classification if these are classes"
        warnings.warn(f"{message}; {hint}.", DataWarning, stacklevel=2)


def _odd_text(series: "pd.Series") -> str | None:
    """Describe a column of numbers written as text, or of a different text in most rows."""
    import pandas as pd

    codes, found = texts(series)
    n = int((codes >= 0).sum())
    different = pd.Series(found, dtype=object)
    numeric = different.str.match(NUMBER).to_numpy(bool) & np.isnan(parsed(different))
    if numeric.sum() >= max(3, MOSTLY * len(found)):
        one = found[int(numeric.argmax())]
        return (
            f"holds numbers written as text, such as {one!r}, which become {len(found):,} inputs "
            "of 0 or 1; written with digits and a point only, it would be one number"
        )
    if len(found) > max(FROM, n / 2):
        return (
            f"holds {len(found):,} distinct texts in {n:,} rows, with one input for each; "
            "if they are names, remove the column"
        )
    return None


def _odd_count(series: "pd.Series") -> str | None:
    """Describe a column whose value increases by one in each row."""
    if series.dtype.kind not in "iu" or not (np.diff(series.to_numpy()) == 1).all():
        return None
    first, second = series.iloc[0], series.iloc[1]
    return f"counts the rows ({first}, {second}, …); if it only numbers them, remove the column"
