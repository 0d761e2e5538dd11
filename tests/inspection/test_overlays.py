"""chainrule/inspection/image_plots.pythe masks and legends of inspection/image_plots.py"""

import io

import numpy as np
from PIL import Image

from chainrule.inspection.image_plots import (
    WHITE,
    compare_masks,
    draw_legend,
    encode_mask_png,
    legend,
    overlay,
    palette,
    with_legend,
)

GREY = np.full((3, 4), 100, np.uint8)
MASK = np.array([[0, 0, 1, 1]] * 2 + [[255] * 4], np.uint8)
COLOURS = np.array([[200, 0, 0], [0, 50, 0]], np.uint8)


def test_areas_are_half_transparent_and_edges_opaque():
    on = overlay(GREY, MASK, COLOURS)
    assert on.shape == (3, 4, 3)
    assert on[0, 0].tolist() == [150, 50, 50]
    assert on[0, 2].tolist() == [0, 50, 0]  # the first pixel of another class
    assert on[0, 3].tolist() == [50, 75, 50]
    assert on[2].tolist() == [[100, 100, 100]] * 4  # pixels of no class are unchanged


def test_a_colour_image_stays_in_colour():
    picture = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    np.testing.assert_array_equal(overlay(picture, np.full((3, 4), 9), COLOURS), picture)


def test_colours_are_distinguishable():
    colours = palette(19).astype(int)
    apart = np.abs(colours[:, None] - colours[None]).sum(axis=-1)
    assert apart[~np.eye(19, dtype=bool)].min() >= 80
    np.testing.assert_array_equal(palette(40)[:19], palette(19))  # each class keeps its colour
    assert len(np.unique(palette(200), axis=0)) > 150


def test_the_legend_names_the_classes_in_the_mask():
    wide = np.full((3, 200), 255, np.uint8)
    wide[0] = 1
    grey = np.full((3, 200), 100, np.uint8)
    shown = with_legend(grey, wide, ["cat", "dog"], COLOURS)
    below = shown[3:].reshape(-1, 3)
    assert (below == COLOURS[1]).all(axis=1).sum() > 50
    assert not (below == COLOURS[0]).all(axis=1).any()


def test_a_legend_takes_as_many_lines_as_it_must():
    names = ["street", "pavement", "sky"]
    wide, narrow = (legend(names, palette(3), width) for width in (400, 90))
    assert wide.shape[1] == 400
    assert narrow.shape[1] == 90
    assert len(narrow) > 2 * len(wide)
    assert draw_legend([], 50).shape[1] == 50
    assert (draw_legend([], 50) == WHITE).all()


def test_a_row_for_each_picture():
    page = compare_masks([GREY, GREY], [(MASK, MASK)] * 2, ["cat", "dog"], COLOURS, scale=20)
    assert page.shape[1] == 3 * 80 + 2 * 8
    assert page[30, 30].tolist() == [100, 100, 100]  # without a mask
    assert page[30, 88 + 30].tolist() == [150, 50, 50]
    assert page[60 + 8 + 5, 88 + 5].tolist() == [150, 50, 50]  # the second image


def test_a_mask_holds_numbers_and_shows_colours():
    image = Image.open(io.BytesIO(encode_mask_png(MASK, COLOURS)))
    np.testing.assert_array_equal(np.asarray(image), MASK)
    np.testing.assert_array_equal(np.asarray(image.convert("RGB"))[0, 0], COLOURS[0])
