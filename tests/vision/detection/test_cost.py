"""chainrule/vision/detection/cost.py: the parts of J, their gradient, and ignored anchors."""

from functools import partial

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.gradcheck import gradient_check
from chainrule.vision.detection import cost
from chainrule.vision.detection.cost import IGNORED, DetectionCost, MeanIoU, by_anchor
from tests.gradients import assert_gradients

encode = equinox.filter_jit(cost.encode)  # compiled whole, as in training
ANCHORS = ((0.2, 0.6), (0.6, 0.2))
COST = DetectionCost(ANCHORS, 3)


def picture(*objects, most=3):
    """Return Y (most, 5)."""
    return [*objects, *[[-1.0, 0, 0, 0, 0]] * (most - len(objects))]


CAR = [1.0, 0.2, 0.4, 0.8, 0.6]  # the shape of the wide anchor, centred in the grid
PERSON = [0.0, 0.7, 0.0, 0.9, 0.6]
Y = jnp.array([picture(CAR), picture(CAR, PERSON), picture()])
Z = jax.random.normal(jax.random.key(0), (3, 3, 3, 16))
WEIGHTS = jnp.array([[1.0, 2.0, 0.5]])


@partial(jax.jit, static_argnames="cost")
def parts_of(Z, Y, weights=None, cost=COST):
    return cost.parts(Z, Y, weights)


@partial(jax.jit, static_argnames="cost")
def J_of(Z, Y, weights=None, cost=COST):
    return cost(Z, Y, weights)


def slope_of(Z, Y, cost=COST):
    """Return dZ of each anchor of each cell."""
    return by_anchor(jax.jit(jax.grad(lambda Z: cost(Z, Y)))(Z), 3)


def perfect(Y, sure=50.0):
    """Return Z that predicts the labels: p_c and class almost surely, b_x and b_y exactly."""
    T = np.array(by_anchor(encode(Y, ANCHORS, 3, 3, 3), 3))
    shapes = np.array(ANCHORS)[:, ::-1] * 3
    T[..., 3:5] = np.log(np.where(T[..., :1] > 0, T[..., 3:5], shapes) / shapes)
    b = np.clip(T[..., 1:3], 1e-9, 1 - 1e-9)
    T[..., 1:3] = np.log(b / (1 - b))
    T[..., 0] = sure * (2 * T[..., 0] - 1)
    T[..., 5:] *= sure
    return jnp.asarray(T.reshape(len(Y), 3, 3, 16))


def twin(Z, T, weights, cost):
    """Compute the cost with loops and plain formulas, one image and anchor after the other."""
    total = 0.0
    t = Z.reshape(len(Y), 9, 2, 8)
    near = _near(np.asarray(Y), cost)
    for m in range(len(Y)):
        for cell in range(9):
            for a, (p_w, p_h) in enumerate(cost.anchors):
                own, predicted = T[m, cell, a], t[m, cell, a]
                A = jax.nn.sigmoid(predicted[:3])
                w = weights[0, m] / weights.sum()
                if not own[0]:
                    L = 0 if near[m, cell, a] else -cost.nothing * jnp.log(1 - A[0])
                else:
                    b = own[1:3]
                    centre = -(b * jnp.log(A[1:]) + (1 - b) * jnp.log(1 - A[1:])).sum()
                    ratio = jnp.array([own[3] / (3 * p_h), own[4] / (3 * p_w)])
                    size = ((predicted[3:5] - jnp.log(ratio)) ** 2).sum()
                    kind = -(own[5:] * jnp.log(jax.nn.softmax(predicted[5:]))).sum()
                    L = -cost.object * jnp.log(A[0]) + cost.centre * centre
                    L = L + cost.size * size + cost.classes * kind
                total = total + w * L
    return total


def _near(Y, cost):
    """Return whether each anchor, centred in its cell, has a large IoU with an object."""
    near = np.zeros((len(Y), 9, len(cost.anchors)), bool)
    for m, cell, a in np.ndindex(near.shape):
        (row, column), (w, h) = divmod(cell, 3), cost.anchors[a]
        x, y = (column + 0.5) / 3, (row + 0.5) / 3
        for kind, *corners in Y[m]:
            x1, y1, x2, y2 = corners
            across = max(0.0, min(x + w / 2, x2) - max(x - w / 2, x1))
            down = max(0.0, min(y + h / 2, y2) - max(y - h / 2, y1))
            shared = across * down
            both = w * h + (x2 - x1) * (y2 - y1) - shared
            near[m, cell, a] |= bool(kind >= 0 and shared / both > cost.free)
    return near


# ---- by hand


def test_by_hand():
    """Zeros: −log ½ for p_c and twice for the centre, (log ratio)², log C; the rest half of it."""
    half = np.log(2)
    cost = DetectionCost(((0.3, 0.1),), 3, free=0.9)
    parts = parts_of(jnp.zeros((1, 3, 3, 8)), jnp.array([picture(CAR)]), None, cost)
    want = {"object": half, "nothing": 0.5 * 8 * half, "centre": 2 * half}
    want |= {"size": 2 * 2 * np.log(2) ** 2, "class": np.log(3)}
    for name, J in want.items():
        np.testing.assert_allclose(parts[name], J, rtol=1e-12)


