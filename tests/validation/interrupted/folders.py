"""The folders whose files are damaged and exchanged: runs, checkpoints, galleries and searches."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.validation.interrupted.stories import KILLED, Order, Story, command, last_words, tell
from tests.validation.interrupted.work import SPACE, prepare, search, short_trainings

OLD_RUNS = Path(__file__).parents[1] / "old_runs"


def made_folders(place: Path, data: Path, *, at_once: int, seeds: tuple[int, ...] = (0,)) -> list:
    """Make a folder for each kind of work: (kind, a folder for each seed).

    A training has `run`, and `cut.partial` with two checkpoints; verification also has
    `run.gallery`; a search has `run`.
    """
    stories = (
        made(place / f"{kind}-{seed}", kind, seed, data, place / "cache")
        for kind in (*short_trainings(), "tune")
        for seed in seeds
    )
    list(tell(stories, at_once))
    kinds = [*short_trainings(), "tune"]
    return [(kind, [place / f"{kind}-{seed}" for seed in seeds]) for kind in kinds]


def made(folder: Path, kind: str, seed: int, data: Path, cache: Path) -> Story:
    """Make the folder of a kind of work with this seed."""
    prepare(folder, data)
    for words, code, first in _commands(kind, str(seed)):
        ended = yield Order(folder, command(*words, cache=cache, first=first))
        assert ended == code, last_words(folder)
    (folder / "said.txt").unlink()


def _commands(kind: str, seed: str) -> Iterator[tuple]:
    """Yield the words of each command, its exit code, and what comes before it."""
    if kind == "tune":
        work = search("iris", "--hidden", "4", "--epochs", "3", "--trials", "3", *SPACE)
        yield (*work.begin, "--seed", seed), 0, nothing
        return
    words = _with_seed(short_trainings()[kind].begin, seed)
    yield words, 0, nothing
    yield (*words[:-1], "cut"), KILLED, die_when_saved
    if kind == "verify":
        yield ("verify", "enrol", "run", "run.gallery", "--people", "data/people"), 0, nothing


def _with_seed(words: tuple[str, ...], seed: str) -> tuple[str, ...]:
    """Return the words with this seed instead of their own."""
    if "--seed" in words:
        at = words.index("--seed")
        words = (*words[:at], *words[at + 2 :])
    return (*words[:-2], "--seed", seed, *words[-2:])


def nothing() -> None:
    """Do nothing before a command."""


def die_when_saved() -> None:
    """Have the process killed when the training is over and its run is to be written."""
    from chainrule.runs import folder as run_folder

    run_folder._write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)


def old_folder(place: Path) -> Path:
    """Return a copy of the runs of an earlier version, whose searches are sealed as today."""
    folder = place / "old"
    shutil.copytree(OLD_RUNS, folder)
    list(tell([_sealed(folder)], 1))
    return folder


def _sealed(folder: Path) -> Story:
    code = yield Order(folder, _seal)
    assert code == 0, last_words(folder)
    (folder / "said.txt").unlink()


def _seal() -> int:
    from chainrule.search.study import reopen

    for name in ("search", "cut-search"):
        found = reopen(name)
        found.study.set_user_attr("sealed", 1)
        found.settings.write(found.folder)
    return 0
