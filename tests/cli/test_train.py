"""chainrule train: what it says, what it writes, what it repeats; and data that is merely odd."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.cli.command import chainrule, in_a_process

QUICK = ("--hidden", "none", "--epochs", "2", "--no-check")


# What it says


def test_it_says_the_data_the_shapes_the_costs_and_the_results(trained):
    said, _ = trained
    assert said.code == 0
    for words in (
        "iris: 150 examples, 4 inputs, 3 classes (setosa, versicolor, virginica)",
        "train 90 · dev 30 · test 30",
        "DeepNetwork(4-4-3)",
        "A[1] = relu(W[1] A[0] + b[1])",
        "learning rate 0.05, decay cosine, batches of 90 (the whole set), up to 20 epochs\n",
        "examples       cost   accuracy   log loss      Brier cal. error\ntrain ",
        "20 epochs done; the network of epoch 20 is kept (lowest dev cost)",
        "gradients: right; relative difference ",
        "saved in run: confusion.png, cost.png, history.jsonl, manifest.json, recipe.json, report",
        "open run/report.html in a browser",
        "next: chainrule describe run",
    ):
        assert words in said.out
    assert said.err.splitlines()[-1].startswith("training: epoch 20/20, cost ")


def test_json_is_one_line_alone(tmp_path):
    said = chainrule(tmp_path, "train", "iris", *QUICK, "--json")
    (line,) = said.out.splitlines()
    report = json.loads(line)
    assert report["run"] == "runs/iris-1"
    assert report["parameters"] == 4 * 3 + 3
    assert report["seconds"] > 0
    assert [report[part]["m"] for part in ("train", "dev", "test")] == [90, 30, 30]
    scores = {"cost", "accuracy", "log_loss", "brier", "calibration_error", "macro_f1"}
    assert all(scores <= report[part].keys() for part in ("train", "dev", "test"))
    assert report["network"] == {
        "name": "DeepNetwork", "sizes": [4, 3], "activation": "identity", "keep_prob": None,
        "batch_norm": False,
    }  # fmt: skip
    assert (report["normalize"], report["inputs"], report["rungs"]) == ("standard", 4, None)
    assert (report["decay"], report["class_weight"]) == ("cosine", None)
    assert report["temperature"] > 0


def test_numbers_to_predict_are_measured_by_r2(tmp_path):
    said = chainrule(tmp_path, "train", "diabetes", *QUICK, "--json", "--test", "none")
    report = json.loads(said.out)
    assert list(report["train"])[:3] == ["m", "cost", "r2"]
    assert "accuracy" not in report["train"]
    assert "test" not in report


def test_rare_classes_can_be_weighted(tmp_path):
    lines = ["x,answer", *(f"{i % 7},{'no' if i % 5 else 'yes'}" for i in range(50))]
    (tmp_path / "answers.csv").write_text("\n".join(lines) + "\n")
    options = ("--target", "answer", "--class-weight", "balanced", *QUICK, "--out", "run")
    said = chainrule(tmp_path, "train", "answers.csv", *options)
    assert said.code == 0
    assert "\nclass weights: no 0.625, yes 2.5; scores are not weighted by them\n" in said.out
    described = chainrule(tmp_path, "describe", "run").out
    assert "\nclass weights: balanced, in training only; scores are not weighted" in described
    report = (tmp_path / "run" / "report.html").read_text()
    assert "Class weights in training: balanced. The scores are not weighted." in report


# What it writes


def test_the_files_of_a_run(trained):
    _, folder = trained
    run = folder / "run"
    recipe = json.loads((run / "recipe.json").read_text())
    assert recipe["format"] == 1
    assert recipe["recipe"]["hidden"] == [4]
    assert recipe["facts"]["versions"].keys() >= {"chainrule", "jax", "numpy"}
    manifest = json.loads((run / "manifest.json").read_text())
    written = {file.name for file in run.iterdir()}
    assert written == {*manifest["files"], "manifest.json"}
    lines = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines if "cost" in line] == list(range(1, 21))
    assert [line["epoch"] for line in lines if "signal" in line] == [0, 1, 2, 4, 8, 16, 20]
    assert (run / "cost.png").read_bytes().startswith(b"\x89PNG")
    assert not (folder / "run.partial").exists()


def test_runs_are_numbered(tmp_path):
    (tmp_path / "runs" / "iris-1").mkdir(parents=True)
    (tmp_path / "runs" / "iris-2.partial").mkdir()  # another process is about to write it
    assert "saved in runs/iris-3: " in chainrule(tmp_path, "train", "iris", *QUICK).out


def test_a_full_disk(tmp_path):
    """A limit on the size of files fails a write as a full disk does: no part of a run is kept."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))"
    said = in_a_process(tmp_path, "train", "iris", *QUICK, first=limit)
    assert said.code == 2
    assert "runs/iris-1: expected a folder that can be written; got a full disk" in said.err
    assert "Try freeing some space, or --out on another disk." in said.err
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_explodes_names_the_layer(tmp_path):
    said = chainrule(tmp_path, "train", "diabetes", "--hidden", "3", "--learning-rate", "1e30")
    assert said.code == 2
    assert "of layer 2, Dense(3 -> 1): expected finite numbers; got nan or inf" in said.err
    assert "Try a smaller learning rate" in said.err
    assert list(tmp_path.iterdir()) == []


