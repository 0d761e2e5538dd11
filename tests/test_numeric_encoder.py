"""chainrule/numeric_encoder.py"""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from chainrule import NumericEncoder
from chainrule.data.scaling import Normalizer
from chainrule.errors import OptionError, ShapeError

FIVE = np.array([[4.0, 0], [2, 1], [100, 0], [3, 0], [5, 1]])


# by hand


def test_five_numbers():
    encoder = NumericEncoder(bins=2).fit(FIVE)
    found = encoder.transform(FIVE)
    assert found.dtype == np.float32
    z = np.array([0, -1, 48, -0.5, 0.5])  # (x − 4) / (5 − 3)
    np.testing.assert_allclose(found[:, 0], z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-6)
    bins = [[1, 0], [0, 0], [1, 1], [0.5, 0], [1, 1 / 96]]  # the edges 2, 4 and 100
    np.testing.assert_allclose(found[:, 1:3], bins, rtol=1e-6)
    assert encoder.get_feature_names_out().tolist() == ["x0", "x0 bin 1", "x0 bin 2", "x1"]


def test_names_are_those_of_a_table():
    frame = pd.DataFrame(FIVE, columns=["age", "sex"])
    encoder = NumericEncoder(bins=1).set_output(transform="pandas").fit(frame)
    assert encoder.transform(frame).columns.tolist() == ["age", "age bin 1", "sex"]


# properties


@pytest.mark.parametrize("kind", ["standard", "robust", "piecewise"])
def test_fulfils_scikit_learns_contract(kind):
    results = check_estimator(NumericEncoder(kind), on_skip=None, on_fail=None)
    assert len(results) > 40
    assert [r["check_name"] for r in results if r["status"] == "failed"] == []


@pytest.mark.parametrize("kind", ["standard", "robust", "piecewise"])
def test_inverse_transform_returns_the_columns(kind):
    encoder = NumericEncoder(kind).fit(FIVE)
    found = encoder.inverse_transform(encoder.transform(FIVE))
    np.testing.assert_allclose(found, FIVE, rtol=1e-2, atol=1e-5)  # 100 is 48 ranges away
    np.testing.assert_allclose(found[[0, 1, 3, 4]], FIVE[[0, 1, 3, 4]], rtol=1e-5, atol=1e-5)


def test_whole_numbers_above_2_to_the_53_keep_their_digits():
    X = np.array([[0], [1], [2], [3], [9]]) + 2**60
    small = NumericEncoder().fit_transform(X - 2**60)
    np.testing.assert_array_equal(NumericEncoder().fit_transform(X), small)


def test_a_step_is_linear_in_the_bins():
    x = np.random.default_rng(0).uniform(size=(500, 1))
    y = np.where(x[:, 0] < 0.25, 0.0, 1.0) + np.abs(x[:, 0] - 0.6)
    fitted = make_pipeline(NumericEncoder(), LinearRegression()).fit(x, y)
    assert fitted.score(x, y) > 0.95
    assert clone(fitted).get_params()["numericencoder__bins"] is None


def test_equal_after_pickling_and_for_equal_weights():
    encoder = NumericEncoder().fit(FIVE, sample_weight=np.full(5, 0.3))
    again = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_array_equal(again.transform(FIVE), encoder.transform(FIVE))
    np.testing.assert_array_equal(
        Normalizer.learn("piecewise", FIVE).apply(FIVE), encoder.transform(FIVE)
    )


# messages


def test_wrong_arguments_are_refused():
    with pytest.raises(OptionError, match="kind: expected one of 3 choices; got 'pixels'"):
        NumericEncoder("pixels").fit(FIVE)
    with pytest.raises(OptionError, match="bins: expected a whole number of at least 1; got 0"):
        NumericEncoder(bins=0).fit(FIVE)
    with pytest.raises(ShapeError, match=r"the inputs: expected \(m, 3\); got \(5, 2\)"):
        NumericEncoder().fit(FIVE).inverse_transform(FIVE)
