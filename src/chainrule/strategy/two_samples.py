"""What tells two samples apart, one column at a time, and their labels.

    D         = max over x of |F₁(x) − F₂(x)|                                (Kolmogorov, Smirnov)
    chance    ≈ 2 Σ (−1)^(k−1) e^(−2 k² λ²),  λ = (√n + 0.12 + 0.11/√n) D,  n = n₁ n₂ / (n₁ + n₂)
    χ²        = Σ (seen − expected)² / expected, over classes and both parts

The chance is that of a D or χ² as large between samples that are drawn alike. Of many columns each
must be that many times less likely.
"""

from dataclasses import dataclass

import numpy as np

from chainrule.data.normalize import Normalizer

UNLIKELY = 0.01
SHOWN = 5
EXPECTED = 5
"""A class of which fewer are expected goes with the other rare ones."""


@dataclass(frozen=True)
class Told:
    """What tells two samples apart: how far, how likely by chance, and the mean in each."""

    name: str
    distance: float
    chance: float
    means: tuple[float, float]

    def words(self) -> str:
        """For labels."""
        first, second = self.means
        return f"{self.name}, {first:.3g} against {second:.3g} (p = {self.chance:.1g})"


def columns_that_tell(
    X1: np.ndarray, X2: np.ndarray, names: list[str], scale: Normalizer
) -> tuple[Told, ...]:
    """The columns that tell by themselves, the clearest first, with means in their own units."""
    D = np.array([distance(X1[:, j], X2[:, j]) for j in range(X1.shape[1])])
    chance = chance_of(D, len(X1), len(X2)) * len(D)
    means = np.stack([X1.mean(axis=0), X2.mean(axis=0)]).astype(np.float64)
    if scale.mean.size in (1, len(D)):
        means = means * scale.scale + scale.mean
    order = np.argsort(-D, kind="stable")[:SHOWN]
    return tuple(
        Told(names[j], float(D[j]), float(chance[j]), (float(means[0, j]), float(means[1, j])))
        for j in order
        if chance[j] < UNLIKELY
    )


def labels_alike(y1: np.ndarray, y2: np.ndarray, task: str) -> Told | None:
    """What tells the labels apart, or None where chance is enough: the class, or the numbers."""
    if task == "regression":
        one, two = (y.reshape(len(y), -1)[:, 0].astype(np.float64) for y in (y1, y2))
        D = distance(one, two)
        chance = float(chance_of(np.array([D]), len(one), len(two))[0])
        told = Told("mean of the target", D, chance, (float(one.mean()), float(two.mean())))
        return told if chance < UNLIKELY else None
    classes, codes = np.unique(np.concatenate([y1, y2]).astype(str), return_inverse=True)
    counts = np.stack([np.bincount(c, minlength=len(classes)) for c in np.split(codes, [len(y1)])])
    chi_square, freedom = chi_square_of(counts)
    chance = chance_of_chi_square(chi_square, freedom)
    shares = counts / counts.sum(axis=1, keepdims=True)
    most = int(np.abs(shares[0] - shares[1]).argmax())
    gap = float(np.abs(shares[0] - shares[1]).max())
    told = Told(
        f"the share of {classes[most]}",
        gap,
        chance,
        (float(shares[0, most]), float(shares[1, most])),
    )
    return told if chance < UNLIKELY else None


def distance(x1: np.ndarray, x2: np.ndarray) -> float:
    """D.

    >>> distance(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.5
    """
    at = np.concatenate([x1, x2])
    F1, F2 = (np.searchsorted(np.sort(x), at, "right") / len(x) for x in (x1, x2))
    return float(np.abs(F1 - F2).max())


def chance_of(D: np.ndarray, n1: int, n2: int) -> np.ndarray:
    """The chance of each distance."""
    root = np.sqrt(n1 * n2 / (n1 + n2))
    k = np.arange(1, 101)[:, None]
    terms = 2.0 * (-1.0) ** (k - 1) * np.exp(-2 * (k * (root + 0.12 + 0.11 / root) * D) ** 2)
    return np.where(D * root < 0.2, 1.0, np.clip(terms.sum(axis=0), 0, 1))


def chi_square_of(counts: np.ndarray) -> tuple[float, int]:
    """χ² of two rows of counts, and its degrees of freedom.

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
    """Of one as large; 1 where there is nothing to compare."""
    from scipy.special import chdtrc

    return float(chdtrc(freedom, chi_square)) if freedom > 0 else 1.0
