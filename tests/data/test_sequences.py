"""chainrule/data/sequences.py: padding, selecting rows, and buckets of similar length."""

import numpy as np
import pytest

from chainrule.data.sequences import (
    Inputs,
    Sequences,
    buckets_of,
    cut_to_longest,
    join_rows,
    longest_in,
)
from chainrule.errors import ShapeError


def of_lengths(*lengths: int) -> Sequences:
    """Return sequences of one number per step, 1 in every real step."""
    return Sequences.of([np.ones((T, 1)) for T in lengths])


def padded_steps(X, buckets) -> int:
    """Return the number of steps of all buckets, padding included."""
    return sum(len(rows) * longest_in(cut_to_longest(X[rows])) for rows in buckets)


def test_sequences_are_padded_with_zeros():
    X = Sequences.of([[[1, 2]], [[3, 4], [5, 6]]])
    assert X.values.tolist() == [[[1, 2], [0, 0]], [[3, 4], [5, 6]]]
    assert X.lengths.tolist() == [1, 2]
    assert [one.tolist() for one in X] == [[[1, 2]], [[3, 4], [5, 6]]]
    assert X.real().tolist() == [[True, False], [True, True]]


def test_steps_with_other_numbers_are_refused():
    with pytest.raises(ShapeError) as caught:
        Sequences.of([np.ones((2, 3)), np.ones((2, 4))])
    assert str(caught.value) == (
        "the sequences: expected (3,) per step, as in sequence 0; got (4,) in sequence 1.\n"
        "Try the same numbers in every step."
    )


def test_a_row_number_is_not_a_selection():
    with pytest.raises(TypeError, match=r"X\.example\(i\)"):
        of_lengths(1, 2)[0]


def test_cut_to_longest_removes_padding_only():
    X = of_lengths(2, 3, 7)
    assert cut_to_longest(X[:2]).shape == (2, 3, 1)
    with pytest.raises(ValueError, match="longer"):
        X.cut(6)


def test_joined_sets_are_padded_to_the_longest_of_both():
    both = join_rows(of_lengths(2), of_lengths(4, 1))
    assert both.shape == (3, 4, 1)
    assert both.lengths.tolist() == [2, 4, 1]
    assert both.values.sum() == 7


def test_inputs_select_the_rows_of_every_part():
    both = Inputs((of_lengths(1, 2, 3), of_lengths(3, 2, 1)))[np.array([2, 0])]
    assert len(both) == 2
    assert [part.lengths.tolist() for part in both.parts] == [[3, 1], [1, 3]]


def test_equal_lengths_need_one_bucket():
    assert [len(rows) for rows in buckets_of(of_lengths(*[5] * 50), fewest=8)] == [50]


def test_three_groups_of_lengths_are_three_buckets():
    lengths = np.random.default_rng(0).permutation(np.repeat([5, 40, 100], 40))
    X = of_lengths(*lengths)
    buckets = buckets_of(X, fewest=8)
    assert [set(lengths[rows]) for rows in buckets] == [{5}, {40}, {100}]
    assert padded_steps(X, buckets) == lengths.sum()


def test_buckets_hold_every_row_once_and_enough_of_them():
    lengths = np.random.default_rng(1).geometric(0.05, 300)
    X = of_lengths(*lengths)
    buckets = buckets_of(X, fewest=64)
    assert sorted(np.concatenate(buckets)) == list(range(300))
    assert min(map(len, buckets)) >= 64
    assert padded_steps(X, buckets) < 0.6 * 300 * lengths.max()


def test_a_pair_is_divided_by_both_lengths():
    short, long = np.repeat([2, 30], 20), np.repeat([3, 40], 20)
    X = Inputs((of_lengths(*short), of_lengths(*long)))
    assert [len(rows) for rows in buckets_of(X, fewest=8)] == [20, 20]
