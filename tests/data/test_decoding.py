"""chainrule/data/decoding.py: the depth, the colours and the number of images of a file"""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from chainrule.data.decoding import decode_image, decode_mask, largest_value, read_image_header
from chainrule.data.images import read_images
from chainrule.data.load import load
from chainrule.errors import DataError, DataWarning
from chainrule.runs.prepare import prepare_data
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.recipe import Recipe

RNG = np.random.default_rng(0)
GREY, GREY_ALPHA, COLOUR, COLOUR_ALPHA = 0, 4, 2, 6
FULL = 65_535


def png(path, values, kind):
    """Write values (n_H, n_W[, n_C]) as a PNG with 16 bits, which Pillow cannot write in colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n_H, n_W = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(name, content):
        checked = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checked)

    head = struct.pack(">IIBBBBB", n_W, n_H, 16, kind, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def folder_of(tmp_path, most, count=4, name="scans", least=0):
    """Write grey images of 6 by 6 with 16 bits, values up to `most`, in two classes."""
    for label in "ab":
        for i in range(count):
            values = RNG.integers(least, most + 1, (6, 6)).astype(np.uint16)
            values[0, 0] = most
            path = tmp_path / name / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(path)
    return tmp_path / name


# ---- 16 bits


@pytest.mark.parametrize(
    ("most", "white"), [(199, 255), (1000, 1023), (4095, 4095), (16_000, 16_383)]
)
def test_the_scale_follows_from_the_training_images(tmp_path, most, white):
    folder = folder_of(tmp_path, most)
    expected = rf"the largest value .* \(8 in all\) is {most:,}, so {white:,} is taken as the value"
    with pytest.warns(DataWarning, match=expected):
        found = read_images(folder)
    assert found.white == white
    stored = np.asarray(Image.open(folder / "a/0.png")).astype(float)
    np.testing.assert_array_equal(found.X[0], np.floor(stored * 255 / white + 0.5))


def test_the_full_range_is_read_as_before(tmp_path):
    folder = folder_of(tmp_path, FULL)
    found = read_images(folder)
    stored = np.asarray(Image.open(folder / "b/3.png"))
    np.testing.assert_array_equal(found.X[7], stored >> 8)
    assert found.white == FULL


@pytest.mark.parametrize("kind", [GREY_ALPHA, COLOUR, COLOUR_ALPHA])
def test_colours_with_16_bits(tmp_path, kind):
    channels = {GREY_ALPHA: 2, COLOUR: 3, COLOUR_ALPHA: 4}[kind]
    values = RNG.integers(0, 200, (5, 4, channels))
    if kind != COLOUR:
        values[..., -1] = FULL  # opaque
    path = png(tmp_path / "a.png", values, kind)
    assert read_image_header(path).deep
    assert largest_value(path) == values[..., :3][values[..., :3] < FULL].max()
    pixels, _ = decode_image(path, (5, 4), grey=False, white=255)
    colours = values[..., :3] if channels > 2 else values[..., :1].repeat(3, axis=2)
    np.testing.assert_array_equal(pixels, colours)
    wide = png(tmp_path / "b.png", values * (255 if kind == COLOUR else 1), kind)
    pixels, _ = decode_image(wide, (5, 4), grey=False)
    np.testing.assert_array_equal(pixels, colours * (255 if kind == COLOUR else 1) >> 8)


def test_tiff_files_with_16_bits(tmp_path):
    values = RNG.integers(0, 200, (5, 4)).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.tif")
    pixels, _ = decode_image(tmp_path / "a.tif", (5, 4), grey=True, white=255)
    np.testing.assert_array_equal(pixels, values)
    Image.fromarray(values).save(tmp_path / "b.tif", tiffinfo={281: 4095})  # the declared maximum
    assert largest_value(tmp_path / "b.tif") == 4095


def test_pgm_files_declare_their_range(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 2 1 1023\n" + np.array([1023, 512], ">u2").tobytes())
    header = read_image_header(tmp_path / "a.pgm")
    assert header.grey
    assert not header.deep
    pixels, _ = decode_image(tmp_path / "a.pgm", (1, 2), grey=True)
    np.testing.assert_array_equal(pixels, [[255, 128]])


def test_a_rotated_image_with_16_bits(tmp_path):
    values = np.arange(6, dtype=np.uint16).reshape(2, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(values).save(tmp_path / "a.tif", exif=exif)
    pixels, _ = decode_image(tmp_path / "a.tif", (3, 2), grey=True, white=255)
    np.testing.assert_array_equal(pixels, np.rot90(values, -1))


def test_bytes_and_16_bits_in_one_set(tmp_path):
    folder = folder_of(tmp_path, 199)
    Image.fromarray(np.full((6, 6), 77, np.uint8)).save(folder / "a/9.png")
    with pytest.warns(DataWarning, match=r"images with 16 bits \(8 in all\)"):
        found = read_images(folder)
    np.testing.assert_array_equal(found.X[4], 77)
    assert found.X[:4].max() == 199


def test_the_scale_is_the_same_for_all_sets(tmp_path):
    for part, most in (("train", 1000), ("dev", 400), ("test", 2000)):
        folder_of(tmp_path, most, name=f"scans/{part}")
    with pytest.warns(DataWarning) as warned:
        found = read_images(tmp_path / "scans")
    texts = [str(one.message) for one in warned]
    assert any(
        "values above 1,023, the value of white in" in text and "in 8 of 24 images" in text
        for text in texts
    )
    assert found.parts["dev"].X.max() == round(400 * 255 / 1023)
    assert found.parts["test"].X.max() == 255


def test_the_scale_is_stored_with_the_model(tmp_path):
    folder = folder_of(tmp_path, 199)
    with pytest.warns(DataWarning, match="255 is taken as the value of white"):
        data = prepare_data(Recipe(str(folder)))
    preprocessor = data.preprocessor
    assert preprocessor.white == 255
    saved = preprocessor.to_dict()
    assert Preprocessor.from_saved(saved, preprocessor.arrays()).white == 255
    del saved["white"]  # as earlier versions wrote it
    assert Preprocessor.from_saved(saved, preprocessor.arrays()).white == FULL
    new = folder_of(tmp_path, 40, name="new") / "a"
    X = load(new, labelled=False, white=255).X
    np.testing.assert_array_equal(X[0], np.asarray(Image.open(new / "0.png")))


def test_new_images_that_are_nearly_black_are_reported(tmp_path):
    new = folder_of(tmp_path, 199) / "a"
    with pytest.warns(
        DataWarning, match="is 199, but the value of white in the training images is 65,535"
    ):
        load(new, labelled=False, white=FULL)


# ---- colours


def test_modes_are_read_as_they_are_shown(tmp_path):
    half = Image.new("L", (4, 4), 200)
    half.putalpha(Image.fromarray(np.repeat([[0, 255]], 4, axis=0).repeat(2, 1).astype(np.uint8)))
    half.save(tmp_path / "la.png")
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", quality=95)
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(tmp_path / "cmyk.tif")
    indexed = Image.fromarray(np.array([[0, 1]] * 2, np.uint8).repeat(2, 0).repeat(2, 1), "P")
    indexed.putpalette([0, 0, 255, 255, 0, 0])
    indexed.save(tmp_path / "p.png", transparency=0)
    indexed.save(tmp_path / "p.gif", transparency=0)

    def shown(name):
        return decode_image(tmp_path / name, (4, 4), grey=False)[0]

    np.testing.assert_array_equal(shown("la.png")[:, :2], 255)  # transparent is white
    np.testing.assert_array_equal(shown("la.png")[:, 2:], 200)
    np.testing.assert_allclose(shown("cmyk.jpg")[0, 0], [255, 0, 0], atol=3)
    np.testing.assert_array_equal(shown("cmyk.tif")[0, 0], [255, 0, 0])
    for name in ("p.png", "p.gif"):
        np.testing.assert_array_equal(shown(name)[0], [[255] * 3] * 2 + [[255, 0, 0]] * 2)


def test_lab_colours(tmp_path):
    lab = np.zeros((2, 2, 3), np.uint8)
    lab[..., 0] = 255  # L = 100
    Image.fromarray(lab, "LAB").save(tmp_path / "a.tif")
    pixels, _ = decode_image(tmp_path / "a.tif", (2, 2), grey=False)
    np.testing.assert_allclose(pixels, 255, atol=1)


# ---- several images in one file


@pytest.mark.parametrize("suffix", ["gif", "tif", "png", "webp"])
def test_files_with_several_images_are_reported(tmp_path, suffix):
    for label in "ab":
        (tmp_path / "pets" / label).mkdir(parents=True)
        Image.new("RGB", (4, 4), "red").save(tmp_path / "pets" / label / "0.png")
    pages = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue", "lime")]
    file = tmp_path / f"pets/a/1.{suffix}"
    more = {"lossless": True} if suffix == "webp" else {}
    pages[0].save(file, save_all=True, append_images=pages[1:], **more)
    name = f"a/1.{suffix}"
    expected = f"1 file holds more than one image, such as {name}: only the first image is read"
    with pytest.warns(DataWarning, match=expected):
        found = read_images(tmp_path / "pets")
    np.testing.assert_array_equal(found.X[1, 0, 0], [255, 0, 0])


def test_a_single_page_is_no_news(tmp_path):
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.gif")
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.tif")
    assert not read_image_header(tmp_path / "a.gif").others
    assert not read_image_header(tmp_path / "a.tif").others


def test_a_mask_with_several_pages_is_refused(tmp_path):
    pages = [Image.new("L", (4, 4), i) for i in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(
        DataError, match="expected a file that contains one mask; got a file that c"
    ):
        decode_mask(tmp_path / "a.tif", coloured=False)


def test_a_jpeg_with_the_suffix_of_another_format_is_no_mask(tmp_path):
    Image.new("L", (4, 4), 1).save(tmp_path / "a.png", format="JPEG")
    with pytest.raises(DataError, match="got JPEG, whose compression changes the values of pixels"):
        decode_mask(tmp_path / "a.png", coloured=False)