CTRL_C = """
import os, signal, threading, time

def press():
    while signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        time.sleep(0.01)  # training has not begun
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=press, daemon=True).start()
"""


def test_ctrl_c_keeps_what_was_learned(tmp_path):
    endless = ("--epochs", "1000000", "--no-early-stopping", "--no-check")
    network = ("--hidden", "4", "--normalize", "standard")
    said = in_a_process(tmp_path, "train", "moons", *network, *endless, first=CTRL_C)
    assert said.code == 130
    assert "interrupted after " in said.out
    assert said.err.splitlines()[-1] == "interrupted."
    assert chainrule(tmp_path, "describe", "runs/moons-1").code == 0


def test_ctrl_c_during_the_comparison_of_encodings_ends_the_command(tmp_path):
    said = in_a_process(tmp_path, "train", "moons", "--hidden", "4", first=CTRL_C)
    assert (said.code, said.out, said.err) == (130, "", "interrupted.\n")
    assert not (tmp_path / "runs" / "moons-1").exists()


# What it repeats


def test_a_recipe_repeats_a_run_bit_for_bit(trained, tmp_path):
    _, folder = trained
    said = chainrule(tmp_path, "train", "--recipe", folder / "run", "--no-check", "--out", "again")
    assert said.code == 0
    assert "note" not in said.err
    first, second = (
        (run / "weights.safetensors").read_bytes() for run in (folder / "run", tmp_path / "again")
    )
    assert first == second


def test_options_beside_a_recipe_win(trained, tmp_path):
    recipe = trained[1] / "run" / "recipe.json"
    said = chainrule(tmp_path, "train", "--recipe", recipe, "--epochs", "3", "--no-check")
    assert "3 epochs done" in said.out


def test_a_recipe_on_changed_data_says_so(tmp_path):
    frame = pd.DataFrame({"a": range(20), "y": [0, 1] * 10})
    frame.to_csv(tmp_path / "t.csv", index=False)
    chainrule(tmp_path, "train", "t.csv", "--target", "y", *QUICK)
    again = ("train", "--recipe", "runs/t-1", "--no-check")
    assert "changed" not in chainrule(tmp_path, *again).err
    frame.assign(a=range(1, 21)).to_csv(tmp_path / "t.csv", index=False)
    words = "note: the data has changed since the recipe was written: train (t.csv), dev (t.csv)"
    assert words in chainrule(tmp_path, *again).err


# Data that is merely odd


