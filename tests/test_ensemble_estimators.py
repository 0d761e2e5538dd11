"""Ensembles as estimators: `members` of NetworkClassifier and NetworkRegressor."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from chainrule.data.split import fold
from chainrule.errors import OptionError
from chainrule.estimators import NetworkClassifier, NetworkRegressor
from chainrule.models.ensemble import Ensemble
from chainrule.runs.encodings import Choice
from chainrule.runs.metrics import members_calibration as members_calibration_of
from tests.train.candidates import assert_close
from tests.train.problem import assert_same

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 3))
LABELS = np.array(["no", "yes"])[(X[:, 0] + X[:, 1] > 0).astype(int)]
THREE = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5])]
NUMBERS = 100 * X[:, 0] + 7
OPTIONS: dict[str, Any] = {"hidden": (4,), "epochs": 20, "early_stopping": True}


def members_of(estimator, temperature=1.0):
    """Return an estimator with each member as its network, and this temperature."""
    for one in estimator.network_.members:
        single = clone(estimator)
        vars(single).update(vars(estimator) | {"network_": one, "temperature_": temperature})
        yield single


def uncalibrated(estimator):
    """Return a copy of an estimator without its temperature."""
    plain = copy.copy(estimator)
    plain.temperature_ = 1.0
    return plain


@pytest.fixture(scope="module")
def two():
    return NetworkClassifier(**OPTIONS, members=3).fit(X, LABELS)


def test_the_probabilities_are_the_mean_of_the_members(two):
    mean = np.mean([one.predict_proba(X) for one in members_of(two)], axis=0)
    np.testing.assert_allclose(uncalibrated(two).predict_proba(X), mean, atol=1e-6)
    assert (two.predict(X) == two.classes_[mean.argmax(axis=1)]).all()


def test_the_disagreement_is_the_deviation_of_the_members(two):
    yes = [one.predict_proba(X)[:, 1] for one in members_of(two, two.temperature_)]
    np.testing.assert_allclose(two.disagreement(X), np.std(yes, axis=0), atol=1e-6)
    three = NetworkClassifier(**OPTIONS, members=2).fit(X, THREE)
    found = np.array([one.predict_proba(X) for one in members_of(three, three.temperature_)])
    predicted = found.mean(axis=0).argmax(axis=1)
    expected = found.std(axis=0)[np.arange(60), predicted]
    np.testing.assert_allclose(three.disagreement(X), expected, atol=1e-6)
    numbers = NetworkRegressor(**OPTIONS, members=2).fit(X, NUMBERS)
    found = [one.predict(X) for one in members_of(numbers)]
    np.testing.assert_allclose(numbers.predict(X), np.mean(found, axis=0), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(numbers.disagreement(X), np.std(found, axis=0), atol=1e-3)
    assert not NetworkRegressor(**OPTIONS, members=1).fit(X, NUMBERS).disagreement(X).any()


def initial(count: int):
    """Return the initial networks of the members."""
    estimator = NetworkClassifier(**OPTIONS, members=count).fit(X, LABELS)
    estimator._begin(X, 1, estimator._seed())
    return [estimator.network_] if count == 1 else estimator.network_.members


def test_first_weights_are_the_same_whatever_the_number_of_members():
    one, three, five = (initial(count) for count in (1, 3, 5))
    assert_same(one, five[:1])
    assert_same(three, five[:3])


class Asked(Exception):
    """A training that was asked for, with its options."""


@pytest.fixture
def no_training(monkeypatch):
    """Raise Asked where the members would be trained."""

    def fit_members(ensemble, optimizers, cost, examples, **options):
        raise Asked(examples, options)

    monkeypatch.setattr("chainrule.estimators.fit_members", fit_members)


def asked(estimator, X=X, y=LABELS, **more):
    """Return the examples and options with which the members of an estimator are trained."""
    with pytest.raises(Asked) as error:
        estimator.fit(X, y, **more)
    return error.value.args


def test_each_member_has_its_own_fold_whatever_their_number(no_training):
    examples, options = asked(NetworkClassifier(**OPTIONS, members=7, random_state=5))
    seven = options["rows"]
    three = asked(NetworkClassifier(**OPTIONS, members=3, random_state=5))[1]["rows"]
    assert (len(seven), len(three)) == (7, 3)
    for k, own in enumerate(seven):
        expected = fold(60, k, classes=examples.Y[:, 0], seed=5)
        np.testing.assert_array_equal(own.train, expected.train)
        np.testing.assert_array_equal(own.dev, expected.dev)
    for some, others in zip(three, seven, strict=False):
        np.testing.assert_array_equal(some.dev, others.dev)
    assert len(np.unique(np.concatenate([own.dev for own in seven[:5]]))) == 60
    classes = np.bincount(examples.Y[:, 0].astype(int))
    for own in seven:
        held = np.bincount(examples.Y[own.dev, 0].astype(int))
        assert (np.abs(held - classes / 5) < 1).all()  # stratified


def test_the_penalty_of_a_member_is_that_of_its_training_weights(no_training):
    weights = np.linspace(1, 3, 60)
    estimator = NetworkClassifier(**OPTIONS, members=2, l2=0.5)
    examples, options = asked(estimator, sample_weight=weights)
    for own, penalty in zip(options["rows"], options["penalty"], strict=True):
        assert penalty.m == pytest.approx(examples.weights[own.train].sum())


def test_a_negligible_weight_is_a_weight_of_0(no_training):
    weights = np.ones(60)
    weights[3] = 1e-39
    examples, _ = asked(NetworkClassifier(**OPTIONS, members=2), sample_weight=weights)
    assert len(examples.X) == 59


def test_the_inputs_are_scaled_by_the_training_rows_of_the_first_member(no_training):
    estimator: Any = NetworkRegressor(**OPTIONS, members=3)
    examples, options = asked(estimator, y=NUMBERS)
    first = examples.X[options["rows"][0].train]
    np.testing.assert_allclose(first.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(first.std(axis=0), 1, atol=1e-6)


# The default number


def test_five_members_by_default(no_training):
    estimator: Any = NetworkClassifier(hidden=(4,), epochs=3)
    assert len(asked(estimator)[1]["rows"]) == estimator.members_ == 5
    assert estimator.get_params()["members"] == "auto"


@pytest.mark.parametrize(
    ("options", "m"),
    [
        ({"hidden": ()}, 60),
        ({"hidden": (), "early_stopping": True}, 60),
        ({"hidden": (4,), "early_stopping": False}, 60),
        ({"hidden": (4,)}, 4),  # cannot be split
    ],
    ids=str,
)
def test_one_member_without_hidden_layers_or_a_dev_set(options, m):
    numbers: Any = NetworkRegressor(**options, epochs=3).fit(X[:m], NUMBERS[:m])
    assert numbers.members_ == 1
    assert not isinstance(numbers.network_, Ensemble)


def test_one_member_for_images():
    images, rows = NetworkClassifier(network="convnet"), NetworkClassifier()
    images.hidden_ = rows.hidden_ = (64, 32)
    assert images._member_count(has_dev=True) == 1
    assert rows._member_count(has_dev=True) == 5


def test_one_member_in_partial_fit_unless_there_should_be_more():
    one: Any = NetworkClassifier(hidden=(4,)).partial_fit(X, LABELS)
    assert (one.members_, one.encoding_costs_) == (1, {})
    two: Any = NetworkClassifier(hidden=(4,), members=2).partial_fit(X, LABELS)
    assert (two.members_, two.network_.count) == (2, 2)


def test_the_temperature_is_learned_where_each_member_held_rows_out(monkeypatch):
    found = []

    def members_calibration(Z_k, Y, weights, held_out, cost):
        found.append((Z_k, Y, held_out))
        return members_calibration_of(Z_k, Y, weights, held_out, cost)

    monkeypatch.setattr("chainrule.estimators.members_calibration", members_calibration)
    estimator: Any = NetworkClassifier(**OPTIONS, members=2).fit(X, LABELS)
    [(Z_k, Y, held_out)] = found
    assert Z_k.shape == (2, 60, 1)
    for k, rows in enumerate(held_out):
        np.testing.assert_array_equal(rows, fold(60, k, classes=Y[:, 0]).dev)
    estimator.partial_fit(X, LABELS)
    assert estimator.temperature_ == 1


# The encoding of the numbers


def steps(m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a column of m numbers, and a target with ten steps."""
    x = np.random.default_rng(0).uniform(size=(m, 1))
    return x, np.floor(10 * x[:, 0]) % 2


