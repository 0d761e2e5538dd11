"""Palettes that differ, black-and-white masks, and smoothed borders."""

import time

import numpy as np
import pytest
from PIL import Image

from chainrule.errors import ChainruleError, DataError, DataWarning, OptionError
from chainrule.vision.recipe import SegmentRecipe
from chainrule.vision.segmentation.mask_classes import (
    BINARY,
    MaskClasses,
    found_classes,
    read_classes,
)
from chainrule.vision.segmentation.masks import read_masks

MASK = np.array([[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 1]], np.uint8)
BLUE_RED = [0, 0, 255, 255, 0, 0]
RED_BLUE = [255, 0, 0, 0, 0, 255]


def indexed(pixels, palette):
    image = Image.fromarray(pixels, "P")
    image.putpalette(palette)
    return image


def street(tmp_path, *masks, folder="street"):
    """Write images a, b, … with these masks."""
    root = tmp_path / folder
    for name, mask in zip("abc", masks, strict=False):
        for kind in ("images", "masks"):
            (root / kind).mkdir(parents=True, exist_ok=True)
        image = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
        Image.new("RGB", image.size).save(root / f"images/{name}.jpg")
        image.save(root / f"masks/{name}.png")
    return root


def text_of(root, **options):
    with pytest.raises(ChainruleError) as error:
        read_masks(root, **options)
    return str(error.value).replace(f"{root.parent}/", "")


# ---- palettes


def test_palettes_that_differ_are_refused(tmp_path):
    root = street(tmp_path, indexed(MASK, BLUE_RED), indexed(1 - MASK, RED_BLUE))
    assert text_of(root) == (
        "street/masks/b.png: expected the same colour for palette index 0 in all masks; got the "
        "colour 255 0 0, where street/masks/a.png has the colour 0 0 255.\n"
        "Try --classes FILE, with the name and the colour of each class."
    )
    classes = MaskClasses(("cat", "dog"), ((0,), (1,)), listed="own.txt")
    assert "expected the same colour for palette index 0" in text_of(root, classes=classes)


def test_colours_are_compared_where_they_are_listed(tmp_path):
    root = street(tmp_path, indexed(MASK, BLUE_RED), indexed(1 - MASK, RED_BLUE))
    (root / "classes.txt").write_text("sky 0 0 255\nroad 255 0 0\n")
    np.testing.assert_array_equal(read_masks(root)["train"].Y, [MASK, MASK])


def test_colours_of_indices_that_do_not_occur_do_not_count(tmp_path):
    other = [*BLUE_RED, 1, 2, 3]
    root = street(tmp_path, indexed(MASK, BLUE_RED), indexed(MASK, other))
    np.testing.assert_array_equal(read_masks(root)["train"].Y, [MASK, MASK])


def test_palettes_are_compared_across_sets(tmp_path):
    train = street(tmp_path, indexed(MASK, BLUE_RED), folder="all/train")
    street(tmp_path, indexed(1 - MASK, RED_BLUE), folder="all/val")
    assert "all/val/masks/a.png: expected the same colour" in text_of(
        train.parent, ignored=None
    ).replace("val/", "all/val/", 1)


def test_palettes_are_compared_with_those_of_the_training_set(tmp_path):
    classes = read_masks(street(tmp_path, indexed(MASK, BLUE_RED)))["train"].classes
    saved = MaskClasses.from_dict(classes.to_dict(), "the run")
    assert saved.palette == ((0, (0, 0, 255)), (1, (255, 0, 0)))
    other = street(tmp_path, indexed(1 - MASK, RED_BLUE), folder="other")
    assert "where the training set has the colour 0 0 255" in text_of(other, classes=saved)


# ---- black and white


WHITE = {
    "255": Image.fromarray(MASK * 255),
    "1": Image.fromarray(MASK),
    "one bit": Image.fromarray(MASK == 1),
    "colours": Image.fromarray(np.stack([MASK * 255] * 3, axis=-1)),
    "palette": indexed(MASK, [0, 0, 0, 255, 255, 255]),
    "inverted palette": indexed(1 - MASK, [255, 255, 255, 0, 0, 0]),
    "16 bits": Image.fromarray(MASK.astype(np.uint16) * 65_535),
    "255 in 16 bits": Image.fromarray(MASK.astype(np.uint16) * 255),
    "alpha": Image.merge("LA", [Image.fromarray(MASK * 255)] * 2),
}


@pytest.mark.parametrize("name", WHITE)
def test_black_and_white_masks(tmp_path, name):
    source = read_masks(street(tmp_path, WHITE[name]), binary=True)["train"]
    np.testing.assert_array_equal(source.Y, [MASK])
    assert source.classes.names == ("background", "foreground")


def test_black_and_white_arrays(tmp_path):
    X = np.zeros((2, 3, 4, 3), np.uint8)
    np.savez(tmp_path / "a.npz", X=X, Y=np.stack([MASK * 255] * 2))
    source = read_masks(tmp_path / "a.npz", binary=True)["train"]
    np.testing.assert_array_equal(source.Y, [MASK, MASK])


