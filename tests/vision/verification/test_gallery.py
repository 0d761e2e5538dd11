"""chainrule/vision/verification/gallery.py"""

import os
from dataclasses import replace

import numpy as np
import pytest

from chainrule.errors import DataError, OptionError, RunError, ShapeError
from chainrule.host.randomness import key_from_seed
from chainrule.models.zoo import build
from chainrule.train.outputs import network_outputs
from chainrule.vision.verification.gallery import Answer, Gallery, load_gallery, to_bytes
from tests.train.faces import people

pytestmark = pytest.mark.usefixtures("float32_world")
NETWORK = build("embedding", (6, 6, 1), 16, key=key_from_seed(0), options={"width": 0.25})
X, WHOSE = people(4, 3, noise=0.01)
NAMES = ("Ada", "Emmy", "Sofja")


@pytest.fixture(scope="module")
def gallery():
    """A gallery of three of the four people, each enrolled with two of three images."""
    made = Gallery(NETWORK, threshold=0.02)
    for i, name in enumerate(NAMES):
        made = made.enrol(name, X[i == WHOSE][:2])
    return made


def seen(i):
    """Return the third image of a person."""
    return X[i == WHOSE][2:]


def test_an_embedding_is_the_mean_of_the_images_scaled_to_length_one(gallery):
    E = network_outputs(NETWORK, X[:2]).astype(float)
    want = E.mean(axis=0) / np.linalg.norm(E.mean(axis=0))
    np.testing.assert_allclose(gallery.embeddings[0], want, rtol=1e-12)
    assert gallery.names == NAMES


def test_verify_accepts_the_right_person_only(gallery):
    [yes], [no] = gallery.verify("Ada", seen(0)), gallery.verify("Ada", seen(1))
    assert yes.name == "Ada"
    assert yes.D <= gallery.threshold < no.D
    assert no.name is None


def test_identify_finds_known_people_and_rejects_strangers(gallery):
    answers = gallery.identify(np.concatenate([seen(i) for i in range(4)]))
    assert [answer.name for answer in answers] == [*NAMES, None]


def test_a_distance_equal_to_the_threshold_is_accepted(gallery):
    assert gallery.answer_of(np.array([1.0, gallery.threshold, 2.0])) == Answer(
        "Emmy", 0.02, "Emmy"
    )
    assert gallery.answer_of(np.array([1.0, 3.0, 0.9])) == Answer(None, 0.9, "Sofja")


def test_a_name_can_be_enrolled_again_and_removed(gallery):
    changed = gallery.enrol("Ada", seen(3))
    assert changed.names == NAMES
    assert changed.identify(seen(3))[0].name == "Ada"
    left = changed.without("Ada")
    assert left.names == NAMES[1:]
    assert left.identify(seen(3))[0].name is None
    assert left.without("Emmy").without("Sofja").names == ()


def test_a_saved_gallery_gives_the_same_answers(gallery, tmp_path):
    gallery.save(tmp_path / "people.gallery")
    reloaded = load_gallery(tmp_path / "people.gallery")
    assert (reloaded.names, reloaded.threshold) == (gallery.names, gallery.threshold)
    np.testing.assert_array_equal(reloaded.embeddings, gallery.embeddings)
    assert reloaded.identify(X) == gallery.identify(X)
    assert os.listdir(tmp_path) == ["people.gallery"]
    Gallery(NETWORK, 0.5).save(tmp_path / "people.gallery")
    assert load_gallery(tmp_path / "people.gallery").names == ()


def test_bytes_are_divided_by_255_and_grey_needs_no_channel(gallery):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 6, 6), dtype=np.uint8)
    assert gallery.identify(pixels) == gallery.identify((pixels / 255)[..., None])


def test_the_learned_distance_is_used_and_saved(gallery, tmp_path):
    """W is −1 for the first of 16 coordinates and 0 else: Z = 2 − |difference| of the first."""
    learned = np.array([2.0, -1.0] + [0.0] * 15, np.float32)
    other = replace(gallery, pair_classifier=learned, threshold=0.4)
    other.save(tmp_path / "learned.gallery")
    e = network_outputs(NETWORK, seen(0)).astype(float)[0, 0]
    for one in (other, load_gallery(tmp_path / "learned.gallery")):
        [answer] = one.verify("Ada", seen(0))
        want = 1 / (1 + np.exp(2 - abs(e - one.embeddings[0, 0])))
        np.testing.assert_allclose(answer.D, want, rtol=1e-6)
        assert answer.name == "Ada"


def test_a_disk_that_fails_leaves_the_file_as_it_was(gallery, tmp_path, monkeypatch):
    path = tmp_path / "people.gallery"
    gallery.save(path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("chainrule.host.files.os.fsync", full)
    with pytest.raises(RunError, match=r"gallery: expected a file .*; got a full disk"):
        gallery.without("Ada").save(path)
    monkeypatch.undo()
    assert load_gallery(path).names == NAMES
    assert os.listdir(tmp_path) == ["people.gallery"]


def test_one_flipped_bit_anywhere_is_detected(gallery, tmp_path):
    content = to_bytes(gallery)
    path = tmp_path / "people.gallery"
    for place in (3, 40, 100, len(content) // 2, len(content) - 1):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(RunError, match="gallery: expected"):
            load_gallery(path)
    for part in (b"", content[:50], content[:-1]):
        path.write_bytes(part)
        with pytest.raises(RunError):
            load_gallery(path)
    path.write_bytes(content[:-1] + b"x")
    with pytest.raises(RunError) as error:
        load_gallery(path)
    assert str(error.value) == (
        f"{path}: expected the content that was saved; got a different sha256.\n"
        "Try an intact copy: the file has been damaged or changed."
    )


def test_images_whose_embeddings_cancel_are_refused(gallery, monkeypatch):
    opposite = np.array([[0.6, 0.8], [-0.6, -0.8]])
    monkeypatch.setattr(
        "chainrule.vision.verification.gallery.network_outputs", lambda *_: opposite
    )
    with pytest.raises(DataError, match=r"enrol\('Ada', …\): expected images of one person; got"):
        gallery.enrol("Ada", X[:2])


def test_the_errors_of_a_gallery(gallery, tmp_path):
    with pytest.raises(OptionError) as error:
        gallery.verify("Emy", seen(1))
    assert str(error.value).startswith(
        "the gallery: expected the name of a known person; got 'Emy'.\nTry Emmy (did you mean that"
    )
    with pytest.raises(ShapeError) as error:
        gallery.identify(X[0])
    assert "the gallery: expected images (m, 6, 6, 1); got (6, 6, 1, 1)." in str(error.value)
    with pytest.raises(DataError, match="the gallery: expected at least one image; got none"):
        gallery.identify(X[:0])
    with pytest.raises(DataError, match="at least one known person; got none"):
        Gallery(NETWORK, 0.1).identify(X)
    with pytest.raises(OptionError, match="expected a name; got ' '"):
        gallery.enrol(" ", X)
    with pytest.raises(DataError, match="the gallery: expected finite numbers; got nan"):
        gallery.enrol("Nan", np.full_like(X, np.nan))
    with pytest.raises(
        OptionError, match=r"Gallery\(threshold=…\): expected a number of at least 0"
    ):
        Gallery(NETWORK, -1.0)
    with pytest.raises(RunError, match='readable gallery; got the system error "No such file'):
        load_gallery(tmp_path / "none")
