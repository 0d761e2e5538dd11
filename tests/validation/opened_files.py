"""Which files a block of code opens, lists or deletes, by watching the functions that do so.

An audit hook would see more, but it stays for the rest of the process, and a hook in Python makes
starting a thread fail at random while coverage is measured: Python 3.11 refuses to install a trace
function while it tells a hook that another thread installs one.
"""

import builtins
import inspect
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
LISTING = ["listdir", "scandir"]
CHANGING = ["remove", "unlink", "rmdir", "mkdir", "truncate"]
BETWEEN_TWO = ["rename", "replace", "symlink", "link"]
WATCHED = [(builtins, "open"), (io, "open"), (os, "open")]
WATCHED += [(os, name) for name in (*LISTING, *CHANGING, *BETWEEN_TWO)]


class Opened(NamedTuple):
    """A path that was opened, listed or changed, and whether it was written."""

    path: Path
    writing: bool


@contextmanager
def opened_files() -> Iterator[list[Opened]]:
    """Return the list to which each path is added that is opened in the block."""
    found: list[Opened] = []
    with ExitStack() as patches:
        for module, name in WATCHED:
            patches.enter_context(patch.object(module, name, _noting(module, name, found)))
        yield found


def _noting(module: Any, name: str, found: list[Opened]) -> Callable:
    """Return a function of a module that first notes the paths among its arguments."""
    function = getattr(module, name)
    signature = inspect.signature(function)
    paths = 2 if name in BETWEEN_TWO else 1

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        given = signature.bind(*arguments, **options)
        given.apply_defaults()
        writing = name in CHANGING + BETWEEN_TWO
        if name == "open":
            how = given.arguments
            writing = is_writing(how["flags"] if "flags" in how else how["mode"])
        for path in list(given.arguments.values())[:paths]:
            path = "." if path is None else path
            if isinstance(path, str | bytes | os.PathLike):
                found.append(Opened(Path(os.path.abspath(os.fsdecode(path))), writing))
        return function(*arguments, **options)

    return call


def is_writing(how: str | int) -> bool:
    """Return whether a mode such as "rb", or the flags of `os.open`, permit writing."""
    return bool(how & WRITING) if isinstance(how, int) else any(letter in how for letter in "wax+")
