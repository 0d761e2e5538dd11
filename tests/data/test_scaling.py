"""chainrule/data/scaling.py"""

import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chainrule.data.scaling import BLOCK, Normalizer, differences
from chainrule.errors import DataError, DataWarning, OptionError, ShapeError


def test_an_example_done_by_hand():
    X = np.array([[1, 10], [3, 10], [5, 40], [7, 40]])
    normalizer = Normalizer.learn("standard", X)
    np.testing.assert_array_equal(normalizer.mean, [4, 25])
    np.testing.assert_allclose(normalizer.scale, [np.sqrt(5), 15], rtol=1e-15)
    np.testing.assert_allclose(normalizer.apply(X)[:, 1], [-1, -1, 1, 1])


def test_dev_rows_use_the_numbers_of_the_training_rows():
    normalizer = Normalizer.learn("standard", np.array([[0.0], [2.0]]))
    np.testing.assert_array_equal(normalizer.apply(np.array([[5.0]])), [[4.0]])


def test_pixels_and_none():
    X = np.array([[0, 51, 255]], np.uint8)
    np.testing.assert_allclose(Normalizer.learn("pixels", X).apply(X), [[0, 0.2, 1]], rtol=1e-7)
    np.testing.assert_array_equal(Normalizer.learn("none", X).apply(X), X)


def test_all_blocks_of_rows_count():
    X = np.repeat([[0.0, 5.0], [2.0, 1.0]], BLOCK, axis=0)
    normalizer = Normalizer.learn("standard", X)
    np.testing.assert_array_equal(normalizer.mean, [1, 3])
    np.testing.assert_array_equal(normalizer.scale, [1, 2])
    out = normalizer.apply(X)
    np.testing.assert_array_equal(out[[0, BLOCK - 1, BLOCK, -1], 0], [-1, -1, 1, 1])


def test_images_have_one_mean_per_colour_plane():
    X = np.zeros((2, 1, 2, 3))
    X[..., 0] = [[[0, 2]], [[4, 6]]]
    X[..., 1] = [[[1, 1]], [[3, 3]]]
    X[..., 2] = [[[5, 7]], [[5, 7]]]
    normalizer = Normalizer.learn("standard", X)
    np.testing.assert_allclose(normalizer.mean, [3, 2, 6])
    np.testing.assert_allclose(normalizer.scale, [np.sqrt(5), 1, 1])


def test_grey_images_have_one_mean():
    X = np.arange(12.0).reshape(3, 2, 2)
    assert Normalizer.learn("standard", X).apply(X).mean() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exact_at_a_mean_of_a_million(dtype):
    X = (1e6 + np.tile([[-1.0], [1.0]], (50_000, 1))).astype(dtype)
    normalizer = Normalizer.learn("standard", X)
    assert normalizer.mean.item() == 1e6
    assert normalizer.scale.item() == 1
    np.testing.assert_array_equal(normalizer.apply(X), X - dtype(1e6))


@pytest.mark.parametrize("kind", ["standard", "pixels", "none"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64, bool])
def test_gives_float32_in_c_order_from_any_layout(kind, dtype):
    X = np.asfortranarray(np.arange(12).reshape(4, 3) % 5 * 60).astype(dtype, order="F")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        out = Normalizer.learn(kind, X).apply(X)
    assert out.dtype == np.float32
    assert out.flags.c_contiguous


@pytest.mark.parametrize("offset", [0, 2**62])
def test_saved_and_restored_as_arrays(offset):
    X = np.arange(6).reshape(3, 2) + offset
    normalizer = Normalizer.learn("standard", X)
    again = Normalizer.from_arrays("standard", normalizer.arrays())
    np.testing.assert_array_equal(again.apply(X), normalizer.apply(X))
    assert ("input_origin" in normalizer.arrays()) == (offset > 0)


WHOLE = np.array([[-3, 1], [0, 1], [1, 4], [6, -2]])


@pytest.mark.parametrize(
    "X",
    [
        WHOLE.view(np.uint64) + np.uint64(2**63),
        WHOLE + 2**62,
        WHOLE - (2**63 - 10),
        WHOLE * 2.0**-1000,
        WHOLE * 2.0**1015,
    ],
    ids=["uint64", "int64", "lowest", "tiniest", "huge"],
)
def test_extreme_numbers_are_standardised_as_others(X):
    expected = Normalizer.learn("standard", WHOLE).apply(WHOLE)
    np.testing.assert_allclose(Normalizer.learn("standard", X).apply(X), expected, rtol=1e-6)


def test_numbers_that_differ_by_more_than_float64_can_hold_are_refused():
    X = np.array([[0.0, -1.7e308], [0.0, 1.7e308]])
    with pytest.raises(DataError) as error:
        Normalizer.learn("standard", X, ["age", "height"])
    assert str(error.value) == (
        "column 'height': expected numbers that differ by less than 1.8e308, the largest float64; "
        "got numbers further apart.\nTry dividing the column by a constant."
    )


