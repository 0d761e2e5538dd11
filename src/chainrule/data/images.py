"""Read images with labels: a folder with one folder per class, or a table that lists image files.

    animals/cat/1.png, animals/dog/1.png, …      the class is the name of the folder
    animals/train/cat/1.png, …                   the same, already split into train, dev and test
    photos.csv                                   a column of paths, and a column of labels

Images are rotated by their EXIF orientation, resized to one size (stretched, not cropped) and
converted to RGB unless all are grey; transparent areas become white. Folders and files are read in
alphabetical order, so that a folder always gives the same rows. In a table, paths are absolute or
relative to the table's folder, and lead to files in this folder. Their column is the one named by
--images, or one with a name such as `path`, `file` or `image` in which every cell has the suffix of
an image. `decoding.py` decodes the files, with the package Pillow.
"""

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.data.decoding import SUFFIXES, Decoded, Listing, check_pillow, decode_parts
from chainrule.data.files import PARTS, choose_part, combined_digest
from chainrule.errors import DataError, DataWarning, OptionError, did_you_mean
from chainrule.formatting import count_of
from chainrule.host.files import describe_error
from chainrule.host.reading import path_inside, roots_of

if TYPE_CHECKING:
    import pandas as pd

SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")
"""The first bytes of PNG, JPEG, GIF, BMP and TIFF files."""
LAYOUT = "one folder of images per class, such as {0}/cat/1.png and {0}/dog/1.png"


class Folder(NamedTuple):
    """The images of one set, with their classes (None if no labels are needed)."""

    root: Path
    paths: list[Path]
    labels: list[str] | None

    @property
    def names(self) -> list[str]:
        """Return the path of each image relative to the folder."""
        return [str(path.relative_to(self.root)) for path in self.paths]

    def dataset(self, name: str, found: Decoded) -> Dataset:
        """Return the readable images with their classes as a dataset."""
        y = None if self.labels is None else np.array(self.labels)[found.readable_rows]
        places = np.array(self.names)[found.readable_rows]
        facts = {"digest": found.digest, "skipped": found.skipped, "white": found.white}
        return Dataset(name, found.X, y, places=places, **facts)


def read_images(
    path: Path,
    *,
    part: str = "train",
    labelled: bool = True,
    image_size: tuple[int, int] | None = None,
    skip_unreadable: bool = False,
    white: int | None = None,
) -> Dataset:
    """Read the images under a folder: bytes (m, n_H, n_W) or (m, n_H, n_W, 3), with their classes.

    Large sets stay on disk: X is then `Streamed`, and is read in chunks.
    """
    check_pillow(str(path))
    roots = part_folders(path)
    chosen = choose_part(str(path), roots, part, labelled=labelled)
    names = roots if chosen == "train" else [chosen]
    folders = {name: find_images(roots[name], labelled) for name in names}
    listings = {name: Listing(folder.paths, folder.names) for name, folder in folders.items()}
    how = {"skip": skip_unreadable, "white": white}
    found = decode_parts(str(path), listings, image_size, chosen, **how)
    datasets = {name: folders[name].dataset(str(path), found[name]) for name in names}
    main = datasets.pop(chosen)
    return replace(main, parts=datasets)


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
    if not labelled:
        return Folder(root, images_below(root), None)
    return find_classes(root)


