"""chainrule/data/augmentation.py: what is changed, as people write it."""

import pytest

from chainrule.data.augmentation import (
    KINDS,
    PADDINGS,
    Augmentation,
    read_augmentation,
    usual_augmentation,
)
from chainrule.errors import OptionError

ALL = "mirror,crop=4,rotation=10,shear=5,zoom,warp=2,contrast,brightness=0.2,colour,pca,noise=0.1"


# ---- by hand


def test_what_is_named_is_made():
    read = read_augmentation(" mirror , crop=4,rotation = 7.5 ")
    assert read == Augmentation(mirror=0.5, crop=4, rotation=7.5)
    assert read.strengths == {"mirror": 0.5, "crop": 4, "rotation": 7.5}
    assert read_augmentation("none") == Augmentation()
    assert list(read_augmentation(ALL).strengths) == list(KINDS)


@pytest.mark.parametrize(
    ("shape", "said"),
    [((32, 32, 3), "mirror=0.5,crop=4"), ((64, 96, 3), "mirror=0.5,crop=8"),
     ((28, 28, 1), "crop=3,padding=edge"), ((8, 8, 1), "crop=1,padding=edge"),
     ((1, 1, 1), "padding=edge")],
)  # fmt: skip
def test_what_is_usual(shape, said):
    assert str(read_augmentation("auto", shape)) == said
    assert read_augmentation(said, shape) == usual_augmentation(shape)


# ---- properties


@pytest.mark.parametrize("text", [ALL, "none", "padding=zeros", "crop=1,padding=edge", "mirror=1"])
def test_written_and_read_again(text):
    read = read_augmentation(text)
    assert read_augmentation(str(read)) == read
    assert hash(read_augmentation(str(read))) == hash(read)
    assert eval(repr(read)) == read


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_usual_strength(kind):
    assert read_augmentation(kind).strengths == {kind: KINDS[kind].usual}


# ---- words


def said(text, shape=None):
    with pytest.raises(OptionError) as error:
        read_augmentation(text, shape)
    return str(error.value)


def test_a_word_that_is_none():
    assert said("miror,crop=4") == (
        "augmentation: expected one of 12 choices; got 'miror'.\n"
        "Try mirror (did you mean that?); the choices are mirror, crop, rotation, shear, zoom, "
        "warp, contrast, brightness, colour, pca, noise, padding."
    )
    assert "got ''." in said("")
    assert "colour (did you mean that?)" in said("color=0.1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("crop=2.5", "augmentation, crop: expected whole pixels, at least 0; got 2.5.\n"
                     "Try crop=4, which is usual."),
        ("rotation=200", "augmentation, rotation: expected degrees, from 0 to 180; got 200.0.\n"
                         "Try rotation=10, which is usual."),
        ("mirror=-1", "augmentation, mirror: expected a probability, from 0 to 1; got -1.0.\n"
                      "Try mirror=0.5, which is usual."),
        ("pca=much", "augmentation, pca: expected a standard deviation, at least 0; got 'much'.\n"
                       "Try pca=0.1, which is usual."),
        ("warp=inf", "augmentation, warp: expected pixels, at least 0; got inf.\n"
                     "Try warp=1, which is usual."),
        ("mirror,mirror=1", "augmentation: expected every change once; "
                            "got mirror twice in 'mirror,mirror=1'."),
        ("padding", "augmentation, padding: expected one of 3 choices; got none.\n"
                    "Try padding=reflect, padding=edge, padding=zeros."),
        ("padding=zero", "augmentation, padding: expected one of 3 choices; got 'zero'.\n"
                         "Try zeros (did you mean that?); the choices are reflect, edge, zeros."),
        ("auto", "augmentation: expected the shape of the pictures beside auto; got none.\n"
                 "Try (32, 32, 3)."),
    ],
)  # fmt: skip
def test_strengths_that_mean_nothing(text, words):
    assert said(text) == words


def test_a_crop_that_leaves_nothing():
    assert said("crop=8", (8, 20, 1)) == (
        "augmentation, crop: expected fewer than the 8 pixels of the shorter side; got 8.\n"
        "Try crop=1."
    )


@pytest.mark.parametrize("wrong", [True, None, "4", float("nan")])
def test_in_python_too(wrong):
    with pytest.raises(OptionError, match="augmentation, crop: expected whole pixels"):
        Augmentation(crop=wrong)
    with pytest.raises(OptionError, match="augmentation, padding"):
        Augmentation(padding="wrap")
    assert len(PADDINGS) == 3
