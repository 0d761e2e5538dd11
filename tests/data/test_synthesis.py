"""chainrule/data/synthesis.py: noise at a signal-to-noise ratio."""

import numpy as np
import pandas as pd
import pytest

from chainrule.data.dataset import Dataset
from chainrule.data.synthesis import count_distinct_pieces, overlay_noise, power, synthesize
from chainrule.errors import DataError, DataWarning, OptionError

RNG = np.random.default_rng(0)


def ratio(X, mixed) -> np.ndarray:
    """Return the signal-to-noise ratio of each example, in dB."""
    return np.array([10 * np.log10(power(x) / power(y - x)) for x, y in zip(X, mixed, strict=True)])


# ---- by hand


def test_by_hand():
    """P(x) = 4, P(noise) = 1, 6.02 dB is a ratio of 4: k = 1; the noise's mean is subtracted."""
    X, noise = np.array([[2.0, -2.0, 2.0, -2.0]]), np.array([[5.0, 5.0, 3.0, 3.0]])
    snr = 10 * np.log10(4)
    mixed = overlay_noise(X, noise, (snr, snr))
    np.testing.assert_allclose(mixed, [[3.0, -1.0, 1.0, -3.0]], rtol=1e-12)


def test_an_example_without_a_signal_stays_as_it_is():
    X = np.array([[3.0, 3.0, 3.0], [1.0, 2.0, 3.0]])
    mixed = overlay_noise(X, None, (0.0, 0.0))
    assert mixed[0].tolist() == [3, 3, 3]
    assert (mixed[1] != X[1]).all()


def test_a_piece_of_a_longer_noise():
    """Noise 0, 1, 2, … : any three in a row are −1, 0, 1 about their mean."""
    X = np.tile([[1.0, 0.0, -1.0]], (20, 1))
    mixed = overlay_noise(X, np.arange(50.0)[None], (0.0, 0.0))
    np.testing.assert_allclose(mixed, np.zeros((20, 3)), atol=1e-12)
    starts = overlay_noise(np.tile([[1.0, 0.0, 0.0]], (40, 1)), np.eye(1, 9, 4), (0.0, 0.0))
    assert (
        len(np.unique(starts.round(6), axis=0)) == 4
    )  # the click is absent, or at one of three places


def test_how_many_noises():
    assert count_distinct_pieces(np.repeat([[0.0], [1], [1]], 10, axis=1), (5,)) == 4
    assert count_distinct_pieces(np.ones((1, 8, 6)), (4, 3)) == 4


# ---- properties


@pytest.mark.parametrize("shape", [(30,), (6, 5), (6, 5, 3)])
@pytest.mark.parametrize("noises", [None, RNG.normal(size=(4, 9, 8, 3))])
def test_every_example_has_the_ratio(shape, noises):
    X = RNG.normal(size=(10, *shape))
    if noises is not None:
        noises = {1: noises.reshape(4, -1), 2: noises[..., 0], 3: noises}[len(shape)]
    np.testing.assert_allclose(ratio(X, overlay_noise(X, noises, (7.0, 7.0))), 7)
    between = ratio(X, overlay_noise(X, noises, (0.0, 20.0)))
    assert between.min() >= 0
    assert between.max() <= 20
    assert np.ptp(between) > 3


def test_bytes_stay_bytes_and_grey_noise_falls_on_all_colours():
    X = RNG.integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    mixed = overlay_noise(X, RNG.normal(size=(2, 5, 5)), (-20.0, -20.0))
    assert mixed.dtype == np.uint8
    assert {0, 255} <= set(mixed.ravel().tolist())
    grid = np.full((1, 4, 4, 3), 100, np.uint8) + np.eye(4, dtype=np.uint8)[..., None] * 40
    soft = overlay_noise(grid,
                   RNG.normal(size=(1, 4, 4)), (20.0, 20.0)).astype(int)  # fmt: skip
    off = soft - 100 - np.eye(4, dtype=int)[..., None] * 40
    assert (np.ptp(off, axis=-1) == 0).all()


def test_the_same_seed_gives_the_same():
    X = RNG.normal(size=(5, 8))
    assert np.array_equal(
        overlay_noise(X, None, (5, 5), seed=1), overlay_noise(X, None, (5, 5), seed=1)
    )
    assert not np.array_equal(
        overlay_noise(X, None, (5, 5), seed=1), overlay_noise(X, None, (5, 5), seed=2)
    )


def test_labels_and_the_names_of_columns_are_kept():
    table = pd.DataFrame({"a": [1, 2, 4], "b": [3.0, 1.0, 9.0]}, index=[2, 3, 4])
    source = Dataset("t", table, np.array(["x", "y", "x"]), "label")
    mixed = synthesize(source, None, (10, 10))
    assert list(mixed.X.columns) == ["a", "b"]
    assert mixed.X.index.tolist() == [2, 3, 4]
    assert mixed.y is source.y
    np.testing.assert_allclose(ratio(table.to_numpy(float), mixed.X.to_numpy()), 10)


# ---- error messages


def test_few_noises_raise_a_warning():
    voices = Dataset("voices", RNG.normal(size=(100, 20)), np.arange(100) % 2)
    car = Dataset("car", RNG.normal(size=(1, 80)))
    error_text = "4 distinct noises for 100 examples: a network can memorise so few"
    with pytest.warns(DataWarning, match=error_text):
        synthesize(voices, car, (10, 10))
    synthesize(voices, Dataset("car", RNG.normal(size=(10, 20))), (10, 10))  # no warning


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (np.ones((2, 5)), "noise of at least 20, the size of the examples in voices; got 5."),
        (np.ones((2, 9, 9)), "noise of at least 20, the size of the examples in voices; got 9×9."),
        (np.ones((2, 20)), "--noise car: expected noise that is not silent; got 2 of 2 that are"),
    ],
)
def test_noise_that_does_not_fit(noise, message):
    voices = Dataset("voices", RNG.normal(size=(4, 20)), np.arange(4))
    with pytest.raises(DataError, match=message):
        synthesize(voices, Dataset("car", noise), (10, 10))


def test_text_and_gaps_are_refused():
    for column, error_text in ((["u", "v"], "text in 'b'"), ([1.0, None], "empty cells")):
        source = Dataset("t.csv", pd.DataFrame({"a": [1.0, 2.0], "b": column}), np.arange(2))
        with pytest.raises(DataError, match=error_text):
            synthesize(source, None, (10, 10))


@pytest.mark.parametrize("snr", [(20.0, 0.0), (np.nan, 1.0), (0.0, np.inf)])
def test_an_invalid_ratio(snr):
    with pytest.raises(
        OptionError, match="--snr: expected numbers of decibels, the lower one first"
    ):
        overlay_noise(np.ones((1, 2)), None, snr)
