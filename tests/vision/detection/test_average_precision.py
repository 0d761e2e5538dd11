"""chainrule/vision/detection/boxes.py"""

import contextlib
import io

import jax.numpy as jnp
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from chainrule.blocks.boxes import pairwise_iou
from chainrule.vision.detection.boxes import (
    Objects,
    average_precision,
    best_threshold,
    iou_matrix,
    mean_average_precision,
    precision_and_recall,
)
from chainrule.vision.detection.cost import IGNORED

BOX, FAR = [0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]


def objects(boxes, classes=None, scores=None):
    boxes = np.array(boxes, float).reshape(-1, 4)
    classes = np.zeros(len(boxes), int) if classes is None else np.array(classes, int)
    return Objects(boxes, classes, None if scores is None else np.array(scores, float))


def ap(predicted, true, n_classes=1):
    return average_precision([predicted], [true], n_classes)


# By hand


@pytest.mark.parametrize(
    ("boxes", "scores", "want"),
    [
        ([BOX], [0.3], 1),
        ([FAR], [0.3], 0),
        ([], [], 0),
        ([FAR, BOX], [0.9, 0.8], 1 / 2),  # precision 1/2 at every recall
        ([BOX, FAR], [0.9, 0.8], 1),  # boxes after all objects are found cost nothing
        ([BOX, BOX], [0.9, 0.8], 1),
        (
            [[0, 0, 10, 20], BOX],
            [0.9, 0.8],
            1,
        ),  # an IoU of 0.5 suffices to be matched to the object
    ],
)
def test_one_object(boxes, scores, want):
    AP = ap(objects(boxes, scores=scores), objects([BOX]))
    assert AP[0, 0] == pytest.approx(want)


def test_one_of_two_objects_is_found():
    AP = ap(objects([BOX], scores=[0.5]), objects([BOX, FAR]))
    assert AP[0, 0] == pytest.approx(51 / 101)  # recalls 0, 0.01, …, 0.5


def test_a_box_is_correct_up_to_the_threshold_of_its_iou():
    AP = ap(objects([[0, 0, 10, 8]], scores=[0.5]), objects([BOX]))  # IoU 0.8
    assert AP[:, 0].tolist() == [1] * 7 + [0] * 3
    assert mean_average_precision(AP) == {"map_50": 1, "map": pytest.approx(0.7)}


def test_classes_are_separate_and_absent_ones_give_nan():
    AP = ap(objects([BOX, FAR], [0, 1], [0.5, 0.5]), objects([BOX, FAR], [0, 0]), 3)
    assert AP[0, 0] == pytest.approx(51 / 101)
    assert np.isnan(AP[:, 1:]).all()
    assert mean_average_precision(AP)["map_50"] == pytest.approx(51 / 101)
    assert np.isnan(mean_average_precision(AP[:, 1:])["map"])


# Properties


def made(rng, pictures, n_classes):
    """Return objects and detected boxes, some near an object, some anywhere, with equal scores."""
    predicted, true = [], []
    for _ in range(pictures):
        k, more = rng.integers(0, 6), rng.integers(0, 5)
        first = rng.uniform(0, 80, (k, 2))
        boxes = np.hstack([first, first + rng.uniform(3, 30, (k, 2))])
        classes = rng.integers(0, n_classes, k)
        near = np.repeat(boxes, 2, axis=0) + rng.normal(0, 1.5, (2 * k, 4))
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        first = rng.uniform(0, 80, (more, 2))
        anywhere = np.hstack([first, first + rng.uniform(3, 30, (more, 2))])
        others = rng.integers(0, n_classes, more)
        every = np.vstack([near, anywhere, boxes[:1]])
        kinds = np.concatenate([np.repeat(classes, 2), others, classes[:1]])
        predicted.append(Objects(every, kinds, rng.integers(1, 20, len(every)) / 20))
        true.append(Objects(boxes, classes))
    return predicted, true


