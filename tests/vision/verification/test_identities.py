"""chainrule/vision/verification/identities.py: images labelled by identity."""

import numpy as np
import pytest
from PIL import Image

from chainrule.errors import ChainruleError
from chainrule.vision.verification.identities import encode_identities, read_identities

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (6, 4, 5), dtype=np.uint8)
WHOSE = np.array(["eve", "ada", "eve", "ada", "kim", "kim"])


@pytest.fixture
def put(tmp_path):
    """Return a function that writes images of these identities below the folder people."""

    def put(*names: str, each: int = 2, pixels=X):
        for name in names:
            (tmp_path / "people" / name).mkdir(parents=True, exist_ok=True)
            for i in range(each):
                Image.fromarray(pixels[i]).save(tmp_path / "people" / name / f"{i}.png")
        return tmp_path / "people"

    return put


@pytest.fixture
def save(tmp_path):
    """Return a function that writes arrays into people.npz."""

    def save(**arrays):
        np.savez(tmp_path / "people.npz", **arrays)
        return tmp_path / "people.npz"

    return save


def error_text(path, **options) -> str:
    with pytest.raises(ChainruleError) as error:
        read_identities(path, **options)
    return str(error.value).replace(f"{path.parent}/", "")


def test_one_folder_per_identity(put):
    source = read_identities(put("ada", "eve"))
    assert source.y.tolist() == ["ada", "ada", "eve", "eve"]
    np.testing.assert_array_equal(source.X, X[[0, 1, 0, 1]])
    assert source.parts == {}


def test_predefined_sets(put):
    path = put("train/ada", "train/eve", "val/kim", "val/lea", "test/mia", "test/noa", each=3)
    source = read_identities(path)
    assert {part: one.y.tolist()[::3] for part, one in source.parts.items()} == {
        "dev": ["kim", "lea"],
        "test": ["mia", "noa"],
    }
    only = read_identities(path, part="test")
    assert (only.y.tolist()[::3], only.parts) == (["mia", "noa"], {})


def test_a_size_and_colours(put):
    source = read_identities(
        put("ada", "eve", pixels=np.stack([X] * 3, axis=-1)), image_size=(2, 3)
    )
    assert source.X.shape == (4, 2, 3, 3)


def test_arrays_with_identities(save):
    path = save(X=X, identities=WHOSE, y=np.arange(6))
    source = read_identities(path)
    assert source.y.tolist() == WHOSE.tolist()  # y has another meaning when identities are given
    np.testing.assert_array_equal(source.X, X)
    other = np.array(["mia", "noa"] * 3)
    found = read_identities(
        save(X_train=X, identities_train=WHOSE, X_test=X, identities_test=other)
    )
    assert found.parts["test"].y.tolist() == other.tolist()
    assert read_identities(save(images=X, labels=np.array([1, 2] * 3))).y.tolist() == [1, 2] * 3


def test_any_labels_become_numbers():
    for labels in (["b", "a", "b", "a"], [7.5, 1, 7.5, 1], np.array(["b", "a"] * 2, object)):
        names, numbers = encode_identities(labels, 4, "identities")
        assert names.tolist() == sorted(set(labels))
        assert numbers.tolist() == [1, 0, 1, 0]


def test_a_single_image_of_an_identity_is_refused(put):
    put("ada", "eve")
    path = put("kim", "lea", each=1)
    assert error_text(path) == (
        "people/kim: expected at least 2 images of each identity; got only one; likewise "
        "for lea.\nTry adding a second image, or removing the folder."
    )


def test_in_each_set(put):
    put("train/ada", "train/eve")
    path = put("test/kim", each=1)
    assert error_text(path).startswith(
        "people/test/kim: expected at least 2 images of each identity; got only one.\n"
    )


def test_an_identity_in_two_sets_is_refused(put):
    assert error_text(put("train/ada", "train/eve", "dev/ada", "dev/kim")) == (
        "people: expected each identity in one set only; got ada in train and in dev.\n"
        "Try moving all images of an identity to one set."
    )


def test_a_truncated_image_is_named(put):
    path = put("ada", "eve", pixels=RNG.integers(0, 256, (2, 40, 40), dtype=np.uint8))
    picture = path / "eve" / "1.png"
    picture.write_bytes(picture.read_bytes()[:-200])
    assert error_text(path).startswith(
        "people/eve/1.png: expected a complete image; got a truncated or damaged file"
    )
    with pytest.warns(UserWarning, match="skipped 1 of 4 images"):
        actual_text = error_text(path, skip_unreadable=True)
    assert actual_text.startswith(
        "people/eve: expected at least 2 images of each identity; got only one."
    )


ARRAYS = {
    "one image of somebody": (
        {"X": X[:5], "identities": WHOSE[:5]},
        (
            "people.npz, the train set: expected at least 2 images of each identity; got only "
            "one of kim.\nTry adding a second image of each, or removing these identities."
        ),
    ),
    "one alone": (
        {"X": X[:2], "identities": WHOSE[[0, 2]]},
        "people.npz, the train set: expected at least 2 identities; got 1.",
    ),
    "no identities": (
        {"X": X},
        "people.npz: expected X and identities, or X_train and identities_train; got X (6, 4, 5).",
    ),
    "rows": (
        {"X": X.reshape(6, 20), "identities": WHOSE},
        "people.npz: expected images (m, n_H, n_W) or (m, n_H, n_W, n_C); got X of shape (6, 20).",
    ),
    "fewer identities": (
        {"X": X, "identities": WHOSE[:4]},
        "people.npz, X and identities: expected as many rows as labels; got (6, 4, 5) and (4,).",
    ),
    "two parts": (
        {"X_train": X, "identities_train": WHOSE, "X_dev": X, "identities_dev": WHOSE},
        (
            "people.npz: expected each identity in one set only; got ada, eve, kim in train and "
            "in dev."
        ),
    ),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_are_refused(name, save):
    arrays, expected_text = ARRAYS[name]
    assert error_text(save(**arrays)).startswith(expected_text)


def test_files_that_are_refused(save, tmp_path):
    path = save(X=X, identities=WHOSE)
    assert error_text(path, image_size=(2, 2)).startswith(
        "--image-size: expected a folder of images;"
    )
    path.write_bytes(path.read_bytes()[:-100])
    assert error_text(path).startswith(
        "people.npz: expected a complete .npz file, as written by np.savez; got"
    )
    (tmp_path / "people.csv").write_text("a,b\n1,2\n")
    assert error_text(tmp_path / "people.csv").startswith(
        "people.csv: expected a folder with one folder of images per identity, or a .npz file"
    )
    assert "got no such file" in error_text(tmp_path / "peple.npz")


@pytest.mark.parametrize(
    ("labels", "expected_text"),
    [
        ([1, 2, 1], "whose: expected (4,), one identity per image; got (3,)."),
        (
            [1.0, np.nan, 1.0, 2.0],
            "whose: expected strings or numbers; got values of other types among them.",
        ),
        (
            ["a", None, "a", "b"],
            "whose: expected strings or numbers; got values of other types among them.",
        ),
        (
            [1, 2, 3, 4],
            "whose: expected at least 2 images of each identity; got only one of 1, 2",
        ),
    ],
)
def test_labels_that_are_refused(labels, expected_text):
    with pytest.raises(ChainruleError) as error:
        encode_identities(labels, 4, "whose")
    assert str(error.value).startswith(expected_text)
