"""chainrule/runs/preprocessing.py: users' rows and labels are converted and restored."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chainrule.data.labels import Labels
from chainrule.errors import DataError, DataWarning, ShapeError
from chainrule.runs.preprocessing import Preprocessor

X = np.array([[1.0, 10.0], [3.0, 20.0], [5.0, 30.0], [7.0, 40.0]])


def f32(values) -> np.ndarray:
    """Return rows as the network takes them."""
    return np.array(values, np.float32)


def preprocessor(y, X: Any = X, normalize=None) -> Preprocessor:
    labels = Labels.learn(np.array(y))
    return Preprocessor.learn(X, labels.encode(np.array(y)), labels, normalize)


TWO = preprocessor(["no", "yes", "yes", "no"])
NUMBERS = preprocessor([10.0, 20.0, 30.0, 40.0])


# ---- by hand


def test_rows_are_scaled_as_the_training_set():
    np.testing.assert_allclose(TWO.rows(X).mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(TWO.rows(X)[0], [-3 / 5**0.5, -3 / 5**0.5], rtol=1e-6)
    assert TWO.rows(X).dtype == np.float32


def test_piecewise_rows_have_the_bins_of_each_column_beside_it():
    frame = pd.DataFrame({"age": [1.0, 2, 3, 5, 9], "colour": ["red", "blue", "red", "red", "red"]})
    found = preprocessor([10.0, 20, 30, 40, 50], frame, "piecewise")
    assert found.names == ["age", "colour=blue", "colour=red"]
    assert found.input_names == ["age", "age bin 1", "colour=blue", "colour=red"]
    assert (found.n_numbers, found.n_x, found.shape) == (3, 4, (3,))
    assert found.rows(frame)[:, 1].tolist() == [0, 0.125, 0.25, 0.5, 1]  # (age − 1) / 8
    again = Preprocessor.from_saved(found.to_dict(), found.arrays())
    np.testing.assert_array_equal(again.rows(frame), found.rows(frame))
    assert again.input_names == found.input_names


def test_refuses_scales_for_another_number_of_columns():
    found = preprocessor([10.0, 20, 30, 40], X, "robust")
    one = preprocessor([10.0, 20, 30, 40], X[:, :1], "robust").arrays()
    with pytest.raises(DataError, match=r"input_mean: expected the shape \(2,\); got \(1,\)"):
        Preprocessor.from_saved(found.to_dict(), one)


def test_classes_in_and_out():
    assert (TWO.cost, TWO.metric) == ("logistic", "accuracy")
    assert TWO.targets(np.array(["yes", "no"])).tolist() == [[1], [0]]
    assert TWO.answers(f32([[0.1], [-0.1]])).tolist() == ["yes", "no"]
    np.testing.assert_allclose(
        TWO.probabilities(f32([[0.0], [np.log(3)]])), [[0.5, 0.5], [0.25, 0.75]], rtol=1e-6
    )


def test_the_threshold_of_two_classes():
    Z = f32([[-1.0], [0.0], [1.0]])  # 0.27, 0.5, 0.73
    answers_at = {t: replace(TWO, threshold=t).answers(Z).tolist() for t in (0.2, 0.5, 0.7, 1.0)}
    assert answers_at == {
        0.2: ["yes", "yes", "yes"],
        0.5: ["no", "no", "yes"],
        0.7: ["no", "no", "yes"],
        1.0: ["no", "no", "no"],
    }


def test_the_threshold_is_saved_and_missing_in_older_runs():
    moved = replace(TWO, threshold=0.3)
    assert Preprocessor.from_saved(moved.to_dict(), moved.arrays()).threshold == 0.3
    older = {name: value for name, value in TWO.to_dict().items() if name != "threshold"}
    assert Preprocessor.from_saved(older, TWO.arrays()).threshold == 0.5


def test_a_temperature_divides_the_outputs_and_changes_no_answer():
    Z = f32([[-np.log(9)], [0.0], [np.log(9)]])
    calm = replace(TWO, temperature=2.0)
    np.testing.assert_allclose(calm.probabilities(Z)[:, 1], [0.25, 0.5, 0.75], rtol=1e-6)
    assert calm.answers(Z).tolist() == TWO.answers(Z).tolist()
    assert replace(calm, threshold=0.8).answers(Z).tolist() == ["no"] * 3  # 0.75 of 0.9
    assert replace(TWO, threshold=0.8).answers(Z).tolist() == ["no", "no", "yes"]


def test_the_temperature_is_saved_and_missing_in_older_runs():
    calm = replace(TWO, temperature=2.0)
    assert Preprocessor.from_saved(calm.to_dict(), calm.arrays()).temperature == 2
    older = {name: value for name, value in TWO.to_dict().items() if name != "temperature"}
    assert Preprocessor.from_saved(older, TWO.arrays()).temperature == 1


def test_three_classes():
    three = preprocessor([7, 5, 3, 7, 5, 3], np.ones((6, 2)), "none")
    assert three.cost == "softmax"
    assert three.targets(np.array([5])).tolist() == [[0, 1, 0]]
    assert three.answers(f32([[0, 2, 5]])).tolist() == [7]
    np.testing.assert_allclose(three.probabilities(np.zeros((1, 3), np.float32)), [[1 / 3] * 3])


def test_numbers_in_and_out():
    assert (NUMBERS.cost, NUMBERS.metric) == ("squared", "r2")
    y = np.array([10.0, 25.0])
    np.testing.assert_allclose(NUMBERS.targets(y), [[-15 / 125**0.5], [0]], rtol=1e-6)
    np.testing.assert_allclose(NUMBERS.answers(NUMBERS.targets(y)), y, rtol=1e-6)


def test_pixels_become_one_column():
    images = np.arange(4 * 6, dtype=np.uint8).reshape(4, 2, 3)
    pixels = preprocessor([0, 1, 0, 1], images)
    assert (pixels.shape, pixels.n_x, pixels.inputs.kind) == ((2, 3), 6, "pixels")
    np.testing.assert_allclose(pixels.rows(images)[1], np.arange(6, 12) / 255, rtol=1e-6)
    np.testing.assert_array_equal(pixels.rows(images.reshape(4, 6)), pixels.rows(images))


def test_the_names_of_inputs_in_plots():
    assert TWO.names == ["x1", "x2"]


# ---- tables

TABLE = pd.DataFrame({"size": [1.0, np.nan, 3.0, 5.0], "colour": ["red", "blue", "red", "blue"]})


def test_a_table_in_any_order_of_its_columns():
    fruit = preprocessor([0, 1, 0, 1], TABLE)
    rows = fruit.rows(TABLE)
    assert rows.shape == (4, len(fruit.names))
    np.testing.assert_array_equal(fruit.rows(TABLE[["colour", "size"]]), rows)
    np.testing.assert_array_equal(fruit.rows(TABLE.to_numpy(dtype=object)), rows)
    one = TABLE.assign(size=[3.0, 3.0, 3.0, 3.0])  # the median fills what is missing
    filled, given = fruit.rows(TABLE)[1], fruit.rows(one)[1]
    assert (filled != given).sum() == 1  # except for the flag for missing values


def test_an_unseen_category_is_reported():
    fruit = preprocessor([0, 1, 0, 1], TABLE)
    with pytest.warns(DataWarning, match="green"):
        assert np.isfinite(fruit.rows(TABLE.assign(colour="green"))).all()


# ---- saving and restoring


@pytest.mark.parametrize(
    "made", [TWO, NUMBERS, preprocessor([0, 1, 0, 1], TABLE)], ids=["2", "n", "table"]
)
def test_a_saved_preprocessor_is_restored(made):
    restored = Preprocessor.from_saved(made.to_dict(), made.arrays())
    data = TABLE if made.columns else X
    np.testing.assert_array_equal(restored.rows(data), made.rows(data))
    Z = f32([[0.3], [-0.2]])
    np.testing.assert_array_equal(restored.answers(Z), made.answers(Z))
    assert (restored.shape, restored.labels) == (made.shape, made.labels)


# ---- error messages


def test_a_different_number_of_columns_is_refused():
    with pytest.raises(ShapeError) as error:
        TWO.rows(np.ones((4, 3)))
    assert str(error.value) == (
        "the input: expected (m, 2), one example per row; got (4, 3).\n"
        "Try the columns or the image size with which the network was trained."
    )


def test_one_example_alone_is_refused():
    with pytest.raises(ShapeError) as error:
        TWO.rows(np.ones(2))
    assert str(error.value) == (
        "the input: expected (m, 2), one example per row; got (2,).\n"
        "Try X.reshape(1, -1) if this is a single example."
    )


def test_an_array_that_lacks_columns_of_the_table_is_refused():
    with pytest.raises(ShapeError) as error:
        preprocessor([0, 1, 0, 1], TABLE).rows(np.ones((2, 5)))
    assert str(error.value) == (
        "the input: expected (m, 2), the columns size, colour; got (2, 5).\n"
        "Try a table with these columns."
    )


# ---- precision


NIGHT = 2460310.8 + np.arange(5) * 0.05  # Julian dates of one night
STEPS = (np.arange(5) - 2) / np.sqrt(2)


@pytest.mark.parametrize(
    "values",
    [NIGHT, 2.0**24 + np.arange(5), np.arange(5) + 2**40, 1e15 + np.arange(5)],
    ids=["dates", "beyond 2^24", "whole numbers", "large"],
)
@pytest.mark.parametrize("kind", ["table", "array", "target"])
def test_numbers_are_centred_before_they_are_rounded(values, kind):
    if kind == "target":
        fitted = preprocessor(np.asarray(values, float))
        Y = fitted.targets(np.asarray(values, float))
        np.testing.assert_allclose(Y[:, 0], STEPS, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(fitted.answers(Y), values, rtol=1e-13)
        return
    X = pd.DataFrame({"t": values}) if kind == "table" else np.asarray(values)[:, None]
    rows = preprocessor(["a", "b", "a", "b", "a"], X).rows(X)
    np.testing.assert_allclose(rows[:, 0], STEPS, rtol=1e-5, atol=1e-5)


def test_runs_of_earlier_versions_round_as_they_did():
    X = pd.DataFrame({"t": NIGHT})
    fitted = preprocessor(["a", "b", "a", "b", "a"], X)
    saved = {key: value for key, value in fitted.to_dict().items() if key != "exact"}
    old = Preprocessor.from_saved(saved, fitted.arrays())
    rounded = X.astype(np.float32).astype(np.float64)
    np.testing.assert_array_equal(old.rows(X), fitted.rows(rounded))
    assert Preprocessor.from_saved(fitted.to_dict(), fitted.arrays()).exact


# ---- the scale of pixels

PIXELS = np.array([[[0, 51], [199, 255]]] * 4)


@pytest.mark.parametrize("trained", ["uint8", "int64", "uint16", "float64"])
@pytest.mark.parametrize("asked", ["uint8", "int64", "uint16", "float64"])
def test_the_type_of_the_same_pixels_does_not_matter(trained, asked):
    made = preprocessor(["no", "yes", "yes", "no"], PIXELS.astype(trained))
    assert made.inputs.scale == 255
    np.testing.assert_allclose(made.rows(PIXELS.astype(asked))[0], [0, 0.2, 199 / 255, 1])


def test_fractions_are_not_divided_again():
    made = preprocessor(["no", "yes", "yes", "no"], PIXELS / 255)
    np.testing.assert_allclose(made.rows(PIXELS / 255)[0], [0, 0.2, 199 / 255, 1])
    np.testing.assert_allclose(made.rows(PIXELS.astype(np.uint8))[0], [0, 0.2, 199 / 255, 1])
    with pytest.raises(DataError, match=r"expected pixels from 0 to 1, .*; got values up to 255"):
        made.rows(PIXELS)


def test_pixels_with_16_bits():
    made = preprocessor(["no", "yes", "yes", "no"], (16 * PIXELS).astype(np.uint16))
    assert made.inputs.scale == 4095
    saved = Preprocessor.from_saved(made.to_dict(), made.arrays())
    np.testing.assert_allclose(saved.rows(16 * PIXELS)[0], 16 * PIXELS[0].ravel() / 4095)
    with pytest.raises(DataError, match="expected pixels from 0 to 4095; got bytes"):
        saved.rows(PIXELS.astype(np.uint8))


def test_standardised_images_are_not_divided():
    standardised = PIXELS / 100 - 1
    made = preprocessor(["no", "yes", "yes", "no"], standardised)
    assert made.inputs.kind == "standard"
    assert abs(made.rows(standardised).mean()) < 1e-6


def test_fractions_for_a_model_of_bytes_are_reported():
    made = preprocessor(["no", "yes", "yes", "no"], PIXELS.astype(np.uint8))
    with pytest.warns(DataWarning, match="no pixel is above 1, but pixels are divided by 255"):
        made.rows(PIXELS / 255)
