"""kill -9 at random moments, again and again until each command is done.

The result must be, bit for bit, that of a command that was never interrupted; and between two kills
nothing that was safe may be lost. A command with worker processes loses one of them in turn.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

from tests.validation.interrupted.stories import (
    KILLED,
    Order,
    Story,
    command,
    kill_process,
    last_words,
    tell,
)
from tests.validation.interrupted.work import Work

COLD = 16  # every so many commands begin without any compiled program


@dataclass
class Kills:
    """The kills of each kind of command, when they met it, and what was wrong afterwards."""

    wanted: int
    """How many kills there should be of each kind."""

    random: Random
    kills: Counter = field(default_factory=Counter)
    done: Counter = field(default_factory=Counter)
    moments: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Whole:
    """A command that nothing interrupted: its result, and how long it took."""

    name: str
    work: Work
    result: Any
    seconds: float


def kill_all(
    place: Path, works: Mapping[str, Work], wanted: int, *, data: Path, seed: int, at_once: int
) -> Kills:
    """Kill so many times, each kind equally often, over as many commands as that takes."""
    found, cache = Kills(-(-wanted // len(works)), Random(seed)), place.parent / "cache"
    stories = (unbroken(place, name, work, data, cache) for name, work in works.items())
    wholes = list(tell(stories, at_once))
    for name, wrong in tell(_stories(found, wholes, place, data, cache), at_once):
        found.done[name] += 1
        if wrong:
            found.wrong.append(wrong)
    return found


def unbroken(place: Path, name: str, work: Work, data: Path, cache: Path) -> Story:
    """Run the command twice without an interruption; the second one is timed, all is compiled."""
    began, folder = 0.0, place
    for number in range(2):
        folder = place / f"whole-{name.replace(' ', '')}-{number}"
        work.prepare(folder, data)
        began = perf_counter()
        code = yield Order(folder, command(*work.begin, cache=cache))
        assert code == 0, last_words(folder)
    return Whole(name, work, work.result(folder), perf_counter() - began)


def _stories(
    found: Kills, wholes: list[Whole], place: Path, data: Path, cache: Path
) -> Iterator[Story]:
    number = 0
    while missing := [one for one in wholes if found.kills[one.name] < found.wanted]:
        for whole in missing:
            folder = place / f"killed-{number}"
            whole.work.prepare(folder, data)
            own = folder / "cache" if number % COLD == COLD - 1 else cache
            yield killed(found, whole, folder, own)
            number += 1


def killed(found: Kills, whole: Whole, folder: Path, cache: Path) -> Story:
    """Kill a command until it is done; return its name and what is wrong with it, if anything."""
    work, safe = whole.work, 0.0
    while True:
        words = work.resume if work.is_begun(folder) else work.begin
        alive = found.random.uniform(0, 2 * whole.seconds)
        alive = alive if found.kills[whole.name] < found.wanted else float("inf")
        kill = kill_process
        if work.workers and found.random.random() < 0.5:
            kill = kill_of_worker(found, whole.name)
        code = yield Order(folder, command(*words, cache=cache), alive, kill)
        if code != KILLED:
            break
        found.kills[whole.name] += 1
        found.moments[f"{whole.name}: {work.moment(folder)}"] += 1
        now = work.safe(folder)
        if now < safe:
            return whole.name, f"{folder.name}, {whole.name}: {safe} was safe, and is {now} now"
        safe = now
    if code != 0:
        return whole.name, f"{folder.name}, {whole.name}: exit code {code}\n{last_words(folder)}"
    same = work.result(folder) == whole.result
    return whole.name, "" if same else f"{folder.name}, {whole.name}: another result than unbroken"


def kill_of_worker(found: Kills, name: str) -> Callable[[int], None]:
    """Return a function that kills a worker of a process instead, and counts that."""

    def kill(process: int) -> None:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        if not children:
            return kill_process(process)
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(int(found.random.choice(children)), signal.SIGKILL)
            found.kills[name] += 1
            found.moments[f"{name}: one worker, while the others went on"] += 1
        return None

    return kill