def find_classes(root: Path) -> Folder:
    """Return the images of one set, class by class."""
    by_class = {folder: images_in(folder) for folder in subfolders(root)}
    others = [file for folder in (root, *by_class) for file in files_in(folder)]
    images = {image for found in by_class.values() for image in found}
    others = [file for file in others if file not in images]
    if not any(by_class.values()):
        examples = [entry.name for entry in (*by_class, *others)][:3]
        such_as = f", such as {' and '.join(examples)}" if examples else ""
        folders, files = count_of(len(by_class), "folder"), count_of(len(others), "other file")
        got = f"{folders} and {files}{such_as}"
        raise DataError(str(root), "class folders with images", got, LAYOUT.format(root.name))
    for folder, found in by_class.items():
        if not found:
            got = f"{len(list(folder.iterdir()))} other files or folders"
            hint = f"removing the folder; readable formats are {', '.join(SUFFIXES)}"
            raise DataError(str(folder), "images of this class", got, hint)
    if others:
        kind = "is not an image" if len(others) == 1 else "are not images"
        files = count_of(len(others), "file")
        what = f"{files} that {kind} of a class, such as {others[0].name}"
        warnings.warn(f"{root}: ignored {what}", DataWarning, stacklevel=2)
    warn_of_special(root, [root, *by_class])
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
    return [entry for entry in entries(path) if entry.is_dir()]


def files_in(path: Path) -> list[Path]:
    """Return the visible files in a folder, by name."""
    return [entry for entry in entries(path) if entry.is_file()]


def entries(path: Path) -> list[Path]:
    """Return what is visible in a folder, by name; raise DataError if it cannot be listed."""
    try:
        return sorted(entry for entry in path.iterdir() if visible(entry))
    except OSError as error:
        expected, got = "a folder that can be listed", describe_error(error)
        raise DataError(str(path), expected, got, "checking its permissions") from None


def warn_of_special(root: Path, folders: Sequence[Path]) -> None:
    """Warn about pipes, devices, sockets and broken links in folders: they are never opened."""
    inside = (entry for folder in folders for entry in entries(folder))
    found = [entry for entry in inside if not entry.is_dir() and not entry.is_file()]
    if found:
        one = len(found) == 1
        what = f"{count_of(len(found), 'entry')} that {'is' if one else 'are'} no file"
        message = f"{root}: ignored {what} (a pipe, a device or a broken link)"
        message += f", such as {found[0].relative_to(root)}"
        warnings.warn(message, DataWarning, stacklevel=3)


def images_in(path: Path) -> list[Path]:
    """Return the files in a folder whose suffix is that of an image."""
    return [file for file in files_in(path) if file.suffix.lower() in SUFFIXES]


def images_below(root: Path) -> list[Path]:
    """Return all images in a folder and its subfolders; a warning names what is left out."""
    found, others = [], []
    folders = folders_below(root)
    for folder in folders:
        for file in files_in(folder):
            (found if is_image(file) else others).append(file)
    warn_of_special(root, folders)
    listed = ", ".join(str(file.relative_to(root)) for file in others[:3])
    listed += f" and {len(others) - 3:,} more" if len(others) > 3 else ""
    if not found:
        some = "another file" if len(others) == 1 else f"{len(others):,} other files"
        got = f"only {some}: {listed}" if others else "an empty folder"
        hint = f"files that end in {', '.join(SUFFIXES)}"
        raise DataError(str(root), "images", got, hint)
    if others:
        one = len(others) == 1
        why = "it is not an image" if one else "they are not images"
        what = f"{count_of(len(others), 'file')} {'is' if one else 'are'} left out, since {why}"
        message = f"{root}: {what} in a supported format: {listed}"
        warnings.warn(message, DataWarning, stacklevel=3)
    return found


def folders_below(root: Path) -> list[Path]:
    """Return a folder and all its subfolders; a link to a folder that contains it is not followed.

    Raises DataError for more folders inside each other than a path can name.
    """
    found: list[Path] = []

    def look(folder: Path, above: frozenset[str]) -> None:
        place = os.path.realpath(folder)
        if place in above:
            message = f"{root}: ignored {folder.relative_to(root)}, a link to a folder above it"
            warnings.warn(message, DataWarning, stacklevel=3)
            return
        found.append(folder)
        for inner in subfolders(folder):
            look(inner, above | {place})

    try:
        look(root, frozenset())
    except RecursionError:
        expected, got = "folders inside each other", "more than 900 of them"
        raise DataError(str(root), expected, got, "a folder further down") from None
    return found


