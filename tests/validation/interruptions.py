"""How much an interruption costs: `python -m tests.validation.interruptions`.

Trainings and searches are killed at random moments until they are done, every write fails once,
every file is spoilt. Prints what was tried and what went well; exit code 1 where anything was lost.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import table

from tests.validation.interrupted.damage import spoil
from tests.validation.interrupted.failures import fail_every_write
from tests.validation.interrupted.kills import Kills, kill_trainings
from tests.validation.interrupted.searches import kill_searches
from tests.validation.interrupted.stories import import_everything

PARTS = ("kills", "failures", "damage", "search")


class Line(NamedTuple):
    """A row of the table."""

    what: str
    tried: int
    well: int
    words: str = ""


def main() -> None:
    """All of it: about a quarter of an hour on two quiet cores."""
    options = read_options()
    import_everything()
    lines, wrong = [], []
    with tempfile.TemporaryDirectory() as place:
        for part in options.parts or PARTS:
            began = time.perf_counter()
            more, bad = globals()[f"of_{part}"](Path(place) / part, options)
            took = time.perf_counter() - began
            print(f"{took:4.0f} s  {part}", file=sys.stderr, flush=True)
            lines, wrong = lines + more, wrong + bad
    rows = [[line.what, f"{line.tried:,}", f"{line.well:,}", line.words] for line in lines]
    print(table(["what", "tried", "well", ""], rows))
    for number, words in enumerate(wrong, 1):
        print(f"{number}. {words}\n")
    sys.exit(1 if wrong else 0)


def read_options() -> argparse.Namespace:
    """How many of each."""
    parser = argparse.ArgumentParser(prog="python -m tests.validation.interruptions")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument(
        "--kills", type=int, default=300, help="of trainings, and of searches (300)"
    )
    parser.add_argument("--kinds", type=int, default=3, help="of trainings, 1 to 3 (3)")
    parser.add_argument("--flips", type=int, default=2000, help="bits (2000)")
    parser.add_argument("--truncations", type=int, default=200, help="files cut short (200)")
    parser.add_argument("--at-once", type=int, default=2, help="processes side by side (2)")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments (0)")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return options


def of_kills(place: Path, options: argparse.Namespace) -> tuple[list[Line], list[str]]:
    """Trainings that are killed."""
    choices = {"kinds": options.kinds, "seed": options.seed, "at_once": options.at_once}
    found = kill_trainings(place, options.kills, **choices)
    return _of(found, "trainings"), found.wrong


def of_search(place: Path, options: argparse.Namespace) -> tuple[list[Line], list[str]]:
    """Searches that are killed."""
    found = kill_searches(place, options.kills, seed=options.seed, at_once=options.at_once)
    return _of(found, "searches"), found.wrong


def _of(found: Kills, what: str) -> list[Line]:
    words = "resumed until done, the same bit for bit"
    ended = Line(f"{what} killed {found.kills:,} times", found.done, _well(found), words)
    moments = found.moments.most_common()
    return [ended, *(Line(f"  killed {moment}", count, count) for moment, count in moments)]


def _well(found: Kills) -> int:
    return found.done - len(found.wrong)


def of_failures(place: Path, options: argparse.Namespace) -> tuple[list[Line], list[str]]:
    """Writes that fail."""
    found = fail_every_write(place, at_once=options.at_once)
    tried = found.tried.total()
    words = f"{found.untouched} went on, {found.resumed} ended with a message and were resumed"
    lines = [Line("calls that write, each failed once", tried, tried - len(found.wrong), words)]
    lines += [Line(f"  {call}", count, count) for call, count in sorted(found.tried.items())]
    return lines, found.wrong


def of_damage(place: Path, options: argparse.Namespace) -> tuple[list[Line], list[str]]:
    """Files that are spoilt."""
    found = spoil(place, options.flips, options.truncations, seed=options.seed)
    cut = [name for name in found.unnoticed if "cut to" in name]
    bits = len(found.unnoticed) - len(cut)
    words = f"noticed, in {found.files} files of a run and of its checkpoints"
    lines = [
        Line("bits flipped", options.flips, options.flips - bits, words),
        Line("files cut short", options.truncations, options.truncations - len(cut), words),
    ]
    return lines, [f"nobody noticed {name}" for name in found.unnoticed]


if __name__ == "__main__":
    main()
