"""Load any data: a built-in data set, a file in a supported format, or a folder of images."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.data.arrays import read_npz
from chainrule.data.datasets import BUNDLED, bundled
from chainrule.data.hdf5 import read_hdf5
from chainrule.data.idx import is_idx, read_idx
from chainrule.data.images import read_images
from chainrule.data.pictures import SUFFIXES
from chainrule.data.source import Source
from chainrule.data.tables import read_table
from chainrule.errors import DataError, OptionError, did_you_mean

TABLES = (".csv", ".csv.gz", ".parquet")
ARRAYS = {".npz": read_npz, ".h5": read_hdf5, ".hdf5": read_hdf5}
READ = f"{', '.join((*TABLES, *ARRAYS))}, IDX files (*-ubyte, *-ubyte.gz) and folders of images"


def load(
    source: str | os.PathLike[str],
    *,
    target: str | None = None,
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    images: str | None = None,
    part: str = "train",
    labelled: bool = True,
    image_size: tuple[int, int] | None = None,
    skip_unreadable: bool = False,
) -> Source:
    """Load a data set, with examples in rows and their labels.

    source      the name of a built-in data set, a file, `FILE.npz:PREFIX`, or a folder (write
                `./digits` for a folder that has the name of a built-in data set)
    target …    columns of a table
    images      the column of a table that holds paths to images
    part        train, dev or test: the set to load if the data holds several
    labelled    False if labels may be missing, as in prediction
    image_size  (n_H, n_W) for images
    skip_unreadable  skip images that cannot be read
    """
    columns = {"target": target, "group": group, "time": time, "weight": weight, "images": images}
    decoding: dict[str, Any] = {"image_size": image_size, "skip_unreadable": skip_unreadable}
    image_options = {"image-size": image_size, "skip-unreadable": skip_unreadable or None}
    name = os.fspath(source)
    if source in BUNDLED:
        refuse(name, "a table in a file", columns)
        refuse(name, "a folder of images", image_options)
        return bundled(name)
    path, prefix = find(name)
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        refuse(name, "a table", columns)
        return read_images(path, part=part, labelled=labelled, **decoding)
    if path.name.lower().endswith(TABLES):
        return read_table(path, **columns, labelled=labelled, **decoding)
    refuse(name, "a folder of images", image_options)
    refuse(name, "a table", columns)
    read = ARRAYS.get(path.suffix.lower())
    if read is not None:
        return read(path, prefix=prefix, part=part, labelled=labelled)
    if is_idx(path):
        return read_idx(path, labelled=labelled)
    got = f"a file with suffix {path.suffix}" if path.suffix else "a file with no suffix"
    raise DataError(name, f"one of {READ}", got, "one of these formats")


def find(name: str) -> tuple[Path, str]:
    """Return the path, and the prefix of `FILE.npz:PREFIX`; refuse a file that cannot be read."""
    path, prefix = split_name(name)
    if not path.exists():
        raise missing(path)
    if path.is_file() and path.stat().st_size == 0:
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


def is_gone(name: str) -> bool:
    """Return whether the name is neither a built-in data set nor an existing path."""
    return name not in BUNDLED and not split_name(name)[0].exists()


def missing(path: Path) -> DataError:
    """Return the error for a path that does not exist, with similar names that do."""
    folder = path.parent
    if not folder.is_dir():
        return DataError(
            str(path), "a file, a folder or the name of a built-in data set", f"no folder {folder}"
        )
    near = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    choices = [*BUNDLED, *near] if folder == Path() else near
    hint = did_you_mean(path.name, choices) if choices else f"one of {', '.join(BUNDLED)}"
    return DataError(
        str(path), "a file, a folder or the name of a built-in data set", "no such file", hint
    )


def refuse(name: str, wanted: str, options: Mapping[str, object]) -> None:
    """Refuse options that do not apply to this kind of data."""
    given = [f"--{option}" for option, value in options.items() if value is not None]
    if given:
        raise OptionError(", ".join(given), wanted, name, "removing this option")
