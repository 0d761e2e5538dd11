"""chainrule/strategy/label_errors.py: the number of wrong labels, random or systematic."""

import numpy as np
import pytest

from chainrule.strategy.label_errors import (
    at_least,
    beyond_chance,
    chi_square,
    confident_joint,
    noise_of,
)


def test_the_confident_joint_by_hand():
    """Thresholds: class 0 (0.9 + 0.7 + 0.2)/3 = 0.6, class 1 (0.8 + 0.4)/2 = 0.6."""
    likely = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.2, 0.8], [0.6, 0.4]])
    Q, confident = confident_joint(likely, np.array([0, 0, 0, 1, 1]))
    assert Q.tolist() == [[2, 1], [1, 1]]
    assert confident.tolist() == [0, 0, 1, 1, 0]


def test_nobody_is_confident_where_nothing_passes_the_threshold():
    likely = np.array([[0.5, 0.3, 0.2], [0.9, 0.05, 0.05], [0.2, 0.6, 0.2], [0.1, 0.9, 0.0]])
    _, confident = confident_joint(likely, np.array([0, 0, 1, 1]))
    assert confident.tolist() == [-1, 0, -1, 1]


def test_a_binomial_tail_by_hand():
    assert at_least(3, 3, 0.5) == pytest.approx(1 / 8)
    assert at_least(1, 2, 0.1) == pytest.approx(1 - 0.81)


def test_the_fullest_cells_are_taken_out_one_after_the_other():
    observed, chance = np.array([2.0, 40, 3, 1, 15, 2]), np.full(6, 100.0)
    beyond, rate = beyond_chance(observed, chance)
    assert np.flatnonzero(beyond).tolist() == [1, 4]
    assert rate == pytest.approx(8 / 400)


def test_chi_square_is_small_for_chance_alone():
    rng, chance = np.random.default_rng(0), np.full(90, 1 / 90)
    alarms = [chi_square(rng.multinomial(150, chance), chance, i) < 0.05 for i in range(30)]
    assert sum(alarms) < 6
    assert chi_square(np.array([30.0, 1, 1, 1]), np.ones(4)) < 0.001
    assert chi_square(np.zeros(4), np.ones(4)) == 1


def joint(spread, **pairs):
    """Q of ten classes of 100 examples, with so many in each other cell."""
    Q = np.full((10, 10), spread, float)
    np.fill_diagonal(Q, 100 - 9 * spread)
    for pair, count in pairs.items():
        Q[int(pair[1]), int(pair[2])] += count
    return Q, np.repeat(np.arange(10), Q.sum(axis=1).astype(int))


def test_mistakes_spread_over_all_cells_are_random():
    noise = noise_of(*joint(1), tuple(range(10)))
    assert noise.kind == "random"
    assert noise.share == pytest.approx(0.09)
    assert noise.low < 0.09 < noise.high
    assert noise.pairs == ()


def test_mistakes_in_one_cell_are_systematic_and_may_be_classes_that_look_alike():
    noise = noise_of(*joint(0, p38=60), tuple("abcdefghij"))
    assert noise.kind == "systematic"
    assert (noise.pairs[0].given, noise.pairs[0].instead, noise.pairs[0].count) == ("d", "i", 60)
    assert noise.low == pytest.approx(0, abs=1e-9)


def test_both_at_once():
    noise = noise_of(*joint(1, p38=40), tuple(range(10)))
    assert noise.kind == "both"
    assert [(p.given, p.instead) for p in noise.pairs] == [(3, 8)]


def test_a_few_errors_are_not_classified():
    assert noise_of(*joint(0), tuple(range(10))).kind == "none"
    assert noise_of(*joint(0, p12=1, p34=1), tuple(range(10))).kind == "few"
