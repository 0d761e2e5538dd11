"""Check the available memory before large allocations: an error is better than a killed process."""

import os
import sys
from pathlib import Path

from chainrule.errors import DataError

MACHINE = Path("/proc/meminfo")
CONTAINER = Path("/sys/fs/cgroup")


def available_bytes() -> int:
    """Return the memory that can still be allocated, on this machine or in this container."""
    return min(_free_in_machine(), _free_in_container())


def _free_in_machine() -> int:
    """Return the free memory on Linux; elsewhere the total memory, or no limit if unknown."""
    try:
        return _entry(MACHINE, "MemAvailable:") * 1024
    except (OSError, KeyError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return sys.maxsize


def _free_in_container() -> int:
    """Return the container's limit minus its used memory.

    Cached file pages count as used, but are freed when needed.
    """
    try:
        limit, used = (
            int((CONTAINER / name).read_text()) for name in ("memory.max", "memory.current")
        )
        return limit - used + _entry(CONTAINER / "memory.stat", "inactive_file")
    except (OSError, KeyError, ValueError):  # no container, or one without a limit ("max")
        return sys.maxsize


def _entry(path: Path, name: str) -> int:
    """Return the number after `name` in a file of lines "name number …"."""
    with path.open() as file:
        return int(dict(line.split()[:2] for line in file)[name])


def in_words(size: float) -> str:
    """Format a number of bytes.

    >>> in_words(1.5e9)
    '1.50 GB'
    """
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.2f} {unit}"
        size /= 1000
    return f"{size:,.2f} GB"


def check_memory(where: str, needed: int, hint: str) -> None:
    """Refuse an allocation that cannot fit, before it is made."""
    free = available_bytes()
    if needed > free:
        raise DataError(where, f"at most {in_words(free)}, the free memory", in_words(needed), hint)
