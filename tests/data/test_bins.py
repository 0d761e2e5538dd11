"""chainrule/data/bins.py"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chainrule.data.bins import Bins, default_bins, learn_edges, quantiles, shares_of_bins
from chainrule.errors import DataError

NUMBERS = arrays(float, (9, 2), elements=st.floats(-1e6, 1e6))


def learn(X, bins):
    """Return the bins of the columns of X, all of which get bins."""
    values = quantiles(np.asarray(X, float), shares_of_bins(bins, 1)).values
    return Bins.of(list(learn_edges(values, np.ones(len(values), bool))))


# by hand


def test_five_numbers_in_two_bins():
    bins = learn([[10.0], [0], [4], [2], [30]], 2)  # the quantiles 0, ½ and 1
    assert bins.edges.tolist() == [0, 4, 30]
    given = np.array([[-5.0], [1], [4], [17], [99]])
    np.testing.assert_array_equal(
        bins.components(given)[:, 1:], [[0, 0], [0.25, 0], [1, 0], [1, 0.5], [1, 1]]
    )


def test_equal_quantiles_are_merged():
    bins = learn([[1.0], [1], [1], [1], [5]], 4)  # quantiles 1, 1, 1, 1, 5
    assert bins.edges.tolist() == [1, 5]
    assert bins.components(np.array([[2.0]]))[0, 1:].tolist() == [0.25]


def test_quantiles_of_an_even_number_of_values_are_means_of_neighbours():
    found = quantiles(np.array([[8.0], [1], [2], [4]]), np.array([0, 0.25, 0.3, 0.5, 1]))
    assert found.values.tolist() == [[1, 1.5, 2, 3, 8]]
    assert found.distinct.tolist() == [4]


def test_inputs_of_several_columns_and_their_names():
    bins = Bins.of([[], [0, 1, 2], [], [5, 7]])
    assert bins.n_x == 7
    assert bins.names(list("abcd")) == ["a", "b", "b bin 1", "b bin 2", "c", "d", "d bin 1"]
    assert bins.column.tolist() == [0, 1, 1, 1, 2, 3, 3]
    assert bins.values.tolist() == [0, 1, 4, 5]
    found = bins.components(np.array([[9.0, 1.5, 9, 6]]))
    assert found.tolist() == [[0, 0, 1, 0.5, 0, 0, 0.5]]
    assert found.dtype == np.float32


def test_many_columns_have_fewer_bins():
    assert shares_of_bins(4, 10).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert len(shares_of_bins(16, 4096)) == 9
    assert len(shares_of_bins(16, 10**6)) == 2


def test_there_is_a_bin_for_32_distinct_rows():
    two = np.column_stack([np.arange(400) % 20, np.arange(400) // 20])  # 400 pairs of 20 values
    assert default_bins(two) == 12
    assert default_bins(two[:100]) == 3
    assert default_bins(np.repeat(two, 5, axis=0)) == 12
    assert default_bins(np.arange(5000.0)[:, None]) == 32
    assert default_bins(np.zeros((5, 1))) == 1


# properties


@settings(max_examples=50, deadline=None)
@given(NUMBERS, arrays(int, 9, elements=st.integers(1, 4)), st.sampled_from([1, 3, 16]))
def test_a_weight_counts_as_repetitions(X, weights, T):
    shares = np.arange(T + 1) / T
    weighted = quantiles(X, shares, weights.astype(float))
    repeated = quantiles(np.repeat(X, weights, axis=0), shares)
    np.testing.assert_array_equal(weighted.values, repeated.values)
    np.testing.assert_array_equal(weighted.distinct, repeated.distinct)
    scaled = quantiles(X, shares, weights * 0.3)
    np.testing.assert_array_equal(scaled.values, weighted.values)


@settings(max_examples=50, deadline=None)
@given(NUMBERS)
def test_components_are_monotone_and_bounded(X):
    bins = learn(X, 4)
    rows = np.sort(np.vstack([X, 2 * X, [[-1e300, -1e300], [1e300, 1e300]]]), axis=0)
    found = bins.components(rows)
    assert (np.diff(found, axis=0) >= 0).all()
    assert (np.diff(np.delete(found, bins.values, axis=1).T, axis=0) <= 1).all()
    assert (found.min(initial=0), found.max(initial=1)) == (0, 1)
    each = [np.delete(found[:, bins.column == j], 0, axis=1) for j in range(2)]
    assert all((np.diff(some, axis=1) <= 0).all() for some in each)  # filled from the left


@settings(max_examples=50, deadline=None)
@given(NUMBERS)
def test_equal_after_saving_and_loading(X):
    bins = learn(X, 4)
    again = Bins.from_arrays(bins.counts, bins.edges, "input")
    np.testing.assert_array_equal(again.components(X), bins.components(X))


def test_the_quantiles_are_those_of_numpy():
    X = np.random.default_rng(0).standard_normal((40, 3))
    shares = np.arange(17) / 16
    expected = np.quantile(X, shares, axis=0, method="averaged_inverted_cdf").T
    np.testing.assert_allclose(quantiles(X, shares).values, expected, rtol=1e-15)


# messages


@pytest.mark.parametrize(
    ("counts", "edges", "words"),
    [
        ([1.0], [0.0, 1.0], "the array x_bins: expected whole numbers of 0 or more; got float64"),
        ([-1], [], "the array x_bins: expected whole numbers of 0 or more; got a number below 0"),
        ([2], [0.0, 1.0], r"the array x_edges: expected \(3,\); got \(2,\)"),
        ([1], [1.0, 1.0], "the array x_edges: expected increasing edges of the bins; got edges"),
        ([1], [-1.7e308, 1.7e308], "the array x_edges: expected increasing edges"),
    ],
)
def test_refuses_impossible_bins(counts, edges, words):
    with pytest.raises(DataError, match=words):
        Bins.from_arrays(np.array(counts), np.array(edges), "x")
