"""A folder with a folder of pictures per class. The package Pillow is an extra.

Pictures are turned as their camera says, brought to one size (stretched, not cropped), and are RGB
unless all are grey; what is transparent becomes white. Folders and files are taken in the order of
their names, so that a folder always gives the same rows.
"""

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chainrule.data.files import PARTS, choose_part, combined_digest
from chainrule.data.pictures import Picture, check_pillow, decode, look
from chainrule.data.source import Source
from chainrule.errors import DataError, DataWarning
from chainrule.memory import check_memory

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
LAYOUT = "a folder of pictures for each class, such as {0}/cat/1.png and {0}/dog/1.png"
DEFAULT_SIZE = (64, 64)


class Folder(NamedTuple):
    """The pictures of one part, and the class of each (None where nobody asked)."""

    root: Path
    paths: list[Path]
    labels: list[str] | None


def read_images(
    path: Path,
    *,
    part: str = "train",
    labelled: bool = True,
    image_size: tuple[int, int] | None = None,
) -> Source:
    """The pictures under a folder, (m, n_H, n_W) or (m, n_H, n_W, 3) of bytes, with their class."""
    check_pillow(str(path))
    roots = part_folders(path)
    chosen = choose_part(str(path), roots, part)
    names = roots if chosen == "train" else [chosen]
    folders = {name: pictures_of(roots[name], labelled) for name in names}
    sources = decode_all(str(path), folders, image_size, chosen)
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
        return Folder(root, [root], None)
    if not labelled and pictures_in(root):
        return Folder(root, pictures_in(root), None)
    return classes_of(root)


def classes_of(root: Path) -> Folder:
    """The pictures of one part, class by class."""
    by_class = {folder: pictures_in(folder) for folder in subfolders(root)}
    others = [file for folder in (root, *by_class) for file in files_in(folder)]
    others = [file for file in others if file not in by_class.get(file.parent, ())]
    if not any(by_class.values()):
        examples = [entry.name for entry in (*by_class, *others)][:3]
        such_as = f", such as {' and '.join(examples)}" if examples else ""
        got = f"{len(by_class)} folders and {len(others)} other files{such_as}"
        raise DataError(str(root), "folders with pictures", got, LAYOUT.format(root.name))
    for folder, pictures in by_class.items():
        if not pictures:
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


def decode_all(
    where: str, folders: dict[str, Folder], image_size: tuple[int, int] | None, chosen: str
) -> dict[str, Source]:
    """All parts, of the size and the number of channels that the chosen one has."""
    paths = [path for folder in folders.values() for path in folder.paths]
    looks = dict(zip(paths, each(look, paths), strict=True))
    seen = [looks[path] for path in folders[chosen].paths]
    size = image_size or common_size(seen)
    grey = all(picture.grey for picture in seen)
    check_memory(where, len(paths) * size[0] * size[1] * (1 if grey else 3), "a smaller image size")
    sources = {}
    for name, folder in folders.items():
        X = np.empty((len(folder.paths), *size, *(() if grey else (3,))), np.uint8)

        def put(row: int, X=X, folder=folder) -> str:
            X[row], digest = decode(folder.paths[row], size, grey)
            return f"{folder.paths[row].relative_to(folder.root)} {digest}"

        digest = combined_digest(each(put, range(len(X))))
        y = None if folder.labels is None else np.array(folder.labels)
        places = np.array([str(path.relative_to(folder.root)) for path in folder.paths])
        sources[name] = Source(where, X, y, digest=digest, places=places)
    return sources


def each(function: Callable, items: Sequence) -> list:
    """The function of every item, on several cores; one message for all the files that fail."""

    def attempt(item):
        try:
            return function(item)
        except DataError as error:
            return error

    with ThreadPoolExecutor() as pool:
        results = list(pool.map(attempt, items))
    errors = [result for result in results if isinstance(result, DataError)]
    if len(errors) > 1:
        first, others = errors[0], [error.where for error in errors[1:4]]
        more = f"{', '.join(others)} {'…' if len(errors) > 4 else ''}".rstrip()
        got = f"{first.got}; the same of {len(errors) - 1} more: {more}"
        raise DataError(first.where, first.expected, got, first.hint)
    if errors:
        raise errors[0]
    return results


def common_size(seen: list[Picture]) -> tuple[int, int]:
    """The size that all have, or 64 by 64."""
    sizes = {picture.size for picture in seen}
    return sizes.pop() if len(sizes) == 1 else DEFAULT_SIZE


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