def test_the_best_encoding_is_that_of_the_estimator():
    x, y = steps(300)
    options = OPTIONS | {"hidden": (16,), "learning_rate": 0.05, "members": 1}
    chosen: Any = NetworkRegressor(**options).fit(x, y)
    given: Any = NetworkRegressor(**options, normalize="piecewise").fit(x, y)
    assert min(chosen.encoding_costs_, key=chosen.encoding_costs_.get) == "piecewise"
    assert given.encoding_costs_ == {}
    assert chosen.normalizer_.kind == "piecewise"
    np.testing.assert_array_equal(chosen.predict(x), given.predict(x))


def test_every_number_of_members_chooses_the_same_encoding(no_training, monkeypatch):
    compared = []

    def choose_encoding(examples, folds, setting, *, names):
        compared.append((examples, folds, setting.seeds))
        return Choice("robust", {"standard": 2.0, "robust": 1.0, "piecewise": 3.0})

    monkeypatch.setattr("chainrule.estimators.choose_encoding", choose_encoding)
    for members in (2, 5, 7):
        estimator: Any = NetworkClassifier(**OPTIONS, members=members)
        asked(estimator)
        assert estimator.normalizer_.kind == "robust"
        assert estimator.encoding_costs_["robust"] == 1
    first = compared[0]
    assert len(first[1]) == 5
    for other in compared[1:]:
        np.testing.assert_array_equal(first[0].X, other[0].X)
        assert first[2] == other[2]
        for one, same in zip(first[1], other[1], strict=True):
            np.testing.assert_array_equal(one.dev, same.dev)


