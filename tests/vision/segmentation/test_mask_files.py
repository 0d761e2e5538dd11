"""chainrule/vision/segmentation/mask_files.py: which mask belongs to which image"""

import numpy as np
import pytest
from PIL import Image

from chainrule.errors import ChainruleError
from chainrule.vision.segmentation.mask_files import find_masks
from chainrule.vision.segmentation.masks import read_masks

MASK = np.array([[0, 0, 1, 1], [0, 2, 2, 1], [2, 2, 2, 1]], np.uint8)


def put(root, *names):
    """Write images, and masks where the name is that of a mask."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        is_mask = any(word in name.lower() for word in ("mask", "annot", "labels", "_l."))
        pixels = MASK if is_mask else np.zeros((3, 4, 3), np.uint8)
        Image.fromarray(pixels).save(path, format="BMP" if path.suffix == ".bmp" else "PNG")
    return root


def names_of(root, masks=None):
    """Return the pairs of each set, with paths relative to the folder."""
    found = find_masks(root, masks)
    return {
        part: [tuple(str(path.relative_to(root)) for path in pair) for pair in pairs]
        for part, pairs in found.items()
    }


@pytest.mark.parametrize(
    "mask",
    ["1.png", "1_mask.png", "1-mask.png", "1_MASK.PNG", "1_seg.png", "1_L.png", "1.jpg.png"],
)
def test_names_of_masks(tmp_path, mask):
    root = put(tmp_path, "images/1.jpg", f"masks/{mask}")
    assert names_of(root) == {"train": [("images/1.jpg", f"masks/{mask}")]}
    np.testing.assert_array_equal(read_masks(root)["train"].Y, [MASK])


@pytest.mark.parametrize("folder", ["masks", "Masks", "annotations", "labels"])
def test_names_of_folders(tmp_path, folder):
    root = put(tmp_path, "images/1.jpg", f"{folder}/1_mask.png")
    assert names_of(root) == {"train": [("images/1.jpg", f"{folder}/1_mask.png")]}


def test_folders_beside_each_other(tmp_path):
    root = put(tmp_path, "train/1.jpg", "trainannot/1.png", "val/2.jpg", "valannot/2.png")
    expected = {
        "train": [("train/1.jpg", "trainannot/1.png")],
        "dev": [("val/2.jpg", "valannot/2.png")],
    }
    assert names_of(root) == expected
    assert list(read_masks(root)) == ["train", "dev"]


def test_folders_inside_the_sets(tmp_path):
    root = put(tmp_path, "train/images/1.jpg", "train/annotations/1.png")
    assert names_of(root) == {"train": [("train/images/1.jpg", "train/annotations/1.png")]}


def test_images_and_masks_in_one_folder(tmp_path):
    root = put(tmp_path, "1.jpg", "1_mask.png", "2.jpg", "2_mask.png")
    assert names_of(root) == {"train": [("1.jpg", "1_mask.png"), ("2.jpg", "2_mask.png")]}


def test_the_exact_name_wins(tmp_path):
    root = put(tmp_path, "images/a.png", "images/A.png", "masks/a.png", "masks/A.png")
    assert names_of(root)["train"] == [
        ("images/A.png", "masks/A.png"),
        ("images/a.png", "masks/a.png"),
    ]


def test_suffixes_and_names_are_compared_without_case(tmp_path):
    root = put(tmp_path, "images/IMG_1.JPG", "masks/img_1.PNG")
    assert names_of(root)["train"] == [("images/IMG_1.JPG", "masks/img_1.PNG")]


REFUSED = {
    "two endings": (
        ("images/1.jpg", "masks/1_mask.png", "masks/1-mask.png"),
        "images/1.jpg: expected one mask; got masks/1_mask.png and masks/1-mask.png.\n"
        "Try keeping one of the two.",
    ),
    "exact and ending": (
        ("images/1.jpg", "masks/1.png", "masks/1_mask.png"),
        "masks/1_mask.png: expected one mask for images/1.jpg; got masks/1.png and "
        "masks/1_mask.png.\nTry keeping one of the two.",
    ),
    "case": (
        ("images/a.jpg", "masks/A_mask.png", "masks/A-mask.png"),
        "images/a.jpg: expected one mask; got masks/A_mask.png and masks/A-mask.png.\n"
        "Try keeping one of the two.",
    ),
    "one mask for two images": (
        ("images/a.jpg", "images/A.jpg", "masks/a_mask.png"),
        "images/a.jpg: expected a separate mask; got masks/a_mask.png, which is also the mask of "
        "images/A.jpg.\nTry a separate mask file for each image.",
    ),
    "two suffixes": (
        ("images/1.jpg", "masks/1.png", "masks/1.bmp"),
        "images/1.jpg: expected one mask; got masks/1.bmp and masks/1.png.\n"
        "Try keeping one of the two.",
    ),
    "no mask": (
        ("images/1.jpg", "images/2.jpg", "masks/1_mask.png"),
        "images/2.jpg: expected its mask masks/2.png; got none.\n"
        "Try adding the mask, or removing the image.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_ambiguous_names_are_refused(tmp_path, name):
    files, expected = REFUSED[name]
    root = put(tmp_path, *files)
    with pytest.raises(ChainruleError) as error:
        find_masks(root, None)
    assert str(error.value).replace(f"{root}/", "") == expected


def test_masks_in_a_lossy_format_are_refused_with_the_reason(tmp_path):
    root = put(tmp_path, "images/1.jpg", "masks/1_mask.jpg")
    with pytest.raises(ChainruleError, match="whose compression changes the values of pixels"):
        find_masks(root, None)
