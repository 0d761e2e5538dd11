"""chainrule/data/cells.py: warnings about unusual targets, and none about others."""

import warnings

import numpy as np
import pytest

from chainrule.data.cells import warn_integer_target


def said_of_target(y) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_integer_target(np.asarray(y))
    return [str(warning.message) for warning in caught]


# ---- the target


def test_whole_floats_could_be_classes():
    assert said_of_target([0.0, 1.0] * 5) == [
        (
            "the target holds only 0.0, 1.0 and is learned as a quantity (regression); use "
            "--task classification if these are classes."
        )
    ]


@pytest.mark.parametrize("y", [[0.5, 1.0] * 5, np.arange(30.0), np.arange(4.0), np.zeros((9, 2))])
def test_quantities_raise_no_warning(y):
    assert said_of_target(y) == []
