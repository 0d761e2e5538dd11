"""Functions shared by the vision tasks: splitting, reading unlabelled images, and data for JSON."""

import math
import os
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.decoding import FULL, Listing, check_pillow, decode_parts
from chainrule.data.images import images_below
from chainrule.data.scaling import are_fractions, value_range, white_level
from chainrule.data.split import split
from chainrule.errors import DataError, OptionError
from chainrule.runs.prepare import S, split_off
from chainrule.vision.recipe import VisionRecipe


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images X (m, n_H, n_W, n_C) in bytes, and their labels Y.

    `white` is the value of white in image files with 16 bits, None if there are none.
    """

    name: str
    X: Any
    Y: np.ndarray
    white: int | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        return len(self.X)


def split_images(recipe: VisionRecipe, parts: Mapping[str, S]) -> dict[str, S]:
    """Split missing dev and test sets off the training set at random, sized as for tables."""
    return split_off(parts, recipe, partial(split, len(parts["train"]), seed=recipe.seed))


def check_once(recipe: VisionRecipe, part: str, present: Container[str]) -> None:
    """Refuse a set that is given by an option although the source already contains it."""
    if getattr(recipe, part) is not None and part in present:
        expected, got = f"a source without a {part} set", f"{recipe.source}, which has one"
        raise OptionError(f"--{part}", expected, got, f"leaving out --{part}")


def read_new(
    source: str | Path,
    shape: tuple[int, int, int],
    *,
    skip_unreadable: bool = False,
    white: int = FULL,
) -> tuple[list[Path], np.ndarray]:
    """Read unlabelled images: a file, or all in a folder and its subfolders.

    Return their paths and bytes (m, *shape). `white` is the value of white in image files with 16
    bits.
    """
    source = Path(source)
    check_pillow(str(source))
    if not source.exists():
        expected, got = "an image, or a folder of images", "no such file or folder"
        raise DataError(str(source), expected, got, "checking the path")
    paths = [source] if source.is_file() else images_below(source)
    listing = Listing(paths, [str(path) for path in paths])
    how: dict[str, Any] = {
        "image_size": shape[:2],
        "chosen": "test",
        "skip": skip_unreadable,
        "white": white,
    }
    decoded = decode_parts(str(source), {"test": listing}, **how)["test"]
    return [paths[i] for i in decoded.readable_rows], as_channels(
        np.asarray(decoded.X[:]), shape[2]
    )


def names_of_drawings(paths: Sequence[Path]) -> list[str]:
    """Return a file name for the result of each image: its path below the common folder, as PNG.

    Two images that differ only in their suffix are refused, since one would overwrite the other.

    >>> names_of_drawings([Path("new/1.jpg"), Path("new/cars/1.jpg")])
    ['1.png', 'cars/1.png']
    """
    if not paths:
        return []
    root = os.path.commonpath([path.parent for path in paths])
    named: dict[str, Path] = {}
    for path in paths:
        name = path.relative_to(root).with_suffix(".png").as_posix()
        if name in named:
            hint = "keeping one of the two"
            expected = f"a name that differs from {named[name].name} in more than the suffix"
            raise DataError(str(path), expected, "the same name", hint)
        named[name] = path
    return list(named)


def as_channels(X: np.ndarray, n_C: int) -> np.ndarray:
    """Return X as (m, n_H, n_W, n_C), converted from grey to colour or vice versa if needed."""
    X = X[..., None] if X.ndim == 3 else X
    if X.shape[3] == n_C:
        return X
    return np.repeat(X, 3, axis=3) if n_C == 3 else X.mean(axis=3, keepdims=True).astype(X.dtype)


def as_bytes(X: np.ndarray) -> np.ndarray:
    """Convert pixels to bytes, from the range of their type or of their values.

    >>> as_bytes(np.array([0.0, 0.5, 1.0])).tolist(), as_bytes(np.array([0.0, 100.0])).tolist()
    ([0, 128, 255], [0, 100])
    """
    if X.dtype == np.uint8:
        return X
    most = value_range(X)[1]
    white = 1 if are_fractions(X.dtype, most) else white_level(most)
    return np.round(np.clip(X / white, 0, 1) * 255).astype(np.uint8)


def without_nan(value: Any) -> Any:
    """Replace nan, which JSON cannot represent, by None."""
    if isinstance(value, list):
        return [without_nan(one) for one in value]
    return None if math.isnan(value) else value
