"""Explanations: permutation importance, contributions of columns, saliency maps."""

from dataclasses import replace

import jax
import numpy as np
import pandas as pd
import pytest

from chainrule.data.dataset import Dataset
from chainrule.errors import OptionError
from chainrule.strategy.explain import (
    answer_value,
    answers_of,
    average_row,
    column_inputs,
    explain_rows,
    importance,
    integrated_gradients,
    of_columns,
    saliency,
)
from chainrule.train.outputs import network_outputs
from tests.strategy.hand_made import line, made

pytestmark = pytest.mark.usefixtures("float32_world")
rng = np.random.default_rng(0)


def table(m=200):
    """Numbers with missing values, a text column, and a column of noise."""
    x, noise = rng.standard_normal((2, m))
    colour = np.array(["red", "blue"])[rng.integers(0, 2, m)]
    frame = pd.DataFrame({"x": np.where(np.arange(m) % 7, x, np.nan), "colour": colour})
    frame["noise"] = noise
    y = np.where(np.nan_to_num(x) + (colour == "red") > 0.5, "yes", "no")
    return Dataset("t", frame, y)


def deep(n_x, n_L, seed=0):
    """Draw the weights of two layers."""
    draw = np.random.default_rng(seed).standard_normal
    return (draw((6, n_x)), draw((6, 1))), (draw((n_L, 6)), draw((n_L, 1)))


def door_of(classes):
    """Return a preprocessor for this number of classes."""
    rows = line(*range(2 * classes), y=2 * [*range(classes)])
    return made((np.zeros((1, 1)), [[0.0]]), dev=rows)[0].preprocessor


# by hand


def test_log_odds_by_hand():
    Z = np.log([[2.0, 1.0], [1.0, 1.0], [1.0, 6.0]])
    assert np.exp(answer_value(Z, answers_of(Z, door_of(3)), "softmax")) == pytest.approx(
        [1.0, 3.0]
    )
    Z = np.array([[2.0, -3.0]])
    assert answer_value(Z, answers_of(Z, door_of(2)), "logistic").tolist() == [2.0, 3.0]
    assert answer_value(Z, np.ones((1, 2)), "squared", 10.0).tolist() == [20.0, -30.0]


def test_contributions_are_for_the_prediction_at_any_threshold():
    run, _ = made(([[1.0]], [[-3.0]]), dev=line(0.0, 1.0, 2.0, 5.0, y=[0, 0, 1, 1]))
    run = replace(run, preprocessor=replace(run.preprocessor, threshold=0.2))
    found = explain_rows(run, np.array([[2.0]]))
    assert run.predict(np.array([[2.0]])) == [1]  # σ(−1) = 0.27
    assert (found.total.item(), found.values.item()) == pytest.approx((-1.0, 2.0))


def test_contributions_of_a_linear_network_are_weight_times_distance():
    X = rng.standard_normal((30, 3)) * [1, 2, 3] + 5
    W = np.array([[1.0, -2.0, 0.5]])
    run, _ = made((W, [[0.25]]), dev=Dataset("n", X, X @ W[0]), normalize="standard")
    found = explain_rows(run, X)
    scale = run.preprocessor.outputs.scale.item()
    by_hand = W * (X - X.mean(axis=0)) / X.std(axis=0) * scale
    np.testing.assert_allclose(found.values, by_hand, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.total, run.predict(X), rtol=1e-5)
    assert found.average[0] == pytest.approx(
        0.25 * scale + run.preprocessor.outputs.mean.item(), rel=1e-5
    )


def test_importance_of_an_unused_column_and_of_the_only_useful_one():
    X = rng.standard_normal((400, 2))
    run, data = made(([[4.0, 0.0]], [[0.0]]), dev=Dataset("n", X, (X[:, 0] > 0).astype(int)))
    first, second = importance(run, data).columns
    assert (first.column, second.column) == ("x1", "x2")
    assert (second.cost, second.loss) == (0, 0)
    p = np.mean(X[:, 0] > 0)
    assert first.loss == pytest.approx(2 * p * (1 - p), abs=0.04)
    assert first.loss_low < first.loss < first.loss_high
    assert first.cost_low > 1


# properties


def test_inputs_of_one_column_are_grouped():
    run, _ = made(*deep(5, 1), dev=table())
    inputs = column_inputs(run.preprocessor)
    assert inputs.names == ("x", "colour", "noise")
    assert inputs.column.tolist() == [0, 0, 1, 1, 2]
    assert {one.column for one in importance(*made(*deep(5, 1), dev=table())).columns} == {
        "x",
        "colour",
        "noise",
    }


def test_quantile_bins_belong_to_their_column():
    x = np.arange(200.0)
    frame = pd.DataFrame({"x": x, "colour": np.where(x % 3, "red", "blue"), "noise": x**2 % 201})
    frame.loc[7, "x"] = np.nan
    source = Dataset("t", frame, np.where(x < 90, "yes", "no"))
    run, data = made(*deep(17, 1), dev=source, normalize="piecewise")
    inputs = column_inputs(run.preprocessor)
    assert inputs.names == ("x", "colour", "noise")
    assert inputs.column.tolist() == [0] * 8 + [1] * 2 + [2] * 7  # x has an input "is missing"
    assert {one.column for one in importance(run, data).columns} == set(inputs.names)
    found = explain_rows(run, source.X)
    np.testing.assert_allclose(found.values.sum(axis=1), found.total - found.average, atol=1e-4)


