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
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
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
