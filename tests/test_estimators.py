"""Tests of chainrule/estimators.py: contract, classes, numbers, weights, partial_fit."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import recall_score
from sklearn.utils.estimator_checks import check_estimator

from chainrule.errors import DataError, OptionError
from chainrule.estimators import NetworkClassifier, NetworkRegressor
from tests.small_estimators import (
    NUMBERS,
    SINGLE,
    THREE,
    TWO,
    TWO_LABELS,
    X,
    classifier,
    outputs,
    regressor,
    rng,
)

pytestmark = pytest.mark.usefixtures("float32_world")


def contract(estimator) -> list[str]:
    """Return the scikit-learn checks that do not apply here; all others must pass."""
    results = check_estimator(estimator, on_skip=None, on_fail=None)
    assert len(results) > 50
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert failed == {}
    return [r["check_name"] for r in results if r["status"] != "passed"]


SHORT: dict[str, Any] = {"hidden": (4,), "epochs": 30, "learning_rate": 0.05}
KINDS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "two members": {"members": 2, "normalize": "standard"},
    "early stopping": SINGLE | {"early_stopping": True},
}
NOT_APPLICABLE = {
    NetworkClassifier: [
        "check_array_api_input",
        "check_classifiers_multilabel_output_format_decision_function",
    ],
    NetworkRegressor: ["check_array_api_input"],
}


@pytest.mark.filterwarnings("ignore:early_stopping")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", NOT_APPLICABLE)
def test_fulfils_scikit_learns_contract(make, kind):
    assert sorted(contract(make(**SHORT | KINDS[kind]))) == NOT_APPLICABLE[make]


REGULAR = {"batch_norm": True, "keep_prob": 0.8, "l2": 0.1, "clip_norm": 1.0}


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, REGULAR, {"early_stopping": False}],
    ids=["defaults", "regularised", "without early stopping"],
)
@pytest.mark.parametrize("estimator", [NetworkClassifier, NetworkRegressor])
def test_contract_with_defaults_and_with_all_options_of_course_2(estimator, options):
    contract(estimator(**options))


# ---- classes


@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
def test_predictions_are_the_original_class_labels(y):
    model = classifier().fit(X, y)
    assert model.classes_.tolist() == sorted(set(y.tolist()))
    assert model.predict(X).dtype == y.dtype
    assert model.score(X, y) >= 0.95


@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
def test_probabilities_add_up_to_1_in_the_order_of_the_classes(y):
    model = classifier().fit(X, y)
    A = model.predict_proba(X)
    assert A.shape == (40, len(model.classes_))
    np.testing.assert_allclose(A.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(model.classes_[A.argmax(axis=1)], model.predict(X))


def test_several_labels_per_row():
    model = classifier(epochs=400, early_stopping=False).fit(X, TWO_LABELS)
    assert model.predict(X).shape == model.predict_proba(X).shape == (40, 2)
    assert model.score(X, TWO_LABELS) >= 0.95  # all labels of a row are right
    unsure = classifier(epochs=3).fit(X, TWO_LABELS)
    np.testing.assert_array_equal(unsure.predict_proba(X) > 0.5, unsure.predict(X))


def test_no_hidden_layer_is_logistic_regression():
    y = (X[:, 0] + rng.standard_normal(40) > 0).astype(int)  # no line parts these
    ours = NetworkClassifier(hidden=(), epochs=2000, learning_rate=0.02).fit(X, y)
    theirs = LogisticRegression(C=1e10).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-3)


def test_one_example_per_class():
    model = classifier().fit([[0.0], [1.0]], ["low", "high"])
    assert model.predict([[0.0], [1.0]]).tolist() == ["low", "high"]


# ---- numbers


def test_one_number_per_row():
    model = regressor().fit(X, NUMBERS[:, 0])
    assert model.predict(X).shape == (40,)
    assert model.score(X, NUMBERS[:, 0]) >= 0.95


def test_several_numbers_per_row():
    model = regressor().fit(X, NUMBERS * [1, 1000])
    assert model.predict(X).shape == (40, 2)
    assert model.score(X, NUMBERS * [1, 1000]) >= 0.95  # each on its own scale


def test_no_hidden_layer_is_linear_regression():
    y = NUMBERS + rng.standard_normal((40, 2))
    settling = {"decay": "exponential", "decay_rate": 0.997}
    ours = NetworkRegressor(hidden=(), epochs=2000, learning_rate=0.02, **settling).fit(X, y)
    theirs = LinearRegression().fit(X, y)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-3)


def test_a_target_that_never_changes():
    np.testing.assert_allclose(regressor().fit(X, np.full(40, 3.0)).predict(X), 3, atol=0.1)


# ---- weights of examples and of classes


@pytest.mark.parametrize(
    ("make", "y"), [(classifier, TWO), (regressor, NUMBERS)], ids=["classes", "numbers"]
)
def test_a_weight_of_2_equals_a_duplicate_row(make, y):
    weights = rng.integers(0, 4, size=40)
    rows = np.repeat(np.arange(40), weights)
    weighted = make(epochs="auto").fit(X, y, sample_weight=weights)
    repeated = make(epochs="auto").fit(X[rows], y[rows])
    np.testing.assert_allclose(outputs(weighted), outputs(repeated), rtol=1e-12)
    assert not np.array_equal(outputs(weighted), outputs(make().fit(X, y)))


def test_a_weight_of_2_equals_a_duplicate_row_with_l2():
    """The m in λ/(2m) is the sum of the weights of the examples."""
    weights = rng.integers(0, 4, size=40)
    rows = np.repeat(np.arange(40), weights)
    weighted = classifier(l2=3.0, l1=1.0).fit(X, TWO, sample_weight=weights)
    repeated = classifier(l2=3.0, l1=1.0).fit(X[rows], TWO[rows])
    np.testing.assert_allclose(outputs(weighted), outputs(repeated), rtol=1e-12)
    other = classifier(l2=6.0, l1=1.0).fit(X, TWO, sample_weight=weights)
    assert not np.array_equal(outputs(weighted), outputs(other))


@pytest.mark.parametrize("weights", ["balanced", {0: 1.0, 1: 9.0}], ids=["balanced", "named"])
def test_class_weights_find_more_of_the_rare_class(weights):
    rare = np.zeros(40, int)
    rare[::5] = 1  # has nothing to do with X
    models = (classifier(hidden=(), class_weight=w).fit(X, rare) for w in (None, weights))
    plain, weighted = (recall_score(rare, model.predict(X)) for model in models)
    assert weighted >= plain + 0.5


# ---- partial_fit


@pytest.mark.parametrize(
    ("make", "y"), [(classifier, THREE), (regressor, NUMBERS)], ids=["classes", "numbers"]
)
def test_partial_fit_continues_from_the_optimiser_state(make, y):
    constant = {"decay": None, "early_stopping": False}
    model = make(**constant)
    for _ in range(3):
        model.partial_fit(X, y)
    assert model.n_iter_ == 3
    at_once = make(epochs=3, **constant).fit(X, y)  # the same rows, sorted: sums differ by rounding
    np.testing.assert_allclose(outputs(model), outputs(at_once), rtol=1e-4)
    model.optimizer_state_ = None
    anew = outputs(model.partial_fit(X, y))
    assert not np.allclose(anew, outputs(make(epochs=4, **constant).fit(X, y)), rtol=1e-4)


def test_partial_fit_sees_its_classes_one_by_one():
    model = classifier()
    for label in (3, 5, 7) * 30:
        rows = label == THREE
        model.partial_fit(X[rows], THREE[rows], classes=[3, 5, 7])
    assert model.classes_.tolist() == [3, 5, 7]
    assert model.predict_proba(X).shape == (40, 3)


def test_partial_fit_refuses_an_unknown_class():
    model = classifier().partial_fit(X, THREE)
    with pytest.raises(DataError) as error:
        model.partial_fit(X, np.where(THREE == 7, 9, THREE))
    assert str(error.value) == (
        "y: expected the classes 3, 5, 7; got 9.\nTry listing it in `classes`."
    )


def test_fit_forgets_what_partial_fit_learned():
    model = classifier().partial_fit(X, THREE).fit(X, TWO)
    np.testing.assert_array_equal(outputs(model), outputs(classifier().fit(X, TWO)))


# ---- errors


def test_one_class_is_refused():
    with pytest.raises(DataError) as error:
        classifier().fit(X, ["a"] * 40)
    assert str(error.value) == (
        "y: expected at least two classes; got one class, 'a'.\nTry rows of another class."
    )


def test_an_invalid_class_weight_is_refused():
    with pytest.raises(OptionError) as error:
        classifier(class_weight="balance").fit(X, TWO)
    assert str(error.value) == (
        "class_weight: expected one of 1 choice; got 'balance'.\n"
        "Try balanced (did you mean that?); the choices are balanced."
    )


def test_fractional_numbers_are_not_classes():
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        classifier().fit(X, NUMBERS[:, 0])


def test_column_names_are_stored():
    table = pd.DataFrame(X, columns=["a", "b", "c"])
    model: Any = classifier().fit(table, TWO)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(model.predict(table), classifier().fit(X, TWO).predict(X))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(table.rename(columns={"a": "A"}))
