"""chainrule/vision/verification/gallery.py"""

import hashlib
import json
import os
import threading
from dataclasses import replace
from threading import Thread

import numpy as np
import pytest

from chainrule.errors import DataError, OptionError, RunError, ShapeError
from chainrule.host.randomness import key_from_seed
from chainrule.models.zoo import build
from chainrule.train.outputs import network_outputs
from chainrule.vision.verification import gallery as gallery_file
from chainrule.vision.verification.gallery import (
    HEADER,
    Answer,
    Gallery,
    load_gallery,
    locked,
    sha256_of,
    to_bytes,
)
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
    with pytest.raises(RunError, match="none: expected a file; got no such file"):
        load_gallery(tmp_path / "none")


# An intact file whose content is not that of a gallery


def changed(gallery, edit):
    """Return a gallery's file with other arrays and metadata, and the sha256 of its new content."""
    from safetensors.numpy import load, save

    arrays = load(to_bytes(gallery).partition(b"\n")[2])
    metadata = json.loads(arrays["words"].tobytes())
    edit(arrays, metadata)
    if "words" in arrays and arrays["words"].dtype == np.uint8:
        arrays["words"] = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
    content = save(arrays)
    return HEADER + hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def edits(name, x):
    """Return a function that replaces an array."""
    return lambda arrays, _: arrays.update({name: x(arrays[name])})


def words(**entries):
    """Return a function that replaces entries of the metadata."""
    return lambda _, metadata: metadata.update(entries)


WEIGHTS = "network.W1"
BAD = [
    (
        lambda arrays, _: arrays.pop("words"),
        "the array words: expected an array of uint8; got none",
    ),
    (edits("words", lambda x: x.astype(float)), "expected an array of uint8; got one of float64"),
    (
        lambda arrays, _: arrays.pop("embeddings"),
        "embeddings: expected an array of float64; got none",
    ),
    (
        edits("embeddings", lambda x: x.astype(np.float32)),
        "expected an array of float64; got one of",
    ),
    (edits("embeddings", lambda x: x[:2]), "(3, 16), one row for each name; got (2, 16)"),
    (
        edits("embeddings", lambda x: x[:, :15].copy()),
        "(3, 16), one row for each name; got (3, 15)",
    ),
    (
        edits("embeddings", lambda x: x * np.nan),
        "embeddings: expected rows of length one; got others",
    ),
    (edits("embeddings", lambda x: 2 * x), "embeddings: expected rows of length one; got others"),
    (
        edits("embeddings", lambda x: x[:, None]),
        "expected (3, 16), one row for each name; got (3, 1",
    ),
    (lambda arrays, _: arrays.pop(WEIGHTS), "the array W1: expected the shape"),
    (edits(WEIGHTS, lambda x: x * np.nan), "the array W1: expected finite numbers; got nan or inf"),
    (edits(WEIGHTS, lambda x: x[:1]), "the array W1: expected the shape"),
    (edits(WEIGHTS, lambda x: x + 1), "the network: expected that of the embeddings; got another"),
    (lambda arrays, _: arrays.update(likeness=np.ones(3)), "likeness: expected 17 finite numbers"),
    (lambda arrays, _: arrays.update({"network.W9": np.ones(3)}), "W9: expected an array of embed"),
    (words(names=["Ada", "Emmy", "Ada"]), "the names: expected each name once; got 'Ada' 2 times"),
    (words(names=["Ada", "Emmy", 3]), "words, at names[2]: expected `str`; got `int`"),
    (words(names=["Ada"]), "expected (1, 16), one row for each name; got (3, 16)"),
    (words(threshold=-1), "words, at threshold: expected `float` >= 0"),
    (words(threshold="0.5"), "words, at threshold: expected `float`; got `str`"),
    (words(threshold=float("nan")), "words: expected valid JSON; got the number NaN"),
    (words(threshold=0.5), "the network: expected that of the embeddings; got another network"),
    (words(white=0), "words, at white: expected `int` >= 1"),
    (words(pixel_scale="half"), "words, at pixel_scale: "),
    (words(network={"network": "no", "shape": [6, 6, 1], "n_L": 16}), "expected one of"),
    (words(network={}), "the network: expected the declared entries; got object missing"),
    (words(sha256="0" * 64), "the network: expected that of the embeddings; got another network"),
]


