"""What all examples share: options, data, figures and targets.

    --data FOLDER       folder of the real data sets; default: the environment variable
                        CHAINRULE_DATA, or ../shared/data beside the repository
    --pictures FOLDER   write the figures into this folder
    --quick             take seconds: fewer iterations, built-in data only

A target is a result that the example must reach; if one is missed, the exit code is 1.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule.host.compilation_cache import enable_compilation_cache

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


class Example:
    """One run of an example."""

    def __init__(self, doc: str, argv: list[str] | None = None):
        title, _, about = doc.partition("\n")
        parser = argparse.ArgumentParser(
            description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("--data", metavar="FOLDER", help="folder of the real data sets")
        parser.add_argument("--pictures", metavar="FOLDER", help="write the figures there")
        parser.add_argument("--quick", action="store_true", help="take seconds, without real data")
        given = parser.parse_args(argv)
        self.quick: bool = given.quick
        self.data = Path(given.data or os.environ.get("CHAINRULE_DATA") or BESIDE)
        self.pictures = Path(given.pictures) if given.pictures else None
        self.reached: list[str] = []
        self.missed: list[str] = []
        enable_compilation_cache()
        print(f"{title}\n{about.rstrip()}")

    def part(self, title: str) -> None:
        """Print a heading."""
        print(f"\n{title}\n{'─' * len(title)}")

    def has(self, *files: str) -> bool:
        """Return whether these files are in the data folder, and print what is skipped if not."""
        if self.quick:
            print(f"Skipped with --quick: needs {', '.join(files)}.")
            return False
        absent = [file for file in files if not (self.data / file).is_file()]
        if absent:
            print(f"Skipped: no {', '.join(absent)} in {self.data} (--data FOLDER says where).")
        return not absent

    def picture(self, name: str, draw: Callable[..., bytes], *what: Any) -> None:
        """Draw and write a PNG if figures were requested."""
        if self.pictures is None:
            return
        self.pictures.mkdir(parents=True, exist_ok=True)
        (self.pictures / name).write_bytes(draw(*what))
        print(f"Picture: {self.pictures / name}")

    def target(self, what: str, reached: bool) -> None:
        """Print whether a target is reached; `what` states it with the result."""
        (self.reached if reached else self.missed).append(what)
        print(f"{'Target reached' if reached else 'TARGET MISSED'}: {what}")

    def finish(self) -> None:
        """Print a summary; exit with code 1 if a target was missed."""
        n = len(self.reached) + len(self.missed)
        if self.missed:
            print(f"\n{len(self.missed)} of {n} targets missed:", *self.missed, sep="\n  ")
            sys.exit(1)
        print(
            f"\nAll {n} targets reached." if n else "\nNothing to show without the data: skipped."
        )
