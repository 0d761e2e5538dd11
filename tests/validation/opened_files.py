"""Which files a block of code opens, lists or deletes, as Python's audit events tell."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.symlink", "os.link", "os.truncate"}


class Opened(NamedTuple):
    """A path that was opened, listed or changed, and whether it was written."""

    path: Path
    writing: bool


_watching: list[list[Opened]] = []


def _note(event: str, arguments: tuple) -> None:
    """Note the paths of an audit event; the hook stays for the rest of the process."""
    if not _watching or event not in {"open", "os.listdir", "os.scandir", *CHANGES}:
        return
    writing = event in CHANGES
    if event == "open":
        _, mode, flags = arguments
        writing = bool(isinstance(flags, int) and flags & WRITING) or (
            mode is not None and any(letter in mode for letter in "wax+")
        )
    paths = arguments[:2] if event in ("os.rename", "os.symlink", "os.link") else arguments[:1]
    for path in paths:
        if isinstance(path, str | bytes | os.PathLike):
            _watching[-1].append(Opened(Path(os.path.abspath(os.fsdecode(path))), writing))


sys.addaudithook(_note)


@contextmanager
def opened_files() -> Iterator[list[Opened]]:
    """Return the list to which each path is added that is opened in the block."""
    found: list[Opened] = []
    _watching.append(found)
    try:
        yield found
    finally:
        _watching.remove(found)
