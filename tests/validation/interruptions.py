"""How much an interruption costs: `python -m tests.validation.interruptions`.

    kills      trainings of every kind, searches and enrolments are killed until they are done
    failures   every call that writes fails once
    damage     a bit is flipped in every file of runs, checkpoints, galleries and searches, or it is
               cut short
    swaps      files are exchanged between two trainings, searches or galleries
    races      two commands run at the same time in the same place

Prints what was tried and how often it ended well; exit code 1 if anything was lost or not noticed.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import table

from tests.validation.interrupted.damage import damage_files
from tests.validation.interrupted.failures import fail_every_write
from tests.validation.interrupted.folders import made_folders, old_folder
from tests.validation.interrupted.kills import kill_all
from tests.validation.interrupted.races import race
from tests.validation.interrupted.stories import import_everything
from tests.validation.interrupted.swaps import swap_files
from tests.validation.interrupted.work import (
    enrolment,
    search,
    searches,
    short_trainings,
    trainings,
)
from tests.validation.make_old_runs import make_data


class Line(NamedTuple):
    """A row of the table."""

    what: str
    tried: int
    well: int
    words: str = ""


Result = tuple[list[Line], list[str]]


def main() -> None:
    """Run all parts: an hour or two on two quiet cores."""
    options = read_options()
    import_everything()
    lines, wrong = [], []
    with tempfile.TemporaryDirectory() as place:
        make_data(Path(place) / "data")
        for part in options.parts or PARTS:
            began = time.perf_counter()
            more, bad = PARTS[part](Path(place) / part, options)
            took = time.perf_counter() - began
            print(f"{took:4.0f} s  {part}", file=sys.stderr, flush=True)
            lines, wrong = lines + more, wrong + bad
    rows = [[line.what, f"{line.tried:,}", f"{line.well:,}", line.words] for line in lines]
    print(table(["what", "tried", "well", ""], rows))
    for number, words in enumerate(wrong, 1):
        print(f"{number}. {words}\n")
    sys.exit(1 if wrong else 0)


def read_options() -> argparse.Namespace:
    """Return how many of each are tried."""
    parser = argparse.ArgumentParser(prog="python -m tests.validation.interruptions")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--kills", type=int, default=300, help="processes killed (300)")
    parser.add_argument("--kinds", default="", help="of commands, separated by commas; all")
    parser.add_argument("--flips", type=int, default=10_000, help="bits (10000)")
    parser.add_argument("--truncations", type=int, default=1000, help="files cut short (1000)")
    parser.add_argument("--old", action="store_true", help="damage runs of an earlier version")
    parser.add_argument("--calls", type=int, default=10**6, help="that fail, of each kind; all")
    parser.add_argument("--once", action="store_true", help="each call fails in one way only")
    parser.add_argument("--races", type=int, default=10, help="times each race is run (10)")
    parser.add_argument("--at-once", type=int, default=2, help="processes side by side (2)")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments (0)")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return options


def chosen(works: dict, options: argparse.Namespace) -> dict:
    """Return the commands of the kinds that were asked for."""
    names = options.kinds.split(",") if options.kinds else works
    if found := {name: works[name] for name in names if name in works}:
        return found
    sys.exit(f"--kinds {options.kinds}: none of them is here; there are {', '.join(works)}")


def of_kills(place: Path, options: argparse.Namespace) -> Result:
    """Kill commands of every kind."""
    works = chosen(trainings() | searches(), options)
    how = {"data": place.parent / "data", "seed": options.seed, "at_once": options.at_once}
    found = kill_all(place, works, options.kills, **how)
    done = found.done.total()
    words = "continued until done, the same bit for bit"
    lines = [
        Line(f"commands killed {found.kills.total():,} times", done, done - len(found.wrong), words)
    ]
    lines += [Line(f"  {name}", count, count) for name, count in sorted(found.done.items())]
    lines += [Line(f"  killed, {name}", n, n) for name, n in sorted(found.moments.items())]
    return lines, found.wrong


def of_failures(place: Path, options: argparse.Namespace) -> Result:
    """Let every call that writes fail once."""
    data, _cache = place.parent / "data", place.parent / "cache"
    how = {"data": data, "at_once": options.at_once, "once": options.once}
    tune = search("iris", "--hidden", "4", "--epochs", "3", "--trials", "2", *TWO_VALUES)
    works = chosen(short_trainings() | {"tune": tune}, options)
    parts = [fail_every_write(place, works, options.calls, **how)]
    if "verify" in works:
        work = {"enrol": enrolment(place / "whole-verify")}
        parts.append(fail_every_write(place, work, options.calls, **how))
    tried = sum((part.tried for part in parts[1:]), parts[0].tried)
    wrong = [words for part in parts for words in part.wrong]
    untouched, resumed = (sum(getattr(p, name) for p in parts) for name in ("untouched", "resumed"))
    words = f"{untouched} went on, {resumed} ended with a message and were continued"
    total = tried.total()
    lines = [Line("calls that write, each failed once", total, total - len(wrong), words)]
    lines += [Line(f"  {call}", count, count) for call, count in sorted(tried.items())]
    return lines, wrong


TWO_VALUES = ("--search", "learning_rate=log(1e-3, 1)")


def of_damage(place: Path, options: argparse.Namespace) -> Result:
    """Damage files."""
    place.mkdir()
    if options.old:
        folders = [old_folder(place)]
    else:
        made = made_folders(place / "made", place.parent / "data", at_once=options.at_once)
        folders = [folder for _, one in made for folder in one]
    how = {"seed": options.seed, "at_once": options.at_once}
    found = damage_files(place, folders, options.flips, options.truncations, **how)
    lines = [Line(what, n, n) for what, n in sorted(found.tried.items())]
    total = found.tried.total()
    words = f"noticed, in {found.files:,} files"
    first = Line("bits flipped and files cut", total, total - len(found.unnoticed), words)
    return [first, *lines], [f"nobody noticed {name}" for name in found.unnoticed]


def of_swaps(place: Path, options: argparse.Namespace) -> Result:
    """Exchange files."""
    data, at_once = place.parent / "data", options.at_once
    folders = made_folders(place / "made", data, at_once=at_once, seeds=(0, 1))
    found = swap_files(place / "swaps", folders, cache=place.parent / "cache", at_once=at_once)
    tried, well = len(found.tried), len(found.tried) - len(found.unnoticed)
    line = Line("files exchanged between two folders", tried, well, "refused")
    return [line], [f"nobody noticed {name}" for name in found.unnoticed]


def of_races(place: Path, options: argparse.Namespace) -> Result:
    """Run commands at the same time."""
    found = race(place, options.races, data=place.parent / "data", seed=options.seed)
    tried, well = len(found.tried), len(found.tried) - len(found.wrong)
    return [Line("races of two or three commands", tried, well, "nothing lost")], found.wrong


PARTS: dict[str, Callable[[Path, argparse.Namespace], Result]] = {
    "kills": of_kills,
    "failures": of_failures,
    "damage": of_damage,
    "swaps": of_swaps,
    "races": of_races,
}

if __name__ == "__main__":
    main()
