"""chainrule/data/units.py"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data.units import Unit


@pytest.mark.parametrize(
    ("texts", "symbol", "numbers"),
    [
        (["$1,200.50", "$ 3"], "$", [1200.5, 3]),
        (["-$5", "$-5", "(5 $)"], "$", [-5, -5, -5]),
        (["1 200 kr", "1'300 kr"], "kr", [1200, 1300]),
        (["2.5k €", "1bn €"], "€", [2500, 1e9]),
        (["€1.250", "€300"], "€", [1250, 300]),
        (["USD 5", "7 usd"], "usd", [5, 7]),
        (["42,7 %", "3%"], "%", [42.7, 3]),
        (["36 months", "1 month"], "month", [36, 1]),
        (["5 m", "6m"], "m", [5, 6]),
        (["60+", ">= 3", "<5", "~7", "8"], "", [60, 3, 5, 7, 8]),
        (["10+ years", "< 1 year"], "year", [10, 1]),
    ],
    ids=str,
)
def test_numbers_with_a_unit(texts, symbol, numbers):
    unit = Unit.learn(texts)
    assert unit is not None
    assert unit.symbol == symbol
    assert unit.parse(texts).tolist() == numbers


@pytest.mark.parametrize(
    "texts",
    [
        *([], ["1", "2"], ["$1", "€1"], ["$1", "1"], ["$1.5", "$1,5"], ["5k", "6k"], ["(5)"]),
        *(["A1"], ["1-2"], ["$1€"], ["1.2.3 kg"], ["kg"], ["5 potatoes"], ["(5 kg"], ["+" * 70]),
    ],
    ids=str,
)
def test_other_text(texts):
    assert Unit.learn(texts) is None


def test_the_unit_of_most_texts():
    unit = Unit.most(["$5", "$6", "€7", "unknown"])
    assert unit.symbol == "$"
    np.testing.assert_array_equal(unit.parse(["$5", "€7", "8"]), [5, np.nan, 8])
    assert np.isnan(Unit.most(["a"]).parse(["a"])).all()


@given(st.floats(0, 1e9).map(lambda x: round(x, 2)), st.sampled_from([".", ","]))
def test_written_money_is_read_back(x, decimal):
    swap = str.maketrans(",.", ".,") if decimal == "," else {}
    text = f"€{x:,.2f}".translate(swap)
    unit = Unit.learn([text])
    assert unit == Unit("€", decimal)
    assert unit.parse([text]).tolist() == [x]


def test_a_long_text_takes_linear_time():
    assert Unit.learn(["1 " * 10**6]) is None
