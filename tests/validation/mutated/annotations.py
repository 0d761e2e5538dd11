"""Formats of annotations for `tests/validation/mutations.py`: boxes and masks, with their images.

The images stay as they are (`pictures.py` changes images), so that every case gets as far as the
annotations do.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from chainrule.vision.detection.dataset import find_annotations
from chainrule.vision.segmentation.masks import read_masks
from tests.validation.mutated.formats import Format

WIDTH, HEIGHT = 16, 12
NAMES = ("one", "two", "three")
PICTURES = ("*.png",)


def draw(folder: Path, names: tuple[str, ...] = NAMES, value: int = 200) -> None:
    """Write a small grey image for each name."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        Image.new("L", (WIDTH, HEIGHT), value - 10 * i).save(folder / f"{name}.png")


def coco(shapes: bool) -> dict:
    """The content of a COCO file with boxes, or with polygons and run lengths."""
    polygon = {"segmentation": [[2, 2, 9.5, 2, 9.5, 8, 2, 8]]}
    counts = [20, 4, WIDTH * HEIGHT - 24]
    lengths = {"segmentation": {"size": [HEIGHT, WIDTH], "counts": counts}, "iscrowd": 1}
    packed = {"segmentation": {"size": [HEIGHT, WIDTH], "counts": "d04X5"}, "area": 4.0}
    boxes = [{"bbox": [2.5, 2, 7, 6]}, {"bbox": [0, 0, 16, 12], "iscrowd": 1}, polygon]
    kinds = [polygon, lengths, packed] if shapes else boxes
    return {
        "info": {"description": "three images", "year": 2026},
        "images": [
            {"id": i, "file_name": f"{name}.png", "width": WIDTH, "height": HEIGHT}
            for i, name in enumerate(NAMES)
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 7, "name": "dog"}],
        "annotations": [
            {"id": 10 + i, "image_id": i, "category_id": (1, 7)[i % 2], **kind}
            for i, kind in enumerate(kinds)
        ],
    }


def make_coco(folder: Path, *, shapes: bool = False) -> None:
    """Write a COCO file next to its images."""
    draw(folder / "images")
    (folder / "all.json").write_text(json.dumps(coco(shapes), indent=1))


def make_label_studio(folder: Path, *, short: bool = False) -> None:
    """Write an export of Label Studio, in its full or its short form (JSON-MIN)."""
    draw(folder)
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    box = {"x": 10, "y": 5, "width": 20, "height": 30.5, "rotation": 0}
    around = {"points": [[1, 1], [50, 1.5], [50, 50]], "polygonlabels": ["dog"]}
    ellipse = {"x": 50, "y": 50, "radiusX": 9, "radiusY": 5, "ellipselabels": ["cat"]}
    values = [box | {"rectanglelabels": ["cat"]}, around, ellipse]
    tasks = []
    for i, (name, value) in enumerate(zip(NAMES, values, strict=True)):
        address = f"/data/local-files/?d=pets%2F{name}.png"
        if short:
            tasks.append({"image": address, "id": i, "label": [value | size]})
            continue
        result = [{"value": value, "type": "rectanglelabels", **size}]
        annotations = [{"result": result, "was_cancelled": False, "ground_truth": False}]
        tasks.append({"id": i, "data": {"image": address}, "annotations": annotations})
    (folder / "project.json").write_text(json.dumps(tasks, indent=1))


def make_voc(folder: Path) -> None:
    """Write an XML file for each image."""
    draw(folder / "JPEGImages")
    (folder / "Annotations").mkdir()
    for name in NAMES:
        (folder / "Annotations" / f"{name}.xml").write_text(
            '<?xml version="1.0" encoding="utf-8"?>\n<annotation>\n'
            f"  <folder>JPEGImages</folder>\n  <filename>{name}.png</filename>\n"
            f"  <size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>1</depth></size>\n"
            "  <object>\n    <name>cat</name>\n    <difficult>0</difficult>\n"
            "    <bndbox><xmin>2</xmin><ymin>3.5</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>\n"
            "  </object>\n</annotation>\n"
        )


LINES = {"one": "0 0.5 0.5 0.2 0.2\n", "two": "1 0.3 0.3 0.25 0.25\n0 0.1 0.1 0.5 0.1 0.5 0.5\n"}


def make_labels(folder: Path, classes: str | None = "classes.txt") -> None:
    """Write text files with the objects of the images, and a list of the classes."""
    draw(folder / "images")
    (folder / "labels").mkdir()
    for name, lines in LINES.items():
        (folder / "labels" / f"{name}.txt").write_text(lines)
    if classes is not None:
        (folder / "labels" / classes).write_text("cat\ndog\n")


