"""chainrule/inspection/sequence_plots.py: the attention of a network as a picture."""

import io

import numpy as np
import pytest
from PIL import Image

from chainrule.inspection.sequence_plots import plot_attention
from chainrule.sequence.translation.decoding import Attention


def of(source, target):
    weights = np.random.default_rng(0).dirichlet(np.ones(len(source)), len(target))
    return Attention(list(source), [*target], weights)


def size(png):
    return Image.open(io.BytesIO(png)).size


@pytest.mark.parametrize(
    "found",
    [
        [of("ab c", ["1", "end"])],
        [of("五月", "5$"), of("a\tb\x1b", ["<b>", "$x$"])],
        [of("x" * 200, "y" * 90)],
        [of(["Mississippi", "is", "long"], ["yes"])],
    ],
    ids=["a space", "odd characters", "long texts", "words"],
)
def test_the_same_weights_give_the_same_picture(found):
    png = plot_attention(found)
    assert png.startswith(b"\x89PNG")
    assert png == plot_attention(found)
    wide, high = size(png)
    assert wide == 902
    assert high < 1600


def test_more_texts_make_a_higher_picture():
    one = of("abc", "123")
    assert size(plot_attention([one, one]))[1] > size(plot_attention([one]))[1]
