"""Functions of all file readers: digests, names of splits, and the error for damaged files."""

import hashlib
import warnings
from collections.abc import Iterable
from pathlib import Path

from chainrule.errors import DataError, DataWarning

PARTS = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
    "testing": "test",
}
"""Accepted spellings of the three splits in names of files, keys and folders."""


def digest_of(paths: Iterable[Path]) -> str:
    """Return the sha256 of one file, or of the digests of several in this order."""
    digests = []
    for path in paths:
        with open(path, "rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digests[0] if len(digests) == 1 else combined_digest(digests)


def combined_digest(digests: Iterable[str]) -> str:
    """Return one sha256 for several digests in this order."""
    content = "\n".join(digests).encode("utf-8", "surrogateescape")  # file names may be any bytes
    return hashlib.sha256(content).hexdigest()


def choose_part(where: str, available: Iterable[str], part: str, *, labelled: bool = True) -> str:
    """Return the requested split, or the only split of the data.

    For data that is to be predicted (not `labelled`), a warning names the splits left out.
    """
    names = list(available)
    if part in names:
        if len(names) > 1 and not labelled:
            others = " and ".join(name for name in names if name != part)
            message = f"{where}: only the {part} set is read, and not {others}"
            warnings.warn(message, DataWarning, stacklevel=3)
        return part
    if len(names) == 1:
        return names[0]
    raise DataError(
        where,
        f"a {part} set",
        f"only the sets {' and '.join(names)}",
        f"a file with a single set, or one with a {part} set",
    )


def damaged(
    path: Path,
    expected: str,
    error: BaseException,
    hint: str = "copying or downloading it again",
) -> DataError:
    """Return the error for a file that is truncated or damaged."""
    return DataError(str(path), expected, f"a truncated or damaged file ({error})", hint)
