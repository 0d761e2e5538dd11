"""chainrule/inspection/features.py: planted patterns, patches at the border, chunks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import relu
from chainrule.errors import DataError, OptionError
from chainrule.inspection import features
from chainrule.inspection.feature_plots import filter_picture, patch_picture
from chainrule.inspection.features import exciting_patches, filters, patches_of_layers
from chainrule.layers.conv import Conv2D, DepthwiseConv2D
from chainrule.layers.flatten import Flatten
from chainrule.layers.pool import MaxPool
from chainrule.layers.sequential import Sequential

CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
CORNER = np.array([[1, 1, 1], [1, 0, 0], [1, 0, 0]])
KEY = jax.random.key(0)


def looking_for(*patterns: np.ndarray, p: str = "same") -> Conv2D:
    """Return a network with a channel for each pattern: its pixels count 1, all others −1."""
    W = np.stack([2 * pattern - 1 for pattern in patterns], axis=-1)[:, :, None]
    return Conv2D(
        1,
        len(patterns),
        p=p,
        key=KEY,
        activation=relu,
        initializer=lambda key, shape, dtype: jnp.asarray(W, dtype),
    )


NETWORK = Sequential(
    [
        looking_for(CROSS, CORNER, 0 * CROSS),
        MaxPool(2),
        Conv2D(3, 4, key=KEY, activation=relu),
        Flatten(),
    ]
)


def planted(m: int = 40) -> np.ndarray:
    """Return dark images with a few grey pixels, a cross in image 31 and a corner in image 7."""
    images = np.zeros((m, 12, 10), np.uint8)
    random = np.random.default_rng(0)
    images[np.arange(m), random.integers(12, size=m), random.integers(10, size=m)] = 100
    images[31, 4:7, 5:8] = 255 * CROSS
    images[7, 9:12, 0:3] = 255 * CORNER
    return images


class InAFile:
    """An array of images that records how many are read at a time."""

    def __init__(self, images):
        self.images, self.shape, self.requested = images, images.shape, []

    def __len__(self):
        return len(self.images)

    def __getitem__(self, some: slice):
        part = self.images[some]
        self.requested.append(len(part))
        return part


# by hand


def test_a_planted_pattern_is_found_at_its_place():
    found = exciting_patches(NETWORK, planted(), 1, units=2, patches=3)
    assert found.channels.tolist() == [0, 1]
    assert found.images[:, 0].tolist() == [31, 7]
    assert found.places[:, 0].tolist() == [[5, 6], [10, 1]]
    np.testing.assert_allclose(found.values[:, 0], [5, 5], rtol=1e-6)
    np.testing.assert_array_equal(found.pictures[0, 0, :, :, 0], CROSS)
    np.testing.assert_array_equal(found.pictures[1, 0, :, :, 2], CORNER)


def test_pixels_beyond_the_border_are_nan():
    images = np.zeros((1, 6, 6, 1), np.float32)
    images[0, 0, 0] = 1
    found = exciting_patches(Sequential([looking_for(CROSS)]), images, 1)
    assert found.places.tolist() == [[[0, 0]]]
    patch = found.pictures[0, 0, :, :, 0]
    assert np.isnan(patch).tolist() == [[True] * 3, [True, False, False], [True, False, False]]
    assert patch[1, 1] == 1


def test_a_field_larger_than_the_image_gives_the_whole_image():
    images = np.arange(2 * 5 * 4, dtype=np.float32).reshape(2, 5, 4)
    network = Sequential([looking_for(CROSS), looking_for(CROSS)])
    (first, second) = patches_of_layers(network, images)
    assert first.pictures.shape == (1, 2, 3, 3, 3)
    assert second.field.size == 5
    assert second.pictures.shape == (1, 2, 5, 4, 3)
    np.testing.assert_allclose(second.pictures[0, 0, ..., 0], images[second.images[0, 0]] / 39)


def test_silent_channels_are_counted_and_not_shown():
    silent = Sequential([looking_for(CROSS, -CROSS, CORNER)])
    found = exciting_patches(silent, planted(), 1)
    assert (found.n_C, found.silent, found.channels.tolist()) == (3, 1, [0, 2])
    assert exciting_patches(silent, planted(), 1, units=[1]).channels.tolist() == [1]


def test_the_first_filters():
    assert filters(NETWORK).shape == (3, 3, 1, 3)
    np.testing.assert_array_equal(filters(NETWORK)[:, :, 0, 1], 2 * CORNER - 1)


# properties


@pytest.mark.parametrize("l", [1, 2])
def test_no_image_excites_a_channel_more_than_those_that_are_shown(l):
    images = np.random.default_rng(1).integers(0, 256, (30, 12, 10), np.uint8)
    found = exciting_patches(NETWORK, images, l, units=3, patches=5)
    A = jnp.asarray(images[..., None] / np.float32(255))
    for part in NETWORK.layers[: 1 if l == 1 else 3]:
        A = part(A)
    A = np.asarray(A)
    for c, values, which, places in zip(*found[5:9], strict=True):
        assert len(set(which)) == 5
        best = np.sort(A[..., c].max(axis=(1, 2)))[::-1][:5]
        np.testing.assert_allclose(values, best, rtol=1e-5)
        at = A[which, places[:, 0], places[:, 1], c]
        np.testing.assert_allclose(at, values, rtol=1e-5)


def test_chunks_give_the_same_patches_as_one_pass(monkeypatch):
    images = planted(41)
    whole = patches_of_layers(NETWORK, images, patches=4)
    a_row = 12 * 10 * 3 * 4  # of layer 1, in float32
    monkeypatch.setattr(features, "CHUNK_BYTES", 7 * a_row + 1)
    lying = InAFile(images)
    chunked = patches_of_layers(NETWORK, lying, patches=4)
    assert max(lying.requested) == 7
    for one, other in zip(whole, chunked, strict=True):
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(one.places, other.places)
        np.testing.assert_array_equal(one.pictures, other.pictures)


def test_prepare_turns_images_into_network_inputs():
    shown = planted()
    requested = exciting_patches(
        NETWORK, shown, 1, prepare=lambda some: jnp.asarray(some[..., None] / np.float32(51))
    )
    np.testing.assert_allclose(requested.values[:2, 0], [25, 25], rtol=1e-6)
    assert requested.pictures[0, 0].max() == 1


def test_the_record_is_plain_data():
    saved = exciting_patches(NETWORK, planted(), 1, patches=2).to_dict()
    assert (saved["layer"], saved["size"]) == (1, 3)
    assert saved["images"][0][0] == 31
    assert saved["silent"] == 1


def test_the_same_patches_give_the_same_picture():
    found = exciting_patches(NETWORK, planted(), 1)
    drawn = patch_picture(found)
    assert drawn.startswith(b"\x89PNG")
    assert drawn == patch_picture(found)
    nothing = exciting_patches(NETWORK, np.zeros((3, 12, 10), np.uint8), 1)
    assert nothing.silent == 3
    assert patch_picture(nothing).startswith(b"\x89PNG")


@pytest.mark.parametrize("n_C_prev", [1, 2, 3])
def test_filters_of_any_number_of_channels_are_drawn(n_C_prev):
    W = np.random.default_rng(0).normal(size=(3, 3, n_C_prev, 70))
    assert filter_picture(W).startswith(b"\x89PNG")
    assert filter_picture(0 * W[..., :1]).startswith(b"\x89PNG")


# words


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            {"units": [0, 3]},
            "units: expected channels from 0 to 2; got 3.\nTry units=3.",
        ),
        ({"units": 0}, "units: expected a whole number of at least 1; got 0.\nTry 9."),
        ({"patches": 0}, "patches: expected a whole number of at least 1; got 0.\nTry 9."),
    ],
    ids=["channel", "units", "patches"],
)
def test_layers_units_and_patches_are_checked(how, message):
    with pytest.raises(OptionError) as error:
        exciting_patches(NETWORK, planted(), 1, **how)
    assert str(error.value) == message


@pytest.mark.parametrize("shape", [(0, 12, 10), (5, 120)])
def test_arrays_that_are_not_images_are_refused(shape):
    with pytest.raises(DataError) as error:
        exciting_patches(NETWORK, np.zeros(shape), 1)
    assert str(error.value) == (
        "features: expected images (m, n_H, n_W) or (m, n_H, n_W, n_C); "
        f"got {shape}.\nTry X.reshape(m, n_H, n_W, n_C)."
    )


def test_a_network_without_conv2d_has_no_filters():
    network = Sequential([DepthwiseConv2D(1, key=KEY)])
    message = "filters: expected a network with a Conv2D layer; got Sequential"
    with pytest.raises(OptionError, match=message):
        filters(network)
