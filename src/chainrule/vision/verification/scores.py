"""Measure embeddings by verification (1:1) and one-shot recognition (1 of k), and plot the results.

Notes: "Face verification vs face recognition", "One-shot learning" (course 4, week 4); "Carrying
out error analysis" (course 3, week 2).

    verification      x1 and x2 have the same identity if D(x1, x2) ≤ τ
    recognition       the identity of the nearest of k known images

    false_accepts     share of the pairs of different identities with D ≤ τ
    false_rejects     share of the pairs of the same identity with D > τ
    equal_error_rate  where false accepts and false rejects are the same share; between two
                      thresholds both are interpolated linearly

D is the squared distance or another `Distance`. Embeddings are rows here; a pair is two different
images. The counts for each threshold are computed in `runs/metrics.py`.

`mistakes_of` lists the pairs that a threshold gets wrong, the worst first: false accepts by
increasing distance, false rejects by decreasing distance. `plot_roc` draws 1 − false rejects over
false accepts, with the threshold and the equal error rate; `draw_mistaken_pairs` draws pairs of
images side by side, false accepts first.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from chainrule.errors import DataError, ShapeError
from chainrule.formatting import count_of
from chainrule.inspection.image_plots import Tile, as_colours, gallery
from chainrule.inspection.plots import COLOURS, DASHES, GREY, png, short
from chainrule.runs.metrics import ranking

# Scores

Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""A function from rows E (m, n) and F (k, n) to D (m, k), small for the same person."""

WAYS = (20, 5)
"""The numbers of people in one-shot recognition; the largest that the data allows is used."""


class Pairs(NamedTuple):
    """All pairs of different images: their distance D, and whether they show the same person."""

    D: np.ndarray
    same: np.ndarray


class Roc(NamedTuple):
    """Thresholds in ascending order (the first rejects all pairs), and both error rates."""

    thresholds: np.ndarray
    false_accepts: np.ndarray
    false_rejects: np.ndarray

    @property
    def auc(self) -> float:
        """The area under the curve of 1 − false_rejects over false_accepts."""
        return float(np.trapezoid(1 - self.false_rejects, self.false_accepts))


def distances(E: np.ndarray, F: np.ndarray) -> np.ndarray:
    """Return squared distances D (m, k) of the rows of E (m, n) and F (k, n), in float64."""
    E, F = np.asarray(E, np.float64), np.asarray(F, np.float64)
    if E.ndim != 2 or F.ndim != 2 or E.shape[1] != F.shape[1]:
        hint = "embeddings of the same network, one per row"
        raise ShapeError("distances", "(m, n) and (k, n)", f"{E.shape} and {F.shape}", hint)
    D = (E**2).sum(axis=1)[:, None] + (F**2).sum(axis=1)[None] - 2 * E @ F.T
    return np.maximum(D, 0)


def pairs_of(E: np.ndarray, identities: np.ndarray, distance: Distance = distances) -> Pairs:
    """Return all pairs of the rows of E (m, n)."""
    identities = np.asarray(identities).ravel()
    first, second = np.triu_indices(len(E), 1)
    return Pairs(distance(E, E)[first, second], identities[first] == identities[second])


def roc(pairs: Pairs) -> Roc:
    """Return both error rates at every distance that occurs."""
    if pairs.same.all() or not pairs.same.any():
        expected, got = (
            "pairs of the same identity and pairs of different identities",
            "only one kind",
        )
        raise DataError("the pairs", expected, got, "several images of several identities")
    rank, _ = ranking(-pairs.D, pairs.same, np.ones(len(pairs.D)))
    tp, fp = np.append(0.0, rank.tp), np.append(0.0, rank.fp)
    thresholds = np.append(-np.inf, -rank.values)
    return Roc(thresholds, fp / rank.N, 1 - tp / rank.tp[-1])


def equal_error_rate(curve: Roc) -> float:
    """Return the error rate at which false accepts and false rejects are the same share."""
    accepts, rejects = curve.false_accepts, curve.false_rejects
    i = int(np.argmax(accepts >= rejects))  # at the first threshold all are rejected
    before, after = rejects[i - 1] - accepts[i - 1], accepts[i] - rejects[i]
    share = before / (before + after)
    return float(accepts[i - 1] + share * (accepts[i] - accepts[i - 1]))


def best_threshold(curve: Roc) -> float:
    """Return the τ with the lowest sum of error rates, halfway to the next distance.

    Choose it on dev identities: on the test identities it would give optimistic scores.
    """
    # Accepting all pairs is no better than rejecting all, which comes first: best + 1 exists.
    best = int(np.argmin(curve.false_accepts + curve.false_rejects))
    threshold = max(curve.thresholds[best], 0.0)
    return float((threshold + curve.thresholds[best + 1]) / 2)


