"""Infer the role of an array from its name: `circles_train_X` is the training X of the set circles.

A key consists of words joined by `_`, `/`, `-` or `.`: one word gives the role (x, images; y,
labels) and one may give the split (train, dev, test). The rest is a prefix, so that one file can
hold several sets.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from chainrule.data.files import PARTS
from chainrule.errors import DataError, did_you_mean

ROLES = {"x": "x", "images": "x", "y": "y", "labels": "y"}
IDENTITIES = {"x": "x", "images": "x", "identities": "y"}
"""Roles in a file of images labelled by identity."""
FILLERS = {"set", "orig"}  # the course files use train_set_x_orig
CLASS_NAMES = ("list_classes", "classes", "class_names")
PAIRS = "X and y, X_train and y_train, train_set_x and train_set_y, or images and labels"


class Place(NamedTuple):
    """The prefix, the split and the role that a key stands for."""

    prefix: str
    part: str
    role: str


class Pair(NamedTuple):
    """The keys of X and y of one split; y is None without labels."""

    x: str
    y: str | None


def parse_key(key: str, role_of: Mapping[str, str] = ROLES) -> Place | None:
    """Return what a key stands for, or None if it has no role.

    >>> parse_key("circles_train_X")
    Place(prefix='circles', part='train', role='x')
    >>> parse_key("test_set_y")
    Place(prefix='', part='test', role='y')
    >>> parse_key("box_image") is None
    True
    """
    words = [word for word in re.split(r"[_/.\-]+", key) if word and word.lower() not in FILLERS]
    roles = [role_of[word.lower()] for word in words if word.lower() in role_of]
    parts = [PARTS[word.lower()] for word in words if word.lower() in PARTS]
    if len(roles) != 1 or len(parts) > 1:
        return None
    rest = [word for word in words if word.lower() not in role_of and word.lower() not in PARTS]
    return Place("_".join(rest), parts[0] if parts else "train", roles[0])


def find_pairs(
    where: str, keys: Iterable[str], listing: str, prefix: str, role_of: Mapping[str, str] = ROLES
) -> dict[str, Pair]:
    """Return the X and y keys of each split, in the set with this prefix (or the only set).

    `listing` describes the file in errors: its keys with their shapes.
    """
    sets = group_keys(where, keys, role_of)
    if prefix and prefix not in sets:
        raise DataError(
            f"{where}:{prefix}",
            f"arrays named {prefix}_X and {prefix}_y",
            listing,
            did_you_mean(prefix, [name for name in sets if name]) if any(sets) else where,
        )
    if not sets:
        raise DataError(where, f"a pair of arrays such as {PAIRS}", listing, "renaming the arrays")
    if not prefix and "" not in sets and len(sets) > 1:
        tries = " or ".join(f"{where}:{name}" for name in sets)
        expected = "a prefix, since the file holds several sets"
        raise DataError(where, expected, f"{len(sets)} sets, {listing}", tries)
    chosen = sets[prefix or ("" if "" in sets else next(iter(sets)))]
    return {part: Pair(roles["x"], roles.get("y")) for part, roles in chosen.items()}


def group_keys(
    where: str, keys: Iterable[str], role_of: Mapping[str, str] = ROLES
) -> dict[str, dict[str, dict[str, str]]]:
    """Group the keys by prefix, split and role; a split counts only if it has an X."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for key in keys:
        place = parse_key(key, role_of)
        if place is None:
            continue
        roles = found.setdefault(place.prefix, {}).setdefault(place.part, {})
        if place.role in roles:
            raise DataError(
                where,
                f"one {place.role} array for the {place.part} set",
                f"{roles[place.role]} and {key}",
                "keeping only one of them",
            )
        roles[place.role] = key
    having_X = {
        prefix: {part: roles for part, roles in parts.items() if "x" in roles}
        for prefix, parts in found.items()
    }
    return {prefix: parts for prefix, parts in having_X.items() if parts}
