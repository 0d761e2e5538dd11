"""Annotations that are not trusted: odd numbers and names, and paths that lead outside."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from PIL import Image

from chainrule.errors import ChainruleError, DataError
from chainrule.vision.detection.annotations import read_class_list
from chainrule.vision.detection.dataset import find_annotations
from tests.validation.mutated import annotations as formats
from tests.validation.opened_files import opened_files
from tests.vision.detection.test_annotations import coco, pictures, voc, yolo
from tests.vision.detection.test_exports import cvat

BOX = '<box label="cat" xtl="8" ytl="4" xbr="40" ybr="20"/>'


def refused(source) -> str:
    """Return the message of the one error with which a source is refused."""
    with pytest.raises(DataError) as caught:
        find_annotations(source)
    return str(caught.value)


# Numbers and names


@pytest.mark.parametrize("number", ["9" * 400, "1e400", "NaN", "-Infinity", "true", '"x"', "-5"])
@pytest.mark.parametrize("field", ["bbox", "width", "image_id", "category_id", "iscrowd"])
def test_odd_numbers_in_coco(tmp_path, field, number):
    file = coco(tmp_path)
    content = json.loads(file.read_text())
    of = content["images" if field == "width" else "annotations"][0]
    of[field] = [10, 5, "ODD", 25] if field == "bbox" else "ODD"
    file.write_text(json.dumps(content).replace('"ODD"', number))
    if (field, number) == ("iscrowd", "true"):
        assert find_annotations(file)["train"].most == 2
    else:
        assert refused(file).startswith(f"{file}, {'images' if field == 'width' else 'anno'}")


@pytest.mark.parametrize("number", ["9" * 5000, "[" * 5000])
def test_numbers_and_lists_that_python_cannot_read(tmp_path, number):
    file = coco(tmp_path)
    file.write_text(file.read_text().replace("80", number, 1))
    assert refused(file).startswith(f"{file}: expected valid JSON; got ")


def test_an_id_of_400_digits_is_an_id(tmp_path):
    file = coco(tmp_path)
    file.write_text(file.read_text().replace('"id": 5', f'"id": {"9" * 400}', 1))
    assert "an id from categories; got 5" in refused(file)
    file.write_text(file.read_text().replace('"category_id": 5', f'"category_id": {"9" * 400}'))
    assert len(find_annotations(file)["train"]) == 2


@pytest.mark.parametrize("name", ["/", ".", "..", "a" * 5000, "a\0b", "\ud800", "//", "../", " "])
def test_odd_names_of_images(tmp_path, name):
    file = coco(tmp_path, images__0__file_name=name)
    Image.new("RGB", (80, 40)).save(tmp_path.with_suffix(".png"))  # beside the folder
    assert refused(file).startswith(f"{file}, images[0]: expected its image ")
    labels = voc(tmp_path / "voc")
    one = labels / "one.xml"
    if name.isprintable() and name.strip():
        one.write_text(one.read_text().replace("one.png", name))
        assert refused(labels).startswith(f"{one}, line 1: expected its image ")


@pytest.mark.parametrize("text", ["inf", "nan", "-inf", "1e999", "1_0", "١٠", "0x10", "9" * 400])
def test_odd_numbers_in_xml_and_text(tmp_path, text):
    one = voc(tmp_path / "voc") / "one.xml"
    one.write_text(one.read_text().replace("<xmin>10<", f"<xmin>{text}<"))
    assert f"{one}, line 6" in refused(one.parent)
    one.write_text(one.read_text().replace("<width>80<", f"<width>{text}<"))
    assert f"{one}, line 3" in refused(one.parent)
    file = cvat(tmp_path / "cvat", BOX.replace("8", text, 1))
    assert f"{file}, line 5" in refused(file)
    labels = yolo(tmp_path / "yolo", [f"0 0.5 {text} 0.2 0.2"])
    assert f"{labels}/one.txt, line 1" in refused(labels)


@pytest.mark.parametrize(
    "encoding", ["utf-7", "gb2312", "idna", "hex", "rot13", "undefined", "mbcs", "klingon", "a b"]
)
def test_odd_encodings_of_xml(tmp_path, encoding):
    one = voc(tmp_path) / "one.xml"
    one.write_text(f"<?xml version='1.0' encoding='{encoding}'?>\n{one.read_text()}")
    assert refused(tmp_path).startswith(str(one))


ENTITIES = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10 if i else "ha" * 10}">' for i in range(9))


@pytest.mark.parametrize(
    "doctype", [ENTITIES, '<!ENTITY a8 SYSTEM "file:///etc/passwd">', '<!ENTITY % a8 "b"> %a8;']
)
def test_entities_are_never_expanded(tmp_path, doctype):
    one = voc(tmp_path) / "one.xml"
    text = one.read_text().replace("one.png", "&a8;")
    one.write_text(f"<!DOCTYPE annotation [{doctype}]>\n{text}")
    with opened_files() as opened:
        assert f"{one}, line 1: expected an annotation without a document" in refused(tmp_path)
    assert Path("/etc/passwd") not in [one.path for one in opened]


def test_elements_that_are_nested_deeply(tmp_path):
    one = voc(tmp_path) / "one.xml"
    depth = 200_000
    one.write_text(one.read_text().replace("<object>", "<a>" * depth + "</a>" * depth + "<object>"))
    assert len(find_annotations(tmp_path)["train"]) == 2


# YAML and lists of classes


def data_yaml(folder: Path, text: str) -> Path:
    formats.make_data_yaml(folder)
    (folder / "data.yaml").write_text(text)
    return folder / "data.yaml"


GROWING = "a: &a0 [x, x]\n" + "".join(f"b{i}: &a{i + 1} [*a{i}, *a{i}]\n" for i in range(60))


@pytest.mark.parametrize("key", ["train", "names", "nc", "kpt_shape", "path"])
def test_anchors_do_not_grow(tmp_path, key):
    lines = {"train": "images", "names": "[cat, dog]", key: "*a60"}
    text = GROWING + "".join(f"{name}: {value}\n" for name, value in lines.items())
    began = time.monotonic()
    assert refused(data_yaml(tmp_path, text)).startswith(str(tmp_path / "data.yaml"))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("names: &a [*a]\ntrain: images\n", "unconstructable recursive node"),
        ("a: " + "[" * 5000, "lists that are nested too deeply"),
        ("a: " + "x" * 1_000_001, "expected at most 1,000,000 characters"),
        ("names: {" + "9" * 500 + ": cat}\ntrain: images\n", "data.yaml, names: expected"),
        ("names: [cat]\ntrain: images\nkpt_shape: [" + "9" * 5000 + ", 3]\n", "kpt_shape: exp"),
        ("names: [cat]\ntrain: images\nkpt_shape: [2, 3, 4]\n", "kpt_shape: expected two whole"),
        ("? [a, b]\n: c\nnames: [a]\ntrain: b\n", "unhashable key"),
    ],
)
def test_odd_yaml(tmp_path, text, got):
    assert got in refused(data_yaml(tmp_path, text))


def test_tags_run_nothing(tmp_path):
    tag = f"!!python/object/apply:os.mkdir ['{tmp_path}/made']"
    file = data_yaml(tmp_path, f"names: [cat, dog]\ntrain: images\nextra: {tag}\n")
    find_annotations(file)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_only_ends_of_lines_separate_classes(tmp_path, end):
    names = ["a\u2028b", "c\x0bd", "e\x85f", "g\x1c\x1d\x1eh"]
    (tmp_path / "classes.txt").write_bytes(end.join(names).encode())
    assert list(read_class_list(tmp_path / "classes.txt").values()) == names


@pytest.mark.parametrize("content", [b"cat\0", "cat\ndog".encode("utf-16-le"), b"\xff", b"c\xe9"])
def test_classes_in_another_encoding(tmp_path, content):
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(DataError, match="expected text in UTF-8; got"):
        read_class_list(tmp_path / "classes.txt")


# Paths that lead outside


@pytest.fixture
def outside(tmp_path):
    """A folder beside the data with an image, labels and lists that no reader may touch."""
    folder = tmp_path / "outside"
    pictures(folder, ("one", "two", "secret"))
    for name in ("one", "secret"):
        (folder / f"{name}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (folder / "names.txt").write_text("cat\ndog\n")
    (folder / "train.txt").write_text("one.png\n")
    return folder


def untouched(outside: Path, source: Path, **how) -> str:
    """Read a source, see that nothing outside was opened or listed, and return the error."""
    text = ""
    with opened_files() as opened:
        try:
            find_annotations(source, **how)
        except ChainruleError as error:
            text = str(error)
    assert not [one.path for one in opened if one.path.is_relative_to(outside)]
    return text


def names_of(outside: Path) -> list[str]:
    """Return the names by which a file inside `data/all` could name the secret image outside."""
    return [
        str(outside / "secret.png"),
        "../outside/secret.png",
        "../../outside/secret.png",
        "images/../../outside/secret.png",
        "..\\..\\outside\\secret.png",
        "%2e%2e/%2e%2e/outside/secret.png",
        f"//{outside}/secret.png",
        str(outside / "secret"),
    ]


def test_names_of_images_never_lead_outside(tmp_path, outside):
    for i, name in enumerate(names_of(outside)):
        file = coco(tmp_path / f"coco{i}", images__0__file_name=name)
        assert "expected its image" in untouched(outside, file)
        one = voc(tmp_path / f"voc{i}") / "one.xml"
        one.write_text(one.read_text().replace("one.png", name))
        assert "expected its image" in untouched(outside, one.parent)
        file = cvat(tmp_path / f"cvat{i}", BOX)
        file.write_text(file.read_text().replace("one.png", name))
        assert "expected its image" in untouched(outside, file)
        formats.make_label_studio(tmp_path / f"studio{i}")
        file = tmp_path / f"studio{i}" / "project.json"
        for address in (f"/data/local-files/?d={name}", f"s3://a/{name}", name):
            tasks = json.loads(file.read_text())
            tasks[0]["data"]["image"] = address
            file.write_text(json.dumps(tasks))
            assert "expected" in untouched(outside, file)


def test_a_subset_is_never_a_folder_outside(tmp_path, outside):
    for i, subset in enumerate(("../../outside", str(outside), "..", "../outside")):
        file = cvat(tmp_path / f"{i}", BOX, subsets=(subset, subset))
        text = file.read_text().replace("one.png", "secret.png")
        file.write_text(text)
        assert "expected its image secret.png" in untouched(outside, file)


def test_paths_in_a_data_yaml_never_lead_outside(tmp_path, outside):
    for i, path in enumerate((str(outside), "../outside", "images/../../outside")):
        folder = tmp_path / f"yaml{i}"
        lines = {"path": ".", "names": "[cat, dog]", "train": "images", "val": "images/val"}
        for key, value in (("train", path), ("train", f"{path}/train.txt"), ("path", path)):
            changed = lines | {key: value} | ({"train": "."} if key == "path" else {})
            text = "".join(f"{name}: {line}\n" for name, line in changed.items())
            untouched(outside, data_yaml(folder, text))
            shutil.rmtree(folder)
        text = f"train: images\nnames: {path}/names.txt\n"
        assert "expected a list of class names" in untouched(outside, data_yaml(folder, text))
        (folder / "data.yaml").write_text("train: train.txt\nnames: [cat, dog]\n")
        (folder / "train.txt").write_text(f"{path}/secret.png\n")
        assert "train.txt, line 1: expected its image" in untouched(outside, folder / "data.yaml")


def test_paths_in_an_obj_data_never_lead_outside(tmp_path, outside):
    for i, path in enumerate((str(outside), "../outside", "outside", "data/../../outside")):
        folder = tmp_path / f"obj{i}"
        formats.make_obj_data(folder)
        (folder / "obj.data").write_text(f"train = {path}/train.txt\nnames = {path}/names.txt\n")
        assert "expected the file" in untouched(outside, folder / "obj.data")
        (folder / "obj.data").write_text(f"train = {path}/train.txt\nnames = obj.names\n")
        untouched(outside, folder / "obj.data")
        (folder / "obj.data").write_text("train = train.txt\nnames = obj.names\n")
        (folder / "train.txt").write_text(f"{path}/secret.png\n")
        assert "line 1: expected its image" in untouched(outside, folder / "obj.data")


def test_paths_inside_the_named_folder_are_followed(tmp_path):
    coco(tmp_path / "data" / "annotations", images__0__file_name="../pictures/one.png")
    pictures(tmp_path / "data" / "pictures")
    content = (tmp_path / "data" / "annotations" / "all.json").read_text()
    (tmp_path / "data" / "annotations" / "all.json").write_text(
        content.replace("two.png", str(tmp_path / "data" / "pictures" / "two.png"))
    )
    shutil.rmtree(tmp_path / "data" / "annotations" / "images")
    found = find_annotations(tmp_path / "data")["train"]
    assert [path.parent.name for path in found.paths] == ["pictures", "pictures"]


def test_the_folder_of_images_may_be_anywhere_that_the_user_names(tmp_path, outside):
    file = coco(tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "images")
    found = find_annotations(file, images=outside)["train"]
    assert [path.parent for path in found.paths] == [outside, outside]
    text = "path: ../outside\ntrain: .\nnames: [cat, dog]\n"
    file = data_yaml(tmp_path / "yaml", text)
    assert len(find_annotations(file, images=outside)["train"]) == 3


def test_data_sets_that_are_symbolic_links(tmp_path):
    formats.make_data_yaml(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "linked").mkdir()
    for name in ("data.yaml", "train.txt", "images", "labels"):
        (tmp_path / "linked" / name).symlink_to(tmp_path / "real" / name)
    for name in ("real", "link", "linked"):
        found = find_annotations(tmp_path / name)
        assert {part: len(one) for part, one in found.items()} == {"train": 3, "dev": 1}
        assert found["train"].most == 2
    file = coco(tmp_path / "coco")
    (tmp_path / "coco" / "images").rename(tmp_path / "far away")
    (tmp_path / "coco" / "images").symlink_to(tmp_path / "far away")
    assert len(find_annotations(file)["train"]) == 2


@pytest.mark.filterwarnings("ignore::chainrule.errors.DataWarning")
@pytest.mark.parametrize("name", [*formats.FORMATS])
def test_no_pipe_is_opened(tmp_path, name):
    one = formats.FORMATS[name]
    one.make(tmp_path / "intact")
    files = [path for path in sorted((tmp_path / "intact").rglob("*")) if path.is_file()]
    for i, file in enumerate(files):
        if file.suffix != ".png":
            shutil.copytree(tmp_path / "intact", tmp_path / f"{i}")
            there = tmp_path / f"{i}" / file.relative_to(tmp_path / "intact")
            there.unlink()
            os.mkfifo(there)
            with opened_files() as opened, pytest.raises(ChainruleError):
                one.read(tmp_path / f"{i}")
            assert there not in [found.path for found in opened]


def test_folders_that_contain_themselves(tmp_path):
    formats.make_data_yaml(tmp_path)
    (tmp_path / "data.yaml").write_text("train: images\nnames: [cat, dog]\n")
    for name in ("again", "more"):
        (tmp_path / "images" / name).symlink_to("../images")
    assert len(find_annotations(tmp_path)["train"]) == 4
