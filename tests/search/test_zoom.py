"""chainrule/search/samplers.py: the region around the best few, by hand."""

import numpy as np

from chainrule.search.samplers import Region, Result, region_of, zoom
from chainrule.search.space import Space

SPACE = Space.parse(
    [
        "learning_rate=log(1e-4, 1)",
        "activation=choices(relu, tanh, sigmoid)",
        "units=integers(1, 9)",
        "beta=one_minus_log(0.9, 0.999) if activation == tanh",
    ]
)


def result(number: int, cost: float, **values) -> Result:
    return Result(number, values, cost)


def test_a_range_is_that_of_the_best_and_a_tenth():
    best = [
        result(0, 0.1, learning_rate=1e-3, activation="relu", units=5),
        result(1, 0.2, learning_rate=1e-2, activation="tanh", units=5, beta=0.99),
    ]
    region = zoom(SPACE, Region.whole(SPACE), best)
    np.testing.assert_allclose(region.ranges["learning_rate"], (0.15, 0.6))  # of 1e-4 … 1
    np.testing.assert_allclose(region.ranges["units"], (0.4, 0.6))
    np.testing.assert_allclose(region.ranges["beta"], (0.4, 0.6))
    assert region.choices == {"activation": ("relu", "tanh")}


def test_the_second_margin_is_a_tenth_of_the_remaining_range():
    region = Region({"units": (0.4, 0.6)}, {})
    space = Space.parse(["units=integers(1, 9)"])
    zoomed = zoom(space, region, [result(0, 0.1, units=5)])
    np.testing.assert_allclose(zoomed.ranges["units"], (0.48, 0.52))


def test_it_does_not_leave_the_region_before():
    region = zoom(SPACE, Region.whole(SPACE), [result(0, 0, learning_rate=1e-4)])
    np.testing.assert_allclose(region.ranges["learning_rate"], (0, 0.1), atol=1e-12)


def test_a_dimension_without_values_is_unchanged():
    region = zoom(SPACE, Region.whole(SPACE), [result(0, 0.1, activation="relu")])
    assert region.ranges["beta"] == (0, 1)


def test_values_are_drawn_inside():
    region = Region({"learning_rate": (0.5, 0.75)}, {"activation": ("tanh", "sigmoid")})
    rates = [region.draw(SPACE, "learning_rate", u) for u in (0, 1)]
    np.testing.assert_allclose(rates, [1e-2, 1e-1])
    drawn = [region.draw(SPACE, "activation", u) for u in (0, 0.49, 0.5, 1)]
    assert drawn == ["tanh", "tanh", "sigmoid", "sigmoid"]


def test_a_round_only_uses_earlier_rounds():
    space = Space.parse(["units=integers(1, 9)"])
    results = [result(n, abs(units - 5), units=units) for n, units in enumerate([9, 4, 6, 5])]
    results.append(result(4, 0, units=5))
    assert region_of(space, results, 3, 4) == Region.whole(space)
    first = region_of(space, results, 4, 4)
    assert region_of(space, results, 7, 4) == first
    low, high = first.ranges["units"]
    assert 0 < low < space.dimensions["units"].position(4)
    assert high > space.dimensions["units"].position(6)
    second = region_of(space, results, 8, 4)
    assert second.ranges["units"][1] - second.ranges["units"][0] < high - low


def test_it_closes_in_on_a_valley():
    """In five rounds of eight, the candidates of the last round are near the best value."""
    space, best = Space.parse(["learning_rate=log(1e-4, 1)", "l2=log(1e-4, 1)"]), 0.7
    results: list[Result] = []
    rng = np.random.default_rng(0)
    for number in range(40):
        region = region_of(space, results, number, 8)
        values = {n: region.draw(space, n, rng.random()) for n in space.dimensions}
        places = [space.dimensions[n].position(v) for n, v in values.items()]
        results.append(Result(number, values, sum((p - best) ** 2 for p in places)))
    early, late = (np.mean([r.dev_cost for r in some]) for some in (results[:8], results[-8:]))
    assert late < early / 50
