"""chainrule/vision: what every kind of system shares, seen at a detector."""

import json
import shutil

import jax
import numpy as np
import pytest

from chainrule import load, resume, train_vision_model
from chainrule.errors import ChainruleError, RunError
from chainrule.inspection.report.content import command
from chainrule.inspection.report.task_report import advice, rebuild_report, results_text
from chainrule.runs import folder as run_folder
from chainrule.runs.folder import save
from chainrule.runs.status import task_kind_of
from chainrule.vision.detection.task import TASK, DetectRecipe
from tests.vision.cells import coco

pytestmark = pytest.mark.usefixtures("float32_world")
OPTIONS = {"width": 0.125, "anchors": 1, "batch_size": 8, "epochs": 3, "augment": "mirror"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run, and what a kill leaves that meets its training just before it is saved."""
    folder = tmp_path_factory.mktemp("system")
    source = coco(folder, 24)
    compare = run_folder._compare

    def keep(*systems):
        for name in ("killed", "other"):
            shutil.copytree(folder / "run.partial", folder / f"{name}.partial")
        compare(*systems)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_folder, "_compare", keep)
        system = train_vision_model("detect", source, out=folder / "run", **OPTIONS)
    return system, folder


@pytest.fixture
def run(whole, tmp_path):
    shutil.copytree(whole[0].path, tmp_path / "run")
    return tmp_path / "run"


def test_what_is_saved_is_what_is_loaded(whole):
    system, _ = whole
    again = load(system.path)
    X = np.random.default_rng(0).random((3, 32, 48, 3), np.float32)
    for a, b in zip(system.model.predict(X), again.model.predict(X), strict=True):
        np.testing.assert_array_equal(a.boxes, b.boxes)
        np.testing.assert_array_equal(a.scores, b.scores)
    assert again.recipe == system.recipe
    assert again.results == system.results
    assert again.names == ("red", "green")
    assert again.model.get_params() == system.model.get_params()
    assert again.model.threshold_ == system.model.threshold_
    assert again.history.text() == system.history.text()
    assert again.history.best_epoch == system.history.best_epoch
    assert again.parameters == system.parameters > 1000


def test_its_parts(whole):
    system, _ = whole
    assert system.facts["sizes"] == {"train": 16, "dev": 4, "test": 4}
    assert [system.results[part]["m"] for part in ("train", "dev", "test")] == [16, 4, 4]
    assert len(set(system.facts["digests"].values())) == 1  # of the file that all are from
    assert system.facts["duplicates"] == []


def test_an_interrupted_one_ends_as_if_nothing_had_happened(whole):
    system, folder = whole
    assert task_kind_of(folder / "killed") == "detect"
    again = resume(folder / "killed")
    weights = [run / "weights.safetensors" for run in (system.path, again.path)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert again.results == system.results
    assert not (folder / "killed.partial").exists()


def test_one_that_is_done_is_given_as_it_is(whole):
    assert resume(whole[0].path).results == whole[0].results


def test_data_that_has_changed_is_not_gone_on_with(whole):
    _, folder = whole
    text = (folder / "cells.json").read_text()
    made = json.loads(text)
    made["annotations"][0]["category_id"] = 1 - made["annotations"][0]["category_id"]
    (folder / "cells.json").write_text(json.dumps(made))
    with pytest.raises(RunError) as caught:
        resume(folder / "other")
    (folder / "cells.json").write_text(text)
    assert str(caught.value) == (
        f"{folder / 'other'}: expected the data on which the training began; got different data.\n"
        "Try restoring the original data, or training a new run under another name."
    )


@pytest.mark.parametrize("name", ["weights.safetensors", "history.jsonl", "recipe.json"])
def test_a_changed_bit_is_noticed(run, name):
    content = bytearray((run / name).read_bytes())
    content[len(content) // 2] ^= 1
    (run / name).write_bytes(content)
    with pytest.raises(RunError, match="expected the content that was saved"):
        load(run)


def test_other_answers_are_not_kept(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder, "load", lambda *_: changed(whole[0]))
    with pytest.raises(
        RunError, match="expected the same outputs after reading it back; got different ones"
    ):
        save(whole[0], tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def changed(system):
    other = load(system.path)
    other.model.network_ = jax.tree.map(lambda x: x + 1, other.model.network_)
    return other


def test_a_run_of_another_kind(whole, tmp_path):
    with pytest.raises(RunError) as caught:
        load(whole[0].path, "train")
    path = whole[0].path
    assert str(caught.value) == (
        f"{path}: expected a run of chainrule train; got a run of chainrule detect.\n"
        f"Try chainrule evaluate {path} SOURCE, or chainrule describe {path}."
    )
    with pytest.raises(RunError, match="expected a run of chainrule segment; got a run of"):
        load(path, "segment")
    assert task_kind_of(tmp_path) is None


def test_the_page(whole):
    system, _ = whole
    page = (system.path / "report.html").read_text()
    assert "<h1>mAP@0.5 " in page
    for words in (
        "AP@0.5 of each class",
        "Cost J of each epoch",
        "chainrule detect train",
        "green",
    ):
        assert words in page
    assert "data:image/png" in page
    again, why = rebuild_report(system)
    assert why == ""
    assert again.decode() == page


def test_the_command_that_repeats_it(whole):
    system, folder = whole
    assert command(system.recipe) == (
        f"chainrule detect train {folder}/cells.json --augment mirror --width 0.125 --epochs 3 "
        "--batch-size 8 --anchors 1"
    )
    recipe = DetectRecipe("a b", image_size=(16, 24), base="w.safetensors", backbone="resnet18")
    assert command(recipe) == (
        "chainrule detect train 'a b' --image-size 16x24 --backbone resnet18 --from w.safetensors"
    )


def test_results_in_words():
    one = {"m": 1234, "map_50": 0.5, "map": None, "ap_50": [0.25, None]}
    assert results_text("detect", {"test": one}, ("a", "b")) == (
        "\n        images  mAP@0.5  mAP@0.5:0.95\n  test   1,234   0.5000             -\n"
        "\n  on test  AP@0.5\n  a        0.2500\n  b             -"
    )


def scored(**scores):
    return {part: {"m": 9, "map_50": score} for part, score in scores.items()}


def test_what_to_do_next():
    found = advice("detect", scored(train=0.9, dev=0.85, test=0.84))
    assert found.largest == "bias"
    assert found.text() == (
        "  training error 0.100 · dev error − training error 0.050 · test error − dev error 0.010\n"
        "the largest is bias; next steps:\n  1. a wider network: --width\n  2. more epochs: "
        "--epochs\n  3. larger images, if small details matter: --image-size"
    )
    assert advice("detect", scored(train=0.99, dev=0.7)).largest == "variance"
    assert advice("detect", scored(train=0.9, dev=0.89, test=0.6)).largest == "overfitting to dev"
    fine = advice("detect", scored(train=0.99, dev=0.98, test=0.97))
    assert fine.remedies == ()
    assert fine.text().endswith(": no gap stands out")
    assert advice("detect", scored(train=0.9)) is None
    assert advice("detect", scored(train=None, dev=0.5)) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 0}, "--epochs: expected a whole number of at least 1; got 0.\nTry 100."),
        ({"width": 0.0}, "--width: expected a number greater than 0; got 0.0.\nTry 0.5."),
        ({"seed": -1}, "--seed: expected a whole number of at least 0; got -1.\nTry 0."),
        ({"image_size": (0, 8)}, "--image-size: expected a whole number of at least 1; got 0."),
        ({"image_size": (30, 48)}, "--image-size: expected multiples of the stride 8; got"),
        (
            {"iou_threshold": 1.5},
            "--iou-threshold: expected a number greater than 0 and less than 1; got 1.5.",
        ),
        (
            {"base": "a"},
            "--from: expected a backbone for which published weights exist; got small.",
        ),
    ],
)
def test_recipes_that_are_refused(options, words):
    with pytest.raises(ChainruleError) as caught:
        DetectRecipe("cells.json", **options)
    assert str(caught.value).startswith(words)


def test_a_recipe_from_a_file():
    recipe = DetectRecipe("a", image_size=(16, 24), width=2.0, seed=3)
    assert DetectRecipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert recipe.options == {"width": 2.0, "random_state": 3}
    assert DetectRecipe("a", augment="none").options == {"augment": None, "random_state": 0}
    assert DetectRecipe.from_dict({"source": "a", "width": 1}).width == 1.0
    for saved, words in (
        ({"source": "a", "epoch": 3}, "the recipe: expected the name of an option; got 'epoc"),
        ({"source": "a", "epochs": 3.5}, "the recipe, epochs: expected a whole number; got 3.5."),
        ({"source": "a", "image_size": [8]}, "the recipe, image_size: expected a list of two"),
    ):
        with pytest.raises(ChainruleError) as caught:
            DetectRecipe.from_dict(saved)
        assert str(caught.value).startswith(words)


def test_the_methods_of_a_model_are_those_of_its_estimator(whole):
    model, _ = whole
    job = TASK.open(model.recipe)
    test = job.parts["test"]
    assert model.evaluate(test.X, test.Y) == model.results["test"]
    for mine, its in zip(model.predict(test.X), model.model.predict(test.X), strict=True):
        np.testing.assert_array_equal(mine.boxes, its.boxes)
    read = model.read(model.recipe.source, split="train")
    assert len(read) == 24
    assert read.X.shape[1:] == model.input_row


def test_an_unknown_vision_task_is_refused(tmp_path):
    with pytest.raises(ChainruleError, match="the kind of vision task: expected one of 3 choices"):
        train_vision_model("train", "cells.json", out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
