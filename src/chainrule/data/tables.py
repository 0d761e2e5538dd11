"""Read tables from CSV or Parquet files, and assign roles to their columns.

`--target` names what is predicted, `--group` the rows that stay together, `--time` their order and
`--weight` the weight of each row; these columns must be complete. `--key` names columns that are
copied into the predictions, `--drop` those that are not read. The other columns are the features,
which `columns.py` converts to numbers. `delimited.py` reads CSV files; Parquet files are read here,
with the column types stored in them.

With `--text`, an example is the text in this column, and with `--sequence` the rows that have the
same value in this column (`long_tables.py`).
"""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.data.cells import (
    as_text,
    by_name,
    check_column_count,
    first,
    numbers,
    place,
    with_columns,
    without_blanks,
)
from chainrule.data.columns import ColumnOptions
from chainrule.data.dataset import Dataset
from chainrule.data.delimited import read_delimited
from chainrule.data.files import digest_of, parsing
from chainrule.data.images import image_column, read_image_table
from chainrule.data.long_tables import read_long_table
from chainrule.errors import (
    DataError,
    DataWarning,
    MissingExtraError,
    OptionError,
    did_you_mean,
)
from chainrule.formatting import count_of
from chainrule.host.machine import check_memory
from chainrule.host.reading import check_regular

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
    sequence: str | None = None,
    text: str | None = None,
    step_names: Sequence[str] | None = None,
    task: str | None = None,
    texts: Sequence[str] = (),
    options: ColumnOptions | None = None,
    training: bool = False,
    labelled: bool = True,
    image_size: tuple[int, int] | None = None,
    skip_unreadable: bool = False,
    white: int | None = None,
) -> Dataset:
    """Read a .csv, .tsv, .txt or .parquet file as a data set, or what its rows stand for.

    target      one column, or several separated by commas: y is then (m, k) numbers
    images      the column of paths to images, if there is one (`data/images.py`)
    sequence    the column that says which sequence a row is a step of (`data/long_tables.py`)
    text        the column of texts, each of which is an example
    step_names  the columns that a step has, if they are known from training
    task        classification keeps labels such as 3.1 and 3.10 apart
    texts       columns that are read as text, because they were text in training
    options     the columns that are left out, copied, or read in a certain way
    training    whether these options must name columns of this file
    labelled    False for prediction: these columns may be absent, and y is None
    """
    path = Path(path)
    _check_exists(path)
    options = options or ColumnOptions()
    quantities = () if task == "classification" else (target,)
    texts = (*texts, *options.category, *options.drop)  # how numbers are written does not matter
    as_written = (target, group, sequence, *options.key)
    _check_one_kind({"--images": images, "--sequence": sequence, "--text": text})
    frame = _read(path, text, as_written=as_written, texts=texts, quantities=quantities)
    is_plain = sequence is None and text is None
    column = image_column(path.name, frame, images) if is_plain else None
    if column is None:
        _refuse(path.name, {"--image-size": image_size, "--skip-unreadable": skip_unreadable})
    others = {"--group": group, "--time": time, "--weight": weight}
    others |= {"--sequence": sequence, "--text": text}
    roles = {"--target": _targets(frame, target)}
    roles |= {option: [name] for option, name in others.items() if name is not None}
    if training:
        role_of = {name: option for option, names in roles.items() for name in names}
        options.check(path.name, list(frame), role_of)
    frame = frame.drop(columns=[name for name in options.drop if name in frame])
    keys = _keys(path.name, frame, options.key)
    frame = frame.drop(columns=[] if keys is None else list(keys))
    (_check_roles if labelled else _check_there)(path.name, frame, roles)
    role_columns = {name for names in roles.values() for name in names} - {text}
    X = frame.drop(columns=[name for name in frame if name in role_columns])
    dataset = Dataset(path.name, X, target=target, keys=keys, digest=digest_of([path]))
    dataset = _with_roles(dataset, frame, roles) if labelled else dataset
    if text is not None:
        return _texts_of(path, dataset, text)
    if sequence is not None:
        return _sequences_of(dataset, frame, roles, options, step_names)
    if column is None or column in role_columns:
        return dataset
    decoding: dict[str, Any] = {"skip_unreadable": skip_unreadable, "white": white}
    decoding["image_size"] = image_size
    return read_image_table(path, dataset, column, **decoding)


