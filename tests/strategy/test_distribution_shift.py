"""chainrule/strategy/distribution_shift.py"""

import json
from dataclasses import replace

import numpy as np
import pytest

from chainrule.data.dataset import Dataset
from chainrule.errors import DataError, OptionError
from chainrule.runs.job import train_prepared
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe
from chainrule.runs.run import load_run_data
from chainrule.strategy.distribution_shift import (
    Difference,
    DistributionComparison,
    Z,
    area,
    compare_distributions,
    cross_fitted,
    pairs_to_compare,
    sample,
    variance_of_area,
)
from chainrule.train.examples import Examples

pytestmark = pytest.mark.usefixtures("float32_world")


@pytest.fixture(scope="module")
def iris():
    """A run and its data."""
    run = train_prepared(prepare(Recipe("iris", hidden=(4,), epochs=2)))
    return run, load_run_data(run)


# ---- by hand


def test_the_area_counts_pairs():
    first, second = np.array([1.0, 2, 3]), np.array([2.0, 4])
    pairs = [(b > a) + (a == b) / 2 for a in first for b in second]
    assert area(first, second) == pytest.approx(np.mean(pairs))


def test_the_variance_at_chance_is_exact():
    """It is (n₁ + n₂ + 1) / (12 n₁ n₂) at chance, and 0 where all pairs are right."""
    assert variance_of_area(0.5, 7, 11) == pytest.approx(19 / (12 * 77))
    assert variance_of_area(1.0, 7, 11) == pytest.approx(0)


# ---- properties, on data of known distributions


def test_false_alarms_are_rare():
    rng, alarms, scores = np.random.default_rng(0), 0, []
    for seed in range(40):
        A, deviation = cross_fitted(*rng.normal(size=(2, 30, 4)).astype(np.float32), seed=seed)
        alarms += A - Z * deviation > 0.5
        scores.append((A - 0.5) / deviation)
    assert alarms <= 1
    assert 0.8 < np.std(scores) < 1.25  # the standard error is right


@pytest.mark.parametrize("how", ["moved", "wider", "bound"])
def test_different_distributions_are_detected(how):
    rng = np.random.default_rng(1)
    X1, X2 = rng.normal(size=(2, 150, 4)).astype(np.float32)
    if how == "moved":
        X2 += 0.6
    elif how == "wider":
        X2 *= 2
    else:  # each column alone is as before
        X2[:, 1] = np.float32(0.9) * X2[:, 0] + np.float32(0.43) * X2[:, 1]
    A, deviation = cross_fitted(X1, X2)
    assert A - Z * deviation > 0.5


def test_a_shifted_column_of_a_run_is_found(iris):
    run, data = iris
    same = compare_distributions(run, data)
    assert not same.differ
    assert (same.parts, same.rows, same.labels) == (("dev", "test"), (30, 30), None)
    X = data.parts["test"].X + np.float32([0, 2, 0, 0])
    moved = data._replace(parts={**data.parts, "test": data.parts["test"]._replace(X=X)})
    other = compare_distributions(run, moved)
    assert other.differ
    assert other.columns[0].name == "sepal width (cm)"
    assert json.loads(json.dumps(other.to_dict()))["differ"] is True


def test_one_row_of_each_group(iris):
    _, data = iris
    X = np.arange(60.0)[:, None]
    source = Dataset("g", X, np.zeros(60), groups=np.arange(60) // 3)
    grouped = data._replace(
        sources={**data.sources, "dev": source}, parts={**data.parts, "dev": Examples(X, X)}
    )
    rows = sample(grouped, "dev", np.random.default_rng(0))
    assert sorted(rows // 3) == list(range(20))


def test_pairs_of_sets_to_compare(iris):
    _, data = iris
    assert pairs_to_compare(data) == [("dev", "test"), ("train", "dev")]
    parts = {"train": 0, "train-dev": 0, "dev": 0}
    assert pairs_to_compare(data._replace(parts=parts)) == [("train-dev", "dev")]
    assert pairs_to_compare(data._replace(parts={"train": 0, "test": 0})) == [("train", "test")]


# ---- words


def test_the_text():
    age = Difference("age", 0.456, 1e-9, (41.2, 55.04))
    labels = Difference("the share of cat", 0.2, 0.001, (0.4, 0.6))
    found = DistributionComparison(("dev", "test"), (100, 1200), 0.7, 0.65, 0.75, (age,), labels)
    assert found.text() == (
        "dev and test: given one row of each, a classifier identifies which is which in 70.0 % of "
        "cases\n"
        "(99 % confidence interval 65.0 % to 75.0 %; 50 % is chance; 100 and 1,200 rows).\n"
        "They come from different distributions. Shuffle the two sets together and split them "
        "again:\n"
        "a model that is chosen on one of them may not be the best on the other.\n"
        "\n"
        "column  distance  mean in dev  mean in test\n"
        "age         0.46         41.2         55.04\n"
        "Their labels are distributed differently: the share of cat, 0.4 against 0.6 "
        "(p = 0.001)."
    )
    same = replace(found, auc=0.5, low=0.4, columns=(), labels=None)
    text = "As far as these rows can show, they come from the same distribution."
    assert same.text().endswith(text)


def test_too_few_rows_and_unknown_sets_are_refused(iris):
    run, data = iris
    few = data.parts["dev"]._replace(X=data.parts["dev"].X[:5])
    with pytest.raises(DataError, match="expected at least 10 rows in each; got 5 in dev"):
        compare_distributions(run, data._replace(parts={**data.parts, "dev": few}))
    with pytest.raises(OptionError, match="the sets to compare"):
        compare_distributions(run, data, "dev", "tset")
