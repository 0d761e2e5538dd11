"""chainrule/data/batches.py"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data.batches import (
    default_batch_size,
    epoch_order,
    padded,
    random_mini_batches,
    steps_per_epoch,
)

sizes = st.integers(1, 300)


@pytest.mark.parametrize(
    ("m", "batch_size"),
    [
        (1, 1),
        (2000, 2000),  # the notes: the whole set
        (2001, 64),
        (32_000, 64),
        (64_000, 128),
        (250_000, 512),
        (10**6, 1024),  # 2000, limited
        (10**9, 1024),
    ],
)
def test_the_course_notes_choice(m, batch_size):
    assert default_batch_size(m) == batch_size


@pytest.mark.parametrize(("m", "batch_size", "steps"), [(128, 64, 2), (148, 64, 3), (20, 20, 1)])
def test_a_shorter_batch_counts_as_a_step(m, batch_size, steps):
    assert steps_per_epoch(m, batch_size) == steps


def test_the_notes_148_examples():
    assert [len(rows) for rows in random_mini_batches(148, 64, seed=0)] == [64, 64, 20]


@given(m=sizes, batch_size=sizes, seed=st.integers(0, 2**32 - 1), epoch=st.integers(0, 10**6))
def test_every_example_occurs_once_and_padding_has_no_effect(m, batch_size, seed, epoch):
    table = epoch_order(m, batch_size, seed=seed, epoch=epoch)
    assert table.shape == (steps_per_epoch(m, batch_size), batch_size)
    assert table.dtype == np.int32
    assert sorted(table[table < m]) == list(range(m))
    assert (table[table >= m] == m).all()


def test_148_examples_in_three_batches_by_hand():
    table = epoch_order(148, 64, seed=0, epoch=0)
    assert (table < 148).sum(axis=1).tolist() == [50, 49, 49]


@given(m=sizes, batch_size=sizes)
def test_no_batch_is_much_smaller_than_another(m, batch_size):
    counts = (epoch_order(m, batch_size, seed=0, epoch=0) < m).sum(axis=1)
    assert counts.max() - counts.min() <= 1
    assert counts.max() <= batch_size


@given(m=sizes, batch_size=sizes)
def test_the_notes_batches_are_in_the_same_order(m, batch_size):
    batches = list(random_mini_batches(m, batch_size, seed=1, epoch=2))
    assert all(len(rows) == batch_size for rows in batches[:-1])
    table = epoch_order(m, batch_size, seed=1, epoch=2)
    np.testing.assert_array_equal(np.concatenate(batches), table[table < m])


def test_each_epoch_and_each_seed_has_its_own_order():
    orders = [epoch_order(50, 8, seed=s, epoch=e).tolist() for s in (0, 1) for e in (0, 1)]
    assert len({str(order) for order in orders}) == 4
    assert epoch_order(50, 8, seed=0, epoch=1).tolist() == orders[1]


@given(m=st.integers(1, 10**7))
def test_padding_is_small_and_there_are_few_sizes(m):
    assert m <= padded(m) <= max(m + 7, m * 17 / 16)
    assert padded(padded(m)) == padded(m)


def test_a_thousand_sizes_make_few_programs():
    assert len({padded(m) for m in range(1, 1001)}) <= 80


def test_a_short_last_batch_has_what_remains():
    """The batches are consecutive parts of one permutation, with and without a short last one."""
    even, short = (epoch_order(10, 4, seed=3, epoch=2, short_last=last) for last in (False, True))
    assert [(rows < 10).sum() for rows in even] == [4, 3, 3]
    assert [(rows < 10).sum() for rows in short] == [4, 4, 2]
    order = np.random.default_rng((3, 2)).permutation(10)
    for table in (even, short):
        np.testing.assert_array_equal(table[table < 10], order)
    batches = random_mini_batches(10, 4, seed=3, epoch=2)
    np.testing.assert_array_equal(np.concatenate(list(batches)), order)
