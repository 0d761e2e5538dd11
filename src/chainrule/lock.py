"""A lock that dies with its holder: the operating system lets go of it when the process ends.

Nobody has to wait for a lock whose owner was killed, and no clock decides whether it was.
"""

import errno
import os
from pathlib import Path

try:
    import fcntl
except ImportError:
    fcntl = None


class Lock:
    """The lock of a file. It excludes other processes, and other locks in this one."""

    def __init__(self, path: Path):
        self.path = path
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """Whether it is ours."""
        return self._handle is not None

    def acquire(self, *, wait: bool = False) -> bool:
        """Take it; whether it is ours now. Without `wait` it is not where somebody else has it."""
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(handle, wait)
        except OSError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def __enter__(self) -> "Lock":
        """Inside it is ours, after whoever has it; OSError where there can be no lock."""
        if not self.acquire(wait=True):
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of it."""
        self.release()

    def release(self) -> None:
        """Let go of it, where we have it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _lock(handle: int, wait: bool) -> None:
    """Raises OSError where somebody else has it and we do not wait.

    A system without such locks excludes nobody.
    """
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
