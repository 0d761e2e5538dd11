"""Tests of chainrule/estimators.py: input, state, and use with scikit-learn."""

import copy
import pickle
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chainrule.data.split import fold
from chainrule.errors import DataError, DataWarning, OptionError
from chainrule.estimators import NetworkClassifier, NetworkRegressor
from tests.compilations import compilations
from tests.small_estimators import (
    NUMBERS,
    SINGLE,
    THREE,
    TWO,
    X,
    classifier,
    outputs,
    regressor,
)

pytestmark = pytest.mark.usefixtures("float32_world")


# ---- by hand


# ---- input


def make_read_only(X):
    X = X.copy()
    X.setflags(write=False)
    return X


WAYS = {
    "float32": lambda X: X.astype(np.float32),
    "Fortran order": np.asfortranarray,
    "read only": make_read_only,
    "every second": lambda X: np.repeat(X, 2, axis=0)[::2],
    "lists": lambda X: X.tolist(),
    "table": lambda X: pd.DataFrame(X, columns=["a", "b", "c"]),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_numbers_in_another_kind_of_array(way):
    numbers = X.astype(np.float32).astype(float)
    given = WAYS[way](numbers)
    model = classifier().fit(given, TWO)
    expected = classifier().fit(numbers, TWO).predict_proba(numbers)
    np.testing.assert_array_equal(model.predict_proba(given), expected)


@pytest.mark.parametrize("dtype", [int, bool, np.uint8])
def test_whole_numbers_and_booleans(dtype):
    whole = (X > 0).astype(dtype)
    model = classifier().fit(whole, whole[:, 0])
    assert model.score(whole, whole[:, 0]) == 1
    assert model.predict(whole).dtype == dtype


def test_a_column_that_never_changes():
    constant = np.column_stack([X[:, :2], np.ones(40)])
    assert np.isfinite(classifier().fit(constant, TWO).predict_proba(constant)).all()


def test_predictions_of_rows_are_independent():
    model = classifier().fit(X, THREE)
    for rows in ([0], [5, 4], range(17)):
        alone = model.predict_proba(X[list(rows)])
        np.testing.assert_allclose(alone, outputs(model)[list(rows)], rtol=1e-5)


def test_sparse_input_is_refused():
    with pytest.raises(TypeError, match="Sparse data was passed for X, but dense data is required"):
        classifier().fit(sparse.csr_matrix(X), TWO)


# ---- repetition and copies


def test_the_seed_determines_the_network():
    first, second = (outputs(classifier(random_state=3).fit(X, TWO)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, outputs(classifier(random_state=4).fit(X, TWO)))


def test_a_generator_as_the_seed():
    generator = np.random.RandomState(5)
    first, second = (outputs(classifier(random_state=generator).fit(X, TWO)) for _ in range(2))
    repeated = outputs(classifier(random_state=np.random.RandomState(5)).fit(X, TWO))
    np.testing.assert_array_equal(first, repeated)
    assert not np.array_equal(first, second)


def test_partial_fit_continues_after_the_largest_seed():
    model = classifier(random_state=2**32 - 1)
    for _ in range(2):
        model.partial_fit(X, TWO)
    assert model.n_iter_ == 2


def by_joblib(model, folder):
    joblib.dump(model, folder / "model")
    return joblib.load(folder / "model")


COPIES = {
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
    "joblib": by_joblib,
    "deepcopy": lambda model, folder: copy.deepcopy(model),
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize(
    ("make", "y"), [(classifier, THREE), (regressor, NUMBERS)], ids=["classes", "numbers"]
)
def test_a_copy_predicts_the_same_and_can_be_trained_further(make, y, way, tmp_path):
    model = make().fit(X, y)
    other = COPIES[way](model, tmp_path)
    np.testing.assert_array_equal(outputs(other), outputs(model))
    for each in (model, other):
        each.partial_fit(X, y)
    np.testing.assert_array_equal(outputs(other), outputs(model))


def test_a_clone_is_not_fitted():
    model = classifier(activation="tanh").fit(X, TWO)
    fresh: Any = clone(model)
    assert fresh.get_params() == model.get_params()
    assert not hasattr(fresh, "network_")


# ---- use with scikit-learn

X60, TWO60 = np.vstack([X, X[:20] + 0.01]), np.concatenate([TWO, TWO[:20]])


def test_in_a_pipeline():
    model = make_pipeline(StandardScaler(), classifier()).fit(X, TWO)
    assert model.score(X, TWO) >= 0.95


def test_in_a_search():
    grid = {"hidden": [(), (4,)], "learning_rate": [1e-6, 0.05]}
    search = GridSearchCV(classifier(), grid, cv=3).fit(X60, TWO60)
    assert search.best_params_["learning_rate"] == 0.05
    assert search.best_score_ >= 0.9


def test_in_cross_validation():
    assert cross_val_score(classifier(), X60, TWO60, cv=3).mean() >= 0.9


# ---- early stopping


def dev_costs(m: int, **options) -> list[float]:
    X = np.random.default_rng(1).standard_normal((m, 3))
    return classifier(**{"epochs": 3, **options}).fit(X, X[:, 0] > 0).history_.dev_costs


def test_a_dev_set_at_every_size_and_without_hidden_layers_from_500_examples():
    assert dev_costs(499, hidden=()) == dev_costs(500, early_stopping=False) == []
    assert len(dev_costs(30)) == len(dev_costs(500, hidden=())) == 3


def test_no_dev_set_in_partial_fit():
    X = np.random.default_rng(1).standard_normal((500, 3))
    model = classifier(early_stopping=True).partial_fit(X, X[:, 0] > 0)
    assert model.history_.dev_costs == []


def test_epochs_depend_on_the_number_of_examples():
    alone = {"epochs": "auto", "early_stopping": False}
    assert classifier(**alone).fit(X, TWO).n_iter_ == 400
    assert regressor(**alone).fit(X, NUMBERS).n_iter_ == 320
    assert regressor(**alone, init="he").fit(X, NUMBERS).n_iter_ == 200
    assert classifier(**alone, hidden=()).fit(X, TWO).n_iter_ == 4000
    model = classifier(**alone, optimizer="gradient_descent")
    assert model.fit(X, TWO).n_iter_ == 2000


# ---- compilation


def test_a_second_fit_does_not_recompile():
    classifier().fit(X, TWO)
    with compilations() as compiled:
        for options in ({"random_state": 7}, {"learning_rate": 0.01}, {"epochs": 11}):
            classifier(**options).fit(X[:39], TWO[:39])
    assert compiled == []


def test_sets_of_similar_size_share_a_program():
    more = np.random.default_rng(2).standard_normal((120, 3))
    classifier().fit(X, TWO)
    with compilations() as compiled:
        for m in range(105, 121):
            classifier(epochs=1).fit(more[:m], more[:m, 0] > 0)
    assert len(compiled) <= 2


# ---- errors

WORDS = {
    ("hidden", (64, -3)): (
        "hidden: expected a whole number of at least 1; got -3.\n"
        "Try (64, 32), or () for no hidden layer."
    ),
    ("hidden", 64): (
        "hidden: expected a tuple with the number of units of each hidden layer; "
        "got 64.\nTry (64,)."
    ),
    ("hidden", "64,32"): (
        "hidden: expected a tuple with the number of units of each hidden layer; "
        "got '64,32'.\nTry (64, 32)."
    ),
    ("optimizer", "adm"): (
        "optimizer: expected one of 4 choices; got 'adm'.\n"
        "Try adam (did you mean that?); the choices are adam, momentum, rmsprop, gradient_descent."
    ),
    ("activation", "rely"): (
        "activation: expected one of 5 choices; got 'rely'.\n"
        "Try relu (did you mean that?); the choices are relu, leaky_relu, tanh, sigmoid, identity."
    ),
    ("init", "her"): (
        "init: expected one of 5 choices; got 'her'.\n"
        "Try he (did you mean that?); the choices are he, xavier, lecun, small, zeros."
    ),
    ("learning_rate", "abc"): (
        "learning_rate: expected a number greater than 0; got 'abc'.\nTry \"auto\", or 0.001."
    ),
    ("learning_rate", 0): (
        'learning_rate: expected a number greater than 0; got 0.\nTry "auto", or 0.001.'
    ),
    ("epochs", 0): ('epochs: expected a whole number of at least 1; got 0.\nTry "auto", or 100.'),
    ("batch_size", 1.5): (
        'batch_size: expected a whole number of at least 1; got 1.5.\nTry "auto", or 64.'
    ),
    ("normalize", "standart"): (
        "normalize: expected one of 6 choices; got 'standart'.\n"
        "Try standard (did you mean that?); the choices are auto, standard, robust, piecewise, "
        "pixels, none."
    ),
    ("early_stopping", "maybe"): (
        "early_stopping: expected one of 3 choices; got 'maybe'.\nTry one of True, False, auto."
    ),
    ("members", "several"): (
        "members: expected a whole number of at least 1; got 'several'.\nTry \"auto\", or 5."
    ),
    ("beta", 1.0): "beta: expected a number of at least 0 and less than 1; got 1.0.\nTry 0.9.",
    ("decay_rate", 0.5): (
        "decay_rate: expected a decay that uses it; got none.\nTry decay inverse_time."
    ),
    ("clip_norm", 0): "clip_norm: expected a number greater than 0; got 0.\nTry 1.",
    ("l2", -0.1): "l2: expected a number of at least 0; got -0.1.\nTry 0.1.",
    ("l1", "a"): "l1: expected a number of at least 0; got 'a'.\nTry 0.1.",
    ("keep_prob", (0.5, 0.5, 0.5)): (
        "keep_prob: expected one number, or 2, one for each hidden layer; got 3: [0.5, 0.5, 0.5].\n"
        "Try 2 numbers, with 1 for a layer that keeps all units."
    ),
    ("batch_norm", "yes"): (
        "batch_norm: expected one of 2 choices; got 'yes'.\nTry one of True, False."
    ),
    ("random_state", -1): (
        "random_state: expected a whole number from 0 to 2³² − 1, a RandomState or None; got -1.\n"
        "Try 0."
    ),
}


@pytest.mark.parametrize(("name", "value"), WORDS, ids=lambda part: str(part))
@pytest.mark.parametrize("make", [NetworkClassifier, NetworkRegressor])
def test_wrong_parameters_are_refused(make, name, value):
    with pytest.raises(OptionError) as error:
        make(**{name: value}).fit(X, (X[:, 0] > 0).astype(int))
    assert str(error.value) == WORDS[name, value]


def test_only_zero_weights_are_refused():
    with pytest.raises(DataError) as error:
        classifier(class_weight={"no": 0, "yes": 0}).fit(X, TWO)
    assert str(error.value) == (
        "the weights: expected at least one weight greater than 0; got only zeros.\n"
        "Try omitting them."
    )


# ---- classes without weight, and several labels as a sparse matrix


@pytest.mark.parametrize("by", ["sample_weight", "class_weight"])
def test_a_class_of_weight_0_is_still_a_class(by):
    """Its rows have no effect: the network is that of the other rows, with an output for it."""
    X, y = np.random.default_rng(0).standard_normal((30, 2)), np.arange(30) % 3
    weights = {"sample_weight": np.where(y == 1, 0, 1)} if by == "sample_weight" else {}
    class_weight = {0: 1, 1: 0, 2: 1} if by == "class_weight" else None
    one = classifier(class_weight=class_weight, epochs=20).fit(X, y, **weights)
    assert one.classes_.tolist() == [0, 1, 2]
    assert one.predict_proba(X).shape == (30, 3)
    moved = X + 100 * (y == 1)[:, None]
    same = classifier(class_weight=class_weight, epochs=20).fit(moved, y, **weights)
    np.testing.assert_array_equal(one.predict_proba(X), same.predict_proba(X))


def test_two_classes_of_which_one_has_weight_0():
    X, y = np.arange(8.0)[:, None], np.array(["no", "yes"] * 4)
    one = classifier(epochs=20).fit(X, y, sample_weight=(y == "yes").astype(float))
    assert one.classes_.tolist() == ["no", "yes"]
    assert set(one.predict(X)) == {"yes"}


def test_bagging_of_samples_without_some_classes():
    """With three examples in each sample, no sample has all four classes."""
    X, y = np.random.default_rng(0).standard_normal((40, 2)), np.array(list("abcd") * 10)
    bagging = BaggingClassifier(classifier(epochs=3), n_estimators=4, max_samples=3, random_state=0)
    assert bagging.fit(X, y).predict_proba(X).shape == (40, 4)
    assert set(bagging.predict(X)) <= set("abcd")


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.coo_array, sparse.csc_matrix])
def test_several_labels_as_a_sparse_matrix(kind):
    X = np.random.default_rng(0).standard_normal((20, 2))
    Y = (X[:, [0, 0, 1]] > [0, 1, 0]).astype(int)
    for fit in (NetworkClassifier.fit, NetworkClassifier.partial_fit):
        as_array, as_sparse = (fit(classifier(epochs=5), X, y) for y in (Y, kind(Y)))
        np.testing.assert_array_equal(as_sparse.predict_proba(X), as_array.predict_proba(X))


# ---- precision


@pytest.mark.parametrize("offset", [2460310.8, 2.0**25, 1e12])
def test_reports_columns_that_float32_cannot_hold(offset):
    X = np.c_[np.arange(20.0), offset + np.arange(20) * (0.01 if offset < 1e7 else 1)]
    y = np.arange(20) % 2
    rounding = NetworkClassifier(hidden=(), epochs=1, normalize="none")
    with pytest.warns(DataWarning, match=r"the values of column 1 differ by less than .*\"auto\""):
        rounding.fit(X, y)
    constant = np.c_[np.arange(20.0), np.full(20, offset)]
    rounding.fit(constant, y)  # nothing is lost


def test_standardising_keeps_all_digits():
    t = 2460310.8 + np.linspace(0, 0.2, 200)
    y = np.where(np.sin(np.linspace(0, 6, 200)) > 0, "day", "night")
    model = NetworkClassifier(hidden=(8,), epochs=300, **SINGLE)
    assert model.fit(t[:, None], y).score(t[:, None], y) > 0.95


# ---- scaling of the inputs

WHOLE = np.round(X * 1000)
UNITS: dict[str, Any] = {
    "tiny": (X, lambda X: X * 1e-30),
    "tiniest": (X, lambda X: X * 2.0**-900),
    "huge": (X, lambda X: X * 2.0**900),
    "far": (WHOLE, lambda X: X / 1024 + 1e9),
    "uint64": (WHOLE, lambda X: X.astype(np.int64).view(np.uint64) + np.uint64(2**63)),
    "int64": (WHOLE, lambda X: X.astype(np.int64) - 2**62),
    "float16": (WHOLE.clip(-2000, 2000), lambda X: X.astype(np.float16)),
}


@pytest.mark.parametrize(
    ("make", "y"), [(classifier, THREE), (regressor, NUMBERS)], ids=["classes", "numbers"]
)
@pytest.mark.parametrize("unit", UNITS)
def test_units_and_offsets_of_the_inputs_do_not_matter(make, y, unit):
    numbers, convert = UNITS[unit]
    plain, other = make().fit(numbers, y), make().fit(convert(numbers), y)
    expected = outputs(plain, numbers)
    np.testing.assert_allclose(outputs(other, convert(numbers)), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.uint64, np.float32])
