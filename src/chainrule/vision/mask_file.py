"""What a segmenter says of the user's pictures, in the size of each: masks and overlays, as files.

    masks/1.png       the values of the classes, as the masks had them that it was trained on, in
                      the colours of the classes
    overlays/1.png    the same on the picture, with the names of those that there are
    classes.txt       what is what

The chances of the classes are enlarged, not their numbers, so that the edges are no stairs.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.drawing import mask_png, png_of
from chainrule.data.mask_classes import MaskClasses
from chainrule.data.mask_files import by_stem
from chainrule.data.pictures import decode, look
from chainrule.inspection.overlays import with_legend
from chainrule.vision.parts import read_new
from chainrule.vision.segment import classes_of, colours_of
from chainrule.vision.system import System

AT_ONCE = 32
"""Pictures whose chances are in memory."""


@dataclass(frozen=True, eq=False)
class Segmented:
    """A picture, and the number of the class of each of its pixels, (n_H, n_W) of bytes."""

    path: Path
    mask: np.ndarray
    names: tuple[str, ...]

    @property
    def shares(self) -> np.ndarray:
        """Of the pixels, by class."""
        return np.bincount(self.mask.ravel(), minlength=len(self.names)) / self.mask.size

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        n_H, n_W = self.mask.shape
        shares = dict(zip(self.names, self.shares.round(6).tolist(), strict=True))
        return {"file": str(self.path), "width": n_W, "height": n_H, "shares": shares}


def segmented(
    system: System, source: str | Path, *, skip_unreadable: bool = False
) -> Iterator[Segmented]:
    """What is said of each picture, whatever its size."""
    paths, X = read_new(source, system.network.shape, skip_unreadable=skip_unreadable)
    by_stem(paths)  # files of one name would be written over
    for start in range(0, len(X), AT_ONCE):
        chances = system.model.predict_proba(X[start : start + AT_ONCE])
        for path, own in zip(paths[start:], chances, strict=False):
            yield Segmented(path, likely(own, look(path).size), system.names)


def likely(chances: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The most likely class of each pixel at another size, from chances (n_H, n_W, C): bytes.

    >>> likely(np.array([[[1.0, 0.0], [0.3, 0.7]]]), (1, 4)).tolist()
    [[0, 0, 1, 1]]
    """
    for axis, new in enumerate(size):
        chances = enlarged(chances, new, axis)
    return chances.argmax(axis=2).astype(np.uint8)


def enlarged(A: np.ndarray, n: int, axis: int) -> np.ndarray:
    """n numbers along an axis, linear between the middles of the pixels, even beyond the outer.

    >>> enlarged(np.array([0.0, 1.0]), 4, axis=0).tolist()
    [0.0, 0.25, 0.75, 1.0]
    """
    old = A.shape[axis]
    if n == old:
        return A
    at = ((np.arange(n) + 0.5) * old / n - 0.5).clip(0, old - 1)
    first = np.minimum(at.astype(int), max(old - 2, 0))
    share = (at - first).reshape([-1 if i == axis else 1 for i in range(A.ndim)])
    second = np.minimum(first + 1, old - 1)
    return A.take(first, axis) * (1 - share) + A.take(second, axis) * share


def files_of(found: Sequence[Segmented], system: System) -> dict[str, bytes]:
    """Masks, overlays and the list of the classes, by name."""
    classes = classes_of(system)
    colours = colours_of(classes)
    shown = np.zeros((256, 3), np.uint8)
    shown[classes.written(np.arange(len(classes)))] = colours
    files = {"classes.txt": listed(classes).encode()}
    for one in found:
        pixels, _ = decode(one.path, one.mask.shape, grey=False)  # pyright: ignore
        name = f"{one.path.stem}.png"
        files[f"masks/{name}"] = mask_png(classes.written(one.mask), shown)
        drawn = with_legend(pixels, one.mask, one.names, colours)
        files[f"overlays/{name}"] = png_of(drawn)
    return files


def listed(classes: MaskClasses) -> str:
    """The file that `read_classes` reads as the same.

    >>> print(listed(MaskClasses(("cat", "dog"), ((1,), (7,)))), end="")
    cat 1
    dog 7
    """
    rows = zip(classes.names, classes.marks, strict=True)
    return "".join(f"{name} {' '.join(map(str, mark))}\n" for name, mark in rows)


def as_csv(found: Sequence[Segmented]) -> str:
    """A header, and for each picture the share of each class."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    for i, one in enumerate(found):
        if i == 0:
            table.writerow(["file", *one.names])
        table.writerow([one.path, *(f"{share:.6f}" for share in one.shares)])
    return text.getvalue()
