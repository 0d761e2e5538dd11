"""Read images with segmentation masks, which give the class of every pixel.

Notes: "Semantic segmentation" (course 4, week 3).

    street/images/1.jpg, street/masks/1.png, …       a mask has the name of its image
    street/train/images/…, street/val/masks/…        the same, split into train, dev (or val), test
    images/…, and masks elsewhere                    separate folders; both may be split
    street.npz                                       X and Y; or X_train, Y_train, …

`vision/segmentation/mask_classes.py` defines which values or colours masks have. Images are resized
by averaging, masks by nearest neighbour. A mask without an image, an image without a mask, one of
another size, two files of one name, a mask in a lossy format and a mask with an unlisted value are
errors that name the file.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chainrule.data.arrays import CLASS_NAMES, ArrayFile, array_file, find_pairs, read_checked
from chainrule.data.decoding import (
    Listing,
    check_pillow,
    combined_error,
    decode_mask,
    decode_parts,
    errors_in,
    map_in_threads,
    most_frequent_size,
    read_image_header,
)
from chainrule.data.files import PARTS, combined_digest
from chainrule.data.images import files_in, images_in, subfolders
from chainrule.data.load import find_data
from chainrule.errors import DataError, DataWarning, OptionError
from chainrule.vision.parts import LabelledImages
from chainrule.vision.segmentation.mask_classes import (
    IGNORED,
    MaskClasses,
    found_classes,
    listed_classes,
    read_classes,
)


class Pair(NamedTuple):
    """The files of an image and of its mask."""

    image: Path
    mask: Path


# Images and masks from any supported source

LONGER_SIDE = 128
"""Default limit on the longer side of an image: what is affordable on a CPU."""

READ = "a folder with images/ and masks/, or a .npz file with X and Y"


@dataclass(frozen=True, eq=False)
class MaskedImages(LabelledImages):
    """Images X (m, n_H, n_W, n_C) and masks Y (m, n_H, n_W) of class numbers; 255 is ignored."""

    places: np.ndarray
    classes: MaskClasses
    digest: str

    def rows(self, rows: np.ndarray) -> "MaskedImages":
        """Return the examples with these row numbers."""
        return replace(self, X=self.X[rows], Y=self.Y[rows], places=self.places[rows])


def read_masks(
    source: str | os.PathLike[str],
    *,
    masks: str | os.PathLike[str] | None = None,
    classes: str | os.PathLike[str] | MaskClasses | None = None,
    ignored: str | None = None,
    image_size: tuple[int, int] | None = None,
) -> dict[str, MaskedImages]:
    """Return the data of each set; a source that is not split has only "train".

    masks       the folder of the masks, if it is not next to the folder of the images
    classes     the file that lists the classes, or its content; default: classes.txt
    ignored     the name or the value of the ignored pixels
    image_size  (n_H, n_W); by default the most frequent size
    """
    name = os.fspath(source)
    path, prefix = find_data(name)
    if path.suffix.lower() == ".npz" and path.is_file():
        options = {"--masks": masks, "--image-size": image_size}
        if given := [option for option, value in options.items() if value is not None]:
            raise OptionError(", ".join(given), "a folder of images", name, "removing this option")
        return _of_arrays(path, prefix, classes, ignored)
    if not path.is_dir():
        raise DataError(name, READ, f"a {path.suffix} file", "the folder that contains it")
    check_pillow(name)
    found = find_masks(path, None if masks is None else Path(masks))
    first = found.get("train") or next(iter(found.values()))
    if not isinstance(classes, MaskClasses):
        file = classes if classes is not None else classes_beside(path, first[0].mask.parent)
        classes = _classes(file, ignored, first)
    return _read(name, found, classes, image_size)


def _of_arrays(
    path: Path, prefix: str, classes: Any, ignored: str | None
) -> dict[str, MaskedImages]:
    """Read the sets of a .npz file."""
    arrays = mask_arrays(path, prefix)
    first = arrays.parts.get("train") or next(iter(arrays.parts.values()))
    if isinstance(classes, str | os.PathLike):
        classes = read_classes(classes, ignored)
    elif classes is None and arrays.names is not None:
        marks = [(i,) for i in range(len(arrays.names))]
        classes = listed_classes(arrays.names, marks, ignored, f"the names in {path}")
    elif classes is None:
        classes = found_classes(first.where, np.unique(first.Y).tolist(), ignored)
    if classes.coloured:
        hint = "listing names only, or names and values"
        raise DataError(first.where, f"masks in the colours of {classes.listed}", "values", hint)
    found = {}
    for part, one in arrays.parts.items():
        Y = classes.numbers(one.where, one.Y)
        empty = np.flatnonzero((Y == IGNORED).all(axis=(1, 2)))
        if len(empty):
            got = f"only ignored pixels in {len(empty)} of {len(Y)} masks, first in row {empty[0]}"
            expected = "at least one pixel of a class in every mask"
            raise DataError(one.where, expected, got, "removing these rows")
        digest = combined_digest([arrays.digest, part, repr(classes)])
        found[part] = MaskedImages(str(path), one.X, Y, np.arange(len(Y)), classes, digest)
    return found


def _classes(file: str | os.PathLike | None, ignored: str | None, pairs: list[Pair]) -> MaskClasses:
    """Return the classes listed in a file, or those inferred from the values in the masks."""
    if file is not None:
        return read_classes(file, ignored)
    values = map_in_threads(_values, pairs, lambda _, error: error)
    if wrong := errors_in(values):
        raise combined_error(wrong, None)
    folder = pairs[0].mask.parent
    return found_classes(str(folder), set().union(*values), ignored)  # pyright: ignore


def _values(pair: Pair) -> set[int]:
    """Return the values that occur in a mask."""
    pixels, _ = decode_mask(pair.mask, coloured=False)
    return set(np.unique(pixels).tolist())


def _read(
    where: str,
    found: Mapping[str, list[Pair]],
    classes: MaskClasses,
    size: tuple[int, int] | None,
) -> dict[str, MaskedImages]:
    """Read the images and masks of every set, at one size."""
    chosen = "train" if "train" in found else next(iter(found))
    size = size or default_size([pair.image for pair in found[chosen]])
    masks_by_set = {}
    for part, pairs in found.items():
        numbered = map_in_threads(partial(numbers_of, classes, size), pairs, lambda _, error: error)
        if wrong := errors_in(numbered):
            raise combined_error(wrong, None)
        Y = np.stack([one.numbers for one in numbered])  # pyright: ignore
        masks_by_set[part] = Y, [one.digest for one in numbered]  # pyright: ignore
    listings = {part: _listing(pairs) for part, pairs in found.items()}
    decoded = decode_parts(where, listings, size, chosen, skip=None)
    sources = {}
    for part, (Y, digests) in masks_by_set.items():
        X, places = decoded[part].X, np.array(listings[part].names)
        X = np.asarray(X)[..., None] if X.ndim == 3 else X
        digest = combined_digest([decoded[part].digest, *digests, repr(classes), repr(size)])
        sources[part] = MaskedImages(where, X, Y, places, classes, digest)
    return sources


def _listing(pairs: list[Pair]) -> Listing:
    """Return the image files, for decoding."""
    paths = [pair.image for pair in pairs]
    return Listing(paths, [path.name for path in paths])


class NumberedMask(NamedTuple):
    """A mask as class numbers, and the sha256 of its file."""

    numbers: np.ndarray
    digest: str


def numbers_of(classes: MaskClasses, size: tuple[int, int], pair: Pair) -> NumberedMask:
    """Return the class numbers of a mask, checked against its image, at size (n_H, n_W)."""
    pixels, digest = decode_mask(pair.mask, classes.coloured)
    n_H, n_W = read_image_header(pair.image).size
    if pixels.shape[:2] != (n_H, n_W):
        got = f"{pixels.shape[0]} by {pixels.shape[1]}"
        expected = f"{n_H} by {n_W} pixels, the size of {pair.image.name}"
        raise DataError(str(pair.mask), expected, got, "the mask of this image")
    numbers = classes.numbers(str(pair.mask), pixels)
    if (numbers == IGNORED).all():
        hint = "removing the mask and its image"
        expected = "at least one pixel of a class"
        raise DataError(str(pair.mask), expected, "only ignored pixels", hint)
    return NumberedMask(nearest(numbers, size), digest)


def default_size(paths: Sequence[Path]) -> tuple[int, int]:
    """Return the most frequent size (n_H, n_W), with the longer side at most LONGER_SIDE.

    A warning reports that images of other sizes are resized.
    """
    size, sizes = most_frequent_size(paths, LONGER_SIDE)
    if sizes != [size]:
        n_H, n_W = sizes[0]
        of = f"images of {n_H}×{n_W}" if len(sizes) == 1 else f"images of {len(sizes)} sizes"
        message = f"{paths[0].parent}: {of}, resized to {size[0]}×{size[1]}"
        hint = "choose another size by --image-size"
        warnings.warn(f"{message}; {hint}", DataWarning, stacklevel=4)
    return size


def nearest(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a mask: each new pixel takes the value at its centre.

    >>> nearest(np.array([[1, 2, 3, 4]]), (2, 2)).tolist()
    [[2, 4], [2, 4]]
    """
    rows, columns = (
        (2 * np.arange(new) + 1) * old // (2 * new)
        for new, old in zip(size, mask.shape, strict=True)
    )
    return mask[rows[:, None], columns]


