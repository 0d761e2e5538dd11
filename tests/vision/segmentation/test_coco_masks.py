"""chainrule/vision/segmentation/coco_masks.py"""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chainrule.errors import ChainruleError, DataWarning
from chainrule.vision.segmentation.coco_masks import fill, run_lengths, uncompressed
from chainrule.vision.segmentation.masks import read_masks
from tests.validation.opened_files import opened_files

SQUARE = [[1, 0, 3, 0, 3, 2, 1, 2]]  # columns 1 and 2 of rows 0 and 1
CELLS = np.array([[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]], np.uint8)


def compressed(counts):
    """Return run lengths as COCO's text, written from the definition of the format."""
    text = ""
    for i, count in enumerate(counts):
        x = count - counts[i - 2] if i > 2 else count
        more = True
        while more:
            bits, x = x & 31, x >> 5
            more = x != -1 if bits & 16 else x != 0
            text += chr((bits | 32 if more else bits) + 48)
    return text


def counts_of(mask):
    """Return the run lengths of a mask, column by column, beginning with those of 0."""
    runs, last = [0], 0
    for pixel in mask.ravel(order="F").tolist():
        if pixel != last:
            runs.append(0)
            last = pixel
        runs[-1] += 1
    return runs


def content(**changes):
    found = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 4, "height": 3} for i in (1, 2)],
        "categories": [{"id": 9, "name": "dog"}, {"id": 7, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 7, "segmentation": SQUARE},
            {"id": 2, "image_id": 2, "category_id": 9, "segmentation": SQUARE},
        ],
    }
    return found | changes


def put(root, found, name="masks.json", images="images"):
    for i in (1, 2):
        (root / images).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3)).save(root / images / f"{i}.jpg")
    (root / name).write_text(json.dumps(found))
    return root


def regions(*shapes, crowd=()):
    return [
        {
            "image_id": image,
            "category_id": kind,
            "segmentation": shape,
            "iscrowd": int(i in crowd),
        }
        for i, (image, kind, shape) in enumerate(shapes)
    ]


def text_of(root, **options):
    with pytest.raises(ChainruleError) as error:
        read_masks(root, **options)
    return str(error.value).replace(f"{root}/", "")


# ---- shapes


def test_pixels_whose_centre_is_inside():
    square = np.reshape(SQUARE, (4, 2)).astype(float)
    np.testing.assert_array_equal(fill(square, (3, 4)), CELLS)
    np.testing.assert_array_equal(fill(square + 0.4, (3, 4)), CELLS)
    triangle = np.array([[0, 0], [4, 0], [0, 4]], float)
    expected = [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(fill(triangle - 1e-6, (4, 4)), expected)
    beyond = np.array([[-5, -5], [9, -5], [9, 9], [-5, 9]], float)
    assert fill(beyond, (3, 4)).all()


masks = st.integers(1, 6).flatmap(
    lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=1, max_size=40)
)


@given(masks)
@settings(max_examples=60, deadline=None)
def test_run_lengths(pixels):
    mask = np.array(pixels)
    counts = counts_of(mask)
    for form in (counts, compressed(counts)):
        shape = {"size": list(mask.shape), "counts": form}
        np.testing.assert_array_equal(run_lengths("a", shape, mask.shape), mask)
    assert uncompressed(compressed(counts)) == counts


# ---- files


@pytest.mark.parametrize(
    ("source", "name", "images", "options"),
    [
        ("masks.json", "masks.json", "images", {}),
        ("masks.json", "masks.json", ".", {}),
        (".", "_annotations.coco.json", ".", {}),
        (".", "annotations.json", "images", {}),
        ("images", "masks.json", "images", {"masks": "masks.json"}),
    ],
)
def test_polygons(tmp_path, source, name, images, options):
    root = put(tmp_path, content(), name, images)
    options = {key: root / value for key, value in options.items()}
    found = read_masks(root / source, **options)["train"]
    assert found.classes.names == ("background", "cat", "dog")
    np.testing.assert_array_equal(found.Y, [CELLS, 2 * CELLS])
    assert found.places.tolist() == ["1.jpg", "2.jpg"]


