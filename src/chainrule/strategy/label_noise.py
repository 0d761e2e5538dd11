"""Estimate how many labels are wrong, and whether the errors are random or systematic.

Notes: "Cleaning up incorrectly labeled data" (course 3, week 2). The estimate uses the confident
joint of Northcutt, Jiang and Chuang, Confident Learning (2021).

    t_j        mean probability of class j over the examples labelled j
    Q_ij       examples labelled i whose likeliest class of those with p ≥ t is j
    wrong      Σ_{i≠j} n_i Q_ij / Σ_j Q_ij
    random     the cells i ≠ j are proportional to the number of examples of class j (χ² test)

Where two classes look alike, a network is also confident in wrong predictions, which are counted
as if the labels were wrong. Such counts are concentrated in a few cells, while random label errors
are spread over all of them. The lower bound of the estimate is therefore what is spread over all
cells. With two classes the cases cannot be distinguished: all labels that were counted may be
correct, of classes that overlap.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.strategy.shares import wilson

DRAWS, MANY = 2000, 10**4
RARE, FEW = 0.01, 10


@dataclass(frozen=True)
class Pair:
    """A pair of classes of which more examples look mislabelled than chance explains.

    count, by_chance   how many examples labelled `given` look like `instead`, and how many are
                       expected by chance
    """

    given: Any
    instead: Any
    count: int
    by_chance: float


@dataclass(frozen=True)
class Noise:
    """The estimated share of wrong labels, and their kind.

    share, low, high   the share of all examples, and its 95 % confidence interval
    kind               "none", "few" (too few to tell), "random", "systematic", or "both";
                       "unknown" where networks learn nothing from the data; "either" with two
                       classes, which may just overlap
    p                  the p value of the hypothesis that the errors are random
    pairs              the pairs of classes with more errors than chance explains
    """

    share: float
    low: float
    high: float
    kind: str
    p: float
    pairs: tuple[Pair, ...]


def confident_joint(likely: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Q (C, C), and for each example the class it is confidently in, or −1."""
    C = likely.shape[1]
    counts = np.bincount(codes, minlength=C)
    own = likely[np.arange(len(codes)), codes]
    threshold = np.bincount(codes, weights=own, minlength=C) / np.maximum(counts, 1)
    above = np.where((likely >= threshold) & (counts > 0), likely, -1.0)
    confident = np.where(above.max(axis=1) >= 0, above.argmax(axis=1), -1)
    Q = np.zeros((C, C))
    np.add.at(Q, (codes[confident >= 0], confident[confident >= 0]), 1)
    return Q, confident


def noise_of(Q: np.ndarray, codes: np.ndarray, classes: tuple, seed: int = 0) -> Noise:
    """Estimate the label noise from the confident joint."""
    m, counts = len(codes), np.bincount(codes, minlength=len(Q))
    joint = Q / np.maximum(Q.sum(axis=1, keepdims=True), 1) * counts[:, None]
    share = float((joint.sum() - np.trace(joint)) / m)
    low, high = wilson(share, m)
    others = ~np.eye(len(Q), dtype=bool)
    observed = Q[others]
    chance = np.broadcast_to(Q.sum(axis=0), Q.shape)[others]
    p = chi_square(observed, chance, seed)
    beyond, rate = beyond_chance(observed, chance)
    spread = float(rate * chance.sum() / m) if len(Q) > 2 else 0.0
    low = min(low, wilson(min(1.0, spread), m)[0])
    rows, columns = np.nonzero(others)
    order = np.flatnonzero(beyond)[np.argsort(-observed[beyond], kind="stable")]
    cells = [(classes[int(rows[i])], classes[int(columns[i])], int(observed[i])) for i in order]
    expected = (rate * chance[order]).tolist()
    pairs = tuple(Pair(*cell, at) for cell, at in zip(cells, expected, strict=True))
    return Noise(share, low, high, _kind(observed, beyond, rate * chance, p), p, pairs)


def chi_square(observed: np.ndarray, chance: np.ndarray, seed: int = 0) -> float:
    """Return the p value of a χ² test that the cells follow `chance`, by simulation.

    The χ² distribution needs an expected count of five in each cell; these hold one or two.
    """
    total = int(observed.sum())
    if total == 0:
        return 1.0
    expected = np.maximum(chance, 1e-12) / np.maximum(chance, 1e-12).sum() * total

    def statistic(cells: np.ndarray) -> float:
        return float(((cells - expected) ** 2 / expected).sum())

    rng, draws = np.random.default_rng(seed), DRAWS if len(observed) <= MANY else DRAWS // 10
    drawn = (statistic(rng.multinomial(total, expected / total)) for _ in range(draws))
    return (1 + sum(map(statistic(observed).__le__, drawn))) / (1 + draws)


def beyond_chance(observed: np.ndarray, chance: np.ndarray) -> tuple[np.ndarray, float]:
    """Return which cells exceed chance, and the ratio of count to chance in the other cells.

    The cell with the largest excess is tested against the rest by a binomial test and removed,
    until the excess is not significant.
    """
    beyond = np.zeros(len(observed), bool)
    while True:
        left = ~beyond
        n, chances = observed[left].sum(), max(chance[left].sum(), 1e-12)
        more = np.where(left, observed - n / chances * chance, -np.inf)
        fullest = int(np.argmax(more))
        share = float(chance[fullest]) / chances
        if at_least(int(observed[fullest]), int(n), share) * len(observed) >= RARE:
            return beyond, float(n / chances)
        beyond[fullest] = True


def at_least(count: int, n: int, share: float) -> float:
    """Return P(k ≥ count) of a binomial distribution with n draws and success rate `share`.

    >>> at_least(2, 2, 0.5), at_least(0, 5, 0.1)
    (0.25, 1.0)
    """
    if count <= 0 or share >= 1:
        return 1.0
    k = np.arange(count, n + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    share = max(share, 1e-300)
    terms = logs[n] - logs[k] - logs[n - k] + k * np.log(share) + (n - k) * np.log1p(-share)
    return float(round(min(1.0, np.exp(terms).sum()), 12))


def _kind(observed: np.ndarray, beyond: np.ndarray, by_chance: np.ndarray, p: float) -> str:
    if not observed.sum():
        return "none"
    if len(observed) == 2:
        return "either"
    if p >= RARE or not beyond.any():
        return "random" if observed.sum() >= FEW else "few"
    spread = observed[~beyond].sum() + by_chance[beyond].sum()
    return "both" if spread > 0.25 * observed.sum() else "systematic"
