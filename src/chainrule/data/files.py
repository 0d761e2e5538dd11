"""What every reader of files asks first: which bytes are these, and which part of the data."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from chainrule.errors import DataError

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
"""How people write the three parts, in file, key and folder names."""


def digest_of(paths: Iterable[Path]) -> str:
    """sha256 of one file, or of the digests of several in this order."""
    digests = []
    for path in paths:
        with open(path, "rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digests[0] if len(digests) == 1 else combined_digest(digests)


def combined_digest(digests: Iterable[str]) -> str:
    """One sha256 that stands for several things in this order."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def choose_part(where: str, available: Iterable[str], part: str) -> str:
    """The part that is meant: the one asked for, or the only one there is."""
    names = list(available)
    if part in names:
        return part
    if len(names) == 1:
        return names[0]
    raise DataError(
        where,
        f"a {part} part",
        f"only the parts {' and '.join(names)}",
        f"a file that holds one part, or one with a {part} part",
    )
