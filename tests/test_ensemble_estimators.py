"""Ensembles as estimators: `members` of NetworkClassifier and NetworkRegressor."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from chainrule.errors import OptionError
from chainrule.estimators import NetworkClassifier, NetworkRegressor
from chainrule.train.examples import Examples
from tests.train.candidates import assert_close
from tests.train.problem import assert_same

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 3))
LABELS = np.array(["no", "yes"])[(X[:, 0] + X[:, 1] > 0).astype(int)]
THREE = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5])]
NUMBERS = 100 * X[:, 0] + 7
OPTIONS = {"hidden": (4,), "epochs": 20, "early_stopping": True}


def members_of(estimator):
    """Return an estimator with each member as its network."""
    for one in estimator.network_.members:
        single = clone(estimator)
        vars(single).update(vars(estimator) | {"network_": one})
        yield single


@pytest.fixture(scope="module")
def two():
    return NetworkClassifier(**OPTIONS, members=3).fit(X, LABELS)


def test_the_probabilities_are_the_mean_of_the_members(two):
    mean = np.mean([one.predict_proba(X) for one in members_of(two)], axis=0)
    np.testing.assert_allclose(two.predict_proba(X), mean, atol=1e-6)
    assert (two.predict(X) == two.classes_[mean.argmax(axis=1)]).all()


def test_the_disagreement_is_the_deviation_of_the_members(two):
    yes = [one.predict_proba(X)[:, 1] for one in members_of(two)]
    np.testing.assert_allclose(two.disagreement(X), np.std(yes, axis=0), atol=1e-6)
    three = NetworkClassifier(**OPTIONS, members=2).fit(X, THREE)
    found = np.array([one.predict_proba(X) for one in members_of(three)])
    predicted = found.mean(axis=0).argmax(axis=1)
    expected = found.std(axis=0)[np.arange(60), predicted]
    np.testing.assert_allclose(three.disagreement(X), expected, atol=1e-6)
    numbers = NetworkRegressor(**OPTIONS, members=2).fit(X, NUMBERS)
    found = [one.predict(X) for one in members_of(numbers)]
    np.testing.assert_allclose(numbers.predict(X), np.mean(found, axis=0), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(numbers.disagreement(X), np.std(found, axis=0), atol=1e-3)
    assert not NetworkRegressor(**OPTIONS).fit(X, NUMBERS).disagreement(X).any()


def initial(count: int):
    """Return the initial networks of the members."""
    estimator = NetworkClassifier(**OPTIONS, members=count).fit(X, LABELS)
    estimator._begin(X, 1, estimator._seed())
    return [estimator.network_] if count == 1 else estimator.network_.members


def test_first_weights_are_the_same_whatever_the_number_of_members():
    one, three, five = (initial(count) for count in (1, 3, 5))
    assert_same(one, five[:1])
    assert_same(three, five[:3])


def test_splits_are_the_same_whatever_the_number_of_members():
    Y = np.repeat([0.0, 1.0], 30)[:, None]
    weights = np.ones(60)
    train, dev = Examples(X[::2], Y[::2], weights[::2]), Examples(X[1::2], Y[1::2], weights[1::2])
    found = {}
    for count in (3, 5):
        estimator = NetworkClassifier(members=count)
        estimator.cost_ = "logistic"
        found[count] = estimator._member_rows(train, dev, 0)
    both, five = found[5]
    for some, others in zip(found[3][1], five, strict=False):
        np.testing.assert_array_equal(some.train, others.train)
        np.testing.assert_array_equal(some.dev, others.dev)
    np.testing.assert_array_equal(both.X[five[0].train], train.X)
    assert len({tuple(own.dev) for own in five}) == 5
    for own in five[1:]:
        assert sorted([*own.train, *own.dev]) == list(range(60))
        assert both.Y[own.dev].mean() == 0.5  # stratified


@pytest.mark.parametrize("early_stopping", [True, False])
def test_trained_weights_are_the_same_up_to_rounding(early_stopping):
    options = OPTIONS | {"early_stopping": early_stopping, "epochs": 3}
    three, five = (NetworkClassifier(**options, members=k).fit(X, LABELS) for k in (3, 5))
    for k in range(3):
        assert_close(three.network_.member(k), five.network_.member(k), rtol=1e-4, atol=1e-5)
    if not early_stopping:
        one = NetworkClassifier(**options).fit(X, LABELS)
        assert_close(one.network_, five.network_.member(0), rtol=1e-4, atol=1e-5)


def test_partial_fit_trains_every_member_for_one_more_epoch():
    options = OPTIONS | {"members": 2, "batch_size": 20}
    twice = NetworkRegressor(**options).partial_fit(X, NUMBERS).partial_fit(X, NUMBERS)
    assert twice.n_iter_ == 2
    assert [int(state.t) for state in twice.optimizer_state_] == [6, 6]
    single = NetworkRegressor(**options | {"members": 1})
    single.partial_fit(X, NUMBERS).partial_fit(X, NUMBERS)
    assert_close(twice.network_.member(0), single.network_, rtol=1e-4, atol=1e-5)


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
