"""Files that are whole or not there: written beside, synced, then renamed.

Every file that must survive a crash, a full disk or a pulled plug goes through here.
"""

import errno
import os
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write(path: Path, content: bytes) -> None:
    """The file with this content, or as it was before; raises OSError."""
    beside = path.with_name(path.name + ".new")
    try:
        write_synced(beside, content)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_synced(path: Path, content: bytes) -> None:
    """A file with this content, which the disk holds; raises OSError."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def make_folder(path: Path) -> None:
    """The folder, and those above it; what is new is synced. Raises OSError."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Have the disk hold what was written into a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def words(error: OSError) -> str:
    """What went wrong, as a message says it."""
    return "a full disk" if error.errno in FULL else error.strerror or str(error)