def test_a_table_with_all_that_tables_have(tmp_path):
    """Empty cells, a constant, booleans, words, weights of 0, a time: no error, and it predicts."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 80, 40).astype(float),
            "colour": random.choice(["red", "blue"], 40),
            "member": random.random(40) > 0.5,
            "planet": "earth",
            "w": random.integers(0, 3, 40),
            "when": pd.date_range("2024-01-01", periods=40).astype(str),
            "buys": ["no", "yes"] * 20,
        }
    )
    frame.loc[3:5, "age"] = np.nan
    frame.to_csv(tmp_path / "t.csv.gz", index=False)
    options = ("--target", "buys", "--weight", "w", "--time", "when", "--out", "run")
    said = chainrule(tmp_path, "train", "t.csv.gz", *options, *QUICK)
    assert said.code == 0
    assert (
        "note: constant in the training set, kept with scale 1: column 'planet=earth'." in said.err
    )
    new = frame.drop(columns=["w", "when", "buys"]).head(3)
    new.assign(colour=["red", "pink", "blue"]).to_parquet(tmp_path / "new.parquet")
    said = chainrule(tmp_path, "predict", "run", "new.parquet")
    assert said.code == 0
    assert said.err == (
        "note: column 'colour': values not seen in training: 'pink' (1); "
        "all inputs of the column are 0 in these rows.\n"
    )
    assert len(said.out.splitlines()) == 4
    assert chainrule(tmp_path, "evaluate", "run", "t.csv.gz").code == 0


def test_several_numbers_to_predict(tmp_path):
    frame = pd.DataFrame(
        {"a": np.arange(20.0), "y1": np.arange(20.0) * 2, "y2": 1.0 - np.arange(20)}
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    said = chainrule(tmp_path, "train", "t.csv", "--target", "y1,y2", *QUICK, "--out", "run")
    assert "1 input, numbers to predict" in said.out
    said = chainrule(tmp_path, "predict", "run", "t.csv")
    assert said.out.splitlines()[0] == "prediction1,prediction2"


def test_a_group_stays_in_one_part_and_need_not_come_again(tmp_path):
    frame = pd.DataFrame({"a": range(40), "who": np.arange(40) // 4, "y": [0, 1] * 20})
    frame.to_csv(tmp_path / "t.csv", index=False)
    options = ("--target", "y", "--group", "who", "--out", "run")
    said = chainrule(tmp_path, "train", "t.csv", *options, *QUICK)
    assert "1 input, 2 classes (0, 1)\n  train 24 · dev 8 · test 8" in said.out
    frame.drop(columns="who").to_csv(tmp_path / "new.csv", index=False)
    for source in ("t.csv", "new.csv"):
        assert chainrule(tmp_path, "evaluate", "run", source).err == ""


def test_rows_in_two_parts_are_told(tmp_path):
    pd.DataFrame({"a": [1] * 20, "y": [0, 1] * 10}).to_csv(tmp_path / "t.csv", index=False)
    said = chainrule(tmp_path, "train", "t.csv", "--target", "y", *QUICK)
    assert "note: dev shares 4 rows with train: its score is optimistic" in said.out


@pytest.mark.parametrize("m", [5, 6, 7])
def test_very_few_examples(tmp_path, m):
    pd.DataFrame({"a": range(m), "y": np.arange(m) % 2}).to_csv(tmp_path / "t.csv", index=False)
    said = chainrule(tmp_path, "train", "t.csv", "--target", "y", *QUICK)
    assert said.code == 0
    assert f"train {m - 2} · dev 1 · test 1" in said.out


def test_dev_and_test_from_files(tmp_path):
    random = np.random.default_rng(0)
    for name, m in (("a", 20), ("b", 8), ("c", 6)):
        np.savez(tmp_path / f"{name}.npz", X=random.random((m, 2)), y=np.arange(m) % 2)
    said = chainrule(tmp_path, "train", "a.npz", "--dev", "b.npz", "--test", "c.npz", *QUICK)
    assert "train 20 · dev 8 · test 6" in said.out
    said = chainrule(tmp_path, "train", "a.npz", "--dev", "none", "--test", "none", *QUICK)
    assert "  train 20\n" in said.out
    assert "\n2 epochs done\n" in said.out  # and none of them is the best: nothing tells
