"""benchmarks/transfer.py on real data, in the folder CHAINRULE_DATA."""

import os

import numpy as np
import pytest
from benchmarks.transfer import Images, gain, measure, tasks


@pytest.fixture
def data():
    """Fashion-MNIST and MNIST; without their files the tests are skipped."""
    if not os.environ.get("CHAINRULE_DATA"):
        pytest.skip("no CHAINRULE_DATA")


def test_the_tasks_share_no_image():
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
def test_transfer_helps_where_the_old_classes_determine_the_new():
    """Classify digits as odd or even with a base that was trained on the ten digits."""
    table = measure("mnist", "a question", count=2)
    assert gain(table) >= 3
    assert table["said to help"] == [1.0, 1.0]


@pytest.mark.slow
@pytest.mark.usefixtures("data")
def test_a_transfer_that_does_not_help_is_reported():
    """On Fashion-MNIST training from scratch is better, as the dev set shows (docs/transfer.md)."""
    table = measure("fashion_mnist", "5-9 to 0-4", count=2)
    assert gain(table) < 0
    assert min(table["said to help"]) == 0
