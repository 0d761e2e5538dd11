"""chainrule/vision/detection/image_files.py: the image of an annotation, and no other one."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from chainrule.errors import DataWarning
from chainrule.vision.detection.annotations import read_coco, read_voc, read_yolo
from tests.vision.detection.test_annotations import coco, error, pictures, voc, xml, yolo


def renamed(folder, name, suffix=".png"):
    """Return a data set of Pascal VOC whose image one.png has another name."""
    labels = voc(folder, {"one": [("dog", (10, 5, 40, 30))]})
    path = folder / "JPEGImages" / name
    path.parent.mkdir(exist_ok=True)
    shutil.move(folder / "JPEGImages" / "one.png", path)
    return labels


def named(labels, name):
    """Write another <filename>."""
    file = labels / "one.xml"
    file.write_text(file.read_text().replace("one.png", name))
    return labels


def test_a_frame_is_not_the_image_of_another_name(tmp_path):
    labels = named(renamed(tmp_path, "frame.png"), "frame.000")
    assert "expected its image frame.000; got no such file" in error(read_voc, labels)
    shutil.copy(tmp_path / "JPEGImages" / "frame.png", tmp_path / "JPEGImages" / "frame.000.png")
    assert read_voc(labels).paths[0].name == "frame.000.png"


def test_a_label_with_a_dot_in_its_name(tmp_path):
    labels = yolo(tmp_path, names=("one", "two"))
    shutil.move(labels / "one.txt", labels / "frame.000.txt")
    shutil.move(tmp_path / "images" / "one.png", tmp_path / "images" / "frame.png")
    assert "expected its image frame.000.png, or one with another suffix" in error(
        read_yolo, labels
    )
    shutil.move(tmp_path / "images" / "frame.png", tmp_path / "images" / "frame.000.png")
    assert len(read_yolo(labels).boxes[0]) == 2


@pytest.mark.parametrize("suffix", [".PNG", ".Png"])
def test_suffixes_compare_without_case(tmp_path, suffix):
    labels = yolo(tmp_path / "y")
    images = tmp_path / "y" / "images"
    shutil.move(images / "one.png", images / f"one{suffix}")
    assert read_yolo(labels).paths[0].name == f"one{suffix}"
    assert read_voc(renamed(tmp_path / "v", f"one{suffix}")).paths[0].name == f"one{suffix}"
    file = coco(tmp_path / "c", images__0__file_name=f"one{suffix}")
    assert read_coco(file).paths[0].name == "one.png"


def test_the_exact_name_wins(tmp_path):
    labels = voc(tmp_path)
    images = tmp_path / "JPEGImages"
    for other in ("one.PNG", "one.jpg", "one.bmp"):
        Image.new("RGB", (80, 40), "red").save(images / other)
    assert read_voc(labels).paths[0].name == "one.png"
    (images / "one.png").unlink()
    assert read_voc(labels).paths[0].name == "one.PNG"


def test_two_images_of_one_name_are_refused(tmp_path):
    labels = yolo(tmp_path)
    Image.new("RGB", (80, 40), "red").save(tmp_path / "images" / "one.jpg")
    message = error(read_yolo, labels)
    assert f"{labels}/one.txt: expected one image one; got 2 different files: " in message
    assert "one.jpg, " in message
    assert "one.png" in message


def test_two_folders_with_different_images_of_one_name_are_refused(tmp_path):
    file = coco(tmp_path)
    shutil.copy(tmp_path / "images" / "one.png", tmp_path / "one.png")
    assert len(read_coco(file)) == 2  # equal content
    Image.new("RGB", (80, 40), "red").save(tmp_path / "one.png")
    assert "images[0]: expected one image one.png; got 2 different files" in error(read_coco, file)
    assert len(read_coco(file, images=tmp_path / "images")) == 2


def test_the_images_of_another_data_set_above_are_not_looked_at(tmp_path):
    file = coco(tmp_path / "more")
    pictures(tmp_path / "images")
    Image.new("RGB", (80, 40), "red").save(tmp_path / "images" / "one.png")
    path = read_coco(file).paths[0]
    assert path.resolve() == (tmp_path / "more" / "images" / "one.png").resolve()


def test_an_image_that_was_converted_is_reported(tmp_path):
    labels = voc(tmp_path)
    Image.new("RGB", (80, 40)).save(tmp_path / "JPEGImages" / "one.jpg")
    (tmp_path / "JPEGImages" / "one.png").unlink()
    with pytest.warns(DataWarning, match="1 image has a suffix that differs from the annotations"):
        assert read_voc(labels).paths[0].name == "one.jpg"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("my%20dog%26cat.png", "my dog&cat.png"),
        ("images\\one.png", "one.png"),
        ("C:\\Users\\me\\pets\\one.png", "one.png"),
        ("/home/me/pets/one.png", "one.png"),
        ("images\\a%20b\\one.png", "a b/one.png"),
        ("100%.png", "100%.png"),
        ("my%20dog.png", "my%20dog.png"),
    ],
)
def test_paths_of_other_machines(tmp_path, written, name):
    labels = named(renamed(tmp_path, name), written.replace("&", "&amp;"))
    assert read_voc(labels).paths[0] == (tmp_path / "JPEGImages" / name) or read_voc(labels).paths[
        0
    ].resolve() == (tmp_path / "JPEGImages" / name)


def test_hidden_files_are_not_images(tmp_path):
    labels = yolo(tmp_path)
    (tmp_path / "images" / "._one.png").write_bytes(b"")
    (labels / "._one.txt").write_bytes(b"\x00\x05")
    assert len(read_yolo(labels)) == 2


def test_a_name_that_no_file_can_have(tmp_path):
    labels = named(voc(tmp_path), "x" * 5000)
    assert "no such file in" in error(read_voc, labels)


@pytest.mark.parametrize("size", ["", "<size><width>0</width><height>0</height></size>"])
def test_a_missing_size_is_read_from_the_image(tmp_path, size):
    labels = voc(tmp_path)
    old = "<size><width>80</width><height>40</height><depth>3</depth></size>"
    (labels / "one.xml").write_text((labels / "one.xml").read_text().replace(old, size))
    np.testing.assert_allclose(read_voc(labels).boxes[0][0], [0.125, 0.125, 0.5, 0.75])


@pytest.mark.parametrize("width", [None, 0, 80.0, "80", "80.0", ""])
def test_sizes_in_coco(tmp_path, width):
    made = read_coco(coco(tmp_path, images__0__width=width))
    np.testing.assert_allclose(made.boxes[0][0], [0.125, 0.125, 0.5, 0.75])


@pytest.mark.parametrize("width", [-80, "wide", True, [80]])
def test_sizes_that_are_none(tmp_path, width):
    file = coco(tmp_path, images__0__width=width)
    assert "images[0].width: expected a number of pixels" in error(read_coco, file)


def test_a_float_size_in_voc(tmp_path):
    labels = voc(tmp_path)
    text = (labels / "one.xml").read_text().replace("<width>80</width>", "<width>80.0</width>")
    (labels / "one.xml").write_text(text)
    assert len(read_voc(labels).boxes[0]) == 2


# Keys that must be unique


def test_two_coco_images_with_one_id(tmp_path):
    file = coco(tmp_path, images__1__id=10)
    assert error(read_coco, file) == (
        f"{file}, images[1].id: expected an id that no other image has; got 10, as in {file}, "
        "images[0].id.\nTry giving each entry a unique id."
    )


def test_two_coco_entries_for_one_image(tmp_path):
    file = coco(tmp_path, images__1__file_name="one.png")
    message = error(read_coco, file)
    assert "images[1]: expected an image that occurs only once; got one.png, as in" in message
    assert "images[0]." in message


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"categories__1__id": 5}, "categories[1].id: expected an id that no other category has"),
        ({"categories__1__name": "cat"}, "categories[1]: expected a unique name; got 'cat'"),
        ({"annotations__0__id": 3, "annotations__1__id": 3}, "annotations[1].id: expected an id"),
        ({"images__0__id": "10", "images__1__id": 10}, "images[1].id: expected an id that no"),
    ],
)
def test_other_keys_of_coco(tmp_path, change, place):
    file = coco(tmp_path)
    made = json.loads(file.read_text())
    for path, value in change.items():
        name, i, key = path.split("__")
        made[name][int(i)][key] = value
    if "categories__1__id" in change:
        made["annotations"][0]["category_id"] = 5
    file.write_text(json.dumps(made))
    assert place in error(read_coco, file)


def test_a_key_that_occurs_twice_in_a_json_object(tmp_path):
    file = coco(tmp_path)
    file.write_text(file.read_text().replace('"file_name"', '"id": 3, "file_name"', 1))
    assert error(read_coco, file) == (
        f"{file}: expected valid JSON; got the key 'id' twice in one object.\n"
        "Try exporting the annotations again."
    )


def test_voc_files_that_name_one_image(tmp_path):
    labels = voc(tmp_path)
    (labels / "two.xml").write_text(xml("one", [("dog", (10, 5, 40, 30))]))
    assert error(read_voc, labels) == (
        f"{labels}/two.xml, line 2: expected an image that occurs only once; got one.png, as in "
        f"{labels}/one.xml, line 2.\nTry one entry for each image, with all of its objects."
    )


@pytest.mark.parametrize(
    ("old", "line"),
    [("<filename>one.png</filename>", 1), ("<xmin>10</xmin>", 6), ("<name>dog</name>", 4)],
)
def test_an_element_that_occurs_twice(tmp_path, old, line):
    labels = voc(tmp_path)
    file = labels / "one.xml"
    file.write_text(file.read_text().replace(old, old * 2, 1))
    assert f"line {line}: expected one <" in error(read_voc, labels)


def test_two_label_files_of_one_image(tmp_path):
    labels = yolo(tmp_path)
    shutil.copy(labels / "one.txt", labels / "one.TXT")
    message = error(read_yolo, labels)
    assert "one.txt: expected an image that occurs only once; got one.png, as in" in message


def test_a_class_that_is_listed_twice(tmp_path):
    labels = yolo(tmp_path)
    (tmp_path / "classes.txt").write_text("cat\ndog\ncat\n")
    file = f"{tmp_path.absolute()}/classes.txt"
    assert error(read_yolo, labels) == (
        f"{file}, line 3: expected a unique name; got 'cat', as in {file}, line 1.\n"
        "Try one line for each class."
    )


def test_ids_are_strings_or_numbers(tmp_path):
    file = coco(tmp_path, images__0__id="a1")
    made = json.loads(file.read_text())
    for one in made["annotations"]:
        one |= {"image_id": "a1", "category_id": float(one["category_id"])}
    made["categories"][0]["id"] = "5"
    file.write_text(json.dumps(made))
    assert read_coco(file).classes[0].tolist() == [1, 0]
    made["annotations"][0]["image_id"] = "a2"
    file.write_text(json.dumps(made))
    assert "annotations[0].image_id: expected an id from images; got a2" in error(read_coco, file)
