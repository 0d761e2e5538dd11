"""What benchmarks/transfer.py says of real data; CHAINRULE_DATA says where that is."""

import os

import numpy as np
import pytest
from benchmarks.transfer import Images, gain, measure, tasks


@pytest.fixture
def data():
    """Zalando's and LeCun's files; without them there is nothing to show."""
    if not os.environ.get("CHAINRULE_DATA"):
        pytest.skip("no CHAINRULE_DATA")


def test_no_image_of_the_old_task_is_in_the_new_one():
    X, y = np.arange(40), np.arange(40) % 10
    data = Images(X, y, X + 100, y)
    halves = tasks(data, "mnist", "0-4 to 5-9")
    assert set(halves.old[1]) == set(range(5))
    assert set(halves.new[1]) == set(halves.test[1]) == set(range(5, 10))
    question = tasks(data, "mnist", "a question")
    assert set(question.old[1]) == set(range(10))
    assert set(question.new[1]) == {0, 1}
    for both in (halves, question):
        assert not set(both.old[0]) & set(both.new[0])


@pytest.mark.slow
@pytest.mark.usefixtures("data")
def test_an_answer_that_the_old_classes_hold_is_learned_from_200_examples():
    """Odd or even: the base knows the ten digits, and 200 examples say which of them are odd."""
    table = measure("mnist", "a question", count=2)
    assert gain(table) >= 3
    assert table["said to help"] == [1.0, 1.0]


@pytest.mark.slow
@pytest.mark.usefixtures("data")
def test_where_the_other_half_of_the_classes_does_not_help_it_is_said():
    """Fashion-MNIST: better from nothing, and dev has told so before (docs/transfer.md)."""
    table = measure("fashion_mnist", "5-9 to 0-4", count=2)
    assert gain(table) < 0
    assert min(table["said to help"]) == 0
