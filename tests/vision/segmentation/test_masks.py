"""chainrule/vision/segmentation/masks.py and vision/segmentation/mask_classes.py"""

import re

import numpy as np
import pytest
from PIL import Image

from chainrule.errors import ChainruleError, DataWarning
from chainrule.vision.segmentation.mask_classes import MaskClasses, found_classes, read_classes
from chainrule.vision.segmentation.masks import nearest, read_masks

RNG = np.random.default_rng(0)
MASK = np.array([[0, 0, 1, 1], [0, 2, 2, 1], [2, 2, 2, 1]], np.uint8)
COLOURS = np.array([[70, 130, 180], [128, 64, 128], [0, 0, 0]], np.uint8)
LISTED = "sky 70 130 180\nroad 128 64 128\nvoid 0 0 0\n"


def picture(path, side=(3, 4), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (*side, 3), dtype=np.uint8)).save(path, **options)


def mask(path, pixels=MASK):
    path.parent.mkdir(parents=True, exist_ok=True)
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path)


def palette(pixels):
    image = Image.fromarray(pixels).convert("P")
    image.putdata(pixels.ravel().tolist())
    image.putpalette(COLOURS.ravel().tolist())
    return image


@pytest.fixture
def street(tmp_path):
    """Two images of 3 by 4, a and b, with their masks."""
    for name in "ab":
        picture(tmp_path / f"street/images/{name}.jpg")
        mask(tmp_path / f"street/masks/{name}.png")
    return tmp_path / "street"


def error_text(street, read=read_masks, *args, **options) -> str:
    """Return the error message, with paths relative to the parent folder."""
    with pytest.raises(ChainruleError) as error:
        read(*(args or (street,)), **options)
    return str(error.value).replace(f"{street.parent}/", "")


# ---- by hand


def test_images_with_their_masks(street):
    [(part, source)] = read_masks(street).items()
    assert part == "train"
    assert source.X.shape == (2, 3, 4, 3)
    np.testing.assert_array_equal(source.Y, [MASK, MASK])
    assert source.places.tolist() == ["a.jpg", "b.jpg"]
    assert source.classes == MaskClasses(("0", "1", "2"), ((0,), (1,), (2,)), (255,))
    np.testing.assert_array_equal(source.rows(np.array([1])).X[0], source.X[1])


def test_the_digest_covers_images_masks_and_classes(street):
    digest = read_masks(street)["train"].digest
    assert read_masks(street)["train"].digest == digest
    assert read_masks(street, image_size=(2, 2))["train"].digest != digest
    assert read_masks(street, ignored="2")["train"].digest != digest
    mask(street / "masks/b.png", MASK[::-1])
    assert read_masks(street)["train"].digest != digest


def test_sets(tmp_path, street):
    for part in ("train", "val", "test"):
        (street / part).mkdir()
    for folder in ("images", "masks"):
        (street / folder).rename(street / "train" / folder)
    picture(street / "val/images/c.png")
    mask(street / "val/masks/c.png", np.minimum(MASK, 1))
    picture(street / "test/images/d.png", side=(6, 8))
    mask(street / "test/masks/d.png", np.kron(MASK, np.ones((2, 2), np.uint8)))
    found = read_masks(street)
    assert {part: len(source) for part, source in found.items()} == {
        "train": 2,
        "dev": 1,
        "test": 1,
    }
    assert len({source.classes for source in found.values()}) == 1  # those of the training set
    np.testing.assert_array_equal(found["test"].Y[0], MASK)  # of the size of the training set

    (tmp_path / "apart").mkdir()
    for folder in ("images", "masks"):
        for part in ("train", "val"):
            path = tmp_path / "apart" / folder / part
            path.parent.mkdir(exist_ok=True)
            (street / part / folder).rename(path)
    assert list(read_masks(tmp_path / "apart")) == ["train", "dev"]


def test_masks_elsewhere(tmp_path, street):
    (street / "masks").rename(tmp_path / "elsewhere")
    for source in (street, street / "images"):
        found = read_masks(source, masks=tmp_path / "elsewhere")["train"]
        np.testing.assert_array_equal(found.Y, [MASK, MASK])


