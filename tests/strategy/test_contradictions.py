"""Labels that their neighbours contradict."""

import numpy as np
import pytest

from chainrule.data.labels import Labels
from chainrule.data.source import Source
from chainrule.strategy.contradictions import by_the_others, contradictions, kernel, left_out
from chainrule.train.prepare import scaled


def data_of(X, y):
    sources = {"train": Source("made", X, y)}
    return scaled(sources, Labels.learn(y), None)


def corners(m, seed=0):
    """Two classes that no line parts, and columns of noise."""
    X = np.random.default_rng(seed).standard_normal((m, 6))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def flipped(y, share, seed=1):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(y)) < share, 1 - y, y)


# by hand


def test_each_example_is_left_out_of_what_is_said_of_it():
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


def test_clean_labels_and_doubt_at_the_border_are_not_taken_for_wrong_ones():
    X, y = corners(1000)
    assert not contradictions(data_of(X, y)).found
    chance = 1 / (1 + np.exp(-4 * X[:, 0]))
    doubtful = (np.random.default_rng(2).random(1000) < chance).astype(int)
    assert not contradictions(data_of(X, doubtful)).found


def test_of_labels_that_nothing_tells_half_are_guessed():
    X, _ = corners(400)
    said = by_the_others(X.astype(np.float32), np.arange(400) % 2)
    assert 0.35 < (said.argmax(axis=1) == np.arange(400) % 2).mean() < 0.65


def test_of_labels_that_nothing_tells_nothing_is_said():
    X, _ = corners(700)
    assert contradictions(data_of(X, np.random.default_rng(4).integers(2, size=700))) is None


def test_of_a_rare_class_that_is_in_doubt_nothing_is_said():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1800, 5))
    score = 1.2 * X[:, 0] + X[:, 1] + 0.8 * rng.standard_normal(1800)
    assert contradictions(data_of(X, (score > np.quantile(score, 0.97)).astype(int))) is None


@pytest.mark.parametrize("rare", [0.03, 0.2])
def test_clear_labels_of_a_rare_class_are_not_taken_for_wrong_ones(rare):
    """Scores without the shares of the classes would favour the rare one everywhere."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 5))
    score = 1.2 * X[:, 0] + X[:, 1] + 0.3 * rng.standard_normal(1000)
    y = (score > np.quantile(score, 1 - rare)).astype(int)
    found = contradictions(data_of(X, y), dev_is_cleaner=True)
    assert not found.found
    assert found.size == 0


def test_doubt_is_believed_where_dev_is_cleaner():
    X, _ = corners(700)
    data = data_of(X, np.random.default_rng(4).integers(2, size=700))
    assert contradictions(data, dev_is_cleaner=True).found


def test_few_examples_and_numbers_are_left_alone():
    X, y = corners(150)
    assert contradictions(data_of(X, y)) is None
    assert contradictions(data_of(*(a[:300] for a in (X, X[:, 0] + 0.5)))) is None


# words


def test_what_is_said():
    X, y = corners(600)
    words = contradictions(data_of(X, flipped(y, 0.2))).words
    assert " % of the training labels that should be clear contradict their neighbours: " in words
    assert words.endswith("they are wrong, or nothing in the columns tells them")
