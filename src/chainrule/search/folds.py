"""K-fold cross-validation: for small data sets, each example is held out once.

Folds are stratified by class, and the rows of a group stay in one fold. With a time column, each
fold is later than all rows that are used to predict it.
"""

import numpy as np

from chainrule.data.source import Source
from chainrule.data.split import numbered
from chainrule.errors import OptionError
from chainrule.train.prepare import labelled


def fold_rows(
    source: Source, count: int, *, stratify: bool, seed: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (training rows, held-out rows) for each of `count` folds."""
    blocks = count + 1 if source.time is not None else count
    units = len(source) if source.groups is None else len(np.unique(numbered(source.groups)))
    if blocks > units:
        what = "examples" if source.groups is None else "groups"
        hint = f"--folds {max(units // 2, 2)}, or more {what}"
        raise OptionError("--folds", f"at least {blocks} {what}", f"{units}", hint)
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
    """Return the fold of each row: the largest group first, each in the fold with fewest rows."""
    sizes = np.bincount(groups)
    shuffled = rng.permutation(len(sizes))
    fold_of, filled = np.empty(len(sizes), int), np.zeros(count, int)
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold_of[group] = np.argmin(filled)
        filled[fold_of[group]] += sizes[group]
    return fold_of[groups]


def _by_time(time: np.ndarray, blocks: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the folds in time order: each block after the first is predicted from all before."""
    parts = np.array_split(np.argsort(np.asarray(time), kind="stable"), blocks)
    return [(np.sort(np.concatenate(parts[:k])), np.sort(parts[k])) for k in range(1, len(parts))]
