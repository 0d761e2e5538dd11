"""A file lock that the operating system releases when the process that holds it ends.

A killed process therefore never leaves a lock behind, and no timeout is needed to detect one.
"""

import errno
import os
from pathlib import Path

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