def test_sizes(street):
    source = read_masks(street, image_size=(6, 8))["train"]
    assert source.X.shape == (2, 6, 8, 3)
    np.testing.assert_array_equal(source.Y[0], np.kron(MASK, np.ones((2, 2), np.uint8)))
    picture(street / "images/b.jpg", side=(300, 400))
    mask(street / "masks/b.png", np.kron(MASK, np.ones((100, 100), np.uint8)))
    picture(street / "images/c.jpg", side=(300, 400))
    mask(street / "masks/c.png", np.kron(MASK, np.ones((100, 100), np.uint8)))
    expected_text = (
        "images: images of 2 sizes, resized to 96×128; choose another size by --image-size"
    )
    with pytest.warns(DataWarning, match=expected_text):
        source = read_masks(street)["train"]
    np.testing.assert_array_equal(source.Y[1], np.kron(MASK, np.ones((32, 32), np.uint8)))


def test_the_nearest_pixel():
    np.testing.assert_array_equal(nearest(MASK, (1, 2)), [[2, 1]])  # row 1, columns 1 and 3
    np.testing.assert_array_equal(nearest(MASK, MASK.shape), MASK)


def test_an_image_rotated_by_exif_has_its_displayed_size(street):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(street / "images/a.jpg", side=(4, 3), exif=exif)
    source = read_masks(street)["train"]
    assert source.X.shape == (2, 3, 4, 3)
    np.testing.assert_array_equal(source.Y[0], MASK)
    Image.fromarray(np.rot90(MASK)).save(street / "masks/a.png", exif=exif)  # rotated as well
    np.testing.assert_array_equal(read_masks(street)["train"].Y, source.Y)


# ---- classes


@pytest.mark.parametrize("storage", ["colours", "palette"])
def test_colours(street, storage):
    (street / "classes.txt").write_text(LISTED)
    for name in "ab":
        pixels = palette(MASK) if storage == "palette" else COLOURS[MASK]
        mask(street / f"masks/{name}.png", pixels)
    source = read_masks(street)["train"]
    np.testing.assert_array_equal(source.Y[0], MASK)
    assert source.classes.names == ("sky", "road", "void")
    source = read_masks(street, ignored="void")["train"]
    np.testing.assert_array_equal(source.Y[0], np.where(MASK == 2, 255, MASK))
    assert source.classes.names == ("sky", "road")


@pytest.mark.parametrize(
    "pixels",
    [
        palette(MASK),
        Image.fromarray(MASK.astype(np.uint16)),
        Image.merge("LA", [Image.fromarray(MASK)] * 2),
        Image.fromarray(np.stack([MASK] * 3, axis=-1)),
    ],
    ids=["palette", "16 bits", "transparent", "grey in colours"],
)
def test_values_as_they_are_written(street, pixels):
    mask(street / "masks/a.png", pixels)
    np.testing.assert_array_equal(read_masks(street)["train"].Y[0], MASK)


def test_a_mask_of_two_bits(street):
    for name in "ab":
        mask(street / f"masks/{name}.png", Image.fromarray(MASK == 1))
    np.testing.assert_array_equal(read_masks(street, classes=TWO)["train"].Y[0], MASK == 1)


TWO = MaskClasses(("other", "road"), ((0,), (1,)), listed="the run")


def test_values_that_are_listed(street):
    file = street.parent / "own.csv"
    file.write_text("name,value\n\ncat,200\nbig dog, 7\nnothing,0\n")
    for name in "ab":
        mask(street / f"masks/{name}.png", np.array([200, 7, 0], np.uint8)[MASK])
    source = read_masks(street, classes=file, ignored="nothing")["train"]
    assert source.classes.names == ("cat", "big dog")
    np.testing.assert_array_equal(source.Y[0], np.where(MASK == 2, 255, MASK))
    written = source.classes.mask_values(np.array([0, 1]))
    assert written.tolist() == [200, 7]
    again = MaskClasses.from_dict(source.classes.to_dict(), "the run")
    assert again == source.classes


def test_ignored_by_value(street):
    source = read_masks(street, ignored="0")["train"]
    assert source.classes.names == ("1", "2")
    np.testing.assert_array_equal(source.Y[0], np.where(MASK == 0, 255, MASK - 1))
    (street / "classes.txt").write_text("sky\nroad\ngrass\n")
    mask(street / "masks/a.png", np.where(MASK == 0, 99, MASK).astype(np.uint8))
    source = read_masks(street, ignored="99")["train"]
    np.testing.assert_array_equal(source.Y[0], np.where(MASK == 0, 255, MASK))


