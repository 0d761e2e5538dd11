"""Read images labelled by identity: at least two images of each, and no identity in two sets.

Notes: "Triplet loss", "One-shot learning" (course 4, week 4): a positive pair needs two images of
one person, and the people in the dev and test sets must be unseen in training.

    people/ada/1.png, people/ada/2.png, people/eve/1.png, …      one folder per identity
    people/train/ada/1.png, …, people/test/eve/1.png, …          the same, already split
    people.npz                                                   X and identities; or X_train, …
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.arrays import IDENTITIES, ROLES, array_file, dataset_from, parse_key
from chainrule.data.dataset import Dataset
from chainrule.data.files import choose_part
from chainrule.data.images import part_folders, read_images
from chainrule.data.load import find_data
from chainrule.errors import DataError, OptionError, ShapeError

READ = "a folder with one folder of images per identity, or a .npz file of X and identities"
LEAST = 2


def read_identities(
    source: str | os.PathLike[str],
    *,
    part: str = "train",
    image_size: tuple[int, int] | None = None,
    skip_unreadable: bool = False,
    white: int | None = None,
) -> Dataset:
    """Return images (m, n_H, n_W[, n_C]) with identities in `y`; dev and test come with train.

    Raises DataError for an identity with a single image, and for one that occurs in two sets.
    """
    name = os.fspath(source)
    path, prefix = find_data(name)
    if path.is_dir():
        roots = part_folders(path)
        options: dict[str, Any] = {"image_size": image_size, "skip_unreadable": skip_unreadable}
        found = read_images(path, part=part, white=white, **options)
        main = choose_part(name, roots, part)
    elif path.suffix.lower() == ".npz":
        if image_size is not None:
            raise OptionError("--image-size", "a folder of images", name, "removing this option")
        found, roots, main = _arrays(path, prefix, part), {}, part
    else:
        raise DataError(name, READ, "an unsupported file", "one of these formats")
    datasets = {main: found, **found.parts}
    for own, one in datasets.items():
        _check_images(one, name)
        if roots:
            _check_folders(one, roots[own])
        encode_identities(one.y, len(one), name if roots else f"{name}, the {own} set")
    check_apart(name, datasets)
    return found


def encode_identities(identities: Any, m: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct identities, and the index of each image's identity, (m,).

    Raises an error unless there are m labels of at least two identities with two images each.

    >>> names, numbers = encode_identities(["eve", "ada", "eve", "ada"], 4, "identities")
    >>> names.tolist(), numbers.tolist()
    (['ada', 'eve'], [1, 0, 1, 0])
    """
    given = np.asarray(identities)
    if given.shape != (m,):
        hint = "passing the identity of each image"
        raise ShapeError(where, f"({m},), one identity per image", str(given.shape), hint)
    if given.dtype.kind == "O" and all(isinstance(one, str) for one in given):
        given = given.astype(str)
    if given.dtype.kind not in "biufUS" or (given.dtype.kind == "f" and np.isnan(given).any()):
        hint = "a string or a number for each image"
        raise DataError(where, "strings or numbers", "values of other types among them", hint)
    names, numbers, counts = np.unique(given, return_inverse=True, return_counts=True)
    if len(names) < LEAST:
        hint = "adding images of another identity"
        raise DataError(where, f"at least {LEAST} identities", f"{len(names)}", hint)
    if counts.min() < LEAST:
        got = f"only one of {_listed(names[counts < LEAST])}"
        hint = "adding a second image of each, or removing these identities"
        raise DataError(where, f"at least {LEAST} images of each identity", got, hint)
    return names, numbers


def _arrays(path: Path, prefix: str, part: str) -> Dataset:
    """Read a .npz file; labels are the key named identities, else y or labels."""
    file = array_file(path)
    for roles in (IDENTITIES, ROLES):
        places = [parse_key(key, roles) for key in file.headers]
        if {"x", "y"} <= {place.role for place in places if place}:
            break
    else:
        expected, hint = "X and identities, or X_train and identities_train", "these names"
        raise DataError(str(path), expected, file.listing(), hint)
    return dataset_from(file, prefix=prefix, part=part, labelled=True, roles=roles)


def _check_images(dataset: Dataset, where: str) -> None:
    """Refuse rows that are not images."""
    if dataset.X.ndim not in (3, 4):
        expected = "images (m, n_H, n_W) or (m, n_H, n_W, n_C)"
        hint = "X.reshape(m, n_H, n_W), if each row is an image"
        raise DataError(where, expected, f"X of shape {dataset.X.shape}", hint)


def _check_folders(dataset: Dataset, root: Path) -> None:
    """Refuse an identity with a single image, naming its folder."""
    names, counts = np.unique(np.asarray(dataset.y), return_counts=True)
    alone = names[counts < LEAST]
    if len(alone):
        more = f"; likewise for {_listed(alone[1:])}" if len(alone) > 1 else ""
        hint = "adding a second image, or removing the folder"
        expected = f"at least {LEAST} images of each identity"
        raise DataError(str(root / alone[0]), expected, f"only one{more}", hint)


def check_apart(where: str, datasets: Mapping[str, Dataset]) -> None:
    """Refuse an identity that occurs in two sets."""
    seen: dict[str, str] = {}
    for part, dataset in datasets.items():
        names = np.unique(np.asarray(dataset.y)).tolist()
        both = [name for name in names if name in seen]
        if both:
            got = f"{_listed(both)} in {seen[both[0]]} and in {part}"
            hint = "moving all images of an identity to one set"
            raise DataError(where, "each identity in one set only", got, hint)
        seen |= dict.fromkeys(names, part)


def _listed(names: Any) -> str:
    """Return the first few names, and the number of the others.

    >>> _listed(["ada", "eve"]), _listed(range(5))
    ('ada, eve', '0, 1, 2 and 2 more')
    """
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(str(name) for name in names[:3]) + more