def is_image(file: Path) -> bool:
    """Return whether a file has the suffix of an image, or none and the content of one."""
    if file.suffix:
        return file.suffix.lower() in SUFFIXES
    with file.open("rb") as opened:
        start = opened.read(12)
    return start.startswith(SIGNATURES) or (start[:4] == b"RIFF" and start[8:] == b"WEBP")


def visible(path: Path) -> bool:
    """Return False for hidden files, and for the folders __MACOSX that macOS adds to archives."""
    return not path.name.startswith((".", "__MACOSX"))


# A table that lists image files

NAMES = ("path", "file", "filename", "filepath", "image", "imagepath", "picture", "photo", "img")
"""Names of columns that may hold paths, ignoring case, spaces and underscores."""


def image_column(file: str, frame: "pd.DataFrame", requested: str | None = None) -> str | None:
    """Return the column of paths: the requested one, or one that is recognised by its cells."""
    if requested is not None and requested not in frame:
        hint = did_you_mean(requested, frame.columns)
        raise OptionError("--images", f"a column of {file}", repr(requested), hint)
    if requested is not None:
        return requested
    found = [name for name in frame if _plain(name) in NAMES and _all_images(frame[name])]
    return str(found[0]) if found else None


def read_image_table(
    path: Path,
    dataset: Dataset,
    column: str,
    *,
    image_size: tuple[int, int] | None = None,
    skip_unreadable: bool = False,
    white: int | None = None,
) -> Dataset:
    """Return the table's dataset with the listed images as X."""
    check_pillow(str(path))
    others = [str(name) for name in dataset.X if name != column]
    if others and dataset.y is not None:
        listed = ", ".join(map(repr, others[:5])) + (" …" if len(others) > 5 else "")
        message = f"{path.name}: learning from the images only; ignored the columns {listed}"
        warnings.warn(message, DataWarning, stacklevel=3)
    listing = _listing(path, dataset.X[column], dataset.place_name)
    how = {"skip": skip_unreadable, "white": white}
    found = decode_parts(path.name, {"train": listing}, image_size, "train", **how)["train"]
    rows = dataset.rows(found.readable_rows)
    return replace(
        rows,
        X=found.X,
        places=np.array(listing.names)[found.readable_rows],
        digest=combined_digest([dataset.digest, found.digest]),
        skipped=found.skipped,
        white=found.white,
    )


def _listing(path: Path, cells: "pd.Series", place: str) -> Listing:
    """Return the image files whose paths are in the cells, with the line of each."""
    lines = [f"{place} {at}" for at in cells.index]
    empty = [line for line, cell in zip(lines, cells, strict=True) if not isinstance(cell, str)]
    if empty:
        got = f"none in {len(empty):,} of {len(cells):,} rows, the first in {empty[0]}"
        where = f"{path.name}, column {cells.name!r}"
        raise DataError(where, "the path of an image in every row", got, "another column")
    names = [str(cell) for cell in cells]
    return Listing(_paths_in_folder(path, names, lines), names, path.name, lines)


def _paths_in_folder(table: Path, names: Sequence[str], lines: Sequence[str]) -> list[Path]:
    """Return the paths of images, which must be in the folder of the table that lists them."""
    folder, roots = table.parent, roots_of([table.parent])
    found = []
    for name, line in zip(names, lines, strict=True):
        path = path_inside(folder, name, roots)
        if path is None:
            expected = f"a path inside the folder {folder}"
            hint = f"moving {table.name} into a folder that contains all images, or links to them"
            raise DataError(f"{table.name}, {line}", expected, repr(name), hint)
        found.append(path)
    return found


def _plain(name: object) -> str:
    """Return a name in lower case, with letters and digits only."""
    return "".join(letter for letter in str(name).lower() if letter.isalnum())


def _all_images(cells: Any) -> bool:
    """Return whether every cell ends with the suffix of an image file."""
    return all(isinstance(cell, str) and cell.lower().endswith(SUFFIXES) for cell in cells)