def test_sets(tmp_path):
    for part in ("train", "valid"):
        put(tmp_path / part, content(), "_annotations.coco.json", ".")
    found = read_masks(tmp_path)
    assert list(found) == ["train", "dev"]
    np.testing.assert_array_equal(found["dev"].Y, [CELLS, 2 * CELLS])


def test_run_lengths_in_files_and_crowds(tmp_path):
    counts = {"size": [3, 4], "counts": counts_of(CELLS)}
    shapes = regions((1, 7, counts), (2, 9, SQUARE), (2, 9, [[3, 2, 4, 2, 4, 3, 3, 3]]), crowd=[2])
    found = read_masks(put(tmp_path, content(annotations=shapes)) / "masks.json")["train"]
    np.testing.assert_array_equal(found.Y[0], CELLS)
    assert found.Y[1, 2, 3] == 255


def test_smaller_objects_are_drawn_on_larger_ones(tmp_path):
    whole = [[0, 0, 4, 0, 4, 3, 0, 3]]
    shapes = regions((1, 9, SQUARE), (1, 7, whole), (2, 7, whole))
    found = read_masks(put(tmp_path, content(annotations=shapes)) / "masks.json")["train"]
    np.testing.assert_array_equal(found.Y[0], np.where(CELLS, 2, 1))


def test_an_ignored_category(tmp_path):
    found = read_masks(put(tmp_path, content()) / "masks.json", ignored="dog")["train"]
    assert found.classes.names == ("background", "cat")
    np.testing.assert_array_equal(found.Y[1], 255 * CELLS)


def test_images_without_annotations_are_reported(tmp_path):
    root = put(tmp_path, content(annotations=content()["annotations"][:1]))
    with pytest.warns(
        DataWarning, match="annotations are missing for 1 of 2 images, such as 2.jpg"
    ):
        found = read_masks(root / "masks.json")["train"]
    assert not found.Y[1].any()


def test_images_that_are_not_listed_are_reported(tmp_path):
    root = put(
        tmp_path, content(images=content()["images"][:1], annotations=regions((1, 7, SQUARE)))
    )
    with pytest.warns(
        DataWarning, match=r"images that are not listed are left out, such as 2.jpg \(1 in all\)"
    ):
        assert len(read_masks(root / "masks.json")["train"]) == 1


