"""chainrule/runs/run.py: a trained model with its preprocessor."""

import contextlib
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from chainrule.errors import OptionError
from chainrule.runs.folder import load, save
from chainrule.runs.job import train_prepared
from chainrule.runs.prepare import read_parts
from chainrule.runs.run import calibrated, load_run_data, reevaluate
from chainrule.strategy.train_model import train_model
from tests.train.sources import M, prepared

pytestmark = pytest.mark.usefixtures("float32_world")


def all_rows(run) -> tuple[Any, Any]:
    source = read_parts(run.recipe)["train"]
    return source.X, source.y


# ---- by hand


def test_what_a_run_contains(runs):
    run = runs["table"]
    assert run.parameters == 4 * run.preprocessor.n_x + 4 + 4 + 1
    assert run.classes == ("sour", "sweet")
    assert set(run.results) == {"train", "dev", "test"}
    assert [result["m"] for result in run.results.values()] == [24, 8, 8]
    assert run.facts["sizes"] == {"train": 24, "dev": 8, "test": 8}
    assert len(run.history.epochs) == 3


def test_results_are_the_shares_of_correct_predictions(runs, tmp_path):
    made = prepared("classes", tmp_path)
    run = runs["classes"]
    for name, part in made.sources.items():
        right = (run.predict(part.X) == part.y).mean()
        assert run.results[name]["accuracy"] == pytest.approx(right, rel=1e-6)
        assert list(run.results[name])[:3] == ["m", "cost", "accuracy"]
        assert run.evaluate(part.X, part.y) == pytest.approx(run.results[name])


def test_weights_count_in_an_evaluation(runs):
    run = runs["classes"]
    X, y = all_rows(run)
    right = run.predict(X) == y
    assert run.evaluate(X, y, right + 0.0)["accuracy"] == pytest.approx(1)
    assert run.evaluate(X, y)["accuracy"] == pytest.approx(right.mean())


def test_probabilities_are_calibrated_on_the_dev_set(runs, tmp_path):
    """The outputs of a network that is far too sure are divided by a temperature."""
    made, run = prepared("classes", tmp_path), runs["classes"]
    sure = replace(run, network=jax.tree.map(lambda x: 3 * x, run.network))
    calm = calibrated(sure, made.parts["dev"])
    T = calm.preprocessor.temperature
    assert T > 1.5
    before, after = (reevaluate(one, made.parts).results["dev"] for one in (sure, calm))
    assert after["log_loss"] < before["log_loss"]
    assert (after["accuracy"], after["cost"]) == (before["accuracy"], before["cost"])
    assert calm.facts["calibration"] == pytest.approx(
        {"temperature": T, "before": before["log_loss"], "after": after["log_loss"]}, rel=1e-5
    )
    part = made.sources["test"]
    np.testing.assert_array_equal(calm.predict(part.X), sure.predict(part.X))
    assert calm.predict_proba(part.X).max() < sure.predict_proba(part.X).max()


def test_runs_of_earlier_versions_are_not_calibrated(runs, tmp_path):
    made, run = prepared("classes", tmp_path), runs["classes"]
    sure = replace(run, network=jax.tree.map(lambda x: 3 * x, run.network))
    old = replace(sure, recipe=replace(run.recipe, defaults=1))
    assert calibrated(old, made.parts["dev"]) is old
    assert calibrated(sure, None) is sure


def test_results_depend_on_the_threshold(runs, tmp_path):
    run, made = runs["table"], prepared("table", tmp_path)
    never = replace(run, preprocessor=replace(run.preprocessor, threshold=1.0))
    other_run = reevaluate(never, made.parts)
    share = (made.sources["train"].y == "sour").mean()
    assert other_run.results["train"]["accuracy"] == pytest.approx(share)
    assert other_run.results["train"]["cost"] == run.results["train"]["cost"]
    assert set(other_run.predict(made.sources["train"].X)) == {"sour"}


# ---- properties


def test_predictions_are_labels_as_users_wrote_them(run):
    X, y = all_rows(run)
    answers = run.predict(X)
    assert answers.shape == (M,)
    if run.classes:
        assert set(answers) <= set(y)
        A = run.predict_proba(X)
        np.testing.assert_allclose(A.sum(axis=1), 1)
        np.testing.assert_array_equal(np.array(run.classes)[A.argmax(axis=1)], answers)
    else:
        assert abs(answers.mean() - y.mean()) < 3 * y.std()


def test_a_prediction_does_not_depend_on_the_other_rows(run):
    X, _ = all_rows(run)
    answers = run.predict(X)
    for rows in ([0], [5, 3], list(range(37))):
        chosen = X.iloc[rows] if hasattr(X, "iloc") else X[rows]
        alone = run.predict(chosen)
        if run.classes:
            np.testing.assert_array_equal(alone, answers[rows])
        else:
            np.testing.assert_allclose(alone, answers[rows], rtol=1e-5)


def test_the_same_recipe_gives_the_same_network(runs, tmp_path):
    other_run = train_prepared(prepared("numbers", tmp_path))
    X, _ = all_rows(other_run)
    np.testing.assert_array_equal(other_run.predict(X), runs["numbers"].predict(X))


def test_the_seed_decides_the_order_of_the_batches(tmp_path):
    made = prepared("numbers", tmp_path, batch_size=8)
    other = replace(made, recipe=replace(made.recipe, seed=1))  # the same initial network
    costs = [train_prepared(each).history.costs for each in (made, made, other)]
    assert costs[0] == costs[1] != costs[2]