def test_j_is_the_sum_of_the_parts_and_the_mean_over_the_images():
    parts = parts_of(Z, Y, WEIGHTS)
    each = [float(J_of(Z[i : i + 1], Y[i : i + 1])) for i in range(3)]
    for want in (sum(map(float, parts.values())), np.average(each, weights=WEIGHTS[0])):
        np.testing.assert_allclose(J_of(Z, Y, WEIGHTS), want, rtol=1e-12)


# ---- gradients


def test_the_gradient_equals_the_plain_formula_and_the_numerical_slope(getkey):
    T = np.asarray(encode(Y, ANCHORS, 3, 3, 3)).reshape(len(Y), 9, 2, 8)
    plain = partial(twin, T=T, weights=WEIGHTS, cost=COST)
    assert_gradients(lambda Z: COST(Z, Y, WEIGHTS), plain, Z, key=getkey())


def test_gradient_check():
    assert gradient_check(lambda Z: COST(Z, Y, WEIGHTS), Z) < 1e-7


# ---- properties


def test_predicting_the_labels_costs_only_the_entropy_of_the_centre():
    parts = parts_of(perfect(Y), Y)
    assert {name: round(float(J), 9) for name, J in parts.items() if name != "centre"} == {
        "object": 0,
        "nothing": 0,
        "size": 0,
        "class": 0,
    }
    np.testing.assert_allclose(slope_of(perfect(Y), Y), 0, atol=1e-9)


def test_without_an_object_only_p_c_counts():
    slope = slope_of(Z[2:], Y[2:])
    assert (slope[..., 0] > 0).all()
    assert (slope[..., 1:] == 0).all()


def test_an_anchor_near_another_anchors_object_is_ignored():
    wide = DetectionCost(((0.6, 0.2), (0.5, 0.2)), 3)  # both overlap the car; the first owns it
    slope = slope_of(Z[:1], Y[:1], wide)
    assert slope[0, 1, 1, 0, 0] < 0
    assert (slope[0, 1, 1, 1] == 0).all()
    strict = DetectionCost(wide.anchors, 3, free=1.0)
    assert slope_of(Z[:1], Y[:1], strict)[0, 1, 1, 1, 0] > 0


CROWD = [IGNORED - 2.0, 0.0, 0.0, 1.0, 0.34]  # class 2, the upper row of cells


def test_an_anchor_in_an_ignored_region_costs_nothing():
    cost = DetectionCost(((0.2, 0.2),), 3, regions=True)
    Y_both = jnp.array([picture(CAR, CROWD)])
    slope = by_anchor(jax.jit(jax.grad(lambda Z: cost(Z, Y_both)))(Z[:1, ..., :8]), 3)
    assert (slope[0, 0] == 0).all()
    assert (slope[0, 1:, :, 0, 0] != 0).all()


def test_an_object_in_an_ignored_region_is_learned():
    person = [0.0, 0.4, 0.05, 0.6, 0.25]
    cost = DetectionCost(((0.2, 0.2),), 3, regions=True)
    Y_both = jnp.array([picture(person, CROWD)])
    slope = by_anchor(jax.jit(jax.grad(lambda Z: cost(Z, Y_both)))(Z[:1, ..., :8]), 3)
    assert slope[0, 0, 1, 0, 0] < 0
    assert slope[0, 0, 0, 0, 0] == slope[0, 0, 2, 0, 0] == 0


def test_regions_without_any_change_nothing():
    assert J_of(Z, Y, WEIGHTS, DetectionCost(ANCHORS, 3, regions=True)) == J_of(Z, Y, WEIGHTS)


def test_padding_rows_change_nothing():
    filled = [jnp.concatenate([part, jnp.zeros_like(part[:2])]) for part in (Z, Y)]
    weights = jnp.concatenate([WEIGHTS, jnp.zeros((1, 2))], axis=1)
    np.testing.assert_allclose(J_of(*filled, weights), J_of(Z, Y, WEIGHTS), rtol=1e-12)


def test_equal_costs_share_a_program():
    assert DetectionCost(ANCHORS, 3) == COST
    assert hash(DetectionCost(ANCHORS, 3)) == hash(COST)
    assert DetectionCost(ANCHORS, 3, size=1.0) != COST


@pytest.mark.usefixtures("float32_world")
def test_float32_and_finite_at_extreme_outputs():
    both = jax.jit(jax.value_and_grad(COST))
    for size in (0.0, 80.0, 1e4):
        Z32 = jnp.full((3, 3, 3, 16), size, jnp.float32)
        J, slope = both(Z32, jnp.asarray(np.asarray(Y), jnp.float32))
        assert J.dtype == slope.dtype == jnp.float32
        assert np.isfinite(J)
        assert np.isfinite(slope).all()


def test_the_mean_iou_of_predictions_and_objects():
    overlap = jax.jit(MeanIoU(ANCHORS, 3))
    assert float(overlap(perfect(Y), Y, WEIGHTS)) == pytest.approx(1, rel=1e-6)
    assert float(overlap(perfect(Y), Y, jnp.array([[0.0, 0.0, 1.0]]))) == 0  # there are no objects
    smaller = by_anchor(perfect(Y[:1]), 3).at[..., 3].add(-np.log(2)).reshape(1, 3, 3, 16)
    assert float(overlap(smaller, Y[:1], WEIGHTS[:, :1])) == pytest.approx(0.5, rel=1e-6)