@pytest.mark.parametrize(("edit", "message"), BAD)
def test_an_intact_file_whose_content_is_wrong_is_refused(gallery, tmp_path, edit, message):
    path = tmp_path / "people.gallery"
    path.write_bytes(changed(gallery, edit))
    with pytest.raises(RunError) as error:
        load_gallery(path)
    assert str(error.value).startswith(f"{path}, ")
    assert message in str(error.value)


def test_a_gallery_of_an_earlier_version_is_read(gallery, tmp_path):
    """It has no sha256 of its network, and no scale of its pixels."""

    def earlier(_, metadata):
        for name in ("sha256", "pixel_scale", "white"):
            metadata.pop(name)

    path = tmp_path / "people.gallery"
    path.write_bytes(changed(gallery, earlier))
    assert sha256_of(load_gallery(path)) == sha256_of(gallery)
    path.write_bytes(changed(gallery, lambda *_: None))
    assert path.read_bytes() == to_bytes(gallery)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 8, b"\xff" * 9, b"\2\0\0\0\0\0\0\0{}", b"\x09\0\0\0\0\0\0\0{}"]
)
def test_content_that_is_no_safetensors_is_refused(tmp_path, content):
    digest = hashlib.sha256(content).hexdigest().encode()
    (tmp_path / "g").write_bytes(HEADER + digest + b"\n" + content)
    with pytest.raises(RunError, match=r"/g.*: expected "):
        load_gallery(tmp_path / "g")


def test_a_pipe_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "g")
    with pytest.raises(RunError, match="expected a regular file; got a pipe"):
        load_gallery(tmp_path / "g")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "a name; got ''"),
        (5, "a name; got 5"),
        ("a\x1b[31m", "a name without control characters; got 'a\\x1b[31m'"),
        ("a\nb", "a name without control characters; got 'a\\nb'"),
        ("a\u202eb", "a name without control characters; got 'a\\u202eb'"),
        ("\ud800", "a name without control characters; got '\\ud800'"),
        (5000 * "a", "a name of at most 255 characters; got 5,000, 'aaaaaaaaaaaaaaaaaaaa'…"),
    ],
)
def test_names_that_no_line_can_show_are_refused(gallery, name, expected):
    with pytest.raises(OptionError) as error:
        gallery.enrol(name, X[:1])
    assert str(error.value).startswith(f"enrol(name, …): expected {expected}.")


def test_a_lock_that_cannot_be_created_is_one_error(gallery, tmp_path):
    path = tmp_path / "none" / "people.gallery"
    with pytest.raises(RunError, match="expected a file that can be written; got"), locked(path):
        pass
    (tmp_path / "people.gallery.lock").symlink_to(tmp_path / "elsewhere")
    path = tmp_path / "people.gallery"
    with pytest.raises(RunError, match="expected a file that can be written; got"), locked(path):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_two_commands_at_the_same_time_lose_nobody(gallery, tmp_path, monkeypatch):
    """The second one waits until the first has written the gallery."""
    path = tmp_path / "people.gallery"
    gallery.save(path)
    real, waiting = gallery_file.load_gallery, threading.Event()

    def slow(name):
        found = real(name)
        waiting.wait(0.2)
        return found

    monkeypatch.setattr(gallery_file, "load_gallery", slow)
    names = NAMES[:2]
    threads = [Thread(target=gallery_file.forget, args=(str(path), name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert real(path).names == NAMES[2:]
    assert os.listdir(tmp_path) == ["people.gallery"]
