"""Tests of chainrule/estimators.py: the options of course 2, and the defaults."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import train_test_split

from chainrule.errors import DataWarning, OptionError
from chainrule.estimators import NetworkClassifier, NetworkRegressor
from chainrule.layers.layer import penalized_arrays
from tests.compilations import compilations
from tests.small_estimators import NUMBERS, SINGLE, TWO, X, classifier, outputs, regressor

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
    model = make(**SECOND_COURSE, epochs=300, early_stopping=False).fit(X, y)
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


@pytest.mark.parametrize(
    "options", [SINGLE, pytest.param({}, marks=pytest.mark.slow)], ids=["single", "defaults"]
)
def test_digits_with_the_defaults(options):
    X, y = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    model: Any = NetworkClassifier(**options).fit(train, y_train)
    assert model.score(test, y_test) >= 0.96
    assert (model.members_, len(model.encoding_costs_)) == ((1, 0) if options else (5, 3))


def test_a_second_fit_with_the_defaults_does_not_recompile():
    X = np.random.default_rng(1).standard_normal((150, 3))
    short: dict[str, Any] = {"hidden": (4,), "epochs": 5}
    one: Any = NetworkClassifier(**short).fit(X, X[:, 0] > 0)
    with compilations() as compiled:
        other: Any = NetworkClassifier(**short, learning_rate=0.0021).fit(X, X[:, 0] > 0)
    assert one.normalizer_.kind == other.normalizer_.kind
    assert one.encoding_costs_ != other.encoding_costs_
    assert compiled == []


def test_diabetes_with_the_defaults():
    data = load_diabetes(return_X_y=True)
    scores = [diabetes_score(data, seed) for seed in range(5)]
    assert np.mean(scores) >= 0.4


def diabetes_score(data, seed: int) -> float:
    train, test, y_train, y_test = train_test_split(*data, random_state=seed)
    return NetworkRegressor(random_state=seed).fit(train, y_train).score(test, y_test)


# ---- early stopping, decay and calibration


def test_few_examples_are_trained_without_a_dev_set():
    assert classifier(epochs=2).fit(X[:4], TWO[:4]).history_.dev_costs == []
    with pytest.warns(DataWarning) as warned:
        classifier(epochs=2, early_stopping=True).fit(X[:4], TWO[:4])
    assert [str(one.message) for one in warned] == [
        "early_stopping: 4 distinct examples cannot be split into a training and a dev set, so "
        "training does not stop early."
    ]


def test_a_fifth_of_the_distinct_examples_is_held_out():
    twice = np.repeat(np.arange(40), 2)
    one, both = (regressor(epochs=5).fit(X[rows], NUMBERS[rows]) for rows in (range(40), twice))
    assert len(one.history_.dev_costs) == 5
    np.testing.assert_allclose(outputs(one), outputs(both), rtol=1e-6)


def test_the_rate_falls_to_0_by_default():
    rate = classifier(epochs=10, early_stopping=False).fit(X, TWO).optimizer_state_.learning_rate
    assert [round(float(rate(t)), 4) for t in (0, 5, 10)] == [0.05, 0.025, 0]
    constant = classifier(epochs=10, early_stopping=False, decay=None).fit(X, TWO)
    assert float(constant.optimizer_state_.learning_rate) == pytest.approx(0.05)


def test_partial_fit_continues_after_a_cosine_with_the_initial_rate():
    model = classifier(epochs=10, early_stopping=False).fit(X, TWO)
    before = outputs(model)
    model.partial_fit(X, TWO)
    assert float(model.optimizer_state_.learning_rate) == pytest.approx(0.05)
    assert not np.allclose(outputs(model), before, rtol=1e-3)


def test_a_cosine_needs_the_number_of_epochs():
    with pytest.raises(OptionError) as error:
        classifier(decay="cosine").partial_fit(X, TWO)
    assert str(error.value) == (
        "decay: expected a decay that does not depend on the number of epochs with partial_fit; "
        "got 'cosine'.\nTry decay=\"exponential\"."
    )


def test_probabilities_are_those_of_the_outputs_divided_by_the_temperature():
    model = classifier(epochs=5).fit(X, TWO)
    odds = []
    for model.temperature_ in (1.0, 2.0):
        A = outputs(model)
        odds.append(np.log(A[:, 1] / A[:, 0]))
    np.testing.assert_allclose(odds[1], odds[0] / 2, rtol=1e-6)
    model.partial_fit(X, TWO)
    assert model.temperature_ == 1
