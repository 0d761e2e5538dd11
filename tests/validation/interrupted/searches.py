"""kill -9 of `chainrule tune` at random moments, until each search is done.

No candidate that was finished may be lost, and the search must end with the candidates and with
the best run of one that was never interrupted.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import perf_counter

from tests.validation.interrupted.kills import Kills, Whole, said
from tests.validation.interrupted.stories import KILLED, Order, Story, command, last_words, tell

TUNE = (
    *("tune", "iris", "--epochs", "40", "--trials", "6", "--out", "search"),
    *("--search", "learning_rate=log(1e-3, 1)", "--search", "l2=log(1e-3, 1)"),
)
RESUME = ("tune", "--resume", "search")
TOLD = 6
"""The journal's number for the end of a trial."""


def kill_searches(place: Path, wanted: int, *, seed: int, at_once: int) -> Kills:
    """So many kills, spread over as many searches as that takes."""
    found, cache = Kills(wanted, Random(seed)), place.parent / "cache"
    (whole,) = tell([unbroken(place / "whole", cache)], 1)
    for wrong in tell(_stories(found, whole, place, cache), at_once):
        found.done += 1
        if wrong:
            found.wrong.append(wrong)
    return found


def unbroken(folder: Path, cache: Path) -> Story:
    """The search as it should be; the second one is timed, all is compiled."""
    began = 0.0
    for name in ("first", "second"):
        (folder / name).mkdir(parents=True)
        began = perf_counter()
        code = yield Order(folder / name, command(*TUNE, cache=cache))
        assert code == 0, last_words(folder / name)
    return Whole(folder / "second" / "search", TUNE, perf_counter() - began)


def _stories(found: Kills, whole: Whole, place: Path, cache: Path) -> Iterator[Story]:
    number = 0
    while found.kills < found.wanted:
        folder = place / f"killed-{number}"
        folder.mkdir()
        yield killed(found, whole, folder, cache)
        number += 1


def killed(found: Kills, whole: Whole, folder: Path, cache: Path) -> Story:
    """One search, killed until it is done; what is wrong with it, or nothing."""
    search, finished = folder / "search", set()
    while True:
        begun = (search / "search.json").exists()
        if not begun:
            shutil.rmtree(search, ignore_errors=True)
        alive = found.random.uniform(0, 2 * whole.seconds)
        alive = alive if found.kills < found.wanted else float("inf")
        code = yield Order(folder, command(*(RESUME if begun else TUNE), cache=cache), alive)
        if code != KILLED:
            break
        found.kills += 1
        found.moments[moment(search)] += 1
        now = ends(search)
        if not finished <= now:
            return f"{folder.name}: lost {len(finished - now)} finished candidates"
        finished = now
    if code != 0:
        return f"{folder.name}: exit code {code}\n{last_words(folder)}"
    if candidates(search) != candidates(whole.folder):
        return f"{folder.name}: other candidates than unbroken"
    same = said(search / "best") == said(whole.folder / "best")
    return "" if same else f"{folder.name}: another best run than unbroken"


def moment(search: Path) -> str:
    """Where a kill has met the search, by what it left."""
    if not (search / "search.json").exists():
        return "before there was a search"
    if (search / "best").exists():
        return "after the best run had its name"
    if (search / "best.partial").exists():
        return "while the best was trained again"
    return "between candidates" if ends(search) else "before the first candidate was done"


def entries(search: Path) -> list[dict]:
    """The whole lines of the journal."""
    journal = search / "journal.log"
    lines = journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []
    return [json.loads(line) for line in lines]


def ends(search: Path) -> set[int]:
    """The trials that are finished."""
    return {
        line["trial_id"]
        for line in entries(search)
        if line["op_code"] == TOLD and line["state"] in (1, 2, 3)
    }


def candidates(search: Path) -> list:
    """Of each trial that is finished, its number and its cost."""
    costs = {
        line["trial_id"]: line["values"]
        for line in entries(search)
        if line["op_code"] == TOLD and line["state"] in (1, 2, 3)
    }
    return sorted(costs.items())
