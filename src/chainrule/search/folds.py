"""K folds: where examples are few, each of them is held out once.

Every class has its share in each fold; the rows of a group stay in one; with a time, each fold is
later than all that it is predicted from.
"""

import numpy as np

from chainrule.data.source import Source
from chainrule.data.split import numbered
from chainrule.errors import OptionError
from chainrule.train.prepare import labelled


def fold_rows(
    source: Source, count: int, *, stratify: bool, seed: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each of `count` folds: the rows that train, and those that are held out."""
    blocks = count + 1 if source.time is not None else count
    units = len(source) if source.groups is None else len(np.unique(numbered(source.groups)))
    if blocks > units:
        what = "examples" if source.groups is None else "groups"
        hint = f"--folds {max(units // 2, 2)}, or more {what}"
        raise OptionError("--folds", f"as many {what} as parts, or more", f"{units}", hint)
    if source.time is not None:
        return _by_time(source.time, blocks)
    rng = np.random.default_rng(seed)
    if source.groups is not None:
        fold = _by_group(numbered(source.groups), count, rng)
    else:
        codes = numbered(labelled(source)) if stratify else np.zeros(len(source), int)
        shuffled = rng.permutation(len(source))
        order = shuffled[np.argsort(codes[shuffled], kind="stable")]  # class by class
        fold = np.empty(len(source), int)
        fold[order] = np.arange(len(source)) % count
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(count)]


def _by_group(groups: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """The fold of each row: the largest group first, each to the fold that has fewest rows."""
    sizes = np.bincount(groups)
    shuffled = rng.permutation(len(sizes))
    fold_of, filled = np.empty(len(sizes), int), np.zeros(count, int)
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold_of[group] = np.argmin(filled)
        filled[fold_of[group]] += sizes[group]
    return fold_of[groups]


def _by_time(time: np.ndarray, blocks: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each block but the first is predicted from all that come before it."""
    parts = np.array_split(np.argsort(np.asarray(time), kind="stable"), blocks)
    return [(np.sort(np.concatenate(parts[:k])), np.sort(parts[k])) for k in range(1, len(parts))]
