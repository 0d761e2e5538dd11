"""chainrule/strategy/learning_curves.py."""

import json
from dataclasses import replace

import numpy as np
import pytest

from chainrule.errors import DataError, RunError
from chainrule.runs.job import train_prepared
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe
from chainrule.runs.run import load_run_data
from chainrule.strategy.learning_curves import (
    Errors,
    LearningCurves,
    Point,
    ends_of,
    errors_of,
    filled,
    learning_curves,
    nested,
    outlook,
    recipe_of,
    summarize,
    trained_on,
    twice,
    wider,
)
from chainrule.train.examples import Examples
from tests.train.pictures import SMALL, pictures

pytestmark = pytest.mark.usefixtures("float32_world")


@pytest.fixture(scope="module")
def iris():
    """A run and its data."""
    run = train_prepared(prepare(Recipe("iris", hidden=(4,), epochs=40, learning_rate=0.05)))
    return run, load_run_data(run)


@pytest.fixture(scope="module")
def curves(iris):
    """The learning curves of the run, at few sizes."""
    return learning_curves(*iris, shares=(0.2, 0.5, 1.0), widths=(1.0, 2.0), seeds=2)


# ---- by hand


def made(errors, seeds_apart=0.0, n=1000) -> Errors:
    """Summarise these errors on n dev rows, with two seeds at each size that differ by a share."""
    rows = np.arange(n)
    places = []
    for error in errors:
        pair = [error * (1 - seeds_apart), error * (1 + seeds_apart)]
        places.append(([0.0, 0.0], [(rows < e * n).astype(float) for e in pair]))
    return summarize(places, None, True)


def test_the_mean_and_the_noise_of_rows_and_seeds():
    found = made([0.2, 0.1])
    np.testing.assert_allclose(found.e, [0.2, 0.1])
    np.testing.assert_allclose(np.diag(found.C), [0.2 * 0.8 / 1000, 0.1 * 0.9 / 1000])
    np.testing.assert_allclose(found.C[0, 1], (0.1 - 0.2 * 0.1) / 1000)  # the same rows
    with_seeds = made([0.2, 0.1], seeds_apart=0.1)
    extra = np.diag(with_seeds.C - found.C)
    np.testing.assert_allclose(extra, (np.array([0.2, 0.1]) * 0.1) ** 2, rtol=0.05)


def test_intervals_are_wilsons_for_shares_and_of_roots_for_rmse():
    low, high = ends_of(np.array([0.5, 0.0]), np.diag([0.0025, 0.0]), 100, True)
    np.testing.assert_allclose([low[0], high[0]], [0.404, 0.596], atol=1e-3)
    assert (low[1], high[1].round(3)) == (0, 0.037)
    low, high = ends_of(np.array([4.0]), np.array([[0.25]]), 100, False)
    np.testing.assert_allclose([low[0] ** 2, high[0] ** 2], [4 - 0.98, 4 + 0.98])


def test_twice_the_data_by_a_law_that_is_known():
    """1/√m without a floor: twice the data, 1/√2 of the error."""
    m = [100, 200, 400, 800]
    found = twice(made([2 / np.sqrt(n) for n in m], n=20_000), m)
    np.testing.assert_allclose(found.then, found.now / np.sqrt(2), rtol=0.05)
    assert found.low < found.then < found.high
    assert (found.pays, found.size) == ("yes", "1,600 examples")
    flat = twice(made([0.1, 0.1, 0.1, 0.1], n=20_000), m)
    assert (flat.pays, flat.gain) == ("no", pytest.approx(0, abs=1e-3))


def test_without_errors_there_is_nothing_to_gain():
    for errors in ([0.1, 0.05, 0.0], [0.0, 0.0, 0.0]):
        found = twice(made(errors, seeds_apart=0.1), [10, 20, 40])
        assert (found.now, found.then, found.pays) == (0, 0, "unsure")
        assert found.describe(True) == "Twice the data: the dev set has no error left to reduce."


@pytest.mark.parametrize(
    ("two", "gains", "pays"),
    [(0.07, (0.02, 0.04), "yes"), (0.099, (-0.01, 0.005), "no"), (0.09, (-0.01, 0.03), "unsure")],
)
def test_whether_a_gain_is_worthwhile(two, gains, pays):
    draws = np.linspace(*gains, 400)
    found = outlook("A network twice as wide", "measured", 0.1, two, 0.1 - draws, draws)
    assert found.pays == pays


def test_widths_are_compared_on_the_same_rows():
    found = wider(made([0.1, 0.05]), (1.0, 2.0))
    np.testing.assert_allclose((found.now, found.then), (0.1, 0.05))
    assert found.pays == "yes"
    assert wider(made([0.1, 0.05]), (0.5, 1.0)) is None


# ---- growing


