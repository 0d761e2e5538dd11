"""How much memory there is, asked before it is taken: a message is better than a killed process."""

import os
from pathlib import Path

from chainrule.errors import DataError


def available_bytes() -> int:
    """What can still be allocated: the container's limit or the machine's free memory."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        with open("/proc/meminfo") as file:
            free = next(int(x.split()[1]) * 1024 for x in file if x.startswith("MemAvailable"))
    except (OSError, StopIteration):
        pass
    try:
        limit, used = (
            Path("/sys/fs/cgroup", f"memory.{x}").read_text() for x in ("max", "current")
        )
        free = min(free, int(limit) - int(used))
    except (OSError, ValueError):  # no cgroup, or no limit ("max")
        pass
    return free


def in_words(size: float) -> str:
    """Bytes as people say them.

    >>> in_words(1.5e9)
    '1.50 GB'
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:,.2f} {unit}"
        size /= 1000
    raise AssertionError


def check_memory(where: str, needed: int, hint: str) -> None:
    """Refuse what cannot fit, before any of it is allocated."""
    free = available_bytes()
    if needed > free:
        raise DataError(
            where, f"at most {in_words(free)} of memory, what is free here", in_words(needed), hint
        )
