"""Whole groups to each part: the photos of one person, the visits of one patient.

The largest group first, each to the part that lacks most. Before that, every class gets a group in
training.
"""

import numpy as np

from chainrule.errors import DataError


def group_parts(
    groups: np.ndarray, codes: np.ndarray, sizes: list[int], rng: np.random.Generator
) -> np.ndarray:
    """The part (0, 1, …) of each row, from its group, its class and the sizes wanted."""
    counts = np.bincount(groups)
    wanted = [part for part, size in enumerate(sizes) if size > 0]
    if len(counts) < len(wanted):
        raise DataError(
            "the split, groups",
            f"at least {len(wanted)} groups, one for each part",
            f"{len(counts)}",
            "another column, or a file of its own for each part",
        )
    shuffled = rng.permutation(len(counts))
    order = shuffled[np.argsort(-counts[shuffled], kind="stable")]  # ties in random order
    in_training = cover_classes(groups, codes, order)
    free = [group for group in order if group not in in_training]
    if len(free) < len(wanted) - 1:
        raise DataError(
            "the split, groups",
            "every class in several groups, since each class must be in training",
            f"{len(in_training)} of {len(counts)} groups that only training can have",
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
    """Groups that together have every class, small ones first, rare classes first."""
    pairs = np.unique(np.stack([codes, groups]), axis=1)  # which class is in which group
    if pairs[0, -1] == 0:
        return set()
    rank = np.empty(len(order), int)
    rank[order[::-1]] = np.arange(len(order))  # the smallest group is 0
    groups_of = [pairs[1, pairs[0] == code] for code in range(pairs[0, -1] + 1)]
    chosen: set[int] = set()
    for candidates in sorted(groups_of, key=len):
        if not chosen.intersection(candidates.tolist()):
            chosen.add(int(candidates[np.argmin(rank[candidates])]))
    return chosen
