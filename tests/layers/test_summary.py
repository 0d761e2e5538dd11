"""chainrule/layers/summary.py: statistics of a sequence, and counts of characters."""

import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ShapeError
from chainrule.layers.steps import Steps
from chainrule.layers.summary import CharacterCounts, SummaryStatistics

rng = np.random.default_rng(0)
LENGTHS = np.array([1, 3, 6, 0], np.int32)
VALUES = rng.standard_normal((6, 2, 4))


def test_statistics_are_those_of_the_real_steps():
    found = np.asarray(SummaryStatistics()(Steps(VALUES, LENGTHS)))
    for i, T in enumerate(LENGTHS[:3]):
        x = VALUES[:T, :, i]
        change = np.abs(np.diff(x, axis=0)).sum(axis=0) / max(T - 1, 1)
        want = [x.mean(0), x.std(0), x.min(0), x.max(0), x[0], x[-1], change]
        np.testing.assert_allclose(found[:14, i], np.ravel(want), rtol=1e-9, atol=2e-6)
        np.testing.assert_allclose(found[14:, i], np.log(T))
    assert (found[:, 3] == 0).all()


def test_padding_changes_no_statistic():
    padded = np.concatenate([VALUES, np.full((3, 2, 4), 9.0)])
    np.testing.assert_array_equal(
        SummaryStatistics()(Steps(padded, LENGTHS)), SummaryStatistics()(Steps(VALUES, LENGTHS))
    )


def counts(text: str, size: int = 512, padding: int = 0) -> np.ndarray:
    """Return the counts of one text, not divided by the root of their number."""
    ids = np.array([ord(c) for c in text] + [0] * padding, np.int32)[:, None]
    found = np.asarray(
        CharacterCounts(size, "float64")(Steps(ids, np.array([len(text)], np.int32)))
    )
    return found[:, 0]


def test_a_text_of_n_characters_has_3_n_plus_3_runs():
    """n + 2 single ones, n + 1 pairs and n triples, marks included."""
    for text in ("a", "abc", "banana"):
        n = len(text)
        found = counts(text) * np.sqrt(3 * n + 3)
        np.testing.assert_allclose(found, found.round(), atol=1e-12)
        assert found.sum() == pytest.approx(3 * n + 3)


def test_runs_tell_the_order_and_the_ends_apart():
    assert not np.array_equal(counts("abc"), counts("cba"))
    assert not np.array_equal(counts("ab"), counts("ba"))
    np.testing.assert_array_equal(counts("abc"), counts("abc", padding=4))


def test_repeated_runs_are_counted():
    """aaa has a three times, aa twice, and the mark twice; all other runs once."""
    found = np.sort(counts("aaa") * np.sqrt(12))[::-1]
    np.testing.assert_allclose(found[:4], [3, 2, 2, 1], atol=1e-12)


def test_the_wrong_kind_of_sequences_is_refused():
    with pytest.raises(ShapeError) as caught:
        SummaryStatistics()(Steps(jnp.zeros((2, 3), np.int32), None))
    assert str(caught.value) == (
        "SummaryStatistics: expected numbers (T, n_x, m); got the shape (2, 3).\n"
        "Try CharacterCounts for ids."
    )
    with pytest.raises(ShapeError) as caught:
        CharacterCounts()(Steps(jnp.zeros((2, 3, 1)), None))
    assert str(caught.value) == (
        "CharacterCounts: expected token ids (T, m); got the shape (2, 3, 1).\n"
        "Try SummaryStatistics for numbers."
    )
