"""Images that two sets share are reported for every vision task."""

import shutil

import numpy as np
from PIL import Image

from chainrule.data.split import duplicate_notes
from chainrule.inspection.report.content import duplicates
from chainrule.vision.detection.task import TASK as DETECT
from chainrule.vision.recipe import DetectRecipe, SegmentRecipe, VerifyRecipe
from chainrule.vision.segmentation.task import TASK as SEGMENT
from chainrule.vision.task import VisionJob
from chainrule.vision.verification.task import TASK as VERIFY
from tests.vision.cells import coco


def noted(job):
    """Return the notes in the description of a job."""
    return [line.strip() for line in job.description.splitlines() if "note:" in line]


def test_detection(tmp_path):
    train, dev = coco(tmp_path / "train", 8), coco(tmp_path / "dev", 3, 5)
    shutil.copy(train.parent / "images" / "cells1.png", dev.parent / "images" / "cells0.png")
    shutil.copy(train.parent / "images" / "cells2.png", dev.parent / "images" / "cells2.png")
    recipe = DetectRecipe(str(train), dev=str(dev), test="none", anchors=1)
    job = DETECT.open(recipe)
    assert job.duplicates == {("train", "dev"): 2}
    assert noted(job) == ["note: dev shares 2 images with train: its score is optimistic"]
    assert "dev" in job.description
    apart = VisionJob(recipe, {**job.parts, "dev": job.parts["dev"].rows([1])}, job.names)
    assert noted(apart) == []


def test_segmentation(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    first = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    mask = Image.fromarray(np.eye(8, dtype=np.uint8))
    for i in range(10):
        Image.fromarray(first).save(tmp_path / "images" / f"{i}.png")
        mask.save(tmp_path / "masks" / f"{i}.png")
    job = SEGMENT.open(SegmentRecipe(str(tmp_path)))
    assert job.duplicates == {("train", "dev"): 2, ("train", "test"): 2, ("dev", "test"): 2}
    assert noted(job)[0] == "note: dev shares 2 images with train: its score is optimistic"


def test_verification(tmp_path):
    rng = np.random.default_rng(0)
    for person in range(10):
        folder = tmp_path / f"person{person}"
        folder.mkdir()
        for i in range(2):
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            pixels = np.zeros_like(pixels) if i == 0 else pixels
            Image.fromarray(pixels).save(folder / f"{i}.png")
    job = VERIFY.open(VerifyRecipe(str(tmp_path)))
    assert job.duplicates == {("train", "dev"): 2, ("train", "test"): 2, ("dev", "test"): 2}
    assert len(noted(job)) == 3


def test_the_words():
    found = {("train", "dev"): 1, ("dev", "test"): 0}
    assert duplicate_notes(found, "image") == [
        "note: dev shares 1 image with train: its score is optimistic"
    ]
    facts = {"duplicates": [["train", "test", 1200]]}
    (caution,) = duplicates(facts, "image")
    assert "The test set shares 1,200 images with the training set, so the score" in str(caution)
    assert list(duplicates({}, "image")) == []
