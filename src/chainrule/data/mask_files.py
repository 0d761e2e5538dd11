"""Find the files of images and masks, and pair them by name.

An image without a mask, a mask without an image, two files of one name and a mask in a lossy format
are errors that name the file.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from chainrule.data.files import PARTS
from chainrule.data.images import files_in, pictures_in, subfolders
from chainrule.errors import DataError, DataWarning

EXACT = (".png", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
"""Lossless formats, in which pixels keep their values."""

CLASSES = ("classes.txt", "classes.csv")


class Pair(NamedTuple):
    """The files of an image and of its mask."""

    image: Path
    mask: Path


def find_masks(path: Path, masks: Path | None) -> dict[str, list[Pair]]:
    """Return the pairs of image and mask files of each set."""
    roots = _roots(path, masks)
    return {part: _pairs(*folders) for part, folders in roots.items()}


def _roots(path: Path, masks: Path | None) -> dict[str, tuple[Path, Path]]:
    """Return the folders of images and of masks of each set."""
    images = path / "images" if (path / "images").is_dir() else path
    if masks is None and images == path:
        parts = {part: folder for part, folder in _parts(path).items() if _has_both(folder)}
        if not parts:
            entries = ", ".join(entry.name for entry in sorted(path.iterdir())[:4]) or "nothing"
            hint = "--masks FOLDER, if the masks are elsewhere"
            raise DataError(str(path), "the folders images and masks", entries, hint)
        skipped = [one.name for one in _parts(path).values() if one not in parts.values()]
        if skipped:
            message = f"{path}: ignored {', '.join(skipped)}, without folders images and masks"
            warnings.warn(message, DataWarning, stacklevel=4)
        return {part: (folder / "images", folder / "masks") for part, folder in parts.items()}
    masks = path / "masks" if masks is None else masks
    if not masks.is_dir():
        hint = "--masks FOLDER, if the masks are elsewhere"
        raise DataError(str(masks), "the folder of the masks", "no such folder", hint)
    within = {part: (folder, masks / folder.name) for part, folder in _parts(images).items()}
    if pictures_in(images) or not within:
        return {"train": (images, masks)}
    return within


def _parts(path: Path) -> dict[str, Path]:
    """Return the folders train, dev (or val) and test, in this order."""
    found: dict[str, Path] = {}
    for folder in subfolders(path):
        part = PARTS.get(folder.name.lower())
        if part in found:
            both = f"{found[part].name} and {folder.name}"
            hint = "keeping one of them"
            raise DataError(str(path), f"one folder for the {part} set", both, hint)
        if part is not None:
            found[part] = folder
    return {part: found[part] for part in ("train", "dev", "test") if part in found}


def _has_both(folder: Path) -> bool:
    """Return whether a folder holds the folders images and masks."""
    return (folder / "images").is_dir() and (folder / "masks").is_dir()


def _pairs(images: Path, masks: Path) -> list[Pair]:
    """Pair the files of two folders by their names."""
    if not masks.is_dir():
        raise DataError(str(masks), f"the masks of {images}", "no such folder", "adding it")
    image_files, mask_files = by_stem(pictures_in(images)), by_stem(files_in(masks))
    if not image_files:
        raise DataError(str(images), "images", "none", "the folder that holds them")
    unpaired = [path for stem, path in image_files.items() if stem not in mask_files]
    if unpaired:
        wanted, more = masks / f"{unpaired[0].stem}.png", _more(unpaired)
        hint = "adding the mask, or removing the image"
        raise DataError(str(unpaired[0]), f"its mask {wanted}", f"none{more}", hint)
    unpaired_masks = [path for stem, path in mask_files.items() if stem not in image_files]
    if unpaired_masks:
        expected = f"its image {images / unpaired_masks[0].stem}.png, or another format"
        hint = "adding the image, or removing the mask"
        raise DataError(str(unpaired_masks[0]), expected, f"none{_more(unpaired_masks)}", hint)
    for path in mask_files.values():
        if path.suffix.lower() not in EXACT:
            expected = f"a mask in a lossless format: {', '.join(EXACT[:4])} …"
            raise DataError(str(path), expected, f"a {path.suffix} file", "saving it as .png")
    return [Pair(path, mask_files[stem]) for stem, path in sorted(image_files.items())]


def by_stem(files: Sequence[Path]) -> dict[str, Path]:
    """Return files by their names without the suffix; refuse two of the same name."""
    found: dict[str, Path] = {}
    for file in files:
        if file.stem in found:
            hint = "keeping one of the two"
            expected = f"a name that differs from {found[file.stem].name} in more than the suffix"
            raise DataError(str(file), expected, "the same name", hint)
        found[file.stem] = file
    return found


def classes_beside(path: Path, masks: Path) -> Path | None:
    """Find the file that lists the classes, next to the images or the masks."""
    folders = (path, masks, masks.parent, path.parent)
    files = (folder / name for folder in folders for name in CLASSES)
    return next((file for file in files if file.is_file()), None)


def _more(paths: Sequence[Path]) -> str:
    """Describe all files but the first, for messages."""
    names = ", ".join(path.name for path in paths[1:4])
    rest = " …" if len(paths) > 4 else ""
    return f"; likewise for {len(paths) - 1} more: {names}{rest}" if names else ""
