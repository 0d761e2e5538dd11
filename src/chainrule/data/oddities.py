"""What is odd about a table though nothing in it is wrong: said, and learned from all the same.

    numbers in disguise    text such as 42.7%, 41,215 or 7 kg: an input for each of them, not one
    names of rows          a text of its own in most rows: nothing learned of it meets a new row
    a count of the rows    1000, 1001, 1002, …: where the rows are sorted it gives the label away
    whole numbers          a target of 0.0 and 1.0 alone: a quantity, or classes

It is looked at in the whole table, and nothing learned depends on it.
"""

import warnings
from typing import TYPE_CHECKING

import numpy as np

from chainrule.data.cells import MOSTLY, by_name, kind_of, parsed, texts
from chainrule.data.labels import FEW
from chainrule.errors import DataWarning

if TYPE_CHECKING:
    import pandas as pd

FROM = 20  # rows; in fewer everything may be chance
NUMBER = r"\s*[^\w\s.,]*\s*\d[\d.,'\s]*\s*[^\W\d]{0,3}[^\w\s]?\s*$"  # one sign, one short unit


def note_columns(frame: "pd.DataFrame") -> None:
    """Say which columns are probably meant otherwise."""
    for name, series in by_name(frame).items():
        kind = kind_of(series)
        words = None
        if len(series) >= FROM:
            words = _odd_text(series) if kind == "texts" else _odd_count(series)
        if words:
            warnings.warn(f"column {name!r}: {words}.", DataWarning, stacklevel=2)


def note_target(y: np.ndarray) -> None:
    """Say that numbers to predict could be classes."""
    if y.ndim > 1 or y.dtype.kind != "f" or (y != np.rint(y)).any():
        return
    found = np.unique(y)
    if len(found) <= FEW and len(found) < len(y) / 2:
        listed = ", ".join(map(str, found[:3].tolist())) + (", …" if len(found) > 3 else "")
        words = f"the target holds {listed} alone and is learned as a quantity"
        hint = "--task classification makes classes of them"
        warnings.warn(f"{words}; {hint}.", DataWarning, stacklevel=2)


def _odd_text(series: "pd.Series") -> str | None:
    """Numbers that are written as text, or a text for each row."""
    import pandas as pd

    codes, found = texts(series)
    n = int((codes >= 0).sum())
    different = pd.Series(found, dtype=object)
    numeric = different.str.match(NUMBER).to_numpy(bool) & np.isnan(parsed(different))
    if numeric.sum() >= max(3, MOSTLY * len(found)):
        one = found[int(numeric.argmax())]
        return (
            f"numbers written as text, such as {one!r}, and so {len(found):,} inputs of 0 or 1; "
            "digits and a point alone would make it one number"
        )
    if len(found) > max(FROM, n / 2):
        return (
            f"{len(found):,} different texts in {n:,} rows, an input for each; "
            "if they are names, leave the column out"
        )
    return None


def _odd_count(series: "pd.Series") -> str | None:
    """Each row one more than the last."""
    if series.dtype.kind not in "iu" or not (np.diff(series.to_numpy()) == 1).all():
        return None
    first, second = series.iloc[0], series.iloc[1]
    return f"counts the rows ({first}, {second}, …); if it is only their number, leave it out"
