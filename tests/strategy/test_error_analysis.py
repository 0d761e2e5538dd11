"""chainrule/strategy/error_analysis.py: which mistakes are listed, in which order."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from chainrule.data.dataset import Dataset
from chainrule.errors import OptionError
from chainrule.strategy.error_analysis import find_mistakes
from tests.strategy.hand_made import line, made

SIGN = ([[1.0]], [[0.0]])  # Z = x: class 1 where x > 0


@pytest.fixture
def five():
    """Five rows, of which x = 1 and −3 are predicted wrong."""
    return made(SIGN, dev=line(-1.0, 2.0, 1.0, -3.0, 4.0, y=[0, 1, 0, 1, 1]))


# by hand


def test_the_most_costly_mistake_comes_first(five):
    found = find_mistakes(*five)
    assert (found.part, found.m, found.wrong, found.error) == ("dev", 5, 2, 0.4)
    first, second = found.listed
    assert (first.place, first.true, first.predicted) == (3, 1, 0)
    assert first.cost == pytest.approx(np.log1p(np.exp(3)), rel=1e-6)
    assert first.sure == pytest.approx(1 / (1 + np.exp(-3)), rel=1e-6)
    assert (second.place, second.share, second.row) == (2, 0.5, {"x1": 1.0})


def test_the_probability_is_that_of_the_prediction_at_any_threshold(five):
    run, data = five
    found = find_mistakes(replace(run, preprocessor=replace(run.preprocessor, threshold=0.1)), data)
    one = next(one for one in found.listed if one.place == 0)
    assert (one.true, one.predicted) == (0, 1)
    assert one.sure == pytest.approx(1 / (1 + np.exp(1)), rel=1e-6)


def test_weights_determine_the_shares():
    weights = np.array([1.0, 1.0, 3.0, 1.0, 2.0])
    run, data = made(SIGN, dev=line(-1.0, 2.0, 1.0, -3.0, 4.0, y=[0, 1, 0, 1, 1], weights=weights))
    found = find_mistakes(run, data)
    assert found.error == pytest.approx(4 / 8)
    assert [one.share for one in found.listed] == pytest.approx([1 / 4, 3 / 4])


def test_numbers_are_measured_in_their_units():
    source = line(1.0, 2.0, 3.0, y=[1.5, 2.5, 6.5])
    run, data = made(SIGN, dev=source)
    scale, mean = run.preprocessor.outputs.scale.item(), run.preprocessor.outputs.mean.item()
    found = find_mistakes(run, data)
    answers = np.array([1.0, 2.0, 3.0]) * scale + mean
    squares = (answers - source.y) ** 2
    assert found.error == pytest.approx(np.sqrt(squares.mean()), rel=1e-6)
    assert [one.index for one in found.listed] == np.argsort(-squares).tolist()
    assert sum(one.share for one in found.listed) == pytest.approx(1)
    assert found.listed[0].sure is None


# properties


def test_places_are_those_of_the_data_set():
    source = line(-1.0, 2.0, 1.0, -3.0, 4.0, y=[0, 1, 0, 1, 1]).rows(np.array([3, 2, 1, 0]))
    assert [one.place for one in find_mistakes(*made(SIGN, dev=source)).listed] == [3, 2]


def test_a_random_sample_is_seeded_and_any_prefix_is_a_sample(five):
    m = 300
    run, data = made(SIGN, dev=line(*np.linspace(-1, 1, m), y=np.arange(m) % 2))
    some, more = (find_mistakes(run, data, count=n, sample="random", seed=3) for n in (20, 60))
    assert some.listed == more.listed[:20]
    assert some.listed != find_mistakes(run, data, count=20, sample="random", seed=4).listed
    assert {one.predicted == one.true for one in more.listed} == {False}


def test_the_columns_of_a_table_are_listed():
    frame = pd.DataFrame({"x": [1.0, -1.0, 2.0, -2.0], "who": ["a", "b", "a", None]})
    source = Dataset("t", frame, np.array([1, 0, 0, 1]))
    run, data = made(([[1.0, 0.0, 0.0, 0.0]], [[0.0]]), dev=source)
    rows = [one.row for one in find_mistakes(run, data).listed]
    assert rows == [{"x": 2.0, "who": "a"}, {"x": -2.0, "who": None}]


def test_pixels_are_not_listed_as_columns():
    X = np.tile(np.linspace(-1, 1, 4)[:, None], 36)
    run, data = made((np.ones((1, 36)), [[0.0]]), dev=Dataset("p", X, np.array([1, 0, 0, 1])))
    assert [one.row for one in find_mistakes(run, data).listed] == [{}, {}]


# words


def test_the_text(five):
    text = find_mistakes(*five).text()
    assert text.splitlines() == [
        "dev: 2 mistakes in 5 examples (40.0%); all of them, the most costly first",
        "",
        "row  true  predicted   prob   cost  x1",
        "  3  1     0          0.953  3.049  -3",
        "  2  0     1          0.731  1.313  1",
    ]
    assert find_mistakes(*five).text(most=1).endswith("… and 1 more")
    assert "; 1 of them, drawn at random" in find_mistakes(*five, count=1, sample="random").title


def test_invalid_options_are_refused(five):
    for options in ({"part": "dve"}, {"count": 0}, {"sample": "best"}):
        with pytest.raises(OptionError):
            find_mistakes(*five, **options)
    with pytest.raises(OptionError, match="dev"):
        find_mistakes(*five, "test")
