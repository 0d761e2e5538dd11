"""Find the image that an annotation names, and never another one.

A name is searched as it is written, then with slashes instead of backslashes, with its URL encoding
(`%20`) removed, and without its leading folders, since annotations often name the folders of the
machine on which they were made. Each spelling is searched in this order, and the first that finds a
file decides:

    one.jpg     the exact name
    one.JPG     the same name, with the suffix in another case
    one         the name without a suffix, followed by that of an image: one.jpg
    one.png     the same name with the suffix of another format: one.jpg, with a warning

If two files with different content remain, the name is refused. A name may lead anywhere below the
folder that the user named and below the folders that are searched, and nowhere else: a spelling
that leads outside, as ../../one.jpg or /home/me/one.jpg may do, is skipped.
"""

import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path, PurePath
from urllib.parse import unquote

from chainrule.data.decoding import SUFFIXES, read_image_header
from chainrule.data.images import visible
from chainrule.errors import DataError, DataWarning
from chainrule.host.reading import path_inside, read_bytes, roots_of

NEAR = ("", "images", "JPEGImages")
"""Folders searched for images first, relative to the annotations."""

ABOVE = ("../images", "../JPEGImages")
"""Folders that are searched next, since annotations may be in a folder of their own."""

IN_FULL = 5
"""The number of places that a message names in full; the others are counted."""


def listed(texts: Sequence[str], separator: str = "; ") -> str:
    """Return the first texts in full, and the number of the others.

    >>> listed([str(i) for i in range(7)])
    '0; 1; 2; 3; 4; and 2 more'
    """
    more = [f"and {len(texts) - IN_FULL:,} more"] if len(texts) > IN_FULL else []
    return separator.join([*texts[:IN_FULL], *more])


def claim(places: dict, key: object, where: str, expected: str, got: str, hint: str) -> None:
    """Store the place of a key that must be unique; refuse a second place, and name both."""
    if key in places:
        raise DataError(where, expected, f"{got}, as in {places[key]}", hint)
    places[key] = where


class ImageFolders:
    """The folders in which the images of a data set are searched, those of the first group first.

    `limits` are the folders that no name may leave: by default, the searched ones. `suffixes` are
    those of the files that are searched: by default, those of images.
    """

    def __init__(
        self,
        *groups: Iterable[Path],
        limits: Sequence[Path] | None = None,
        suffixes: Sequence[str] = SUFFIXES,
    ):
        self.groups = [[one for one in group if os.path.isdir(one)] for group in groups]
        folders = self._folders()
        self.limits = roots_of(folders if limits is None else limits)
        self._within = {one for one in folders if path_inside(one, ".", self.limits)}
        self.suffixes = suffixes
        self.renamed: list[str] = []
        self._files: dict[Path, dict[str, list[Path]]] = {}

    def find(self, where: str, name: str, *, stem: bool = False) -> Path:
        """Return the image of this name, or, with `stem`, of this name without its suffix."""
        path = self.search(where, name, stem=stem)
        if path is not None:
            return path
        searched = ", ".join(map(str, self._folders())) or "the folders of images"
        hint = "--images FOLDER, the folder of the images, or removing the annotation"
        what = f"{name}{self.suffixes[0]}, or one with another suffix" if stem else name
        raise DataError(where, f"its image {what}", f"no such file in {searched}", hint)

    def search(self, where: str, name: str, *, stem: bool = False) -> Path | None:
        """Return the file of this name, or None; refuse a name that belongs to several files."""
        matches = (self._stems,) if stem else (self._exact, self._stems, self._others)
        for spelling, match, group in product(spellings(name), matches, self.groups):
            found = [path for folder in group for path in match(folder, spelling)]
            if found:
                if match == self._others:
                    self.renamed.append(f"{where}: {name} is {found[0].name}")
                return _only(where, name, found)
        return None

    def files(self, folder: Path) -> list[Path]:
        """Return all files of a folder with these suffixes, by name."""
        return sorted(file for files in self._index(folder).values() for file in files)

    def report(self, source: str) -> None:
        """Warn of the images whose suffix is not the one in the annotations."""
        if self.renamed:
            n = len(self.renamed)
            what = "1 image has a suffix" if n == 1 else f"{n:,} images have suffixes"
            message = f"{source}: {what} that differ{'s' if n == 1 else ''} from the annotations: "
            warnings.warn(message + listed(self.renamed), DataWarning, stacklevel=3)

    def _folders(self) -> list[Path]:
        """Return the folders of all groups, each once."""
        return list(dict.fromkeys(folder for group in self.groups for folder in group))

    def _exact(self, folder: Path, name: str) -> list[Path]:
        """Return the file of exactly this name, else those that differ in the suffix's case."""
        path = self._place(folder, name)
        if path is None:
            return []
        if os.path.isfile(path):  # False for a name that no file can have, too
            return [path]
        return [file for file in self._named(path, path.stem) if same_suffix(file, path)]

    def _stems(self, folder: Path, name: str) -> list[Path]:
        """Return the files with this name, followed by a suffix."""
        path = self._place(folder, name)
        return [] if path is None else self._named(path, path.name)

    def _others(self, folder: Path, name: str) -> list[Path]:
        """Return the files whose name differs in the suffix, if the name has that of an image."""
        path = self._place(folder, name)
        if path is None or path.suffix.lower() not in self.suffixes:
            return []
        return self._named(path, path.stem)

    def _place(self, folder: Path, name: str) -> Path | None:
        """Return the path of a name in a folder, or None if it leads outside of all limits."""
        parts = PurePath(name).parts
        plain = parts and ".." not in parts and not name.startswith("/") and "\0" not in name
        if plain and folder in self._within:
            return folder / name
        path = path_inside(folder, name, self.limits)
        return None if path is None or Path(os.path.abspath(path)) in self.limits else path

    def _named(self, path: Path, stem: str) -> list[Path]:
        """Return the files in the folder of a path that have this stem."""
        return self._index(path.parent).get(stem, [])

    def _index(self, folder: Path) -> dict[str, list[Path]]:
        """Return the files of a folder with the wanted suffixes, by stem."""
        if folder not in self._files:
            found: dict[str, list[Path]] = {}
            for file in sorted(folder.iterdir()) if os.path.isdir(folder) else []:
                if file.suffix.lower() in self.suffixes and visible(file) and not file.is_dir():
                    found.setdefault(file.stem, []).append(file)
            self._files[folder] = found
        return self._files[folder]


