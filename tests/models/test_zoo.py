"""Tests of chainrule/models/zoo.py."""

import json

import jax
import jax.numpy as jnp
import pytest

from chainrule.errors import OptionError, ShapeError
from chainrule.layers.augment import Augment
from chainrule.layers.initializers import zeros
from chainrule.layers.layer import count_parameters, named_arrays
from chainrule.models.zoo import NETWORKS, build, options_of, rebuild

KEY = jax.random.key(0)
IMAGENET, CIFAR = (224, 224, 3), (32, 32, 3)


def made(name, shape=(16, 16, 3), n_L=10, **options):
    return build(name, shape, n_L, key=KEY, options={"initializer": zeros, **options})


@pytest.mark.parametrize(
    ("name", "shape", "n_L", "count"),
    [
        ("lenet", (32, 32, 1), 10, 61_706),
        ("lenet", (28, 28, 1), 10, 44_426),
        ("convnet", (28, 28, 1), 10, 421_642),
        ("resnet18", IMAGENET, 1000, 11_689_512),
        ("resnet34", IMAGENET, 1000, 21_797_672),
        ("resnet50", IMAGENET, 1000, 25_557_032),
        ("mobilenet_v1", IMAGENET, 1000, 4_231_976),
        ("mobilenet_v2", IMAGENET, 1000, 3_504_872),
        # 0.27, 0.46, 0.66 and 0.85 million in the paper, table 6, with shortcuts that have no W
        ("plain20", CIFAR, 10, 269_722),
        ("resnet20", CIFAR, 10, 272_474),
        ("plain32", CIFAR, 10, 464_154),
        ("plain44", CIFAR, 10, 658_586),
        ("plain56", CIFAR, 10, 853_018),
    ],
)
def test_the_number_of_parameters_matches_the_papers(name, shape, n_L, count):
    assert count_parameters(made(name, shape, n_L)) == count


OPTIONS = [
    ("lenet", {"activation": "tanh", "pool": "average"}),
    ("convnet", {"width": 0.25, "batch_norm": True, "keep_prob": 0.5}),
    ("resnet20", {"width": 0.5, "zero_gamma": True, "precision": "bfloat16"}),
    ("plain20", {"augment": "mirror=0.5,crop=2"}),
    ("mobilenet_v1", {"width": 0.25}),
    ("mobilenet_v2", {"width": 0.35, "keep_prob": 0.8, "padding": "tensorflow"}),
]


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_settings_rebuild_the_same_layers(name, options):
    network = made(name, **options)
    settings = json.loads(json.dumps(network.settings))
    assert settings == {"network": name, "shape": [16, 16, 3], "n_L": 10, **options}
    rebuilt = rebuild(settings, key=KEY)
    assert jax.tree.structure(rebuilt) == jax.tree.structure(network)
    arrays = named_arrays(network)
    assert {k: v.shape for k, v in named_arrays(rebuilt).items()} == {
        k: v.shape for k, v in arrays.items()
    }


@pytest.mark.parametrize("name", ["lenet", "resnet20", "resnet18", "mobilenet_v2"])
def test_the_number_of_outputs(name):
    n = 16 if name == "lenet" else 5  # so small that stages of 1 by 1 are reached
    network = made(name, (n, n + 3, 2), 7)
    Z = jax.eval_shape(network, jax.ShapeDtypeStruct((4, n, n + 3, 2), "float32"))
    assert Z.shape == (7, 4)


def test_augmentation_is_the_first_layer_after_the_images():
    network = made("convnet", (8, 8, 1), augment="mirror")
    assert isinstance(network.parts()[1], Augment)
    assert "augment" not in made("convnet", (8, 8, 1), augment="none").settings


def test_every_network_has_its_options():
    assert options_of("resnet50") == [
        *("augment", "initializer", "precision", "width", "zero_gamma"),
    ]
    for name in NETWORKS:
        assert {"augment", "precision", "width"} <= set(options_of(name))


# Errors


def test_refuses_an_unknown_name():
    with pytest.raises(OptionError) as error:
        made("resnet-18")
    assert str(error.value).startswith(
        "the network: expected one of 22 choices; got 'resnet-18'.\n"
        "Try resnet18 (did you mean that?)"
    )


def test_refuses_an_unknown_option():
    with pytest.raises(OptionError) as error:
        made("resnet20", keep_probs=0.5)
    assert str(error.value) == (
        "the network resnet20: expected one of its 5 options; got 'keep_probs'.\n"
        "Try one of augment, initializer, precision, width, zero_gamma."
    )


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 0), (28.0, 28, 1)])
def test_refuses_a_shape_that_is_not_of_an_image(shape):
    with pytest.raises(ShapeError) as error:
        build("lenet", shape, 10, key=KEY)
    assert "expected the shape (n_H, n_W, n_C) of one image; got (28" in str(error.value)


def test_refuses_images_that_are_too_small():
    with pytest.raises(ShapeError) as error:
        made("lenet", (28, 12, 1))
    assert str(error.value) == (
        "lenet, CONV2: expected an input of at least 5 by 5 for f = 5; got 12 by 4, which is "
        "what remains of 28 by 12.\nTry an image size of at least 16x16."
    )
    with pytest.raises(ShapeError, match=r"convnet, POOL2.*\n.*4x4"):
        made("convnet", (3, 3, 1))


@pytest.mark.parametrize("width", [0, -1, float("nan"), True, "half"])
def test_refuses_an_invalid_width(width):
    with pytest.raises(OptionError, match=r"mobilenet_v1: expected a width greater than 0"):
        made("mobilenet_v1", width=width)


def test_columns_are_accepted():
    network = made("lenet", (16, 16, 1))
    assert network(jnp.ones((256, 2), jnp.float32)).shape == (10, 2)