def test_piecewise_rows_are_compared_with_the_row_of_the_medians():
    X = np.random.default_rng(2).standard_normal((127, 2)) * [1, 30]
    W = np.arange(1.0, 9)[None]
    run, _ = made((W, [[0.5]]), dev=Dataset("n", X, X[:, 0]), normalize="piecewise")
    found = explain_rows(run, np.vstack([np.median(X, axis=0), X]))
    np.testing.assert_allclose(found.values[0], 0, atol=1e-5)
    np.testing.assert_allclose(found.average, found.total[0], rtol=1e-5)
    np.testing.assert_allclose(found.total[1:], run.predict(X), rtol=1e-5)
    wide = integrated_gradients(run, run.preprocessor.rows(X)) * run.preprocessor.outputs.scale
    summed = of_columns(wide, column_inputs(run.preprocessor))
    np.testing.assert_allclose(summed, found.values[1:], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("C", [1, 3])
def test_contributions_add_up_to_the_answer(C):
    source = table()
    y = source.y if C == 1 else np.array(["a", "b", "c"])[np.arange(200) % 3]
    run, _ = made(*deep(5, C), dev=Dataset("t", source.X, y), normalize="standard")
    found = explain_rows(run, source.X)
    np.testing.assert_allclose(found.values.sum(axis=1), found.total - found.average, atol=1e-5)
    odds = run.predict_proba(source.X).max(axis=1)
    np.testing.assert_allclose(found.total, np.log(odds / (1 - odds)), rtol=1e-3, atol=1e-4)
    pro, con = found.most(0, 2)
    assert all(v > 0 for v in pro.values())
    assert all(v < 0 for v in con.values())
    assert found.to_dict(1)[0].keys() == {"for", "against", "average", "total"}


def test_contributions_of_a_row_do_not_depend_on_the_other_rows():
    X = rng.standard_normal((40, 7))
    run, _ = made(*deep(7, 1), dev=Dataset("n", X, np.arange(40) % 2))
    alone, among = explain_rows(run, X[5:6]), explain_rows(run, X)
    np.testing.assert_allclose(alone.values[0], among.values[5], rtol=1e-5, atol=1e-5)


def test_importance_is_seeded_and_measures_numbers_in_their_units():
    X = rng.standard_normal((100, 2))
    run, data = made(([[1.0, 0.1]], [[0.0]]), dev=Dataset("n", X, 50 * X[:, 0] + 3))
    one, repeated = importance(run, data, seed=1), importance(run, data, seed=1)
    assert one == repeated
    assert one.error == pytest.approx(np.sqrt(np.mean((run.predict(X) - 50 * X[:, 0] - 3) ** 2)))
    assert one.columns[0].loss > 20
    assert one.text().splitlines()[2].split()[:3] == ["column", "cost", "gained"]


# pictures


@pytest.fixture(scope="module")
def pictures():
    """A run on images of six by six pixels, its data and the images."""
    X = np.random.default_rng(1).standard_normal((50, 6, 6))
    with jax.enable_x64(False):
        yield *made(*deep(36, 3), dev=Dataset("p", X, np.arange(50) % 3)), X


def test_saliency_adds_up_to_the_answer(pictures):
    run, _, X = pictures
    found = saliency(run, X, steps=200)
    assert found.shape == (50, 6, 6)
    Z = network_outputs(run.network, run.preprocessor.rows(X)).T
    Z_average = network_outputs(run.network, np.zeros((1, 36), np.float32)).T
    answer = answers_of(Z, run.preprocessor)
    gain = answer_value(Z, answer, "softmax") - answer_value(
        np.repeat(Z_average, 50, 1), answer, "softmax"
    )
    np.testing.assert_allclose(found.sum(axis=(1, 2)), gain, atol=0.02 * np.abs(gain).max())


def test_unused_pixels_have_no_saliency():
    W = np.zeros((1, 36))
    W[0, :6] = 1
    X = rng.standard_normal((10, 36))
    run, data = made((W, [[0.0]]), dev=Dataset("p", X, np.arange(10) % 2))
    found = saliency(run, X)
    assert found.shape == (10, 6, 6)
    assert not found[:, 1:].any()
    sign = np.where(X[:, :6].sum(axis=1) > 0, 1, -1)[:, None]
    np.testing.assert_allclose(found[:, 0], sign * X[:, :6], rtol=1e-4, atol=1e-5)
    assert importance(run, data) is None


def test_quantile_bins_are_summed_over_their_pixel():
    X = np.random.default_rng(3).standard_normal((70, 36))
    run, _ = made((np.ones((1, 108)), [[0.0]]), dev=Dataset("p", X, X[:, 0]), normalize="piecewise")
    change = run.preprocessor.rows(X) - average_row(run.preprocessor)
    by_hand = change.reshape(70, 6, 6, 3).sum(axis=-1)  # a pixel and its two bins
    np.testing.assert_allclose(saliency(run, X), by_hand, rtol=1e-3, atol=1e-4)


def test_colours_are_summed():
    X = rng.standard_normal((8, 6, 6, 3))
    run, _ = made((np.ones((1, 108)), [[0.0]]), dev=Dataset("p", X, np.arange(8) % 2))
    sign = np.where(X.reshape(8, -1).sum(axis=1) > 0, 1, -1)[:, None, None]
    np.testing.assert_allclose(saliency(run, X), sign * X.sum(axis=-1), rtol=1e-3, atol=1e-4)


def test_a_table_has_no_saliency():
    run, _ = made(*deep(5, 1), dev=table())
    with pytest.raises(OptionError, match="expected a network for images; got one for named col"):
        saliency(run, table().X)
