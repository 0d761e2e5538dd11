"""chainrule/data/annotations*.py: three file formats, one result, and their errors."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.errors import DataError, OptionError
from chainrule.vision.detection.annotations import Annotations, read_coco, read_voc, read_yolo
from chainrule.vision.detection.box_checks import BoxChecks

NAMES = ["cat", "dog"]
OBJECTS = {"one": [("dog", (10, 5, 40, 30)), ("cat", (0, 0, 20, 10))], "two": []}
"""By image: class and corners in pixels; all images are 80 wide and 40 high."""


def pictures(folder: Path, names=("one", "two")) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (80, 40)).save(folder / f"{name}.png")
    return folder


def xml(name, objects) -> str:
    lines = [f"<annotation>\n<filename>{name}.png</filename>"]
    lines += ["<size><width>80</width><height>40</height><depth>3</depth></size>"]
    for kind, box in objects:
        tags = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
        inside = "".join(f"<{tag}>{number}</{tag}>" for tag, number in tags)
        lines += [f"<object>\n<name>{kind}</name>\n<bndbox>{inside}</bndbox>\n</object>"]
    return "\n".join([*lines, "</annotation>"])


def voc(folder: Path, objects=OBJECTS) -> Path:
    pictures(folder / "JPEGImages")
    (folder / "Annotations").mkdir()
    for name, own in objects.items():
        (folder / "Annotations" / f"{name}.xml").write_text(xml(name, own))
    return folder / "Annotations"


def coco(folder: Path, **changes) -> Path:
    pictures(folder / "images")
    images = [
        {"id": 10 + i, "file_name": f"{name}.png", "width": 80, "height": 40}
        for i, name in enumerate(OBJECTS)
    ]
    annotations = [
        {"image_id": 10 + i, "category_id": 5 + NAMES.index(kind), "bbox": [x, y, u - x, v - y]}
        for i, own in enumerate(OBJECTS.values())
        for kind, (x, y, u, v) in own
    ]
    categories = [{"id": 5 + i, "name": name} for i, name in enumerate(NAMES)]
    made = {"images": images, "annotations": annotations, "categories": categories}
    for path, value in changes.items():
        name, i, field = path.split("__")
        made[name][int(i)][field] = value
    (folder / "all.json").write_text(json.dumps(made, indent=1))
    return folder / "all.json"


def yolo(folder: Path, lines=None, names=("one", "two")) -> Path:
    pictures(folder / "images", names)
    labels = folder / "labels"
    labels.mkdir()
    if lines is None:
        lines = [
            f"{NAMES.index(kind)} {(x + u) / 160} {(y + v) / 80} {(u - x) / 80} {(v - y) / 40}"
            for kind, (x, y, u, v) in OBJECTS["one"]
        ]
    (labels / "one.txt").write_text("\n".join(lines) + "\n")
    (folder / "classes.txt").write_text("\n".join(NAMES))
    return labels


def error(read, *args, **kwargs) -> str:
    with pytest.raises(DataError) as caught:
        read(*args, **kwargs)
    return str(caught.value)


# ---- by hand


@pytest.mark.parametrize(("write", "read"), [(voc, read_voc), (coco, read_coco), (yolo, read_yolo)])
def test_three_formats_give_the_same_annotations(tmp_path, write, read):
    made = read(write(tmp_path))
    assert [path.name for path in made.paths] == ["one.png", "two.png"]
    assert made.names == ("cat", "dog")
    assert [own.tolist() for own in made.classes] == [[1, 0], []]
    want = [[0.125, 0.125, 0.5, 0.75], [0, 0, 0.25, 0.25]]
    np.testing.assert_allclose(made.boxes[0], want, rtol=1e-6)
    assert made.boxes[1].shape == (0, 4)
    Y = made.padded()
    assert Y.shape == (2, 2, 5)
    np.testing.assert_allclose(Y[0, 0], [1, 0.125, 0.125, 0.5, 0.75])
    assert Y[1, :, 0].tolist() == [-1, -1]


def test_a_crowd_is_an_ignored_region(tmp_path):
    made = read_coco(coco(tmp_path / "1", annotations__0__iscrowd=1))
    assert made.classes[0].tolist() == [0]
    np.testing.assert_allclose(made.ignored[0], [[1, 0.125, 0.125, 0.5, 0.75]])
    assert made.ignored[1].shape == (0, 5)
    assert made.padded()[0, :, 0].tolist() == [0, -1001]  # −1000 − c
    assert read_coco(coco(tmp_path / "2", annotations__0__ignore=1)).classes[0].tolist() == [0]


@pytest.mark.parametrize(
    ("mark", "classes"), [("1", [0]), (True, [0]), ("0", [1, 0]), (0.5, None), ("crowd", None)]
)
def test_marks_of_crowds(tmp_path, mark, classes):
    file = coco(tmp_path, annotations__0__iscrowd=mark)
    if classes is None:
        assert "annotations[0].iscrowd: expected 0 or 1; got" in error(read_coco, file)
    else:
        assert read_coco(file).classes[0].tolist() == classes


@pytest.mark.parametrize(
    ("text", "classes"),
    [("1", [0]), (" true ", [0]), ("0", [1, 0]), ("", [1, 0]), ("Unspecified", [1, 0])],
)
def test_a_difficult_object_is_an_ignored_region(tmp_path, text, classes):
    made = read_voc(difficult(tmp_path, text))
    assert made.classes[0].tolist() == classes
    assert bool(made.ignored) == (classes == [0])


def test_a_difficult_object_that_is_neither_0_nor_1(tmp_path):
    message = error(read_voc, difficult(tmp_path, "2"))
    assert "line 5: expected 0 or 1 in <difficult>; got '2'" in message


def difficult(folder, text):
    folder = voc(folder)
    file = folder / "one.xml"
    marked = f"<difficult>{text}</difficult>\n<name>dog</name>"
    file.write_text(file.read_text().replace("<name>dog</name>", marked))
    return folder


def test_rounding_past_the_edge_is_clipped(tmp_path):
    made = read_yolo(yolo(tmp_path, ["0 0.9 0.5 0.2000004 1.0000002"]))
    np.testing.assert_allclose(made.boxes[0], [[0.8, 0, 1, 1]], atol=1e-6)
    assert made.boxes[0].max() == 1


def test_names_decide_the_order_of_the_classes(tmp_path):
    assert read_voc(voc(tmp_path), names=["dog", "cat"]).classes[0].tolist() == [0, 1]


# ---- error messages


def test_a_box_outside_its_image(tmp_path):
    folder = voc(tmp_path / "v", {"one": [("dog", (10, 5, 810, 30))]})
    assert error(read_voc, folder) == (
        f"{folder}/one.xml, line 6, bndbox: expected a box inside its image of 80 by 40; got "
        "(10, 5) to (810, 30).\nTry clipping the box to the image, if it is the right image."
    )
    file = coco(tmp_path / "c", annotations__1__bbox=[-10, 0, 15, 5])
    assert f"{file}, annotations[1].bbox: expected a box inside" in error(read_coco, file)
    folder = yolo(tmp_path / "y", ["0 0.5 0.5 0.2 0.2", "", "1 1.05 0.5 0.2 0.2"])
    assert f"{folder}/one.txt, line 3: expected a box inside" in error(read_yolo, folder)


def test_a_box_without_an_area(tmp_path):
    folder = voc(tmp_path / "v", {"one": [("dog", (10, 5, 10, 30))]})
    message = error(read_voc, folder, checks=BoxChecks("strict"))
    assert "bndbox: expected a box with an area: x1 < x2" in message
    folder = voc(tmp_path / "w", {"one": [("dog", (40, 5, 10, 30))]})
    assert error(read_voc, folder).endswith("Try swapping its corners.")
    file = coco(tmp_path / "c", annotations__0__bbox=[1, 1, 5, 0])
    message = error(read_coco, file, checks=BoxChecks("strict"))
    assert "annotations[0].bbox: expected a box with an area" in message
    folder = yolo(tmp_path / "y", ["0 0.5 0.5 0 0.2"])
    message = error(read_yolo, folder, checks=BoxChecks("strict"))
    assert "line 1: expected a box with an area" in message


def test_an_unknown_class(tmp_path):
    folder = voc(tmp_path / "v")
    assert (
        "one.xml, line 4: expected one of the 2 listed classes; got 'dog'.\nTry dogs (did you"
        in error(read_voc, folder, names=["cat", "dogs"])
    )
    file = coco(tmp_path / "c", annotations__0__category_id=9)
    assert error(read_coco, file) == (
        f"{file}, annotations[0].category_id: expected an id from categories; got 9.\n"
        "Try an id from categories, such as 5, 6."
    )
    folder = yolo(tmp_path / "y", ["2 0.5 0.5 0.2 0.2"])
    assert "one.txt, line 1: expected a class number from 0 to 1; got 2" in error(read_yolo, folder)


def test_an_annotation_without_its_image(tmp_path):
    folder = voc(tmp_path / "v")
    (tmp_path / "v" / "JPEGImages" / "two.png").unlink()
    actual_text = error(read_voc, folder)
    assert (
        f"{folder}/two.xml, line 1: expected its image two.png; got no such file in" in actual_text
    )
    assert "Try --images FOLDER" in actual_text
    file = coco(tmp_path / "c", annotations__0__image_id=3)
    assert "annotations[0].image_id: expected an id from images; got 3" in error(read_coco, file)
    file = coco(tmp_path / "d", images__1__file_name="three.png")
    assert "images[1]: expected its image three.png" in error(read_coco, file)
    folder = yolo(tmp_path / "y", names=("two",))
    assert "one.txt: expected its image one.png" in error(read_yolo, folder)


def test_an_image_of_another_size(tmp_path):
    folder = voc(tmp_path / "v")
    Image.new("RGB", (40, 80)).save(tmp_path / "v" / "JPEGImages" / "one.png")
    actual_text = error(read_voc, folder)
    assert "line 3: expected the size of one.png, 40 by 80; got 80 by 40" in actual_text
    file = coco(tmp_path / "c", images__0__width=81)
    assert "images[0]: expected the size of one.png, 80 by 40; got 81 by 40" in error(
        read_coco, file
    )


def test_a_truncated_file(tmp_path):
    folder = voc(tmp_path / "v")
    file = folder / "one.xml"
    file.write_text(file.read_text()[:-40])
    assert f"{file}, line 10: expected valid XML; got an error in the file (" in error(
        read_voc, folder
    )
    file = coco(tmp_path / "c")
    file.write_text(file.read_text()[:-40])
    assert f"{file}: expected valid JSON; got text that is not valid JSON (" in error(
        read_coco, file
    )
    folder = yolo(tmp_path / "y", ["0 0.5 0.5 0.2 0.2", "1 0.5 0.5"])
    assert error(read_yolo, folder) == (
        f"{folder}/one.txt, line 2: expected five numbers: class, b_x, b_y, b_w, b_h; got 3 "
        "values.\n"
        "Try a line such as 0 0.51 0.40 0.20 0.35."
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_before_they_are_read(tmp_path, encoding):
    folder = voc(tmp_path)
    bomb = '<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c SYSTEM "file:///etc/hostname">]>\n'
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n{bomb}{xml("&c;", [])}'
    (folder / "one.xml").write_bytes(text.encode(encoding))
    assert error(read_voc, folder) == (
        f"{folder}/one.xml, line 2: expected an annotation without a document type; got "
        "<!DOCTYPE, which may declare entities.\nTry removing the <!DOCTYPE …> declaration."
    )


@pytest.mark.parametrize(
    ("old", "new", "expected_text"),
    [
        ("<name>dog</name>", "", "line 4: expected <name> in <object>; got none"),
        ("<name>dog</name>", "<name> </name>", "line 5: expected text in <name>"),
        ("<xmin>10</xmin>", "<xmin>ten</xmin>", "line 6: expected a number in <xmin>; got 'ten'"),
        ("<xmin>10</xmin>", "<xmin>nan</xmin>", "line 6: expected a number in <xmin>; got 'nan'"),
        ("<width>80</width>", "<width>-80</width>", "a number of pixels in <width>; got -80"),
    ],
)
def test_a_field_that_is_missing_or_empty(tmp_path, old, new, expected_text):
    folder = voc(tmp_path)
    file = folder / "one.xml"
    file.write_text(file.read_text().replace(old, new))
    assert expected_text in error(read_voc, folder)


@pytest.mark.parametrize(
    ("text", "expected_text"),
    [
        ("[]", "expected an object with images, annotations, categories; got a list"),
        ('{"images": [], "annotation": []}', "Try annotation (did you mean that?)"),
        (
            '{"images": [3], "annotations": [], "categories": []}',
            "images[0].id: expected a whole number or a string",
        ),
        ('{"images": [], "annotations": [], "categories": []}', "expected annotated images"),
    ],
)
def test_a_json_file_with_other_content(tmp_path, text, expected_text):
    (tmp_path / "all.json").write_text(text)
    assert expected_text in error(read_coco, tmp_path / "all.json")


@pytest.mark.parametrize("number", [10**400, float("inf"), float("nan"), 10**30])
def test_numbers_that_are_too_large(tmp_path, number):
    file = coco(tmp_path / "a", annotations__0__bbox=[0, 0, number, 5])
    assert "annotations[0].bbox: expected " in error(read_coco, file)
    file = coco(tmp_path / "b", images__0__width=number)
    assert "images[0]" in error(read_coco, file)


def test_a_box_of_three_numbers(tmp_path):
    file = coco(tmp_path, annotations__0__bbox=[1, 2, 3])
    assert error(read_coco, file) == (
        f"{file}, annotations[0].bbox: expected four numbers: x, y, width, height; got [1, 2, 3].\n"
        "Try writing the four numbers in pixels."
    )


def test_folders_without_annotations(tmp_path):
    assert "expected .xml files; got none" in error(read_voc, tmp_path)
    assert "expected a folder of .xml files; got no such folder" in error(read_voc, tmp_path / "a")
    labels = yolo(tmp_path)
    (tmp_path / "classes.txt").unlink()
    assert "expected the names of the classes; got no classes.txt" in error(read_yolo, labels)
    assert read_yolo(labels, names=NAMES).names == ("cat", "dog")


def test_padding_smaller_than_the_number_of_objects():
    boxes = np.array([[0.0, 0, 1, 1], [0, 0, 0.5, 1]])
    made = Annotations((Path("a.png"),), (boxes,), (np.array([0, 1]),), ("a", "b"))
    with pytest.raises(
        OptionError, match="at least 2, the number of objects in one of the images; got 1"
    ):
        made.padded(1)
