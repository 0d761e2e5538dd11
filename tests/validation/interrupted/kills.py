"""kill -9 at random moments, again and again until each training is done.

A training that is done must be, bit for bit, the one that was never interrupted; and between two
kills its newest checkpoint must never become older.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import perf_counter

from chainrule.runs.status import last_step, partial_of
from tests.validation.interrupted.stories import KILLED, Order, Story, command, last_words, tell

OPTIONS = ("--no-check", "--checkpoint-every", "0.1", "--out", "run")
TRAININGS = (
    ("moons", "--hidden", "8", "--epochs", "6000", "--no-early-stopping", "--l2", "0.1"),
    (
        *("digits", "--hidden", "16", "--epochs", "25", "--batch-size", "64", "--seed", "3"),
        *("--batch-norm", "--keep-prob", "0.8", "--optimizer", "momentum", "--beta", "0.8"),
    ),
    (
        *("diabetes", "--hidden", "16,8", "--epochs", "700", "--no-early-stopping"),
        *("--optimizer", "rmsprop", "--decay", "exponential", "--clip-norm", "1"),
    ),
)
COLD = 4  # every so many trainings begin without any compiled program


@dataclass
class Kills:
    """What came of the kills: how many, where they met the training, and what was wrong."""

    wanted: int
    random: Random
    kills: int = 0
    done: int = 0
    moments: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Whole:
    """A training that nobody interrupted: its folder, its words, how long it took."""

    folder: Path
    words: tuple[str, ...]
    seconds: float


def kill_trainings(place: Path, wanted: int, *, kinds: int, seed: int, at_once: int) -> Kills:
    """So many kills, spread over as many trainings as that takes, of so many kinds."""
    found = Kills(wanted, Random(seed))
    cache = place.parent / "cache"
    stories = (
        unbroken(place / f"whole-{i}", words, cache) for i, words in enumerate(TRAININGS[:kinds])
    )
    wholes = list(tell(stories, 1))
    for wrong in tell(_stories(found, wholes, place, cache), at_once):
        found.done += 1
        if wrong:
            found.wrong.append(wrong)
    return found


def unbroken(folder: Path, words: tuple[str, ...], cache: Path) -> Story:
    """The training as it should be, twice: the second one is timed, all is compiled."""
    began = 0.0
    for name in ("first", "second"):
        (folder / name).mkdir(parents=True)
        began = perf_counter()
        code = yield Order(folder / name, command("train", *words, *OPTIONS, cache=cache))
        assert code == 0, last_words(folder / name)
    return Whole(folder / "second" / "run", words, perf_counter() - began)


def _stories(found: Kills, wholes: list[Whole], place: Path, cache: Path) -> Iterator[Story]:
    number = 0
    while found.kills < found.wanted:
        folder = place / f"killed-{number}"
        folder.mkdir()
        own = folder / "cache" if number % COLD == COLD - 1 else cache
        yield killed(found, wholes[number % len(wholes)], folder, own)
        number += 1


def killed(found: Kills, whole: Whole, folder: Path, cache: Path) -> Story:
    """One training, killed until it is done; what is wrong with it, or nothing."""
    run, safe = folder / "run", 0
    while True:
        words = ("--resume", "run", "--no-check") if _begun(run) else (*whole.words, *OPTIONS)
        every = ("--checkpoint-every", "0.1") if "--resume" in words else ()
        alive = found.random.uniform(0, 2 * whole.seconds)
        alive = alive if found.kills < found.wanted else float("inf")
        do = command("train", *words, *every, cache=cache)
        code = yield Order(folder, do, alive)
        if code != KILLED:
            break
        found.kills += 1
        found.moments[moment(run)] += 1
        now = last_step(run)
        if now < safe and not run.exists():
            return f"{folder.name}: step {safe} was safe, and is {now} now"
        safe = max(safe, now)
    if code != 0:
        return f"{folder.name}: exit code {code}\n{last_words(folder)}"
    return "" if said(run) == said(whole.folder) else f"{folder.name}: another run than unbroken"


def _begun(run: Path) -> bool:
    return (partial_of(run) / "recipe.json").exists() or run.exists()


def moment(run: Path) -> str:
    """Where a kill has met the training, by what it left."""
    partial = partial_of(run)
    if run.exists():
        return "after the run had its name" if partial.exists() else "after all was done"
    if (partial / "finished").exists():
        return "while the run was written"
    if any(partial.glob("checkpoints/*.new")):
        return "while a checkpoint was written"
    if last_step(run):
        return "after a checkpoint"
    return "before the first checkpoint" if partial.exists() else "before there was a folder"


def said(run: Path) -> list:
    """What a run says, every file checked; but for the seconds and the pictures' bytes."""
    manifest = json.loads((run / "manifest.json").read_text())["files"]
    contents = {name: (run / name).read_bytes() for name in manifest}
    for name, content in contents.items():
        assert hashlib.sha256(content).hexdigest() == manifest[name]["sha256"], name
    lines = [json.loads(line) for line in contents["history.jsonl"].splitlines()]
    recipe = json.loads(contents["recipe.json"])
    return [
        contents["weights.safetensors"],
        [line | {"seconds": 0} for line in lines],
        recipe["results"],
        recipe["best_epoch"],
        sorted(manifest),
    ]
