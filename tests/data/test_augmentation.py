"""chainrule/data/augmentation.py: the augmentation option."""

import pytest

from chainrule.data.augmentation import (
    KINDS,
    PADDINGS,
    Augmentation,
    default_augmentation,
    read_augmentation,
)
from chainrule.errors import OptionError

ALL = "mirror,crop=4,rotation=10,shear=5,zoom,warp=2,contrast,brightness=0.2,colour,pca,noise=0.1"


# ---- by hand


def test_only_named_changes_are_applied():
    read = read_augmentation(" mirror , crop=4,rotation = 7.5 ")
    assert read == Augmentation(mirror=0.5, crop=4, rotation=7.5)
    assert read.strengths == {"mirror": 0.5, "crop": 4, "rotation": 7.5}
    assert read_augmentation("none") == Augmentation()
    assert list(read_augmentation(ALL).strengths) == list(KINDS)


@pytest.mark.parametrize(
    ("shape", "expected_text"),
    [((32, 32, 3), "mirror=0.5,crop=4"), ((64, 96, 3), "mirror=0.5,crop=8"),
     ((28, 28, 1), "crop=3,padding=edge"), ((8, 8, 1), "crop=1,padding=edge"),
     ((1, 1, 1), "padding=edge")],
)  # fmt: skip
def test_the_default_for_a_shape(shape, expected_text):
    assert str(read_augmentation("auto", shape)) == expected_text
    assert read_augmentation(expected_text, shape) == default_augmentation(shape)


# ---- properties


@pytest.mark.parametrize("text", [ALL, "none", "padding=zeros", "crop=1,padding=edge", "mirror=1"])
def test_text_round_trip(text):
    read = read_augmentation(text)
    assert read_augmentation(str(read)) == read
    assert hash(read_augmentation(str(read))) == hash(read)
    assert eval(repr(read)) == read


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_default_strength(kind):
    assert read_augmentation(kind).strengths == {kind: KINDS[kind].usual}


# ---- error messages


def message_for(text, shape=None):
    with pytest.raises(OptionError) as error:
        read_augmentation(text, shape)
    return str(error.value)


def test_an_unknown_change():
    assert message_for("miror,crop=4") == (
        "augmentation: expected one of 12 choices; got 'miror'.\n"
        "Try mirror (did you mean that?); the choices are mirror, crop, rotation, shear, zoom, "
        "warp, contrast, brightness, colour, pca, noise, padding."
    )
    assert "got ''." in message_for("")
    assert "colour (did you mean that?)" in message_for("color=0.1")


@pytest.mark.parametrize(
    ("text", "error_text"),
    [
        ("crop=2.5", "augmentation, crop: expected a whole number of pixels, at least 0; got 2.5.\n"
                     "Try crop=4, the default."),
        ("rotation=200", "augmentation, rotation: expected a number of degrees, from 0 to "
                         "180; got 200.0.\n"
                         "Try rotation=10, the default."),
        ("mirror=-1", "augmentation, mirror: expected a probability, from 0 to 1; got -1.0.\n"
                      "Try mirror=0.5, the default."),
        ("pca=much", "augmentation, pca: expected a standard deviation, at least 0; got 'much'.\n"
                       "Try pca=0.1, the default."),
        ("warp=inf", "augmentation, warp: expected a number of pixels, at least 0; got inf.\n"
                     "Try warp=1, the default."),
        ("mirror,mirror=1", "augmentation: expected each change at most once; "
                            "got mirror twice in 'mirror,mirror=1'."),
        ("padding", "augmentation, padding: expected one of 3 choices; got no value.\n"
                    "Try padding=reflect, padding=edge, padding=zeros."),
        ("padding=zero", "augmentation, padding: expected one of 3 choices; got 'zero'.\n"
                         "Try zeros (did you mean that?); the choices are reflect, edge, zeros."),
        ("auto", "augmentation: expected the shape of the images, which auto needs; got none.\n"
                 "Try shape=(32, 32, 3)."),
    ],
)  # fmt: skip
def test_invalid_strengths(text, error_text):
    assert message_for(text) == error_text


def test_a_crop_that_leaves_nothing():
    assert message_for("crop=8", (8, 20, 1)) == (
        "augmentation, crop: expected a number of pixels less than the shorter side of the image "
        "(8); got 8.\n"
        "Try crop=1."
    )


@pytest.mark.parametrize("wrong", [True, None, "4", float("nan")])
def test_invalid_strengths_in_python(wrong):
    with pytest.raises(OptionError, match="augmentation, crop: expected a whole number of pixels"):
        Augmentation(crop=wrong)
    with pytest.raises(OptionError, match="augmentation, padding"):
        Augmentation(padding="wrap")
    assert len(PADDINGS) == 3
