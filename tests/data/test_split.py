"""chainrule/data/split.py"""

from decimal import Decimal, getcontext
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data.split import (
    FOLDS,
    Split,
    can_be_split,
    cover_classes,
    duplicate_rows,
    duplicates_across,
    fold,
    shares,
    split,
    split_sizes,
)
from chainrule.errors import DataError, OptionError


@pytest.mark.parametrize(
    ("m", "held"),
    [
        (5, 1),
        (9, 1),
        (10, 2),
        (1797, 359),
        (9_999, 1999),
        (10_000, 2000),
        (10_001, 2000),
        (100_000, 4472),  # 2000 √5
        (999_999, 9999),
        (1_000_000, 10_000),
        (1_000_001, 10_000),
        (1_000_100, 10_001),
        (10**9, 10**7),
    ],
)
def test_sizes_by_hand(m, held):
    assert split_sizes(m) == (m - 2 * held, held, held)


def test_sizes_are_exact_for_every_m_between():
    """The first m that holds out n is ⌈10⁴ (n / 2000)^(log 100 / log 5)⌉, here with 40 digits."""
    getcontext().prec = 40
    power = Decimal(100).ln() / Decimal(5).ln()
    first = [10_000] + [int(10_000 * (Decimal(n) / 2000) ** power) + 1 for n in range(2001, 10_000)]
    for n, (start, end) in enumerate(zip(first, [*first[1:], 10**6], strict=True), 2000):
        assert split_sizes(start)[1] == split_sizes(end - 1)[1] == n


def test_shares_by_hand():
    """4 of 5 + 3 + 2: quotas 2.0, 1.2, 0.8; the last one goes to the largest remainder."""
    counts = np.array([5, 3, 2])
    assert shares(counts, 4, room=counts - 1).tolist() == [2, 1, 1]


def test_shares_go_past_a_full_class():
    """Quotas 1.5, 1.5, 3: the class with two examples can give only one."""
    assert shares(np.array([2, 2, 4]), 6, room=np.array([1, 2, 4])).tolist() == [1, 2, 3]


def test_the_latest_are_test_and_those_before_them_dev():
    time = np.array([30, 10, 50, 20, 40, 60, 80, 70, 90, 100])
    parts = split(10, time=time)
    assert time[parts.test].tolist() == [90, 100]
    assert sorted(time[parts.dev]) == [70, 80]
    dates = np.array([f"2024-01-{day:02}" for day in range(10, 0, -1)])
    assert split(10, time=dates).test.tolist() == [0, 1]
    assert split(10, time=dates.astype(object)).test.tolist() == [0, 1]
    assert split(10, time=dates.astype("datetime64[D]")).test.tolist() == [0, 1]


def test_iris_by_hand():
    classes = np.repeat(["setosa", "versicolor", "virginica"], 50)
    parts = split(150, classes=classes)
    for rows, each in zip(parts, (30, 10, 10), strict=True):
        assert np.unique(classes[rows], return_counts=True)[1].tolist() == [each] * 3


def test_rows_of_an_unwanted_set_go_to_training():
    assert [len(rows) for rows in split(100, dev=False)] == [80, 0, 20]
    assert [len(rows) for rows in split(100, test=False)] == [80, 20, 0]
    assert [len(rows) for rows in split(3, dev=False, test=False)] == [3, 0, 0]
    time = np.arange(100)
    assert split(100, time=time, dev=False).test.tolist() == list(range(80, 100))
    assert split(100, time=time, test=False).dev.tolist() == list(range(80, 100))
    assert [len(r) for r in split(100, groups=time, test=False)] == [80, 20, 0]


def check_parts(parts: Split, m: int):
    """Check that every row is in exactly one set."""
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(m))
    assert all(np.all(np.diff(rows) > 0) for rows in parts)


sizes = st.integers(5, 400)
seeds = st.integers(0, 2**32 - 1)


@given(sizes, seeds)
def test_disjoint_covering_exact_and_seeded(m, seed):
    parts = split(m, seed=seed)
    check_parts(parts, m)
    assert tuple(map(len, parts)) == split_sizes(m)
    again = split(m, seed=seed)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def test_another_seed_is_another_split():
    assert split(100, seed=0).test.tolist() != split(100, seed=1).test.tolist()


