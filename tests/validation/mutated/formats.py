"""What a format of the campaign of mutated files is, without the modules that declare them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Format:
    """A format, how intact files of it are written, and how they are read.

    make     writes intact files into an empty folder
    read     reads the folder through chainrule's public readers; what it returns is ignored
    kinds    the kinds of mutations that apply (`mutations.py: MUTATORS`)
    spare    glob patterns of files that are never mutated
    share    how often the format is drawn, compared with the others; slow formats less often
    """

    make: Callable[[Path], object]
    read: Callable[[Path], object]
    kinds: tuple[str, ...] = ("bytes",)
    spare: tuple[str, ...] = ()
    share: float = 1.0
