"""A gallery file and pictures on disk: people are enrolled, asked about, and forgotten.

    enrol       NAME and pictures of one person, or a folder with a folder of pictures for each
    check       are these of NAME?               1:1
    identify    who is on these, or nobody?      1:N
    forget      without NAME

All pictures are read, and all that can be wrong is said, before the file is written, at once and
whole (`train/verification_gallery.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chainrule.cache import keep_compiled_programs
from chainrule.data.images import pictures_in, subfolders
from chainrule.data.pictures import SUFFIXES
from chainrule.errors import ChainruleError, DataError, RunError
from chainrule.layers.layer import named_arrays
from chainrule.train.verification_gallery import Answer, Gallery, load_gallery
from chainrule.vision.parts import read_new
from chainrule.vision.store import load_system


class Seen(NamedTuple):
    """A picture, and what the gallery says of it."""

    file: Path
    answer: Answer

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"file": str(self.file), **self.answer._asdict()}


def enrol(run: str, path: str, people: Mapping[str, Sequence[str | Path]]) -> Gallery:
    """The gallery in this file, new or not, with these people, each known by files or folders."""
    keep_compiled_programs()
    model = load_system(run, "verify").model
    made = model.gallery()
    if Path(path).exists():
        there = load_gallery(path)
        if not same_network(there, made):
            hint = f"a new file for {run}, or the run that it was begun with"
            raise RunError(path, f"a gallery of the network of {run}", "one of another", hint)
        made = there
    images = {name: pixels_of(files, made)[1] for name, files in people.items()}
    with about(path):
        for name, X in images.items():
            made = made.enrol(name, X)
        made.save(path)
    return made


def people_in(folder: str) -> dict[str, list[Path]]:
    """The pictures of each identity of a folder, by the names of its folders."""
    if not Path(folder).is_dir():
        got = "a file" if Path(folder).exists() else "no such folder"
        hint = "people, where people/ada holds pictures of ada"
        raise DataError(folder, "a folder with a folder for each person", got, hint)
    found = {one.name: pictures_in(one) for one in subfolders(Path(folder))}
    if not found:
        hint = "NAME PICTURE…, if the pictures are of one person"
        raise DataError(folder, "a folder with a folder for each person", "none", hint)
    for name, files in found.items():
        if not files:
            hint = f"removing it; read are {', '.join(SUFFIXES)}"
            raise DataError(str(Path(folder) / name), "pictures of the person", "none", hint)
    return found


def check(path: str, name: str, files: Sequence[str]) -> tuple[Gallery, list[Seen]]:
    """Are these of the person of this name?"""
    keep_compiled_programs()
    gallery = load_gallery(path)
    with about(path):
        gallery.check_known(name)
    paths, X = pixels_of(files, gallery)
    return gallery, [Seen(*pair) for pair in zip(paths, gallery.verify(name, X), strict=True)]


def identify(path: str, files: Sequence[str]) -> tuple[Gallery, list[Seen]]:
    """Who is on each of these?"""
    keep_compiled_programs()
    gallery = load_gallery(path)
    paths, X = pixels_of(files, gallery)
    with about(path):
        said = gallery.identify(X)
    return gallery, [Seen(*pair) for pair in zip(paths, said, strict=True)]


def forget(path: str, name: str) -> Gallery:
    """The gallery without this person."""
    with about(path):
        left = load_gallery(path).without(name)
        left.save(path)
    return left


def pixels_of(files: Sequence[str | Path], gallery: Gallery) -> tuple[list[Path], np.ndarray]:
    """Every picture of these files and folders, at the size of the gallery's network."""
    read = [read_new(file, gallery.network.shape) for file in files]
    return [path for paths, _ in read for path in paths], np.concatenate([X for _, X in read])


def same_network(one: Gallery, other: Gallery) -> bool:
    """Whether both have the same network, threshold, and distance."""
    if one.network.settings != other.network.settings or one.threshold != other.threshold:
        return False
    arrays, others = (named_arrays(gallery.network) for gallery in (one, other))
    same = all(np.array_equal(x, others[name]) for name, x in arrays.items())
    learned, learned_too = one.likeness, other.likeness
    if learned is None or learned_too is None:
        return same and learned is learned_too
    return same and np.array_equal(learned, learned_too)


@contextmanager
def about(path: str) -> Iterator[None]:
    """Errors of a gallery say which file it is in."""
    try:
        yield
    except ChainruleError as error:
        raise error if error.where.startswith(path) else error.inside(path) from None
