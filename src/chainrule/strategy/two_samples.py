"""Compare the distributions of two samples, column by column, and those of their labels.

    D         = max over x of |F₁(x) − F₂(x)|                                (Kolmogorov, Smirnov)
    chance    ≈ 2 Σ (−1)^(k−1) e^(−2 k² λ²),  λ = (√n + 0.12 + 0.11/√n) D,  n = n₁ n₂ / (n₁ + n₂)
    χ²        = Σ (seen − expected)² / expected, over classes and both samples

The chance (p value) is the probability of a D or χ² at least as large between two samples of the
same distribution. With n columns the significance level of each is divided by n (Bonferroni).
"""

from dataclasses import dataclass

import numpy as np

from chainrule.data.normalize import Normalizer

UNLIKELY = 0.01
SHOWN = 5
EXPECTED = 5
"""Classes with a smaller expected count are merged into one."""


@dataclass(frozen=True)
class Difference:
    """A difference between two samples in one column or in the labels.

    distance   how large it is, from 0 to 1
    chance     its p value, multiplied by the number of columns tested
    means      the mean in each sample
    """

    name: str
    distance: float
    chance: float
    means: tuple[float, float]

    def describe(self) -> str:
        """Return a description of a difference between labels."""
        first, second = self.means
        return f"{self.name}, {first:.3g} against {second:.3g} (p = {self.chance:.1g})"


def shifted_columns(
    X1: np.ndarray, X2: np.ndarray, names: list[str], scale: Normalizer
) -> tuple[Difference, ...]:
    """Return the columns whose distributions differ, the largest distance first.

    The means are in the units of the columns.
    """
    D = np.array([distance(X1[:, j], X2[:, j]) for j in range(X1.shape[1])])
    chance = chance_of(D, len(X1), len(X2)) * len(D)
    means = np.stack([X1.mean(axis=0), X2.mean(axis=0)]).astype(np.float64)
    if scale.mean.size in (1, len(D)):
        means = means * scale.scale + scale.mean
    order = np.argsort(-D, kind="stable")[:SHOWN]
    return tuple(
        Difference(
            names[j], float(D[j]), float(chance[j]), (float(means[0, j]), float(means[1, j]))
        )
        for j in order
        if chance[j] < UNLIKELY
    )


def label_shift(y1: np.ndarray, y2: np.ndarray, task: str) -> Difference | None:
    """Return the difference between the labels, or None where chance explains it.

    For classification it is the class whose share differs most, for regression the target's mean.
    """
    if task == "regression":
        one, two = (y.reshape(len(y), -1)[:, 0].astype(np.float64) for y in (y1, y2))
        D = distance(one, two)
        chance = float(chance_of(np.array([D]), len(one), len(two))[0])
        difference = Difference(
            "mean of the target", D, chance, (float(one.mean()), float(two.mean()))
        )
        return difference if chance < UNLIKELY else None
    classes, codes = np.unique(np.concatenate([y1, y2]).astype(str), return_inverse=True)
    counts = np.stack([np.bincount(c, minlength=len(classes)) for c in np.split(codes, [len(y1)])])
    chi_square, freedom = chi_square_of(counts)
    chance = chance_of_chi_square(chi_square, freedom)
    shares = counts / counts.sum(axis=1, keepdims=True)
    most = int(np.abs(shares[0] - shares[1]).argmax())
    gap = float(np.abs(shares[0] - shares[1]).max())
    difference = Difference(
        f"the share of {classes[most]}",
        gap,
        chance,
        (float(shares[0, most]), float(shares[1, most])),
    )
    return difference if chance < UNLIKELY else None


def distance(x1: np.ndarray, x2: np.ndarray) -> float:
    """Return the Kolmogorov–Smirnov distance D.

    >>> distance(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.5
    """
    at = np.concatenate([x1, x2])
    F1, F2 = (np.searchsorted(np.sort(x), at, "right") / len(x) for x in (x1, x2))
    return float(np.abs(F1 - F2).max())


def chance_of(D: np.ndarray, n1: int, n2: int) -> np.ndarray:
    """Return the p value of each distance."""
    root = np.sqrt(n1 * n2 / (n1 + n2))
    k = np.arange(1, 101)[:, None]
    terms = 2.0 * (-1.0) ** (k - 1) * np.exp(-2 * (k * (root + 0.12 + 0.11 / root) * D) ** 2)
    return np.where(D * root < 0.2, 1.0, np.clip(terms.sum(axis=0), 0, 1))


def chi_square_of(counts: np.ndarray) -> tuple[float, int]:
    """Return χ² of two rows of counts and its degrees of freedom.

    >>> chi_square_of(np.array([[10, 20], [20, 10]]))[1]
    1
    """
    shares = counts.sum(axis=0) / counts.sum()
    rare = shares * counts.sum(axis=1).min() < EXPECTED
    if rare.any():
        counts = np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])
        shares = counts.sum(axis=0) / counts.sum()
    expected = shares * counts.sum(axis=1, keepdims=True)
    used = expected[0] > 0
    chi_square = ((counts - expected)[:, used] ** 2 / expected[:, used]).sum()
    return float(chi_square), int(used.sum()) - 1


def chance_of_chi_square(chi_square: float, freedom: int) -> float:
    """Return the p value of χ²; 1 where there is nothing to compare."""
    from scipy.special import chdtrc

    return float(chdtrc(freedom, chi_square)) if freedom > 0 else 1.0
