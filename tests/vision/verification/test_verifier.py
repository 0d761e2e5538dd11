"""Tests of chainrule/vision/verification/verifier.py."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from chainrule.errors import ChainruleError
from chainrule.vision.verification.gallery import load_gallery
from chainrule.vision.verification.verifier import Verifier
from tests.train.faces import people

pytestmark = pytest.mark.usefixtures("float32_world")
HOW = {"embedding_size": 8, "width": 0.25, "augment": None, "learning_rate": 0.01}
X, WHOSE = people(80, 4, noise=0.5, seed=1)
NAMES = np.array([f"person {i:02d}" for i in WHOSE])
KNOWN, STRANGERS = WHOSE < 60, WHOSE >= 60


@pytest.fixture(scope="module")
def fitted():
    """Train on 60 people, a fifth of whom are held out."""
    return Verifier(epochs=8, **HOW).fit(X[KNOWN], NAMES[KNOWN])


def test_distinguishes_unknown_people(fitted):
    scores = fitted.scores(X[STRANGERS], NAMES[STRANGERS])
    assert scores["equal_error_rate"] < 0.12
    assert scores["auc"] > 0.94
    assert scores["accuracy"] == fitted.score(X[STRANGERS], NAMES[STRANGERS]) > 0.85
    assert (scores["threshold"], scores["ways"]) == (fitted.threshold_, 20)
    assert scores["one_shot"] > 0.6
    few = (WHOSE >= 60) & (WHOSE < 63)
    assert "one_shot" not in fitted.scores(X[few], WHOSE[few])
    assert fitted.history_.best_epoch
    assert len(fitted.identities_) == 48  # 12 of 60 chose the epoch and the threshold


def test_verify_compares_the_distance_with_the_threshold(fitted):
    first, second, other = (np.flatnonzero(STRANGERS)[i::4] for i in (0, 1, 2))
    same, different = (first, second), (first, np.roll(other, 1))
    D = fitted.distances(*(X[rows] for rows in same))
    E = fitted.embed(X)
    assert E.shape == (320, 8)
    np.testing.assert_allclose(np.linalg.norm(E, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(D, ((E[first] - E[second]) ** 2).sum(axis=1), atol=1e-5)
    np.testing.assert_array_equal(fitted.verify(X[first], X[second]), fitted.threshold_ >= D)
    yes, no = (fitted.verify(*(X[rows] for rows in pair)) for pair in (same, different))
    assert yes.sum() >= 16 > 4 >= no.sum()


def test_a_gallery(fitted, tmp_path):
    gallery = fitted.gallery()
    assert (gallery.names, gallery.threshold) == ((), fitted.threshold_)
    one, other = np.flatnonzero(WHOSE == 64), np.flatnonzero(WHOSE == 67)
    gallery.enrol("Ada", X[one[:3]]).save(tmp_path / "people.gallery")
    [answer] = load_gallery(tmp_path / "people.gallery").identify(X[one[3:4]])
    assert answer.name == "Ada"
    assert gallery.enrol("Ada", X[one[:3]]).identify(X[other[:1]])[0].name is None


def test_bytes_and_floats_are_the_same_images(fitted):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 6, 6), dtype=np.uint8)
    np.testing.assert_allclose(
        fitted.embed(pixels), fitted.embed((pixels / 255)[..., None]), atol=1e-5
    )


def test_a_pickle_and_a_clone(fitted):
    same = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(same.embed(X[:4]), fitted.embed(X[:4]))
    assert clone(fitted).get_params() == fitted.get_params()


def test_a_given_dev_set_and_a_learned_similarity():
    dev = WHOSE >= 65
    made = Verifier(epochs=4, similarity="logistic", **HOW)
    made.fit(X[KNOWN], WHOSE[KNOWN], X[dev], WHOSE[dev])
    assert made.identities_.tolist() == list(range(60))
    D = made.distances(X[:5], X[1:6])
    assert ((D >= 0) & (D <= 1)).all()
    assert made.likeness_.shape == (9,)
    assert made.scores(X[dev], WHOSE[dev])["auc"] > 0.92
    np.testing.assert_array_equal(made.gallery().pair_classifier, made.likeness_)


def test_with_few_people_all_are_used_for_training():
    for n, how in ((9, {}), (12, {"dev_share": 0})):
        few = n > WHOSE
        made = Verifier(epochs=1, **HOW, **how).fit(X[few], WHOSE[few])
        assert made.identities_.tolist() == list(range(n))
        assert made.history_.best_epoch is None
    assert made.threshold_ > 0


def test_the_number_of_steps():
    assert Verifier(people_per_batch=8, photos_per_person=4).epochs_for(960) == 33
    assert Verifier().epochs_for(10**6) == 10
    assert Verifier(epochs=7).epochs_for(960) == 7


def test_bytes_for_training_and_floats_for_dev():
    """The cost and the threshold equal those of floats in both sets."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 6, 6), dtype=np.uint8)
    whose = np.arange(6).repeat(4)
    train, dev = slice(0, 12), slice(12, 24)
    made = [
        Verifier(epochs=1, **HOW).fit(X[train], whose[train], X[dev], whose[dev])
        for X in (pixels, np.float32(pixels[..., None]) / np.float32(255))
    ]
    mixed = Verifier(epochs=1, **HOW)
    mixed.fit(pixels[train], whose[train], pixels[dev] / 255, whose[dev])
    costs = [one.history_.costs[0] for one in (*made, mixed)]
    assert costs[0] == pytest.approx(costs[2], rel=1e-4)  # rounding errors grow
    assert made[1].threshold_ == mixed.threshold_


