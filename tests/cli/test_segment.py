"""chainrule segment, as a user meets it."""

import csv
import errno
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.data.decoding import read_image_header
from tests.cli.command import chainrule
from tests.vision.shapes import COLOURS, NAMES, folder, shapes

QUICK = ("--depth", 1, "--width", 1 / 16, "--batch-size", 8, "--epochs", 2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What `chainrule segment train` said, and the folder where it was called."""
    place = tmp_path_factory.mktemp("segment")
    folder(place / "shapes", 24)
    said = chainrule(place, "segment", "train", "shapes", *QUICK, "--out", "run")
    return said, place


def test_it_trains_measures_and_saves(trained):
    said, place = trained
    assert said.code == 0, said.err
    assert said.out.startswith(
        "shapes: images of 14×20, 3 classes (ground, green, blue)\n"
        "  train     16 images, 100.0% of their pixels labelled\n"
        "  dev        4 images, 100.0% of their pixels labelled\n"
    )
    assert "2 epochs done" in said.out
    assert "images  mean IoU  pixel accuracy" in said.out
    assert "on test     IoU\n  ground" in said.out
    assert said.out.endswith(
        "saved in run: cost.png, history.jsonl, manifest.json, masks.png, recipe.json, "
        "report.html, weights.safetensors\nopen run/report.html in a browser\n"
        "next: chainrule predict run IMAGES\n"
    )
    assert sorted(file.name for file in place.iterdir()) == ["run", "shapes"]


def test_a_line_of_json_of_arrays(tmp_path):
    for name, m in (("street", 12), ("more", 4)):
        X, Y = shapes(m)
        Y[:, 0] = 9
        np.savez(tmp_path / f"{name}.npz", X=X, Y=Y)
    words = ("--ignored", 9, "--dev", "more.npz", "--test", "none", "--json")
    said = chainrule(tmp_path, "segment", "train", "street.npz", *QUICK, *words)
    assert said.code == 0, said.err
    line = json.loads(said.out)
    assert line["run"] == "runs/street-1"
    assert line["dev"]["m"] == 4
    assert line["dev"]["pixels"] == 4 * 13 * 20
    assert "test" not in line


def test_describe_runs_and_report(trained, tmp_path):
    _, place = trained
    said = chainrule(place, "describe", "run")
    assert said.out.startswith("unet(14×20×3 -> 3)\n")
    assert "1/2   3×3 8 → 3×3 8 → transposed 2×2 4 /2" in said.out
    assert "chainrule segment train shapes --width 0.0625 --epochs 2 --batch-size 8" in said.out
    line = json.loads(chainrule(place, "describe", "run", "--json").out)
    assert line["kind"] == "segment"
    assert f"{line['results']['test']['mean_iou']:.4f}" in chainrule(place, "runs", ".").out
    page = tmp_path / "page.html"
    assert chainrule(place, "report", "run", "-o", page).code == 0
    assert page.read_bytes() == (place / "run" / "report.html").read_bytes()
    assert "IoU of each class" in page.read_text()


def test_evaluate(trained, tmp_path):
    _, place = trained
    folder(tmp_path / "more", 6, seed=3)
    said = chainrule(place, "segment", "evaluate", "run", tmp_path / "more")
    assert said.out.splitlines()[0].split() == ["images", "mean", "IoU", "pixel", "accuracy"]
    assert [line.split()[0] for line in said.out.splitlines()[4:]] == NAMES
    (tmp_path / "more/masks").rename(tmp_path / "elsewhere")
    words = ("--masks", tmp_path / "elsewhere", "--json")
    line = json.loads(chainrule(place, "segment", "evaluate", "run", tmp_path / "more", *words).out)
    assert line["m"] == 6
    assert len(line["iou"]) == 3


def test_predict_says_the_share_of_each_class(trained):
    _, place = trained
    said = chainrule(place, "segment", "predict", "run", "shapes/images/3.png")
    head, row = csv.reader(io.StringIO(said.out))
    assert head == ["file", *NAMES]
    assert row[0] == "shapes/images/3.png"
    assert sum(map(float, row[1:])) == pytest.approx(1, abs=1e-5)


def test_predict_writes_masks_and_overlays(trained, tmp_path):
    _, place = trained
    words = ("shapes/images", "--json", "-o", tmp_path / "said")
    said = chainrule(place, "segment", "predict", "run", *words)
    assert said.code == 0, said.err
    assert said.err.endswith(f"wrote 49 files into {tmp_path / 'said'}\n")
    assert len(json.loads(said.out)) == 24
    for name in ("masks", "overlays"):
        assert len(list((tmp_path / "said" / name).iterdir())) == 24
    assert read_image_header(tmp_path / "said/masks/3.png").size == (14, 20)
    again = chainrule(place, "segment", "predict", "run", *words)
    assert again.code == 2
    assert again.err.startswith("--output: expected a folder that is new or empty; got ")


def test_a_disk_that_is_full_leaves_nothing(trained, tmp_path, monkeypatch):
    _, place = trained
    write, written = Path.write_bytes, []

    def full(path, content):
        if len(written) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(path)
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    said = chainrule(place, "segment", "predict", "run", "shapes/images", "-o", tmp_path / "said")
    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("--output: expected a folder that can be written; got a full disk")
    assert list(tmp_path.iterdir()) == []


# What is refused: one message with the file, exit code 2, nothing written


@pytest.fixture
def street(tmp_path):
    return folder(tmp_path / "street", 6)


def test_a_mask_of_another_size(street, refused):
    Image.fromarray(COLOURS[np.zeros((7, 20), int)]).save(street / "masks/4.png")
    assert refused("segment", "train", "street", *QUICK) == (
        "street/masks/4.png: expected 14 by 20 pixels, the size of 4.png; got 7 by 20.\n"
        "Try the mask of this image.\n"
    )


def test_a_colour_that_is_not_listed(street, refused):
    mask = np.array(Image.open(street / "masks/2.png"))
    mask[3, 5:7] = 9
    Image.fromarray(mask).save(street / "masks/2.png")
    assert refused("segment", "train", "street", *QUICK) == (
        "street/masks/2.png: expected one of the 3 colours of street/classes.txt; got the colour "
        "9 9 9 in 2 pixels, the first in row 3, column 5.\nTry adding a line for it.\n"
    )


def test_a_value_that_is_not_listed(tmp_path, refused):
    street = folder(tmp_path / "street", 6, colours=False)
    (street / "classes.txt").rename(tmp_path / "own.txt")
    (tmp_path / "own.txt").write_text("ground\ngreen\n")
    said = refused("segment", "train", "street", "--classes", "own.txt", *QUICK)
    assert said.startswith("street/masks/0.png: expected one of the 2 values of own.txt; got the ")
    assert said.endswith("\nTry adding a line for it, or --ignored 2.\n")


def test_a_value_that_training_did_not_have(trained, tmp_path, refused):
    mask = np.zeros((14, 20, 3), np.uint8) + np.uint8(9)
    street = folder(tmp_path / "street", 3)
    Image.fromarray(mask).save(street / "masks/1.png")
    assert refused("segment", "evaluate", trained[1] / "run", "street") == (
        "street/masks/1.png: expected one of the 3 colours of the run; got the colour 9 9 9 in "
        "280 pixels, the first in row 0, column 0.\nTry a file for --classes.\n"
    )


def test_a_picture_without_its_mask(street, refused):
    (street / "masks/5.png").unlink()
    assert refused("segment", "train", "street", *QUICK) == (
        "street/images/5.png: expected its mask street/masks/5.png; got none.\n"
        "Try adding the mask, or removing the image.\n"
    )


def test_a_mask_without_its_picture(street, refused):
    (street / "images/5.png").unlink()
    assert refused("segment", "train", "street", *QUICK) == (
        "street/masks/5.png: expected its image street/images/5.png, or another format; "
        "got none.\nTry adding the image, or removing the mask.\n"
    )


@pytest.mark.parametrize("name", ["images/1.png", "masks/1.png"])
def test_files_that_are_cut_short(street, refused, name):
    file = street / name
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    said = refused("segment", "train", "street", *QUICK)
    assert said.startswith(
        f"street/{name}: expected a complete image; got a truncated or damaged file ("
    )
    assert said.endswith("\nTry removing the file or copying it again.\n")


def test_arrays_that_are_cut_short(tmp_path, refused):
    X, Y = shapes(4)
    np.savez(tmp_path / "a.npz", X=X, Y=Y)
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[: len(whole) // 2])
    assert refused("segment", "train", "a.npz", *QUICK).startswith(
        "a.npz: expected a complete .npz file, as written by np.savez; got a truncated"
    )


def test_a_list_of_classes_that_is_wrong(street, refused):
    (street / "classes.txt").write_text("ground 0 0 0\ngreen 0 160 0\nblue 0 0\n")
    assert refused("segment", "train", "street", *QUICK) == (
        "street/classes.txt, line 3: expected a name, or a name and its value or colour, "
        "with numbers from 0 to 255; got blue 0 0.\nTry sky 70 130 180.\n"
    )


def test_parts_that_do_not_fit(tmp_path, refused):
    for part in ("train", "val"):
        folder(tmp_path / "street" / part, 4)
    (tmp_path / "street/train/classes.txt").rename(tmp_path / "street/classes.txt")
    folder(tmp_path / "more", 3)
    assert refused("segment", "train", "street", "--dev", "more", *QUICK) == (
        "--dev: expected a source without a dev set; got street, which has one.\n"
        "Try leaving out --dev.\n"
    )
    shutil.rmtree(tmp_path / "street/train")
    assert refused("segment", "train", "street", *QUICK) == (
        "street: expected a training set; got dev.\nTry adding a folder train beside them.\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "chainrule segment train: expected a SOURCE; got none.\nTry chainrule segment train"),
        (("street", "--depth", "0"), "--depth: expected a whole number of at least 1; got 0."),
        (("street", "--depth", "two"), "--depth: expected a whole number; got 'two'."),
        (("street", "--ignored", "sea"), "--ignored: expected one of 3 choices; got 'sea'."),
        (
            ("street", "--classes", "no"),
            "no: expected a file; got no such file.",
        ),
        (("street", "--masks", "no"), "no: expected the folder of the masks; got no such folder."),
        (
            ("nowhere",),
            (
                "nowhere: expected a file, a folder or the name of a built-in data set; got no "
                "such file."
            ),
        ),
        (
            ("street", "--augment", "crop=14"),
            (
                "augmentation, crop: expected a number of pixels less than the shorter side of "
                "the image (14)"
            ),
        ),
        (("street", "--colour", "a"), "chainrule segment train: expected one of its options;"),
        (("--resume", "run", "--depth", "3"), "--resume: expected no option besides"),
    ],
)
def test_options_that_are_refused(street, refused, words, message):
    assert refused("segment", "train", *words).startswith(message)


def test_other_words_that_are_refused(trained, refused, tmp_path):
    run = trained[1] / "run"
    assert refused("segment", "predict", run, "no.png").startswith(
        "no.png: expected an image, or a folder of images; got no such file or folder."
    )
    (tmp_path / "a.png").write_bytes(b"\x89PNG no more")
    assert refused("segment", "predict", run, "a.png", "-o", "said").startswith(
        "a.png: expected a complete image; got a truncated or damaged file"
    )
    assert refused("detect", "evaluate", run, "a").startswith(
        f"{run}: expected a run of chainrule detect; got a run of chainrule segment."
    )
    assert refused("segment", "find", "a").startswith(
        "chainrule segment: expected one of its commands; got 'find'."
    )
