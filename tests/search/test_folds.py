"""chainrule/search/objective.py: each example is held out once; classes, groups and time."""

import numpy as np
import pytest

from chainrule.data.dataset import Dataset
from chainrule.errors import OptionError
from chainrule.search.objective import fold_rows

RNG = np.random.default_rng(0)


def source(m: int, **more) -> Dataset:
    return Dataset("s", np.zeros((m, 1)), np.arange(m) % 3 % 2, **more)


def held_out(folds):
    return np.concatenate([held for _, held in folds])


@pytest.mark.parametrize("m", [9, 20, 31])
@pytest.mark.parametrize("stratify", [True, False])
def test_each_example_is_held_out_once(m, stratify):
    folds = fold_rows(source(m), 3, stratify=stratify)
    assert sorted(held_out(folds)) == list(range(m))
    for train, held in folds:
        assert sorted([*train, *held]) == list(range(m))
        assert abs(len(held) - m / 3) < 1


def test_each_class_has_its_share_in_each_fold():
    given = source(30)
    shares = [given.y[held].sum() for _, held in fold_rows(given, 5, stratify=True)]
    assert shares == [2] * 5


def test_the_seed_decides():
    first, same, other = (
        fold_rows(source(30), 3, stratify=False, seed=seed)[0][1] for seed in (0, 0, 1)
    )
    assert (first == same).all()
    assert (first != other).any()


def test_a_group_stays_in_one_fold():
    groups = RNG.integers(0, 12, 60)
    folds = fold_rows(source(60, groups=groups), 4, stratify=True)
    assert sorted(held_out(folds)) == list(range(60))
    for train, held in folds:
        assert not set(groups[train]) & set(groups[held])
        assert 8 <= len(held) <= 22


def test_with_a_time_the_future_is_predicted_from_the_past():
    time = RNG.permutation(20)
    folds = fold_rows(source(20, time=time), 3, stratify=True)
    assert [len(held) for _, held in folds] == [5, 5, 5]
    for train, held in folds:
        assert time[train].max() < time[held].min()
    assert [len(train) for train, _ in folds] == [5, 10, 15]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "at least 5 examples; got 4.\nTry --folds 2, or more examples."),
        (
            {"groups": np.array([0, 0, 1, 1])},
            "at least 5 groups; got 2.\nTry --folds 2, or more groups.",
        ),
    ],
)
def test_too_few(more, words):
    with pytest.raises(OptionError) as error:
        fold_rows(source(4, **more), 5, stratify=True)
    assert str(error.value) == f"--folds: expected {words}"