def test_the_type_of_the_inputs_does_not_matter(dtype):
    numbers = (X > 0).astype(float)
    expected = classifier().fit(numbers, TWO).predict_proba(numbers)
    given = numbers.astype(dtype)
    np.testing.assert_array_equal(classifier().fit(given, TWO).predict_proba(given), expected)


def test_inputs_that_are_standardised_already_stay_the_same():
    given = StandardScaler().fit_transform(X)
    plain = {"early_stopping": False}  # without a dev set, which has a mean of its own
    one, other = (regressor(normalize=n, **plain).fit(given, NUMBERS) for n in ("auto", "none"))
    np.testing.assert_allclose(outputs(one, given), outputs(other, given), rtol=1e-3, atol=1e-3)
    assert other.normalizer_ is None


def test_the_scale_is_that_of_the_examples_by_their_weights():
    X, weights = np.array([[1.0], [3.0], [100.0], [7.0]]), [1, 2, 0, 1]
    model: Any = regressor(epochs=1).fit(X, np.arange(4.0), sample_weight=weights)
    assert model.normalizer_.mean.tolist() == [3.5]  # (1 + 3 + 3 + 7) / 4
    assert model.normalizer_.scale == pytest.approx([4.75**0.5])


@pytest.mark.parametrize("normalize", ["standard", "piecewise"])
def test_the_dev_set_has_no_part_in_the_scale(normalize):
    """Few examples are sorted first, and the change must not move an example to another set."""
    X, y = np.random.default_rng(1).standard_normal((600, 2)), np.arange(600) % 2
    X = X[np.argsort(X[:, 0])]
    first: Any = classifier(epochs=1, normalize=normalize).fit(X, y)
    dev = fold(600, 0, classes=y, seed=0).dev
    X[dev, 1] += 1000
    second: Any = classifier(epochs=1, normalize=normalize).fit(X, y)
    one, other = first.normalizer_.arrays(), second.normalizer_.arrays()
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_piecewise_inputs_have_more_weights_than_columns():
    model: Any = regressor(normalize="piecewise", epochs=3).fit(X, NUMBERS)
    assert model.n_features_in_ == X.shape[1]
    assert model.network_.parts()[0].W.shape[1] == 2 * X.shape[1]  # 40 rows have one bin
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    first: Any = regressor(normalize="piecewise").partial_fit(X, NUMBERS)
    assert first.predict(X).shape == NUMBERS.shape


