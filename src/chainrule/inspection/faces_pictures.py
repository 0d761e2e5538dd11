"""Plots of face verification: the ROC curve, and the pairs of images that are misjudged.

roc_picture        1 − false rejects over false accepts, with the threshold and the equal error rate
mistaken_pairs     pairs of images side by side: false accepts, then false rejects
"""

from collections.abc import Mapping, Sequence

import numpy as np

from chainrule.inspection.class_names import short
from chainrule.inspection.gallery import Tile, as_colours, gallery
from chainrule.inspection.plot_style import COLOURS, DASHES, GREY
from chainrule.inspection.plots import png
from chainrule.train.verification_mistakes import Mistake, Mistakes
from chainrule.train.verification_scores import Roc, equal_error_rate

COLUMNS = 4
GAP = 0.06
"""The space between the two images of a pair, as a share of an image's width."""


def roc_picture(curves: Mapping[str, Roc], threshold: float, title: str = "") -> bytes:
    """Plot the ROC curve of each set, a dot at the threshold and a ring at the equal error rate."""

    def draw(figure):
        axes = figure.subplots()
        axes.plot([0, 1], [1, 0], color=GREY, linewidth=1, linestyle=":", zorder=1)
        for i, (name, curve) in enumerate(curves.items()):
            colour, rate = COLOURS[i % len(COLOURS)], equal_error_rate(curve)
            label = f"{short(name, 20)}: AUC {curve.auc:.3f}, equal error rate {rate:.3f}"
            axes.plot(
                curve.false_accepts,
                1 - curve.false_rejects,
                color=colour,
                linestyle=DASHES[i % len(DASHES)],
                label=label,
            )
            axes.plot(rate, 1 - rate, "o", color="none", mec=colour, mew=2, ms=11)
            here = int(np.searchsorted(curve.thresholds, threshold, side="right")) - 1
            at = curve.false_accepts[here], 1 - curve.false_rejects[here]
            axes.plot(*at, "o", color=colour, mec="white", ms=9)
        axes.plot([], [], "o", color=GREY, label=f"at the threshold, D ≤ {threshold:.3g}")
        axes.plot([], [], "o", color="none", mec=GREY, mew=2, label="equal error rate")
        axes.set(title=title or "ROC curve of face verification")
        axes.set(xlabel="share of pairs of different people that are accepted")
        axes.set(ylabel="share of pairs of the same person that are accepted", aspect="equal")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.legend(loc="lower right")

    return png(draw, height=7)


def mistaken_pairs(
    mistakes: Mistakes, images: np.ndarray, names: Sequence[str], title: str = ""
) -> bytes:
    """Draw the worst mistakes among pairs of images (m, n_H, n_W[, n_C]).

    `names` gives the person, or the file, of each image. The false accepts (different people taken
    for the same person) come first, then the false rejects.
    """
    shown = [*mistakes.false_accepts, *mistakes.false_rejects]
    tiles = [_tile(one, images, names) for one in shown]
    counts = (
        f"{mistakes.accepted:,} of {mistakes.strangers:,} pairs of different people accepted, "
        f"{mistakes.rejected:,} of {mistakes.own:,} pairs of the same person rejected"
    )
    return gallery(tiles, f"{title}: {counts}" if title else counts, columns=COLUMNS)


def _tile(one: Mistake, images: np.ndarray, names: Sequence[str]) -> Tile:
    """Return a pair of images side by side, captioned with the decision and the distance D."""
    both = as_colours(np.asarray(images[[one.first, one.second]]))
    n_H, n_W = both.shape[1:3]
    white = np.ones((n_H, max(1, round(GAP * n_W)), 3))
    picture = np.concatenate([both[0], white, both[1]], axis=1)
    if one.same:
        return Tile(picture, f"rejected, D = {one.D:.2f}\n{short(names[one.first], 22)}")
    pair = " and ".join(short(names[i], 11) for i in (one.first, one.second))
    return Tile(picture, f"accepted, D = {one.D:.2f}\n{pair}")
