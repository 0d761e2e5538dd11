"""Write files atomically: to a temporary file, which is synced and then renamed.

Every file that must survive a crash, a full disk or a power failure is written by this module.
"""

import errno
import os
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write(path: Path, content: bytes) -> None:
    """Replace the content of a file, or leave the file unchanged and raise OSError."""
    temporary = path.with_name(path.name + ".new")
    try:
        write_synced(temporary, content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and sync it to the disk; raises OSError."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def make_folder(path: Path) -> None:
    """Create a folder and its parents, and sync them; raises OSError."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Sync a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def words(error: OSError) -> str:
    """Describe an OSError, for messages."""
    return "a full disk" if error.errno in FULL else error.strerror or str(error)