def verification_accuracy(pairs: Pairs, threshold: float) -> float:
    """Return the accuracy; pairs of the same and of different people have equal total weight."""
    match = threshold >= pairs.D
    return float((match[pairs.same].mean() + (~match[~pairs.same]).mean()) / 2)


def one_shot(known: np.ndarray, E: np.ndarray, distance: Distance = distances) -> np.ndarray:
    """Return which of the k rows of `known` (k, n) is nearest to each row of E (m, n)."""
    return distance(E, known).argmin(axis=1)


def one_shot_accuracy(
    known: np.ndarray, E: np.ndarray, answers: np.ndarray, distance: Distance = distances
) -> float:
    """Return the share of rows of E whose nearest row of `known` is the one in `answers` (m,)."""
    return float((one_shot(known, E, distance) == np.asarray(answers).ravel()).mean())


def ways_of(identities: np.ndarray) -> int | None:
    """Return the number of people for one-shot recognition: 20, 5, or None if there are fewer."""
    return next((k for k in WAYS if len(np.unique(identities)) >= k), None)


def one_shot_of(
    E: np.ndarray,
    identities: np.ndarray,
    k: int,
    *,
    tasks: int = 100,
    seed: int = 0,
    distance: Distance = distances,
) -> float:
    """Return the accuracy over random k-way one-shot tasks drawn from the rows of E (m, n).

    A task has k identities, with one known image of each and another one to recognise.
    """
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(code == identities) for code in np.unique(identities)]
    drawn = [
        [rng.permutation(rows[i])[:2] for i in rng.permutation(len(rows))[:k]] for _ in range(tasks)
    ]
    known, queries = np.moveaxis(np.array(drawn), -1, 0)
    right = [
        one_shot_accuracy(E[a], E[b], np.arange(k), distance)
        for a, b in zip(known, queries, strict=True)
    ]
    return float(np.mean(right))


# The pairs that a threshold gets wrong


class Mistake(NamedTuple):
    """The rows of two images, their distance D, and whether they show the same person."""

    first: int
    second: int
    D: float
    same: bool


class Mistakes(NamedTuple):
    """The worst mistakes of each kind, and their counts.

    `accepted` and `rejected` count all false accepts and false rejects; `strangers` and `own` count
    the pairs of different identities and of the same identity.
    """

    false_accepts: list[Mistake]
    false_rejects: list[Mistake]
    accepted: int
    rejected: int
    strangers: int
    own: int


def mistakes_of(
    E: np.ndarray,
    identities: np.ndarray,
    threshold: float,
    distance: Distance = distances,
    *,
    most: int = 12,
) -> Mistakes:
    """Return the mistakes among all pairs of the rows of E (m, n).

    At most `most` of each kind are listed, and only one for each identity or pair of identities.
    """
    identities = np.asarray(identities).ravel()
    pairs = pairs_of(E, identities, distance)
    match = threshold >= pairs.D
    accepted, rejected = np.flatnonzero(match & ~pairs.same), np.flatnonzero(~match & pairs.same)
    first, second = np.triu_indices(len(E), 1)

    def worst(some: np.ndarray, values: np.ndarray) -> list[Mistake]:
        mistakes: dict[frozenset, Mistake] = {}
        for i in some[np.argsort(values[some], kind="stable")]:
            one = Mistake(int(first[i]), int(second[i]), float(pairs.D[i]), bool(pairs.same[i]))
            mistakes.setdefault(frozenset(identities[[one.first, one.second]].tolist()), one)
            if len(mistakes) == most:
                break
        return list(mistakes.values())

    own = int(pairs.same.sum())
    return Mistakes(
        false_accepts=worst(accepted, pairs.D),
        false_rejects=worst(rejected, -pairs.D),
        accepted=len(accepted),
        rejected=len(rejected),
        strangers=len(pairs.D) - own,
        own=own,
    )


# Plots

COLUMNS = 4
GAP = 0.06
"""The space between the two images of a pair, as a share of an image's width."""


def plot_roc(curves: Mapping[str, Roc], threshold: float, title: str = "") -> bytes:
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


def draw_mistaken_pairs(
    mistakes: Mistakes, images: np.ndarray, names: Sequence[str], title: str = ""
) -> bytes:
    """Draw the worst mistakes among pairs of images (m, n_H, n_W[, n_C]).

    `names` gives the person, or the file, of each image. The false accepts (different people taken
    for the same person) come first, then the false rejects.
    """
    shown = [*mistakes.false_accepts, *mistakes.false_rejects]
    tiles = [_tile(one, images, names) for one in shown]
    counts = (
        f"{mistakes.accepted:,} of {count_of(mistakes.strangers, 'pair')} of different people "
        "accepted, "
        f"{mistakes.rejected:,} of {count_of(mistakes.own, 'pair')} of the same person rejected"
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
