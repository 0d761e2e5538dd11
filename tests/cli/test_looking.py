"""chainrule evaluate, predict, describe, check, runs: on a run that was trained once."""

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from chainrule.cli.evaluate import class_table
from chainrule.cli.messages import columns
from chainrule.cli.messages import format_results as results_table
from chainrule.runs import run as run_module
from chainrule.strategy import threshold
from chainrule.train import outputs as train_outputs
from chainrule.train.outputs import network_outputs
from tests.cli.command import chainrule


def rows(text):
    """A CSV text as dictionaries."""
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """A folder with a run on pictures, 6 by 8: red ones are cats, blue ones dogs."""
    folder = tmp_path_factory.mktemp("pets")
    random = np.random.default_rng(0)
    for source, m, size in (("small", 6, (6, 8)), ("large", 2, (12, 16))):
        for name, channel in (("cat", 0), ("dog", 2)):
            (folder / source / name).mkdir(parents=True)
            for i in range(m):
                pixels = random.integers(0, 100, (*size, 3), np.uint8)
                pixels[..., channel] += 150
                Image.fromarray(pixels).save(folder / source / name / f"{i}.png")
    options = ("--hidden", "none", "--epochs", "60", "--learning-rate", "0.05", "--no-check")
    assert chainrule(folder, "train", "small", *options, "--out", "run").code == 0
    return folder


# evaluate


def test_evaluate_says_what_training_said(iris_run, tmp_path):
    results = json.loads((iris_run / "recipe.json").read_text())["results"]
    said = chainrule(tmp_path, "evaluate", iris_run, "iris", "--json")
    found = json.loads(said.out)
    assert found["m"] == 150
    right = sum(part["accuracy"] * part["m"] for part in results.values())
    assert found["accuracy"] == pytest.approx(right / 150)
    table = chainrule(tmp_path, "evaluate", iris_run, "iris").out
    assert table.splitlines()[1].split() == [
        "iris",
        "150",
        *(f"{found[name]:.4f}" for name in ("cost", "accuracy", "log_loss", "brier")),
        f"{found['calibration_error']:.4f}",
    ]


def test_a_long_name_does_not_break_the_table():
    assert results_table({"more_flowers.csv": {"m": 40, "cost": 0.5, "accuracy": 0.75}}) == (
        "\n                  examples       cost   accuracy"
        "\nmore_flowers.csv        40     0.5000     0.7500"
    )


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_the_network_runs_once(iris_run, tmp_path, monkeypatch, command):
    calls, outputs = [], network_outputs

    def counted(network, X):
        calls.append(len(X))
        return outputs(network, X)

    for module in (run_module, threshold, train_outputs):
        monkeypatch.setattr(module, "network_outputs", counted)
    goal = ("--goal", "f1 with recall of setosa >= 50 %") if command == "evaluate" else ()
    assert chainrule(tmp_path, command, iris_run, "iris", *goal, "--json").code == 0
    assert calls == [150]


def test_evaluate_says_that_the_run_knows_these_rows(iris_run, tmp_path):
    note = "  note: the run was trained on rows of iris, so the score is optimistic"
    assert chainrule(tmp_path, "evaluate", iris_run, "iris").out.splitlines()[2] == note


def test_evaluate_takes_the_column_that_is_named(iris_run, tmp_path):
    names = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
    frame = pd.DataFrame([[5.1, 3.5, 1.4, 0.2]] * 2, columns=names)
    frame.assign(kind=["setosa", "virginica"]).to_csv(tmp_path / "new.csv", index=False)
    said = chainrule(tmp_path, "evaluate", iris_run, "new.csv", "--target", "kind", "--json")
    assert json.loads(said.out)["accuracy"] == 0.5


def test_evaluate_takes_the_part_that_is_named(tmp_path):
    random = np.random.default_rng(0)
    arrays = {}
    for part, m in (("train", 20), ("dev", 8), ("test", 6)):
        arrays |= {f"{part}_X": random.random((m, 2)), f"{part}_y": np.arange(m) % 2}
    np.savez(tmp_path / "t.npz", **arrays)
    quick = ("--hidden", "none", "--epochs", "2", "--no-check", "--out", "run")
    assert "train 20 · dev 8 · test 6" in chainrule(tmp_path, "train", "t.npz", *quick).out
    results = json.loads((tmp_path / "run" / "recipe.json").read_text())["results"]
    for options, part in (
        ((), "test"),
        (("--split", "dev"), "dev"),
        (("--split", "train"), "train"),
    ):
        said = chainrule(tmp_path, "evaluate", "run", "t.npz", "--json", *options)
        found = json.loads(said.out)
        assert list(found.pop("classes")) == ["0", "1"]
        assert found == pytest.approx(results[part])
    assert "note" not in chainrule(tmp_path, "evaluate", "run", "t.npz").out  # its own test part


