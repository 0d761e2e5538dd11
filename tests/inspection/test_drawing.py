"""chainrule/inspection/image_plots.py"""

import io

import numpy as np
from PIL import Image

from chainrule.inspection.image_plots import LabelledBox, draw_boxes, encode_png, image_grid

RED, YELLOW = (200, 0, 0), (250, 250, 0)


def read(png):
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image)


def test_a_png_is_the_pixels():
    rng = np.random.default_rng(0)
    for shape in ((5, 7, 3), (5, 7), (5, 7, 1)):
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        np.testing.assert_array_equal(read(encode_png(pixels)).reshape(shape), pixels)


def test_a_box_is_drawn_on_its_edges_and_nowhere_else():
    black = np.zeros((20, 40), np.uint8)
    drawn = draw_boxes(black, [LabelledBox((0.25, 0.5, 0.5, 0.75), "", RED, 1)])
    assert drawn.shape == (20, 40, 3)
    rows, columns = np.nonzero(drawn.any(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 15, 10, 20)
    assert not drawn[11:15, 11:20].any()
    assert tuple(drawn[10, 12]) == RED
    assert not black.any()


def test_a_box_at_the_edges_and_one_of_a_point_stay_inside():
    boxes = [LabelledBox((0, 0, 1, 1), "cell 0.99", RED), LabelledBox((1, 1, 1, 1), "", YELLOW)]
    drawn = draw_boxes(np.zeros((30, 90, 3), np.uint8), boxes)
    assert tuple(drawn[-1, -1]) in (RED, YELLOW)
    assert tuple(drawn[0, -1]) == RED


def test_words_stand_on_the_colour_and_can_be_read():
    for colour, ink in ((RED, (255, 255, 255)), (YELLOW, (0, 0, 0))):
        drawn = draw_boxes(
            np.full((60, 120, 3), 99, np.uint8), [LabelledBox((0.1, 0.6, 0.9, 0.9), "cell", colour)]
        )
        above = drawn[:35].reshape(-1, 3)
        assert (above == colour).all(axis=1).any()
        assert np.abs(above - np.array(ink)).max(axis=1).min() < 90  # the middle of a stroke


def test_twice_as_large():
    assert draw_boxes(np.zeros((10, 15, 3), np.uint8), [], 2).shape == (20, 30, 3)


def test_images_side_by_side():
    one, other = np.zeros((4, 6, 3), np.uint8), np.full((4, 6, 3), 50, np.uint8)
    page = image_grid([one, other, one], 2, gap=1)
    assert page.shape == (9, 13, 3)
    np.testing.assert_array_equal(page[:4, 7:], other)
    np.testing.assert_array_equal(page[5:, :6], one)
    assert (page[4] == 255).all()
    assert (page[5:, 7:] == 255).all()
    assert image_grid([one], 3).shape == (4, 6, 3)
