"""Pictures and whose each is: several of everybody, and nobody in two parts.

Notes: "Triplet loss", "One-shot learning" (course 4, week 4): a pair of one person takes two
pictures, and those who judge or test a network have not been met in training.

    people/ada/1.png, people/ada/2.png, people/eve/1.png, …      a folder for each identity
    people/train/ada/1.png, …, people/test/eve/1.png, …          the same in parts
    people.npz                                                   X and identities; or X_train, …
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.array_keys import IDENTITIES, ROLES, parse_key
from chainrule.data.arrays import array_file
from chainrule.data.files import choose_part
from chainrule.data.images import part_folders, read_images
from chainrule.data.named_arrays import source_from
from chainrule.data.source import Source
from chainrule.data.sources import find
from chainrule.errors import DataError, OptionError, ShapeError

READ = "a folder with a folder of pictures for each identity, or a .npz file of X and identities"
LEAST = 2


def read_identities(
    source: str | os.PathLike[str],
    *,
    part: str = "train",
    image_size: tuple[int, int] | None = None,
    skip_unreadable: bool = False,
) -> Source:
    """Images (m, n_H, n_W[, n_C]), and in `y` whose each is; with training come the other parts.

    Refused are an identity with a single image, and one that is in two parts.
    """
    name = os.fspath(source)
    path, prefix = find(name)
    if path.is_dir():
        roots = part_folders(path)
        how: dict[str, Any] = {"image_size": image_size, "skip_unreadable": skip_unreadable}
        found = read_images(path, part=part, **how)
        main = choose_part(name, roots, part)
    elif path.suffix.lower() == ".npz":
        if image_size is not None:
            raise OptionError("--image-size", "a folder of pictures", name, "leaving it out")
        found, roots, main = _arrays(path, prefix, part), {}, part
    else:
        raise DataError(name, READ, "another file", "one of them")
    sources = {main: found, **found.parts}
    for own, one in sources.items():
        _check_images(one, name)
        if roots:
            _check_folders(one, roots[own])
        numbered(one.y, len(one), name if roots else f"{name}, the {own} part")
    check_apart(name, sources)
    return found


def numbered(identities: Any, m: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Who there is, as they are written, and the number of each image's, (m,).

    Refused are other than m, fewer than two, and one with a single image.

    >>> names, numbers = numbered(["eve", "ada", "eve", "ada"], 4, "identities")
    >>> names.tolist(), numbers.tolist()
    (['ada', 'eve'], [1, 0, 1, 0])
    """
    given = np.asarray(identities)
    if given.shape != (m,):
        hint = "an identity for each image"
        raise ShapeError(where, f"({m},), whose each image is", str(given.shape), hint)
    if given.dtype.kind == "O" and all(isinstance(one, str) for one in given):
        given = given.astype(str)
    if given.dtype.kind not in "biufUS" or (given.dtype.kind == "f" and np.isnan(given).any()):
        hint = "a text or a number for each image"
        raise DataError(where, "texts, or numbers", "others among them", hint)
    names, numbers, counts = np.unique(given, return_inverse=True, return_counts=True)
    if len(names) < LEAST:
        hint = "images of somebody else, to tell them apart"
        raise DataError(where, f"{LEAST} identities or more", f"{len(names)}", hint)
    if counts.min() < LEAST:
        got = f"a single one of {_listed(names[counts < LEAST])}"
        hint = "a second image of each, or leaving them out"
        raise DataError(where, f"{LEAST} images or more of each identity", got, hint)
    return names, numbers


def _arrays(path: Path, prefix: str, part: str) -> Source:
    """Where a key says identities, whose they are; else what is named y or labels."""
    file = array_file(path)
    for roles in (IDENTITIES, ROLES):
        places = [parse_key(key, roles) for key in file.headers]
        if {"x", "y"} <= {place.role for place in places if place}:
            break
    else:
        expected, hint = "X and identities, or X_train and identities_train", "those names"
        raise DataError(str(path), expected, file.listing(), hint)
    return source_from(file, prefix=prefix, part=part, labelled=True, roles=roles)


def _check_images(source: Source, where: str) -> None:
    """Refuse rows that are no images."""
    if source.X.ndim not in (3, 4):
        expected = "images (m, n_H, n_W) or (m, n_H, n_W, n_C)"
        hint = "X.reshape(m, n_H, n_W), if each row is an image"
        raise DataError(where, expected, f"X of shape {source.X.shape}", hint)


def _check_folders(source: Source, root: Path) -> None:
    """Refuse an identity of one picture, by the folder it is in."""
    names, counts = np.unique(np.asarray(source.y), return_counts=True)
    alone = names[counts < LEAST]
    if len(alone):
        more = f"; the same of {_listed(alone[1:])}" if len(alone) > 1 else ""
        hint = "a second picture in it, or removing the folder"
        expected = f"{LEAST} pictures or more of an identity"
        raise DataError(str(root / alone[0]), expected, f"a single one{more}", hint)


def check_apart(where: str, sources: Mapping[str, Source]) -> None:
    """Refuse an identity that is in two parts."""
    seen: dict[str, str] = {}
    for part, source in sources.items():
        names = np.unique(np.asarray(source.y)).tolist()
        both = [name for name in names if name in seen]
        if both:
            got = f"{_listed(both)} in {seen[both[0]]} and in {part}"
            hint = "each with all its pictures in one of them"
            raise DataError(where, "every identity in one part", got, hint)
        seen |= dict.fromkeys(names, part)


def _listed(names: Any) -> str:
    """The first few of them.

    >>> _listed(["ada", "eve"]), _listed(range(5))
    ('ada, eve', '0, 1, 2 and 2 more')
    """
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(str(name) for name in names[:3]) + more
