"""chainrule/runs/defaults.py"""

import pytest

from chainrule.choices import RULES as VERSIONS
from chainrule.runs.defaults import (
    CONSTANT_RATE,
    CURRENT,
    RULES,
    default_decay_for,
    default_epochs,
    default_epochs_for,
    default_patience,
    default_patience_for,
    steps_without_dev,
    stops_early,
)

FIRST, NOW = RULES[CONSTANT_RATE], RULES[CURRENT]


def test_about_2000_steps_on_the_whole_set_and_6000_in_mini_batches():
    assert default_epochs(1, NOW) == 2000
    for steps_per_epoch in (4, 7, 40):
        assert default_epochs(steps_per_epoch, NOW) * steps_per_epoch == pytest.approx(6000, abs=40)
    assert default_epochs(61, NOW) == default_epochs(10**6, NOW) == 100


def test_patience_is_a_share_of_the_epochs_and_at_least_20():
    assert [default_patience(1, epochs, NOW) for epochs in (200, 2000)] == [50, 100]
    assert default_patience(50, 120, NOW) == 20


def test_a_network_stops_early_at_every_size_unless_it_is_a_regression_or_for_images():
    assert [stops_early(m, (8,), kind="rows") for m in (5, 499)] == [True, True]
    assert [stops_early(m, (), kind="rows") for m in (499, 500)] == [False, True]
    assert [stops_early(m, (), kind="images") for m in (499, 500)] == [False, True]


def test_networks_on_rows_decay_by_a_cosine():
    assert default_decay_for(30, kind="rows") == {"decay": "cosine"}
    assert default_decay_for(11, kind="images") == {"decay": "exponential", "decay_rate": 0.7248}


# Runs of earlier versions


def test_the_first_rules_are_those_of_earlier_versions():
    """These numbers must never change: an interrupted training of that time is resumed by them."""
    assert VERSIONS[0] == CONSTANT_RATE
    for steps_per_epoch in (1, 2, 7, 40):
        assert default_epochs(steps_per_epoch, FIRST) * steps_per_epoch == pytest.approx(
            2000, abs=40
        )
    assert default_epochs(41, FIRST) == default_epochs(10**6, FIRST) == 50
    assert [default_patience(steps, 2000, FIRST) for steps in (1, 2, 3, 1000)] == [50, 25, 20, 20]
    old = {"kind": "rows", "version": CONSTANT_RATE}
    assert [stops_early(m, hidden, **old) for m in (499, 500) for hidden in ((), (8,))] == [
        *(False, False),
        *(True, True),
    ]
    assert default_decay_for(30, **old) == {"decay": "none"}
    assert default_epochs_for(3000, 64, "softmax", (8,), guarded=True, **old) == 50
    assert default_epochs_for(3000, 64, "softmax", (), guarded=False, **old) == 50
    assert default_patience_for(600, 600, 2000, **old) == 50


# Without a dev set


def test_a_cosine_takes_twice_the_steps_of_a_constant_rate():
    of = {"kind": "rows", "guarded": False}
    epochs = [default_epochs_for(331, 331, "softmax", (8,), **of, version=v) for v in VERSIONS]
    assert epochs == [331, 662]
    epochs = [default_epochs_for(331, 331, "softmax", (), **of, version=v) for v in VERSIONS]
    assert epochs == [2000, 4000]


def test_fewer_steps_without_a_dev_set():
    hidden = (64, 32)
    assert [steps_without_dev(m, "logistic", hidden) for m in (4, 331, 5000)] == [200, 331, 2000]
    assert [steps_without_dev(m, "squared", hidden) for m in (4, 800, 9000)] == [100, 200, 2000]
    small = (steps_without_dev(m, "squared", hidden, small_outputs=True) for m in (4, 600, 90_000))
    assert list(small) == [60, 100, 2000]
    assert steps_without_dev(4, "squared", (8,), small_outputs=True) == 80
    assert steps_without_dev(4, "squared", ()) == 2000
