"""What every example shares: its options, where its data are, its pictures and its targets.

    --data FOLDER       where the real data sets are; else the environment's CHAINRULE_DATA, else
                        ../shared/data beside the repository, if there is one
    --pictures FOLDER   write the pictures there
    --quick             seconds, on what is bundled: fewer iterations, no real data

A target is a number that the example promised; if one is missed, the exit code is 1.
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
        parser.add_argument("--data", metavar="FOLDER", help="where the real data sets are")
        parser.add_argument("--pictures", metavar="FOLDER", help="write the pictures there")
        parser.add_argument("--quick", action="store_true", help="seconds, no real data")
        given = parser.parse_args(argv)
        self.quick: bool = given.quick
        self.data = Path(given.data or os.environ.get("CHAINRULE_DATA") or BESIDE)
        self.pictures = Path(given.pictures) if given.pictures else None
        self.reached: list[str] = []
        self.missed: list[str] = []
        enable_compilation_cache()
        print(f"{title}\n{about.rstrip()}")

    def part(self, title: str) -> None:
        """A heading."""
        print(f"\n{title}\n{'─' * len(title)}")

    def has(self, *files: str) -> bool:
        """Whether these files of the data folder are there; what is left out is said."""
        if self.quick:
            print(f"Skipped with --quick: needs {', '.join(files)}.")
            return False
        absent = [file for file in files if not (self.data / file).is_file()]
        if absent:
            print(f"Skipped: no {', '.join(absent)} in {self.data} (--data FOLDER says where).")
        return not absent

    def picture(self, name: str, draw: Callable[..., bytes], *what: Any) -> None:
        """Draw and write a PNG, where pictures are wanted."""
        if self.pictures is None:
            return
        self.pictures.mkdir(parents=True, exist_ok=True)
        (self.pictures / name).write_bytes(draw(*what))
        print(f"Picture: {self.pictures / name}")

    def target(self, what: str, reached: bool) -> None:
        """Say whether a target, which `what` states with the number that came, is reached."""
        (self.reached if reached else self.missed).append(what)
        print(f"{'Target reached' if reached else 'TARGET MISSED'}: {what}")

    def finish(self) -> None:
        """Exit code 1 if any target was missed."""
        n = len(self.reached) + len(self.missed)
        if self.missed:
            print(f"\n{len(self.missed)} of {n} targets missed:", *self.missed, sep="\n  ")
            sys.exit(1)
        print(
            f"\nAll {n} targets reached." if n else "\nNothing to show without the data: skipped."
        )