def test_header_lines_and_empty_lines(tmp_path):
    file = tmp_path / "class_dict.csv"
    file.write_text("name,r,g,b\nSky,70,130,180\n\nRoad,128,64,128\n")
    assert read_classes(file).marks == ((70, 130, 180), (128, 64, 128))
    file = tmp_path / "classes.txt"
    file.write_text(
        "label\nname\ntraffic light\n"
    )  # in a list of names, header words are ordinary names
    assert read_classes(file).names == ("label", "name", "traffic light")


# ---- arrays


def arrays(path, **changes):
    X = RNG.integers(0, 256, (2, 3, 4, 3), dtype=np.uint8)
    held = {"X": X, "Y": np.stack([MASK, MASK])} | changes
    np.savez(path, **{name: value for name, value in held.items() if value is not None})
    return path


def test_arrays(tmp_path):
    found = read_masks(arrays(tmp_path / "a.npz"), ignored="1")
    assert found["train"].classes.names == ("0", "2")
    np.testing.assert_array_equal(found["train"].Y[0], np.array([0, 255, 1])[MASK])
    names = np.array(["sky", "road", "void"])
    more = {"X_val": np.zeros((1, 3, 4, 3)), "masks_val": MASK[None], "classes": names}
    found = read_masks(arrays(tmp_path / "b.npz", **more), ignored="void")
    assert found["dev"].classes.names == ("sky", "road")
    assert found["dev"].X.dtype == np.float32


WRONG_ARRAYS = {
    "another size": (
        {"Y": np.stack([MASK[1:]] * 2)},
        (
            "a.npz, Y: expected masks of shape (2, 3, 4); got (2, 2, 4).\nTry masks of the same "
            "size as"
        ),
    ),
    "no mask": (
        {"Y": None},
        "a.npz: expected masks for X; got X (2, 3, 4, 3).\nTry adding an array",
    ),
    "numbers": (
        {"Y": np.stack([MASK, MASK]) / 2},
        "a.npz, Y: expected whole numbers; got an array of float64.",
    ),
    "rows": (
        {"X": np.ones((2, 12))},
        "a.npz, X: expected images, (m, n_H, n_W) or (m, n_H, n_W, n_C); got (2, 12).",
    ),
    "nothing that counts": (
        {"Y": np.stack([MASK, np.full_like(MASK, 255)])},
        (
            "a.npz, Y: expected at least one pixel of a class in every mask; got only ignored "
            "pixels in 1 of 2 masks, first in row 1."
        ),
    ),
    "a value that has no name": (
        {"names": None, "classes": np.array(["sky", "road"])},
        "a.npz, Y: expected one of the 2 values of the names in a.npz; got the value 2 in 10 "
        "pixels, the first in mask 0, row 1, column 1.\nTry a file for --classes, or --ignored 2.",
    ),
}


@pytest.mark.parametrize("name", WRONG_ARRAYS)
def test_wrong_arrays(tmp_path, name):
    changes, expected_text = WRONG_ARRAYS[name]
    path = arrays(tmp_path / "a.npz", **changes)
    assert error_text(path).startswith(expected_text)


def test_arrays_are_no_folder(tmp_path):
    path = arrays(tmp_path / "a.npz")
    assert error_text(path, image_size=(2, 2)).startswith(
        "--image-size: expected a folder of images; got a.npz."
    )
    path.write_bytes(path.read_bytes()[:300])
    assert error_text(path).startswith(
        "a.npz: expected a complete .npz file, as written by np.savez; got"
    )


# ---- error messages


def another_size(street):
    mask(street / "masks/b.png", MASK[:, :3])


def no_mask(street):
    (street / "masks/b.png").unlink()


def no_picture(street):
    mask(street / "masks/c.png")
    mask(street / "masks/d.png")


def a_cut_mask(street):
    path = street / "masks/b.png"
    path.write_bytes(path.read_bytes()[:50])


def a_cut_picture(street):
    path = street / "images/a.jpg"
    path.write_bytes(path.read_bytes()[:-30])