@given(st.lists(st.integers(2, 60), min_size=3, max_size=12), seeds)
def test_stratified_to_a_row_and_every_class_trains(counts, seed):
    classes = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    m = len(classes)
    parts = split(m, classes=classes, seed=seed)
    check_parts(parts, m)
    assert tuple(map(len, parts)) == split_sizes(m)
    for code, count in enumerate(counts):
        got = [np.sum(classes[rows] == code) for rows in parts]
        assert got[0] >= 1
        if count >= 10:  # with room to spare, each part is within two rows of its quota
            quotas = [Fraction(count * len(rows), m) for rows in parts]
            assert all(abs(g - q) < 2 for g, q in zip(got, quotas, strict=True))


# Folds


def test_folds_of_three_classes_by_hand():
    """Every fifth row, class by class: 2 of 10, 1 of 5, and none of a class of one row."""
    classes = np.array(["a"] * 10 + ["b"] * 5 + ["c"])
    for k in range(20):
        held = classes[fold(16, k, classes=classes).dev]
        assert sorted(held) == ["a", "a", "b"]


@given(sizes, seeds)
def test_folds_are_disjoint_equally_large_and_cover_every_row(m, seed):
    folds = [fold(m, k, seed=seed) for k in range(2 * FOLDS)]
    for one in folds:
        check_parts(one, m)
        assert len(one.dev) == split_sizes(m)[1]
    for first in (folds[:FOLDS], folds[FOLDS:]):
        held = np.concatenate([one.dev for one in first])
        assert len(np.unique(held)) == len(held) == FOLDS * (m // FOLDS)
    again = fold(m, 7, seed=seed)  # without the others
    assert all(np.array_equal(a, b) for a, b in zip(again, folds[7], strict=True))


def test_folds_with_another_seed_and_those_after_the_first_five_are_others():
    first = {tuple(fold(100, k).dev) for k in range(FOLDS)}
    assert len(first | {tuple(fold(100, k).dev) for k in range(FOLDS, 20)}) == 20
    assert not first & {tuple(fold(100, k, seed=1).dev) for k in range(FOLDS)}


@given(st.lists(st.integers(1, 60), min_size=1, max_size=12), seeds)
def test_folds_are_stratified_and_every_class_trains(counts, seed):
    classes = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    m = len(classes)
    if not can_be_split(m, classes):
        return
    folds = [fold(m, k, classes=classes, seed=seed) for k in range(FOLDS)]
    repeated = sum(count for count in counts if count > 1)
    for one in folds:
        check_parts(one, m)
        assert len(one.dev) == min(m // FOLDS, repeated // FOLDS) >= 1
        held = np.bincount(classes[one.dev], minlength=len(counts))
        assert (held < counts).all()
        share = np.where(np.array(counts) > 1, np.array(counts) * len(one.dev) / repeated, 0)
        assert (np.abs(held - share) < 2).all()  # rounded twice: to a fifth, and to equal sizes
    held = np.concatenate([one.dev for one in folds])
    assert len(np.unique(held)) == len(held)


def test_folds_of_many_rows_have_smaller_dev_sets_with_every_class():
    classes = np.repeat([0, 1, 2], [180_000, 19_000, 1000])
    held = [fold(200_000, k, classes=classes).dev for k in range(FOLDS)]
    assert [len(dev) for dev in held] == [split_sizes(200_000)[1]] * FOLDS
    assert len(np.unique(np.concatenate(held))) == FOLDS * len(held[0])
    for dev in held:
        share = np.array([0.9, 0.095, 0.005]) * len(dev)
        assert (np.abs(np.bincount(classes[dev]) - share) < 2).all()


@pytest.mark.parametrize(
    ("classes", "possible"),
    [
        ("aaaa", False),
        ("aaaaa", True),
        ("aabcde", False),  # only two rows could be held out, in turns
        ("aabbc", False),
        ("aabbcc", True),
        ("abcdefgaaaaa", True),
    ],
)
def test_a_dev_set_needs_five_rows_in_classes_of_several_rows(classes, possible):
    codes = np.array(list(classes))
    assert can_be_split(len(codes), codes) == possible
    if possible:
        assert all(len(fold(len(codes), k, classes=codes).dev) for k in range(FOLDS))


@given(st.integers(3, 30), st.integers(30, 300), seeds)
def test_groups_stay_together(n_groups, m, seed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, n_groups, m)
    groups[:n_groups] = np.arange(n_groups)
    parts = split(m, groups=groups, seed=seed)
    check_parts(parts, m)
    held = [set(groups[rows].tolist()) for rows in parts]
    assert sum(map(len, held)) == len(set.union(*held))
    assert all(held)
    largest = np.bincount(groups).max()
    for rows, size in zip(parts, split_sizes(m), strict=True):
        assert abs(len(rows) - size) <= 2 * largest


@settings(max_examples=50)
@given(seeds)
def test_many_small_groups_give_the_exact_sizes(seed):
    groups = np.array([f"person {i // 2}" for i in range(500)], dtype=object)
    parts = split(500, groups=groups, seed=seed)
    assert tuple(map(len, parts)) == (300, 100, 100)


@given(seeds)
def test_with_groups_every_class_is_in_training(seed):
    rng = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(20), rng.integers(0, 20, 200)])
    classes = groups % 5
    parts = split(220, groups=groups, classes=classes, seed=seed)
    assert set(classes[parts.train]) == set(range(5))
    largest = np.bincount(groups).max()
    assert all(
        abs(len(rows) - size) < largest for rows, size in zip(parts, split_sizes(220), strict=True)
    )