def test_pictures_of_another_size_are_brought_to_that_of_the_training(pets):
    assert json.loads(chainrule(pets, "evaluate", "run", "large", "--json").out)["accuracy"] == 1
    (answer,) = rows(chainrule(pets, "predict", "run", "large/dog/1.png").out)
    assert answer["prediction"] == "dog"
    assert float(answer["p(dog)"]) > 0.5


def test_a_grey_picture_is_one_of_three_equal_colours(pets):
    pixels = np.full((6, 8), 90, np.uint8)
    for name, image in (("grey", pixels), ("rgb", np.repeat(pixels[..., None], 3, -1))):
        Image.fromarray(image).save(pets / f"{name}.png")
    grey, rgb = (chainrule(pets, "predict", "run", f"{name}.png") for name in ("grey", "rgb"))
    assert grey.code == 0
    answers = [rows(said.out)[0] for said in (grey, rgb)]
    assert [answer.pop("file") for answer in answers] == ["grey.png", "rgb.png"]
    assert answers[0] == answers[1]


def test_evaluate_says_every_score_and_each_class(iris_run, tmp_path):
    found = json.loads(chainrule(tmp_path, "evaluate", iris_run, "iris", "--json").out)
    assert {"macro_f1", "roc_auc", "log_loss", "calibration_error"} < set(found)
    assert list(found["classes"]) == ["setosa", "versicolor", "virginica"]
    lines = chainrule(tmp_path, "evaluate", iris_run, "iris").out.splitlines()
    assert lines[4].startswith(f"  macro_precision {found['macro_precision']:.4f} · macro_recall ")
    at = next(i for i, line in enumerate(lines) if line.split()[:1] == ["examples"] and i > 1)
    assert lines[at].split() == ["examples", "precision", "recall", "f1"]
    each = found["classes"]["virginica"]
    numbers = [f"{each[value]:.4f}" for value in ("precision", "recall", "f1")]
    assert lines[at + 3].split() == ["virginica", "50", *numbers]
    assert "goal" not in "".join(lines)


def test_evaluate_says_whether_a_goal_is_met(iris_run, tmp_path):
    goal = ("--goal", "f1 with recall of setosa >= 50 % and parameters < 10")
    said = chainrule(tmp_path, "evaluate", iris_run, "iris", *goal).out.splitlines()
    assert said[-4] == "goal: best macro_f1 with recall of setosa >= 0.5 and parameters < 10"
    assert said[-3].startswith("  macro_f1: ")
    assert said[-1].endswith(", not met")
    found = json.loads(chainrule(tmp_path, "evaluate", iris_run, "iris", *goal, "--json").out)
    assert found["goal"] == said[-4].removeprefix("goal: ")
    assert found["met"] is False
    assert said[-2].endswith(f"{found['recall of setosa']:.4g}, met")


def test_of_many_classes_the_worst_are_listed():
    each = {"examples": 3, "precision": 0.5, "recall": 0.5}
    classes = {f"c{i}": each | {"f1": i / 30} for i in range(30)}
    lines = class_table(classes).splitlines()
    assert lines[-1] == "  only the 20 of 30 classes with the lowest f1 are shown"
    assert [line.split()[0] for line in lines[3:5]] == ["c0", "c1"]
    assert class_table({}) == ""


# predict


def test_predictions_are_labels_with_how_likely_each_is(iris_run, tmp_path):
    said = chainrule(tmp_path, "predict", iris_run, "iris")
    answers = rows(said.out)
    assert len(answers) == 150
    for answer in answers[::30]:
        likely = {k[2:-1]: float(p) for k, p in answer.items() if k.startswith("p(")}
        assert max(likely, key=lambda name: likely[name]) == answer["prediction"]
        assert sum(likely.values()) == pytest.approx(1, abs=1e-5)


def test_predictions_in_a_file(iris_run, tmp_path):
    printed = chainrule(tmp_path, "predict", iris_run, "iris").out
    said = chainrule(tmp_path, "predict", iris_run, "iris", "-o", "out.csv")
    assert (said.out, said.err) == ("", "wrote out.csv\n")
    assert (tmp_path / "out.csv").read_text() == printed
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]


def test_predictions_keep_the_type_of_the_labels(tmp_path):
    for name, y in (("numbers", np.arange(20) % 2 + 7), ("truths", np.arange(20) % 2 == 0)):
        pd.DataFrame({"a": range(20), "y": y}).to_parquet(tmp_path / f"{name}.parquet")
        quick = ("--hidden", "none", "--epochs", "2", "--no-check", "--out", f"run-{name}")
        chainrule(tmp_path, "train", f"{name}.parquet", "--target", "y", *quick)
        said = chainrule(tmp_path, "predict", f"run-{name}", f"{name}.parquet", "--json")
        found = json.loads(said.out)
        assert set(found["predictions"]) <= set(y.tolist())
        assert type(found["predictions"][0]) is type(y.tolist()[0])
        assert len(found["probabilities"]) == 2


