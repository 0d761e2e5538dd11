"""Find the image files and the mask files of a segmentation data set, and pair them by name.

    street/images/1.jpg, street/masks/1.png          a mask has the name of its image,
    street/images/1.jpg, street/masks/1_mask.png     or that name with an ending such as _mask
    street/train/1.jpg,  street/trainannot/1.png     folders with an ending such as annot
    street/1.jpg,        street/1_mask.png           both in one folder

The exact name wins. Otherwise the case of names and endings is ignored. A name that fits two
files, a mask without an image and an image without a mask are errors that name the files.
"""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from chainrule.data.decoding import lossy_mask
from chainrule.data.files import PARTS
from chainrule.data.images import files_in, images_in, subfolders
from chainrule.errors import DataError, DataWarning

EXACT = (".png", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
"""Lossless formats, in which pixels keep their values."""

IMAGES = ("images", "image", "imgs", "img")
MASKS = ("masks", "mask", "annotations", "labels", "annots")
"""Names of the folders of images and of masks; the first that exists is used."""

ENDINGS = ("_mask", "-mask", "_masks", "_seg", "_segmentation", "_label", "_labels", "_gt", "_l")
"""Endings that the name of a mask may add to the name of its image; case does not matter."""

FOLDER_ENDINGS = ("annot", "_annot", "_annotations", "_masks", "_mask", "_labels")
"""Endings that the name of a folder of masks may add to that of its images, such as train."""

ELSEWHERE = "--masks FOLDER, if the masks are elsewhere"


class Pair(NamedTuple):
    """The files of an image and of its mask."""

    image: Path
    mask: Path


class Folders(NamedTuple):
    """The folder of the images of one set, and that of their masks; they may be the same."""

    images: Path
    masks: Path


def find_masks(path: Path, masks: Path | None) -> dict[str, list[Pair]]:
    """Return the pairs of image and mask files of each set."""
    return {part: pairs_in(*folders) for part, folders in set_folders(path, masks).items()}


def set_folders(path: Path, masks: Path | None) -> dict[str, Folders]:
    """Return the folders of images and of masks of each set."""
    images = folder_of(path, IMAGES) or path
    if masks is None and images == path:
        return _sets_in(path)
    masks = folder_of(path, MASKS) or path / MASKS[0] if masks is None else masks
    if not masks.is_dir():
        raise DataError(str(masks), "the folder of the masks", "no such folder", ELSEWHERE)
    within = {part: Folders(folder, masks / folder.name) for part, folder in sets(images).items()}
    if images_in(images) or not within:
        return {"train": Folders(images, masks)}
    return within


def _sets_in(path: Path) -> dict[str, Folders]:
    """Return the folders of each set, in a folder without a folder of images."""
    candidates = {part: _both(folder) for part, folder in sets(path).items()}
    found = {part: both for part, both in candidates.items() if both is not None}
    if not found and (both := _both(path)) is not None:
        return {"train": both}
    if not found:
        entries = ", ".join(entry.name for entry in sorted(path.iterdir())[:4]) or "nothing"
        raise DataError(str(path), "the folders images and masks", entries, ELSEWHERE)
    skipped = [sets(path)[part].name for part in candidates if part not in found]
    if skipped:
        verb = "is" if len(skipped) == 1 else "are"
        what = (
            f"{', '.join(skipped)} {verb} ignored, since the folders images and masks are missing"
        )
        message = f"{path}: {what}"
        warnings.warn(message, DataWarning, stacklevel=6)
    return found


def _both(folder: Path) -> Folders | None:
    """Return the images and the masks of a set: in its subfolders, beside it, or in the folder."""
    images, masks = folder_of(folder, IMAGES), folder_of(folder, MASKS)
    if images is not None and masks is not None:
        return Folders(images, masks)
    beside = folder_of(folder.parent, [f"{folder.name}{ending}" for ending in FOLDER_ENDINGS])
    if beside is not None and images_in(folder):
        return Folders(folder, beside)
    files = images_in(folder)
    return Folders(folder, folder) if masks_among(files) else None


def folder_of(path: Path, names: Iterable[str]) -> Path | None:
    """Return the subfolder with the first of these names that exists; case does not matter."""
    entries = subfolders(path)
    for name in names:
        found = [one for one in entries if one.name.lower() == name.lower()]
        exact = [one for one in found if one.name == name]
        if len(found) > 1 and not exact:
            got = f"{found[0].name} and {found[1].name}"
            raise DataError(str(path), f"one folder {name}", got, "keeping one of them")
        if found:
            return (exact or found)[0]
    return None


def sets(path: Path) -> dict[str, Path]:
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


def pairs_in(images: Path, masks: Path) -> list[Pair]:
    """Pair the files of two folders, which may be the same, by their names."""
    if not masks.is_dir():
        hint = "adding this folder"
        raise DataError(str(masks), f"the masks of {images}", "no such folder", hint)
    image_files, mask_files = images_in(images), files_in(masks)
    if images == masks:
        mask_files = masks_among(image_files)
        image_files = [file for file in image_files if file not in set(mask_files)]
    check_names(image_files)
    if not image_files:
        raise DataError(str(images), "images", "none", "the folder that holds them")
    pairs = paired(image_files, mask_files, masks)
    _check_used(pairs, image_files, mask_files, images)
    for pair in pairs:
        if pair.mask.suffix.lower() not in EXACT:
            raise lossy_mask(pair.mask, f"a {pair.mask.suffix} file")
    return pairs


def paired(images: Sequence[Path], masks: Sequence[Path], folder: Path) -> list[Pair]:
    """Return each image with its mask, by name."""
    names = MaskNames(masks)
    found = [names.of(image) for image in images]
    missing = [image for image, mask in zip(images, found, strict=True) if mask is None]
    if missing:
        wanted, more = folder / f"{missing[0].stem}.png", _more(missing)
        hint = "adding the mask, or removing the image"
        raise DataError(str(missing[0]), f"its mask {wanted}", f"none{more}", hint)
    pairs = [Pair(image, mask) for image, mask in zip(images, found, strict=True) if mask]
    by_mask: dict[Path, Path] = {}
    for image, mask in pairs:
        if mask in by_mask:
            expected, got = "a separate mask", f"{mask}, which is also the mask of {by_mask[mask]}"
            raise DataError(str(image), expected, got, "a separate mask file for each image")
        by_mask[mask] = image
    return pairs


class MaskNames:
    """Mask files by the name without the suffix: as it is written, and without case."""

    def __init__(self, masks: Sequence[Path]):
        self.exact: dict[str, list[Path]] = {}
        self.without_case: dict[str, list[Path]] = {}
        for mask in masks:
            self.exact.setdefault(mask.stem, []).append(mask)
            self.without_case.setdefault(mask.stem.lower(), []).append(mask)

    def of(self, image: Path) -> Path | None:
        """Return the mask of an image by the first rule that fits a name; None if none fits."""
        name = image.stem.lower()
        ending = [mask for end in ENDINGS for mask in self.without_case.get(f"{name}{end}", [])]
        rules = (
            self.exact.get(image.stem, []),
            [mask for mask in ending if mask.stem.startswith(image.stem)],
            self.without_case.get(name, []) + self.without_case.get(image.name.lower(), []),
            ending,
        )
        for fitting in rules:
            if len(fitting) > 1:
                got = f"{fitting[0]} and {fitting[1]}"
                raise DataError(str(image), "one mask", got, "keeping one of the two")
            if fitting:
                return fitting[0]
        return None


def check_names(files: Sequence[Path]) -> None:
    """Refuse two files whose names differ in the suffix only."""
    found: dict[str, Path] = {}
    for file in files:
        if file.stem in found:
            expected = f"a name that differs from {found[file.stem].name} in more than the suffix"
            raise DataError(str(file), expected, "the same name", "keeping one of the two")
        found[file.stem] = file


def masks_among(files: Sequence[Path]) -> list[Path]:
    """Return the files that have the name of another one with an ending of masks."""
    names = {file.stem.lower() for file in files}

    def is_mask(stem: str) -> bool:
        return any(stem.endswith(one) and stem[: -len(one)] in names for one in ENDINGS)

    return [file for file in files if is_mask(file.stem.lower())]


def _check_used(
    pairs: Sequence[Pair], images: Sequence[Path], masks: Sequence[Path], folder: Path
) -> None:
    """Refuse masks that belong to no image."""
    used = {pair.mask for pair in pairs}
    unused = [mask for mask in masks if mask not in used]
    for mask in unused:
        own = MaskNames([mask])
        owner = next((image for image in images if own.of(image)), None)
        if owner is not None:
            first = next(pair.mask for pair in pairs if pair.image == owner)
            expected, got = f"one mask for {owner}", f"{first} and {mask}"
            raise DataError(str(mask), expected, got, "keeping one of the two")
    if unused:
        expected = f"its image {folder / unused[0].stem}.png, or another format"
        hint = "adding the image, or removing the mask"
        raise DataError(str(unused[0]), expected, f"none{_more(unused)}", hint)


def _more(paths: Sequence[Path]) -> str:
    """Describe all files except the first, for messages."""
    names = ", ".join(path.name for path in paths[1:4])
    rest = " …" if len(paths) > 4 else ""
    return f"; likewise for {len(paths) - 1} more: {names}{rest}" if names else ""
