"""Tests of chainrule/vision/detection/detector.py."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from chainrule.errors import ChainruleError
from chainrule.models.pretrained_files import IMAGENET
from chainrule.vision.detection.boxes import Objects, best_threshold, precision_and_recall
from chainrule.vision.detection.detector import Detector, as_objects, padded
from tests.models.networks_of_others import resnet18_of_torchvision, saved
from tests.vision.cells import cells, shares

pytestmark = pytest.mark.usefixtures("float32_world")
SMALL = {"width": 0.25, "anchors": 1, "batch_size": 8, "augment": "mirror"}
SMALL |= {"epochs": 60, "learning_rate": 0.02}


def made(m, seed):
    X, objects = cells(m, seed)
    return X, shares(objects)


@pytest.fixture(scope="module")
def fitted():
    return Detector(**SMALL).fit(*made(64, 0), *made(24, 1))


def test_finds_the_squares(fitted):
    X, Y = made(24, 2)
    scores = fitted.scores(X, Y)
    assert scores["map_50"] > 0.8
    assert scores["map_50"] == fitted.score(X, Y)
    assert len(scores["ap_50"]) == 2
    assert scores["precision"] > 0.7
    assert scores["recall"] > 0.7
    assert fitted.history_.best_epoch


def test_detections_are_sorted_and_above_the_threshold(fitted):
    X, _ = made(4, 2)
    for one in fitted.predict(X):
        assert (np.diff(one.scores) <= 0).all()
        assert (one.scores >= fitted.threshold_).all()
    more = fitted.predict(X, score_threshold=0.01)
    assert sum(map(len, (one.scores for one in more))) > 4


def test_precision_and_recall_are_at_the_threshold(fitted):
    X, Y = made(24, 2)
    scores = fitted.scores(X, Y)
    alone = precision_and_recall(
        fitted.predict(X), [Objects(boxes, kinds) for boxes, kinds in Y], 2
    )
    assert {name: scores[name] for name in alone} == alone


def test_bytes_and_floats_are_the_same_images(fitted):
    X, _ = made(4, 2)
    for a, b in zip(fitted.predict(X), fitted.predict(X / 255), strict=True):
        np.testing.assert_allclose(a.boxes, b.boxes, atol=1e-4)


def test_a_pickle_and_a_clone(fitted):
    X, _ = made(4, 2)
    copy = pickle.loads(pickle.dumps(fitted))
    for a, b in zip(fitted.predict(X), copy.predict(X), strict=True):
        np.testing.assert_array_equal(a.boxes, b.boxes)
    fresh = clone(fitted)
    assert isinstance(fresh, Detector)
    assert fresh.get_params() == fitted.get_params()
    assert not hasattr(fresh, "network_")


def test_the_number_of_epochs():
    assert Detector(epochs=7).epochs_for(100) == 7
    assert Detector().epochs_for(16 * 20) == 100  # 20 steps each
    assert Detector().epochs_for(10**6) == 10


def test_padded_labels():
    Y = padded([(np.array([[0.0, 0.0, 0.5, 0.5]]), [1]), (np.zeros((0, 4)), [])])
    np.testing.assert_array_equal(Y, [[[1, 0, 0, 0.5, 0.5]], [[-1, 0, 0, 0, 0]]])
    np.testing.assert_array_equal(as_objects(Y, 2, "Y"), Y)


@pytest.mark.parametrize(
    ("Y", "words"),
    [
        ([([[0.0, 0.0, 0.5, 0.5]], [0])] * 3, "Y: expected the objects of 2 images"),
        ([([[0.5, 0.0, 0.5, 0.5]], [0])] * 2, "got 2 invalid boxes, the first in image 0."),
        ([([[0.0, 0.0, 0.5, 20]], [0])] * 2, "expected 0 ≤ x1 < x2 ≤ 1"),
        ([([[0.0, 0.0, 0.5, 0.5]], [-3])] * 2, "Y: expected classes 0, 1, …"),
        (
            [([[0.0, 0.0, 0.5, 0.5]], [0])] * 2,
            "Y: expected at least 5 objects, one for each anchor; got 2.",
        ),
        ([([], [])] * 2, "Y: expected an object in at least one image; got none."),
    ],
)
def test_refuses_invalid_labels(Y, words):
    with pytest.raises(ChainruleError) as caught:
        Detector().fit(np.zeros((2, 32, 48, 3)), Y)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"backbone": "large"}, "backbone: expected one of 3 choices; got 'large'."),
        ({"stride": 5}, "stride: expected one of 4 choices; got 5."),
        ({"anchors": 0}, "anchors: expected"),
        ({"epochs": 0}, "epochs: expected"),
        (
            {"iou_threshold": 1.0},
            "iou_threshold: expected a number greater than 0 and less than 1; got 1.0.",
        ),
        (
            {"base": "a.safetensors"},
            "base: expected a backbone for which published weights exist; got 'small'.",
        ),
    ],
)
def test_refuses_invalid_options(options, words):
    with pytest.raises(ChainruleError) as caught:
        Detector(**options).fit(*made(2, 0))
    assert words in str(caught.value)


def test_the_threshold_of_the_best_f1():
    box = np.array([[0.0, 0.0, 1.0, 1.0]])
    true = [Objects(box, np.array([0]))] * 3
    apart = np.array([[0.0, 0.0, 0.1, 0.1]])
    detections = [
        Objects(box, np.array([0]), np.array([0.9])),
        Objects(box, np.array([0]), np.array([0.6])),
        Objects(apart, np.array([0]), np.array([0.4])),
    ]
    assert best_threshold(detections, true, 1) == 0.6
    assert precision_and_recall(detections, true, 1) == {"precision": 2 / 3, "recall": 2 / 3}
    nothing = [Objects(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0))] * 3
    assert best_threshold(nothing, true, 1) == 0.5


def test_a_pretrained_body(tmp_path):
    tensors = resnet18_of_torchvision()
    file = saved(tmp_path, tensors)
    options = {"backbone": "resnet18", "base": str(file), "anchors": 1, "epochs": 1}
    start = Detector(**options, learning_rate=1e-9, augment=None).fit(*made(16, 0))
    stem = start.network_.layers.layers[1].W
    theirs = tensors["conv1.weight"].transpose(2, 3, 1, 0) / np.array(IMAGENET[1])[:, None]
    np.testing.assert_allclose(stem, theirs, atol=1e-5)
    with pytest.raises(ChainruleError, match="expected a resnet18 network of the detector's width"):
        Detector(**options, width=0.5).fit(*made(16, 0))
