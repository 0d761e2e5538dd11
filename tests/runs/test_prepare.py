"""chainrule/runs/prepare.py: the sets, what is learned from each, and the defaults."""

import numpy as np
import pandas as pd
import pytest

from chainrule.data.split import split_sizes
from chainrule.errors import DataError
from chainrule.layers.layer import named_arrays
from chainrule.runs.job import train_prepared
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe
from chainrule.train.outputs import network_outputs
from tests.train.sources import KINDS, OPTIONS, M, prepared

pytestmark = pytest.mark.usefixtures("float32_world")


def sizes(made) -> dict[str, int]:
    return {name: len(part.X) for name, part in made.parts.items()}


# ---- by hand


@pytest.mark.parametrize("kind", KINDS)
def test_sets_have_the_sizes_of_the_notes(kind, tmp_path):
    made = prepared(kind, tmp_path)
    assert sizes(made) == dict(zip(("train", "dev", "test"), split_sizes(M), strict=True))
    assert (
        made.network.title
        == f"DeepNetwork({made.preprocessor.n_x}-4-{made.preprocessor.labels.n_outputs})"
    )
    for part in made.parts.values():
        assert part.X.dtype == part.Y.dtype == np.float32
    train = made.parts["train"].X
    if kind != "images":
        np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-5)


def test_no_dev_or_test_set_if_none_is_wanted(tmp_path):
    assert sizes(prepared("classes", tmp_path, dev="none", test="none")) == {"train": 40}
    assert sizes(prepared("classes", tmp_path, dev="none")) == {"train": 32, "test": 8}


def test_a_dataset_that_is_already_split(tmp_path):
    X, y = np.arange(20.0).reshape(10, 2), np.arange(10) % 2
    parts = {"X_train": X, "y_train": y, "X_test": X[:4] + 1, "y_test": y[:4]}
    np.savez(tmp_path / "split.npz", **parts)
    made = prepare(Recipe(str(tmp_path / "split.npz"), **OPTIONS))
    assert sizes(made) == {"train": 8, "test": 4, "dev": 2}
    made = prepare(Recipe(str(tmp_path / "split.npz"), dev="none", **OPTIONS))
    np.testing.assert_allclose(made.preprocessor.inputs.mean, X.mean(axis=0))
    np.testing.assert_array_equal(made.sources["test"].X, X[:4] + 1)


def test_rows_in_two_sets_are_counted(tmp_path):
    X = np.arange(80.0).reshape(40, 2)
    y = np.arange(40) % 2
    np.savez(tmp_path / "train.npz", X=X, y=y)
    np.savez(tmp_path / "test.npz", X=X[[3, 5, 5]] + [[0], [0], [0.5]], y=y[:3])
    files = {"test": str(tmp_path / "test.npz"), "dev": "none"}
    made = prepare(Recipe(str(tmp_path / "train.npz"), **files, **OPTIONS))
    assert made.duplicates == {("train", "test"): 2}


def test_the_defaults(tmp_path):
    made = prepare(Recipe("moons"))
    assert (made.batch_size, made.epochs) == (600, 2000)
    assert made.patience
    assert made.network.title == "DeepNetwork(2-64-32-1)"
    small = prepared("classes", tmp_path, epochs=None)
    assert (small.batch_size, small.epochs, small.patience) == (24, 2000, 100)
    assert prepared("classes", tmp_path, early_stopping=False).patience is None
    batches = prepared("classes", tmp_path, batch_size=10, epochs=None)
    assert (batches.batch_size, batches.epochs) == (10, 2000)
    assert prepared("classes", tmp_path, batch_size=0).batch_size == 24


# ---- no number of the dev and test sets affects training


def learned(made) -> dict[str, np.ndarray]:
    """Return all that training depends on: the scales, and the result of one epoch."""
    run = train_prepared(made)
    first = run.history.epochs[0]
    return {**made.preprocessor.arrays(), "cost": np.array([first.cost, first.gradient_norm])}


def assert_same(one, other) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_dev_and_test_files_do_not_affect_preprocessing(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "train.npz", X=rng.normal(size=(24, 3)), y=np.arange(24) % 3)
    found = []
    for scale in (1, 1000):
        for name in ("dev", "test"):
            X = rng.normal(scale, scale, (8, 3))
            np.savez(tmp_path / f"{name}.npz", X=X, y=rng.permutation(np.arange(8) % 3))
        files = {name: str(tmp_path / f"{name}.npz") for name in ("dev", "test")}
        found.append(learned(prepare(Recipe(str(tmp_path / "train.npz"), **files, **OPTIONS))))
    assert_same(*found)


def test_the_test_set_does_not_affect_training(tmp_path):
    found = []
    for y in (np.arange(8) % 3, np.arange(8)[::-1] % 3):
        np.savez(tmp_path / "test.npz", X=np.ones((8, 3)), y=y)
        made = prepared("classes", tmp_path, test=str(tmp_path / "test.npz"))
        run = train_prepared(made)
        found.append({"dev": np.array(run.history.dev_costs), **named_arrays(run.network)})
        dev, judge = made.parts["dev"], made.judge
        assert judge is not None
        Z, ones = network_outputs(run.network, dev.X), np.ones((1, len(dev.X)), np.float32)
        assert min(found[-1]["dev"]) == pytest.approx(float(judge(Z.T, dev.Y.T, ones)))
    assert_same(*found)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_rows_split_off_do_not_affect_preprocessing(tmp_path, task):
    """The latest rows are dev and test; medians and categories come from the earlier rows."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"size": rng.normal(5, 2, M), "colour": rng.choice(["red", "blue"], M)})
    table.loc[::7, "size"] = np.nan
    table["y"] = rng.integers(0, 2, M) if task == "classification" else rng.normal(size=M)
    table["when"] = np.arange(M)
    other = table.copy()
    late = np.arange(M) >= 24
    other.loc[late, "size"] = rng.normal(900, 100, M - 24)
    other.loc[late, "colour"] = rng.permutation(other.loc[late, "colour"])
    other.loc[late, "y"] = rng.permutation(other.loc[late, "y"]) * (1 if task[0] == "c" else 50)
    found, columns = [], []
    for name, rows in (("one", table), ("other", other)):
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
        source = {"source": str(tmp_path / f"{name}.csv"), "target": "y", "time": "when"}
        made = prepare(Recipe(**source, task=task, **OPTIONS))
        assert sizes(made) == {"train": 24, "dev": 8, "test": 8}
        found.append(learned(made))
        columns.append(made.preprocessor.to_dict()["columns"])
    assert columns[0] == columns[1]
    assert_same(*found)


# ---- error messages


def test_labels_are_needed(tmp_path):
    np.savez(tmp_path / "bare.npz", X=np.ones((8, 2)))
    with pytest.raises(DataError, match="labels"):
        prepare(Recipe(str(tmp_path / "bare.npz")))


def test_a_network_that_does_not_fit_into_memory(tmp_path):
    with pytest.raises(DataError) as error:
        prepared("classes", tmp_path, hidden=(10**7, 10**7))
    assert "DeepNetwork(3-10000000-10000000-3)" in str(error.value)
    assert "free memory" in str(error.value)
