"""The exports of CVAT, Label Studio and Roboflow, and the folders of COCO-2017."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from chainrule.errors import DataError, DataWarning
from chainrule.vision.detection.dataset import find_annotations
from tests.vision.cells import NAMES, coco
from tests.vision.detection.test_annotations import pictures, voc, yolo
from tests.vision.detection.test_dataset import same_boxes


def refused(source, **how) -> str:
    with pytest.raises(DataError) as caught:
        find_annotations(source, **how)
    return str(caught.value)


# CVAT


def cvat(folder: Path, shapes: str, *, subsets=("", ""), second: str = "two") -> Path:
    pictures(folder / "images")
    size = 'width="80" height="40"'
    (folder / "annotations.xml").write_text(
        "<?xml version='1.0' encoding='utf-8'?>\n<annotations>\n<version>1.1</version>\n<meta>"
        "<task><labels><label><name>dog</name><color>#f00</color></label><label><name>cat</name>"
        "</label></labels></task></meta>\n"
        f'<image id="0" name="one.png" subset="{subsets[0]}" {size}>{shapes}</image>'
        f'\n<image id="1" name="{second}.png" subset="{subsets[1]}" {size}>\n'
        '<box label="dog" xtl="8" ytl="4" xbr="40" ybr="20"/></image>\n</annotations>'
    )
    return folder / "annotations.xml"


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        ('<box label="cat" xtl="8" ytl="4" xbr="40" ybr="20" z_order="0"/>', [0.1, 0.1, 0.5, 0.5]),
        ('<polygon label="cat" points="8,4;40,4;40.0,20"/>', [0.1, 0.1, 0.5, 0.5]),
        (
            '<box label="cat" xtl="8" ytl="16" xbr="24" ybr="24" rotation="90"/>',
            [0.15, 0.3, 0.25, 0.7],
        ),
        ('<ellipse label="cat" cx="40" cy="20" rx="8" ry="4"/>', [0.4, 0.4, 0.6, 0.6]),
        (
            '<mask label="cat" rle="1, 2" left="8" top="4" width="16" height="8"/>',
            [0.1, 0.1, 0.3, 0.3],
        ),
    ],
)
def test_shapes_of_cvat(tmp_path, shape, box):
    file = cvat(tmp_path, shape)
    for source in (tmp_path, file):
        made = find_annotations(source)["train"]
        assert made.names == ("dog", "cat")
        assert [own.tolist() for own in made.classes] == [[1], [0]]
        np.testing.assert_allclose(made.boxes[0], [box], rtol=1e-6)


def test_other_shapes_of_cvat_are_counted(tmp_path):
    cvat(tmp_path, '<points label="cat" points="1,2"/>\n<cuboid label="cat"/>')
    with pytest.warns(DataWarning, match="2 shapes without a box are left out: .*line 5, <points>"):
        assert find_annotations(tmp_path)["train"].classes[0].tolist() == []


def test_subsets_of_cvat(tmp_path):
    shape = '<box label="cat" xtl="8" ytl="4" xbr="40" ybr="20"/>'
    found = find_annotations(cvat(tmp_path, shape, subsets=("Train", "Validation")))
    assert {part: len(one) for part, one in found.items()} == {"train": 1, "dev": 1}
    found = find_annotations(cvat(tmp_path, shape, subsets=("default", "default")))
    assert list(found) == ["train"]


def test_errors_in_a_file_of_cvat(tmp_path):
    shape = '<box label="cat" xtl="8" ytl="4" xbr="40" ybr="20"/>'
    file = cvat(tmp_path, shape, second="one")
    assert (
        f"{file}, line 6: expected an image that occurs only once; got one.png, as in"
        in refused(file)
    )
    file.write_text(file.read_text().replace('id="1"', 'id="0"'))
    assert "line 6: expected an id that no other image has; got 0, as in" in refused(file)
    file = cvat(tmp_path, shape.replace("8", "eight", 1))
    assert "line 5: expected a number as xtl; got 'eight'" in refused(file)
    file = cvat(tmp_path, shape.replace("cat", "bird"))
    assert "line 5: expected one of the 2 listed classes; got 'bird'" in refused(file)
    file.write_text("<annotations><track id='0' label='dog'/></annotations>")
    assert "got the tracks of a video" in refused(file)
    file.write_text("<annotation/>")
    expected = "expected the root element <annotations> of a CVAT file; got <annotation>"
    assert expected in refused(file)


def test_an_export_of_cvat_as_voc(tmp_path):
    voc(tmp_path)
    (tmp_path / "labelmap.txt").write_text("# label:color_rgb:parts:actions\ncat:1,2,3::\n")
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main" / "default.txt").write_text("one\ntwo\n")
    assert find_annotations(tmp_path)["train"].names == ("cat", "dog")


def test_an_export_of_cvat_as_coco(tmp_path):
    coco(tmp_path, 3)
    (tmp_path / "annotations").mkdir()
    shutil.move(tmp_path / "cells.json", tmp_path / "annotations" / "instances_default.json")
    same_boxes(find_annotations(tmp_path)["train"], 3)


# Label Studio


RECTANGLE = {"x": 10, "y": 20, "width": 40, "height": 50, "rotation": 0, "rectanglelabels": ["dog"]}


def task(name: str, *values, **more) -> dict:
    sizes = {"original_width": 80, "original_height": 40}
    result = [{"type": "rectanglelabels", "value": value, **sizes} for value in values]
    return {"data": {"image": name}, "annotations": [{"result": result, **more}]}


def label_studio(folder: Path, tasks: list) -> Path:
    pictures(folder / "images")
    (folder / "project-1.json").write_text(json.dumps(tasks))
    return folder / "project-1.json"


@pytest.mark.parametrize(
    ("value", "box"),
    [
        (RECTANGLE, [0.1, 0.2, 0.5, 0.7]),
        (RECTANGLE | {"rotation": 90}, [-0.15 + 0.1, 0.2, 0.1, 1.0]),
        (
            {"points": [[10, 20], [50, 20], [30, 70]], "polygonlabels": ["dog"]},
            [0.1, 0.2, 0.5, 0.7],
        ),
        (
            {"x": 50, "y": 50, "radiusX": 10, "radiusY": 20, "ellipselabels": ["dog"]},
            [0.4, 0.3, 0.6, 0.7],
        ),
    ],
)
def test_regions_of_label_studio(tmp_path, value, box):
    if value.get("rotation"):  # turned about its upper left corner: 20 wide and 32 high, in pixels
        value = value | {"x": 50}
        box = [0.25, 0.2, 0.5, 1.0]
    file = label_studio(tmp_path, [task("/data/upload/1/one.png", value)])
    made = find_annotations(file)["train"]
    np.testing.assert_allclose(made.boxes[0], [box], rtol=1e-6)
    assert made.names == ("dog",)


@pytest.mark.parametrize(
    "name",
    [
        "/data/upload/1/8ff0b2f4-one.png",
        "/data/local-files/?d=pets/one.png",
        "https://example.org/pets/one.png?token=1",
        "s3://pets/one.png",
        "one.png",
    ],
)
def test_addresses_of_label_studio(tmp_path, name):
    file = label_studio(tmp_path, [task(name, RECTANGLE)])
    assert find_annotations(file)["train"].paths[0].name == "one.png"


def test_the_short_json_of_label_studio(tmp_path):
    label = RECTANGLE | {"original_width": 80, "original_height": 40}
    tasks = [{"image": "/data/upload/1/one.png", "id": 3, "label": [label], "annotator": 1}]
    made = find_annotations(label_studio(tmp_path, tasks))["train"]
    np.testing.assert_allclose(made.boxes[0], [[0.1, 0.2, 0.5, 0.7]])


def test_tasks_and_regions_that_are_left_out_are_counted(tmp_path):
    tasks = [
        task("one.png", RECTANGLE, {"choices": ["good"]}, "broken"),
        {"data": {"image": "two.png"}, "annotations": []},
    ]
    file = label_studio(tmp_path, tasks)
    with pytest.warns(DataWarning) as caught:
        made = find_annotations(file)["train"]
    assert len(made) == 1
    assert [str(one.message).partition(": ")[2] for one in caught] == [
        f"tasks without annotations are left out (1): {file}, [1]",
        f"regions without a box are left out (2): {file}, [0].annotations[0].result[1]; "
        f"{file}, [0].annotations[0].result[2]",
    ]


def test_two_annotations_of_one_task(tmp_path):
    tasks = [task("one.png", RECTANGLE)]
    tasks[0]["annotations"] *= 2
    file = label_studio(tmp_path, tasks)
    assert "[0].annotations: expected one annotation for each task; got 2" in refused(file)
    tasks[0]["annotations"] = [{"result": []}, tasks[0]["annotations"][0] | {"ground_truth": True}]
    assert len(find_annotations(label_studio(tmp_path, tasks))["train"].boxes[0]) == 1


@pytest.mark.parametrize(
    ("tasks", "expected_text"),
    [
        (
            [task("one.png", RECTANGLE), task("a/one.png", RECTANGLE)],
            "[1]: expected an image that occurs only once; got one.png, as in",
        ),
        ([task("one.png", RECTANGLE | {"rectanglelabels": ["a", "b"]})], "expected one label; got"),
        ([task("one.png", RECTANGLE | {"x": None})], "expected x, y, width and height in percent"),
        ([task("text", RECTANGLE)], "[0]: expected the path of one image; got none"),
        ([task("one.png", RECTANGLE | {"rotation": float("inf")})], "expected x, y, width and"),
        ([1], "[0]: expected a task of Label Studio; got 1"),
    ],
)
def test_errors_in_tasks(tmp_path, tasks, expected_text):
    assert expected_text in refused(label_studio(tmp_path, tasks))


def test_an_export_of_label_studio_as_coco(tmp_path):
    file = coco(tmp_path, 3, name="result.json")
    made = json.loads(file.read_text())
    for one in made["images"]:
        one["file_name"] = f"images\\{one['file_name']}"
    file.write_text(json.dumps(made))
    same_boxes(find_annotations(tmp_path)["train"], 3)


# Roboflow and COCO-2017


def test_an_export_of_roboflow_as_coco(tmp_path):
    for seed, name in enumerate(("train", "valid", "test")):
        file = coco(tmp_path / name, 2 + seed, seed, "_annotations.coco.json")
        for image in (tmp_path / name / "images").iterdir():
            shutil.move(image, tmp_path / name / image.name)
        made = json.loads(file.read_text())
        first = {"id": 0, "name": "red", "supercategory": "none"}
        made["categories"] = [first] + [one | {"id": one["id"] + 1} for one in made["categories"]]
        for one in made["annotations"]:
            one["category_id"] += 1
        file.write_text(json.dumps(made))
    (tmp_path / "README.roboflow.txt").write_text("cells")
    found = find_annotations(tmp_path)
    assert found["train"].names == tuple(NAMES)
    same_boxes(found["train"], 2)
    same_boxes(found["dev"], 3, 1)


@pytest.mark.parametrize("where", ["{0}", "images/{0}"])
def test_the_folders_of_coco_2017(tmp_path, where):
    (tmp_path / "annotations").mkdir()
    for seed, name in enumerate(("train2017", "val2017")):
        file = coco(tmp_path / name, 2 + seed, seed, f"instances_{name}.json")
        target = tmp_path / where.format(name)
        shutil.move(file, tmp_path / "annotations" / file.name)
        shutil.move(tmp_path / name / "images", tmp_path / "moved")
        (tmp_path / name).rmdir()
        target.parent.mkdir(exist_ok=True)
        shutil.move(tmp_path / "moved", target)
        for other in ("captions", "person_keypoints"):
            (tmp_path / "annotations" / f"{other}_{name}.json").write_text("{}")
    for source in (tmp_path, tmp_path / "annotations"):
        found = find_annotations(source)
        assert {part: len(one) for part, one in found.items()} == {"train": 2, "dev": 3}
        same_boxes(found["dev"], 3, 1)
    same_boxes(find_annotations(tmp_path / "annotations" / "instances_val2017.json")["train"], 3, 1)
    shutil.copy(
        tmp_path / "annotations" / "instances_train2017.json",
        tmp_path / "annotations" / "instances_train2014.json",
    )
    assert "instances_train2017.json: expected one file for the train set; got" in refused(tmp_path)


# Folders


def test_two_folders_of_one_set_are_refused(tmp_path):
    for name in ("train", "val", "valid"):
        coco(tmp_path / name, 2)
    assert refused(tmp_path) == (
        f"{tmp_path}/valid: expected one folder for the dev set; got valid, as in "
        f"{tmp_path}/val.\nTry keeping one of them."
    )


def test_two_formats_in_one_folder_are_refused(tmp_path):
    labels = voc(tmp_path)
    (labels / "one.txt").write_text("0 0.5 0.5 0.2 0.2")
    assert refused(tmp_path) == (
        f"{labels}: expected annotations in one format; got both one.xml and one.txt.\n"
        "Try keeping the files of one format in the folder."
    )
    labels = yolo(tmp_path / "y")
    coco(labels, 2)
    assert "got both cells.json and one.txt" in refused(labels)


def test_an_archive_is_refused(tmp_path):
    (tmp_path / "export.zip").write_bytes(b"PK")
    assert refused(tmp_path / "export.zip").endswith("got a .zip file.\nTry unpacking it.")


def test_label_files_in_subfolders_are_reported(tmp_path):
    labels = yolo(tmp_path)
    (labels / "more").mkdir()
    (labels / "more" / "two.txt").write_text("0 0.5 0.5 0.2 0.2")
    with pytest.warns(DataWarning, match=r"1 file in a subfolder is left out: .*more/two\.txt"):
        assert len(find_annotations(labels)["train"]) == 2
