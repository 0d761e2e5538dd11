"""Read a folder with one folder of images per class; needs the optional package Pillow.

Images are rotated by their EXIF orientation, resized to one size (stretched, not cropped) and
converted to RGB unless all are grey; transparent areas become white. Folders and files are read in
alphabetical order, so that a folder always gives the same rows. `decoding.py` decodes the files.
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

LAYOUT = "one folder of images per class, such as {0}/cat/1.png and {0}/dog/1.png"


class Folder(NamedTuple):
    """The images of one set, with their classes (None if no labels are needed)."""

    root: Path
    paths: list[Path]
    labels: list[str] | None

    @property
    def names(self) -> list[str]:
        """Return the path of each image below the folder."""
        return [str(path.relative_to(self.root)) for path in self.paths]

    def source(self, name: str, found: Decoded) -> Source:
        """Return the readable images with their classes as a dataset."""
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
    """Read the images under a folder: bytes (m, n_H, n_W) or (m, n_H, n_W, 3), with their classes.

    Large sets stay on disk: X is then `Streamed`, and is read in chunks.
    """
    check_pillow(str(path))
    roots = part_folders(path)
    chosen = choose_part(str(path), roots, part)
    names = roots if chosen == "train" else [chosen]
    folders = {name: find_images(roots[name], labelled) for name in names}
    listings = {name: Listing(folder.paths, folder.names) for name, folder in folders.items()}
    found = decode_parts(str(path), listings, image_size, chosen, skip=skip_unreadable)
    sources = {name: folders[name].source(str(path), found[name]) for name in names}
    main = sources.pop(chosen)
    return replace(main, parts=sources)


def part_folders(path: Path) -> dict[str, Path]:
    """Return the folders train, dev and test if they have subfolders, else the folder itself."""
    found: dict[str, Path] = {}
    others = []
    for folder in subfolders(path):
        name = PARTS.get(folder.name.lower())
        if name is None or not subfolders(folder):
            others.append(folder.name)
        elif name in found:
            both = f"{found[name].name} and {folder.name}"
            hint = "keeping one of them"
            raise DataError(str(path), f"one folder for the {name} set", both, hint)
        else:
            found[name] = folder
    if found and others:
        left_out = f"ignored folders without class folders in them: {', '.join(others[:3])}"
        warnings.warn(f"{path}: {left_out}", DataWarning, stacklevel=2)
    return found or {"train": path}


def find_images(root: Path, labelled: bool) -> Folder:
    """Return the images of one set by class, or all of them if no labels are needed."""
    if root.is_file() and labelled:
        hint = "the folder that contains the class folders"
        raise DataError(str(root), LAYOUT.format("images"), "one image", hint)
    if root.is_file():
        return Folder(root.parent, [root], None)
    if not labelled and pictures_in(root):
        return Folder(root, pictures_in(root), None)
    return find_classes(root)


def find_classes(root: Path) -> Folder:
    """Return the images of one set, class by class."""
    by_class = {folder: pictures_in(folder) for folder in subfolders(root)}
    others = [file for folder in (root, *by_class) for file in files_in(folder)]
    images = {image for found in by_class.values() for image in found}
    others = [file for file in others if file not in images]
    if not any(by_class.values()):
        examples = [entry.name for entry in (*by_class, *others)][:3]
        such_as = f", such as {' and '.join(examples)}" if examples else ""
        got = f"{len(by_class)} folders and {len(others)} other files{such_as}"
        raise DataError(str(root), "class folders with images", got, LAYOUT.format(root.name))
    for folder, found in by_class.items():
        if not found:
            got = f"{len(list(folder.iterdir()))} other files or folders"
            hint = f"removing the folder; readable formats are {', '.join(SUFFIXES)}"
            raise DataError(str(folder), "images of this class", got, hint)
    if others:
        what = f"{len(others)} files that are not images of a class, such as {others[0].name}"
        warnings.warn(f"{root}: ignored {what}", DataWarning, stacklevel=2)
    inner = [folder for outer in by_class for folder in subfolders(outer)]
    if inner:
        listed = ", ".join(str(folder.relative_to(root)) for folder in inner[:3])
        what = f"folders inside class folders, with all their images: {listed}"
        more = f" and {len(inner) - 3} more" if len(inner) > 3 else ""
        warnings.warn(f"{root}: ignored {what}{more}", DataWarning, stacklevel=2)
    paths = [path for images in by_class.values() for path in images]
    return Folder(root, paths, [path.parent.name for path in paths])


def subfolders(path: Path) -> list[Path]:
    """Return the visible folders in a folder, by name; none for a file."""
    if path.is_file():
        return []
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and visible(entry))


def files_in(path: Path) -> list[Path]:
    """Return the visible files in a folder, by name."""
    return sorted(entry for entry in path.iterdir() if entry.is_file() and visible(entry))


def pictures_in(path: Path) -> list[Path]:
    """Return the files in a folder whose suffix is that of an image."""
    return [file for file in files_in(path) if file.suffix.lower() in SUFFIXES]


def visible(path: Path) -> bool:
    """Return False for hidden files, and for leftovers of archives."""
    return not path.name.startswith((".", "__MACOSX"))
