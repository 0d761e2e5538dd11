"""Tests of chainrule/blocks/boxes.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.blocks.boxes import (
    anchor_boxes,
    area,
    giou,
    in_pixels,
    iou,
    non_max_suppression,
    pairwise_iou,
    relative,
    size_iou,
    to_centre,
    to_corners,
)

rng = np.random.default_rng(0)
ious, gious, pairs = jax.jit(iou), jax.jit(giou), jax.jit(pairwise_iou)
NUMBERS = st.integers(0, 12).map(float)
BOXES = st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), min_size=6, max_size=6)


def boxes(*rows):
    return jnp.array(rows, jnp.float64)


def some(n, side=100):
    """Return n random boxes with corners in the right order."""
    first = rng.uniform(0, side * 0.8, (n, 2))
    return jnp.asarray(np.hstack([first, first + rng.uniform(side * 0.05, side * 0.3, (n, 2))]))


# By hand


@pytest.mark.parametrize(
    ("A", "B", "want"),
    [
        ((1, 1, 3, 4), (1, 1, 3, 4), 1),  # identical
        ((0, 0, 2, 2), (2, 0, 4, 2), 0),  # they touch
        ((0, 0, 2, 2), (2, 2, 4, 4), 0),  # in a corner
        ((0, 0, 2, 2), (5, 5, 6, 6), 0),
        ((2, 1, 4, 3), (1, 2, 3, 4), 1 / 7),  # the notes' exercise: 1 / (4 + 4 − 1)
        ((0, 0, 4, 4), (1, 1, 3, 3), 4 / 16),  # one inside the other
        ((1, 1, 1, 5), (1, 1, 1, 5), 0),  # no area
        ((0, 0, 2, 2), (1, 1, 1, 1), 0),
        ((3, 3, 1, 1), (0, 0, 4, 4), 0),  # corners the wrong way round
    ],
)
def test_intersection_over_union(A, B, want):
    assert float(ious(boxes(A), boxes(B))[0]) == pytest.approx(want, abs=1e-15)
    assert float(ious(boxes(B), boxes(A))[0]) == pytest.approx(want, abs=1e-15)


def test_generalised_iou():
    A, B = boxes((0, 0, 2, 2)), boxes((3, 0, 5, 2))
    assert float(gious(A, A)[0]) == 1
    assert float(gious(A, B)[0]) == pytest.approx(0 - (10 - 8) / 10)
    assert float(gious(A, boxes((0, 0, 0, 0)))[0]) == 0
    far = float(gious(A, boxes((1000, 1000, 1002, 1002)))[0])
    assert -1 < far < -0.99


def test_conversions():
    corners = boxes((1, 2, 5, 8))
    np.testing.assert_array_equal(to_centre(corners), [[3, 5, 4, 6]])
    np.testing.assert_array_equal(to_corners(to_centre(corners)), corners)
    np.testing.assert_array_equal(relative(corners, 10, 20), [[0.05, 0.2, 0.25, 0.8]])
    np.testing.assert_allclose(in_pixels(relative(corners, 10, 20), 10, 20), corners)
    np.testing.assert_array_equal(area(corners), [24])


def test_the_box_with_the_highest_score_is_kept():
    three = boxes((0, 0, 10, 10), (1, 0, 11, 10), (20, 20, 30, 30))
    kept = non_max_suppression(three, jnp.array([0.8, 0.9, 0.7]), most=3)
    assert kept.chosen[kept.there].tolist() == [1, 2]
    looser = non_max_suppression(three, jnp.array([0.8, 0.9, 0.7]), iou_threshold=0.9, most=3)
    assert looser.chosen[looser.there].tolist() == [1, 0, 2]


def test_classes_do_not_suppress_each_other():
    two = boxes((0, 0, 10, 10), (0, 0, 10, 10))
    scores = jnp.array([0.5, 0.5])
    same = non_max_suppression(two, scores, jnp.array([3, 3]))
    other = non_max_suppression(two, scores, jnp.array([3, 4]))
    assert same.chosen[same.there].tolist() == [0]  # of equal scores the first
    assert other.chosen[other.there].tolist() == [0, 1]


def test_no_box_and_too_many():
    four, scores = some(4) + jnp.arange(4.0)[:, None] * 200, jnp.array([0.4, 0.1, 0.3, 0.2])
    none = non_max_suppression(four, scores, score_threshold=0.4)
    assert not none.there.any()
    two = non_max_suppression(four, scores, most=2)
    assert two.chosen.tolist() == [0, 2]
    assert two.there.all()
    empty = non_max_suppression(jnp.zeros((0, 4)), jnp.zeros(0))
    assert empty.chosen.shape == (0,)


def test_boxes_without_area_are_kept():
    kept = non_max_suppression(jnp.ones((3, 4)), jnp.array([0.3, 0.2, 0.1]))
    assert kept.chosen[kept.there].tolist() == [0, 1, 2]


def test_anchors_of_two_kinds_of_boxes():
    tall = np.array([10, 30]) + rng.uniform(-1, 1, (40, 2))
    wide = np.array([60, 20]) + rng.uniform(-1, 1, (60, 2))
    sizes = jnp.asarray(rng.permutation(np.vstack([tall, wide])))
    anchors = anchor_boxes(sizes, 2, key=jax.random.key(3))
    np.testing.assert_allclose(anchors, [tall.mean(axis=0), wide.mean(axis=0)])


def test_anchors_of_boxes_that_are_all_the_same():
    anchors = anchor_boxes(jnp.full((5, 2), 7.0), 3, key=jax.random.key(0))
    np.testing.assert_array_equal(anchors, np.full((3, 2), 7))


# Properties


def greedy(boxes, scores, classes, threshold, lowest):
    """Suppress box by box, as in the notes."""
    order, kept = sorted(range(len(scores)), key=lambda i: (-scores[i], i)), []
    for i in order:
        if scores[i] > lowest and all(
            classes[i] != classes[j] or ious(boxes[i][None], boxes[j][None])[0] <= threshold
            for j in kept
        ):
            kept.append(i)
    return kept


def test_suppression_matches_the_loop_in_the_notes():
    suppress = jax.jit(
        lambda boxes, scores, classes: non_max_suppression(
            boxes, scores, classes, iou_threshold=0.3, score_threshold=0.2, most=30
        )
    )
    for _ in range(5):
        many, scores = some(30), jnp.asarray(rng.uniform(0, 1, 30))
        classes = jnp.asarray(rng.integers(0, 2, 30))
        kept = suppress(many, scores, classes)
        assert kept.chosen[kept.there].tolist() == greedy(many, scores, classes, 0.3, 0.2)


@given(BOXES, BOXES)
def test_iou_is_bounded_and_symmetric(A, B):
    A, B = boxes(*A), boxes(*B)
    one, generalized = ious(A, B), gious(A, B)
    assert ((one >= 0) & (one <= 1)).all()
    assert ((generalized >= -1) & (generalized <= one)).all()
    np.testing.assert_array_equal(one, ious(B, A))
    np.testing.assert_array_equal(jnp.diag(pairs(A, B)), one)
    np.testing.assert_allclose(ious(A * 3, B * 3), one)


def test_size_iou_is_the_iou_of_boxes_with_one_centre():
    A, B = (jnp.asarray(rng.uniform(1, 9, (n, 2))) for n in (5, 4))
    centred = [jnp.hstack([jnp.zeros_like(size), size]) for size in (A, B)]
    np.testing.assert_allclose(size_iou(A, B), pairs(*map(to_corners, centred)))


def test_no_anchor_can_be_improved():
    sizes = jnp.asarray(rng.uniform(5, 60, (200, 2)))
    anchors = anchor_boxes(sizes, 4, key=jax.random.key(1))
    nearest = size_iou(sizes, anchors).argmax(axis=1)
    for k in range(4):
        np.testing.assert_allclose(anchors[k], sizes[nearest == k].mean(axis=0))
    assert (np.diff(anchors.prod(axis=1)) > 0).all()
