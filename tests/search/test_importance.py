"""chainrule/search/search.py: what explains the ranks, by hand and on noise."""

import numpy as np
import pytest

from chainrule.search.dimensions import Choices, Log, Uniform
from chainrule.search.search import importance, importances
from chainrule.search.space import Space
from chainrule.search.trials import DONE, FAILED, CandidateResult, Outcome


def test_a_straight_line_explains_all():
    u = np.linspace(0, 1, 9)
    assert importance(Uniform(0, 1), list(u), u) == pytest.approx(1)


def test_on_the_dimensions_own_scale_and_by_rank():
    """Costs that grow without bound along a log scale are a straight line of ranks."""
    values = np.geomspace(1e-4, 1, 9)
    assert importance(Log(1e-4, 1), list(values), np.exp(1e3 * values / 2)) == pytest.approx(1)


def test_a_valley_is_seen():
    u = np.linspace(0, 1, 21)
    assert importance(Uniform(0, 1), list(u), (u - 0.5) ** 2) > 0.9


def test_choices_by_hand():
    """Ranks 0 1 2 | 3 4 5: R² = 27 / 35 of 17.5 · 2, one term of six candidates."""
    found = importance(Choices(("a", "b")), ["a"] * 3 + ["b"] * 3, np.arange(6.0))
    unexplained = 4 / 17.5
    assert found == pytest.approx(1 - unexplained * 5 / 4)


def test_chance_explains_nothing():
    rng = np.random.default_rng(0)
    found = [importance(Uniform(0, 1), list(rng.random(20)), rng.random(20)) for _ in range(200)]
    assert np.median(found) == 0
    assert np.mean(found) < 0.06


def test_a_dimension_with_one_value_explains_nothing():
    assert importance(Choices(("a", "b")), ["a"] * 6, np.arange(6.0)) == 0


def test_only_done_candidates_with_a_value_count():
    space = Space.parse(["x=uniform(0, 1)", "z=uniform(0, 1)", "y=uniform(0, 1) if x > 0.5"])
    rng = np.random.default_rng(0)
    candidates = []
    for number in range(14):
        values = {"x": number / 13, "z": rng.random()}
        values |= {"y": 0.5} if number > 11 else {}
        candidates.append(CandidateResult(number, values, Outcome(DONE, float(number))))
    candidates += [CandidateResult(99, {"x": 1.0, "z": 0.0}, Outcome(FAILED))] * 9
    found = importances(space, candidates)
    assert list(found) == ["x", "z"]
    assert found["x"] == pytest.approx(1)
    assert importances(space, candidates[:7]) == {}
