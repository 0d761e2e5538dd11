"""chainrule/search/space.py: when a dimension exists, and whether it can exist."""

import pytest

from chainrule.search.dimensions import Choices, Integers, Uniform
from chainrule.search.space import Comparison, Condition


@pytest.mark.parametrize(
    ("operator", "value", "true_of"),
    [
        ("==", 2, [2]),
        ("!=", 2, [1, 3]),
        ("<", 2, [1]),
        ("<=", 2, [1, 2]),
        (">", 2, [3]),
        (">=", 2, [2, 3]),
        ("in", (1, 3), [1, 3]),
    ],
)
def test_each_comparison(operator, value, true_of):
    comparison = Comparison("layers", operator, value)
    assert [n for n in (1, 2, 3) if comparison.holds(n)] == true_of


def test_strings_have_no_order():
    assert not Comparison("activation", ">", 2).holds("relu")


def test_all_comparisons_must_hold():
    condition = Condition((Comparison("layers", ">=", 2), Comparison("optimizer", "==", "adam")))
    assert condition.holds({"layers": 2, "optimizer": "adam"})
    assert not condition.holds({"layers": 2, "optimizer": "momentum"})
    assert not condition.holds({"optimizer": "adam"})
    assert str(condition) == "layers >= 2 and optimizer == adam"


@pytest.mark.parametrize(
    ("comparison", "dimension", "can"),
    [
        (Comparison("n", ">=", 3), Integers(1, 3), True),
        (Comparison("n", ">", 3), Integers(1, 3), False),
        (Comparison("n", "==", 2), Integers(1, 3), True),
        (Comparison("n", "==", 2.5), Uniform(1, 3), True),
        (Comparison("n", "in", (7, 9)), Integers(1, 3), False),
        (Comparison("n", "in", (2, 9)), Integers(1, 3), True),
        (Comparison("n", "==", "a"), Integers(1, 3), False),
        (Comparison("n", "==", "a"), Choices(("a", "b")), True),
        (Comparison("n", "==", "c"), Choices(("a", "b")), False),
        (Comparison("n", "!=", 1), Integers(1, 3), True),
    ],
    ids=str,
)
def test_whether_it_can_hold(comparison, dimension, can):
    assert comparison.can_hold(dimension) is can