def test_a_filled_batch_counts_each_example_once():
    part = Examples(np.arange(3.0)[:, None], np.ones((3, 1)), np.array([1.0, 2.0, 3.0]))
    full = filled(part, 7)
    assert full.X[:, 0].tolist() == [0, 1, 2, 0, 1, 2, 0]
    sums = [full.weights[full.X[:, 0] == i].sum() for i in range(3)]
    np.testing.assert_allclose(sums, [1, 2, 3])


def test_every_prefix_is_stratified_and_the_whole_is_all_rows(iris):
    _, data = iris
    order = nested(data, classes=True)
    y = data.sources["train"].y
    assert sorted(order) == list(range(90))
    for n in (9, 30, 60):
        counts = np.unique(y[order[:n]], return_counts=True)[1]
        assert np.ptp(counts) <= 3


def test_groups_stay_together(iris):
    _, data = iris
    groups = np.arange(90) // 5
    source = replace(data.sources["train"], groups=groups)
    order = nested(data._replace(sources={**data.sources, "train": source}), classes=True)
    assert len(np.flatnonzero(np.diff(groups[order]))) == 17


def test_training_on_all_rows_repeats_the_run(iris):
    run, data = iris
    network = trained_on(run, data, np.arange(90), recipe_of(run, data))
    for part in ("train", "dev"):
        error = errors_of(network, run, data, part).mean()
        np.testing.assert_allclose(error, 1 - run.results[part]["accuracy"], atol=1e-6)


# ---- the whole


def test_points_for_each_size_and_width(curves):
    assert [point.name for point in curves.examples] == ["18", "45", "90"]
    assert [point.name for point in curves.widths] == ["4", "8"]
    assert (curves.unit, curves.seeds) == ("share", 2)
    for point in (*curves.examples, *curves.widths):
        assert 0 <= point.low <= point.dev <= point.high <= 1
    assert curves.examples[-1].dev == pytest.approx(curves.widths[0].dev)
    assert json.loads(json.dumps(curves.to_dict()))["more_data"]["size"] == "180 examples"


def test_regression_without_hidden_layers():
    run = train_prepared(prepare(Recipe("diabetes", hidden=(), epochs=20)))
    found = learning_curves(run, load_run_data(run), shares=(0.2, 0.5, 1.0), seeds=1)
    assert (found.unit, found.widths, found.more_width) == ("rmse", (), None)
    assert found.examples[-1].dev == pytest.approx(
        np.sqrt(run.results["dev"]["cost"]) * 77, rel=0.1
    )
    assert "dev RMSE" in found.text()


# ---- words


def test_the_text():
    points = tuple(Point(f"{n}", n, 0.0, 0.1, 0.05, 0.2) for n in (10, 20))
    gains = np.full(9, 0.02)
    more_data = outlook("Twice the data", "40 examples", 0.081, 0.0614, 0.0814 - gains, gains)
    wide = outlook("A network twice as wide", "measured", 0.1, 0.1, 0.1 - 0 * gains, 0 * gains)
    text = LearningCurves("share", 3, points, more_data, points, wide).text()
    assert text == (
        "examples  train error  dev error\n"
        "      10            0        0.1  (0.05 to 0.20)\n"
        "      20            0        0.1  (0.05 to 0.20)\n"
        "\n"
        "Twice the data (40 examples) would change the dev error from 0.081 to about 0.0614 "
        "(0.061 to 0.061).\n"
        "More data would help.\n"
        "\n"
        "hidden units  train error  dev error\n"
        "          10            0        0.1  (0.05 to 0.20)\n"
        "          20            0        0.1  (0.05 to 0.20)\n"
        "\n"
        "A network twice as wide (measured) would change the dev error from 0.1 to about 0.1 "
        "(0.10 to 0.10).\n"
        "A wider network would hardly help.\n"
        "(3 training runs at each size; 95 % confidence intervals)"
    )


def test_a_missing_dev_set_and_too_few_examples_are_refused(iris):
    run, data = iris
    parts = {"train": data.parts["train"]}
    with pytest.raises(RunError, match="the learning curves: expected a dev set; got none"):
        learning_curves(run, data._replace(parts=parts))
    with pytest.raises(DataError, match="expected at least three sizes of the training set; got 1"):
        learning_curves(run, data, shares=(0.01, 0.02))


# ---- a network of images


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """A run on tiny images, and its data."""
    source = pictures(tmp_path_factory.mktemp("pictures"))
    run = train_prepared(prepare(Recipe(source, **SMALL | {"width": 0.125})))
    return run, load_run_data(run)


def test_the_width_of_a_convolutional_network_grows(halves):
    curves = learning_curves(*halves, shares=(0.3, 0.6, 1.0), widths=(1.0, 2.0), seeds=1)
    assert [p.name for p in curves.widths] == ["0.125", "0.25"]
    assert [p.size for p in curves.widths] == [0.125, 0.25]
    assert curves.of_width == "width"
    assert "width  train error  dev error" in curves.text()


def test_learning_rate_decay_spans_the_epochs_of_each_size(halves):
    run, data = halves
    assert run.recipe.decay == "exponential"
    assert recipe_of(run, data).decay is None