@pytest.mark.parametrize("normalize", ["standard", "robust", "pixels", "none"])
def test_an_encoding_that_was_named_is_not_compared(no_training, monkeypatch, normalize):
    monkeypatch.setattr("chainrule.estimators.choose_encoding", None)
    estimator: Any = NetworkClassifier(**OPTIONS, members=2, normalize=normalize)
    asked(estimator, X=np.abs(X))
    assert estimator.encoding_costs_ == {}
    asked_for = None if normalize == "none" else normalize
    assert (estimator.normalizer_ and estimator.normalizer_.kind) == asked_for


def test_inputs_are_standardised_without_hidden_layers(monkeypatch):
    monkeypatch.setattr("chainrule.estimators.choose_encoding", None)
    estimator: Any = NetworkRegressor(hidden=(), epochs=2).fit(*steps(300))
    assert (estimator.normalizer_.kind, estimator.encoding_costs_) == ("standard", {})


# Training


@pytest.mark.parametrize("early_stopping", [True, False])
def test_trained_weights_are_the_same_up_to_rounding(early_stopping):
    options = OPTIONS | {"early_stopping": early_stopping, "epochs": 3}
    three, five = (NetworkClassifier(**options, members=k).fit(X, LABELS) for k in (3, 5))
    for k in range(3):
        assert_close(three.network_.member(k), five.network_.member(k), rtol=1e-4, atol=1e-5)
    if not early_stopping:
        one = NetworkClassifier(**options, members=1).fit(X, LABELS)
        assert_close(one.network_, five.network_.member(0), rtol=1e-4, atol=1e-5)


def test_partial_fit_trains_every_member_for_one_more_epoch():
    options = OPTIONS | {"members": 2, "batch_size": 20}
    twice = NetworkRegressor(**options).partial_fit(X, NUMBERS).partial_fit(X, NUMBERS)
    assert twice.n_iter_ == 2
    assert [int(state.t) for state in twice.optimizer_state_] == [6, 6]
    single = NetworkRegressor(**options | {"members": 1})
    single.partial_fit(X, NUMBERS).partial_fit(X, NUMBERS)
    assert_close(twice.network_.member(0), single.network_, rtol=1e-4, atol=1e-5)


def test_an_estimator_of_an_earlier_version_is_trained_further(two):
    """It had `members`, but no `members_`."""
    state = {name: value for name, value in vars(two).items() if name != "members_"}
    old: Any = NetworkClassifier.__new__(NetworkClassifier)
    old.__setstate__(state)
    same = pickle.loads(pickle.dumps(two))
    expected = same.partial_fit(X, LABELS).predict_proba(X)
    np.testing.assert_array_equal(old.partial_fit(X, LABELS).predict_proba(X), expected)


def test_it_is_cloned_pickled_and_searched(two):
    assert clone(two).get_params() == two.get_params()
    again = pickle.loads(pickle.dumps(two))
    np.testing.assert_array_equal(again.predict_proba(X), two.predict_proba(X))
    np.testing.assert_array_equal(again.disagreement(X), two.disagreement(X))
    search = GridSearchCV(NetworkClassifier(**OPTIONS), {"members": [1, 2]}, cv=2)
    assert search.fit(X, LABELS).best_score_ > 0.5


# Messages


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"members": 0}, "members: expected a whole number of at least 1; got 0"),
        ({"members": 101}, "members: expected at most 100 members; got 101"),
        ({"members": 2, "network": "lenet"}, 'members: expected 1 with network="lenet"; got 2'),
    ],
)
def test_invalid_members_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        NetworkClassifier(**options).fit(X, LABELS)
