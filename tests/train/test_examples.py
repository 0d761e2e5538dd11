"""chainrule/train/examples.py: some of the examples, and two sets as one."""

import numpy as np

from chainrule.train.examples import Examples, joined

THREE = Examples(np.array([[1.0], [2.0], [3.0]]), np.array([[0.0], [1.0], [0.0]]))
TWO = Examples(np.array([[4.0], [5.0]]), np.array([[1.0], [1.0]]))


def with_weights(examples: Examples, *weights: float) -> Examples:
    return examples._replace(weights=np.array(weights, np.float32))


def test_rows_are_taken_in_the_given_order():
    X, Y, weights = with_weights(THREE, 1, 2, 4).take(np.array([2, 0, 2]))
    assert weights is not None
    assert X.tolist() == [[3], [1], [3]]
    assert Y.tolist() == [[0], [0], [0]]
    assert weights.tolist() == [4, 1, 4]
    assert THREE.take(np.array([1])).weights is None
    assert THREE.take(np.array([], int)).X.shape == (0, 1)


def test_taken_rows_are_a_copy():
    one = with_weights(THREE, 1, 2, 4)
    taken = one.take(np.arange(3))
    assert not any(np.shares_memory(a, b) for a, b in zip(one, taken, strict=True))


def test_the_rows_of_the_second_set_follow_those_of_the_first():
    X, Y, weights = joined(THREE, TWO)
    assert X.tolist() == [[1], [2], [3], [4], [5]]
    assert Y.tolist() == [[0], [1], [0], [1], [1]]
    assert weights is None


def test_the_examples_of_a_set_without_weights_have_a_weight_of_1():
    weighted = with_weights(THREE, 0.5, 2, 4)
    for one, other, expected in (
        (weighted, TWO, [0.5, 2, 4, 1, 1]),
        (TWO, weighted, [1, 1, 0.5, 2, 4]),
        (weighted, with_weights(TWO, 7, 0), [0.5, 2, 4, 7, 0]),
    ):
        weights = joined(one, other).weights
        assert weights is not None
        assert weights.tolist() == expected


def test_two_sets_as_one_can_be_divided_again():
    both = joined(with_weights(THREE, 1, 2, 4), TWO)
    for rows, part in ((np.arange(3), THREE), (np.arange(3, 5), TWO)):
        np.testing.assert_array_equal(both.take(rows).X, part.X)
        np.testing.assert_array_equal(both.take(rows).Y, part.Y)
