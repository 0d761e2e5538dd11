"""One flipped bit, or a file cut short, in each file of a run and of its checkpoints in turn.

It must be noticed: `load` refuses the run, `resume` what was asked for, and a checkpoint is passed
over with a word.
"""

import json
import os
import shutil
import signal
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.validation.interrupted.failures import EACH, TRAIN
from tests.validation.interrupted.stories import KILLED, Order, Story, command, last_words, tell

ANSWER = "unnoticed.json"


class Damage(NamedTuple):
    """How many files there were, and what nobody noticed."""

    files: int
    unnoticed: list[str]


def spoil(place: Path, flips: int, truncations: int, *, seed: int) -> Damage:
    """So many bits flipped and files cut short, one at a time, over all files."""
    (files,) = tell([_files(place)], 1)
    do = partial(_spoil_all, files, place / ANSWER, flips, truncations, Random(seed))
    (unnoticed,) = tell([_answered(place, do)], 1)
    return Damage(len(files), unnoticed)


def _files(place: Path) -> Story:
    """The files of a run that is done, and of one that was killed after two checkpoints."""
    done, killed, cache = place / "done", place / "killed", place.parent / "cache"
    for folder, code, first in ((done, 0, nothing), (killed, KILLED, die_when_saved)):
        folder.mkdir(parents=True)
        do = command(*TRAIN, *EACH, cache=cache, first=first)
        ended = yield Order(folder, do)
        assert ended == code, last_words(folder)
    files = [*(done / "run").iterdir(), *(killed / "run.partial").rglob("*.*")]
    return sorted(file for file in files if file.is_file() and file.suffix != ".lock")


def nothing() -> None:
    """Live."""


def die_when_saved() -> None:
    """Be killed when the training is over and its run is to be written."""
    from chainrule.runs import folder as run_folder

    run_folder._write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)


def _answered(place: Path, do: Callable[[], int]) -> Story:
    code = yield Order(place, do)
    assert code == 0, last_words(place)
    return json.loads((place / ANSWER).read_text())


def _spoil_all(
    files: list[Path], answer: Path, flips: int, truncations: int, random: Random
) -> int:
    """Spoil a file, see whether that is noticed, put it right; again and again."""
    for file in files:
        assert not noticed(file), f"{file} is refused as it is"
    unnoticed = []
    for number in range(flips + truncations):
        file = random.choice(files)
        content = file.read_bytes()
        if number < flips:
            place = random.randrange(8 * len(content))
            spoilt, how = flipped(content, place), f"bit {place}"
        else:
            length = random.randrange(len(content))
            spoilt, how = content[:length], f"cut to {length} of {len(content)} bytes"
        file.write_bytes(spoilt)
        if not noticed(file):
            unnoticed.append(f"{file.name}: {how}")
        file.write_bytes(content)
    answer.write_text(json.dumps(unnoticed))
    return 0


def flipped(content: bytes, place: int) -> bytes:
    """With this bit the other way round."""
    spoilt = bytearray(content)
    spoilt[place // 8] ^= 1 << place % 8
    return bytes(spoilt)


def noticed(file: Path) -> bool:
    """Whether chainrule has a word to say about the folder that this file is in."""
    from chainrule.errors import RunError
    from chainrule.runs.folder import load
    from chainrule.runs.unfinished import Unfinished

    if file.suffix == ".checkpoint":
        return passed_over(file)
    try:
        if file.parent.suffix == ".partial":
            Unfinished.resume(file.parent.with_suffix(""))[0].lock.release()
        else:
            load(file.parent)
    except RunError:
        return True
    return False


def passed_over(file: Path) -> bool:
    """Whether this checkpoint, were it alone, is said to be damaged and not used."""
    from chainrule.errors import RunError
    from chainrule.train.checkpoint import Checkpoints

    alone = file.parent / "alone"
    alone.mkdir()
    shutil.copy(file, alone)
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = Checkpoints(alone).newest(like={})
    except RunError:  # it was read, and is one of another network than none
        return False
    finally:
        shutil.rmtree(alone)
    return found is None and len(said) == 1
