"""The one door for data: a bundled name, a file of any kind that is read, or a folder of images."""

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
READ = f"{', '.join((*TABLES, *ARRAYS))}, IDX files (*-ubyte, *-ubyte.gz) and folders of pictures"


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
    """Examples in rows, with their labels, from whatever the user names.

    source      a bundled name, a file, `FILE.npz:PREFIX`, or a folder (`./digits` for a folder
                that is named as a bundled set is)
    target …    columns of a table; nothing else has columns
    images      the column of a table that holds paths to pictures
    part        train, dev or test: which is meant where one source holds several
    labelled    False where labels may be missing: for prediction
    image_size  (n_H, n_W) for pictures
    skip_unreadable  leave out pictures that cannot be read
    """
    columns = {"target": target, "group": group, "time": time, "weight": weight, "images": images}
    pictures: dict[str, Any] = {"image_size": image_size, "skip_unreadable": skip_unreadable}
    of_pictures = {"image-size": image_size, "skip-unreadable": skip_unreadable or None}
    name = os.fspath(source)
    if source in BUNDLED:
        refuse(name, "a table in a file", columns)
        refuse(name, "a folder of pictures", of_pictures)
        return bundled(name)
    path, prefix = find(name)
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        refuse(name, "a table", columns)
        return read_images(path, part=part, labelled=labelled, **pictures)
    if path.name.lower().endswith(TABLES):
        return read_table(path, **columns, labelled=labelled, **pictures)
    refuse(name, "a folder of pictures", of_pictures)
    refuse(name, "a table", columns)
    read = ARRAYS.get(path.suffix.lower())
    if read is not None:
        return read(path, prefix=prefix, part=part, labelled=labelled)
    if is_idx(path):
        return read_idx(path, labelled=labelled)
    raise DataError(name, f"one of {READ}", f"a file {path.suffix or 'without a suffix'}", "one")


def find(name: str) -> tuple[Path, str]:
    """The path, and the prefix of `FILE.npz:PREFIX`."""
    path, prefix = split_name(name)
    if not path.exists():
        raise missing(path)
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(name, "data", "an empty file", "copying or downloading it again")
    if not os.access(path, os.R_OK):
        raise DataError(name, "a file that may be read", "no permission", f"chmod +r {name}")
    return path, prefix


def split_name(name: str) -> tuple[Path, str]:
    """The path as it is written, and the prefix."""
    before, colon, after = name.rpartition(":")
    if colon and Path(before).suffix.lower() in ARRAYS:
        return Path(before), after
    return Path(name), ""


def is_gone(name: str) -> bool:
    """Whether it is neither bundled nor a file or folder that there is."""
    return name not in BUNDLED and not split_name(name)[0].exists()


def missing(path: Path) -> DataError:
    """No such file: what there is instead."""
    folder = path.parent
    if not folder.is_dir():
        return DataError(str(path), "a file, a folder or a bundled name", f"no folder {folder}")
    near = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    choices = [*BUNDLED, *near] if folder == Path() else near
    hint = did_you_mean(path.name, choices) if choices else f"one of {', '.join(BUNDLED)}"
    return DataError(str(path), "a file, a folder or a bundled name", "no such file", hint)


def refuse(name: str, wanted: str, options: Mapping[str, object]) -> None:
    """Say which options mean nothing for this source."""
    given = [f"--{option}" for option, value in options.items() if value is not None]
    if given:
        raise OptionError(", ".join(given), wanted, name, "leaving it out")