def test_differences_of_whole_numbers_of_several_types_are_exact():
    origin = np.array([2**63 + 7], np.uint64)
    assert differences(np.array([[2**63], [2**64 - 1]], np.uint64), origin).tolist() == [
        [-7],
        [2.0**63],
    ]
    assert differences(np.array([[2**63 - 1]]), origin).tolist() == [[-8]]
    assert differences(np.array([[7]], np.int8), np.array([-(2**62)])).tolist() == [[2.0**62]]
    assert differences(np.array([[2.0**63]]), origin).tolist() == [[-7]]


def test_weights_count_as_repetitions():
    weights = np.array([1, 0, 3, 2])
    weighted = Normalizer.learn_weighted(WHOLE, weights)
    repeated = Normalizer.learn("standard", np.repeat(WHOLE, weights, axis=0))
    np.testing.assert_allclose(weighted.mean, repeated.mean)
    np.testing.assert_allclose(weighted.scale, repeated.scale)


@pytest.mark.parametrize("kind", ["standard", "pixels"])
def test_takes_little_more_memory_than_the_result(kind):
    X = np.random.default_rng(0).integers(0, 256, (20_000, 784), dtype=np.uint8)
    tracemalloc.start()
    out = Normalizer.learn(kind, X).apply(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < out.nbytes + 12e6


@settings(max_examples=50, deadline=None)
@given(arrays(float, (7, 3), elements=st.floats(-1e6, 1e6)))
def test_the_result_has_mean_0_and_variance_1(X):
    X = X + np.arange(7)[:, None] * 1e3  # no constant column
    spread = np.ptp(X, axis=0).min()
    if spread < 1:
        return
    out = Normalizer.learn("standard", X).apply(X)
    np.testing.assert_allclose(out.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(out.std(axis=0), 1, atol=1e-5)


def test_a_constant_column_keeps_scale_1_with_a_warning():
    X = np.tile([0.1, 2.0], (1000, 1))
    X[0, 1] = 3
    with pytest.warns(DataWarning) as caught:
        normalizer = Normalizer.learn("standard", X, names=["age", "height"])
    assert [str(w.message) for w in caught] == [
        "constant in the training set, kept with scale 1: column 'age'."
    ]
    assert normalizer.scale[0] == 1
    assert (normalizer.apply(X)[:, 0] == 0).all()


def test_names_at_most_five_constant_columns():
    with pytest.warns(DataWarning, match=r"column 0, .*column 4 and 2 more\.$"):
        Normalizer.learn("standard", np.ones((3, 7)))


def test_reports_when_pixels_were_divided_already():
    with pytest.warns(DataWarning, match="If the pixels are already scaled"):
        Normalizer.learn("pixels", np.array([[0, 1]], np.uint8))


@pytest.mark.parametrize(
    ("values", "dtype", "white"),
    [
        ([0, 199], np.uint8, 255),
        ([0, 199], np.uint16, 255),
        ([0, 199], np.int64, 255),
        ([0, 300], np.uint16, 1023),
        ([0, 40_000], np.int32, 65_535),
        ([0, 0.7], np.float64, 1),
        ([0, 1.2], np.float32, 1),  # interpolation exceeds the range slightly
        ([0, 199], np.float32, 255),
        ([0, 1], np.int64, 1),
        ([0, 100_000], np.int64, 100_000),
    ],
)
def test_the_range_of_pixels_follows_from_the_training_set(values, dtype, white):
    X = np.array([values], dtype)
    normalizer = Normalizer.learn("pixels", X)
    assert normalizer.scale == white
    again = Normalizer.from_arrays("pixels", normalizer.arrays())
    np.testing.assert_array_equal(again.apply(X), X.astype(np.float32) / np.float32(white))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_reports_where_a_number_is_not_finite(value):
    X = np.ones((400_000, 2))
    X[399_999, 1] = float(value)
    error_text = (
        "column 'height', row 399999: expected a finite number within the range of float32; "
        f"got {value}.\n"
        "Try an empty cell for a missing value in a CSV file, or removing the row."
    )
    for kind in ["standard", "none"]:
        with pytest.raises(DataError) as error:
            Normalizer.learn(kind, X, names=["age", "height"]).apply(X, names=["age", "height"])
        assert str(error.value) == error_text


def test_reports_when_a_number_does_not_fit_float32():
    X = np.array([[1e39], [1.0]])
    with pytest.raises(DataError, match=r"^column 0, row 0: .* got inf\."):
        Normalizer.learn("none", X).apply(X)


def test_reports_when_the_number_of_features_differs():
    normalizer = Normalizer.learn("standard", np.arange(6.0).reshape(3, 2))
    with pytest.raises(ShapeError) as error:
        normalizer.apply(np.ones((3, 4)))
    assert str(error.value) == (
        "the inputs: expected 2 features, as in training; got 4.\n"
        "Try the columns that the network was trained on."
    )


def test_reports_the_available_kinds():
    with pytest.raises(OptionError, match="standard \\(did you mean that\\?\\)"):
        Normalizer.learn("standrad", np.ones((2, 2)))
