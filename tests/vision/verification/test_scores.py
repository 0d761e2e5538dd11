"""chainrule/vision/verification/scores.py"""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from chainrule.errors import DataError, ShapeError
from chainrule.vision.verification.scores import (
    Pairs,
    best_threshold,
    distances,
    equal_error_rate,
    one_shot,
    one_shot_accuracy,
    one_shot_of,
    pairs_of,
    roc,
    verification_accuracy,
    ways_of,
)

# Pairs of one person: 0.1, 0.2, 0.6 and 0.3; of two people: 0.4, 0.5, 0.9, 1 and 0.15.
D = np.array([0.1, 0.2, 0.6, 0.3, 0.4, 0.5, 0.9, 1.0, 0.15])
PAIRS = Pairs(D, np.arange(9) < 4)


def test_every_pair_of_images_once_by_hand():
    pairs = pairs_of(np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]), np.array([7, 8, 7]))
    np.testing.assert_allclose(pairs.D, [25, 1, 18])
    np.testing.assert_array_equal(pairs.same, [False, True, False])


def test_pairs_with_another_distance_and_none_below_0():
    pairs = pairs_of(np.array([[0.0], [3.0]]), np.array([7, 8]), lambda E, F: np.abs(E - F.T))
    np.testing.assert_allclose(pairs.D, [3])
    E = np.random.default_rng(0).standard_normal((50, 30))
    E /= np.linalg.norm(E, axis=1, keepdims=True)
    assert (np.diag(distances(E, E)) >= 0).all()  # rounding of 1 + 1 − 2 is not below 0 either


def test_the_curve_by_hand():
    curve = roc(PAIRS)
    np.testing.assert_allclose(curve.thresholds[:5], [-np.inf, 0.1, 0.15, 0.2, 0.3])
    np.testing.assert_allclose(curve.false_accepts[:5], [0, 0, 0.2, 0.2, 0.2])
    np.testing.assert_allclose(curve.false_rejects[:5], [1, 0.75, 0.75, 0.5, 0.25])
    assert (curve.false_accepts[-1], curve.false_rejects[-1]) == (1, 0)


def test_the_equal_error_rate_by_hand():
    # at 0.3: 0.2 accepted and 0.25 rejected; at 0.4: 0.4 and 0.25. They meet at 0.25.
    assert equal_error_rate(roc(PAIRS)) == pytest.approx(0.25)


@pytest.mark.parametrize(("shift", "rate"), [(0.0, 0.0), (10.0, 1.0)])
def test_a_perfect_and_a_reversed_order(shift, rate):
    same = np.arange(10) < 5
    D = np.where(same, shift + np.arange(10), 5 + np.arange(10) - shift / 2)
    assert equal_error_rate(roc(Pairs(D, same))) == pytest.approx(rate)


def test_equal_distances_give_chance_level():
    curve = roc(Pairs(np.ones(6), np.arange(6) < 3))
    assert equal_error_rate(curve) == pytest.approx(0.5)
    assert curve.auc == pytest.approx(0.5)


def test_the_area_equals_scikit_learn():
    rng = np.random.default_rng(0)
    same = rng.random(200) < 0.3
    D = np.round(rng.random(200) + 0.4 * ~same, 1)  # with ties
    assert roc(Pairs(D, same)).auc == pytest.approx(roc_auc_score(same, -D))


def test_the_best_threshold_by_hand():
    assert best_threshold(roc(PAIRS)) == pytest.approx(0.35)  # between 0.3 and 0.4
    assert verification_accuracy(PAIRS, 0.35) == pytest.approx((0.75 + 0.8) / 2)
    assert verification_accuracy(PAIRS, 0.3) == pytest.approx(
        (0.75 + 0.8) / 2
    )  # 0.3 itself is accepted
    all_or_none = Pairs(np.array([1.0, 2.0]), np.array([False, True]))
    assert 0 <= best_threshold(roc(all_or_none)) <= 2
    alike = Pairs(np.array([0.5, 1.0, 1.0]), np.array([False, True, True]))
    assert best_threshold(roc(alike)) <= 1.0  # all or none are equally good: no distance follows


def test_one_shot_recognition_by_hand():
    known = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    E = np.array([[0.9, 0.1], [0.1, 1.5], [0.2, 0.1]])
    np.testing.assert_array_equal(one_shot(known, E), [1, 2, 0])
    assert one_shot_accuracy(known, E, np.array([1, 2, 2])) == pytest.approx(2 / 3)


def test_the_number_of_people_for_one_shot_recognition():
    assert [ways_of(np.arange(n).repeat(2)) for n in (4, 5, 19, 20, 30)] == [None, 5, 5, 20, 20]
    whose = np.arange(6).repeat(3)
    apart = np.eye(6)[whose] + 0.01 * np.random.default_rng(0).random((18, 6))
    assert one_shot_of(apart, whose, 5) == 1
    # all distances are equal: argmin takes the first, which is right once in five
    assert one_shot_of(np.ones((18, 2)), whose, 5) == pytest.approx(1 / 5)
    # two people have equal embeddings: each is right half of the time
    twins = np.where(whose == 5, 4, whose)
    share = one_shot_of(np.eye(6)[twins], whose, 6, tasks=50)
    assert share == pytest.approx(5 / 6)
    assert one_shot_of(apart, whose, 5, distance=lambda E, F: -distances(E, F)) < 0.1


def test_the_known_image_is_never_the_query():
    whose = np.arange(6).repeat(2)
    own = np.eye(12)  # as far from the other image of the same person as from all others
    assert one_shot_of(own, whose, 5) == pytest.approx(1 / 5)


def test_the_errors_about_one_kind_of_pairs_and_shapes():
    with pytest.raises(DataError) as error:
        roc(Pairs(D, np.ones(9, bool)))
    assert str(error.value).startswith(
        "the pairs: expected pairs of the same identity and pairs of different identities; got"
    )
    with pytest.raises(ShapeError) as error:
        distances(np.ones((3, 2)), np.ones((3, 4)))
    assert "(3, 2) and (3, 4)" in str(error.value)