def test_cover_by_hand():
    """Class 2 is only in group 3, which also has class 1; class 0 gets the smaller group."""
    groups = np.array([0, 0, 0, 1, 1, 2, 3, 3])
    codes = np.array([0, 0, 1, 0, 0, 1, 1, 2])
    assert cover_classes(groups, codes, order=np.array([0, 1, 3, 2])) == {1, 3}
    assert cover_classes(groups, np.zeros(8, int), order=np.array([0, 1, 3, 2])) == set()


def test_a_class_of_one_is_in_training():
    """Held-out quotas: 0.4, 0.4, 0.4, 1.6, 1.2; a class of one is next, but must train."""
    classes = np.array(["a", "b", "c", *"dddd", *"eee"])
    for seed in range(5):
        assert {0, 1, 2} <= set(split(10, classes=classes, seed=seed).train.tolist())


def test_a_rare_class_is_in_training_whichever_its_group():
    """One of ten groups has the only two examples of the class: it must train, with every seed."""
    groups, classes = np.repeat(np.arange(10), 10), np.array(["a"] * 98 + ["b"] * 2)
    for seed in range(20):
        assert 99 in split(100, groups=groups, classes=classes, seed=seed).train


@pytest.mark.parametrize("m", [0, 1, 4])
def test_reports_when_there_are_too_few(m):
    with pytest.raises(DataError) as error:
        split_sizes(m)
    assert str(error.value) == (
        f"the split: expected at least 5 examples, so that each set has one; got {m}.\n"
        "Try adding examples, or providing separate dev and test files."
    )


def test_reports_when_there_are_fewer_groups_than_sets():
    with pytest.raises(DataError) as error:
        split(10, groups=np.array(["a", "b"] * 5))
    assert str(error.value) == (
        "the split, groups: expected at least 3 groups, one for each set; got 2.\n"
        "Try another column, or a separate file for each set."
    )
    assert [len(rows) for rows in split(10, groups=np.array(["a", "b"] * 5), test=False)] == [
        5,
        5,
        0,
    ]


def test_reports_when_each_class_has_a_group_of_its_own():
    people = np.repeat(np.arange(5), 4)
    with pytest.raises(DataError, match="each class in several groups"):
        split(20, groups=people, classes=people)


def test_reports_when_classes_have_one_example_each():
    with pytest.raises(
        DataError, match="at most 6 classes, so that each is in the training set; got 10 "
    ):
        split(10, classes=np.arange(10))


