"""chainrule/vision/verification/training.py"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.triplet import triplet_cost
from chainrule.errors import OptionError
from chainrule.vision.verification.training import TripletCost, nearest_is_same, pairs, semi_hard

# On a line: two of person 1, three of person 2, and one row of padding.
Z = jnp.array([[0.0, 1.0, 0.5, 3.0, 3.5, 0.9]])
Y = jnp.array([[1.0, 1.0, 2.0, 2.0, 2.0, 1.0]])
WEIGHTS = jnp.array([[1.0, 1.0, 1.0, 1.0, 1.0, 0.0]])


def by_hand(Z, Y, weights, margin):
    """Return every triplet (anchor, positive, negative) with its weight."""
    m, triplets, shares = Z.shape[1], [], []
    D = ((Z[:, :, None] - Z[:, None]) ** 2).sum(axis=0)
    there = [i for i in range(m) if weights[0, i] > 0]
    for a in there:
        negatives = [n for n in there if Y[0, n] != Y[0, a]]
        for p in there:
            if p != a and Y[0, p] == Y[0, a] and negatives:
                further = [n for n in negatives if D[a, n] > D[a, p]]
                by_distance = sorted(further or negatives, key=lambda n: D[a, n])
                triplets.append((a, p, by_distance[0 if further else -1]))
                shares.append(weights[0, a] * weights[0, p])
    return np.array(triplets).T, np.array([shares])


def test_the_negatives_by_hand():
    positive, negative = pairs(Y, WEIGHTS)
    D = (Z.T - Z) ** 2
    chosen = semi_hard(D, negative)
    # 0 with its positive 1 at D = 1: of 0.25, 9 and 12.25 the nearest further one is image 3
    assert positive[0].tolist() == [False, True, False, False, False, False]
    assert int(chosen[0, 1]) == 3
    # 2 with its positive 4 at D = 9: none of 0.25 and 0.25 is further, so the furthest
    assert int(chosen[2, 4]) in (0, 1)
    # 3 with its positive 4 at D = 0.25: 9 and 4 are further, image 1 is the nearest
    assert int(chosen[3, 4]) == 1
    np.testing.assert_array_equal(by_hand(Z, Y, WEIGHTS, 0.2)[0][:, 0], [0, 1, 3])


def test_a_negative_as_far_as_the_positive_is_not_further():
    D = jnp.array([[0.0, 1.0, 1.0, 4.0]])  # of anchor 0: its positive 1, and two others
    negative = jnp.array([[False, False, True, True]])
    assert int(semi_hard(D, negative)[0, 1]) == 3


@pytest.mark.parametrize("seed", range(3))
def test_cost_and_gradient_are_those_of_the_chosen_triplets(seed):
    rng = np.random.default_rng(seed)
    Z = jnp.asarray(rng.standard_normal((3, 9)))
    Z = Z / jnp.linalg.norm(Z, axis=0, keepdims=True)
    Y = jnp.asarray(rng.integers(0, 3, (1, 9)).astype(float))
    weights = jnp.asarray(rng.integers(0, 3, (1, 9)).astype(float))
    (A, P, N), shares = by_hand(np.asarray(Z), np.asarray(Y), np.asarray(weights), 0.5)

    def named(Z):
        return triplet_cost(Z[:, A], Z[:, P], Z[:, N], 0.5, jnp.asarray(shares))

    mined = jax.jit(jax.value_and_grad(lambda Z: TripletCost(0.5)(Z, Y, weights)))(Z)
    want = jax.jit(jax.value_and_grad(named))(Z)
    np.testing.assert_allclose(mined[0], want[0], rtol=1e-12)
    np.testing.assert_allclose(mined[1], want[1], rtol=1e-9, atol=1e-14)
    assert np.abs(want[1]).max() > 0


def test_the_cost_is_0_without_positives_or_negatives():
    for whose in (jnp.arange(6.0)[None], jnp.zeros((1, 6))):
        J, dZ = jax.value_and_grad(lambda Z: TripletCost()(Z, whose, WEIGHTS))(Z)  # noqa: B023
        assert float(J) == 0
        np.testing.assert_array_equal(dZ, np.zeros((1, 6)))


def test_the_nearest_other_image():
    # 0 → 2 wrong, 1 → 2 wrong (the place at 0.9 is not there), 2 → 0 wrong, 3 and 4 right
    np.testing.assert_allclose(nearest_is_same(Z, Y, WEIGHTS), 2 / 5)


def test_the_same_margin_shares_a_program():
    assert TripletCost(0.3) == TripletCost(0.3)
    assert hash(TripletCost(0.3)) == hash(TripletCost(0.3))


@pytest.mark.parametrize("margin", [0, -1, 4, "wide"])
def test_the_error_about_the_margin(margin):
    with pytest.raises(OptionError) as error:
        TripletCost(margin)
    assert str(error.value).startswith(
        "TripletCost(margin=…): expected a number greater than 0 and less than"
    )
