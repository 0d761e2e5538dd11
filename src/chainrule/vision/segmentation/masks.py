"""Read images with segmentation masks, which give the class of every pixel.

Notes: "Semantic segmentation" (course 4, week 3).

    street/images/1.jpg, street/masks/1.png, …       a mask has the name of its image
    street/train/images/…, street/val/masks/…        the same, split into train, dev (or val), test
    images/…, and masks elsewhere                    separate folders; both may be split
    images/…, and a .json file                       polygons or run lengths (COCO)
    street.npz                                       X and Y; or X_train, Y_train, …

`mask_files.py` finds and pairs the files, `mask_classes.py` defines which values or colours masks
have, and `coco_masks.py` draws masks from a COCO file. Images are resized by averaging, masks by
nearest neighbour. A mask of another size than its image, a mask in a lossy format, one with an
unlisted value, and palettes that contradict each other are errors that name the files.
"""

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

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
from chainrule.data.files import combined_digest
from chainrule.data.images import files_in, images_in
from chainrule.data.load import find_data
from chainrule.errors import DataError, DataWarning, OptionError
from chainrule.formatting import count_of
from chainrule.vision.parts import LabelledImages
from chainrule.vision.segmentation.coco_masks import (
    CocoMask,
    CocoPair,
    coco_classes,
    read_coco_masks,
)
from chainrule.vision.segmentation.mask_classes import (
    BINARY,
    IGNORED,
    MaskClasses,
    binary_numbers,
    found_classes,
    listed_classes,
    read_classes,
)
from chainrule.vision.segmentation.mask_files import (
    IMAGES,
    MASKS,
    Pair,
    find_masks,
    folder_of,
    masks_among,
    sets,
)

# Images and masks from any supported source

LONGER_SIDE = 128
"""Default limit on the longer side of an image: what is affordable on a CPU."""

READ = "a folder with images/ and masks/, a COCO file, or a .npz file with X and Y"


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
    binary: bool = False,
    image_size: tuple[int, int] | None = None,
    white: int | None = None,
) -> dict[str, MaskedImages]:
    """Return the data of each set; a source that is not split has only "train".

    masks       the folder of the masks, if it is not next to the folder of the images; or a COCO
                file
    classes     the file that lists the classes, or its content; default: classes.txt
    ignored     the name or the value of the ignored pixels
    binary      whether the masks are black and white: background and foreground
    image_size  (n_H, n_W); by default the most frequent size
    white       the value of white in images with 16 bits; None: from their largest value
    """
    classes = BINARY if binary else classes
    name = os.fspath(source)
    path, prefix = find_data(name)
    if path.suffix.lower() == ".npz" and path.is_file():
        options = {"--masks": masks, "--image-size": image_size}
        if given := [option for option, value in options.items() if value is not None]:
            raise OptionError(", ".join(given), "a folder of images", name, "removing this option")
        return _of_arrays(path, prefix, classes, ignored)
    if not path.is_dir() and path.suffix.lower() != ".json":
        raise DataError(name, READ, f"a {path.suffix} file", "the folder that contains it")
    check_pillow(name)
    files = coco_files(path, None if masks is None else Path(masks))
    if files:
        found, names = read_coco_sets(files, path if path.is_dir() else path.parent)
        if isinstance(classes, str | os.PathLike) or binary:
            option = "--binary" if binary else "--classes"
            hint = "leaving it out: the file lists the categories"
            got = f"the COCO file {next(iter(files.values()))[0]}"
            raise OptionError(option, "mask files", got, hint)
        if classes is None:
            classes = coco_classes(names, ignored, name)
        return _read(name, found, classes, Sizes(image_size, white))
    found = find_masks(path, None if masks is None else Path(masks))
    first = found.get("train") or next(iter(found.values()))
    if not isinstance(classes, MaskClasses):
        file = classes if classes is not None else classes_beside(path, first[0].mask.parent)
        classes = _classes(file, ignored, first)
    return _read(name, found, classes, Sizes(image_size, white))


def coco_files(path: Path, masks: Path | None) -> dict[str, tuple[Path, Path | None]]:
    """Return the COCO file of each set and the folder of its images; nothing for mask files."""
    if path.is_file():
        return {"train": (path, None)}
    if masks is not None and masks.suffix.lower() == ".json":
        return {"train": (masks, folder_of(path, IMAGES) or path)}
    annotations = folder_of(path, MASKS)
    if masks is None and annotations and (file := _json_in(annotations)):
        return {"train": (file, folder_of(path, IMAGES) or path)}
    if masks is not None or annotations:
        return {}
    within = {part: found for part, folder in sets(path).items() if (found := _json_in(folder))}
    if within:
        return {part: (file, None) for part, file in within.items()}
    file = _json_in(path)
    return {} if file is None else {"train": (file, None)}


