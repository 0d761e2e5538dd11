"""A table of pictures: one column holds their paths, the target their labels.

Paths are as seen from the table's folder, or absolute. The column is the one that is named, or
one with a name such as `path`, `file` or `image` in which every cell ends as a picture's file does.
"""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.data.decoding import Listing, decode_parts
from chainrule.data.files import combined_digest
from chainrule.data.pictures import SUFFIXES, check_pillow
from chainrule.data.source import Source
from chainrule.errors import DataError, DataWarning, OptionError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

NAMES = ("path", "file", "filename", "filepath", "image", "imagepath", "picture", "photo", "img")
"""Of columns that may hold paths; spaces, lines and capitals do not count."""


def picture_column(file: str, frame: "pd.DataFrame", asked: str | None = None) -> str | None:
    """The column of paths: the one that is asked for, or the one that looks so."""
    if asked is not None and asked not in frame:
        hint = did_you_mean(asked, frame.columns)
        raise OptionError("--images", f"a column of {file}", repr(asked), hint)
    if asked is not None:
        return asked
    found = [name for name in frame if _plain(name) in NAMES and _all_pictures(frame[name])]
    return str(found[0]) if found else None


def read_picture_table(
    path: Path,
    source: Source,
    column: str,
    *,
    image_size: tuple[int, int] | None = None,
    skip_unreadable: bool = False,
) -> Source:
    """The source of a table, with the pictures of its column in place of the columns."""
    check_pillow(str(path))
    others = [str(name) for name in source.X if name != column]
    if others and source.y is not None:
        listed = ", ".join(map(repr, others[:5])) + (" …" if len(others) > 5 else "")
        words = f"{path.name}: pictures are learned from, the other columns left out: {listed}"
        warnings.warn(words, DataWarning, stacklevel=3)
    listing = _listing(path, source.X[column], source.place_name)
    found = decode_parts(path.name, {"train": listing}, image_size, "train", skip=skip_unreadable)[
        "train"
    ]
    rows = source.rows(found.kept)
    return replace(
        rows,
        X=found.X,
        places=np.array(listing.names)[found.kept],
        digest=combined_digest([source.digest, found.digest]),
        skipped=found.skipped,
    )


def _listing(path: Path, cells: "pd.Series", place: str) -> Listing:
    """The files that the cells name, each with its line."""
    lines = [f"{place} {at}" for at in cells.index]
    empty = [line for line, cell in zip(lines, cells, strict=True) if not isinstance(cell, str)]
    if empty:
        got = f"{len(empty):,} others, the first in {empty[0]}"
        where = f"{path.name}, column {cells.name!r}"
        raise DataError(where, "the path of a picture in every row", got, "another column")
    names = [str(cell) for cell in cells]
    return Listing([path.parent / name for name in names], names, path.name, lines)


def _plain(name: object) -> str:
    return "".join(letter for letter in str(name).lower() if letter.isalnum())


def _all_pictures(cells: Any) -> bool:
    return all(isinstance(cell, str) and cell.lower().endswith(SUFFIXES) for cell in cells)
