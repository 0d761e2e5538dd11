"""What the kinds share: parts split off, pictures without labels, numbers for JSON."""

import math
from collections.abc import Container
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from chainrule.data.decoding import SUFFIXES, Listing, check_pillow, decode_parts
from chainrule.data.images import images_in
from chainrule.data.split import split
from chainrule.errors import DataError, OptionError
from chainrule.vision.recipe import VisionRecipe

HELD_OUT = ("dev", "test")


class Rows(Protocol):
    """A part of which some can be taken."""

    def __len__(self) -> int: ...

    def rows(self, rows: Any) -> Self: ...


P = TypeVar("P", bound=Rows)


def split_off(recipe: VisionRecipe, parts: dict[str, P]) -> dict[str, P]:
    """The parts that are there, and those that are split off the training part by the notes' rule.

    A part that the recipe says is "none" is not made.
    """
    dev, test = (part not in parts and getattr(recipe, part) != "none" for part in HELD_OUT)
    if not (dev or test):
        return parts
    train = parts["train"]
    cut = split(len(train), seed=recipe.seed, dev=dev, test=test)._asdict()
    made = parts | {name: train.rows(rows) for name, rows in cut.items() if len(rows)}
    return {name: made[name] for name in ("train", *HELD_OUT) if name in made}


def check_once(recipe: VisionRecipe, part: str, there: Container[str]) -> None:
    """Refuse a part that is said and is in the source too."""
    if getattr(recipe, part) is not None and part in there:
        expected, got = f"a source without a {part} part", f"{recipe.source}, which has one"
        raise OptionError(f"--{part}", expected, got, f"leaving out --{part}")


def read_new(
    source: str | Path, shape: tuple[int, int, int], *, skip_unreadable: bool = False
) -> tuple[list[Path], np.ndarray]:
    """Pictures without labels, a file or those of a folder: their paths, and bytes (m, *shape)."""
    source = Path(source)
    check_pillow(str(source))
    if not source.exists():
        raise DataError(str(source), "a picture, or a folder of pictures", "nothing", "its path")
    paths = [source] if source.is_file() else images_in(source)
    if not paths:
        hint = f"files that end in {', '.join(SUFFIXES)}"
        raise DataError(str(source), "pictures", "a folder without any", hint)
    listing = Listing(paths, [path.name for path in paths])
    how = {"image_size": shape[:2], "chosen": "test", "skip": skip_unreadable}
    decoded = decode_parts(str(source), {"test": listing}, **how)["test"]
    return [paths[i] for i in decoded.readable_rows], as_channels(
        np.asarray(decoded.X[:]), shape[2]
    )


def as_channels(X: np.ndarray, n_C: int) -> np.ndarray:
    """(m, n_H, n_W, n_C): grey pictures for a network of colours, and the other way round."""
    X = X[..., None] if X.ndim == 3 else X
    if X.shape[3] == n_C:
        return X
    return np.repeat(X, 3, axis=3) if n_C == 3 else X.mean(axis=3, keepdims=True).astype(X.dtype)


def as_bytes(X: np.ndarray) -> np.ndarray:
    """Pixels as bytes."""
    return X if X.dtype == np.uint8 else np.round(np.clip(X, 0, 1) * 255).astype(np.uint8)


def known(value: Any) -> Any:
    """None in place of nan, which JSON has no word for."""
    if isinstance(value, list):
        return [known(one) for one in value]
    return None if math.isnan(value) else value