def _json_in(folder: Path) -> Path | None:
    """Return the JSON file in a folder without mask files; refuse several."""
    files = files_in(folder)
    found = [file for file in files if file.suffix.lower() == ".json"]
    if not found or folder_of(folder, MASKS) or masks_among(files):
        return None
    if folder.name.lower() in MASKS and images_in(folder):
        return None
    if len(found) > 1:
        got = f"{found[0].name} and {found[1].name}"
        hint = "the path of one file as SOURCE, or --masks FILE"
        raise DataError(str(folder), "one COCO file", got, hint)
    return found[0]


def read_coco_sets(
    files: Mapping[str, tuple[Path, Path | None]], root: Path
) -> tuple[dict[str, list[CocoPair]], tuple[str, ...]]:
    """Return the annotated images of each set, and the class names of the training set."""
    read = {part: read_coco_masks(*places, root) for part, places in files.items()}
    first = "train" if "train" in read else next(iter(read))
    return {part: pairs for part, (pairs, _) in read.items()}, read[first][1]


class Sizes(NamedTuple):
    """The size (n_H, n_W) of all images, and the value of white in images with 16 bits."""

    size: tuple[int, int] | None
    white: int | None


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
        values, counts = np.unique(first.Y, return_counts=True)
        counted = dict(zip(values.tolist(), counts.tolist(), strict=True))
        classes = found_classes(first.where, counted, ignored)
    if classes.coloured:
        hint = "listing names only, or names and values"
        expected = f"masks with the colours in {classes.listed}"
        raise DataError(first.where, expected, "masks of class numbers", hint)
    found = {}
    for part, one in arrays.parts.items():
        Y = classes.numbers(one.where, one.Y)
        if classes.binary and (between := binary_numbers(one.where, one.Y)[1]):
            what = f"pixels that are neither black nor white ({between:,} in all)"
            message = f"{one.where}: {what} were read as the nearer of the two"
            warnings.warn(message, DataWarning, stacklevel=4)
        empty = np.flatnonzero((Y == IGNORED).all(axis=(1, 2)))
        if len(empty):
            masks = f"{len(empty)} of {count_of(len(Y), 'mask')}"
            got = f"only ignored pixels in {masks}, first in row {empty[0]}"
            expected = "at least one pixel of a class in every mask"
            raise DataError(one.where, expected, got, "removing these rows")
        digest = combined_digest([arrays.digest, part, repr(classes)])
        found[part] = MaskedImages(str(path), one.X, Y, np.arange(len(Y)), classes, digest)
    return found


def _classes(file: str | os.PathLike | None, ignored: str | None, pairs: list[Pair]) -> MaskClasses:
    """Return the classes listed in a file, or those inferred from the values in the masks."""
    if file is not None:
        return read_classes(file, ignored)
    counts = map_in_threads(_values, pairs, lambda _, error: error)
    if wrong := errors_in(counts):
        raise combined_error(wrong, None)
    folder = pairs[0].mask.parent
    return found_classes(str(folder), sum(counts, Counter()), ignored)  # pyright: ignore


def _values(pair: Pair) -> Counter[int]:
    """Return the values that occur in a mask, with the number of their pixels."""
    pixels = decode_mask(pair.mask, coloured=False).pixels
    values, counts = np.unique(pixels, return_counts=True)
    return Counter(dict(zip(values.tolist(), counts.tolist(), strict=True)))


def _read(
    where: str,
    found: Mapping[str, Sequence[Pair | CocoPair]],
    classes: MaskClasses,
    sizes: Sizes,
) -> dict[str, MaskedImages]:
    """Read the images and masks of every set, at one size."""
    chosen = "train" if "train" in found else next(iter(found))
    size = sizes.size or default_size([pair.image for pair in found[chosen]])
    masks_by_set: dict[str, list[NumberedMask]] = {}
    for part, pairs in found.items():
        numbered = map_in_threads(partial(numbers_of, classes, size), pairs, lambda _, error: error)
        if wrong := errors_in(numbered):
            raise combined_error(wrong, None)
        masks_by_set[part] = cast(list[NumberedMask], numbered)
    _report_between(where, [one for part in masks_by_set.values() for one in part])
    order = dict.fromkeys((chosen, *found))
    classes = with_palette(classes, [one for part in order for one in masks_by_set[part]])
    listings = {part: _listing(pairs) for part, pairs in found.items()}
    decoded = decode_parts(where, listings, size, chosen, skip=None, white=sizes.white)
    sources = {}
    for part, masks in masks_by_set.items():
        X, places = decoded[part].X, np.array(listings[part].names)
        X, Y = np.asarray(X)[..., None] if X.ndim == 3 else X, np.stack([m.numbers for m in masks])
        digests = [decoded[part].digest, *(one.digest for one in masks)]
        digest = combined_digest([*digests, repr(classes), repr(size)])
        own = where, X, Y, places, classes, digest
        sources[part] = MaskedImages(*own, white=decoded[part].white)
    return sources


