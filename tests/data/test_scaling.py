"""chainrule/data/scaling.py"""

import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chainrule.data.scaling import (
    BLOCK,
    Normalizer,
    differences,
    smooth_clip,
    undo_smooth_clip,
)
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


@pytest.mark.parametrize("kind", ["standard", "robust", "piecewise", "pixels", "none"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64, bool])
def test_gives_float32_in_c_order_from_any_layout(kind, dtype):
    X = np.asfortranarray(np.arange(12).reshape(4, 3) % 5 * 60).astype(dtype, order="F")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        out = Normalizer.learn(kind, X).apply(X)
    assert out.dtype == np.float32
    assert out.flags.c_contiguous


@pytest.mark.parametrize("kind", ["standard", "robust", "piecewise"])
@pytest.mark.parametrize("offset", [0, 2**62])
def test_saved_and_restored_as_arrays(offset, kind):
    X = np.arange(6).reshape(3, 2) + offset
    normalizer = Normalizer.learn(kind, X)
    again = Normalizer.from_arrays(kind, normalizer.arrays())
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
@pytest.mark.parametrize("kind", ["standard", "robust", "piecewise"])
def test_extreme_numbers_are_normalised_as_others(X, kind):
    expected = Normalizer.learn(kind, WHOLE).apply(WHOLE)
    np.testing.assert_allclose(Normalizer.learn(kind, X).apply(X), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", ["standard", "robust", "piecewise"])
def test_numbers_that_differ_by_more_than_float64_can_hold_are_refused(kind):
    X = np.array([[0.0, -1.7e308], [1.0, 0.0], [0.0, 1.7e308]])
    with pytest.raises(DataError) as error:
        Normalizer.learn(kind, X, ["age", "height"])
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


@pytest.mark.parametrize("kind", ["standard", "robust", "piecewise"])
def test_weights_count_as_repetitions(kind):
    weights = np.array([1, 0, 3, 2])
    weighted = Normalizer.learn(kind, WHOLE, weights=weights)
    repeated = Normalizer.learn(kind, np.repeat(WHOLE, weights, axis=0))
    np.testing.assert_allclose(weighted.mean, repeated.mean)
    np.testing.assert_allclose(weighted.scale, repeated.scale)
    np.testing.assert_allclose(weighted.apply(WHOLE), repeated.apply(WHOLE), rtol=1e-6)


FIVE = np.array([[4.0, 0], [2, 1], [100, 0], [3, 0], [5, 1]])


def test_robust_by_hand():
    normalizer = Normalizer.learn("robust", FIVE)
    assert normalizer.mean.tolist() == [4, 0.4]  # the median; the mean of two values
    assert normalizer.scale.tolist() == [2, 1]  # 5 − 3; their range
    z = np.array([0, -1, 48, -0.5, 0.5])
    np.testing.assert_allclose(normalizer.apply(FIVE)[:, 0], z / np.sqrt(1 + z**2 / 9), rtol=1e-6)
    two = np.diff(np.unique(normalizer.apply(FIVE)[:, 1]))
    np.testing.assert_allclose(two, 0.6 / np.sqrt(1.04) + 0.4 / np.sqrt(1 + 0.16 / 9), rtol=1e-6)


def test_equal_quartiles_are_replaced_by_the_range():
    X = np.array([[0.0], [0], [0], [0], [0], [0], [0], [3], [8]])
    normalizer = Normalizer.learn("robust", X)
    assert (normalizer.mean.item(), normalizer.scale.item()) == (0, 8)


def test_piecewise_by_hand():
    normalizer = Normalizer.learn("piecewise", FIVE, bins=2)
    assert normalizer.names_of(["age", "sex"]) == ["age", "age bin 1", "age bin 2", "sex"]
    assert normalizer.columns_of(2).tolist() == [0, 0, 0, 1]
    out = normalizer.apply(FIVE)
    np.testing.assert_allclose(out[:, [0, 3]], Normalizer.learn("robust", FIVE).apply(FIVE))
    np.testing.assert_allclose(  # the edges 2, 4 and 100
        out[:, 1:3], [[1, 0], [0, 0], [1, 1], [0.5, 0], [1, 1 / 96]], rtol=1e-6
    )
    np.testing.assert_array_equal(normalizer.numbers_in(out), out[:, [0, 3]])
    average = normalizer.apply(np.array([[4, 0.4]]))
    np.testing.assert_array_equal(normalizer.average(2), average[0])


def test_smooth_clipping_by_hand():
    found = smooth_clip(np.array([-3, 0, 4, 1e200, np.inf]))
    np.testing.assert_allclose(found, [-3 / np.sqrt(2), 0, 4 * 3 / 5, 3, 3], rtol=1e-15)


@settings(max_examples=50, deadline=None)
@given(arrays(float, 20, elements=st.floats(allow_nan=False)))
def test_smooth_clipping_is_monotone_and_bounded(z):
    found = smooth_clip(np.sort(z)).astype(np.float32)
    assert (np.diff(found) >= 0).all()
    assert (np.abs(found) <= 3).all()
    some = np.clip(z, -20, 20)
    np.testing.assert_allclose(undo_smooth_clip(smooth_clip(some)), some, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["standard", "robust", "piecewise"])
@pytest.mark.parametrize("offset", [0, 2**62])
def test_undone_inputs_are_the_columns(kind, offset):
    X = WHOLE + offset
    normalizer = Normalizer.learn(kind, X)
    np.testing.assert_allclose(normalizer.undo(normalizer.apply(X)), X, rtol=1e-5, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(arrays(float, (11, 2), elements=st.floats(-1e6, 1e6)))
def test_piecewise_inputs_are_monotone_and_bounded(X):
    normalizer = Normalizer.learn("piecewise", X, weights=np.ones(11), bins=4)
    out = normalizer.apply(np.sort(np.vstack([X, 3 * X]), axis=0))
    assert (np.diff(out, axis=0) >= 0).all()
    assert (np.abs(out) <= 3).all()
    again = Normalizer.from_arrays("piecewise", normalizer.arrays())
    np.testing.assert_array_equal(again.apply(X), normalizer.apply(X))


@pytest.mark.parametrize("kind", ["standard", "robust", "pixels"])
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


@pytest.mark.parametrize("kind", ["standard", "robust", "piecewise"])
def test_a_constant_column_keeps_scale_1_with_a_warning(kind):
    X = np.tile([0.1, 2.0], (1000, 1))
    X[0, 1] = 3
    with pytest.warns(DataWarning) as caught:
        normalizer = Normalizer.learn(kind, X, names=["age", "height"])
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
    for kind in ["standard", "robust", "piecewise", "none"]:
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


def test_images_are_not_columns_of_numbers():
    with pytest.raises(DataError) as error:
        Normalizer.learn("robust", np.ones((3, 8, 8)))
    assert str(error.value) == (
        "the inputs: expected columns of numbers for robust and piecewise normalisation; got "
        "images of the shape (8, 8).\nTry --normalize pixels or standard."
    )


def test_rows_whose_inputs_do_not_fit_into_memory_are_refused(monkeypatch):
    normalizer = Normalizer.learn("piecewise", np.arange(100.0)[:, None])
    monkeypatch.setattr("chainrule.host.machine.available_bytes", lambda: 1000)
    with pytest.raises(DataError, match=r"the inputs: expected at most .*, the free memory"):
        normalizer.apply(np.zeros((100, 1)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input_bins": None}, "the array input_bins: expected numbers of bins of the shape"),
        ({"input_bins": np.array([3])}, r"the array input_bins: .* got \(1,\)"),
        ({"input_edges": None}, "the array input_edges: expected finite numbers; got none"),
        ({"input_edges": np.zeros(4)}, "the array input_edges: expected increasing edges"),
        ({"input_scale": np.array([0.0, 1])}, "the array input_scale: .* got a scale of 0"),
    ],
)
def test_refuses_saved_arrays_that_are_impossible(change, words):
    saved = Normalizer.learn("piecewise", np.arange(6.0).reshape(3, 2)).arrays() | change
    with pytest.raises(DataError, match=words):
        Normalizer.from_arrays("piecewise", {k: v for k, v in saved.items() if v is not None})
