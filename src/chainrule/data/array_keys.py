"""From the names of arrays to what they are: `circles_train_X` is the X of circles' training part.

A key is words joined by `_`, `/`, `-` or `.`: one says the role (x, images; y, labels), one may say
the part (train, dev, test), and what is left is a prefix, by which a file holds several sets.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from chainrule.data.files import PARTS
from chainrule.errors import DataError, did_you_mean

ROLES = {"x": "x", "images": "x", "y": "y", "labels": "y"}
IDENTITIES = {"x": "x", "images": "x", "identities": "y"}
"""Roles in a file that says whose each image is."""
FILLERS = {"set", "orig"}  # the courses write train_set_x_orig
CLASS_NAMES = ("list_classes", "classes", "class_names")
PAIRS = "X and y, X_train and y_train, train_set_x and train_set_y, or images and labels"


class Place(NamedTuple):
    """What a key says of its array."""

    prefix: str
    part: str
    role: str


class Pair(NamedTuple):
    """The keys of one part; y is None where there are no labels."""

    x: str
    y: str | None


def parse_key(key: str, role_of: Mapping[str, str] = ROLES) -> Place | None:
    """What a key means, or None.

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
    """The pair of keys of each part, of the set with this prefix (or of the only set).

    `listing` is what an error shows of the file: its keys with their shapes.
    """
    sets = sets_of(where, keys, role_of)
    if prefix and prefix not in sets:
        raise DataError(
            f"{where}:{prefix}",
            f"arrays named {prefix}_X and {prefix}_y",
            listing,
            did_you_mean(prefix, [name for name in sets if name]) if any(sets) else where,
        )
    if not sets:
        raise DataError(where, f"a pair of arrays such as {PAIRS}", listing, "those names")
    if not prefix and "" not in sets and len(sets) > 1:
        tries = " or ".join(f"{where}:{name}" for name in sets)
        raise DataError(where, "the prefix of one set", f"{len(sets)} sets, {listing}", tries)
    chosen = sets[prefix or ("" if "" in sets else next(iter(sets)))]
    return {part: Pair(roles["x"], roles.get("y")) for part, roles in chosen.items()}


def sets_of(
    where: str, keys: Iterable[str], role_of: Mapping[str, str] = ROLES
) -> dict[str, dict[str, dict[str, str]]]:
    """Prefix, part and role of every key that has them; a part counts only if it has an X."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for key in keys:
        place = parse_key(key, role_of)
        if place is None:
            continue
        roles = found.setdefault(place.prefix, {}).setdefault(place.part, {})
        if place.role in roles:
            raise DataError(
                where,
                f"one {place.role} for the {place.part} part",
                f"{roles[place.role]} and {key}",
                "a file with one of them",
            )
        roles[place.role] = key
    with_X = {
        prefix: {part: roles for part, roles in parts.items() if "x" in roles}
        for prefix, parts in found.items()
    }
    return {prefix: parts for prefix, parts in with_X.items() if parts}
