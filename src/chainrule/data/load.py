"""Load data in any supported format: built-in data sets, files, and folders of images.

`load` returns a `Dataset`, and `read_series` one column of a table as numbers, in row order. The
built-in data sets are scikit-learn's small ones, and two generated with a fixed seed. They are
stored as files, since importing scikit-learn takes longer than training a small network.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.data.arrays import read_hdf5, read_mat, read_npy, read_npz
from chainrule.data.cells import by_name, first, kind_of, numbers, place
from chainrule.data.columns import ColumnOptions
from chainrule.data.dataset import Dataset
from chainrule.data.decoding import SUFFIXES
from chainrule.data.delimited import read_delimited
from chainrule.data.idx import is_idx, read_idx
from chainrule.data.images import read_images
from chainrule.data.tables import read_parquet, read_table
from chainrule.data.time_series import SUFFIX as TIME_SERIES
from chainrule.data.time_series import read_time_series
from chainrule.errors import DataError, OptionError, check_choice, did_you_mean
from chainrule.formatting import count_of
from chainrule.host.reading import check_regular

if TYPE_CHECKING:
    import pandas as pd

BUNDLED_TABLES = {
    "iris": "species",
    "wine": "cultivar",
    "breast_cancer": "diagnosis",
    "diabetes": "progression",
}
"""The built-in tables, and the name of their target."""

BUILT_IN = ("digits", *BUNDLED_TABLES, "moons", "circles")

TABLE_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz", ".parquet")
ARRAYS = {
    **{".npz": read_npz, ".npy": read_npy, ".mat": read_mat},
    **{".h5": read_hdf5, ".hdf5": read_hdf5},
}
READ = (
    f"{', '.join((*TABLE_SUFFIXES, *ARRAYS, TIME_SERIES))}, IDX files (*-ubyte, *-ubyte.gz) "
    "and folders of images"
)


def load(
    source: str | os.PathLike[str],
    *,
    target: str | None = None,
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    images: str | None = None,
    sequence: str | None = None,
    text: str | None = None,
    sequences: bool = False,
    step_names: Sequence[str] | None = None,
    task: str | None = None,
    texts: Sequence[str] = (),
    options: ColumnOptions | None = None,
    training: bool = False,
    part: str = "train",
    labelled: bool = True,
    image_size: tuple[int, int] | None = None,
    skip_unreadable: bool = False,
    white: int | None = None,
) -> Dataset:
    """Load a data set, with examples in rows and their labels.

    source      the name of a built-in data set, a file, `FILE.npz:PREFIX`, or a folder (write
                `./digits` for a folder that has the name of a built-in data set)
    target …    for a table: the columns with the target, the groups, the time and the weights
    images      the column of a table that holds paths to images
    sequence    the column of a table that says which sequence a row is a step of; `time` is then
                the order of the steps
    text        the column of a table whose texts are the examples
    sequences   whether arrays (m, T, n_x) or (m, T) without lengths hold sequences, and not images
                or rows; other files are read as without it
    step_names  the columns that a step has, if they are known from training
    task        of a table: classification keeps labels such as 3.1 and 3.10 apart
    texts       columns of a table that are read as text, because they were text in training
    options     the columns of a table that are left out, copied, or read in a certain way
    training    whether these options must name columns of this table
    part        train, dev or test: the set to load if the data holds several
    labelled    False if labels may be missing, as in prediction
    image_size  (n_H, n_W) for images
    skip_unreadable  skip images that cannot be read
    white       the value of white in images with 16 bits; None: derived from the largest value
    """
    columns = {"target": target, "group": group, "time": time, "weight": weight, "images": images}
    columns |= {"sequence": sequence, "text": text}
    image_options = {"image-size": image_size, "skip-unreadable": skip_unreadable or None}
    decoding: dict[str, Any] = {"image_size": image_size, "skip_unreadable": skip_unreadable}
    decoding["white"] = white
    name = os.fspath(source)
    if options is not None and training:
        given = {option[2:]: names or None for option, names in options.by_option.items()}
        columns |= given if not name.lower().endswith(TABLE_SUFFIXES) else {}
    if source in BUILT_IN:
        refuse(name, "a table in a file", columns)
        refuse(name, "a folder of images", image_options)
        return built_in_dataset(name)
    path, _ = find_data(name)
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        refuse(name, "a table", columns)
        return read_images(path, part=part, labelled=labelled, **decoding)
    if path.name.lower().endswith(TABLE_SUFFIXES):
        read = {"options": options, "training": training, "labelled": labelled}
        read |= {"step_names": step_names}
        return read_table(path, **columns, task=task, texts=texts, **read, **decoding)
    refuse(name, "a folder of images", image_options)
    refuse(name, "a table", columns)
    return _read_arrays(name, part=part, labelled=labelled, sequences=sequences)


def _read_arrays(name: str, *, part: str, labelled: bool, sequences: bool) -> Dataset:
    """Read a file of arrays or of time series, or an IDX file."""
    path, prefix = split_name(name)
    if path.suffix.lower() == TIME_SERIES:
        return read_time_series(path, part=part, labelled=labelled)
    read = ARRAYS.get(path.suffix.lower())
    if read is not None:
        return read(path, prefix=prefix, part=part, labelled=labelled, sequences=sequences)
    if is_idx(path):
        return read_idx(path, labelled=labelled)
    got = f"a file with suffix {path.suffix}" if path.suffix else "a file with no suffix"
    raise DataError(name, f"one of {READ}", got, "one of these formats")


def find_data(name: str) -> tuple[Path, str]:
    """Return the path, and the prefix of `FILE.npz:PREFIX`; refuse a file that cannot be read."""
    path, prefix = split_name(name)
    if not os.path.exists(path):  # also a name that no file can have
        raise missing_error(path)
    if not path.is_dir() and check_regular(path) == 0:
        raise DataError(name, "data", "an empty file", "copying or downloading it again")
    if not os.access(path, os.R_OK):
        raise DataError(name, "a readable file", "no permission to read it", f"chmod +r {name}")
    return path, prefix


def split_name(name: str) -> tuple[Path, str]:
    """Split `FILE.npz:PREFIX` into the path and the prefix."""
    before, colon, after = name.rpartition(":")
    if colon and Path(before).suffix.lower() in ARRAYS:
        return Path(before), after
    return Path(name), ""


def is_absent(name: str) -> bool:
    """Return whether the name is neither a built-in data set nor an existing path."""
    return name not in BUILT_IN and not os.path.exists(split_name(name)[0])


def missing_error(path: Path) -> DataError:
    """Return the error for a path that does not exist, with similar names that do."""
    folder = path.parent
    if not os.path.isdir(folder):
        return DataError(
            str(path),
            "a file, a folder or the name of a built-in data set",
            f"a path in the folder {folder}, which does not exist",
            "checking the path",
        )
    near = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    choices = [*BUILT_IN, *near] if folder == Path() else near
    hint = did_you_mean(path.name, choices) if choices else f"one of {', '.join(BUILT_IN)}"
    return DataError(
        str(path), "a file, a folder or the name of a built-in data set", "no such file", hint
    )


def refuse(name: str, wanted: str, options: Mapping[str, object]) -> None:
    """Refuse options that do not apply to this kind of data."""
    given = [f"--{option}" for option, value in options.items() if value is not None]
    if given:
        raise OptionError(", ".join(given), wanted, name, "removing this option")


# Built-in data sets


def built_in_dataset(name: str) -> Dataset:
    """Return a built-in data set by its name.

    iris, wine and breast_cancer are tables with class names as labels, as in a file; diabetes is a
    table with numbers as targets. digits are 1797 images of 8 by 8 pixels, as
    64 numbers from 0 to 16. moons and circles are 1000 points in the plane, in two classes.

    >>> built_in_dataset("iris").X.shape
    (150, 4)
    """
    check_choice("the data set", name, BUILT_IN)
    with np.load(built_in_file(name)) as arrays:
        X, y = arrays["X"], arrays["y"]
        names = arrays["names"].tolist() if name in BUNDLED_TABLES else None
    found = digest([X, y])
    if names is None:
        return Dataset(name, X, y, "digit" if name == "digits" else "class", digest=found)
    import pandas as pd

    return Dataset(name, pd.DataFrame(X, columns=names), y, BUNDLED_TABLES[name], digest=found)


def built_in_file(name: str) -> Path:
    """Return the file of a built-in data set."""
    return Path(__file__).with_name("built_in") / f"{name}.npz"


def digest(arrays: Iterable[np.ndarray]) -> str:
    """Return the sha256 of the values."""
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


# One column as a series of numbers


class Series(NamedTuple):
    """The name of a column, and its values in float64."""

    name: str
    values: np.ndarray


def read_series(path: str | os.PathLike[str], column: str | None = None) -> Series:
    """Return a column of a table, such as a .csv file; by default the only one with numbers.

    Raises DataError for empty cells and for anything but numbers, and OptionError for a column that
    does not exist.
    """
    file, _ = find_data(os.fspath(path))
    columns = by_name(_table(file))
    series = columns[_choose_column(file.name, columns, column)]
    where = f"{file.name}, column {series.name!r}"
    kind = kind_of(series)
    if kind != "numbers":
        got = (
            "only empty cells" if kind == "nothing" else f"text such as {series.dropna().iloc[0]!r}"
        )
        raise DataError(where, "numbers", got, f"another column: {_listed(columns)}")
    values = np.asarray(numbers(series), np.float64)
    empty = np.isnan(values)
    if empty.any():
        got = f"an empty cell in {place(series, first(empty))}"
        hint = "removing the row, or repeating the value before it"
        raise DataError(where, "a number in every row", got, hint)
    return Series(str(series.name), values)


def _table(file: Path) -> "pd.DataFrame":
    """Read the file; it must be a table with at least one row."""
    if file.is_dir() or not file.name.lower().endswith(TABLE_SUFFIXES):
        suffix = f"suffix {file.suffix}" if file.suffix else "no suffix"
        got = "a folder" if file.is_dir() else f"a file with {suffix}"
        hint = "a table with one row per value"
        raise DataError(str(file), f"one of {', '.join(TABLE_SUFFIXES)}", got, hint)
    frame = read_parquet(file) if file.suffix.lower() == ".parquet" else read_delimited(file)
    if not len(frame):
        raise DataError(file.name, "rows", "only a header", "a file with one row per value")
    return frame


def _choose_column(file: str, columns: dict[str, "pd.Series"], column: str | None) -> str:
    """Return the named column, or the only one with numbers."""
    if column is not None:
        if column not in columns:
            hint = did_you_mean(column, columns)
            raise OptionError("--column", f"a column of {file}", repr(column), hint)
        return column
    if len(columns) == 1:
        return next(iter(columns))
    with_numbers = [name for name, series in columns.items() if series.dtype.kind in "iuf"]
    if len(with_numbers) != 1:
        got = f"no name, and {count_of(len(with_numbers), 'column')} to choose from"
        raise OptionError(
            "--column", f"the name of a column of {file}", got, did_you_mean("", columns)
        )
    return with_numbers[0]


def _listed(columns: dict[str, "pd.Series"]) -> str:
    """Return the first column names."""
    return ", ".join(list(columns)[:20])
