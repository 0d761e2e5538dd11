"""chainrule/search/dimensions.py: values at positions of a scale, and errors."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import OptionError
from chainrule.search.dimensions import Choices, Integers, Log, OneMinusLog, Uniform, as_text

ALL = [
    Uniform(-1, 3),
    Log(1e-4, 1),
    OneMinusLog(0.9, 0.999),
    Integers(2, 5),
    Integers(8, 128, log=True),
    Choices(("relu", "tanh", (64, 32), 3)),
]

# By hand


def test_the_notes_scale_of_a_learning_rate():
    """From 1e-4 to 1, a quarter of the draws in each decade."""
    values = [Log(1e-4, 1).at(u) for u in (0, 0.25, 0.5, 0.75, 1)]
    np.testing.assert_allclose(values, [1e-4, 1e-3, 1e-2, 1e-1, 1], rtol=1e-12)


def test_the_notes_scale_of_beta():
    """From 0.9 to 0.999: as many draws between 0.9 and 0.99 as between 0.99 and 0.999."""
    values = [OneMinusLog(0.9, 0.999).at(u) for u in (0, 0.5, 1)]
    np.testing.assert_allclose(values, [0.9, 0.99, 0.999], rtol=1e-12)


def test_a_linear_scale():
    assert [Uniform(0.5, 1).at(u) for u in (0, 0.5, 1)] == [0.5, 0.75, 1]


def test_whole_numbers_are_equally_likely():
    values = [Integers(2, 4).at((i + 0.5) / 9) for i in range(9)]
    assert values == [2, 2, 2, 3, 3, 3, 4, 4, 4]


def test_whole_numbers_on_a_log_scale():
    """Each doubling has the same share of the scale: 8 … 16 nearly as much as 64 … 128."""
    units = Integers(8, 128, log=True)
    assert [units.at(u) for u in (0, 1)] == [8, 128]
    doubled = units.position(32) - units.position(16)
    assert doubled == pytest.approx(math.log(2) / math.log(128.5 / 7.5))


def test_choices_share_the_scale():
    assert [Choices(("a", "b")).at(u) for u in (0, 0.49, 0.5, 1)] == ["a", "a", "b", "b"]


@pytest.mark.parametrize("dimension", ALL, ids=str)
def test_draws_fill_the_scale_evenly(dimension):
    """The positions of a thousand draws fill ten bins evenly."""
    draws = [dimension.at(u) for u in np.random.default_rng(0).random(1000)]
    places = [dimension.position(value) for value in draws]
    assert abs(np.mean(places) - 0.5) < 0.03
    if len(set(map(str, draws))) > 50:
        counts = np.histogram(places, 10, (0, 1))[0]
        assert counts.min() > 60


# Properties


@pytest.mark.parametrize("dimension", ALL, ids=str)
@given(u=st.floats(0, 1))
def test_position_is_the_inverse_of_at(dimension, u):
    value = dimension.at(u)
    restored = dimension.at(dimension.position(value))
    if isinstance(value, float):
        assert restored == pytest.approx(value, rel=1e-9)
        assert dimension.position(value) == pytest.approx(u, abs=1e-9)
        assert dimension.low <= value <= dimension.high
    else:
        assert restored == value


@pytest.mark.parametrize("dimension", ALL, ids=str)
def test_the_ends_are_reached(dimension):
    first, *_, last = dimension.ends()
    assert dimension.at(0) == (pytest.approx(first) if isinstance(first, float) else first)
    assert dimension.at(1) == (pytest.approx(last) if isinstance(last, float) else last)


# Words


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: Log(0, 1),
            "log(0, 1): expected a range above 0; got 0.\nTry log(0.0001, 1).",
        ),
        (
            lambda: Log(-2, -1),
            "log(-2, -1): expected a range above 0; got -2.\n"
            "Try uniform, which allows numbers of 0 or less.",
        ),
        (
            lambda: Uniform(1, 0.5),
            "uniform(1, 0.5): expected the lower bound first; got 1 before 0.5.\n"
            "Try uniform(0.5, 1).",
        ),
        (
            lambda: Uniform(1, 1.0),
            "uniform(1, 1): expected two different bounds; got 1 twice.\n"
            "Try a wider range, or setting the option to one value, without a search.",
        ),
        (
            lambda: Uniform(0, math.inf),
            "uniform(0, inf): expected two numbers; got inf.\nTry uniform(0.1, 0.9).",
        ),
        (
            lambda: Log("a", 1),  # pyright: ignore
            "log(a, 1): expected two numbers; got a.\nTry log(0.1, 0.9).",
        ),
        (
            lambda: OneMinusLog(0.5, 1),
            "one_minus_log(0.5, 1): expected a range below 1; got 1.\n"
            "Try one_minus_log(0.5, 0.999).",
        ),
        (
            lambda: Integers(1, 2.5),  # pyright: ignore
            "integers(1, 2.5): expected whole numbers; got 2.5.\n"
            "Try integers(8, 128), or uniform for fractions.",
        ),
        (
            lambda: Integers(9, 8, log=True),
            "integers(9, 8, log): expected the lower bound first; got 9 before 8.\n"
            "Try integers(8, 9, log).",
        ),
        (
            lambda: Integers(0, 8, log=True),
            "integers(0, 8, log): expected a lower bound of at least 1 on a log scale; got 0.\n"
            "Try integers(0, 8).",
        ),
        (
            lambda: Choices(("relu",)),
            "choices(relu): expected at least two choices; got 1.\n"
            "Try choices(relu, tanh), or setting the option to one value, without a search.",
        ),
        (
            lambda: Choices((True, False, True)),
            "choices(true, false, true): expected distinct choices; got true twice.\n"
            "Try true only once.",
        ),
    ],
)
def test_what_is_refused(make, words):
    with pytest.raises(OptionError) as error:
        make()
    assert str(error.value) == words


def test_a_value_is_written_as_it_is_read():
    assert as_text("64,32") == "'64,32'"
    assert as_text((64,)) == "(64,)"
    assert as_text(1e-5) == "1e-05"