def test_partial_fit_learns_the_scale_at_its_first_call():
    model: Any = classifier().partial_fit(X * 100 + 5, TWO)
    mean = model.normalizer_.mean
    model.partial_fit(X, TWO)
    assert model.normalizer_.mean is mean
    np.testing.assert_allclose(mean, (X * 100 + 5).mean(axis=0))


def test_pixels_are_divided_by_one_number():
    pixels = np.random.default_rng(1).integers(0, 200, (40, 3), dtype=np.uint8)
    one = classifier(normalize="pixels").fit(pixels, TWO)
    other = classifier(normalize="none").fit(np.divide(pixels, 255, dtype=np.float32), TWO)
    expected = other.predict_proba(np.divide(pixels, 255, dtype=np.float32))
    np.testing.assert_array_equal(one.predict_proba(pixels), expected)


def test_a_number_too_far_from_those_of_training_is_refused():
    model = classifier(epochs=1).fit(pd.DataFrame(X, columns=["a", "b", "c"]), TWO)
    far = pd.DataFrame([[0.0, 1e300, 0.0]], columns=["a", "b", "c"])
    with pytest.raises(DataError, match=r"column 'b', row 0: expected a finite number within"):
        model.predict(far)


@pytest.mark.parametrize("network", [None, "convnet"])
def test_an_estimator_saved_before_inputs_were_scaled_predicts_the_same(network):
    options = {"hidden": (4,), "normalize": "none"} if network is None else {"network": network}
    rows = X if network is None else np.random.default_rng(1).random((40, 64))
    model = NetworkClassifier(**options, epochs=1).fit(rows, TWO)
    state = {k: v for k, v in vars(model).items() if not k.startswith("normalize")}
    old: Any = NetworkClassifier.__new__(NetworkClassifier)
    old.__setstate__(state)
    np.testing.assert_array_equal(old.predict_proba(rows), model.predict_proba(rows))
    assert old.get_params() == model.get_params()
    fresh: Any = clone(old)
    fresh.fit(rows, TWO)


@pytest.mark.parametrize("normalize", ["none", "standard"])
def test_an_image_network_scales_its_pixels_itself(normalize):
    with pytest.raises(OptionError) as error:
        NetworkClassifier(network="convnet", normalize=normalize).fit(np.ones((4, 64)), TWO[:4])
    assert str(error.value) == (
        'normalize: expected "auto" with network="convnet", which divides pixels by their range; '
        f"got {normalize!r}.\nTry leaving it out."
    )


def test_regression_starts_near_the_mean_of_the_target():
    at_first = {"epochs": 1, "learning_rate": 1e-9}
    small, drawn = (regressor(**at_first, init=init).fit(X, NUMBERS) for init in (None, "he"))
    away, usual = (outputs(model) - NUMBERS.mean(axis=0) for model in (small, drawn))
    np.testing.assert_allclose(away, usual / 10, atol=1e-5)