def image_folders(
    folder: Path, images: Path | None, sets: Sequence[str] = (), root: Path | None = None
) -> ImageFolders:
    """Return the folders of the images of annotations in `folder`, or `images` if it is given.

    `sets` are the names that the folder of this set may have, such as train2017; one that is not
    the name of a folder is ignored. `root` is the folder that the user named.
    """
    sets = [name for name in sets if PurePath(name).parts == (name,) and name != ".."]
    limits = [folder] if root is None else [folder, root]
    if images is not None:
        groups = [images / name for name in sets], [images]
        return ImageFolders(*groups, limits=[images, *limits])
    near, above = ([folder / name for name in names] for names in (NEAR, ABOVE))
    outer = [folder.parent, *(folder.parent.parent / name for name in NEAR[1:])]
    groups = (
        [root / name for name in sets for root in near],
        [root / name for name in sets for root in (*above, *outer)],
        near,
        above,
    )
    return ImageFolders(*groups, limits=[*limits, *(one for group in groups for one in group)])


def spellings(name: str) -> Iterator[str]:
    r"""Yield the spellings of a name under which its file is searched, the exact one first.

    >>> list(spellings("a%20b\\one.jpg"))
    ['a%20b\\one.jpg', 'a%20b/one.jpg', 'a b\\one.jpg', 'a b/one.jpg', 'one.jpg']
    """
    slashes = name.replace("\\", "/")
    written = list(dict.fromkeys([name, slashes, unquote(name), unquote(slashes)]))
    shorter = [
        "/".join(parts[i:])
        for parts in (re.split("/+", one) for one in written)
        for i in range(1, len(parts))
        if parts[i:] != [""]
    ]
    yield from dict.fromkeys([*written, *sorted(shorter, key=lambda one: -one.count("/"))])


def same_suffix(one: Path, other: Path) -> bool:
    """Return whether two files have the same suffix, without regard to case."""
    return one.suffix.lower() == other.suffix.lower()


def checked_size(where: str, path: Path, size: tuple[float, float] | None) -> tuple[int, int]:
    """Return the (width, height) of an image; refuse an annotated size that differs from it."""
    n_H, n_W = read_image_header(path).size
    if size is not None and not (abs(size[0] - n_W) <= 0.5 and abs(size[1] - n_H) <= 0.5):
        expected = f"the size of {path.name}, {n_W} by {n_H}"
        hint = "the image that was annotated, or annotating this one again"
        raise DataError(where, expected, f"{size[0]:g} by {size[1]:g}", hint)
    return n_W, n_H


def _only(where: str, name: str, found: Sequence[Path]) -> Path:
    """Return the only file, or the first if all have the same content; else raise DataError."""
    different = {path.resolve(): path for path in found}
    if len(different) > 1 and len({read_bytes(path) for path in different}) > 1:
        got = f"{len(different)} different files: {listed([str(path) for path in found], ', ')}"
        hint = "keeping one of them, or --images FOLDER"
        raise DataError(where, f"one image {name}", got, hint)
    return found[0]
