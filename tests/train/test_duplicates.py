"""chainrule/train/examples.py: equal examples are merged into one."""

import numpy as np
import pytest

from chainrule.train import examples as module
from chainrule.train.examples import Examples, merge_duplicates, row_keys

rng = np.random.default_rng(0)


def rows_of(examples: Examples) -> list[tuple]:
    """Return each example as (X, Y, weight), sorted."""
    assert examples.weights is not None
    return sorted(
        (tuple(x), tuple(y), float(w))
        for x, y, w in zip(examples.X.tolist(), examples.Y.tolist(), examples.weights, strict=True)
    )


# By hand


def test_equal_examples_become_one_with_the_sum_of_their_weights():
    X, Y = np.array([[2, 0], [1, 5], [2, 0], [2, 0.0]]), np.array([[1], [0], [1], [0.0]])
    merged = merge_duplicates(Examples(X, Y, np.array([1, 2, 3, 4], np.float32)))
    assert rows_of(merged) == [((1, 5), (0,), 2), ((2, 0), (0,), 4), ((2, 0), (1,), 4)]
    assert merged.weights is not None
    assert merged.weights.dtype == np.float32


def test_without_weights_each_example_counts_once():
    merged = merge_duplicates(Examples(np.array([[3], [3], [4]]), np.zeros((3, 1))))
    assert rows_of(merged) == [((3,), (0,), 2), ((4,), (0,), 1)]


def test_minus_zero_is_zero():
    assert len(merge_duplicates(Examples(np.array([[0.0], [-0.0]]), np.zeros((2, 1)))).X) == 1


# Properties


def test_a_weight_of_2_equals_the_example_twice_in_any_order():
    X, Y = rng.integers(0, 3, (60, 2)).astype(float), rng.integers(0, 2, (60, 2)).astype(float)
    weights = rng.integers(1, 4, 60)
    repeated = rng.permutation(np.repeat(np.arange(60), weights))
    one = merge_duplicates(Examples(X, Y, weights.astype(np.float32)), sort=True)
    two = merge_duplicates(Examples(X[repeated], Y[repeated]), sort=True)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(one.X) == len({(*x, *y) for x, y in zip(X.tolist(), Y.tolist(), strict=True)})


def test_sorted_examples_do_not_depend_on_units():
    X, Y = rng.integers(0, 3, (60, 4)).astype(float), rng.integers(0, 2, (60, 1)).astype(float)
    one = merge_duplicates(Examples(X, Y), sort=True)
    two = merge_duplicates(Examples(X * [1e-9, 7, 1e6, 0.3] - 5, Y), sort=True)
    np.testing.assert_allclose(one.X * [1e-9, 7, 1e6, 0.3] - 5, two.X)
    np.testing.assert_array_equal(one.Y, two.Y)
    assert one.X.tolist() == sorted(one.X.tolist())


def test_examples_keep_their_order():
    X = np.array([[5.0], [3.0], [5.0], [4.0], [3.0]])
    merged = merge_duplicates(Examples(X, np.zeros((5, 1))))
    assert merged.X.tolist() == [[5], [3], [4]]
    assert merged.weights is not None
    assert merged.weights.tolist() == [2, 2, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
def test_the_keys_of_equal_rows_are_equal_and_no_others(dtype):
    X = rng.integers(0, 8, (4000, 4)).astype(dtype)
    distinct = len(np.unique(X, axis=0))
    assert len(np.unique(row_keys(X))) == distinct < 4000


def test_the_columns_are_not_interchangeable():
    assert len(np.unique(row_keys(np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 0.0]])))) == 3


def test_examples_with_the_same_key_are_compared(monkeypatch):
    monkeypatch.setattr(module, "row_keys", lambda X: np.zeros(len(X), np.uint64))
    X = np.array([[1.0], [1.0], [2.0]])
    assert rows_of(merge_duplicates(Examples(X, np.zeros((3, 1))))) == [
        ((1,), (0,), 2),
        ((2,), (0,), 1),
    ]


def test_the_last_of_many_columns_distinguishes_rows():
    X = np.zeros((50, 20_000))
    X[:25, -1] = 1
    assert len(merge_duplicates(Examples(X, np.zeros((50, 1))), sort=True).X) == 2
