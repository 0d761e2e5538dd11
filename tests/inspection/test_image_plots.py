"""chainrule/inspection/image_plots.py: small images on one page."""

import numpy as np
import pytest

from chainrule.inspection.image_plots import AGAINST, FOR, Tile, as_colours, gallery, overlaid

PNG = b"\x89PNG"


def size(png):
    """Return the width and the height of a PNG from its header."""
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def test_bytes_keep_their_brightness_and_numbers_are_stretched():
    grey = as_colours(np.array([[[0, 51]]], np.uint8))
    assert grey.shape == (1, 1, 2, 3)
    assert grey[0, 0, 1].tolist() == pytest.approx([0.2] * 3)
    assert as_colours(np.array([[[-2.0, 2.0, 0.0]]]))[0, 0, :, 0].tolist() == [0, 1, 0.5]
    assert as_colours(np.zeros((2, 3, 4, 3), np.uint8)).shape == (2, 3, 4, 3)
    assert as_colours(np.zeros((2, 3, 4, 1))).shape == (2, 3, 4, 3)
    assert np.isfinite(as_colours(np.full((1, 2, 2), 7.0))).all()


def test_the_largest_value_has_full_colour():
    heat = np.array([[[4.0, -4.0, 0.0]]])
    shown = overlaid(np.ones((1, 1, 3, 3)), heat)[0, 0]
    np.testing.assert_allclose(shown, [FOR, AGAINST, np.ones(3)])
    assert np.isfinite(overlaid(np.ones((1, 1, 3, 3)), heat * 0)).all()


@pytest.mark.parametrize("count", [0, 1, 3, 20])
def test_any_number_of_images(count):
    picture = np.full((5, 9, 3), 0.5)
    drawn = gallery([Tile(picture, "said $5\ntrue _x")] * count, "title")
    assert drawn.startswith(PNG)


def test_the_same_pictures_give_the_same_bytes_and_more_are_higher():
    tiles = [Tile(np.full((8, 8, 3), i / 30), f"row {i}") for i in range(30)]
    assert gallery(tiles, "t") == gallery(tiles, "t")
    (width, few), (same, many) = size(gallery(tiles[:8], "t")), size(gallery(tiles, "t"))
    assert width == same
    assert many > 2 * few