FEW = slice(0, 12)
REFUSED = {
    "one image": (
        (X[:9], NAMES[:9]),
        {},
        "identities: expected at least 2 images of each identity; got only one of person 02.",
    ),
    "one identity": ((X[:4], WHOSE[:4]), {}, "identities: expected at least 2 identities; got 1."),
    "fewer identities": (
        (X[FEW], WHOSE[:11]),
        {},
        "identities: expected (12,), one identity per image; got (11,).",
    ),
    "one picture": (
        (X[0, ..., 0], WHOSE[:6]),
        {},
        "X: expected images (m, n_H, n_W, n_C); got (6, 6)",
    ),
    "no number": ((X[FEW] * np.nan, WHOSE[FEW]), {}, "X: expected finite numbers; got nan"),
    "dev of training's people": (
        (X[FEW], WHOSE[FEW], X[FEW], WHOSE[FEW] + 2),
        {},
        "identities_dev: expected people who are not in the training set; "
        "got 1 from the training set, "
        "such as 2.",
    ),
    "dev of another size": (
        (X[FEW], WHOSE[FEW], X[FEW, 1:], WHOSE[FEW] + 3),
        {},
        "X_dev: expected images (m, 6, 6, 1); got (12, 5, 6, 1).",
    ),
    "a network for classes": (
        (X[FEW], WHOSE[FEW]),
        {"network": "lenet"},
        "network: expected one of 2 choices; got 'lenet'.",
    ),
    "a similarity": (
        (X[FEW], WHOSE[FEW]),
        {"similarity": "cosine"},
        "similarity: expected one of 2 choices; got 'cosine'.",
    ),
    "no numbers": (
        (X[FEW], WHOSE[FEW]),
        {"embedding_size": 0},
        "embedding_size: expected a whole number of at least 1; got 0.",
    ),
    "a share": (
        (X[FEW], WHOSE[FEW]),
        {"dev_share": 1},
        "dev_share: expected a number of at least 0 and less than 1; got 1.",
    ),
    "epochs": (
        (X[FEW], WHOSE[FEW]),
        {"epochs": 0},
        "epochs: expected a whole number of at least 1;",
    ),
    "people": (
        (X[FEW], WHOSE[FEW]),
        {"people_per_batch": 1},
        "people_per_batch: expected a whole number of at least 2",
    ),
    "the margin": ((X[FEW], WHOSE[FEW]), {"margin": 5}, "margin: expected a number greater than 0"),
    "a crop": (
        (X[FEW], WHOSE[FEW]),
        {"augment": "crop=6"},
        "augmentation, crop: expected a number of pixels less than the shorter side of the image "
        "(6)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_invalid_arguments(name):
    data, how, words = REFUSED[name]
    with pytest.raises(ChainruleError) as error:
        Verifier(**how).fit(*data)
    assert str(error.value).startswith(words)


def test_refuses_images_of_another_shape(fitted):
    with pytest.raises(ChainruleError, match=r"X: expected images \(m, 6, 6, 1\); got"):
        fitted.embed(np.zeros((2, 8, 8), np.uint8))
    with pytest.raises(ChainruleError, match="X2: expected as many images as X1, 2; got 3"):
        fitted.verify(X[:2], X[:3])
    with pytest.raises(ChainruleError, match="only one of 2"):
        fitted.score(X[:9], WHOSE[:9])
