"""A folder with a folder of pictures per class. The package Pillow is an extra.

Pictures are turned as their camera says, brought to one size (stretched, not cropped), and are RGB
unless all are grey; what is transparent becomes white. Folders and files are taken in the order of
their names, so that a folder always gives the same rows. How they are decoded is in `decoding.py`.
"""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chainrule.data.decoding import Decoded, Listing, decode_parts
from chainrule.data.files import PARTS, choose_part
from chainrule.data.pictures import SUFFIXES, check_pillow
from chainrule.data.source import Source
from chainrule.errors import DataError, DataWarning

LAYOUT = "a folder of pictures for each class, such as {0}/cat/1.png and {0}/dog/1.png"


class Folder(NamedTuple):
    """The pictures of one part, and the class of each (None where nobody asked)."""

    root: Path
    paths: list[Path]
    labels: list[str] | None

    @property
    def names(self) -> list[str]:
        """What each picture is called below the folder."""
        return [str(path.relative_to(self.root)) for path in self.paths]

    def source(self, name: str, found: Decoded) -> Source:
        """Those that could be read, with their class."""
        y = None if self.labels is None else np.array(self.labels)[found.kept]
        places = np.array(self.names)[found.kept]
        return Source(name, found.X, y, digest=found.digest, places=places, skipped=found.skipped)


def read_images(
    path: Path,
    *,
    part: str = "train",
    labelled: bool = True,
    image_size: tuple[int, int] | None = None,
    skip_unreadable: bool = False,
) -> Source:
    """The pictures under a folder, (m, n_H, n_W) or (m, n_H, n_W, 3) of bytes, with their class.

    Where they are many they are not in memory: X is then `Streamed`, and read in parts.
    """
    check_pillow(str(path))
    roots = part_folders(path)
    chosen = choose_part(str(path), roots, part)
    names = roots if chosen == "train" else [chosen]
    folders = {name: pictures_of(roots[name], labelled) for name in names}
    listings = {name: Listing(folder.paths, folder.names) for name, folder in folders.items()}
    found = decode_parts(str(path), listings, image_size, chosen, skip=skip_unreadable)
    sources = {name: folders[name].source(str(path), found[name]) for name in names}
    main = sources.pop(chosen)
    return replace(main, parts=sources)


def part_folders(path: Path) -> dict[str, Path]:
    """The folders train, dev (val, valid) and test if they hold folders, or the folder itself."""
    found: dict[str, Path] = {}
    others = []
    for folder in subfolders(path):
        name = PARTS.get(folder.name.lower())
        if name is None or not subfolders(folder):
            others.append(folder.name)
        elif name in found:
            both = f"{found[name].name} and {folder.name}"
            raise DataError(str(path), f"one folder for the {name} part", both, "one of them")
        else:
            found[name] = folder
    if found and others:
        left_out = f"left out {', '.join(others[:3])}, which hold no folders of classes"
        warnings.warn(f"{path}: {left_out}", DataWarning, stacklevel=2)
    return found or {"train": path}


def pictures_of(root: Path, labelled: bool) -> Folder:
    """The pictures of one part: by class, or as they lie there where nobody asks for labels."""
    if root.is_file() and labelled:
        hint = "the folder that holds the folders of the classes"
        raise DataError(str(root), LAYOUT.format("pictures"), "one picture", hint)
    if root.is_file():
        return Folder(root.parent, [root], None)
    if not labelled and pictures_in(root):
        return Folder(root, pictures_in(root), None)
    return classes_of(root)


def classes_of(root: Path) -> Folder:
    """The pictures of one part, class by class."""
    by_class = {folder: pictures_in(folder) for folder in subfolders(root)}
    others = [file for folder in (root, *by_class) for file in files_in(folder)]
    pictures = {picture for found in by_class.values() for picture in found}
    others = [file for file in others if file not in pictures]
    if not any(by_class.values()):
        examples = [entry.name for entry in (*by_class, *others)][:3]
        such_as = f", such as {' and '.join(examples)}" if examples else ""
        got = f"{len(by_class)} folders and {len(others)} other files{such_as}"
        raise DataError(str(root), "folders with pictures", got, LAYOUT.format(root.name))
    for folder, found in by_class.items():
        if not found:
            got = f"{len(list(folder.iterdir()))} other files or folders"
            hint = f"removing it; read are {', '.join(SUFFIXES)}"
            raise DataError(str(folder), "pictures of the class", got, hint)
    if others:
        what = f"{len(others)} files that are no pictures of a class, such as {others[0].name}"
        warnings.warn(f"{root}: left out {what}", DataWarning, stacklevel=2)
    inner = [folder for outer in by_class for folder in subfolders(outer)]
    if inner:
        listed = ", ".join(str(folder.relative_to(root)) for folder in inner[:3])
        what = f"folders inside a class, with all their pictures: {listed}"
        more = f" and {len(inner) - 3} more" if len(inner) > 3 else ""
        warnings.warn(f"{root}: left out {what}{more}", DataWarning, stacklevel=2)
    paths = [path for pictures in by_class.values() for path in pictures]
    return Folder(root, paths, [path.parent.name for path in paths])


def subfolders(path: Path) -> list[Path]:
    """The folders in a folder, by name, hidden ones left out; a file has none."""
    if path.is_file():
        return []
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and visible(entry))


def files_in(path: Path) -> list[Path]:
    """The files in a folder, by name, hidden ones left out."""
    return sorted(entry for entry in path.iterdir() if entry.is_file() and visible(entry))


def pictures_in(path: Path) -> list[Path]:
    """The files in a folder that are pictures by their name."""
    return [file for file in files_in(path) if file.suffix.lower() in SUFFIXES]


def visible(path: Path) -> bool:
    """False for what file managers and archives leave behind."""
    return not path.name.startswith((".", "__MACOSX"))
