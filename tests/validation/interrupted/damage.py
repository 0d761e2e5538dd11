"""One flipped bit, or a file cut short, in each file of runs, checkpoints, galleries and searches.

It must be noticed: with an error, or with a warning about what is left out.
"""

import json
import os
import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.validation.interrupted.stories import Order, Story, last_words, tell
from tests.validation.interrupted.work import DATA

ANSWER = "unnoticed.json"
ELSEWHERE = "the results may not be the same bit for bit"
"""A warning about the machine on which the files were made."""
NOT_READ = (".lock", ".txt", ".png", ".html")
"""Endings of files that are empty, or that nothing reads; those of a run are in its manifest."""


class Damage(NamedTuple):
    """How many files there were, how often each kind was damaged, and what nobody noticed."""

    files: int
    tried: Counter
    unnoticed: list[str]


def damage_files(
    place: Path, folders: list[Path], flips: int, truncations: int, *, seed: int, at_once: int
) -> Damage:
    """Flip so many bits and cut so many files, one at a time, spread over all files.

    `folders` are folders with runs, galleries and searches of any name, in which their data is.
    """
    wholes = range(at_once)
    copies = [[place / f"{i}-{one.name}" for one in folders] for i in wholes]
    for copy in copies:
        for old, new in zip(folders, copy, strict=True):
            shutil.copytree(old, new, symlinks=True)
    shares = [(flips // at_once, truncations // at_once) for _ in wholes]
    rest = (flips - shares[0][0] * at_once, truncations - shares[0][1] * at_once)
    shares[0] = (shares[0][0] + rest[0], shares[0][1] + rest[1])
    stories = (
        _answered(place / f"answer-{i}", partial(_damage_all, copies[i], *shares[i], seed + i))
        for i in wholes
    )
    answers = list(tell(stories, at_once))
    tried = sum((Counter(answer["tried"]) for answer in answers), Counter())
    unnoticed = [name for answer in answers for name in answer["unnoticed"]]
    return Damage(sum(len(_files(folder)) for folder in folders), tried, unnoticed)


def _answered(place: Path, do: Callable[[Path], int]) -> Story:
    place.mkdir()
    code = yield Order(place, partial(do, place / ANSWER))
    assert code == 0, last_words(place)
    return json.loads((place / ANSWER).read_text())


def _damage_all(folders: list[Path], flips: int, truncations: int, seed: int, answer: Path) -> int:
    """Damage a file, see whether that is noticed, and restore it; again and again."""
    random, tried, unnoticed = Random(seed), Counter(), []
    files = [(folder, file) for folder in folders for file in _files(folder)]
    for folder, file in files:
        assert not noticed(folder, file), f"{file} is refused as it is"
    for number in range(flips + truncations):
        folder, file = random.choice(files)
        content = file.read_bytes()
        flips_bit = number < flips
        if flips_bit:
            place = random.randrange(8 * len(content))
            damaged, how = flipped(content, place), f"bit {place}"
        else:
            ends = [i + 1 for i, byte in enumerate(content[:-1]) if byte == ord("\n")]
            at_end = ends and file.suffix != ".safetensors" and random.random() < 0.5
            length = random.choice(ends) if at_end else random.randrange(len(content))
            damaged, how = content[:length], f"cut to {length} of {len(content)} bytes"
        file.write_bytes(damaged)
        tried[f"{'bits flipped' if flips_bit else 'files cut short'}, {kind_of(file)}"] += 1
        if not noticed(folder, file):
            unnoticed.append(f"{folder.name}/{file.relative_to(folder)}: {how}")
        file.write_bytes(content)
    answer.write_text(json.dumps({"tried": tried, "unnoticed": unnoticed}))
    return 0


def flipped(content: bytes, place: int) -> bytes:
    """Return the content with this bit inverted."""
    damaged = bytearray(content)
    damaged[place // 8] ^= 1 << place % 8
    return bytes(damaged)


def _files(folder: Path) -> list[Path]:
    """Return the files that are damaged: each is read when its run, gallery or search is opened."""
    return sorted(file for file in folder.rglob("*") if _is_read(file, folder))


def _is_read(file: Path, folder: Path) -> bool:
    inside = file.relative_to(folder)
    if not file.is_file() or file.stat().st_size == 0 or inside.parts[0] == DATA:
        return False
    if (file.parent / "manifest.json").exists():
        return True
    return (len(inside.parts) > 1 and file.suffix not in NOT_READ) or file.suffix == ".gallery"


def kind_of(file: Path) -> str:
    """Return what kind of file it is, for the table of results."""
    if file.suffix == ".gallery":
        return "galleries"
    if file.name in ("search.json", "journal.log", "journal.end"):
        return "searches"
    if file.suffix == ".checkpoint":
        return "checkpoints"
    return "unfinished runs" if ".partial" in str(file) else "runs"


def noticed(folder: Path, file: Path) -> bool:
    """Return whether chainrule reports anything when it opens what this file belongs to."""
    from chainrule.errors import ChainruleError

    os.chdir(folder)  # searches name their data by a relative path
    with warnings.catch_warnings(record=True) as reported:
        warnings.simplefilter("always")
        try:
            return not opened(file) or not all(ELSEWHERE in str(one.message) for one in reported)
        except ChainruleError:
            return True


def opened(file: Path) -> bool:
    """Open what a file belongs to; return whether it is used."""
    from chainrule.runs.folder import load
    from chainrule.runs.unfinished import Unfinished
    from chainrule.search.study import reopen
    from chainrule.vision.verification.gallery import load_gallery

    if file.suffix == ".gallery":
        return bool(load_gallery(file).names)
    if (file.parent / "search.json").exists():
        return reopen(file.parent) is not None
    if file.suffix == ".checkpoint":
        return is_used(file)
    if (file.parent / "manifest.json").exists():
        return load(file.parent) is not None
    unfinished, _ = Unfinished.resume(file.parent.with_suffix(""))
    unfinished.lock.release()
    return not file.name.startswith("ladder") or unfinished.ladder() is not None


def is_used(file: Path) -> bool:
    """Return whether a checkpoint is read, were it the only one."""
    from chainrule.errors import RunError
    from chainrule.train.checkpoint import Checkpoints

    alone = file.parent / "alone"
    alone.mkdir()
    shutil.copy(file, alone)
    try:
        return Checkpoints(alone).newest(like={}) is not None
    except RunError:  # it was read, and is one of another network than none
        return True
    finally:
        shutil.rmtree(alone)