def _keys(file: str, frame: "pd.DataFrame", names: Sequence[str]) -> "pd.DataFrame | None":
    """Return the columns that are copied into predictions, with a warning for those not there."""
    missing = [name for name in names if name not in frame]
    if missing:
        listed = ", ".join(map(repr, missing))
        message = f"{file} lacks the columns {listed} of --key, which are left out of the results."
        warnings.warn(message, DataWarning, stacklevel=4)
    found = [name for name in names if name in frame]
    return frame.loc[:, found] if found else None


def _check_one_kind(given: Mapping[str, str | None]) -> None:
    """Refuse options of which each says what an example is."""
    options = [option for option, name in given.items() if name is not None]
    if len(options) > 1:
        expected = "one option that says what an example is"
        raise OptionError(", ".join(options), expected, "two", f"only {options[0]}")


def _refuse(file: str, given: Mapping[str, object]) -> None:
    """Refuse image options for a table without images."""
    for option, value in given.items():
        if value:
            hint = "removing this option, or --images COLUMN, the column of image paths"
            raise OptionError(option, "images", f"the table {file}", hint)


def _check_exists(path: Path) -> None:
    """Refuse a path that is not a file, and suggest files with similar names."""
    if path.is_file():
        return
    near = sorted(file.name for file in path.parent.glob("*")) if path.parent.is_dir() else []
    hint = did_you_mean(path.name, near) if near else f"another folder: {path.parent} has no files"
    raise DataError(str(path), "a file", "no such file", hint)


def _read(path: Path, text: str | None, **types: Sequence[str | None]) -> "pd.DataFrame":
    """Read all columns of the file; it must have at least one row. See `read_delimited`.

    Blanks around a text are left out, except in the column `text`.
    """
    if path.suffix.lower() == ".parquet":
        frame = read_parquet(path)
        texts = {
            str(name): as_text(series) for name, series in frame.items() if series.dtype.kind == "O"
        }
        stripped = {k: v if k == text else without_blanks(v) for k, v in texts.items()}
        frame = with_columns(frame, stripped)
    else:
        types |= {"texts": (*types["texts"], text)} if text is not None else {}
        frame = read_delimited(path, verbatim=text, **types)  # pyright: ignore
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
    used = {name for names in roles.values() for name in names}
    unused = [name for name in frame.columns if name not in used]
    if not roles["--target"]:
        columns = did_you_mean("", unused)
        expected = f"the name of the column of {file} to predict"
        raise OptionError("--target", expected, "none", columns)
    role_of: dict[str, str] = {}
    for option, names in roles.items():
        for name in names:
            if name not in frame:
                hint = did_you_mean(name, unused)
                raise OptionError(option, f"a column of {file}", repr(name), hint)
            if name in role_of:
                got = f"{name!r}, which is also {role_of[name]}"
                hint = "different columns for the two options"
                raise OptionError(option, "a column without another role", got, hint)
            role_of[name] = option
    if len(role_of) == frame.shape[1] and "--text" not in roles:
        got = f"only the columns of {', '.join(sorted({*role_of.values()}))}"
        raise DataError(file, "columns to learn from", got, "a table with features")


def _check_there(file: str, frame: "pd.DataFrame", roles: dict[str, list[str]]) -> None:
    """Check, for prediction, that the columns exist without which there are no examples."""
    needed = ("--sequence", "--time") if "--sequence" in roles else ("--text",)
    for option in needed:
        name = roles[option][0] if option in roles else None
        if name is not None and name not in frame:
            hint = did_you_mean(name, frame.columns)
            raise OptionError(option, f"a column of {file}", repr(name), hint)


