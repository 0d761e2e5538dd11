"""Two commands at the same time in the same place: nothing is lost or half written.

train, train      into one folder: one trains, the other one is refused with a message
save, save        two processes save a run under one name: one succeeds
enrol, enrol      into one gallery: everybody is in it afterwards
enrol, forget     of different people: both have an effect
train, change     a change while the training ends: the run is complete
tune, tune        two processes continue one search: the same candidates and the same best run
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.validation.interrupted.kills import Whole, unbroken
from tests.validation.interrupted.stories import Order, Story, command, last_words, tell
from tests.validation.interrupted.work import (
    SPACE,
    contents_of_run,
    prepare,
    search,
    short_trainings,
)


class Races(NamedTuple):
    """How often each race was run, and what was wrong."""

    tried: list[str]
    wrong: list[str]


class Prepared(NamedTuple):
    """What the races start from: results without a race, a folder with runs, the program cache."""

    trained: Whole
    tuned: Whole
    verified: Path
    cache: Path


def race(place: Path, times: int, *, data: Path, seed: int) -> Races:
    """Run each race so many times; the second command begins a random moment after the first."""
    cache, random = place.parent / "cache", Random(seed)
    works = {"table": short_trainings()["table"], "tune": search("iris", *TUNE)}
    trained, tuned = tell((unbroken(place, n, w, data, cache) for n, w in works.items()), 1)
    list(tell([_verified(place / "verified", data, cache)], 1))
    prepared = Prepared(trained, tuned, place / "verified", cache)
    tried, wrong = [], []
    for number in range(times):
        for name, run in RACES.items():
            folder = place / f"{name.replace(', ', '-')}-{number}"
            prepare(folder, data)
            message = run(folder, prepared, random)
            tried.append(name)
            wrong += [f"{folder.name}: {message}"] if message else []
    return Races(tried, wrong)


TUNE = ("--hidden", "4", "--epochs", "10", "--trials", "6", "--no-vectorize", *SPACE)


def _verified(folder: Path, data: Path, cache: Path) -> Story:
    prepare(folder, data)
    code = yield Order(folder, command(*short_trainings()["verify"].begin, cache=cache))
    assert code == 0, last_words(folder)


def together(
    folder: Path, random: Random, seconds: float, *commands: Callable[[], int]
) -> list[tuple[int, str]]:
    """Run commands at the same time; return the exit code and the last lines of each."""

    def one(number: int, do: Callable[[], int]) -> Story:
        own = folder / f"{number}"
        own.mkdir(exist_ok=True)
        code = yield Order(own, partial(_in, folder, random.uniform(0, seconds), do))
        return number, code, last_words(own)

    ended = tell((one(i, do) for i, do in enumerate(commands)), len(commands))
    return [(code, words) for _, code, words in sorted(ended)]


def _in(folder: Path, delay: float, do: Callable[[], int]) -> int:
    import os
    import time

    os.chdir(folder)
    time.sleep(delay)
    return do()


def _refused(ended: list[tuple[int, str]]) -> str:
    """Return what is wrong unless one command has succeeded and the others were refused."""
    codes = sorted(code for code, _ in ended)
    wrong = codes != [0] + [2] * (len(ended) - 1) or any("Traceback" in words for _, words in ended)
    return f"exit codes {codes}\n" + "\n".join(words for _, words in ended) if wrong else ""


def two_trainings(folder: Path, prepared: Prepared, random: Random) -> str:
    """Train twice into the same folder."""
    whole = prepared.trained
    do = command(*whole.work.begin, cache=prepared.cache)
    wrong = _refused(together(folder, random, whole.seconds, do, do))
    if wrong:
        return wrong
    return "" if whole.work.result(folder) == whole.result else "another run"


def two_saves(folder: Path, prepared: Prepared, random: Random) -> str:
    """Save a run under the same name in two processes."""
    source = prepared.verified / "run"
    wrong = _refused(together(folder, random, 0.1, *2 * [partial(_save, source)]))
    if wrong:
        return wrong
    left = sorted(path.name for path in folder.iterdir() if path.name.startswith("run"))
    same = contents_of_run(folder / "run")[0] == contents_of_run(source)[0]
    return "" if same and left == ["run"] else f"another run, or files left behind: {left}"


def _save(source: Path) -> int:
    import chainrule
    from chainrule.errors import RunError

    try:
        chainrule.save(chainrule.load(source), "run")
    except RunError as error:
        print(error)
        return 2
    return 0


def two_enrolments(folder: Path, prepared: Prepared, random: Random) -> str:
    """Add different people to a new gallery in two processes."""
    words = ("verify", "enrol", str(prepared.verified / "run"), "run.gallery")
    pictures = {name: f"data/people/{name}" for name in ("p50", "p51", "p52")}
    dos = [command(*words, *one, cache=prepared.cache) for one in pictures.items()]
    return _people(folder, together(folder, random, 0.05, *dos), sorted(pictures))


def enrolment_and_removal(folder: Path, prepared: Prepared, random: Random) -> str:
    """Add a person while another one is removed."""
    run = str(prepared.verified / "run")
    two_enrolments(folder, prepared, random)
    added = command(
        "verify", "enrol", run, "run.gallery", "p53", "data/visitors", cache=prepared.cache
    )
    removed = command("verify", "forget", "run.gallery", "p50", cache=prepared.cache)
    return _people(folder, together(folder, random, 0.3, added, removed), ["p51", "p52", "p53"])


def _people(folder: Path, ended: list[tuple[int, str]], expected: list[str]) -> str:
    if any(code for code, _ in ended):
        return f"exit codes {[code for code, _ in ended]}\n{ended[0][1]}"
    list(tell([_listed(folder)], 1))
    names = sorted(json.loads((folder / "said.txt").read_text().splitlines()[-1])["names"])
    return "" if names == expected else f"the gallery has {names}"


def _listed(folder: Path) -> Story:
    words = ("verify", "gallery", "run.gallery", "--json")
    code = yield Order(folder, command(*words, cache=folder / "cache"))
    assert code == 0, last_words(folder)


def training_and_change(folder: Path, prepared: Prepared, random: Random) -> str:
    """Change the learning rate while a training goes on, several times, until it has ended."""
    train = command(*prepared.trained.work.begin, cache=prepared.cache)
    change = partial(_change_often, prepared.cache)
    (code, words), (changed, others) = together(folder, random, 0.3, train, change)
    if code or changed:
        return f"exit codes {code} and {changed}\n{words}\n{others}"
    contents_of_run(folder / "run")
    left = sorted(path.name for path in folder.iterdir() if path.name.startswith("run"))
    return "" if left == ["run"] else f"files left behind: {left}"


def _change_often(cache: Path) -> int:
    import time

    until = time.monotonic() + 60
    rate = 0
    while not Path("run").exists() and time.monotonic() < until:
        rate += 1
        words = ("change", "run", "--learning-rate", f"{0.01 + rate / 1e6}")
        if command(*words, cache=cache)() not in (0, 2):
            return 1
    return 0


def two_searches(folder: Path, prepared: Prepared, random: Random) -> str:
    """Continue a search in two processes."""
    whole = prepared.tuned
    begin = command(*whole.work.begin, cache=prepared.cache)
    resume = partial(_resume_when_begun, command(*whole.work.resume, cache=prepared.cache))
    ended = together(folder, random, 0.0, begin, resume)
    if any(code for code, _ in ended):
        return f"exit codes {[code for code, _ in ended]}\n" + "\n".join(w for _, w in ended)
    return "" if whole.work.result(folder) == whole.result else "other candidates or best run"


def _resume_when_begun(do: Callable[[], int]) -> int:
    import time

    while not Path("run/search.json").exists():
        time.sleep(0.01)
    return do()


RACES: dict[str, Callable[[Path, Prepared, Random], str]] = {
    "train, train": two_trainings,
    "save, save": two_saves,
    "enrol, enrol": two_enrolments,
    "enrol, forget": enrolment_and_removal,
    "train, change": training_and_change,
    "tune, tune": two_searches,
}