def test_reports_what_is_wrong_with_times():
    with pytest.raises(
        DataError,
        match=r"a time for every example; got 1 example without a time, the first of them row 2",
    ):
        split(5, time=np.array([1.0, 2.0, np.nan, 3.0, 4.0]))
    with pytest.raises(DataError, match="a time for every example"):
        split(5, time=np.array(["2024-01-01", "NaT"] * 2 + ["NaT"], "datetime64[D]"))
    with pytest.raises(DataError, match="values that can be sorted; got mixed types"):
        split(5, time=np.array([1, "a", None, 2, 3], dtype=object))
    with pytest.raises(OptionError, match="groups or time; got both"):
        split(5, time=np.arange(5), groups=np.arange(5))


def test_reports_when_a_column_has_another_length():
    with pytest.raises(DataError, match=r"the split, classes: expected 6 values.*got 5"):
        split(6, classes=np.arange(5))


# Rows with equal inputs


def sets_of(rows: Split, m: int) -> np.ndarray:
    """Return the set of each row: 0 for train, 1 for dev, 2 for test."""
    parts = np.empty(m, int)
    for part, index in enumerate(rows):
        parts[index] = part
    return parts


@pytest.mark.parametrize("kind", ["array", "bytes", "images", "table"])
def test_equal_rows_stay_in_one_set(kind):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 5, (200, 3))
    classes = X.sum(axis=1) > 6
    data = {
        "array": X.astype(float),
        "bytes": X.astype(np.uint8),
        "images": X.astype(np.uint8).reshape(200, 3, 1, 1),
        "table": pd.DataFrame({"a": X[:, 0], "b": [f"text {n}" for n in X[:, 1]], "c": X[:, 2]}),
    }[kind]
    rows = split(200, classes=classes, duplicates=duplicate_rows(data), seed=1)
    parts = sets_of(rows, 200)
    for key in {tuple(row) for row in X.tolist()}:
        assert len(set(parts[(key == X).all(axis=1)])) == 1
    cut = {
        name: data.iloc[index] if kind == "table" else data[index]
        for name, index in zip(("train", "dev", "test"), rows, strict=True)
    }
    assert set(duplicates_across(cut).values()) == {0}
    assert [len(index) for index in rows] == pytest.approx([120, 40, 40], abs=12)
    assert set(classes[rows.train]) == {False, True}


def test_without_equal_rows_the_split_is_the_usual_one():
    X, classes = np.arange(60.0).reshape(30, 2), np.arange(30) % 3
    usual = split(30, classes=classes, seed=4)
    distinct = split(30, classes=classes, seed=4, duplicates=duplicate_rows(X))
    for got, want in zip(distinct, usual, strict=True):
        np.testing.assert_array_equal(got, want)


def test_copies_and_groups_are_kept_together():
    """Rows 0 and 9 are equal, so the groups of both are in one set."""
    groups = np.repeat(np.arange(10), 3)
    X = np.arange(30.0)[:, None]
    X[9] = X[0]
    for seed in range(5):
        rows = split(30, groups=groups, duplicates=duplicate_rows(X), seed=seed)
        parts = sets_of(rows, 30)
        assert len(set(parts[[0, 1, 2, 9, 10, 11]])) == 1


def test_groups_that_equal_rows_link_are_explained():
    with pytest.raises(DataError) as error:
        split(9, groups=np.repeat(np.arange(3), 3), duplicates=np.zeros(9, int))
    assert str(error.value) == (
        "the split, groups: expected at least 3 groups, one for each set; got 1.\n"
        "Try leaving out --group-duplicates, since equal rows link these groups."
    )


def test_a_class_of_few_copies_is_in_the_training_set():
    """Rows with equal inputs and different labels count as examples of the rarest class."""
    X = np.repeat(np.arange(20.0), 2)[:, None]
    classes = np.zeros(40, int)
    classes[[1, 7]] = 1
    for seed in range(8):
        rows = split(40, classes=classes, duplicates=duplicate_rows(X), seed=seed)
        assert 1 in classes[rows.train]
