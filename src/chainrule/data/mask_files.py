"""The files of pictures and of their masks, found in pairs by their names.

A picture without a mask, a mask without a picture and two of one name are errors, which name the
file; so is a mask in a format that does not keep its values.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from chainrule.data.files import PARTS
from chainrule.data.images import files_in, pictures_in, subfolders
from chainrule.errors import DataError, DataWarning

EXACT = (".png", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
"""Formats in which a pixel keeps its value."""

CLASSES = ("classes.txt", "classes.csv")


class Pair(NamedTuple):
    """The files of a picture and of its mask."""

    picture: Path
    mask: Path


def find_masks(path: Path, masks: Path | None) -> dict[str, list[Pair]]:
    """The files of each part, every picture with its mask."""
    roots = _roots(path, masks)
    return {part: _pairs(*folders) for part, folders in roots.items()}


def _roots(path: Path, masks: Path | None) -> dict[str, tuple[Path, Path]]:
    """The folders of pictures and of masks of each part."""
    pictures = path / "images" if (path / "images").is_dir() else path
    if masks is None and pictures == path:
        parts = {part: folder for part, folder in _parts(path).items() if _has_both(folder)}
        if not parts:
            there = ", ".join(entry.name for entry in sorted(path.iterdir())[:4]) or "nothing"
            hint = "--masks FOLDER, if they lie elsewhere"
            raise DataError(str(path), "the folders images and masks", there, hint)
        left = [one.name for one in _parts(path).values() if one not in parts.values()]
        if left:
            words = f"{path}: left out {', '.join(left)}, without images and masks in it"
            warnings.warn(words, DataWarning, stacklevel=4)
        return {part: (folder / "images", folder / "masks") for part, folder in parts.items()}
    masks = path / "masks" if masks is None else masks
    if not masks.is_dir():
        hint = "--masks FOLDER, if they lie elsewhere"
        raise DataError(str(masks), "the folder of the masks", "no such folder", hint)
    within = {part: (folder, masks / folder.name) for part, folder in _parts(pictures).items()}
    if pictures_in(pictures) or not within:
        return {"train": (pictures, masks)}
    return within


def _parts(path: Path) -> dict[str, Path]:
    """The folders train, dev (or val) and test, in this order."""
    found: dict[str, Path] = {}
    for folder in subfolders(path):
        part = PARTS.get(folder.name.lower())
        if part in found:
            both = f"{found[part].name} and {folder.name}"
            raise DataError(str(path), f"one folder for the {part} part", both, "one of them")
        if part is not None:
            found[part] = folder
    return {part: found[part] for part in ("train", "dev", "test") if part in found}


def _has_both(folder: Path) -> bool:
    return (folder / "images").is_dir() and (folder / "masks").is_dir()


def _pairs(pictures: Path, masks: Path) -> list[Pair]:
    """The files of two folders that belong together by their names."""
    if not masks.is_dir():
        raise DataError(str(masks), f"the masks of {pictures}", "no such folder", "adding it")
    own, theirs = by_stem(pictures_in(pictures)), by_stem(files_in(masks))
    if not own:
        raise DataError(str(pictures), "pictures", "none", "the folder that holds them")
    lonely = [path for stem, path in own.items() if stem not in theirs]
    if lonely:
        wanted, more = masks / f"{lonely[0].stem}.png", _more(lonely)
        hint = "adding it, or taking the picture out of its folder"
        raise DataError(str(lonely[0]), f"its mask {wanted}", f"none{more}", hint)
    strays = [path for stem, path in theirs.items() if stem not in own]
    if strays:
        expected = f"its picture {pictures / strays[0].stem}.png, or with another suffix"
        hint = "adding it, or taking the mask out of its folder"
        raise DataError(str(strays[0]), expected, f"none{_more(strays)}", hint)
    for path in theirs.values():
        if path.suffix.lower() not in EXACT:
            expected = f"a mask that keeps its values: {', '.join(EXACT[:4])} …"
            raise DataError(str(path), expected, f"a file {path.suffix}", "saving it as .png")
    return [Pair(path, theirs[stem]) for stem, path in sorted(own.items())]


def by_stem(files: Sequence[Path]) -> dict[str, Path]:
    """Files by their names without the suffix; refused where two are of one name."""
    found: dict[str, Path] = {}
    for file in files:
        if file.stem in found:
            hint = "one of the two"
            expected = f"another name than that of {found[file.stem].name}"
            raise DataError(str(file), expected, "the same but for its suffix", hint)
        found[file.stem] = file
    return found


def classes_beside(path: Path, masks: Path) -> Path | None:
    """The file that lists the classes, where one lies with the pictures or the masks."""
    folders = (path, masks, masks.parent, path.parent)
    files = (folder / name for folder in folders for name in CLASSES)
    return next((file for file in files if file.is_file()), None)


def _more(paths: Sequence[Path]) -> str:
    """What is said of all but the first."""
    names = ", ".join(path.name for path in paths[1:4])
    rest = " …" if len(paths) > 4 else ""
    return f"; the same of {len(paths) - 1} more: {names}{rest}" if names else ""
