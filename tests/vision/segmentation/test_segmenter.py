"""Tests of chainrule/vision/segmentation/segmenter.py."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from chainrule.errors import ChainruleError
from chainrule.vision.segmentation.segmenter import Segmenter

pytestmark = pytest.mark.usefixtures("float32_world")


def squares(m, seed, side=14):
    """Make images of noise with a bright square: class 1 inside, 0 around it, some ignored."""
    rng = np.random.default_rng(seed)
    X, Y = (
        rng.integers(0, 120, (m, side, side), dtype=np.uint8),
        np.zeros((m, side, side), np.uint8),
    )
    for image, mask in zip(X, Y, strict=True):
        row, column = rng.integers(0, side - 5, 2)
        image[row : row + 5, column : column + 5] += 120
        mask[row : row + 5, column : column + 5] = 1
    Y[:, 0] = 9
    return X, Y


@pytest.fixture(scope="module")
def fitted():
    X, Y = squares(48, 0)
    how = {"depth": 2, "width": 1 / 16, "ignored": 9, "augment": "mirror"}
    return Segmenter(batch_size=8, epochs=30, learning_rate=0.01, **how).fit(X, Y, *squares(16, 1))


def test_finds_the_squares(fitted):
    X, Y = squares(30, 2)
    scores = fitted.scores(X, Y)
    assert scores["mean_iou"] > 0.85
    assert scores["mean_iou"] == fitted.score(X, Y)
    assert fitted.predict(X).shape == (30, 14, 14)  # sides that are not multiples of 4
    assert fitted.history_.best_epoch
    np.testing.assert_array_equal(fitted.counts_[1:], [(squares(48, 0)[1] == 1).sum()])


def test_a_class_that_does_not_occur_in_training():
    X, Y = squares(8, 0)
    how = {"depth": 1, "width": 1 / 16, "ignored": 9, "epochs": 1, "batch_size": 8}
    model = Segmenter(**how).fit(X, Y, X, np.where(Y == 1, 2, Y), n_classes=4)
    assert model.counts_[2:].tolist() == [0, 0]
    assert model.predict_proba(X).shape == (8, 14, 14, 4)
    counts = model.pixel_counts(X, np.where(Y == 1, 3, Y))
    assert counts.sum(axis=1).tolist()[1:] == [0, 0, (Y == 1).sum()]


def test_the_number_of_epochs():
    assert Segmenter(epochs=7).epochs_for(1000) == 7
    assert Segmenter().epochs_for(160) == 300  # 10 steps each
    assert Segmenter().epochs_for(10**6) == 10


def test_probabilities_of_every_pixel(fitted):
    X, _ = squares(5, 3)
    A = fitted.predict_proba(X)
    np.testing.assert_allclose(A.sum(axis=3), 1)
    np.testing.assert_array_equal(A.argmax(axis=3), fitted.predict(X))


def test_bytes_and_floats_are_the_same_images(fitted):
    X, _ = squares(5, 3)
    np.testing.assert_array_equal(fitted.predict(X), fitted.predict(X[..., None] / 255))


def test_a_pickle_and_a_clone(fitted):
    X, _ = squares(5, 3)
    same = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(same.predict_proba(X), fitted.predict_proba(X))
    assert clone(fitted).get_params() == fitted.get_params()


X, Y = squares(4, 0)
REFUSED = {
    "another size": ((X, Y[:, 1:]), {}, "Y: expected masks of shape (4, 14, 14); got (4, 13, 14)."),
    "no whole numbers": ((X, Y / 2), {}, "Y: expected whole numbers; got float64."),
    "an unlisted value": (
        (X, Y.astype(int) * 300),
        {},
        "Y: expected classes from 0 to 254; got 300.\n"
        "Try ignored=300, if that value is not a class.",
    ),
    "nothing but what is ignored": (
        (X, np.full_like(Y, 9)),
        {"ignored": 9},
        "Y: expected at least one pixel with a class in every mask; "
        "got 4 masks with no value other than 9.",
    ),
    "one class": ((X, np.zeros_like(Y)), {}, "Y: expected at least two classes; got 1."),
    "one picture": ((X[0], Y), {}, "X: expected images (m, n_H, n_W, n_C); got (14, 14)."),
    "no number": ((X * np.float32(np.nan), Y), {}, "X: expected finite numbers; got nan"),
    "a weight": ((X, Y), {"class_weight": "even"}, "class_weight: expected one of 1 choice"),
    "epochs": ((X, Y), {"epochs": 0}, "epochs: expected a whole number of at least 1; got 0."),
    "no depth": (
        (X, Y),
        {"depth": 0},
        "depth: expected a whole number of at least 1; got 0.",
    ),
    "a dev part of another size": (
        (X, Y, X[:, 1:], Y[:, 1:]),
        {},
        "X_dev: expected images (m, 14, 14, 1); got (4, 13, 14, 1).",
    ),
    "a class that training never saw": (
        (X, Y, X, np.full_like(Y, 12)),
        {},
        "Y_dev: expected classes from 0 to 9; got 12.",
    ),
    "a crop": (
        (X, Y),
        {"augment": "crop=14"},
        "augmentation, crop: expected a number of pixels less than the shorter side of the image "
        "(14)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_invalid_arguments(name):
    data, how, words = REFUSED[name]
    with pytest.raises(ChainruleError) as error:
        Segmenter(**how).fit(*data)
    assert str(error.value).startswith(words)


def test_refuses_other_shapes_and_classes_than_in_training(fitted):
    with pytest.raises(ChainruleError, match=r"expected images \(m, 14, 14, 1\); got"):
        fitted.predict(np.zeros((2, 8, 8), np.uint8))
    with pytest.raises(ChainruleError, match="expected classes from 0 to 1; got 2"):
        fitted.score(X, np.full_like(Y, 2))


@pytest.mark.parametrize("dtype", ["int64", "uint16", "float32", "float64"])
def test_the_type_of_the_same_pixels_does_not_matter(fitted, dtype):
    X, Y = squares(8, 3)
    expected = fitted.predict_proba(X)
    np.testing.assert_array_equal(fitted.predict_proba(X.astype(dtype)), expected)
    np.testing.assert_array_equal(fitted.predict_proba((X / 255).astype(np.float32)), expected)
    assert fitted.scores(X.astype(dtype), Y) == fitted.scores(X, Y)