def _columns(frame: "pd.DataFrame", roles: dict[str, list[str]]) -> dict[str, "pd.Series"]:
    """Return the columns with a role by their names."""
    found = {name for names in roles.values() for name in names if name in frame}
    return by_name(frame.loc[:, sorted(found)])


# Examples that are not rows of numbers


def _sequences_of(
    dataset: Dataset,
    frame: "pd.DataFrame",
    roles: dict[str, list[str]],
    options: ColumnOptions,
    step_names: Sequence[str] | None,
) -> Dataset:
    """Return the sequences of a table whose rows are steps."""
    columns = _columns(frame, roles)
    sequence = columns[roles["--sequence"][0]]
    _check_complete("--sequence", sequence)
    time = columns[roles["--time"][0]] if "--time" in roles else None
    constant = ("--target", "--weight", "--group") if dataset.y is not None else ()
    same = [(option, columns[name]) for option in constant for name in roles.get(option, ())]
    if dataset.keys is not None:
        same += [("--key", series) for series in by_name(dataset.keys).values()]
    when = None if time is None else (time, read_time(time))
    return read_long_table(dataset, sequence, when, same, options, step_names)


def _texts_of(path: Path, dataset: Dataset, column: str) -> Dataset:
    """Return the texts (m,) of a column as the examples; none may be empty."""
    series = dataset.X[column].astype(object)
    others = [str(name) for name in dataset.X if name != column]
    where = f"--text, column {column!r}"
    empty = (series.isna() | (series.map(lambda cell: str(cell).strip()) == "")).to_numpy()
    if empty.any():
        n = count_of(int(empty.sum()), "row")
        got = f"{n} without a text, the first in {place(series, first(empty))}"
        raise DataError(where, "a text in every row", got, "removing these rows")
    other = np.array([not isinstance(cell, str) for cell in series])
    if other.any():
        at = first(other)
        got = f"{series.iloc[at]} ({place(series, at)})"
        raise DataError(where, "texts", got, "another column, or storing the values as text")
    if others and dataset.y is not None:
        listed = ", ".join(map(repr, others[:5])) + (" …" if len(others) > 5 else "")
        message = f"{path.name}: learning from the texts only; ignored the columns {listed}"
        warnings.warn(f"{message}; --drop leaves them out", DataWarning, stacklevel=4)
    if path.suffix.lower() != ".parquet":
        _warn_of_quotes(path.name, series)
    X = np.empty(len(series), object)
    X[:] = series.to_list()
    places = [place(series, at) for at in range(len(series))]
    return replace(dataset, X=X, places=np.array(places, object))


def _warn_of_quotes(file: str, series: "pd.Series") -> None:
    """Warn of texts that may consist of several rows, after a quote that was not closed."""
    several = series.str.contains("\n", regex=False) & series.str.contains("\t", regex=False)
    if several.any():
        at, n = first(several.to_numpy(bool)), count_of(int(several.sum()), "text")
        message = f"{file}: {n} with line breaks and tabs, the first in {place(series, at)}"
        hint = "a quote that is not closed joins rows"
        warnings.warn(f"{message}; {hint}", DataWarning, stacklevel=5)


# The columns with a role


def _with_roles(dataset: Dataset, frame: "pd.DataFrame", roles: dict[str, list[str]]) -> Dataset:
    """Add the target, the groups, the time and the weights.

    In a table of sequences, the time is that of their steps, which is read later.
    """
    columns = _columns(frame, roles)

    def read(option: str, how: Callable[["pd.Series"], np.ndarray]) -> np.ndarray | None:
        return how(columns[roles[option][0]]) if option in roles else None

    return replace(
        dataset,
        y=read_labels([columns[name] for name in roles["--target"]]),
        groups=read("--group", read_groups),
        time=None if "--sequence" in roles else read("--time", read_time),
        weights=read("--weight", read_weights),
    )


