"""chainrule/vision/verification/scores.py"""

import numpy as np
import pytest

from chainrule.vision.verification.scores import (
    Pairs,
    draw_mistaken_pairs,
    mistakes_of,
    plot_roc,
    roc,
)

# As in tests/vision/verification/test_scores.py: the equal error rate is 0.25, and at D ≤ 0.35
# one of five strangers is let in and three of four are recognised.
D = np.array([0.1, 0.2, 0.6, 0.3, 0.4, 0.5, 0.9, 1.0, 0.15])
CURVE = roc(Pairs(D, np.arange(9) < 4))
E = np.array([[0.0], [3.0], [5.0], [5.5], [6.0], [1.0]])
WHOSE = np.array([7, 7, 8, 8, 8, 9])
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)


def test_the_threshold_and_the_equal_error_rate_are_marked(figure_of):
    [axes] = figure_of(plot_roc, {"dev": CURVE, "test": CURVE}, 0.35).axes
    lines = axes.get_lines()
    np.testing.assert_allclose(lines[1].get_xdata(), CURVE.false_accepts)
    np.testing.assert_allclose(lines[1].get_ydata(), 1 - CURVE.false_rejects)
    ring, point = lines[2:4]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == pytest.approx((0.25, 0.75))
    assert (point.get_xdata()[0], point.get_ydata()[0]) == pytest.approx((0.2, 0.75))
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts[0] == "dev: AUC 0.750, equal error rate 0.250"
    assert texts[2] == "at the threshold, D ≤ 0.35"


def test_thresholds_at_the_ends_and_on_a_distance(figure_of):
    for threshold, at in ((0.0, (0, 0)), (2.0, (1, 1)), (0.4, (0.4, 0.75))):
        [axes] = figure_of(plot_roc, {"test": CURVE}, threshold).axes
        point = axes.get_lines()[3]
        assert (point.get_xdata()[0], point.get_ydata()[0]) == pytest.approx(at)


def test_pairs_side_by_side(figure_of):
    mistakes = mistakes_of(E, WHOSE, 4.5)
    names = [f"person {i}" for i in WHOSE]
    [axes] = figure_of(draw_mistaken_pairs, mistakes, IMAGES, names, "test").axes
    texts = [text.get_text() for text in axes.texts]
    assert texts == [
        "accepted, D = 1.00\nperson 7 and person 9",
        "accepted, D = 4.00\nperson 7 and person 8",
        "rejected, D = 9.00\nperson 7",
    ]
    assert axes.get_title(loc="left") == (
        "test: 3 of 11 pairs of different people accepted, 1 of 4 pairs of the same person rejected"
    )
    shown = axes.get_images()[0].get_array()
    assert shown.shape == (5, 9, 3)
    np.testing.assert_allclose(shown[:, :4, 0], IMAGES[0] / 255)
    np.testing.assert_allclose(shown[:, 5:, 0], IMAGES[5] / 255)


def test_a_gallery_without_mistakes():
    names = [str(i) for i in WHOSE]
    assert draw_mistaken_pairs(mistakes_of(E[2:], WHOSE[2:], 4.5), IMAGES, names).startswith(
        b"\x89PNG"
    )
