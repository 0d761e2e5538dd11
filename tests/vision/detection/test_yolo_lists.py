"""YOLO: class lists, lines with polygons, data.yaml, obj.data, and exports of other programs."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from chainrule.errors import DataError, DataWarning
from chainrule.vision.detection.annotations import read_yolo
from chainrule.vision.detection.dataset import find_annotations, read_annotations
from tests.vision.cells import NAMES, yolo
from tests.vision.detection.test_annotations import error, pictures
from tests.vision.detection.test_annotations import yolo as one_label
from tests.vision.detection.test_dataset import same_boxes


def separate(folder: Path, m: int, seed: int = 0) -> None:
    """Write `folder/images` and `folder/labels`."""
    yolo(folder / "images", m, seed)
    (folder / "labels").mkdir()
    for file in sorted((folder / "images").glob("*.txt")):
        shutil.move(file, folder / "labels" / file.name)


def refused(source, **how) -> str:
    with pytest.raises(DataError) as caught:
        find_annotations(source, **how)
    return str(caught.value)


# Lists of classes


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbfcat\ndog\n", b"cat\r\ndog\r\n", b"cat\ndog\n\n\n", b"cat  \n dog"],
)
def test_a_class_list_with_a_mark_or_blanks(tmp_path, content):
    labels = one_label(tmp_path)
    (tmp_path / "classes.txt").write_bytes(content)
    made = read_yolo(labels)
    assert made.names == ("cat", "dog")
    assert made.classes[0].tolist() == [1, 0]


def test_a_blank_line_does_not_shift_classes(tmp_path):
    labels = one_label(tmp_path, ["0 0.5 0.5 0.2 0.2", "2 0.5 0.5 0.2 0.2"])
    (tmp_path / "classes.txt").write_text("cat\n\ndog\n")
    made = read_yolo(labels)
    assert [made.names[i] for i in made.classes[0]] == ["cat", "dog"]
    (labels / "one.txt").write_text("1 0.5 0.5 0.2 0.2")
    assert error(read_yolo, labels) == (
        f"{labels}/one.txt, line 1: expected a class number from 0 to 2; got 1, whose line in the "
        "list of classes is blank.\nTry adding its name to classes.txt."
    )


@pytest.mark.parametrize("name", ["obj.names", "_darknet.labels"])
def test_other_names_of_the_class_list(tmp_path, name):
    labels = one_label(tmp_path)
    shutil.move(tmp_path / "classes.txt", labels / name)
    assert read_yolo(labels).names == ("cat", "dog")
    (labels / "classes.txt").write_text("dog\ncat")
    assert "expected one list of classes; got two that differ: classes.txt and" in error(
        read_yolo, labels
    )


def test_a_label_file_with_a_mark(tmp_path):
    labels = one_label(tmp_path)
    (labels / "one.txt").write_bytes(b"\xef\xbb\xbf1 0.5 0.5 0.5 0.5\r\n\r\n")
    assert read_yolo(labels).classes[0].tolist() == [1]


# Lines


@pytest.mark.parametrize(
    ("line", "box"),
    [
        ("0 0.1 0.2 0.5 0.2 0.5 0.6", [0.1, 0.2, 0.5, 0.6]),
        ("0 0.3 0.1 0.5 0.4 0.3 0.7 0.1 0.4", [0.1, 0.1, 0.5, 0.7]),
        ("0 0.5 0.5 0.2 0.4", [0.4, 0.3, 0.6, 0.7]),
    ],
)
def test_polygons_and_boxes(tmp_path, line, box):
    np.testing.assert_allclose(read_yolo(one_label(tmp_path, [line])).boxes[0], [box])


def test_a_sixth_column_is_reported(tmp_path):
    labels = one_label(tmp_path, ["0 0.5 0.5 0.2 0.4 0.93", "1 0.5 0.5 0.2 0.4 0.5"])
    with pytest.warns(
        DataWarning, match="the sixth value of 2 lines, a confidence, is ignored: .*one"
    ):
        made = read_yolo(labels)
    np.testing.assert_allclose(made.boxes[0], [[0.4, 0.3, 0.6, 0.7]] * 2)


@pytest.mark.parametrize("line", ["0 0.1 0.2 0.5", "0 0.1 0.2 0.5 0.2 0.5 0.6 0.7", "dog 0 0 1 1"])
def test_lines_that_are_neither(tmp_path, line):
    assert "expected five numbers" in error(read_yolo, one_label(tmp_path, [line]))


# data.yaml


def roboflow(folder: Path, prefix: str = "../") -> Path:
    for seed, name in enumerate(("train", "valid", "test")):
        separate(folder / name, 2 + seed, seed)
    (folder / "README.roboflow.txt").write_text("Exported by Roboflow\n")
    (folder / "data.yaml").write_text(
        f"train: {prefix}train/images\nval: {prefix}valid/images\ntest: {prefix}test/images\n\n"
        "nc: 2\nnames: ['red', 'green']\n\nroboflow:\n  license: CC BY 4.0\n"
    )
    return folder / "data.yaml"


@pytest.mark.parametrize("prefix", ["../", "", "/content/cells-1/"])
def test_an_export_of_roboflow(tmp_path, prefix):
    file = roboflow(tmp_path, prefix)
    for source in (file, tmp_path):
        found = find_annotations(source)
        assert {part: len(one) for part, one in found.items()} == {"train": 2, "dev": 3, "test": 4}
        assert found["train"].names == tuple(NAMES)
        same_boxes(found["dev"], 3, 1)
    assert len(read_annotations(tmp_path, part="test", names=NAMES[::-1])) == 4


def test_names_as_a_mapping_with_a_path(tmp_path):
    for seed, name in enumerate(("train", "val")):
        yolo(tmp_path / "cells" / "images" / name, 2 + seed, seed)
        (tmp_path / "cells" / "labels" / name).mkdir(parents=True)
        for label in (tmp_path / "cells" / "images" / name).glob("*.txt"):
            shutil.move(label, tmp_path / "cells" / "labels" / name / label.name)
    file = tmp_path / "cells.yaml"
    file.write_text(
        "path: cells  # the root\ntrain: images/train\nval:\n  - images/val\ntest:\n"
        "names:\n  0: red\n  1: green\n"
    )
    found = find_annotations(file)
    assert list(found) == ["train", "dev"]
    same_boxes(found["train"], 2)
    same_boxes(found["dev"], 3, 1)


def test_class_names_stay_text(tmp_path):
    separate(tmp_path, 2)
    (tmp_path / "data.yaml").write_text("train: images\nnames: [no, 1.10]\n")
    assert find_annotations(tmp_path)["train"].names == ("no", "1.10")
    (tmp_path / "data.yaml").write_text("train: images\nnames:\n  - red\n  -\n  - green\nnc: 3\n")
    assert "got 1, whose line in the list of classes is blank" in refused(tmp_path)


def test_lists_of_images(tmp_path):
    separate(tmp_path / "data", 3)
    lines = [f"./data/images/{i}.png" for i in range(3)]
    (tmp_path / "train.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "data.yaml").write_text("train: train.txt\nnames: [red, green]\n")
    same_boxes(find_annotations(tmp_path)["train"], 3)
    (tmp_path / "train.txt").write_text("\n".join([*lines, lines[0]]))
    assert refused(tmp_path).startswith(
        f"{tmp_path}/train.txt, line 4: expected an image that occurs only once; got 0.png, as in "
        f"{tmp_path}/train.txt, line 1."
    )


def test_keypoints_after_the_box(tmp_path):
    labels = one_label(tmp_path, ["0 0.5 0.5 0.2 0.4 0.5 0.5 2 0.6 0.6 1"])
    (labels.parent / "data.yaml").write_text(
        "train: images\nnames: [person]\nkpt_shape: [2, 3]\n", encoding="utf-8-sig"
    )
    made = find_annotations(labels.parent)["train"]
    np.testing.assert_allclose(made.boxes[0], [[0.4, 0.3, 0.6, 0.7]])


def test_a_set_that_is_listed_but_missing(tmp_path):
    file = roboflow(tmp_path)
    shutil.rmtree(tmp_path / "test")
    with pytest.warns(
        DataWarning, match=r"data\.yaml, test: the test set is left out: there is no"
    ):
        assert list(find_annotations(file)) == ["train", "dev"]
    shutil.rmtree(tmp_path / "train")
    assert "data.yaml, train: expected the images ../train/images; got no such" in refused(file)


def test_the_images_of_another_set_are_not_taken(tmp_path):
    """`images` alone would be all images, not those of the dev set."""
    separate(tmp_path, 3)
    text = "train: images\nval: ../val/images\nnames: [red, green]\n"
    (tmp_path / "data.yaml").write_text(text)
    with pytest.warns(DataWarning, match="the dev set is left out"):
        assert list(find_annotations(tmp_path)) == ["train"]


@pytest.mark.parametrize(
    ("text", "expected_text"),
    [
        (
            "names: [a, b]\ntrain: x\nnames: [b, a]\n",
            "line 3: expected each key once; got 'names', ",
        ),
        ("names: [a, a]\ntrain: .\n", "names[1]: expected a unique name; got 'a', as in"),
        ("names: [a, b]\nnc: 3\ntrain: .\n", "nc: expected 2, the number of names; got 3"),
        ("names: 3\ntrain: .\n", "names: expected a list of class names"),
        ("names: [a\ntrain: .\n", "line 2: expected valid YAML; got an error in the file ("),
        ("names: [a]\ntrain: {a: b}\n", "train: expected a path, or a list of paths; got"),
        (
            "names: [a]\ntrain: a\0b\n",
            "expected text in UTF-8; got a zero byte",
        ),
        ("names: [a]\nval: .\nvalid: .\ntrain: .\n", "valid: expected one entry for the dev set"),
    ],
)
def test_a_data_yaml_with_errors(tmp_path, text, expected_text):
    (tmp_path / "data.yaml").write_text(text)
    assert expected_text in refused(tmp_path / "data.yaml")


def test_labels_without_an_image(tmp_path):
    file = roboflow(tmp_path)
    (tmp_path / "train" / "labels" / "other.txt").write_text("0 0.5 0.5 0.1 0.1")
    assert "other.txt: expected its image other; got no such image in" in refused(file)


# Darknet, CVAT, Label Studio


def test_an_export_of_cvat_for_darknet(tmp_path):
    yolo(tmp_path / "obj_train_data", 3)
    (tmp_path / "obj.names").write_text("red\ngreen\n")
    (tmp_path / "train.txt").write_text("".join(f"data/obj_train_data/{i}.png\n" for i in range(3)))
    (tmp_path / "obj.data").write_text(
        "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n"
    )
    same_boxes(find_annotations(tmp_path)["train"], 3)
    same_boxes(find_annotations(tmp_path / "obj.data")["train"], 3)
    (tmp_path / "images").mkdir()  # exported without images
    for image in (tmp_path / "obj_train_data").glob("*.png"):
        shutil.move(image, tmp_path / "images" / image.name)
    same_boxes(find_annotations(tmp_path, images=tmp_path / "images")["train"], 3)


def test_an_export_of_cvat_for_ultralytics(tmp_path):
    yolo(tmp_path / "images" / "train", 3)
    (tmp_path / "labels" / "train").mkdir(parents=True)
    for label in (tmp_path / "images" / "train").glob("*.txt"):
        shutil.move(label, tmp_path / "labels" / "train" / label.name)
    (tmp_path / "train.txt").write_text("".join(f"data/images/train/{i}.png\n" for i in range(3)))
    (tmp_path / "data.yaml").write_text("names:\n  0: red\n  1: green\npath: .\ntrain: train.txt\n")
    same_boxes(find_annotations(tmp_path)["train"], 3)


def test_an_export_of_label_studio_for_yolo(tmp_path):
    separate(tmp_path, 3)
    (tmp_path / "classes.txt").write_text("red\ngreen\n")
    (tmp_path / "notes.json").write_text('{"categories": [], "info": {}}')
    same_boxes(find_annotations(tmp_path)["train"], 3)


def test_darknet_folders_of_roboflow(tmp_path):
    for seed, name in enumerate(("train", "valid")):
        yolo(tmp_path / name, 2 + seed, seed)
        (tmp_path / name / "_darknet.labels").write_text("red\ngreen\n")
    (tmp_path / "README.dataset.txt").write_text("cells\n")
    found = find_annotations(tmp_path)
    same_boxes(found["train"], 2)
    same_boxes(found["dev"], 3, 1)


def test_lists_beside_labels_are_not_labels(tmp_path):
    labels = one_label(tmp_path)
    for name in ("train.txt", "README.txt", "labels.txt"):
        (labels / name).write_text("images/one.png\n")
    assert len(read_yolo(labels)) == 2
    pictures(tmp_path / "images", ["train"])
    assert "train.txt, line 1: expected five numbers" in error(read_yolo, labels)