def with_palette(classes: MaskClasses, masks: Sequence["NumberedMask"]) -> MaskClasses:
    """Return the classes with the colours of the palettes; refuse palettes that differ.

    Only indices that occur are compared. If the classes are listed with colours, or if the masks
    are black and white, masks are read by colours, and palettes may differ.
    """
    if classes.coloured or classes.binary:
        return classes
    known = {index: (colour, "the training set") for index, colour in classes.palette}
    for mask in masks:
        for index, colour in mask.palette.items():
            first, place = known.setdefault(index, (colour, mask.where))
            if first != colour:
                got = f"{_rgb(colour)}, where {place} has {_rgb(first)}"
                hint = "--classes FILE, with the name and the colour of each class"
                expected = f"the same colour for palette index {index} in all masks"
                raise DataError(mask.where, expected, got, hint)
    palette = tuple((index, colour) for index, (colour, _) in sorted(known.items()))
    return replace(classes, palette=palette)


def _rgb(colour: Sequence[int]) -> str:
    return f"the colour {' '.join(map(str, colour))}"


def _report_between(where: str, masks: Sequence["NumberedMask"]) -> None:
    """Warn of pixels in black-and-white masks that are neither black nor white."""
    some = [mask for mask in masks if mask.between]
    if some:
        pixels = sum(mask.between for mask in some)
        what = f"pixels that are neither black nor white ({pixels:,} in {len(some):,} of "
        what += f"{len(masks):,} masks, such as {some[0].where}) were read as the nearer of the two"
        warnings.warn(f"{where}: {what}", DataWarning, stacklevel=4)


def _listing(pairs: Sequence[Pair | CocoPair]) -> Listing:
    """Return the image files, for decoding."""
    paths = [pair.image for pair in pairs]
    return Listing(paths, [path.name for path in paths])


class NumberedMask(NamedTuple):
    """A mask as class numbers, and what is known of its file.

    where      the file, for messages
    digest     the sha256 of the file, or of the mask if it was drawn
    palette    the colour of each palette index that occurs
    between    the number of pixels of a black-and-white mask that are neither black nor white
    """

    where: str
    numbers: np.ndarray
    digest: str
    palette: Mapping[int, tuple[int, ...]]
    between: int = 0


def numbers_of(classes: MaskClasses, size: tuple[int, int], pair: Pair | CocoPair) -> NumberedMask:
    """Return the class numbers of a mask, checked against its image, at size (n_H, n_W)."""
    n_H, n_W = read_image_header(pair.image).size
    if isinstance(pair.mask, CocoMask):
        found = _drawn(classes, pair.mask, (n_H, n_W))
    else:
        found = _decoded(classes, pair.mask)
    if found.numbers.shape != (n_H, n_W):
        got = f"{found.numbers.shape[0]} by {found.numbers.shape[1]}"
        expected = f"{n_H} by {n_W} pixels, the size of {pair.image.name}"
        raise DataError(found.where, expected, got, "the mask of this image")
    if (found.numbers == IGNORED).all():
        hint = "removing the mask and its image"
        expected = "at least one pixel of a class"
        raise DataError(found.where, expected, "only ignored pixels", hint)
    return found._replace(numbers=nearest(found.numbers, size))


def _decoded(classes: MaskClasses, file: Path) -> NumberedMask:
    """Return the class numbers of a mask file."""
    pixels, digest, palette = decode_mask(file, classes.coloured)
    if classes.binary:
        numbers, between = binary_numbers(str(file), pixels, palette)
        return NumberedMask(str(file), numbers, digest, palette, between)
    return NumberedMask(str(file), classes.numbers(str(file), pixels), digest, palette)


def _drawn(classes: MaskClasses, mask: CocoMask, size: tuple[int, int]) -> NumberedMask:
    """Return the class numbers of a mask that is drawn from annotations."""
    numbers = mask.numbers(size, classes)
    return NumberedMask(mask.where, numbers, hashlib.sha256(numbers.tobytes()).hexdigest(), {})


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
    for part, (x, y, _) in pairs.items():
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
    return X if X.dtype in (np.uint8, np.uint16) else X.astype(np.float32)


def _masks(file: ArrayFile, key: str, X: np.ndarray) -> np.ndarray:
    """Read the masks, and check that they fit the images X."""
    where, Y = f"{file.where}, {key}", read_checked(file, key, "biu", "whole numbers")
    Y = Y[..., 0] if Y.ndim == 4 and Y.shape[3] == 1 else Y
    if Y.shape != X.shape[:3]:
        hint = "masks of the same size as the images"
        raise DataError(where, f"masks of shape {X.shape[:3]}", str(Y.shape), hint)
    return Y.astype(np.int32) if Y.dtype != np.uint8 else Y


CLASSES = ("classes.txt", "classes.csv")


def classes_beside(path: Path, masks: Path) -> Path | None:
    """Find the file that lists the classes, next to the images or the masks."""
    folders = (path, masks, masks.parent, path.parent)
    files = (folder / name for folder in folders for name in CLASSES)
    return next((file for file in files if file.is_file()), None)
