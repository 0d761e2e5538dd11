"""chainrule/data/images.py and pictures.py"""

import sys

import numpy as np
import pytest
from PIL import Image

from chainrule.data.images import read_images
from chainrule.data.progress import report_decoding
from chainrule.data.streaming import Streamed
from chainrule.errors import DataError, DataWarning, MissingExtraError

RNG = np.random.default_rng(0)
RED = np.full((6, 8, 3), (255, 0, 0), np.uint8)


def noise(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def put(tmp_path):
    """Return a function that writes an image below the folder and returns its pixels."""

    def put(name: str, pixels, **options) -> np.ndarray:
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        image.save(path, **options)
        return np.asarray(image)

    (tmp_path / "pets").mkdir()
    return put


@pytest.fixture
def pets(tmp_path):
    return tmp_path / "pets"


def error_text(path, **options) -> str:
    with pytest.raises(DataError) as error:
        read_images(path, **options)
    return str(error.value).replace(f"{path.parent}/", "")


def test_a_folder_for_each_class(put, pets):
    dog = put("dog/1.png", noise(6, 8, 3))
    cats = [put(f"cat/{name}", noise(6, 8, 3)) for name in ("b.png", "a.PNG", "c.bmp")]
    source = read_images(pets)
    assert source.y.tolist() == ["cat", "cat", "cat", "dog"]
    assert np.array_equal(source.X, [cats[1], cats[0], cats[2], dog])  # by name
    assert source.X.dtype == np.uint8
    assert source.digest == read_images(pets).digest
    put("dog/1.png", noise(6, 8, 3))
    assert source.digest != read_images(pets).digest


def test_grey_images_have_no_channels(put, pets):
    first = put("a/1.png", noise(5, 5))
    put("b/1.png", Image.fromarray(noise(5, 5)).convert("1"))
    assert read_images(pets).X.shape == (2, 5, 5)
    put("b/2.png", RED[:5, :5])
    source = read_images(pets)
    assert source.X.shape == (3, 5, 5, 3)
    assert np.array_equal(source.X[0], np.stack([first] * 3, axis=-1))


def test_sizes(put, pets):
    put("a/1.png", RED)
    assert read_images(pets, image_size=(3, 4)).X.shape == (1, 3, 4, 3)
    put("b/1.png", RED[:5])
    expected_text = (
        "pets: images of 2 sizes, 5×8, 6×8, all resized to 64×64; choose another size by "
        "--image-size"
    )
    with pytest.warns(DataWarning, match=expected_text):
        source = read_images(pets)
    assert source.X.shape == (2, 64, 64, 3)
    assert np.array_equal(source.X[0, 10, 20], [255, 0, 0])


def test_an_image_is_rotated_by_its_exif_orientation(put, pets):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was rotated to the left: rotate clockwise
    pixels = put("a/1.png", noise(6, 8, 3), exif=exif)
    source = read_images(pets)
    assert np.array_equal(source.X[0], np.rot90(pixels, k=-1))


def test_transparent_is_white(put, pets):
    clear = np.zeros((4, 4, 4), np.uint8)
    clear[0, 0] = (10, 20, 30, 255)
    put("a/1.png", clear)
    X = read_images(pets).X[0]
    assert X[0, 0].tolist() == [10, 20, 30]
    assert X[1, 1].tolist() == [255, 255, 255]


def test_sixteen_bits_become_eight(put, pets):
    put("a/1.png", Image.fromarray(np.array([[0, 255, 256, 65535]], np.uint16)))
    assert read_images(pets).X[0].tolist() == [[0, 0, 1, 255]]


def test_palettes_and_jpeg(put, pets):
    put("a/1.gif", Image.fromarray(RED).convert("P"))
    put("a/2.jpg", RED)
    put("a/3.jpg", Image.fromarray(RED).convert("CMYK"))
    X = read_images(pets).X.astype(int)
    assert np.abs(X - RED).max() < 20


def test_sets(put, pets):
    for part in ("train", "val", "test"):
        put(f"{part}/cat/1.png", RED)
        put(f"{part}/dog/1.png", RED)
    put("test/dog/2.png", RED[:5])  # all sets have the size of the training set
    source = read_images(pets)
    assert {name: len(part) for name, part in source.parts.items()} == {"dev": 2, "test": 3}
    assert source.X.shape == (2, 6, 8, 3)
    only = read_images(pets, part="dev")
    assert (only.X.shape, only.parts) == ((2, 6, 8, 3), {})


def test_a_class_may_be_called_test(put, pets):
    put("test/1.png", RED)
    put("car/1.png", RED)
    assert read_images(pets).y.tolist() == ["car", "test"]


def test_without_classes_for_prediction(put, pets):
    pixels = [put(f"{i}.png", noise(6, 8, 3)) for i in range(3)]
    source = read_images(pets, labelled=False)
    assert np.array_equal(source.X, pixels)
    assert source.y is None
    one = read_images(pets / "1.png", labelled=False, image_size=(6, 8))
    assert np.array_equal(one.X[0], pixels[1])


def test_other_files_are_ignored_with_a_warning(put, pets):
    put("a/1.png", RED)
    (pets / "a" / ".hidden.png").write_bytes(b"")
    (pets / "__MACOSX").mkdir()
    assert len(read_images(pets)) == 1
    (pets / "a" / "notes.txt").write_text("")
    put("stray.png", RED)
    with pytest.warns(DataWarning, match="2 files that are not images of a class, such as stray"):
        assert len(read_images(pets)) == 1


def test_folders_inside_a_class_are_ignored_with_a_warning(put, pets):
    for name in ("a/1.png", "a/more/2.png", "b/.thumbnails/1.png", "b/1.png"):
        put(name, RED)
    with pytest.warns(DataWarning, match=r"ignored folders inside class folders, .*: a/more$"):
        assert len(read_images(pets)) == 2


def test_folders_beside_the_sets_are_ignored_with_a_warning(put, pets):
    put("train/a/1.png", RED)
    put("test/1.png", RED)
    with pytest.warns(DataWarning, match="ignored folders without class folders in them: test"):
        assert read_images(pets).parts == {}


def test_reports_how_a_folder_should_look(put, pets):
    tail = "\nTry one folder of images per class, such as pets/cat/1.png and pets/dog/1.png."
    assert error_text(pets) == (
        f"pets: expected class folders with images; got 0 folders and 0 other files.{tail}"
    )
    put("1.png", RED)
    put("2.png", RED)
    (pets / "cat").mkdir()
    assert error_text(pets) == (
        "pets: expected class folders with images; got 1 folder and 2 other files, such as "
        "cat and "
        f"1.png and 2.png.{tail}"
    )
    with pytest.raises(
        DataError, match=r"got one image.\nTry the folder that contains the class folders"
    ):
        read_images(pets / "1.png")


def test_reports_which_class_has_no_image(put, pets):
    put("cat/1.png", RED)
    (pets / "dog").mkdir()
    (pets / "dog" / "1.heic").write_text("")
    assert error_text(pets).startswith(
        "pets/dog: expected images of this class; got 1 other files or folders.\n"
        "Try removing the folder; "
    )


def test_reports_which_file_is_truncated(put, pets):
    put("cat/1.png", noise(50, 50, 3))
    put("cat/2.jpg", noise(50, 50, 3))
    for name in ("1.png", "2.jpg"):
        whole = (pets / "cat" / name).read_bytes()
        (pets / "cat" / name).write_bytes(whole[: len(whole) // 2])
    (pets / "cat" / "2.jpg").rename(pets / "2.jpg")
    with pytest.warns(DataWarning):
        assert error_text(pets).startswith(
            "pets/cat/1.png: expected a complete image; got a truncated or damaged file ("
        )
    (pets / "2.jpg").rename(pets / "cat" / "2.jpg")
    assert error_text(pets).endswith(
        "; likewise for 1 more: pets/cat/2.jpg.\n"
        "Try removing the file or copying it again, or --skip-unreadable."
    )
    for i in range(5):
        (pets / "cat" / f"{i}.png").write_bytes(b"no image")
    assert "; likewise for 4 more: pets/cat/1.png, pets/cat/2.png, pets/cat/3.png …." in error_text(
        pets
    )


def test_refuses_32_bits(put, pets):
    put("a/1.tiff", Image.fromarray(np.ones((3, 3), np.float32)))
    assert "pets/a/1.tiff: expected 8 or 16 bits per channel; got 32" in error_text(pets)


def test_reports_when_the_set_is_missing_or_ambiguous(put, pets):
    put("train/a/1.png", RED)
    put("val/a/1.png", RED)
    assert "pets: expected a test set; got only the sets train and dev" in error_text(
        pets, part="test"
    )
    put("dev/a/1.png", RED)
    assert "pets: expected one folder for the dev set; got dev and val" in error_text(pets)


def test_large_sets_are_read_in_chunks(put, pets, monkeypatch):
    pixels = [put(f"{name}/1.png", noise(6, 8, 3)) for name in "abc"]
    whole = read_images(pets)
    monkeypatch.setattr("chainrule.data.decoding.available_bytes", lambda: 4 * 4 * 3 * 144 - 1)
    source = read_images(pets)
    assert isinstance(source.X, Streamed)
    assert (source.X.shape, source.X.dtype) == ((3, 6, 8, 3), np.uint8)
    assert np.array_equal(source.X[2:0:-1], [pixels[2], pixels[1]])
    assert source.digest == whole.digest


def test_damaged_files_are_skipped_on_request(put, pets):
    pixels = [put(f"cat/{i}.png", noise(50, 50, 3)) for i in range(4)]
    pixels += [put(f"dog/{i}.png", noise(50, 50, 3)) for i in range(2)]
    (pets / "cat" / "0.png").write_bytes(b"no image")
    whole = (pets / "cat" / "2.png").read_bytes()
    (pets / "cat" / "2.png").write_bytes(whole[: len(whole) // 2])  # its header is intact
    error_text = "skipped 2 of 6 images that cannot be read, the first .*cat/0.png"
    with pytest.warns(DataWarning, match=error_text):
        source = read_images(pets, skip_unreadable=True)
    assert np.array_equal(source.X, [pixels[i] for i in (1, 3, 4, 5)])
    assert source.y.tolist() == ["cat", "cat", "dog", "dog"]
    assert source.where.tolist() == ["cat/1.png", "cat/3.png", "dog/0.png", "dog/1.png"]
    assert source.skipped == ("cat/0.png", "cat/2.png")
    for name in ("cat/0.png", "cat/2.png"):
        (pets / name).unlink()
    assert read_images(pets).digest == source.digest


def test_reports_when_no_file_can_be_read(put, pets):
    (pets / "cat").mkdir()
    (pets / "cat" / "1.png").write_bytes(b"no image")
    assert error_text(pets, skip_unreadable=True).startswith(
        "pets: expected images; got 1 file, none of them readable, such as pets/cat/1.png."
    )


def test_reports_progress(put, pets, monkeypatch):
    for i in range(5):
        put(f"a/{i}.png", RED)
    heard = []
    monkeypatch.setattr("chainrule.data.decoding.AT_A_TIME", 2)
    with report_decoding(lambda done, files: heard.append((done, files))):
        read_images(pets)
    read_images(pets)
    assert heard == [(2, 5), (4, 5), (5, 5)]


def test_reports_which_extra_is_missing(pets, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError) as error:
        read_images(pets)
    assert 'Try pip install "chainrule[images]".' in str(error.value)


# New images, without labels


def test_every_file_of_a_folder_is_read_or_left_out_by_name(put, pets):
    for name in ("1.png", "2.JPG", "more/3.png", "more/deep/4.bmp"):
        put(name, noise(6, 8, 3))
    put("5", noise(6, 8, 3), format="PNG")  # without a suffix
    (pets / "6.heic").write_bytes(b"ftypheic")
    (pets / "notes").write_text("text")
    left_out = (
        r"pets: 2 files are left out, since they are not images in a supported format: 6\.heic"
    )
    with pytest.warns(DataWarning, match=left_out):
        source = read_images(pets, labelled=False)
    assert source.where.tolist() == ["1.png", "2.JPG", "5", "more/3.png", "more/deep/4.bmp"]


def test_reports_a_folder_without_images(put, pets):
    (pets / "a.heic").write_bytes(b"ftypheic")
    assert error_text(pets, labelled=False).startswith(
        "pets: expected images; got only another file: a.heic.\nTry files that end in .png"
    )


def test_reports_which_sets_are_left_out_of_a_prediction(put, pets):
    for part in ("train", "test"):
        for name in ("a/1.png", "b/1.png"):
            put(f"{part}/{name}", noise(6, 8, 3))
    with pytest.warns(DataWarning, match="only the test set is read, and not train"):
        assert len(read_images(pets, labelled=False, part="test")) == 2
