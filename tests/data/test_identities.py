"""chainrule/data/identities.py: pictures, and whose each is."""

import numpy as np
import pytest
from PIL import Image

from chainrule.data.identities import numbered, read_identities
from chainrule.errors import ChainruleError

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (6, 4, 5), dtype=np.uint8)
WHOSE = np.array(["eve", "ada", "eve", "ada", "kim", "kim"])


@pytest.fixture
def put(tmp_path):
    """Writes pictures of each of these below the folder people."""

    def put(*names: str, each: int = 2, pixels=X):
        for name in names:
            (tmp_path / "people" / name).mkdir(parents=True, exist_ok=True)
            for i in range(each):
                Image.fromarray(pixels[i]).save(tmp_path / "people" / name / f"{i}.png")
        return tmp_path / "people"

    return put


@pytest.fixture
def save(tmp_path):
    """Writes arrays into people.npz."""

    def save(**arrays):
        np.savez(tmp_path / "people.npz", **arrays)
        return tmp_path / "people.npz"

    return save


def words(path, **options) -> str:
    with pytest.raises(ChainruleError) as error:
        read_identities(path, **options)
    return str(error.value).replace(f"{path.parent}/", "")


def test_a_folder_for_each(put):
    source = read_identities(put("ada", "eve"))
    assert source.y.tolist() == ["ada", "ada", "eve", "eve"]
    np.testing.assert_array_equal(source.X, X[[0, 1, 0, 1]])
    assert source.parts == {}


def test_parts_of_their_own(put):
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


def test_arrays_and_whose_each_is(save):
    path = save(X=X, identities=WHOSE, y=np.arange(6))
    source = read_identities(path)
    assert source.y.tolist() == WHOSE.tolist()  # y is something else where both are there
    np.testing.assert_array_equal(source.X, X)
    other = np.array(["mia", "noa"] * 3)
    found = read_identities(
        save(X_train=X, identities_train=WHOSE, X_test=X, identities_test=other)
    )
    assert found.parts["test"].y.tolist() == other.tolist()
    assert read_identities(save(images=X, labels=np.array([1, 2] * 3))).y.tolist() == [1, 2] * 3


def test_any_labels_become_numbers():
    for labels in (["b", "a", "b", "a"], [7.5, 1, 7.5, 1], np.array(["b", "a"] * 2, object)):
        names, numbers = numbered(labels, 4, "identities")
        assert names.tolist() == sorted(set(labels))
        assert numbers.tolist() == [1, 0, 1, 0]


def test_one_picture_of_somebody_is_refused_by_the_folder(put):
    put("ada", "eve")
    path = put("kim", "lea", each=1)
    assert words(path) == (
        "people/kim: expected 2 pictures or more of an identity; got a single one; the same "
        "of lea.\nTry a second picture in it, or removing the folder."
    )


def test_in_each_part(put):
    put("train/ada", "train/eve")
    path = put("test/kim", each=1)
    assert words(path).startswith(
        "people/test/kim: expected 2 pictures or more of an identity; got a"
    )


def test_nobody_is_in_two_parts(put):
    assert words(put("train/ada", "train/eve", "dev/ada", "dev/kim")) == (
        "people: expected every identity in one part; got ada in train and in dev.\n"
        "Try each with all its pictures in one of them."
    )


def test_a_picture_that_is_cut_short_is_named(put):
    path = put("ada", "eve", pixels=RNG.integers(0, 256, (2, 40, 40), dtype=np.uint8))
    picture = path / "eve" / "1.png"
    picture.write_bytes(picture.read_bytes()[:-200])
    assert words(path).startswith(
        "people/eve/1.png: expected a whole picture; got a file that is cut short or damaged"
    )
    with pytest.warns(UserWarning, match="left out 1 of 4 pictures"):
        said = words(path, skip_unreadable=True)
    assert said.startswith(
        "people/eve: expected 2 pictures or more of an identity; got a single one."
    )


ARRAYS = {
    "one image of somebody": (
        {"X": X[:5], "identities": WHOSE[:5]},
        "people.npz, the train part: expected 2 images or more of each identity; got a single one "
        "of kim.\nTry a second image of each, or leaving them out.",
    ),
    "one alone": (
        {"X": X[:2], "identities": WHOSE[[0, 2]]},
        "people.npz, the train part: expected 2 identities or more; got 1.",
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
        "people.npz: expected every identity in one part; got ada, eve, kim in train and in dev.",
    ),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_are_refused(name, save):
    arrays, said = ARRAYS[name]
    assert words(save(**arrays)).startswith(said)


def test_files_that_are_refused(save, tmp_path):
    path = save(X=X, identities=WHOSE)
    assert words(path, image_size=(2, 2)).startswith("--image-size: expected a folder of pictures;")
    path.write_bytes(path.read_bytes()[:-100])
    assert words(path).startswith(
        "people.npz: expected a whole .npz file, as np.savez writes it; got"
    )
    (tmp_path / "people.csv").write_text("a,b\n1,2\n")
    assert words(tmp_path / "people.csv").startswith(
        "people.csv: expected a folder with a folder of pictures for each identity, or a .npz file"
    )
    assert "got no such file" in words(tmp_path / "peple.npz")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([1, 2, 1], "whose: expected (4,), whose each image is; got (3,)."),
        ([1.0, np.nan, 1.0, 2.0], "whose: expected texts, or numbers; got others among them."),
        (["a", None, "a", "b"], "whose: expected texts, or numbers; got others among them."),
        (
            [1, 2, 3, 4],
            "whose: expected 2 images or more of each identity; got a single one of 1, 2",
        ),
    ],
)
def test_labels_that_are_refused(labels, said):
    with pytest.raises(ChainruleError) as error:
        numbered(labels, 4, "whose")
    assert str(error.value).startswith(said)