def test_pixels_between_black_and_white_are_counted(tmp_path):
    smooth = MASK * 255
    smooth[0, 1], smooth[1, 0] = 130, 100
    with pytest.warns(DataWarning, match=r"neither black nor white \(2 in 1 of 2 masks"):
        source = read_masks(street(tmp_path, MASK * 255, smooth), binary=True)["train"]
    expected = MASK.copy()
    expected[0, 1] = 1
    np.testing.assert_array_equal(source.Y[1], expected)


@pytest.mark.parametrize(
    ("pixels", "got"),
    [
        (MASK * 2, "values from 0 to 2"),
        (MASK * 100, "values from 0 to 100"),
        (indexed(MASK, BLUE_RED), "the colour 0 0 255"),
    ],
)
def test_other_masks_are_not_black_and_white(tmp_path, pixels, got):
    assert f"got {got}" in text_of(street(tmp_path, pixels), binary=True)


def test_the_option_is_named_where_it_helps(tmp_path):
    assert text_of(street(tmp_path, MASK * 255)) == (
        "street/masks: expected masks with values 0, 1, … without a gap; got the values 0 and 255 "
        "only, where 255 marks ignored pixels.\n"
        "Try --binary, which reads 0 as background and 255 as foreground."
    )


def test_black_and_white_is_stored(tmp_path):
    assert MaskClasses.from_dict(BINARY.to_dict(), "the run").binary
    old = {"names": ["0", "1"], "marks": [[0], [1]], "ignored": None}
    assert not MaskClasses.from_dict(old, "the run").binary


def test_black_and_white_needs_no_list():
    with pytest.raises(
        OptionError, match="--binary: expected either --binary or --classes; got both"
    ):
        SegmentRecipe("street", binary=True, classes="own.txt")
    assert SegmentRecipe.from_dict({"source": "street"}).binary is False


# ---- smoothed borders


def disc(n=40, steps=8):
    """Return a disc with antialiased borders, from 0 to 255."""
    at = (np.arange(n * steps) + 0.5) / steps - n / 2
    inside = (at[:, None] ** 2 + at**2 < (n / 3) ** 2).astype(float)
    return np.round(255 * inside.reshape(n, steps, n, steps).mean(axis=(1, 3))).astype(np.uint8)


def test_smoothed_borders_are_explained(tmp_path):
    text = text_of(street(tmp_path, disc()))
    assert "values between 0 and 255 in" in text
    assert "come from antialiasing, smooth resizing or lossy compression" in text
    assert "Try --binary, which reads values of 128 and more as foreground" in text
    with pytest.warns(DataWarning, match="neither black nor white"):
        source = read_masks(street(tmp_path, disc(), folder="new"), binary=True)["train"]
    np.testing.assert_array_equal(source.Y[0], disc() >= 128)


def test_all_values_from_0_to_255_are_no_255_classes(tmp_path):
    ramp = disc(200)
    ramp[0, :] = np.arange(200)
    ramp[1, :56] = np.arange(200, 256)
    assert "antialiasing" in text_of(street(tmp_path, ramp))


def test_smoothed_borders_between_listed_classes_are_explained(tmp_path):
    root = street(tmp_path, disc())
    (root / "classes.txt").write_text("sky 0\nroad 255\n")
    text = text_of(root)
    assert "such values at borders come from antialiasing" in text
    assert "Try drawing masks without antialiasing, and resizing them by nearest" in text


def test_a_value_that_is_not_listed_is_no_smoothed_border(tmp_path):
    root = street(tmp_path, MASK + 1)
    (root / "classes.txt").write_text("sky 1\nroad 7\n")
    assert "antialiasing" not in text_of(root)


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("cat ²\ndog 2\n", "expected only a name|expected a name and a value|line 2"),
        ("cat " + "9" * 5000 + "\n", "line 1: expected a name, or a name and its value"),
        ("cat 1\n" * 2, "line 2: expected a name that is not used above"),
        ("cat\ncat\n", "line 2: expected a name that is not used above"),
        ("cat\0\ndog\n", "expected text in UTF-8; got a zero byte"),
    ],
)
def test_odd_lists_of_classes(tmp_path, text, got):
    (tmp_path / "classes.txt").write_text(text)
    with pytest.raises(DataError, match=got):
        read_classes(tmp_path / "classes.txt")


def test_an_odd_value_to_ignore(tmp_path):
    with pytest.raises(OptionError, match="expected a value, since no names are listed; got '²'"):
        found_classes("masks", [0, 1], "²")
    with pytest.raises(DataError, match="without a gap"):
        found_classes("masks", [0, 2], "9" * 5000)


def test_a_long_list_of_classes_is_refused_in_linear_time(tmp_path):
    (tmp_path / "long.txt").write_text("\n".join(f"class{i}" for i in range(200_000)))
    began = time.perf_counter()
    with pytest.raises(DataError, match=r"expected 2 to 255 classes; got 200000"):
        read_classes(tmp_path / "long.txt")
    assert time.perf_counter() - began < 10  # 0.5 s on an idle machine
