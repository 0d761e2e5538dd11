"""chainrule detect, as a user meets it."""

import csv
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from chainrule.data.decoding import read_image_header
from tests.cli.command import chainrule
from tests.vision.cells import NAMES, coco, yolo
from tests.vision.detection.test_annotations import coco as spoiled_coco
from tests.vision.detection.test_annotations import pictures, voc, xml

QUICK = ("--width", 0.125, "--anchors", 1, "--batch-size", 8, "--epochs", 2, "--augment", "none")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What `chainrule detect train` said, and the folder where it was called."""
    folder = tmp_path_factory.mktemp("detect")
    coco(folder, 24)
    said = chainrule(folder, "detect", "train", "cells.json", *QUICK, "--out", "run")
    return said, folder


def test_it_trains_measures_and_saves(trained):
    said, folder = trained
    assert said.code == 0, said.err
    assert said.out.startswith(
        "cells.json: images resized to 32×48, 2 classes (red, green)\n"
        "  train     16 images with 26 objects\n"
    )
    assert "2 epochs done" in said.out
    assert "images  mAP@0.5  mAP@0.5:0.95  precision  recall" in said.out
    assert "on test  AP@0.5\n  red" in said.out
    assert said.out.endswith(
        "saved in run: cost.png, found.png, history.jsonl, manifest.json, recipe.json, "
        "report.html, weights.safetensors\nopen run/report.html in a browser\n"
        "next: chainrule predict run IMAGES\n"
    )
    assert sorted(file.name for file in folder.iterdir()) == ["cells.json", "images", "run"]


def test_a_line_of_json(trained, tmp_path):
    yolo(tmp_path / "cells", 12)
    (tmp_path / "cells" / "classes.txt").write_text("\n".join(NAMES))
    said = chainrule(
        tmp_path, "detect", "train", "cells", *QUICK, "--dev", "none", "--test", "none", "--json"
    )
    line = json.loads(said.out)
    assert line["run"] == "runs/cells-1"
    assert line["epochs"] == 2
    assert line["train"]["m"] == 12
    assert {"dev", "test"}.isdisjoint(line)


def test_a_run_that_is_done_says_its_results(trained):
    _, folder = trained
    for words in (("detect", "train"), ("train",)):
        said = chainrule(folder, *words, "--resume", "run")
        assert said.code == 0
        assert said.out.startswith("run is complete\n\n         images  mAP@0.5")


def test_describe_runs_and_report(trained, tmp_path):
    _, folder = trained
    said = chainrule(folder, "describe", "run")
    assert said.out.startswith("yolo(32×48×3 -> 2)\n")
    assert "chainrule detect train cells.json --augment none --width 0.125 --epochs 2" in said.out
    assert "on test  AP@0.5" in said.out
    line = json.loads(chainrule(folder, "describe", "run", "--json").out)
    assert line["kind"] == "detect"
    assert line["network"]["title"] == "yolo(32×48×3 -> 2)"
    assert "run" in chainrule(folder, "runs", ".").out
    page = tmp_path / "page.html"
    assert chainrule(folder, "report", "run", "-o", page).code == 0
    assert page.read_bytes() == (folder / "run" / "report.html").read_bytes()


def test_evaluate(trained):
    _, folder = trained
    coco(folder / "more", 6, seed=3)
    said = chainrule(folder, "detect", "evaluate", "run", "more/cells.json")
    assert said.out.startswith("              images  mAP@0.5")
    assert "cells.json       6" in said.out
    line = json.loads(chainrule(folder, "detect", "evaluate", "run", "more", "--json").out)
    assert line["m"] == 6
    assert len(line["ap_50"]) == 2
    shutil.rmtree(folder / "more")


def test_the_commands_for_all_runs_do_the_same(trained, tmp_path):
    _, folder = trained
    for words in (("evaluate", "run", "cells.json", "--json"), ("predict", "run", "images")):
        said = chainrule(folder, *words)
        assert (said.code, said.err) == (0, "")
        assert said.out == chainrule(folder, "detect", *words).out
    out = tmp_path / "boxes"
    assert chainrule(folder, "predict", "run", "images", "-o", out).code == 0
    assert len(list(out.glob("*.png"))) == 24


def test_diagnose_compares_the_errors_on_the_sets(trained):
    _, folder = trained
    said = chainrule(folder, "diagnose", "run")
    assert said.out.startswith("  training error ")
    assert "next steps:\n  1. " in said.out
    line = json.loads(chainrule(folder, "diagnose", "run", "--json").out)
    assert line["gaps"].keys() == {"bias", "variance", "overfitting to dev"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("check", "run"),
            "run: expected a run of chainrule train; got a run of chainrule detect.",
        ),
        (("diagnose", "run", "--reference", "0.1"), "--reference: expected a run of chainrule tr"),
        (
            ("describe", "run", "--trace"),
            "run: expected a run of chainrule train; got a run of chai",
        ),
        (("predict", "run", "images", "--explain"), "--explain: expected a run of chainrule train"),
        (("evaluate", "run", "cells.json", "--goal", "f1"), "--goal: expected no --goal for a run"),
    ],
)
def test_what_only_other_runs_can_do(trained, words, message):
    said = chainrule(trained[1], *words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(message)


def test_predict_says_boxes_in_pixels(trained, tmp_path):
    _, folder = trained
    with Image.open(folder / "images" / "cells0.png") as small:
        small.resize((96, 64)).save(tmp_path / "large.png")
    said = chainrule(
        folder, "detect", "predict", "run", tmp_path / "large.png", "--score-threshold", 0
    )
    rows = list(csv.reader(io.StringIO(said.out)))
    assert rows[0] == ["file", "class", "score", "x1", "y1", "x2", "y2"]
    assert len(rows) > 1
    boxes = np.array([row[3:] for row in rows[1:]], float)
    assert boxes[:, 2].max() > 48  # of its own size
    assert (boxes[:, [0, 2]] <= 96).all()
    assert (boxes[:, [1, 3]] <= 64).all()
    assert (boxes >= 0).all()
    assert {row[1] for row in rows[1:]} <= set(NAMES)
    scores = [float(row[2]) for row in rows[1:]]
    assert scores == sorted(scores, reverse=True)


def test_predict_writes_pictures_and_json(trained, tmp_path):
    _, folder = trained
    said = chainrule(folder, "detect", "predict", "run", "images", "--json", "-o", tmp_path / "out")
    assert said.code == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 24
    lines = json.loads((tmp_path / "out" / "boxes.json").read_text())
    assert lines == json.loads(said.out)
    assert lines[0]["file"] == "images/cells0.png"
    assert (lines[0]["width"], lines[0]["height"]) == (48, 32)
    assert read_image_header(tmp_path / "out" / "cells0.png").size == (32, 48)


# What is refused: one message with file and line, exit code 2, nothing written


def test_a_box_outside_its_picture(tmp_path, refused):
    folder = voc(tmp_path, {"one": [("dog", (10, 5, 400, 30))]})
    said = refused("detect", "train", "Annotations", *QUICK)
    assert said == (
        "Annotations/one.xml, line 6, bndbox: expected a box inside its image of 80 by 40; got "
        "(10, 5) to (400, 30).\nTry clipping the box to the image, if it is the right image.\n"
    )
    assert folder.is_dir()


def test_a_box_without_area(tmp_path, refused):
    spoiled_coco(tmp_path, annotations__0__bbox=[10, 5, 0, 20])
    said = refused("detect", "train", "all.json", "--boxes", "strict", *QUICK)
    assert said == (
        "all.json, annotations[0].bbox: expected a box with an area: x1 < x2 and y1 < y2; got "
        "(10, 5) to (10, 25).\nTry --boxes clip, which leaves it out.\n"
    )


def test_a_class_without_a_name(tmp_path, refused):
    yolo(tmp_path / "cells", 3)
    (tmp_path / "cells" / "classes.txt").write_text("red\n")
    assert refused("detect", "train", "cells", *QUICK) == (
        "cells/0.txt, line 1: expected a class number from 0 to 0; got 1.\n"
        "Try adding its name to classes.txt.\n"
    ) or refused("detect", "train", "cells", *QUICK).startswith("cells/1.txt, line")


def test_an_annotation_without_its_picture(tmp_path, refused):
    voc(tmp_path)
    (tmp_path / "JPEGImages" / "one.png").unlink()
    assert refused("detect", "train", "Annotations", *QUICK) == (
        "Annotations/one.xml, line 1: expected its image one.png; got no such file in "
        "Annotations, Annotations/../JPEGImages.\n"
        "Try --images FOLDER, the folder of the images, or removing the annotation.\n"
    )


def test_files_that_are_cut_short(tmp_path, refused):
    file = coco(tmp_path, 3)
    picture = tmp_path / "images" / "cells1.png"
    whole = picture.read_bytes()
    picture.write_bytes(whole[:-40])
    assert refused("detect", "train", "cells.json", *QUICK).startswith(
        "images/cells1.png: expected a complete image; got a truncated or damaged file"
    )
    picture.write_bytes(whole)
    file.write_text(file.read_text()[:-30])
    assert refused("detect", "train", "cells.json", *QUICK).startswith(
        "cells.json: expected valid JSON; got text that is not valid JSON (Expecting"
    )


def test_xml_that_is_cut_short(tmp_path, refused):
    pictures(tmp_path / "JPEGImages")
    (tmp_path / "Annotations").mkdir()
    text = xml("one", [("dog", (10, 5, 40, 30))])
    (tmp_path / "Annotations" / "one.xml").write_text(text[:-40])
    assert refused("detect", "train", ".", *QUICK).startswith("Annotations/one.xml, line ")


def test_a_part_that_is_said_twice(tmp_path, refused):
    for part in ("train", "test"):
        yolo(tmp_path / "cells" / part, 3)
    (tmp_path / "cells" / "classes.txt").write_text("\n".join(NAMES))
    yolo(tmp_path / "more", 3)
    assert refused("detect", "train", "cells", "--test", "more", *QUICK) == (
        "--test: expected a source without a test set; got cells, which has one.\n"
        "Try leaving out --test.\n"
    )


def test_more_anchors_than_objects(tmp_path, refused):
    coco(tmp_path, 5)
    assert refused("detect", "train", "cells.json", "--anchors", 9) == (
        "--anchors: expected at most as many anchors as objects in the training set, 5; got "
        "9.\n"
        "Try --anchors 5.\n"
    )


def test_a_class_that_only_the_test_part_has(tmp_path, refused):
    for name, m in (("cells", 12), ("test", 3)):
        file = coco(tmp_path, m, name=f"{name}.json")
        made = json.loads(file.read_text())
        made["categories"].append({"id": 9, "name": "blue"})
        made["annotations"][0]["category_id"] = 9 if name == "test" else 0
        file.write_text(json.dumps(made))
    assert refused("detect", "train", "cells.json", "--test", "test.json", *QUICK) == (
        "the test set: expected only classes that occur in the training set: red, green; got "
        "1 objects of class blue.\nTry adding training images of this class, or removing "
        "these objects.\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "chainrule detect train: expected a SOURCE; got none.\nTry chainrule detect"),
        (("cells.json", "--stride", "5"), "--stride: expected one of 4 choices; got 5."),
        (("cells.json", "--epochs", "many"), "--epochs: expected a whole number; got 'many'."),
        (("cells.json", "--form", "a"), "chainrule detect train: expected one of its options;"),
        (("--resume", "run", "--epochs", "3"), "--resume: expected no option besides"),
        (("--resume", "run"), "run.partial: expected an interrupted training run; got none."),
    ],
)
def test_options_that_are_refused(refused, words, message):
    assert refused("detect", "train", *words).startswith(message)


def test_other_words_that_are_refused(trained, refused):
    run = trained[1] / "run"
    assert refused("detect", "predict", run, "no.png").startswith(
        "no.png: expected an image, or a folder of images; got no such file or folder."
    )
    assert refused("detect", "predict", run, "a.png", "--score-threshold", "2").startswith(
        "--score-threshold: expected a number of at least 0 and at most 1; got 2.0."
    )
    assert refused("detect", "evaluate", "nowhere", "a").startswith(
        "nowhere: expected the folder of a run; got no such folder."
    )
    assert refused("detect", "find", "a").startswith(
        "chainrule detect: expected one of its commands; got 'find'."
    )
    assert refused("predict", run, "a.png").startswith("a.png: expected an image, or a folder")


def test_what_stands_beside_the_output_is_left_alone(trained, tmp_path):
    _, folder = trained
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "training.lock").write_text("")
    words = ("detect", "predict", "run", "images/cells0.png", "-o")
    assert chainrule(folder, *words, tmp_path / "out").code == 0
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out", "out.partial"]
    assert (tmp_path / "out.partial" / "training.lock").exists()
    (tmp_path / "file").write_text("")
    said = chainrule(folder, *words, tmp_path / "file" / "out")
    assert said.code == 2
    assert said.err.startswith("--output: expected a folder that can be written; got ")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "out", "out.partial"]


def test_two_pictures_of_one_name(trained, tmp_path):
    _, folder = trained
    for suffix in ("png", "bmp"):
        with Image.open(folder / "images" / "cells0.png") as picture:
            picture.save(tmp_path / f"a.{suffix}")
    said = chainrule(folder, "detect", "predict", "run", tmp_path, "-o", tmp_path / "out")
    assert said.code == 2
    expected = (
        f"{tmp_path}/a.png: expected a name that differs from a.bmp in more than the "
        "suffix; got the same name"
    )
    assert said.err.startswith(expected)
    assert not (tmp_path / "out").exists()


def test_its_recipe_is_no_recipe_of_train(trained, refused):
    run = trained[1] / "run"
    assert refused("train", "--recipe", run) == (
        "--recipe: expected a run of chainrule train; got a run of chainrule detect.\n"
        f"Try chainrule describe {run}, which prints its command.\n"
    )


def test_an_output_that_is_in_use(trained, tmp_path):
    _, folder = trained
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("")
    said = chainrule(folder, "detect", "predict", "run", "images", "-o", tmp_path / "out")
    assert said.code == 2
    assert said.err.startswith("--output: expected a folder that is new or empty; got ")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("augment", "words"),
    [
        ("rotation=10", "--augment, AugmentBoxes: expected only mirror, crop, zoom"),
        ("crop=40", "--augment, augmentation"),
        ("miror", "--augment, augmentation"),
    ],
)
def test_changes_that_boxes_cannot_follow(tmp_path, refused, augment, words):
    coco(tmp_path, 8)
    assert refused("detect", "train", "cells.json", "--augment", augment).startswith(words)


def test_there_is_no_penalty_to_change(trained):
    _, folder = trained
    said = chainrule(folder, "change", "run", "--l2", 0.1)
    assert (said.code, said.err) == (
        2,
        "run: expected a training run with λ; got a run of chainrule detect.\n"
        "Try chainrule change run --learning-rate 0.0005.\n",
    )