def test_it_learns(tmp_path):
    run = train_prepared(prepared("numbers", tmp_path, epochs=500))
    assert run.results["test"]["r2"] >= 0.95


# ---- error messages


def test_a_run_with_piecewise_inputs_is_saved_and_loaded(tmp_path):
    x = np.random.default_rng(0).normal(size=(200, 2))
    frame = pd.DataFrame({"age": x[:, 0], "sex": x[:, 1] > 0, "y": x[:, 0] ** 2 + x[:, 1]})
    frame.to_csv(tmp_path / "people.csv", index=False)
    options = {"target": "y", "hidden": (4,), "normalize": "piecewise"}
    run = train_model(str(tmp_path / "people.csv"), out=tmp_path / "run", epochs=2, **options)
    again = load(tmp_path / "run")
    X = frame.drop(columns="y")
    np.testing.assert_array_equal(again.predict(X), run.predict(X))
    names = again.preprocessor.input_names
    assert names == ["age", "age bin 1", "age bin 2", "age bin 3", "sex"]  # 120 training rows
    assert again.input_row == (5,)
    dev = load_run_data(again).sources["dev"]
    assert again.evaluate(dev.X, dev.y)["r2"] == pytest.approx(run.results["dev"]["r2"])


def test_numbers_have_no_probabilities(runs):
    with pytest.raises(OptionError) as error:
        runs["numbers"].predict_proba(np.ones((1, 3)))
    assert str(error.value) == (
        "predict_proba: expected a classification network; got a regression network.\nTry predict."
    )


# ---- new files are read with the types of the training's columns


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """A run whose labels, and one of whose columns, are texts that mostly look like numbers."""
    folder = tmp_path_factory.mktemp("typed")
    rows = [f"{code},{i},{label}" for i in range(8) for code, label in TYPED]
    (folder / "a.csv").write_text("code,x,y\n" + "\n".join(rows) + "\n")
    with contextlib.chdir(folder), jax.enable_x64(False):
        options = {"target": "y", "task": "classification", "hidden": (), "epochs": 2}
        return folder, train_model("a.csv", out=folder / "run", **options)


TYPED = (("02139", "3.1"), ("10115", "3.10"), ("20095", "3.9"))


@pytest.mark.parametrize("labels", [["3.1", "3.1"], ["3.10", "3.9"], ["3.9", "3.9"]])
def test_labels_of_a_new_file_are_what_they_are_in_training(typed, tmp_path, labels):
    _, run = typed
    path = tmp_path / "new.csv"
    path.write_text("code,x,y\n" + "".join(f"10115,1,{label}\n" for label in labels))
    rows = run.read(str(path), target="y")
    assert rows.y.tolist() == labels
    assert len(run.predict(rows.X)) == 2


def test_texts_of_a_new_file_are_what_they_are_in_training(typed, tmp_path):
    _, run = typed
    path = tmp_path / "new.csv"
    path.write_text("code,x\n10115,1\n")  # here the column holds only numbers
    one_hot = run.preprocessor.columns.apply(run.read(str(path), labelled=False).X)[0]
    names = run.preprocessor.columns.names
    assert dict(zip(names, one_hot, strict=True)) == {
        "code=02139": 0,
        "code=10115": 1,
        "code=20095": 0,
        "x": 1,
    }


def test_numbers_in_a_column_of_texts_of_a_table_in_memory(typed):
    _, run = typed
    for code in (10115, 10115.0, "10115"):
        one_hot = run.preprocessor.columns.apply(pd.DataFrame({"code": [code], "x": [1]}))
        assert one_hot[0].tolist() == [0, 1, 0, 1]


def test_a_label_in_memory_may_be_a_number(typed):
    _, run = typed
    codes = run.preprocessor.labels.encode(np.array([3.1, 3.9], dtype=object))
    assert codes.argmax(axis=1).tolist() == [0, 2]


def one_hot_file(folder, kind: str) -> tuple[str, dict[str, str]]:
    """Write iris with one column per class, and return the file with its options."""
    X, y = load_iris(return_X_y=True)
    if kind == "npz":
        np.savez(folder / "iris.npz", X=X, y=np.eye(3)[y])
        return str(folder / "iris.npz"), {}
    names = ["setosa", "versicolor", "virginica"]
    table = pd.DataFrame(X, columns=list("abcd"))
    table[names] = np.eye(3, dtype=int)[y]
    table.to_csv(folder / "iris.csv", index=False)
    return str(folder / "iris.csv"), {"target": ",".join(names)}


@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_a_one_hot_target_is_read_as_classes(tmp_path, kind):
    """The names of the columns of a table are the classes, also in new files and after loading."""
    file, options = one_hot_file(tmp_path, kind)
    run = train_model(file, hidden=(), epochs=300, learning_rate=0.05, **options)
    names = ("setosa", "versicolor", "virginica") if kind == "csv" else (0, 1, 2)
    assert run.classes == names
    assert run.results["dev"]["accuracy"] > 0.9
    rows = run.read(file)
    scores = run.evaluate(rows.X, rows.y)
    assert scores["m"] == 150
    assert scores["accuracy"] > 0.9
    again = load(save(run, tmp_path / "run").path)
    assert load_run_data(again).preprocessor.labels.classes == names


def test_a_one_hot_target_is_predicted_as_numbers_if_the_task_says_so(tmp_path):
    file, options = one_hot_file(tmp_path, "npz")
    run = train_model(file, hidden=(), epochs=2, task="regression", **options)
    assert run.preprocessor.labels.n_outputs == 3
