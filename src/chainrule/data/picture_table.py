"""Read a table of images: one column holds their paths, the target column their labels.

Paths are absolute, or relative to the table's folder. The column is the one named by --images, or
one with a name such as `path`, `file` or `image` in which every cell ends like an image file.
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
"""Names of columns that may hold paths, ignoring case, spaces and underscores."""


def picture_column(file: str, frame: "pd.DataFrame", requested: str | None = None) -> str | None:
    """Return the column of paths: the requested one, or one that is recognised by its cells."""
    if requested is not None and requested not in frame:
        hint = did_you_mean(requested, frame.columns)
        raise OptionError("--images", f"a column of {file}", repr(requested), hint)
    if requested is not None:
        return requested
    found = [name for name in frame if _plain(name) in NAMES and _all_images(frame[name])]
    return str(found[0]) if found else None


def read_picture_table(
    path: Path,
    source: Source,
    column: str,
    *,
    image_size: tuple[int, int] | None = None,
    skip_unreadable: bool = False,
) -> Source:
    """Return the table's dataset with the listed images as X."""
    check_pillow(str(path))
    others = [str(name) for name in source.X if name != column]
    if others and source.y is not None:
        listed = ", ".join(map(repr, others[:5])) + (" …" if len(others) > 5 else "")
        message = f"{path.name}: learning from the images only; ignored the columns {listed}"
        warnings.warn(message, DataWarning, stacklevel=3)
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
    """Return the image files named in the cells, with the line of each."""
    lines = [f"{place} {at}" for at in cells.index]
    empty = [line for line, cell in zip(lines, cells, strict=True) if not isinstance(cell, str)]
    if empty:
        got = f"none in {len(empty):,} of {len(cells):,} rows, the first in {empty[0]}"
        where = f"{path.name}, column {cells.name!r}"
        raise DataError(where, "the path of an image in every row", got, "another column")
    names = [str(cell) for cell in cells]
    return Listing([path.parent / name for name in names], names, path.name, lines)


def _plain(name: object) -> str:
    """Return a name in lower case, with letters and digits only."""
    return "".join(letter for letter in str(name).lower() if letter.isalnum())


def _all_images(cells: Any) -> bool:
    """Return whether every cell ends like an image file."""
    return all(isinstance(cell, str) and cell.lower().endswith(SUFFIXES) for cell in cells)
