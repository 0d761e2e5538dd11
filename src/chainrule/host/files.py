"""Write files atomically, create numbered folders, lock files, and compute checksums.

A file is written under a temporary name, synced and renamed, so it is never incomplete.
Every file that must survive a crash, a full disk or a power failure is written by this module.
No symbolic link is followed: a link at the place of a file is replaced, and never written through.

The operating system releases a lock when the process that holds it ends. A killed process therefore
never leaves a lock behind, and no timeout is needed to detect one.
"""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from filelock import FileLock

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
TEMPORARY = ".new"
"""The suffix of a file while it is written."""
LONGEST = 255
"""The largest number of bytes in the name of a file or folder on common file systems."""


def invalid_name(path: Path, suffix: str = TEMPORARY) -> str | None:
    """Return what is wrong with the name of a new file or folder, or None if it can be used.

    While the file is written, `suffix` is added to its name.

    >>> invalid_name(Path(".")), invalid_name(Path("runs/" + "a" * 300))
    ('no name', 'a name of 300 bytes')
    """
    if path.name in ("", ".."):
        return "no name"
    if "\0" in str(path):
        return "a name with a zero byte"
    try:
        length = len(os.fsencode(path.name))
    except UnicodeEncodeError:
        return "a name that is not valid text"
    return f"a name of {length} bytes" if length > LONGEST - len(suffix) else None


def write_file(path: Path, content: bytes) -> None:
    """Replace the content of a file, or leave the file unchanged and raise OSError.

    A symbolic link is replaced itself; what it points to is never written. Anything else that is
    not a regular file, such as a device, stays.
    """
    if describe_special(path) not in (None, "a symbolic link"):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    temporary = path.with_name(path.name + TEMPORARY)
    temporary.unlink(missing_ok=True)  # left by a process that was killed, or a link
    try:
        write_synced(temporary, content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_synced(path: Path, content: bytes) -> None:
    """Write a new file and sync it to the disk; raises OSError, also if it already exists."""
    with open(path, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def hex_sha256(content: bytes) -> str:
    """Return the sha256 of a content in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sealed_json(data: Mapping[str, Any]) -> bytes:
    """Return data as JSON, in which the last entry is the sha256 of the others."""
    digest = hex_sha256(json.dumps(data).encode())
    return json.dumps({**data, "sha256": digest}, indent=1).encode()


def open_regular(path: Path) -> BinaryIO:
    """Open an existing file for reading and writing, without a buffer.

    Raises OSError if it is a symbolic link, which could lead to a file elsewhere, or if it is not
    a regular file.
    """
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(handle, "r+b", buffering=0)


def make_folder(path: Path) -> None:
    """Create a folder and its parents, and sync them; raises OSError."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)


def make_subfolder(path: Path) -> None:
    """Create a folder, unless there is one, in a folder that somebody else may have made.

    Raises OSError, also for a symbolic link, through which files would be written elsewhere.
    """
    if path.is_symlink():
        raise OSError(errno.ELOOP, f"{path.name} is a symbolic link", str(path))
    make_folder(path)


def claim_numbered(
    folder: Path,
    name: str,
    claim: Callable[[Path], None],
    error_of: Callable[[Path, OSError], Exception],
) -> Path:
    """Return the first of the paths folder/name-1, -2, … that `claim` could create.

    `claim` raises FileExistsError for a path that another process has; for any other OSError, the
    error that `error_of` returns is raised.
    """
    for number in count(1):
        path = folder / f"{name}-{number}"
        try:
            claim(path)
            return path
        except FileExistsError:
            continue
        except OSError as error:
            raise error_of(path, error) from error
    raise AssertionError("numbers do not end")


def sync(path: Path) -> None:
    """Sync a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def describe_special(path: Path) -> str | None:
    """Return what a path is if it is not a regular file: "a device"; None if there is nothing."""
    try:
        return KINDS.get(stat.S_IFMT(os.lstat(path).st_mode))
    except OSError:
        return None


def describe_error(error: OSError) -> str:
    """Describe an OSError in a few words, for error messages."""
    full = error.errno in FULL
    return "a full disk" if full else f'the system error "{error.strerror or error}"'


POLL = 0.005
"""The seconds between two attempts to acquire a lock that somebody else holds."""


class Lock:
    """A lock on a file; it excludes other processes, and other locks in this process.

    The file remains after the lock is released, so that all processes lock the same file.
    """

    def __init__(self, path: Path):
        self.path = path
        self._lock: FileLock | None = None

    @property
    def held(self) -> bool:
        """Return whether this object holds the lock now."""
        return self._lock is not None and self._lock.is_locked

    def acquire(self, *, wait: bool = False) -> bool:
        """Acquire the lock and return whether it is held now; wait for another holder if `wait`.

        Raises OSError if the file cannot be opened or locked. The folder must exist.
        """
        from filelock import FileLock, Timeout  # imported here, so that `--help` starts quickly

        if not self.path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path.parent))
        if os.path.lexists(self.path) and not stat.S_ISREG(os.lstat(self.path).st_mode):
            raise OSError(errno.EINVAL, f"{self.path.name} is not a regular file")
        if self._lock is None:
            # A soft lock would outlive a killed process, and workers release from another thread.
            self._lock = FileLock(self.path, mode=0o644, thread_local=False, fallback_to_soft=False)
        try:
            self._lock.acquire(blocking=wait, poll_interval=POLL)
        except Timeout:
            return False
        return True

    def __enter__(self) -> "Lock":
        """Acquire the lock, waiting for its holder; raises OSError if locking is not possible."""
        self.acquire(wait=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self.release()

    def delete(self) -> None:
        """Delete the file and release the lock; a file that cannot be deleted is left there.

        What the lock protected is done by then, and a file without its lock hinders nobody.
        """
        with suppress(OSError):
            self.path.unlink()
        self.release()

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._lock is not None:
            self._lock.release(force=True)
