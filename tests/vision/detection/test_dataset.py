"""chainrule/vision/detection/dataset.py: one result for every format and folder layout."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from chainrule.data.decoding import most_frequent_size
from chainrule.errors import DataError, DataWarning
from chainrule.vision.detection.dataset import (
    drop_unseen_classes,
    find_annotations,
    read_annotations,
    read_boxed_images,
)
from tests.vision.cells import NAMES, cells, coco, shares, yolo
from tests.vision.detection.test_annotations import pictures, voc


def same_boxes(found, m, seed=0):
    wanted = shares(cells(m, seed)[1])
    for boxes, classes, (own, kinds) in zip(found.boxes, found.classes, wanted, strict=True):
        np.testing.assert_allclose(boxes, own, atol=1e-6)
        np.testing.assert_array_equal(classes, kinds)


def error(source, **kwargs):
    with pytest.raises(DataError) as caught:
        find_annotations(source, **kwargs)
    return str(caught.value)


def test_a_coco_file(tmp_path):
    found = find_annotations(coco(tmp_path, 3))
    assert list(found) == ["train"]
    assert found["train"].names == tuple(NAMES)
    same_boxes(found["train"], 3)


def test_a_folder_with_one_json(tmp_path):
    coco(tmp_path, 3)
    same_boxes(find_annotations(tmp_path)["train"], 3)


def test_a_voc_folder_and_its_parent(tmp_path):
    folder = voc(tmp_path)
    for source in (folder, tmp_path):
        assert find_annotations(source)["train"].names == ("cat", "dog")


@pytest.mark.parametrize("names", [("train", "val", "test"), ("training", "valid", "testing")])
def test_sets_in_folders(tmp_path, names):
    for seed, name in enumerate(names):
        yolo(tmp_path / name, 2 + seed, seed)
    (tmp_path / "classes.txt").write_text("\n".join(NAMES))
    found = find_annotations(tmp_path)
    assert {part: len(one) for part, one in found.items()} == {"test": 4, "train": 2, "dev": 3}
    same_boxes(found["dev"], 3, 1)


def test_labels_and_images_in_separate_folders(tmp_path):
    for seed, name in enumerate(("train", "val")):
        yolo(tmp_path / "labels" / name, 2 + seed, seed)
        (tmp_path / "images" / name).mkdir(parents=True)
        for file in (tmp_path / "labels" / name).glob("*.png"):
            shutil.move(file, tmp_path / "images" / name / file.name)
    (tmp_path / "classes.txt").write_text("\n".join(NAMES))
    found = find_annotations(tmp_path)
    same_boxes(found["dev"], 3, 1)
    assert found["dev"].paths[0].parent.name == "val"


def test_all_sets_have_the_class_numbers_of_the_training_set(tmp_path):
    file = coco(tmp_path, 3)
    made = json.loads(file.read_text())
    made["categories"].reverse()
    (tmp_path / "other.json").write_text(json.dumps(made))
    same_boxes(read_annotations(tmp_path / "other.json", names=NAMES), 3)
    assert read_annotations(tmp_path / "other.json").names == ("green", "red")


def test_a_class_that_training_does_not_have(tmp_path):
    file = coco(tmp_path, 3)
    with pytest.raises(DataError) as caught:
        read_annotations(file, names=["red", "blue"])
    assert str(caught.value) == (
        f"{file}: expected one of the 2 listed classes; got 'green'.\n"
        "Try red (did you mean that?); the choices are red, blue."
    )


def test_pixels_at_one_size(tmp_path):
    found = find_annotations(coco(tmp_path, 3))
    boxed = read_boxed_images(found, None, 8)["train"]
    np.testing.assert_array_equal(boxed.X, cells(3)[0])
    assert boxed.Y.shape == (3, 2, 5)
    small = read_boxed_images(found, (16, 24), 8)["train"]
    assert small.X.shape == (3, 16, 24, 3)
    np.testing.assert_array_equal(small.Y, boxed.Y)  # fractions of the image do not change
    assert small.rows([2]).paths == boxed.paths[2:]


def test_the_digest_is_of_pixels_and_boxes(tmp_path):
    file = coco(tmp_path, 3)
    first = read_boxed_images(find_annotations(file), None)["train"].digest
    assert read_boxed_images(find_annotations(file), None)["train"].digest == first
    made = json.loads(file.read_text())
    made["annotations"][0]["category_id"] = 1 - made["annotations"][0]["category_id"]
    file.write_text(json.dumps(made))
    assert read_boxed_images(find_annotations(file), None)["train"].digest != first


def test_classes_without_an_object_are_ignored(tmp_path):
    found = read_boxed_images(find_annotations(coco(tmp_path, 4)), None)["train"]
    Y = found.Y.copy()
    Y[..., 0] = np.where(Y[..., 0] == 1, 2, Y[..., 0])
    three = replace(found, Y=Y, names=("red", "blue", "green"))
    with pytest.warns(DataWarning, match="ignored the classes without any training object: blue"):
        known = drop_unseen_classes({"train": three, "test": three})
    assert known["train"].names == known["test"].names == ("red", "green")
    np.testing.assert_array_equal(known["test"].Y, found.Y)
    assert drop_unseen_classes({"train": found})["train"] is found
    blue = replace(three, Y=np.where(Y == 2, 1, Y))
    with pytest.raises(DataError) as caught:
        drop_unseen_classes({"train": three, "dev": blue})
    assert (
        "the dev set: expected only classes that occur in the training set: red, green; got"
        in str(caught.value)
    )


def test_the_usual_size_keeps_the_proportions(tmp_path):
    paths = sorted(pictures(tmp_path, "ab").iterdir())
    assert most_frequent_size(paths, 320, 8) == ((40, 80), [(40, 80)])
    assert most_frequent_size(paths, 40) == ((20, 40), [(40, 80)])
    assert most_frequent_size(paths, 320, 32)[0] == (32, 64)  # 1.25 and 2.5 cells


def test_paths_without_annotations_are_refused(tmp_path):
    assert error(tmp_path / "no") == (
        f"{tmp_path / 'no'}: expected a .json file (COCO), or a folder of .xml (Pascal VOC) "
        "or .txt (YOLO) files; got no such file or folder.\nTry checking the path."
    )
    (tmp_path / "a.csv").write_text("")
    assert "got a .csv file" in error(tmp_path / "a.csv")
    assert "got only files with suffix .csv" in error(tmp_path)
    for name in "ab":
        (tmp_path / f"{name}.json").write_text("{}")
    assert f"{tmp_path}: expected one .json file; got 2: a.json, b.json." in error(tmp_path)


def test_sets_without_a_training_set_are_read_as_one(tmp_path):
    yolo(tmp_path / "test", 2)
    (tmp_path / "test" / "classes.txt").write_text("\n".join(NAMES))
    assert "got no files" in error(tmp_path)


def test_ignored_regions_follow_their_classes(tmp_path):
    file = coco(tmp_path, 3)
    made = json.loads(file.read_text())
    made["annotations"][0]["iscrowd"] = 1  # red
    made["categories"].reverse()
    file.write_text(json.dumps(made))
    found = read_annotations(file, names=NAMES)
    assert found.ignored[0][:, 0].tolist() == [0]
    assert found.padded()[0, :, 0].tolist() == [-1000, -1]
    boxed = read_boxed_images({"train": found}, None)["train"]
    Y = np.where(boxed.Y == 0, 1, boxed.Y)  # no object of class red is left
    with pytest.warns(DataWarning, match="ignored the classes without any training object: red"):
        known = drop_unseen_classes({"train": replace(boxed, Y=Y)})["train"]
    assert known.names == ("green",)
    assert set(np.unique(known.Y[..., 0])) == {-1, 0}
    Y[0, 0, 0] = -1001
    with pytest.warns(DataWarning):
        known = drop_unseen_classes({"train": replace(boxed, Y=Y)})["train"]
    assert known.Y[0, 0, 0] == -1000  # green is class 0 now
