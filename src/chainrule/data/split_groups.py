"""Split whole groups, such as the photos of one person or the visits of one patient.

First, the training set gets groups that contain every class. Then the largest remaining group goes
to the set that lacks the most rows, and so on.
"""

import numpy as np

from chainrule.errors import DataError


def group_parts(
    groups: np.ndarray, codes: np.ndarray, sizes: list[int], rng: np.random.Generator
) -> np.ndarray:
    """Return the set (0, 1, …) of each row, given its group, its class and the wanted sizes."""
    counts = np.bincount(groups)
    wanted = [part for part, size in enumerate(sizes) if size > 0]
    if len(counts) < len(wanted):
        raise DataError(
            "the split, groups",
            f"at least {len(wanted)} groups, one for each set",
            f"{len(counts)}",
            "another column, or a separate file for each set",
        )
    shuffled = rng.permutation(len(counts))
    order = shuffled[np.argsort(-counts[shuffled], kind="stable")]  # ties in random order
    in_training = cover_classes(groups, codes, order)
    free = [group for group in order if group not in in_training]
    if len(free) < len(wanted) - 1:
        raise DataError(
            "the split, groups",
            "each class in several groups, since the training set must contain it",
            f"{len(in_training)} of {len(counts)} groups that must be in the training set",
            "another column",
        )
    lacking = np.array(sizes, float)
    lacking[0] -= counts[list(in_training)].sum()
    empty = {part for part in wanted if part > 0 or not in_training}
    part_of = np.zeros(len(counts), int)
    for place, group in enumerate(free):
        choices = wanted if len(free) - place > len(empty) else list(empty)
        part = max(choices, key=lambda choice: lacking[choice])
        part_of[group] = part
        lacking[part] -= counts[group]
        empty.discard(part)
    return part_of[groups]


def cover_classes(groups: np.ndarray, codes: np.ndarray, order: np.ndarray) -> set[int]:
    """Choose groups that together contain every class: small groups and rare classes first."""
    pairs = np.unique(np.stack([codes, groups]), axis=1)  # (class, group) pairs that occur
    if pairs[0, -1] == 0:
        return set()
    rank = np.empty(len(order), int)
    rank[order[::-1]] = np.arange(len(order))  # the smallest group has rank 0
    groups_of = [pairs[1, pairs[0] == code] for code in range(pairs[0, -1] + 1)]
    chosen: set[int] = set()
    for candidates in sorted(groups_of, key=len):
        if not chosen.intersection(candidates.tolist()):
            chosen.add(int(candidates[np.argmin(rank[candidates])]))
    return chosen
