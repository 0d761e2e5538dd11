"""Tests of chainrule/optim/averages.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import DataError, OptionError
from chainrule.optim.averages import bias_corrected, weighted_average, weighted_averages
from tests.compilations import compilations

NOTES = [10, 12, 14, 16, 18]


def test_the_notes_example():
    """The α of the notes, 0.5, is the weight of the new value, so β = 1 − α = 0.5."""
    assert weighted_averages(NOTES, 0.5).tolist() == [5, 8.5, 11.25, 13.625, 15.8125]


def test_the_notes_example_with_bias_correction():
    by_hand = [5 / 0.5, 8.5 / 0.75, 11.25 / 0.875, 13.625 / 0.9375, 15.8125 / 0.96875]
    got = weighted_averages(NOTES, 0.5, corrected=True)
    np.testing.assert_allclose(got, by_hand, rtol=1e-15)


def test_one_more_value_by_hand():
    v = weighted_average({"V": jnp.array(2.0)}, {"V": jnp.array(4.0)}, 0.75)
    assert float(v["V"]) == 2.5  # 0.75 · 2 + 0.25 · 4
    assert float(bias_corrected(v, 0.5, jnp.array(2))["V"]) == pytest.approx(2.5 / 0.75)


def test_the_average_is_a_weighted_sum_of_all_values():
    values, beta = np.random.default_rng(0).standard_normal(30), 0.9
    weights = (1 - beta) * beta ** np.arange(30)[::-1]  # the weights in the last average
    assert weighted_averages(values, beta)[-1] == pytest.approx(weights @ values)
    corrected = weighted_averages(values, beta, corrected=True)[-1]
    assert corrected == pytest.approx(weights @ values / weights.sum())


def test_about_a_third_of_the_weight_is_older_than_the_window():
    """0.9¹⁰ ≈ 1/e: β = 0.9 averages about the last 10 values."""
    step = np.repeat([0.0, 1.0], [200, 10])
    assert weighted_averages(step, 0.9)[-1] == pytest.approx(1 - np.exp(-1), abs=0.02)


# Properties


@given(st.lists(st.floats(-1e6, 1e6), min_size=8, max_size=8), st.floats(0, 0.999))
def test_the_corrected_average_is_within_the_range_of_the_values(values, beta):
    averages = weighted_averages(values, beta, corrected=True)
    room = 1e-9 * (1 + np.abs(values).max())
    assert (averages <= np.maximum.accumulate(values) + room).all()
    assert (averages >= np.minimum.accumulate(values) - room).all()


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.999])
def test_the_corrected_average_of_a_constant_is_the_constant(beta):
    np.testing.assert_allclose(weighted_averages([3.0] * 8, beta, corrected=True), 3, rtol=1e-12)


def test_with_beta_0_the_average_is_the_series():
    assert weighted_averages(NOTES, 0).tolist() == NOTES


def test_along_the_first_axis_of_any_shape():
    series = np.random.default_rng(0).standard_normal((6, 2, 3))
    for corrected in (False, True):
        got = weighted_averages(series, 0.8, corrected=corrected)
        for i, j in np.ndindex(2, 3):
            alone = weighted_averages(series[:, i, j], 0.8, corrected=corrected)
            np.testing.assert_allclose(got[:, i, j], alone, rtol=1e-13)


@pytest.mark.usefixtures("float32_world")
def test_numpy_input_gives_numpy_output_in_float64():
    got = weighted_averages(np.array([1e9, 1e9 + 1], np.float64), 0.5, corrected=True)
    assert (type(got), got.dtype) == (np.ndarray, np.float64)
    assert got.tolist() == pytest.approx([1e9, 1e9 + 2 / 3], abs=1e-4)


@pytest.mark.usefixtures("float32_world")
def test_jax_input_gives_jax_output():
    got = weighted_averages(jnp.array(NOTES), 0.5)
    assert isinstance(got, jax.Array)
    assert got.dtype == jnp.float32
    halves = weighted_averages(jnp.array([True, False]), 0.5)
    assert halves.tolist() == [0.5, 0.25]


def test_works_under_jit_and_vmap():
    series = jnp.array(NOTES, float)
    betas = jnp.array([0.5, 0.9])
    many = jax.jit(jax.vmap(weighted_averages, in_axes=(None, 0)))(series, betas)
    for row, beta in zip(many, (0.5, 0.9), strict=True):
        np.testing.assert_allclose(row, weighted_averages(NOTES, beta), rtol=1e-14)


def test_another_beta_does_not_recompile():
    weighted_averages(NOTES, 0.5)
    with compilations() as compiled:
        weighted_averages(NOTES, 0.7)
    assert compiled == []


# Errors


@pytest.mark.parametrize("beta", [1, -0.1, 1.5, np.nan])
def test_refuses_an_invalid_beta(beta):
    with pytest.raises(OptionError) as error:
        weighted_averages(NOTES, beta)
    assert str(error.value) == (
        f"beta: expected a number of at least 0 and below 1; got {beta:g}.\n"
        "Try 0.9, which averages about the last 10 values."
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "values: expected a series of at least one value; got none."),
        (5.0, "values: expected a series of at least one value; got a single number."),
        (["a", "b"], "values: expected numbers; got an array of <U1."),
        ([1, None], "values: expected numbers; got an array of object."),
        ([1j], "values: expected numbers; got an array of complex128."),
        ([[1], [2, 3]], "values: expected numbers; got rows of different lengths."),
        ([1, np.nan], "values[1]: expected a finite number; got nan."),
        ([[1, 2], [3, -np.inf]], "values[1, 1]: expected a finite number; got -inf."),
    ],
)
def test_refuses_invalid_values(values, message):
    with pytest.raises(DataError) as error:
        weighted_averages(values, 0.9)
    assert str(error.value).splitlines()[0] == message
    assert str(error.value).splitlines()[1].startswith("Try ")


def test_refuses_invalid_jax_arrays():
    with pytest.raises(DataError, match=r"values\[0\]: expected a finite number; got nan"):
        weighted_averages(jnp.array([jnp.nan, 1.0]), 0.9)
    with pytest.raises(DataError, match="values: expected a series of at least one value"):
        weighted_averages(jnp.zeros(0), 0.9)
    with pytest.raises(DataError, match="values: expected numbers; got an array of complex128"):
        weighted_averages(jnp.array([1j]), 0.9)
