"""Add training data from a different distribution, and set aside a train-dev set.

Notes: "Training and testing on different distributions", "Bias and variance with mismatched data
distributions" (course 3, week 2).

    train        the target distribution plus extra training data
    train-dev    same distribution as train, but not trained on: its error shows variance
    dev, test    the target distribution only: dev error above train-dev error is data mismatch
"""

import hashlib
from dataclasses import replace

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.data.split import TEST, encode_classes, group_parts, shares, stratified
from chainrule.data.streaming import stack_rows
from chainrule.errors import DataError

TRAIN_DEV = "train-dev"
SHARE = 5
"""At most one fifth of the training set is set aside."""


def add_extra_data(train: Dataset, extra: Dataset) -> Dataset:
    """Concatenate the training set and the extra training data; each extra row is its own group."""
    m = len(train), len(extra)
    return replace(
        train,
        X=_rows(train, extra),
        y=None if train.y is None or extra.y is None else _labels(train.y, extra.y),
        weights=_either(train.weights, extra.weights, m),
        groups=None if train.groups is None else _groups(train.groups, m[1]),
        time=None,
        keys=_keys(train, extra),
        places=np.array([*train.where, *(f"{extra.name} {at}" for at in extra.where)], object),
        digest=hashlib.sha256((train.digest + extra.digest).encode()).hexdigest(),
    )


def split_train_dev(
    train: Dataset, count: int, *, classes: bool, seed: int = 0
) -> tuple[Dataset, Dataset]:
    """Split off `count` rows as the train-dev set; stratified, and groups stay whole."""
    m, rng = len(train), np.random.default_rng(seed)
    count = min(count, m // SHARE)
    if count < 1:
        hint = "adding examples, or training without a train-dev set"
        raise DataError("the train-dev set", f"at least {SHARE} examples", str(m), hint)
    codes = encode_classes(train.y) if classes and train.y is not None else np.zeros(m, int)
    if train.groups is not None:
        part = group_parts(encode_classes(train.groups), codes, [m - count, 0, count], rng)
    else:
        part = stratified(codes, 0, _possible(codes, count), rng)
    aside = part == TEST
    return train.rows(np.flatnonzero(~aside)), train.rows(np.flatnonzero(aside))


def _possible(codes: np.ndarray, count: int) -> int:
    """Return how many of `count` rows can be removed without losing the last example of a class."""
    room = np.bincount(codes) - 1
    return int(min(count, shares(np.bincount(codes), min(count, room.sum()), room=room).sum()))


def _rows(train: Dataset, extra: Dataset):
    """Concatenate X of both data sets; the columns of tables are matched by name."""
    if train.is_table != extra.is_table:
        kinds = [("a table" if one.is_table else "arrays") for one in (train, extra)]
        expected = f"{kinds[0]}, like {train.name}"
        raise DataError(f"--extra {extra.name}", expected, kinds[1], "a file of the same kind")
    if train.is_table:
        import pandas as pd

        missing = [name for name in train.X.columns if name not in extra.X]
        if missing:
            expected = f"the columns of {train.name}"
            got = f"no column {', '.join(map(repr, missing[:5]))}"
            raise DataError(f"--extra {extra.name}", expected, got, "using the same column names")
        return pd.concat([train.X, extra.X[list(train.X.columns)]], ignore_index=True)
    if train.X.shape[1:] != extra.X.shape[1:]:
        shapes = ["×".join(map(str, one.X.shape[1:])) for one in (train, extra)]
        expected = f"examples of {shapes[0]}, as in {train.name}"
        raise DataError(f"--extra {extra.name}", expected, shapes[1], "examples of the same shape")
    return stack_rows([train.X, extra.X])


def _keys(train: Dataset, extra: Dataset):
    """Concatenate the keys of both data sets; extra rows without a key have an empty one."""
    if train.keys is None:
        return None
    import pandas as pd

    empty = pd.DataFrame(index=range(len(extra)))
    more = (empty if extra.keys is None else extra.keys).reindex(columns=train.keys.columns)
    return pd.concat([train.keys.astype(object), more.astype(object)], ignore_index=True)


def _labels(y: np.ndarray, more: np.ndarray) -> np.ndarray:
    """Concatenate labels, as objects if their types differ."""
    if y.dtype.kind == more.dtype.kind:
        return np.concatenate([y, more])
    return np.concatenate([y.astype(object), more.astype(object)])


def _either(first: np.ndarray | None, second: np.ndarray | None, m: tuple[int, int]):
    """Concatenate the weights of both data sets; a row without a weight has weight 1."""
    if first is None and second is None:
        return None
    pairs = zip((first, second), m, strict=True)
    return np.concatenate([np.ones(n) if w is None else w for w, n in pairs])


def _groups(groups: np.ndarray, more: int) -> np.ndarray:
    """Number the groups; each additional row becomes its own group."""
    codes = encode_classes(groups)
    return np.concatenate([codes, codes.max() + 1 + np.arange(more)])