# describe


def test_describe_shows_the_network_the_recipe_and_the_results(iris_run, tmp_path):
    said = chainrule(tmp_path, "describe", iris_run)
    assert "DeepNetwork(4-4-3)" in said.out
    assert "A[2] = softmax(Z[2])" in said.out
    assert "recipe: chainrule train iris --hidden 4 " in said.out
    assert "made by chainrule 0.1.0 with jax " in said.out
    assert "20 epochs done; the network of epoch 20 is kept" in said.out
    assert "accuracy" in said.out


def test_describe_keeps_to_the_terminal(iris_run, tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.cli.messages.columns", lambda: 75)
    said = chainrule(tmp_path, "describe", iris_run).out
    assert "A[2] = softmax(Z[2])" in said
    assert max(map(len, said.split("recipe:")[0].splitlines())) <= 75


def test_a_file_is_as_wide_as_it_must_be(monkeypatch):
    assert columns() is None
    monkeypatch.setenv("COLUMNS", "81")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert columns() == 81


def test_describe_in_json(iris_run, tmp_path):
    found = json.loads(chainrule(tmp_path, "describe", iris_run, "--json").out)
    assert found["recipe"]["source"] == "iris"
    assert found["results"]["test"]["m"] == 30
    assert found["facts"]["sizes"] == {"train": 90, "dev": 30, "test": 30}
    assert found["network"]


def test_the_trace_shows_both_loops(iris_run, tmp_path):
    said = chainrule(tmp_path, "describe", iris_run, "--trace", "--examples", "2")
    for words in (
        "Forward",
        "Z[1] = W[1] A[0] + b[1]      (4, 2)",
        "Backward",
        "dW[1] = dZ[1] A[0]ᵀ",
    ):
        assert words in said.out
    said = chainrule(tmp_path, "describe", iris_run, "--trace", "--json")
    assert json.loads(said.out)


# check


def test_check_tells_of_each_parameter(iris_run, tmp_path):
    said = chainrule(tmp_path, "check", iris_run, "--samples", "5")
    assert said.code == 0
    assert [line.split()[0] for line in said.out.splitlines()[1:5]] == ["W1", "b1", "W2", "b2"]
    assert ", right (up to 1e-7 means right" in said.out


def test_check_ends_with_1_where_a_derivative_is_wrong(iris_run, tmp_path, monkeypatch):
    from chainrule.blocks.block import as_block
    from chainrule.blocks.costs import softmax_cost_backward, softmax_cost_forward
    from chainrule.runs.defaults import COSTS

    def backward(dJ, cache):
        return 1.01 * softmax_cost_backward(dJ, cache)

    monkeypatch.setitem(COSTS, "softmax", as_block(softmax_cost_forward, backward))
    said = chainrule(tmp_path, "check", iris_run, "--samples", "3", "--json")
    assert said.code == 1
    assert json.loads(said.out)["verdict"] == "wrong"


def test_check_without_the_data_takes_made_up_rows(tmp_path):
    pd.DataFrame({"a": range(20), "y": [0, 1] * 10}).to_csv(tmp_path / "t.csv", index=False)
    quick = ("--hidden", "none", "--epochs", "2", "--no-check", "--out", "run")
    chainrule(tmp_path, "train", "t.csv", "--target", "y", *quick)
    (tmp_path / "t.csv").unlink()
    said = chainrule(tmp_path, "check", "run")
    assert said.code == 0
    assert "right" in said.out


# runs


def test_runs_side_by_side(trained, tmp_path):
    _, folder = trained
    again = ("--recipe", folder / "run", "--seed", "1", "--epochs", "2", "--no-check")
    chainrule(tmp_path, "train", *again)
    said = chainrule(tmp_path, "runs", "runs", folder)
    header, first, second = (line.split() for line in said.out.splitlines())
    assert header == ["run", "train", "dev", "test", "source", "hidden", "epochs", "seed"]
    assert (first[0], first[4:]) == ("runs/iris-1", ["iris", "4", "2", "1"])
    assert (second[0], second[4:]) == (str(folder / "run"), ["iris", "4", "20", "0"])
    results = json.loads((folder / "run" / "recipe.json").read_text())["results"]
    assert second[1:4] == [f"{results[part]['accuracy']:.4f}" for part in ("train", "dev", "test")]


def test_runs_in_json(trained, tmp_path):
    _, folder = trained
    (found,) = json.loads(chainrule(tmp_path, "runs", folder / "run", "--json").out)
    assert found["run"] == str(folder / "run")
    assert found["recipe"]["epochs"] == 20
