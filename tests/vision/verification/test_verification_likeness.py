"""chainrule/vision/verification/training.py"""

import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.host.randomness import key_from_seed
from chainrule.layers.face_embedding import PairClassifier
from chainrule.layers.layer import replace_arrays
from chainrule.vision.verification.scores import distances, pairs_of, verification_accuracy
from chainrule.vision.verification.training import (
    distance_of,
    draw_pairs,
    pair_distance,
    train_pair_classifier,
)

pytestmark = pytest.mark.usefixtures("float32_world")


def test_the_learned_distance_by_hand():
    E, F = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[1.0, 1.0]])
    made = np.array([2.0, -3.0, -1.0])
    # |(1, 0) − (1, 1)| = (0, 1): Z = −1 + 2 = 1; |(0, 2) − (1, 1)| = (1, 1): Z = −3 − 1 + 2 = −2
    want = 1 - 1 / (1 + np.exp([[-1.0], [2.0]]))
    np.testing.assert_allclose(pair_distance(E, F, classifier=made), want, rtol=1e-12)
    rows = np.hstack([E, np.repeat(F, 2, axis=0)]).astype(np.float32)
    arrays = {"W1": np.float32([made[1:]]), "b1": np.float32([made[:1]])}
    layer = replace_arrays(PairClassifier(2, key=key_from_seed(0)), arrays)
    Z = layer(jnp.asarray(rows.T))
    np.testing.assert_allclose(Z, [[1.0, -2.0]], rtol=1e-6)
    assert distance_of(None) is distances
    np.testing.assert_array_equal(distance_of(made)(E, F), pair_distance(E, F, classifier=made))


def test_extreme_outputs_give_finite_distances():
    far = pair_distance(np.array([[1e6]]), np.array([[0.0]]), classifier=[0.0, -1.0])
    near = pair_distance(np.array([[1e6]]), np.array([[0.0]]), classifier=[0.0, 1.0])
    assert (far, near) == (1, 0)


def test_as_many_pairs_of_two_people_as_of_one():
    whose = np.array([3, 1, 3, 1, 1, 8, 8])[np.random.default_rng(0).permutation(7)]
    first, second, same = draw_pairs(whose, seed=1)
    assert (len(same), same.sum()) == (10, 5)  # 1 + 3 + 1 pairs of one person
    np.testing.assert_array_equal(whose[first] == whose[second], same)
    assert (first != second).all()
    assert len({frozenset(pair) for pair in zip(first[same], second[same], strict=True)}) == 5
    assert draw_pairs(whose, most=2)[2].tolist() == [True, True, False, False]
    some = [draw_pairs(np.arange(20).repeat(4), seed=seed, most=5)[0][:5] for seed in (0, 1)]
    assert not np.array_equal(*some)  # not only the first people


def test_the_scale_of_a_coordinate_does_not_matter_and_a_constant_one_is_harmless():
    rng = np.random.default_rng(0)
    whose = np.arange(8).repeat(4)
    E = np.stack([whose + 0.2 * rng.random(32), rng.random(32), np.full(32, 0.5)], axis=1)
    made, other = (
        train_pair_classifier(E * unit, whose) for unit in ([1, 1, 1], [2**-10, 2**10, 1])
    )
    assert np.isfinite(made).all()
    np.testing.assert_allclose(other[:3] * [1, 2**-10, 2**10], made[:3], rtol=1e-4)


def test_every_other_person_may_be_drawn():
    whose = np.array([0] * 30 + [1, 1])
    first, second, same = draw_pairs(whose)
    np.testing.assert_array_equal(whose[first] == whose[second], same)
    assert set(second[~same][whose[first[~same]] == 0]) == {30, 31}


def test_it_learns_which_coordinates_matter():
    """The first coordinate depends on the person, the second is larger noise."""
    rng = np.random.default_rng(0)
    whose = np.arange(12).repeat(6)
    E = np.stack([whose / 12 + 0.005 * rng.standard_normal(72), 3 * rng.random(72)], axis=1)
    made = train_pair_classifier(E, whose)
    _, *W = made
    assert W[0] < -30 < -10 * abs(W[1])
    learned = pairs_of(E, whose, distance_of(made))
    assert verification_accuracy(learned, 0.5) > 0.9
    plain = pairs_of(E, whose)
    best = max(verification_accuracy(plain, t) for t in np.quantile(plain.D, np.arange(1, 20) / 20))
    assert best < 0.75
    repeated = train_pair_classifier(E, whose)
    np.testing.assert_array_equal(made, repeated)
