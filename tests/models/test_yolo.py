"""Tests of chainrule/models/yolo.py: the grid, the backbones, the errors."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import OptionError, ShapeError
from chainrule.layers.initializers import zeros
from chainrule.layers.layer import named_arrays
from chainrule.models.mobilenet import mobilenet_v2
from chainrule.models.resnet import resnet
from chainrule.models.yolo import anchors_of, body_of, with_body, yolo

ANCHORS = ((0.2, 0.4), (0.4, 0.2))
HOW = {"key": jax.random.key(0), "anchors": ANCHORS}
ZEROS = {"key": jax.random.key(0), "initializer": zeros}


def grid(network, n_H, n_W):
    images = jax.ShapeDtypeStruct((2, n_H, n_W, 3), jnp.float32)
    return jax.eval_shape(network, images).shape


def test_layer_by_layer():
    titles = [part.title for part in yolo((24, 24, 3), 3, **HOW, initializer=zeros).parts()]
    convolutions = [title for title in titles if title.startswith("Conv2D")]
    assert convolutions == [
        "Conv2D(3×3, 3 -> 24, s=2)",
        "Conv2D(3×3, 24 -> 48, s=2)",
        "Conv2D(3×3, 48 -> 48)",
        "Conv2D(3×3, 48 -> 96, s=2)",
        "Conv2D(3×3, 96 -> 96)",
        *["Conv2D(3×3, 96 -> 96)"] * 3,
        "Conv2D(1×1, 96 -> 16)",
    ]


def test_the_notes_cases_8_and_16_numbers_in_each_of_3_by_3_cells():
    one = yolo((24, 24, 3), 3, anchors=ANCHORS[:1], **ZEROS)
    assert grid(one, 24, 24) == (2, 3, 3, 8)
    assert grid(yolo((24, 24, 3), 3, anchors=ANCHORS, **ZEROS), 24, 24) == (2, 3, 3, 16)


@pytest.mark.parametrize("body", ["small", "resnet18", "mobilenet_v2"])
@pytest.mark.parametrize("stride", [4, 8, 16, 32])
def test_the_grid_is_the_image_size_over_the_stride(body, stride):
    network = yolo((64, 96, 3), 2, body=body, stride=stride, width=0.25, **HOW, initializer=zeros)
    assert grid(network, 64, 96) == (2, 64 // stride, 96 // stride, 14)


@pytest.mark.parametrize("options", [{}, {"body": "resnet18", "stride": 16, "width": 0.25}])
def test_rebuilt_from_its_settings(options):
    network = yolo((32, 32, 3), 2, **HOW, **options)
    settings = json.loads(json.dumps(network.settings))
    assert settings.pop("network") == "yolo"
    rebuilt = yolo(settings.pop("shape"), settings.pop("n_L"), key=HOW["key"], **settings)
    assert rebuilt.settings == network.settings
    for a, b in zip(jax.tree.leaves(network), jax.tree.leaves(rebuilt), strict=True):
        np.testing.assert_array_equal(a, b)
    assert anchors_of(rebuilt) == ANCHORS


@pytest.mark.parametrize(
    ("body", "whole"),
    [
        ("resnet18", resnet(18, (64, 64, 3), 10, width=0.25, key=jax.random.key(5))),
        ("mobilenet_v2", mobilenet_v2((64, 64, 3), 10, width=0.25, key=jax.random.key(5))),
    ],
)
def test_a_pretrained_body(body, whole):
    """The first layers of the detector are those of the network; its head is unchanged."""
    network = yolo((32, 32, 3), 2, body=body, width=0.25, **HOW)
    taught = with_body(network, whole)
    before, after, learnt = (list(named_arrays(one).items()) for one in (network, taught, whole))
    count = len(jax.tree.leaves(body_of(whole, 8)[0]))
    assert 0 < count < len(after)
    assert [name for name, _ in before] == [name for name, _ in after]
    for (name, array), (same, want) in zip(after[:count], learnt[:count], strict=True):
        assert name == same
        np.testing.assert_array_equal(array, want)
    for (_, array), (_, want) in zip(after[count:], before[count:], strict=True):
        np.testing.assert_array_equal(array, want)
    assert taught.settings == network.settings


# ---- errors


def test_refuses_sides_that_are_not_multiples_of_the_stride():
    with pytest.raises(ShapeError) as caught:
        yolo((121, 160, 3), 2, **HOW)
    assert str(caught.value) == (
        "yolo: expected images whose sides are multiples of the stride 8; "
        "got 121 by 160.\nTry an image size of 120x160."
    )


@pytest.mark.parametrize("anchors", [[], [(0.2,)], [(0.2, 0.0)], [(0.2, np.nan)], (0.2, 0.3)])
def test_refuses_invalid_anchors(anchors):
    with pytest.raises(OptionError, match=r"yolo\(anchors=…\): expected \(b_w, b_h\) of each"):
        yolo((32, 32, 3), 2, anchors=anchors, key=jax.random.key(0))


def test_refuses_unknown_bodies_and_strides():
    with pytest.raises(OptionError, match="did you mean that"):
        yolo((32, 32, 3), 2, body="resnet81", **HOW)
    with pytest.raises(OptionError, match=r"yolo\(stride=…\)"):
        yolo((32, 32, 3), 2, stride=7, **HOW)


def test_refuses_a_body_of_another_architecture_or_width():
    network = yolo((32, 32, 3), 2, body="resnet18", width=0.25, **HOW)
    for other in (
        resnet(18, (64, 64, 3), 10, width=0.5, **ZEROS),
        mobilenet_v2((64, 64, 3), 10, **ZEROS),
    ):
        with pytest.raises(ShapeError, match=r"with_body\(network\): expected a resnet18"):
            with_body(network, other)
