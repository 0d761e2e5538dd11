"""chainrule/strategy/data_checks.py: labels that contradict similar examples."""

import numpy as np
import pytest

from chainrule.data.dataset import Dataset
from chainrule.data.labels import Labels
from chainrule.runs.prepare import preprocess_sets
from chainrule.strategy.data_checks import contradictions, kernel, leave_one_out, left_out


def data_of(X, y):
    sources = {"train": Dataset("made", X, y)}
    return preprocess_sets(sources, Labels.learn(y), None)


def corners(m, seed=0):
    """Two classes that are not linearly separable (XOR), and columns of noise."""
    X = np.random.default_rng(seed).standard_normal((m, 6))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def flipped(y, share, seed=1):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(y)) < share, 1 - y, y)


# by hand


def test_each_prediction_leaves_the_example_out():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((12, 2)), rng.standard_normal((12, 1))
    K, _ = kernel(X, np.ones(2))
    others = np.arange(12) != 3
    alpha = np.linalg.solve(K[others][:, others] + 0.1 * np.eye(11), Y[others])
    assert left_out(K, Y, 0.1)[3] == pytest.approx(K[3, others] @ alpha)


# properties


@pytest.mark.parametrize("share", [0.1, 0.2])
def test_flipped_labels_are_counted(share):
    X, y = corners(1000)
    found = contradictions(data_of(X, flipped(y, share)))
    assert found is not None
    assert found.found
    assert found.low < share < found.high


def test_clean_labels_and_overlapping_classes_are_not_reported():
    X, y = corners(1000)
    assert not contradictions(data_of(X, y)).found
    chance = 1 / (1 + np.exp(-4 * X[:, 0]))
    doubtful = (np.random.default_rng(2).random(1000) < chance).astype(int)
    assert not contradictions(data_of(X, doubtful)).found


def test_random_labels_are_predicted_at_chance():
    X, _ = corners(400)
    predictions = leave_one_out(X.astype(np.float32), np.arange(400) % 2)
    assert 0.35 < (predictions.argmax(axis=1) == np.arange(400) % 2).mean() < 0.65


def test_random_labels_give_no_estimate():
    X, _ = corners(700)
    assert contradictions(data_of(X, np.random.default_rng(4).integers(2, size=700))) is None


def test_a_rare_ambiguous_class_gives_no_estimate():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1800, 5))
    score = 1.2 * X[:, 0] + X[:, 1] + 0.8 * rng.standard_normal(1800)
    assert contradictions(data_of(X, (score > np.quantile(score, 0.97)).astype(int))) is None


@pytest.mark.parametrize("rare", [0.03, 0.2])
def test_clear_labels_of_a_rare_class_are_not_reported(rare):
    """Scores without the shares of the classes would favour the rare one everywhere."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 5))
    score = 1.2 * X[:, 0] + X[:, 1] + 0.3 * rng.standard_normal(1000)
    y = (score > np.quantile(score, 1 - rare)).astype(int)
    found = contradictions(data_of(X, y), dev_is_cleaner=True)
    assert not found.found
    assert found.size == 0


def test_the_estimate_is_trusted_where_dev_is_cleaner():
    X, _ = corners(700)
    data = data_of(X, np.random.default_rng(4).integers(2, size=700))
    assert contradictions(data, dev_is_cleaner=True).found


def test_few_examples_and_regression_give_no_estimate():
    X, y = corners(150)
    assert contradictions(data_of(X, y)) is None
    assert contradictions(data_of(*(a[:300] for a in (X, X[:, 0] + 0.5)))) is None


# words


def test_the_text_of_the_finding():
    X, y = corners(600)
    words = contradictions(data_of(X, flipped(y, 0.2))).words
    assert " % of the clear-cut training labels contradict similar examples: " in words
    assert words.endswith("these labels are wrong, or the columns cannot predict them")
