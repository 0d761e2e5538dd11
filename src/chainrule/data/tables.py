"""Read tables, from CSV or Parquet files, and assign roles to their columns.

`--target` names what is predicted, `--group` the rows that stay together, `--time` their order and
`--weight` the weight of each row. The other columns are the features, which `columns.py` converts
to numbers.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from chainrule.data.cells import by_name
from chainrule.data.delimited import read_delimited
from chainrule.data.parquet import read_parquet
from chainrule.data.picture_table import picture_column, read_picture_table
from chainrule.data.roles import read_groups, read_labels, read_time, read_weights
from chainrule.data.source import Source
from chainrule.errors import DataError, OptionError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd


def read_table(
    path: str | Path,
    *,
    target: str | None = None,
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    images: str | None = None,
    labelled: bool = True,
    image_size: tuple[int, int] | None = None,
    skip_unreadable: bool = False,
) -> Source:
    """Read a .csv, .csv.gz or .parquet file as a data set, or the images that it lists.

    target    one column, or several separated by commas: y is then (m, k) numbers
    images    the column of paths to images, if there is one (`picture_table.py`)
    labelled  False for prediction: these columns may be absent, and y is None
    """
    path = Path(path)
    _check_exists(path)
    frame = _read(path, as_written=(target, group))
    column = picture_column(path.name, frame, images)
    if column is None:
        _refuse(path.name, {"--image-size": image_size, "--skip-unreadable": skip_unreadable})
    others = {"--group": group, "--time": time, "--weight": weight}
    roles = {"--target": _targets(frame, target)}
    roles |= {option: [name] for option, name in others.items() if name is not None}
    if labelled:
        _check_roles(path.name, frame, roles)
    role_columns = {name for names in roles.values() for name in names}
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    X = frame.drop(columns=[name for name in frame if name in role_columns])
    source = Source(path.name, X, target=target, digest=digest)
    if labelled:
        columns = by_name(frame)
        source = replace(
            source,
            y=read_labels([columns[name] for name in roles["--target"]]),
            groups=read_groups(columns[group]) if group is not None else None,
            time=read_time(columns[time]) if time is not None else None,
            weights=read_weights(columns[weight]) if weight is not None else None,
        )
    if column is None or column in role_columns:
        return source
    options = {"image_size": image_size, "skip_unreadable": skip_unreadable}
    return read_picture_table(path, source, column, **options)


def _refuse(file: str, given: Mapping[str, object]) -> None:
    """Refuse image options for a table without images."""
    for option, value in given.items():
        if value:
            hint = "removing this option, or --images COLUMN, the column of image paths"
            raise OptionError(option, "images", f"the table {file}", hint)


def _check_exists(path: Path) -> None:
    """Refuse a path that is not a file, and suggest similar names."""
    if path.is_file():
        return
    near = sorted(file.name for file in path.parent.glob("*")) if path.parent.is_dir() else []
    hint = did_you_mean(path.name, near) if near else f"another folder: {path.parent} has no files"
    raise DataError(str(path), "a file", "no such file", hint)


def _read(path: Path, as_written: tuple[str | None, ...]) -> "pd.DataFrame":
    """Read all columns of the file; it must have at least one row."""
    parquet = path.suffix.lower() == ".parquet"
    frame = read_parquet(path) if parquet else read_delimited(path, as_written)
    if not len(frame):
        hint = "a file with one row per example under the header"
        raise DataError(path.name, "rows", "only a header", hint)
    return frame


def _targets(frame: "pd.DataFrame", target: str | None) -> list[str]:
    """Return the columns named by --target: "y1,y2" is two, unless a column has this name."""
    if target is None:
        return []
    if target in frame:
        return [target]
    return [name.strip() for name in target.split(",")]


def _check_roles(file: str, frame: "pd.DataFrame", roles: dict[str, list[str]]) -> None:
    """Check that each option names an existing column, and that no column has two roles."""
    if not roles["--target"]:
        columns = did_you_mean("", frame.columns)
        raise OptionError("--target", f"the column of {file} to predict", "no name", columns)
    role_of: dict[str, str] = {}
    for option, names in roles.items():
        for name in names:
            if name not in frame:
                hint = did_you_mean(name, frame.columns)
                raise OptionError(option, f"a column of {file}", repr(name), hint)
            if name in role_of:
                got = f"{name!r}, which is also {role_of[name]}"
                hint = "different columns for the two options"
                raise OptionError(option, "a column without another role", got, hint)
            role_of[name] = option
    if len(role_of) == frame.shape[1]:
        got = f"only those of {', '.join(sorted({*role_of.values()}))}"
        raise DataError(file, "columns to learn from", got, "a table with features")