# NPZ files

ROLES = {"x": "x", "images": "x", "y": "y", "labels": "y", "masks": "y"}


class ArrayPart(NamedTuple):
    """Images X (m, n_H, n_W, n_C) and masks Y (m, n_H, n_W); `where` names Y in errors."""

    X: np.ndarray
    Y: np.ndarray
    where: str


class MaskArrays(NamedTuple):
    """The sets of a file, its class names if it contains any, and its sha256."""

    parts: dict[str, ArrayPart]
    names: tuple[str, ...] | None
    digest: str


def mask_arrays(path: Path, prefix: str = "") -> MaskArrays:
    """Read a .npz file; `prefix` selects one of several sets."""
    file = array_file(path)
    pairs = find_pairs(file.where, file.headers, file.listing(), prefix, ROLES)
    parts = {}
    for part, (x, y) in pairs.items():
        if y is None:
            hint = "adding an array of masks, such as Y"
            raise DataError(file.where, f"masks for {x}", file.listing(), hint)
        X = _images(file, x)
        parts[part] = ArrayPart(X, _masks(file, y, X), f"{file.where}, {y}")
    key = next((key for key in CLASS_NAMES if key in file.headers), None)
    names = None if key is None else tuple(read_checked(file, key, "US", "names").tolist())
    return MaskArrays(parts, names, file.digest)


