"""Write files atomically: to a temporary file, which is synced and then renamed.

Every file that must survive a crash, a full disk or a power failure is written by this module.

A file lock that the operating system releases when the process that holds it ends.

A killed process therefore never leaves a lock behind, and no timeout is needed to detect one.
"""

import errno
import os
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_file(path: Path, content: bytes) -> None:
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


def describe_error(error: OSError) -> str:
    """Describe an OSError, for messages."""
    return "a full disk" if error.errno in FULL else error.strerror or str(error)


try:
    import fcntl
except ImportError:
    fcntl = None


class Lock:
    """A lock on a file; it excludes other processes, and other locks in this process."""

    def __init__(self, path: Path):
        self.path = path
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """Return whether this object holds the lock."""
        return self._handle is not None

    def acquire(self, *, wait: bool = False) -> bool:
        """Acquire the lock and return whether it is held now; wait for another holder if `wait`."""
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(handle, wait)
        except OSError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def __enter__(self) -> "Lock":
        """Acquire the lock, waiting for its holder; raises OSError if locking is not possible."""
        if not self.acquire(wait=True):
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self.release()

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _lock(handle: int, wait: bool) -> None:
    """Lock an open file; without `wait`, raise OSError if somebody else holds the lock.

    On a system without such locks, this does nothing.
    """
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