def coco(predicted, true, n_classes):
    """Return AP (T, n_classes), mAP and mAP at 0.5 as computed by pycocotools."""

    def corners(boxes):
        return np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).tolist()

    annotations, results = [], []
    for i, picture in enumerate(true):
        for box, kind in zip(corners(picture.boxes), picture.classes, strict=True):
            crowd, kind = kind <= IGNORED, IGNORED - kind if kind <= IGNORED else kind
            more = {"id": len(annotations) + 1, "area": box[2] * box[3], "iscrowd": int(crowd)}
            annotations.append({"image_id": i, "category_id": int(kind), "bbox": box, **more})
    for i, picture in enumerate(predicted):
        for box, kind, score in zip(
            corners(picture.boxes), picture.classes, picture.scores, strict=True
        ):
            found = {"image_id": i, "category_id": int(kind), "bbox": box, "score": float(score)}
            results.append(found)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": i} for i in range(len(true))],
            "categories": [{"id": i} for i in range(n_classes)],
            "annotations": annotations,
            "info": {},
        }
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(results), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    AP = judge.eval["precision"][:, :, :, 0, 2].mean(axis=1)
    return np.where(AP < 0, np.nan, AP), judge.stats[:2]


@pytest.mark.parametrize("seed", range(4))
def test_it_equals_pycocotools(seed):
    predicted, true = made(np.random.default_rng(seed), 30, 3)
    AP = average_precision(predicted, true, 3)
    want, (everywhere, at_half) = coco(predicted, true, 3)
    np.testing.assert_allclose(AP, want, rtol=1e-12)
    assert 0.1 < everywhere < 0.9
    got = mean_average_precision(AP)
    assert got == {"map_50": pytest.approx(at_half), "map": pytest.approx(everywhere)}


@pytest.mark.parametrize("seed", range(4))
def test_crowds_are_ignored_as_by_pycocotools(seed):
    predicted, true = made(np.random.default_rng(seed), 30, 3)
    for i, picture in enumerate(true):
        crowds = picture.classes.copy()
        crowds[i % 3 :: 3] = IGNORED - crowds[i % 3 :: 3]
        true[i] = Objects(picture.boxes, crowds)
    AP = average_precision(predicted, true, 3)
    np.testing.assert_allclose(AP, coco(predicted, true, 3)[0], rtol=1e-12)
    wrong = [Objects(one.boxes[one.classes >= 0], one.classes[one.classes >= 0]) for one in true]
    assert (average_precision(predicted, wrong, 3)[0] < AP[0]).all()


def test_boxes_in_ignored_regions_do_not_count():
    truth = objects([BOX, FAR], [0, IGNORED])
    predicted = objects([FAR, BOX, FAR], scores=[0.9, 0.8, 0.7])
    assert ap(predicted, truth)[0, 0] == 1
    assert precision_and_recall([predicted], [truth], 1) == {"precision": 1, "recall": 1}
    assert best_threshold([predicted], [truth], 1) == 0.8
    other = objects([BOX, FAR], [0, IGNORED - 1])  # a region of another class
    assert precision_and_recall([predicted], [other], 2) == {"precision": 1 / 3, "recall": 1}
    outside = objects([[56, 50, 66, 60]], scores=[0.9])  # of which 0.4 is in the region
    assert precision_and_recall([outside], [truth], 1)["precision"] == 0


def test_at_most_a_hundred_boxes_per_image_count():
    far = np.array([FAR] * 100) + np.arange(100)[:, None] * 100
    predicted = objects(np.vstack([far, [BOX]]), scores=np.linspace(1, 0.1, 101))
    assert ap(predicted, objects([BOX]))[0, 0] == 0
    assert coco([predicted], [objects([BOX])], 1)[0][0, 0] == 0


def test_the_iou_matrix_equals_that_of_the_block():
    rng = np.random.default_rng(0)
    A, B = (rng.integers(0, 9, (n, 4)).astype(float) for n in (40, 30))
    want = pairwise_iou(jnp.asarray(A), jnp.asarray(B))
    np.testing.assert_allclose(iou_matrix(A, B), want, atol=1e-15)