def read_labels(columns: list["pd.Series"]) -> np.ndarray:
    """Return the labels (m,) as written, or (m, k) numbers if several columns are named."""
    for series in columns:
        _check_complete("--target", series)
    if len(columns) > 1:
        return np.column_stack([numbers(series).astype(np.float64) for series in columns])
    return columns[0].to_numpy()


def read_groups(series: "pd.Series") -> np.ndarray:
    """Return the group of each row, (m,)."""
    _check_complete("--group", series)
    return series.to_numpy()


def read_weights(series: "pd.Series") -> np.ndarray:
    """Return the weight of each row, (m,): numbers of at least 0, not all 0."""
    _check_complete("--weight", series)
    weights = numbers(series).astype(np.float64)
    where = f"--weight, column {series.name!r}"
    if (weights < 0).any():
        at = first(weights < 0)
        got = f"{weights[at]:g} ({place(series, at)})"
        hint = "0 for a row that should not count"
        raise DataError(where, "a number of at least 0", got, hint)
    if not weights.any():
        hint = "another column, or removing --weight"
        raise DataError(where, "at least one weight greater than 0", "0 in every row", hint)
    return weights


def read_time(series: "pd.Series") -> np.ndarray:
    """Return the time of each row, (m,), as numbers or datetime64."""
    import pandas as pd

    _check_complete("--time", series)
    if pd.api.types.is_numeric_dtype(series.dtype):
        return numbers(series)
    moments = pd.to_datetime(series, format="ISO8601", errors="coerce", utc=True)
    if moments.isna().any():
        at = first(moments.isna().to_numpy())
        raise DataError(
            f"--time, column {series.name!r}",
            "numbers, or dates such as 2024-01-31 or 2024-01-31 12:30",
            f"{series.iloc[at]!r} ({place(series, at)})",
            "writing the dates with the year first",
        )
    return moments.dt.tz_localize(None).to_numpy()


def _check_complete(option: str, series: "pd.Series") -> None:
    """Refuse empty cells in a column that an option names."""
    missing = series.isna().to_numpy()
    if not missing.any():
        return
    n = int(missing.sum())
    got = f"{n:,} empty cell{'' if n == 1 else 's'}, the first in {place(series, first(missing))}"
    where = f"{option}, column {series.name!r}"
    raise DataError(where, "a value in every row", got, "removing these rows, or filling the cells")


# Parquet files

PARQUET = "a complete Parquet file"


def read_parquet(path: Path) -> "pd.DataFrame":
    """Read all columns; an unnamed index saved by pandas is dropped.

    This does not use `pandas.read_parquet`, which hides columns that pandas once used as an index.
    """
    try:
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError(path.name, "pyarrow", "data") from None
    check_regular(path)
    with parsing(path, PARQUET), parquet.ParquetFile(path) as file:
        _check_parquet_size(path, file.metadata)
        table = file.read()
        table.validate(full=True)
        names = table.column_names
    duplicates = sorted(name for name, count in Counter(names).items() if count > 1)
    if duplicates:
        got = ", ".join(repr(name) for name in duplicates[:5]) + " twice"
        raise DataError(path.name, "unique column names", got, "renaming one of them")
    columns = [name for name in names if not name.startswith("__index_level_")]
    with parsing(path, PARQUET):
        return table.select(columns).to_pandas(ignore_metadata=True)


def _check_parquet_size(path: Path, metadata: Any) -> None:
    """Refuse a table that does not fit into memory, before it is decompressed."""
    columns, groups = metadata.num_columns, range(metadata.num_row_groups)
    check_column_count(path.name, columns)
    stored = sum(metadata.row_group(i).total_byte_size for i in groups)
    needed = max(2 * stored, 8 * metadata.num_rows * columns)
    check_memory(str(path), needed, "a part of the rows or of the columns")
