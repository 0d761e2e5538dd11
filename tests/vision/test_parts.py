"""chainrule/vision/parts.py"""

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone

from chainrule.errors import DataError, DataWarning, OptionError
from chainrule.vision.detection.detector import Detector
from chainrule.vision.detection.task import DetectRecipe
from chainrule.vision.parts import (
    as_bytes,
    as_channels,
    check_once,
    names_of_drawings,
    read_new,
    split_images,
    without_nan,
)
from chainrule.vision.segmentation.segmenter import Segmenter
from chainrule.vision.verification.verifier import Verifier


class Numbers(list):
    def rows(self, rows):
        return Numbers(self[i] for i in rows)


@pytest.mark.parametrize(
    ("said", "there", "sizes"),
    [
        ({}, {}, {"train": 12, "dev": 4, "test": 4}),
        ({"test": "none"}, {}, {"train": 16, "dev": 4}),
        ({"dev": "none", "test": "none"}, {}, {"train": 20}),
        ({}, {"test": 3}, {"train": 16, "dev": 4, "test": 3}),
        ({}, {"dev": 2, "test": 3}, {"train": 20, "dev": 2, "test": 3}),
    ],
)
def test_parts_are_split_off_where_there_are_none(said, there, sizes):
    parts = {"train": Numbers(range(20))} | {
        k: Numbers(range(100, 100 + m)) for k, m in there.items()
    }
    found = split_images(DetectRecipe("a", **said), parts)
    assert {name: len(part) for name, part in found.items()} == sizes
    assert list(found) == list(sizes)
    own = [n for name, part in found.items() if name not in there for n in part]
    assert sorted(own) == list(range(20))


def test_the_split_is_that_of_the_seed():
    first, again, other = (
        split_images(DetectRecipe("a", seed=seed), {"train": Numbers(range(20))})["test"]
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_a_part_that_is_said_twice():
    check_once(DetectRecipe("a", dev="b"), "dev", ["train", "test"])
    check_once(DetectRecipe("a"), "dev", ["train", "dev"])
    with pytest.raises(OptionError) as caught:
        check_once(DetectRecipe("a", dev="b"), "dev", ["train", "dev"])
    assert str(caught.value).startswith("--dev: expected a source without a dev set; got a, whic")


def test_channels():
    grey = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    assert as_channels(grey, 1).shape == (2, 2, 2, 1)
    np.testing.assert_array_equal(as_channels(grey, 3)[..., 2], grey)
    np.testing.assert_array_equal(as_channels(as_channels(grey, 3), 1)[..., 0], grey)


def test_bytes():
    np.testing.assert_array_equal(as_bytes(np.array([0.0, 0.5, 1.0, 2.0])), [0, 128, 255, 255])
    bytes_ = np.array([7], np.uint8)
    assert as_bytes(bytes_) is bytes_


def test_what_there_is_no_number_for():
    assert without_nan(float("nan")) is None
    assert without_nan([0.5, float("nan")]) == [0.5, None]


def test_pictures_that_are_not_there(tmp_path):
    with pytest.raises(
        DataError, match="expected an image, or a folder of images; got no such file or folder"
    ):
        read_new(tmp_path / "no", (4, 4, 3))
    with pytest.raises(DataError, match="expected images; got an empty folder"):
        read_new(tmp_path, (4, 4, 3))


def test_new_images_in_subfolders(tmp_path):
    for name in ("a.png", "in/a.png", "in/b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / name, format="PNG")
    (tmp_path / "c.heic").write_bytes(b"")
    with pytest.warns(
        DataWarning,
        match=r"1 file is left out, since it is not an image in a supported format: c\.heic",
    ):
        paths, X = read_new(tmp_path, (4, 4, 3))
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "a.png",
        "in/a.png",
        "in/b",
    ]
    assert len(X) == 3


def test_results_do_not_overwrite_each_other(tmp_path):
    assert names_of_drawings([]) == []
    with pytest.raises(DataError, match=r"expected a name that differs from 1\.jpg in more than"):
        names_of_drawings([tmp_path / "1.jpg", tmp_path / "1.png"])


ESTIMATORS = [Detector(), Segmenter(), Verifier()]


@pytest.mark.parametrize("model", ESTIMATORS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("dtype", ["int64", "uint16", "float64"])
def test_the_scale_of_pixels_belongs_to_the_estimator(model, dtype):
    X = np.array([0, 51, 199, 255], np.uint8).reshape(1, 2, 2, 1)
    learned = clone(model)
    given = learned._training_images(X)
    np.testing.assert_array_equal(learned._images(X.astype(dtype), "X"), given)
    fractions = (X / 255).astype(np.float32)
    np.testing.assert_array_equal(learned._images(fractions, "X"), given)
    deep = clone(model)
    deep._training_images(X.astype(np.uint16) * 16)
    assert deep.pixel_scale_ == 4095
    earlier = clone(model)  # a model of an earlier version, which has no scale of its own
    np.testing.assert_array_equal(earlier._images(X, "X"), given)
    np.testing.assert_array_equal(earlier._images(X.astype(dtype), "X"), X)


def test_pixels_are_drawn_in_their_range():
    X = np.array([0.0, 1000.0, 4095.0])
    assert as_bytes(X).tolist() == [0, 62, 255]
    assert as_bytes(X.astype(np.uint16)).tolist() == [0, 62, 255]
