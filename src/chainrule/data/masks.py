"""Pictures with a mask each, which says of every pixel what it belongs to.

Notes: "Semantic segmentation" (course 4, week 3).

    street/images/1.jpg, street/masks/1.png, …           a mask has the name of its picture
    street/train/images/…, street/val/masks/…            the same in parts: train, dev or val, test
    pictures/…, and masks elsewhere                      folders apart; parts may lie in both
    street.npz                                           X and Y; or X_train, Y_train, …

What the values or colours of masks are is in `mask_classes.py`. Pictures are brought to one size by
averages, masks by the nearest pixel. A mask without a picture, a picture without a mask, one of
another size and one with a value that is not listed are errors, which name the file.
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
    all_of,
    attempted,
    decode_parts,
    errors_in,
    size_of_most,
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
"""Of pictures, where nothing is said: what a processor bears."""

READ = "a folder with images/ and masks/, or a .npz file of X and Y"


@dataclass(frozen=True, eq=False)
class Masked:
    """Pictures X (m, n_H, n_W, n_C) and masks Y (m, n_H, n_W): numbers of classes, 255 ignored."""

    name: str
    X: Any
    Y: np.ndarray
    places: np.ndarray
    classes: MaskClasses
    digest: str

    def __len__(self) -> int:
        return len(self.X)

    def rows(self, rows: np.ndarray) -> "Masked":
        """Some of them."""
        return replace(self, X=self.X[rows], Y=self.Y[rows], places=self.places[rows])


def read_masks(
    source: str | os.PathLike[str],
    *,
    masks: str | os.PathLike[str] | None = None,
    classes: str | os.PathLike[str] | MaskClasses | None = None,
    ignored: str | None = None,
    image_size: tuple[int, int] | None = None,
) -> dict[str, Masked]:
    """Every part, "train" the only one of a source that is not split.

    masks       the folder of the masks, where it is not beside that of the pictures
    classes     the file that lists them, or what it says; classes.txt beside the folders
    ignored     the name or the value of pixels that are of no class
    image_size  (n_H, n_W); else that of the pictures
    """
    name = os.fspath(source)
    path, prefix = find(name)
    if path.suffix.lower() == ".npz" and path.is_file():
        options = {"--masks": masks, "--image-size": image_size}
        if given := [option for option, value in options.items() if value is not None]:
            raise OptionError(", ".join(given), "a folder of pictures", name, "leaving it out")
        return _of_arrays(path, prefix, classes, ignored)
    if not path.is_dir():
        raise DataError(name, READ, f"a file {path.suffix}", "the folder above it")
    check_pillow(name)
    found = find_masks(path, None if masks is None else Path(masks))
    first = found.get("train") or next(iter(found.values()))
    if not isinstance(classes, MaskClasses):
        file = classes if classes is not None else classes_beside(path, first[0].mask.parent)
        classes = _classes(file, ignored, first)
    return _read(name, found, classes, image_size)


def _of_arrays(path: Path, prefix: str, classes: Any, ignored: str | None) -> dict[str, Masked]:
    """The parts of a .npz file."""
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
        hint = "a list of names, or of names and values"
        raise DataError(first.where, f"masks of the colours of {classes.listed}", "values", hint)
    found = {}
    for part, one in arrays.parts.items():
        Y = classes.numbers(one.where, one.Y)
        empty = np.flatnonzero((Y == IGNORED).all(axis=(1, 2)))
        if len(empty):
            got = f"none but ignored ones in {len(empty)}, the first row {empty[0]}"
            raise DataError(one.where, "a pixel that counts in every mask", got, "other masks")
        digest = combined_digest([arrays.digest, part, repr(classes)])
        found[part] = Masked(str(path), one.X, Y, np.arange(len(Y)), classes, digest)
    return found


def _classes(file: str | os.PathLike | None, ignored: str | None, pairs: list[Pair]) -> MaskClasses:
    """Those that a file lists, or the values that there are."""
    if file is not None:
        return read_classes(file, ignored)
    values = attempted(_values, pairs, lambda _, error: error)
    if wrong := errors_in(values):
        raise all_of(wrong, None)
    folder = pairs[0].mask.parent
    return found_classes(str(folder), set().union(*values), ignored)  # pyright: ignore


def _values(pair: Pair) -> set[int]:
    pixels, _ = decode_mask(pair.mask, coloured=False)
    return set(np.unique(pixels).tolist())


def _read(
    where: str,
    found: Mapping[str, list[Pair]],
    classes: MaskClasses,
    size: tuple[int, int] | None,
) -> dict[str, Masked]:
    """The pixels of every part, at one size."""
    chosen = "train" if "train" in found else next(iter(found))
    size = size or usual_size([pair.picture for pair in found[chosen]])
    made = {}
    for part, pairs in found.items():
        numbered = attempted(partial(numbers_of, classes, size), pairs, lambda _, error: error)
        if wrong := errors_in(numbered):
            raise all_of(wrong, None)
        Y = np.stack([one.numbers for one in numbered])  # pyright: ignore
        made[part] = Y, [one.digest for one in numbered]  # pyright: ignore
    listings = {part: _listing(pairs) for part, pairs in found.items()}
    decoded = decode_parts(where, listings, size, chosen, skip=None)
    sources = {}
    for part, (Y, digests) in made.items():
        X, places = decoded[part].X, np.array(listings[part].names)
        X = np.asarray(X)[..., None] if X.ndim == 3 else X
        digest = combined_digest([decoded[part].digest, *digests, repr(classes), repr(size)])
        sources[part] = Masked(where, X, Y, places, classes, digest)
    return sources


def _listing(pairs: list[Pair]) -> Listing:
    paths = [pair.picture for pair in pairs]
    return Listing(paths, [path.name for path in paths])


class Numbered(NamedTuple):
    """A mask as training takes it, and the sha256 of its file."""

    numbers: np.ndarray
    digest: str


def numbers_of(classes: MaskClasses, size: tuple[int, int], pair: Pair) -> Numbered:
    """The classes of a mask, checked against its picture, at the size (n_H, n_W)."""
    pixels, digest = decode_mask(pair.mask, classes.coloured)
    n_H, n_W = look(pair.picture).size
    if pixels.shape[:2] != (n_H, n_W):
        got = f"{pixels.shape[0]} by {pixels.shape[1]}"
        expected = f"{n_H} by {n_W} pixels, as {pair.picture.name} has"
        raise DataError(str(pair.mask), expected, got, "the mask of this picture")
    numbers = classes.numbers(str(pair.mask), pixels)
    if (numbers == IGNORED).all():
        hint = "leaving it out, with its picture"
        raise DataError(str(pair.mask), "a pixel that counts", "none but ignored ones", hint)
    return Numbered(nearest(numbers, size), digest)


def usual_size(paths: Sequence[Path]) -> tuple[int, int]:
    """(n_H, n_W) of most pictures, made smaller where a side is longer than LONGER_SIDE.

    It is said where it is not that of all.
    """
    size, sizes = size_of_most(paths, LONGER_SIDE)
    if sizes != [size]:
        n_H, n_W = sizes[0]
        of = f"pictures of {n_H}×{n_W}" if len(sizes) == 1 else f"pictures of {len(sizes)} sizes"
        words = f"{paths[0].parent}: {of}, brought to {size[0]}×{size[1]}"
        warnings.warn(f"{words}; --image-size says another size", DataWarning, stacklevel=4)
    return size


def nearest(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask at another size, each pixel that which lies at its middle.

    >>> nearest(np.array([[1, 2, 3, 4]]), (2, 2)).tolist()
    [[2, 4], [2, 4]]
    """
    rows, columns = (
        (2 * np.arange(new) + 1) * old // (2 * new)
        for new, old in zip(size, mask.shape, strict=True)
    )
    return mask[rows[:, None], columns]