def no_picture_at_all(street):
    (street / "images/a.jpg").write_text("not an image")


def two_of_one_name(street):
    picture(street / "images/a.png")


def lossy(street):
    (street / "masks/a.png").rename(street / "masks/a.jpg")


def holes(street):
    mask(street / "masks/b.png", MASK * 100)


def unlisted(street):
    (street / "classes.txt").write_text("sky\nroad\n")


def unlisted_colour(street):
    (street / "classes.txt").write_text(LISTED)
    mask(street / "masks/a.png", COLOURS[MASK] + np.uint8(1))


def colours(street):
    mask(street / "masks/a.png", COLOURS[MASK])


def only_ignored(street):
    mask(street / "masks/a.png", np.full_like(MASK, 255))


def no_folders(street):
    (street / "masks").rename(street / "truth")
    (street / "images").rename(street / "pictures")


def no_masks(street):
    (street / "masks").rename(street / "truth")


def no_pictures(street):
    for path in (street / "images").iterdir():
        path.unlink()


WRONG = {
    another_size: "street/masks/b.png: expected 3 by 4 pixels, the size of b.jpg; got 3 by 3.\n"
    "Try the mask of this image.",
    no_mask: "street/images/b.jpg: expected its mask street/masks/b.png; got none.\n"
    "Try adding the mask, or removing the image.",
    no_picture: "street/masks/c.png: expected its image street/images/c.png, or another "
    "format; got none; likewise for 1 more: d.png.\n"
    "Try adding the image, or removing the mask.",
    a_cut_mask: (
        "street/masks/b.png: expected a complete image; got a truncated or damaged "
        "file (*).\nTry removing the file or copying it again."
    ),
    a_cut_picture: (
        "street/images/a.jpg: expected a complete image; got a truncated or "
        "damaged file (*).\nTry removing the file or copying it again."
    ),
    no_picture_at_all: (
        "street/images/a.jpg: expected a complete image; got a truncated or "
        "damaged file (*).\nTry removing the file or copying it again."
    ),
    two_of_one_name: (
        "street/images/a.png: expected a name that differs from a.jpg in more "
        "than the suffix; got the same name.\nTry keeping one of the two."
    ),
    lossy: "street/masks/a.jpg: expected a mask in a lossless format, such as PNG, BMP, GIF or "
    "TIFF; got a .jpg file, whose compression changes the values of pixels, mostly at borders.\n"
    "Try exporting the annotation again as .png; converting the file does not restore the values.",
    holes: "street/masks: expected masks with values 0, 1, … without a gap; got 0, 1, 2, "
    "100, 200 (and 255, which is ignored).\nTry --classes FILE, with a line per class, such "
    "as cat 200.",
    unlisted: "street/masks/a.png: expected one of the 2 values of street/classes.txt; got the "
    "value 2 in 5 pixels, the first in row 1, column 1; likewise for 1 more: street/masks/b.png.\n"
    "Try adding a line for it, or --ignored 2.",
    unlisted_colour: "street/masks/a.png: expected one of the 3 colours of street/classes.txt; got "
    "the colour 71 131 181 in 12 pixels, the first in row 0, column 0; likewise for 1 more: "
    "street/masks/b.png.\nTry adding a line for it.",
    colours: "street/masks/a.png: expected one whole number per pixel, its class; got colours.\n"
    "Try --classes FILE, with the name and the colour of each class.",
    only_ignored: "street/masks/a.png: expected at least one pixel of a class; got only "
    "ignored pixels.\n"
    "Try removing the mask and its image.",
    no_folders: "street: expected the folders images and masks; got pictures, truth.\n"
    "Try --masks FOLDER, if the masks are elsewhere.",
    no_masks: "street/masks: expected the folder of the masks; got no such folder.\n"
    "Try --masks FOLDER, if the masks are elsewhere.",
    no_pictures: "street/images: expected images; got none.\nTry the folder that holds them.",
}


@pytest.mark.parametrize("change", WRONG, ids=lambda change: change.__name__)
def test_errors_name_the_file(street, change):
    change(street)
    actual_text, wanted = error_text(street), WRONG[change]
    reason = re.search(r"damaged file (\(.*\))\.", actual_text)
    assert actual_text == wanted.replace("(*)", reason[1] if reason else "")


