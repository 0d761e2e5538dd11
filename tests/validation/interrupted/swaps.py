"""Files exchanged between two trainings, searches or galleries of the same kind.

The two differ in their random seeds only, so that every shape fits. Each exchange must be refused,
or reported by a warning with the file left out; a file and its entry in the manifest, too.
"""

import json
import shutil
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.validation.interrupted.damage import ANSWER, ELSEWHERE, opened
from tests.validation.interrupted.stories import Order, Story, command, last_words, tell

FILES = ("recipe.json", "weights.safetensors", "history.jsonl")


class Swap(NamedTuple):
    """Files of a folder that are replaced by those of another one."""

    name: str
    files: tuple[str, ...]
    entries: tuple[str, ...] = ()


class Swaps(NamedTuple):
    """How many exchanges were tried, and those that nobody noticed."""

    tried: list[str]
    unnoticed: list[str]


def swap_files(
    place: Path, folders: list[tuple[str, list[Path]]], *, cache: Path, at_once: int
) -> Swaps:
    """Exchange files between the two folders of each kind, one exchange after the other."""
    place.mkdir(parents=True)
    tried, unnoticed = [], []
    stories = [
        exchanged(place / f"{kind}-{i}-{n}", swap, mine, theirs, cache)
        for kind, (one, other) in folders
        for i, (mine, theirs) in enumerate(((one, other), (other, one)))
        for n, swap in enumerate(swaps_of(kind))
    ]
    controls = [
        unchanged(place / f"{kind}-unchanged", kind, one, cache) for kind, (one, _) in folders
    ]
    for words in tell(controls, at_once):
        assert not words, words
    for name, is_noticed in tell(stories, at_once):
        tried.append(name)
        if not is_noticed:
            unnoticed.append(name)
    return Swaps(tried, unnoticed)


def swaps_of(kind: str) -> Iterator[Swap]:
    """Yield the exchanges that are tried with the folders of a kind."""
    if kind == "tune":
        for files in (("search.json",), ("journal.log",), ("journal.end",)):
            yield Swap(files[0], tuple(f"run/{file}" for file in files))
        yield Swap("the journal and its end", ("run/journal.log", "run/journal.end"))
        yield Swap("the settings and the end", ("run/search.json", "run/journal.end"))
        yield Swap("the best run's weights", ("run/best/weights.safetensors",))
        return
    for name in FILES:
        yield Swap(name, (f"run/{name}",))
        yield Swap(f"{name} and its entry", (f"run/{name}",), (name,))
    yield Swap("a manifest", ("run/manifest.json",))
    yield Swap("a manifest entry", (), ("weights.safetensors",))
    yield Swap("the checkpoints", ("cut.partial/checkpoints",))
    yield Swap("the recipe of a training", ("cut.partial/recipe.json",))
    if kind == "verify":
        yield Swap("the gallery", ("run.gallery",))


def exchanged(folder: Path, swap: Swap, mine: Path, theirs: Path, cache: Path) -> Story:
    """Make one exchange in a copy of a folder; return its name, and whether it was noticed."""
    shutil.copytree(mine, folder, symlinks=True)
    for name in swap.files:
        file = folder / name
        if file.is_dir():
            shutil.rmtree(file)
            shutil.copytree(theirs / name, file)
        else:
            file.write_bytes((theirs / name).read_bytes())
    if swap.entries:
        _exchange_entries(folder, theirs, swap.entries)
    unfinished = any(name.startswith("cut.partial") for name in swap.files)
    is_noticed = _resumed if unfinished else _enrolled if "run.gallery" in swap.files else _opened
    return f"{folder.name}, {swap.name}", (yield from is_noticed(folder, swap, cache))


def unchanged(folder: Path, kind: str, mine: Path, cache: Path) -> Story:
    """Return what is refused in a copy of a folder in which nothing was exchanged."""
    shutil.copytree(mine, folder, symlinks=True)
    checks = [_opened] if kind == "tune" else [_opened, _resumed]
    for is_noticed in [*checks, *([_enrolled] if kind == "verify" else [])]:
        file = "run/search.json" if kind == "tune" else "run/manifest.json"
        if (yield from is_noticed(folder, Swap("nothing", (file,)), cache)):
            return f"{folder.name} is refused as it is\n{last_words(folder)}"
    return ""


def _exchange_entries(folder: Path, theirs: Path, entries: tuple[str, ...]) -> None:
    """Take entries of the manifest from another run, too, so that its checksums fit."""
    from chainrule.runs.folder import manifest_bytes

    file = folder / "run/manifest.json"
    listed, others = (
        json.loads((one / "run/manifest.json").read_text())["files"] for one in (folder, theirs)
    )
    file.write_bytes(manifest_bytes(listed | {name: others[name] for name in entries}))


def _opened(folder: Path, swap: Swap, cache: Path) -> Story:
    """Return whether it is noticed when the files are opened."""
    file = swap.files[0] if swap.files else "run/manifest.json"
    code = yield Order(folder, partial(_open, folder / file))
    assert code == 0, last_words(folder)
    return json.loads((folder / ANSWER).read_text())


def _open(file: Path) -> int:
    from chainrule.errors import ChainruleError

    with warnings.catch_warnings(record=True) as reported:
        warnings.simplefilter("always")
        try:
            is_noticed = not opened(file)
        except ChainruleError:
            is_noticed = True
    is_noticed |= not all(ELSEWHERE in str(one.message) for one in reported)
    Path(ANSWER).write_text(json.dumps(is_noticed))
    return 0


def _resumed(folder: Path, swap: Swap, cache: Path) -> Story:
    """Return whether the training is not continued."""
    code = yield Order(folder, command("train", "--resume", "cut", cache=cache))
    return code == 2


def _enrolled(folder: Path, swap: Swap, cache: Path) -> Story:
    """Return whether nobody is added to the gallery of another network."""
    words = ("verify", "enrol", "run", "run.gallery", "eve", "data/visitors")
    code = yield Order(folder, command(*words, cache=cache))
    return code == 2
