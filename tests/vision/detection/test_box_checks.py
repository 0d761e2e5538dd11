"""chainrule/vision/detection/box_checks.py: boxes that are clipped, left out or refused."""

import json

import numpy as np
import pytest

from chainrule.errors import DataError, DataWarning, OptionError
from chainrule.vision.detection.annotations import read_coco, read_voc, read_yolo
from chainrule.vision.detection.box_checks import BoxChecks
from chainrule.vision.detection.dataset import find_annotations
from tests.vision.detection.test_annotations import coco, error, voc, yolo


def test_boxes_slightly_over_the_edge_are_clipped_and_counted(tmp_path):
    objects = {"one": [("dog", (-1, 5, 81, 30)), ("cat", (0, 0, 20, 44))]}
    with pytest.warns(DataWarning) as caught:
        made = read_voc(voc(tmp_path, objects))
    np.testing.assert_allclose(made.boxes[0], [[0, 0.125, 1, 0.75], [0, 0, 0.25, 1]])
    assert str(caught[0].message) == (
        f"{tmp_path}/Annotations: 2 boxes that leave their image slightly are clipped: "
        f"{tmp_path}/Annotations/one.xml, line 6, bndbox: (-1, 5) to (81, 30); "
        f"{tmp_path}/Annotations/one.xml, line 10, bndbox: (0, 0) to (20, 44)"
    )


def test_one_box_of_each_format_is_clipped(tmp_path):
    with pytest.warns(
        DataWarning, match=r"1 box that leaves its image slightly is clipped: .*one\.t"
    ):
        made = read_yolo(yolo(tmp_path / "y", ["0 0.95 0.5 0.2 0.5"]))
    np.testing.assert_allclose(made.boxes[0], [[0.85, 0.25, 1, 0.75]])
    with pytest.warns(
        DataWarning, match=r"1 box .* is clipped: .*annotations\[1\]\.bbox: \(-2, 0\) to"
    ):
        made = read_coco(coco(tmp_path / "c", annotations__1__bbox=[-2, 0, 10, 20]))
    np.testing.assert_allclose(made.boxes[0][1], [0, 0, 0.1, 0.5])


def test_numbers_that_leave_the_image_by_rounding_are_not_reported(tmp_path):
    made = read_yolo(yolo(tmp_path / "y", ["0 0.9 0.5 0.201 1.001"]))
    assert made.boxes[0].max() == 1
    made = read_coco(coco(tmp_path / "c", annotations__1__bbox=[60.01, 0, 20, 20]))
    assert made.boxes[0][1].max() == 1


def test_boxes_without_area_are_left_out_and_counted(tmp_path):
    objects = {"one": [("dog", (10, 5, 10, 30)), ("cat", (0, 0, 20, 10))]}
    with pytest.warns(
        DataWarning, match=r"1 box that has no area is left out: .*line 6, bndbox: \(10"
    ):
        made = read_voc(voc(tmp_path, objects))
    assert made.classes[0].tolist() == [0]
    assert made.names == ("cat", "dog")


def test_one_message_lists_all_invalid_objects_and_the_first_five_in_full(tmp_path):
    lines = [f"0 {5 + i} 0.5 0.2 0.2" for i in range(6)] + ["7 0.5 0.5 0.2 0.2", "0 0.5"]
    labels = yolo(tmp_path, lines)
    message = error(read_yolo, labels)
    assert message.startswith(
        f"{labels}: expected only valid objects in the annotations; got 8 invalid objects:\n"
        f"  {labels}/one.txt, line 1: expected a box inside its image of 1 by 1; got (4.9, 0.4) to"
    )
    assert message.count("one.txt, line") == 5
    assert "\n  and 3 more.\nTry clipping the box" in message


def test_strict_refuses_what_clip_repairs(tmp_path):
    lines = ["0 0.95 0.5 0.2 0.5", "0 0.5 0.5 0 0.2", "0 0.5 0.5 0.2 0.2"]
    labels = yolo(tmp_path, lines)
    with pytest.raises(DataError) as caught:
        find_annotations(labels, boxes="strict")
    assert "got 2 invalid objects" in str(caught.value)
    assert "--boxes clip" in str(caught.value)
    with pytest.warns(DataWarning) as seen:
        assert len(find_annotations(labels)["train"].boxes[0]) == 2
    assert len(seen) == 2


def test_invalid_objects_of_several_files_are_listed_together(tmp_path):
    file = coco(tmp_path, annotations__0__bbox=[0, 0, 500, 5], annotations__1__category_id=99)
    message = error(read_coco, file)
    assert "got 2 invalid objects" in message
    assert "annotations[0].bbox: expected a box inside" in message
    assert "annotations[1].category_id: expected an id from categories; got 99" in message


@pytest.mark.parametrize("box", [[90, 0, 5, 5], [0, 0, 500, 5], [0, -20, 5, 40]])
def test_a_box_far_outside_is_refused(tmp_path, box):
    message = error(read_coco, coco(tmp_path, annotations__0__bbox=box))
    assert "expected a box inside its image of 80 by 40" in message


def test_a_box_that_is_only_outside_is_refused(tmp_path):
    assert "expected a box inside" in error(
        read_coco, coco(tmp_path, annotations__0__bbox=[80, 0, 4, 5])
    )


def test_an_invalid_choice():
    with pytest.raises(OptionError, match="--boxes: expected one of 2 choices; got 'drop'"):
        BoxChecks("drop")


def test_the_box_of_polygons_in_coco(tmp_path):
    file = coco(tmp_path)
    made = json.loads(file.read_text())
    made["annotations"][0] |= {"bbox": [], "segmentation": [[8, 4, 40, 4, 40, 20]]}
    file.write_text(json.dumps(made))
    np.testing.assert_allclose(read_coco(file).boxes[0][0], [0.1, 0.1, 0.5, 0.5])
    made["annotations"][0]["segmentation"] = [[8, 4, 40]]
    file.write_text(json.dumps(made))
    assert "annotations[0].segmentation: expected an even number of" in error(read_coco, file)
