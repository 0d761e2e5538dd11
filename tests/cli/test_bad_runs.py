"""Bad runs, and bad input to good ones: one message, exit code 2, and nothing written."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from chainrule.runs.folder import manifest_bytes
from tests.cli.command import chainrule

NAMES = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]


@pytest.fixture
def copy(tmp_path, iris_run):
    """A copy of a run, to be damaged."""
    shutil.copytree(iris_run, tmp_path / "copy")
    return tmp_path / "copy"


def test_no_such_run(refused, copy):
    assert "Try copy (did you mean that?)" in refused("describe", "copi")


def test_a_file_of_a_run(refused, copy):
    message = refused("describe", "copy/recipe.json")
    assert message == "copy/recipe.json: expected the folder of a run; got a file.\nTry copy.\n"


def test_a_folder_that_is_no_run(refused, tmp_path):
    (tmp_path / "photos").mkdir()
    assert "photos: expected a run with its manifest.json; got none" in refused("check", "photos")


@pytest.mark.parametrize("name", ["weights.safetensors", "recipe.json", "history.jsonl"])
def test_a_run_with_one_flipped_bit(refused, copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    message = refused("predict", "copy", "iris", "-o", "out.csv")
    assert message.startswith(
        f"copy/{name}: expected the content that was saved; got a different sha256."
    )


@pytest.mark.parametrize("name", ["weights.safetensors", "recipe.json", "cost.png"])
def test_a_run_with_a_missing_file(refused, copy, name):
    (copy / name).unlink()
    message = refused("evaluate", "copy", "iris")
    assert message.startswith(f"copy/{name}: expected the file that the manifest lists; got no")


def test_a_manifest_that_is_cut_short(refused, copy):
    (copy / "manifest.json").write_text('{"format": 1')
    assert "copy/manifest.json: expected the content that was saved" in refused("describe", "copy")


def test_a_manifest_that_leaves_out_the_weights(refused, copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    del manifest["files"]["weights.safetensors"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert "got entries with a different sha256" in refused("describe", "copy")
    (copy / "manifest.json").write_bytes(manifest_bytes(manifest["files"]))
    assert "got a list without weights.safetensors" in refused("describe", "copy")


def test_a_run_of_another_format(refused, copy):
    (copy / "manifest.json").write_text('{"format": 2, "parts": []}')
    message = refused("describe", "copy")
    assert message.startswith("copy: expected a run of format 1; got format 2.")
    assert "Try chainrule 0.1.0, which wrote it." in message


def test_columns_that_are_missing_at_prediction(refused, tmp_path, iris_run):
    pd.DataFrame({NAMES[0]: [5.0], "width": [3.0]}).to_csv(tmp_path / "new.csv", index=False)
    message = refused("predict", iris_run, "new.csv", "-o", "out.csv")
    assert message.startswith("new.csv, column 'sepal width (cm)', 'petal length (cm)', 'petal w")


def test_only_labels_that_training_did_not_have(refused, tmp_path, iris_run):
    frame = pd.DataFrame(np.ones((2, 4)), columns=NAMES).assign(kind="rose")
    frame.to_csv(tmp_path / "new.csv", index=False)
    message = refused("evaluate", iris_run, "new.csv", "--target", "kind")
    assert message.startswith("new.csv, the target: expected the classes seen in training")
    assert "got 'rose' (2)." in message


def test_arrays_where_a_table_was(refused, tmp_path, iris_run):
    np.savez(tmp_path / "new.npz", X=np.ones((4, 3)))
    message = refused("predict", iris_run, "new.npz")
    assert message.startswith("new.npz, the input: expected (m, 4), the columns sepal length (cm)")


def test_a_part_that_there_is_not(refused, iris_run):
    message = refused("evaluate", iris_run, "iris", "--split", "tst")
    assert "--split: expected one of 3 choices; got 'tst'.\nTry test (did you mean" in message


def test_an_output_that_cannot_be_written(refused, iris_run):
    message = refused("predict", iris_run, "iris", "-o", "nowhere/out.csv")
    assert message.startswith(
        "--output: expected a file in an existing folder; got nowhere/out.csv."
    )
    assert message.endswith("Try creating the folder nowhere first.\n")


@pytest.mark.parametrize(
    ("command", "option"), [("check", "--samples"), ("describe", "--examples")]
)
def test_a_count_of_nothing(refused, iris_run, command, option):
    message = refused(command, iris_run, option, "0")
    assert message.startswith(f"{option}: expected a whole number of at least 1; got 0.")


def test_no_runs(refused, tmp_path):
    assert refused("runs").startswith("runs: expected a folder; got no such folder.")
    (tmp_path / "runs").mkdir()
    assert refused("runs").startswith("runs: expected at least one run; got none.")


def test_a_damaged_run_does_not_hide_the_others(copy):
    shutil.copytree(copy, copy.parent / "other")
    (copy / "recipe.json").write_text("{")
    said = chainrule(copy.parent, "runs", ".")
    assert (said.code, said.out.splitlines()[1].split()[0]) == (0, "other")
    assert said.err.startswith("note: left out: copy/recipe.json: expected valid JSON; got ")
    both = chainrule(copy.parent, "runs", ".", "--json")
    assert [line["run"] for line in json.loads(both.out)] == ["other"]


def test_a_run_in_the_list_that_cannot_be_read(refused, copy):
    (copy / "recipe.json").write_text("{")
    message = refused("runs", "copy")
    assert message.startswith(
        "copy/recipe.json: expected valid JSON; got text that is not valid JSON ("
    )