def make_data_yaml(folder: Path) -> None:
    """Write a data.yaml with two sets: a folder, and a list of images."""
    make_labels(folder, None)
    draw(folder / "images" / "val", ("four",))
    (folder / "labels" / "val").mkdir()
    (folder / "labels" / "val" / "four.txt").write_text(LINES["one"])
    (folder / "train.txt").write_text("".join(f"./images/{name}.png\n" for name in NAMES))
    (folder / "data.yaml").write_text(
        "path: .  # the folder of this file\ntrain: train.txt\nval: ../images/val\n"
        "nc: 2\nnames:\n  0: cat\n  1: dog\n"
    )


def make_obj_data(folder: Path) -> None:
    """Write an obj.data with a list of class names and a list of images."""
    draw(folder / "obj_train_data")
    for name, lines in LINES.items():
        (folder / "obj_train_data" / f"{name}.txt").write_text(lines)
    (folder / "obj.names").write_text("cat\ndog\n")
    (folder / "train.txt").write_text("".join(f"data/obj_train_data/{n}.png\n" for n in NAMES))
    (folder / "obj.data").write_text(
        "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n"
    )


def make_cvat(folder: Path) -> None:
    """Write an XML file of CVAT with a shape of each kind."""
    draw(folder / "images")
    shapes = (
        '<box label="cat" xtl="2.0" ytl="3.0" xbr="9.5" ybr="8.0" rotation="0.0" />',
        '<polygon label="dog" points="2.0,2.0;9.0,2.0;9.0,8.5" />',
        '<ellipse label="cat" cx="8" cy="6" rx="3" ry="2.5" rotation="30" />',
    )
    images = "".join(
        f'  <image id="{i}" name="{name}.png" width="{WIDTH}" height="{HEIGHT}">\n'
        f"    {shape}\n  </image>\n"
        for i, (name, shape) in enumerate(zip(NAMES, shapes, strict=True))
    )
    labels = "".join(f"<label><name>{name}</name></label>" for name in ("cat", "dog"))
    (folder / "annotations.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n'
        f"  <meta><task><labels>{labels}</labels></task></meta>\n{images}</annotations>\n"
    )


def make_masks(folder: Path) -> None:
    """Write masks, and a file that lists the classes with their values."""
    draw(folder / "images")
    (folder / "masks").mkdir()
    mask = np.arange(WIDTH * HEIGHT).reshape(HEIGHT, WIDTH) % 3 * 100
    for name in NAMES:
        Image.fromarray(mask.astype(np.uint8)).save(folder / "masks" / f"{name}.png")
    (folder / "classes.txt").write_text("road 0\ncar 100\ndeep sky 200\n")


def make_colours(folder: Path) -> None:
    """Write masks in colours, and a table of the classes."""
    draw(folder / "images")
    (folder / "masks").mkdir()
    mask = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    mask[:, 5:] = (70, 130, 180)
    for name in NAMES:
        Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
    (folder / "classes.csv").write_text("name,r,g,b\nroad,0,0,0\nsky,70,130,180\n")


def boxes(name: str, folder: Path) -> object:
    """Read boxes as `chainrule detect train` does."""
    return find_annotations(folder / name)


def masks(name: str, folder: Path) -> object:
    """Read masks as `chainrule segment train` does."""
    return read_masks(folder / name, image_size=(HEIGHT, WIDTH))


JSON, XML, TEXT = ("json", "json", "text", "bytes"), ("xml", "xml", "text"), ("text", "bytes")

FORMATS: dict[str, Format] = {
    "coco": Format(make_coco, partial(boxes, "all.json"), JSON, PICTURES),
    "coco masks": Format(partial(make_coco, shapes=True), partial(masks, "."), JSON, PICTURES),
    "label studio": Format(make_label_studio, partial(boxes, "."), JSON, PICTURES),
    "label studio min": Format(
        partial(make_label_studio, short=True), partial(boxes, "."), JSON, PICTURES
    ),
    "voc": Format(make_voc, partial(boxes, "."), XML, PICTURES),
    "yolo": Format(make_labels, partial(boxes, "."), TEXT, PICTURES),
    "data.yaml": Format(make_data_yaml, partial(boxes, "."), TEXT, PICTURES),
    "obj.data": Format(make_obj_data, partial(boxes, "obj.data"), TEXT, PICTURES),
    "cvat": Format(make_cvat, partial(boxes, "."), XML, PICTURES),
    "mask classes": Format(make_masks, partial(masks, "."), TEXT, PICTURES),
    "mask colours": Format(make_colours, partial(masks, "."), TEXT, PICTURES),
}
