"""chainrule/vision/detection/boxes.py: from Z to boxes; a detector that learns."""

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.models.yolo import yolo
from chainrule.optim.adam import adam
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.vision.detection.boxes import decode as decode_eagerly
from chainrule.vision.detection.boxes import detect, found, objects_of, score_detector
from chainrule.vision.detection.cost import AugmentBoxes, DetectionCost, MeanIoU
from tests.vision.detection.test_cost import ANCHORS, Y, perfect

decode = equinox.filter_jit(decode_eagerly)  # compiled whole, as in `found`
PIXELS = ((0.2, 0.3), (0.3, 0.2))


# ---- by hand


def test_a_cell_and_an_anchor_by_hand():
    """Row 1, column 2, t = 0: the middle of the cell, the anchor's size; σ(1) · softmax(2, 0)."""
    Z = jnp.full((1, 3, 3, 7), -30.0).at[0, 1, 2].set(jnp.array([1.0, 0, 0, 0, 0, 2, 0]))
    boxes, classes, scores = decode(Z, ((0.2, 0.4),), 2)
    k = 1 * 3 + 2
    np.testing.assert_allclose(boxes[0, k], [2.5 / 3 - 0.1, 0.3, 2.5 / 3 + 0.1, 0.7], rtol=1e-12)
    assert classes[0, k] == 0
    chance = 1 / (1 + np.exp(-1)) / (1 + np.exp(-2))
    np.testing.assert_allclose(scores[0, k], chance, rtol=1e-12)


def test_height_comes_before_width_as_in_the_notes():
    Z = jnp.zeros((1, 1, 1, 6)).at[0, 0, 0, 3].set(np.log(2))
    boxes, _, _ = decode(Z, ((0.2, 0.2),), 1)
    np.testing.assert_allclose(boxes[0, 0], [0.4, 0.3, 0.6, 0.7], rtol=1e-12)


def test_boxes_encoded_and_decoded_are_the_same():
    left = found(perfect(Y), anchors=ANCHORS, n_C=3, score_threshold=0.5, most=5)
    for boxes, classes, there, wanted in zip(
        left.boxes, left.classes, left.there, objects_of(np.asarray(Y)), strict=True
    ):
        order = np.lexsort(boxes[there].T), np.lexsort(wanted.boxes.T)
        np.testing.assert_allclose(boxes[there][order[0]], wanted.boxes[order[1]], atol=1e-7)
        assert classes[there][order[0]].tolist() == wanted.classes[order[1]].tolist()


# ---- properties


def test_a_box_is_clipped_at_the_edge_even_if_its_size_overflows():
    Z = jnp.zeros((1, 2, 2, 6), jnp.float32).at[..., 3:5].set(1e4)
    boxes, _, scores = decode(Z, ((0.2, 0.2),), 1)
    np.testing.assert_array_equal(boxes, jnp.broadcast_to(jnp.array([0.0, 0, 1, 1]), (1, 4, 4)))
    assert np.isfinite(scores).all()


def test_one_of_several_overlapping_boxes_is_kept_per_class():
    """Both anchors of a cell predict nearly the same box, first with the same class, then not."""
    same = jnp.array([1.0, 0, 0, 0, 0, 9, 0, 2.0, 0, 0, 0, 0, 9, 0])
    other = same.at[12:].set(jnp.array([0.0, 9.0]))
    how = {"anchors": ((0.5, 0.5), (0.5, 0.49)), "n_C": 2, "most": 4}
    for vector, count in ((same, 1), (other, 2)):
        left = found(vector[None, None, None], score_threshold=0.1, **how)
        assert left.there.sum() == count
        assert left.scores[0, 0] == pytest.approx(1 / (1 + np.exp(-2)), rel=1e-3)


def rectangles(m, seed):
    """Return images of 32 by 32 with red or blue rectangles in up to 3 quadrants, and boxes."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0, 0.2, (m, 32, 32, 3)).astype(np.float32)
    Y = np.zeros((m, 3, 5), np.float32)
    Y[..., 0] = -1
    for i in range(m):
        for j, quarter in enumerate(rng.permutation(4)[: rng.integers(1, 4)]):
            w, h = rng.integers(6, 11, 2)
            x, y = rng.integers(0, 17 - w) + 16 * (quarter % 2), rng.integers(0, 17 - h)
            y += 16 * (quarter // 2)
            kind = rng.integers(2)
            X[i, y : y + h, x : x + w] = (1.0, 0.2, 0.2) if kind else (0.2, 0.2, 1.0)
            Y[i, j] = [kind, *np.array([x, y, x + w, y + h]) / 32]
    return X, Y


@pytest.mark.usefixtures("float32_world")
def test_a_detector_learns_rectangles():
    X, Y = rectangles(256, 0)
    network = yolo((32, 32, 3), 2, anchors=PIXELS, key=jax.random.key(0), width=0.25)
    cost, metric = DetectionCost(PIXELS, 2), MeanIoU(PIXELS, 2)
    trained = fit(
        network,
        adam(0.01),
        cost,
        Examples(X, Y),
        Examples(*rectangles(32, 2)),  # its best network is kept, whatever the last epoch does
        epochs=60,
        batch_size=32,
        metric=metric,
        augment=AugmentBoxes("mirror,crop=4,padding=edge"),
    ).network
    scores = score_detector(trained, *rectangles(32, 1))
    assert scores["map_50"] > 0.8
    assert len(scores["ap_50"]) == 2
    detections = detect(trained, X[:3], score_threshold=0.5, most=2)
    assert [len(one.boxes) <= 2 for one in detections] == [True] * 3
