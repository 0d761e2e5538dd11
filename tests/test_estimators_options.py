"""Tests of chainrule/estimators.py: the options of course 2, and the defaults."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import train_test_split

from chainrule.estimators import NetworkClassifier, NetworkRegressor
from chainrule.layers.layer import penalized_arrays
from tests.compilations import compilations
from tests.small_estimators import NUMBERS, TWO, X, classifier, outputs, regressor

pytestmark = pytest.mark.usefixtures("float32_world")

# ---- the options of course 2

SECOND_COURSE = {
    "optimizer": "momentum",
    "beta": 0.8,
    "decay": "exponential",
    "decay_rate": 0.99,
    "clip_norm": 1.0,
    "l2": 0.1,
    "l1": 0.01,
    "keep_prob": (0.9,),
    "batch_norm": True,
}


@pytest.mark.parametrize(
    ("make", "y"), [(classifier, TWO), (regressor, NUMBERS)], ids=["classes", "numbers"]
)
def test_all_options_of_course_2_at_once(make, y):
    model = make(**SECOND_COURSE, epochs=300).fit(X, y)
    assert model.score(X, y) >= 0.85
    assert model.network_.settings["batch_norm"]
    assert model.network_.settings["keep_prob"] == (0.9,)
    state = model.optimizer_state_
    assert (float(state.max_norm), round(float(state.inner.beta1), 6)) == (1.0, 0.8)
    rate = state.inner.learning_rate(299)
    assert float(rate) == pytest.approx(0.05 * 0.99**299, rel=1e-4)
    np.testing.assert_array_equal(outputs(model), outputs(model))  # nothing is left out there
    model.partial_fit(X, y)
    assert model.n_iter_ == 301


def test_each_option_has_an_effect():
    plain = outputs(classifier().fit(X, TWO))
    options = {
        "optimizer": "rmsprop",
        "beta": 0.5,
        "clip_norm": 0.1,
        "l2": 1.0,
        "keep_prob": 0.5,
        "batch_norm": True,
    }
    for name, value in options.items():
        assert not np.allclose(outputs(classifier(**{name: value}).fit(X, TWO)), plain), name


def test_l2_keeps_the_weights_small():
    loose, tight = (classifier(l2=l2).fit(X, TWO).network_ for l2 in (0.0, 10.0))
    assert length_of_weights(tight) < 0.5 * length_of_weights(loose)


def length_of_weights(network) -> float:
    return sum(float((np.asarray(W) ** 2).sum()) for W in penalized_arrays(network)) ** 0.5


# ---- the defaults


def test_digits_with_the_defaults():
    X, y = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    model = NetworkClassifier().fit(train, y_train)
    assert model.score(test, y_test) >= 0.96
    assert model.history_.stopped == "patience"
    with compilations() as compiled:
        NetworkClassifier(random_state=1, learning_rate=0.01).fit(train, y_train)
    assert compiled == []


def test_diabetes_with_the_defaults():
    data = load_diabetes(return_X_y=True)
    scores = [diabetes_score(data, seed) for seed in range(5)]
    assert np.mean(scores) >= 0.4


def diabetes_score(data, seed: int) -> float:
    train, test, y_train, y_test = train_test_split(*data, random_state=seed)
    return NetworkRegressor(random_state=seed).fit(train, y_train).score(test, y_test)