REFUSED = {
    "boxes": (
        {"annotations": [{"image_id": 1, "category_id": 7, "bbox": [0, 0, 1, 1]}]},
        "annotations[0]: expected polygons or run lengths in segmentation; got only a bounding b",
    ),
    "one id twice": (
        {"images": [{"id": 1, "file_name": f"{i}.jpg"} for i in (1, 2)]},
        "images[1].id: expected a unique id; got the id of images[0].",
    ),
    "one file twice": (
        {"images": [{"id": i, "file_name": "1.jpg"} for i in (1, 2)]},
        "images[1].file_name: expected a unique file_name; got the file_name of images[0].",
    ),
    "an unknown image": (
        {"annotations": regions((5, 7, SQUARE))},
        "annotations[0].image_id: expected an id from images; got 5.",
    ),
    "an unknown category": (
        {"annotations": regions((1, 5, SQUARE))},
        "annotations[0].category_id: expected an id from categories; got 5.",
    ),
    "half a point": (
        {"annotations": regions((1, 7, [[1, 0, 3, 0, 3]]), (2, 7, SQUARE))},
        "annotations[0].segmentation: expected polygons of at least three points",
    ),
    "another size": (
        {"annotations": regions((1, 7, {"size": [4, 3], "counts": [12]}), (2, 7, SQUARE))},
        "annotations[0]: expected 3 by 4, the size of the image; got run lengths of 4 by 3 pixels.",
    ),
    "another sum": (
        {"annotations": regions((1, 7, {"size": [3, 4], "counts": [11]}), (2, 7, SQUARE))},
        "annotations[0].segmentation: expected run lengths of 12 pixels; got run lengths of 11 p",
    ),
    "a missing image": (
        {"images": [{"id": i, "file_name": f"{i}0.jpg"} for i in (1, 2)]},
        "images[0]: expected the image 10.jpg; got no such file in",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_files_are_refused(tmp_path, name):
    changes, expected = REFUSED[name]
    root = put(tmp_path, content(**changes))
    text = text_of(root / "masks.json").replace(f"{root}/", "")
    assert text.startswith(f"masks.json, {expected}")


# Content that is not trusted


@pytest.mark.parametrize(
    "shape",
    [
        {"size": [10**9, 10**9], "counts": [10**18]},
        {"size": [3, 4], "counts": [10**400]},
        {"size": [3, 4], "counts": [True] * 12},
        {"size": [3, 4], "counts": [-1, 13]},
        {"size": [3, 4], "counts": [float("nan")]},
        {"size": "34", "counts": "0"},
        {"counts": "o" * 100_000},
        {"counts": "\x00é~"},
        {"counts": {}},
        [[1, 0, 3, 0, 10**400, 2]],
        [[1, 0, 3, 0, 1e300, 2]],
        [[1, 0, 3, 0, float("inf"), 2]],
        [[1, 0, 3, 0, 3, 2], 5],
        [[[1]], {}],
        "text",
        7,
    ],
)
def test_odd_shapes_are_refused_before_they_are_drawn(tmp_path, shape):
    found = content()
    found["annotations"][0]["segmentation"] = shape
    put(tmp_path, found)
    with pytest.raises(ChainruleError, match=r"masks\.json, annotations\[0\]") as caught:
        read_masks(tmp_path)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("value", [2, "maybe", [], 0.5])
def test_a_mark_of_crowds_is_0_or_1(tmp_path, value):
    found = content()
    found["annotations"][0]["iscrowd"] = value
    put(tmp_path, found)
    with pytest.raises(ChainruleError, match=r"annotations\[0\]\.iscrowd: expected 0 or 1"):
        read_masks(tmp_path)


@pytest.mark.parametrize("value", ["0", "", False])
def test_a_mark_of_crowds_that_is_text(tmp_path, value):
    found = content()
    found["annotations"][0]["iscrowd"] = value
    assert (read_masks(put(tmp_path, found))["train"].Y != 255).all()


def test_a_polygon_of_a_million_points_needs_little_memory():
    turns = np.linspace(0, 200 * np.pi, 1_000_000)
    spiral = np.column_stack([60 + 50 * np.cos(turns), 40 + 30 * np.sin(turns)])
    size, steps = (100, 120), 25
    coarse = fill(spiral[::10_000], size)
    assert fill(spiral, size).shape == coarse.shape
    few = spiral[::40_000]
    by_hand = np.zeros(size, bool)
    for row in range(size[0]):
        y = row + 0.5
        for (x1, y1), (x2, y2) in zip(few, np.roll(few, -1, axis=0), strict=True):
            if (y1 <= y) != (y2 <= y):
                at = x1 + (y - y1) * (x2 - x1) / (y2 - y1)
                by_hand[row, max(0, int(np.ceil(at - 0.5))) :] ^= True
    assert len(few) == steps
    np.testing.assert_array_equal(fill(few, size), by_hand)


def test_the_edges_of_a_polygon_are_taken_in_pieces(monkeypatch):
    polygon = np.random.default_rng(0).uniform(-5, 25, (40, 2))
    whole = fill(polygon, (20, 22))
    monkeypatch.setattr("chainrule.vision.segmentation.coco_masks.EDGES", 60)
    np.testing.assert_array_equal(fill(polygon, (20, 22)), whole)


def test_names_of_images_never_lead_outside(tmp_path):
    Image.new("RGB", (4, 3)).save(tmp_path / "secret.jpg")
    for i, name in enumerate(
        (
            "../secret.jpg",
            str(tmp_path / "secret.jpg"),
            "..",
            "/",
            "a" * 5000,
            "images/../../secret.JPG",
        )
    ):
        found = content()
        found["images"][0]["file_name"] = name
        put(tmp_path / f"{i}", found)
        with opened_files() as opened, pytest.raises(ChainruleError, match=r"images\[0\]: exp"):
            read_masks(tmp_path / f"{i}")
        assert tmp_path not in [one.path for one in opened]
        assert tmp_path / "secret.jpg" not in [one.path for one in opened]
