"""chainrule/inspection/run_plots.py: sixteen augmented versions of four images."""

import jax
import numpy as np
import pytest

from chainrule.errors import OptionError
from chainrule.inspection import run_plots
from chainrule.inspection.run_plots import as_bytes, augmented_gallery
from chainrule.layers.augment import Augment
from chainrule.layers.dropout import Dropout
from chainrule.layers.sequential import Sequential

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
LAYER = Augment("mirror=1")


@pytest.fixture
def tiles(monkeypatch):
    """Return the tiles that are drawn."""
    drawn = []
    monkeypatch.setattr(run_plots, "gallery", lambda tiles, *_, **__: drawn.extend(tiles) or b"")
    return drawn


def test_a_row_shows_an_image_and_its_augmented_versions(tiles):
    augmented_gallery(Sequential([Dropout(0.5), LAYER]), IMAGES)
    assert len(tiles) == 20
    for i, tile in enumerate(tiles):
        original = IMAGES[i // 5] / 255
        assert tile.caption == ("" if i % 5 else "original")
        want = original[:, ::-1] if i % 5 else original
        np.testing.assert_allclose(tile.picture, want, atol=1e-6)


def test_every_version_is_different(tiles):
    augmented_gallery(Augment("crop=3,noise=0.1"), IMAGES[:1, :, :, :1])
    pictures = np.stack([tile.picture for tile in tiles]).reshape(20, -1)
    assert len(np.unique(pictures, axis=0)) == 17  # the same original four times, and sixteen


def test_versions_use_the_brightness_scale_of_the_originals():
    scaled = np.array([-2.0, 0.0, 2.0])
    assert as_bytes(np.array([-3.0, -2.0, 0.0, 5.0]), scaled).tolist() == [0, 0, 128, 255]
    assert as_bytes(np.array([0.0, 1.0]), np.zeros(3)).tolist() == [0, 255]
    assert as_bytes(np.array([3.0]), np.full(3, 3.0)).tolist() == [0]


def test_the_same_key_gives_the_same_bytes():
    layer = Augment("crop=2")
    drawn = augmented_gallery(layer, IMAGES)
    assert drawn.startswith(b"\x89PNG")
    assert augmented_gallery(layer, IMAGES) == drawn
    assert augmented_gallery(layer, IMAGES, key=jax.random.key(7)) != drawn


def test_words():
    with pytest.raises(OptionError) as error:
        augmented_gallery(Dropout(0.5), IMAGES)
    assert str(error.value) == (
        "augmented_gallery: expected a network with an Augment layer; got Dropout(0.5).\n"
        "Try augment_for(images) as the first layer of the network."
    )
    with pytest.raises(OptionError, match=r"expected images \(m, n_H, n_W, n_C\); got \(6, 8, 8\)"):
        augmented_gallery(LAYER, IMAGES[..., 0])
