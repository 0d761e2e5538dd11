"""Tests of the estimators with an image network: images, rows of pixels, pickles, options."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from chainrule.errors import ChainruleError, ShapeError
from chainrule.estimators import NetworkClassifier, NetworkRegressor
from chainrule.layers.dropout import Dropout
from chainrule.models.units import check_width
from chainrule.runs.recipe import check_estimator_network
from tests.train.pictures import halves

pytestmark = pytest.mark.usefixtures("float32_world")


@pytest.fixture(scope="module")
def fitted():
    X, y = halves()
    model = NetworkClassifier(network="convnet", augment="crop=1", epochs=12, random_state=0)
    return model.fit(X, y), X, y


def test_learns_from_bytes(fitted):
    model, X, y = fitted
    assert model.score(X, y) > 0.9
    assert model.network_.shape == (8, 8, 1)


def test_rows_of_pixels_are_the_same_images(fitted):
    model, X, _ = fitted
    rows = X.reshape(len(X), -1)
    np.testing.assert_array_equal(model.predict(rows), model.predict(X))
    np.testing.assert_allclose(model.predict_proba(rows), model.predict_proba(X[..., None]))


def test_a_pickle_and_a_clone(fitted):
    model, X, _ = fitted
    same = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(same.predict_proba(X), model.predict_proba(X))
    assert clone(model).get_params() == model.get_params()


def test_the_network_options_are_used():
    X, y = halves()
    options = {"activation": "tanh", "keep_prob": 0.5, "width": 0.5}
    model = NetworkClassifier(network="convnet", epochs=1, **options).fit(X, y)
    assert [part.keep_prob for part in model.network_.parts() if isinstance(part, Dropout)]
    assert dict(model.network_.options) == options


@pytest.mark.parametrize("width", [np.float64(0.25), np.float32(0.25), np.int64(1)])
def test_a_numpy_width_becomes_a_python_number(width):
    """A search over np.linspace sets such a width."""
    check_estimator_network(NetworkClassifier(network="convnet", width=width))
    check_width("convnet", width)
    X, y = halves()
    model = NetworkClassifier(network="convnet", width=width / 4, epochs=1).fit(X, y)
    assert {type(value) for _, value in model.network_.options} == {float}


@pytest.mark.parametrize(
    ("other", "got"),
    [
        (lambda X: X.reshape(len(X), 4, 16), "4×16"),  # as many numbers
        (lambda X: X[:, :4], "4×8"),
        (lambda X: X[..., None].repeat(3, -1), "8×8×3"),
        (lambda X: X[0][None, None], "1×8×8"),
    ],
)
def test_images_of_another_shape_are_refused(fitted, other, got):
    model, X, _ = fitted
    with pytest.raises(ShapeError) as error:
        model.predict(other(X))
    assert str(error.value) == (
        f"X: expected images of 8×8; got images of {got}.\n"
        "Try images of the shape used in fit, or X[None] for one image."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"network": "resnet20", "keep_prob": 0.5},
            'keep_prob: expected no value with network="resnet20", which sets it itself; got 0.5.\n'
            "Try leaving keep_prob out.",
        ),
        (
            {"network": "lenet", "keep_prob": [0.5]},
            "keep_prob: expected one number for all layers; got [0.5].\nTry leaving keep_prob out.",
        ),
        (
            {"augment": "auto"},
            "augment: expected the argument network to name an image network; got none.",
        ),
        ({"network": "convnet", "augment": "wobble"}, "augment, augmentation: expected one of 12"),
        (
            {"network": "convnet", "hidden": (8,)},
            'hidden: expected either hidden or network="convnet"; '
            "got both.\nTry leaving one of them out.",
        ),
        (
            {"width": 0.5},
            "width: expected the argument network to name an image network; got none.",
        ),
        (
            {"network": "convnet", "width": -1},
            "width: expected a number greater than 0; got -1.",
        ),
        ({"network": "lenat"}, "network: expected one of 24 choices; got 'lenat'."),
        ({"network": "convnet", "image_shape": (4, 4)}, "X: expected 16 numbers per row, 4×4"),
    ],
)
def test_refuses_invalid_arguments(options, message):
    X, y = halves()
    for kind in (NetworkClassifier, NetworkRegressor):
        with pytest.raises(ChainruleError) as error:
            kind(**options, epochs=1).fit(X.reshape(len(X), -1), y)
        assert str(error.value).startswith(message)


@pytest.mark.parametrize("dtype", ["int64", "uint16", "int32", "float32", "float64"])
def test_the_type_of_the_same_pixels_does_not_matter(fitted, dtype):
    model, X, _ = fitted
    expected = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X.astype(dtype)), expected)
    rows = pd.DataFrame(X.reshape(len(X), -1).astype(dtype))
    np.testing.assert_array_equal(model.predict_proba(rows.to_numpy()), expected)
    np.testing.assert_array_equal(model.predict_proba(X / 255), expected)


def test_the_type_of_the_training_pixels_does_not_matter():
    X, y = halves()
    models = [
        NetworkClassifier(network="convnet", epochs=1).fit(X.astype(dtype), y)
        for dtype in ("uint8", "int64", "float64")
    ]
    expected = models[0].predict_proba(X)
    for model in models:
        assert model.pixel_scale_ == 255
        np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_pixels_of_another_range_are_refused(fitted):
    model, X, _ = fitted
    with pytest.raises(ChainruleError, match="X: expected pixels from 0 to 255, as in training"):
        model.predict(X.astype(int) * 257)