def _images(file: ArrayFile, key: str) -> np.ndarray:
    """Read and check the images."""
    X = read_checked(file, key, "biuf", "numbers")
    X = X[..., None] if X.ndim == 3 else X
    if X.ndim != 4 or X.size == 0:
        expected = "images, (m, n_H, n_W) or (m, n_H, n_W, n_C)"
        raise DataError(
            f"{file.where}, {key}", expected, str(X.shape), "X.reshape(m, n_H, n_W, n_C)"
        )
    return X if X.dtype == np.uint8 else X.astype(np.float32)


def _masks(file: ArrayFile, key: str, X: np.ndarray) -> np.ndarray:
    """Read the masks, and check that they fit the images X."""
    where, Y = f"{file.where}, {key}", read_checked(file, key, "biu", "whole numbers")
    Y = Y[..., 0] if Y.ndim == 4 and Y.shape[3] == 1 else Y
    if Y.shape != X.shape[:3]:
        hint = "masks of the same size as the images"
        raise DataError(where, f"masks of shape {X.shape[:3]}", str(Y.shape), hint)
    return Y.astype(np.int32) if Y.dtype != np.uint8 else Y


# Folders of images and masks, paired by name

EXACT = (".png", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
"""Lossless formats, in which pixels keep their values."""

CLASSES = ("classes.txt", "classes.csv")


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
    if images_in(images) or not within:
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
    """Return whether a folder contains the folders images and masks."""
    return (folder / "images").is_dir() and (folder / "masks").is_dir()


def _pairs(images: Path, masks: Path) -> list[Pair]:
    """Pair the files of two folders by their names."""
    if not masks.is_dir():
        raise DataError(str(masks), f"the masks of {images}", "no such folder", "adding it")
    image_files, mask_files = by_stem(images_in(images)), by_stem(files_in(masks))
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
    """Describe all files except the first, for messages."""
    names = ", ".join(path.name for path in paths[1:4])
    rest = " …" if len(paths) > 4 else ""
    return f"; likewise for {len(paths) - 1} more: {names}{rest}" if names else ""
