"""Read images with segmentation masks, which give the class of every pixel.

Notes: "Semantic segmentation" (course 4, week 3).

    street/images/1.jpg, street/masks/1.png, …       a mask has the name of its image
    street/train/images/…, street/val/masks/…        the same, split into train, dev (or val), test
    images/…, and masks elsewhere                    separate folders; both may be split
    street.npz                                       X and Y; or X_train, Y_train, …

`mask_classes.py` defines which values or colours masks have. Images are resized by averaging, masks
by nearest neighbour. A mask without an image, an image without a mask, one of another size and one
with an unlisted value are errors that name the file.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chainrule.data.decoding import (
    Listing,
    combined_error,
    decode_parts,
    errors_in,
    map_in_threads,
    most_frequent_size,
)
from chainrule.data.files import combined_digest
from chainrule.data.mask_arrays import mask_arrays
from chainrule.data.mask_classes import (
    IGNORED,
    MaskClasses,
    found_classes,
    listed_classes,
    read_classes,
)
from chainrule.data.mask_files import Pair, classes_beside, find_masks
from chainrule.data.pictures import check_pillow, decode_mask, look
from chainrule.data.sources import find
from chainrule.errors import DataError, DataWarning, OptionError

LONGER_SIDE = 128
"""Default limit on the longer side of an image: what is affordable on a CPU."""

READ = "a folder with images/ and masks/, or a .npz file with X and Y"


@dataclass(frozen=True, eq=False)
class Masked:
    """Images X (m, n_H, n_W, n_C) and masks Y (m, n_H, n_W) of class numbers; 255 is ignored."""

    name: str
    X: Any
    Y: np.ndarray
    places: np.ndarray
    classes: MaskClasses
    digest: str

    def __len__(self) -> int:
        return len(self.X)

    def rows(self, rows: np.ndarray) -> "Masked":
        """Return the examples with these row numbers."""
        return replace(self, X=self.X[rows], Y=self.Y[rows], places=self.places[rows])


def read_masks(
    source: str | os.PathLike[str],
    *,
    masks: str | os.PathLike[str] | None = None,
    classes: str | os.PathLike[str] | MaskClasses | None = None,
    ignored: str | None = None,
    image_size: tuple[int, int] | None = None,
) -> dict[str, Masked]:
    """Return the data of each set; an unsplit source has only "train".

    masks       the folder of the masks, if it is not next to the folder of the images
    classes     the file that lists the classes, or its content; default: classes.txt
    ignored     the name or the value of the ignored pixels
    image_size  (n_H, n_W); by default the most frequent size
    """
    name = os.fspath(source)
    path, prefix = find(name)
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


def _of_arrays(path: Path, prefix: str, classes: Any, ignored: str | None) -> dict[str, Masked]:
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
        found[part] = Masked(str(path), one.X, Y, np.arange(len(Y)), classes, digest)
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
) -> dict[str, Masked]:
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
        sources[part] = Masked(where, X, Y, places, classes, digest)
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
    n_H, n_W = look(pair.image).size
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