LISTS = {
    "sky 70 130\n": (
        "classes.txt, line 1: expected a name, or a name and its value or "
        "colour, with numbers from 0 to 255; got sky 70 130.\nTry sky 70 130 180."
    ),
    "70 130 180 sky\n": (
        "classes.txt, line 1: expected a name, or a name and its value or "
        "colour, with numbers from 0 to 255; got 70 130 180 sky.\nTry sky 70 "
        "130 180."
    ),
    "sky 300": (
        "classes.txt, line 1: expected a name, or a name and its value or colour, "
        "with numbers from 0 to 255; got sky 300.\nTry sky 70 130 180."
    ),
    "sky 1\n\nroad\n": "classes.txt, line 3: expected a name and a value, as in the first line; "
    "got only a name.\nTry writing every line with the same fields as the first one.",
    "sky\nroad\nsky\n": "classes.txt, line 3: expected a name that is not used above; got "
    "sky, as in "
    "line 1.\nTry removing one of the two lines.",
    "sky 1 2 3\nroad 1 2 3": "classes.txt, line 2: expected a colour that is not used above; "
    "got the "
    "colour 1 2 3, as in line 1.\nTry removing one of the two lines.",
    "\n": (
        "classes.txt: expected a list of the mask classes; got an empty file.\nTry one "
        "name per line, or a name and its colour: sky 70 130 180."
    ),
    "sky\n": "classes.txt: expected 2 to 255 classes; got 1.\nTry a complete list.",
}


@pytest.mark.parametrize("text", LISTS)
def test_a_list_of_classes_is_wrong(tmp_path, text):
    file = tmp_path / "classes.txt"
    file.write_text(text)
    assert error_text(file, read_classes) == LISTS[text]


def test_a_list_that_cannot_be_read(tmp_path):
    file = tmp_path / "classes.txt"
    actual_text = error_text(file, read_classes)
    expected = "classes.txt: expected a file; got no such file"
    assert actual_text.startswith(expected)
    file.write_bytes(b"\xff\xfe\x00s")
    assert error_text(file, read_classes).startswith(
        "classes.txt, line 1: expected text in UTF-8; got the byte 0xff."
    )
    file.write_text("sky\nroad\nvoid")
    actual_text = error_text(file, read_classes, file, "sea")
    assert actual_text.startswith("--ignored: expected one of 3 choices; got 'sea'.")
    with pytest.raises(ChainruleError, match="expected a value, since no names are listed; got 's"):
        found_classes("masks", [0, 1], "sky")


def test_incomplete_sets(tmp_path, street):
    apart = tmp_path / "apart"
    for part in ("train", "val"):
        picture(apart / f"images/{part}/a.png")
    mask(apart / "masks/train/a.png")
    assert error_text(apart) == (
        "apart/masks/val: expected the masks of apart/images/val; got no such folder.\n"
        "Try adding this folder."
    )
    picture(apart / "images/dev/b.png")
    assert error_text(apart).startswith(
        "apart/images: expected one folder for the dev set; got dev and val.\nTry keeping "
        "one of them."
    )
    (street / "train").mkdir()
    for folder in ("images", "masks"):
        (street / folder).rename(street / "train" / folder)
    picture(street / "test/images/c.png")
    expected = "street: test is ignored, since the folders images and masks are missing"
    with pytest.warns(DataWarning, match=expected):
        assert list(read_masks(street)) == ["train"]


def test_arrays_have_no_colours(tmp_path):
    (tmp_path / "classes.txt").write_text(LISTED)
    path = arrays(tmp_path / "a.npz")
    assert error_text(path, classes=tmp_path / "classes.txt") == (
        "a.npz, Y: expected masks with the colours in classes.txt; got masks of class numbers.\n"
        "Try listing names only, or names and values."
    )


def test_options_that_do_not_apply(street):
    assert error_text(street, read_masks, street / "images/a.jpg").startswith(
        "street/images/a.jpg: expected a folder with images/ and masks/, a COCO file, or a .npz "
        "file with X and Y"
    )
    (street / "train").mkdir()
    assert error_text(street, read_masks, street, masks=street / "m").startswith(
        "street/m: expected the folder of the masks; got no such folder."
    )
