"""chainrule/runs/defaults.py"""

import pytest

from chainrule.runs.defaults import default_epochs, default_patience, steps_without_dev


def test_about_2000_steps():
    for steps_per_epoch in (1, 2, 7, 40):
        assert default_epochs(steps_per_epoch) * steps_per_epoch == pytest.approx(2000, abs=40)
    assert default_epochs(41) == default_epochs(10**6) == 50


def test_fewer_steps_without_a_dev_set():
    hidden = (64, 32)
    assert [steps_without_dev(m, "logistic", hidden) for m in (4, 331, 5000)] == [200, 331, 2000]
    assert [steps_without_dev(m, "squared", hidden) for m in (4, 800, 9000)] == [100, 200, 2000]
    small = (steps_without_dev(m, "squared", hidden, small_outputs=True) for m in (4, 600, 90_000))
    assert list(small) == [60, 100, 2000]
    assert steps_without_dev(4, "squared", (8,), small_outputs=True) == 80
    assert steps_without_dev(4, "squared", ()) == 2000


def test_patience_is_20_epochs_and_at_least_50_steps():
    assert [default_patience(steps) for steps in (1, 2, 3, 1000)] == [50, 25, 20, 20]
