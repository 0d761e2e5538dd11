"""Which dimension mattered: how much of the differences in dev cost it explains by itself.

    r    the ranks of the dev costs: one candidate that fails badly counts no more than the others
    u    the places of the values, each on the dimension's own scale
    R²   of the parabola r ≈ c₀ + c₁ u + c₂ u²; of the mean rank of each choice

    importance = max(0, 1 − (1 − R²)(n − 1)/(n − p − 1))

p terms explain something of n candidates even by chance; the last line takes that off. What
several dimensions do together is not seen.
"""

from collections.abc import Sequence

import numpy as np

from chainrule.search.dimensions import Choices, Dimension
from chainrule.search.space import Space
from chainrule.search.tried import Tried

FEWEST = 8
"""Candidates below which nothing is said."""


def importances(space: Space, candidates: Sequence[Tried]) -> dict[str, float]:
    """From 0 to 1 for each dimension, the largest first; {} where too few candidates are done."""
    found = {}
    for name, dimension in space.dimensions.items():
        there = [c for c in candidates if c.done and name in c.values]
        if len(there) >= FEWEST:
            costs = np.array([c.outcome.dev_cost for c in there])
            found[name] = importance(dimension, [c.values[name] for c in there], costs)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def importance(dimension: Dimension, values: Sequence, costs: np.ndarray) -> float:
    """Of one dimension."""
    ranks = np.argsort(np.argsort(costs, kind="stable"), kind="stable").astype(float)
    u = np.array([dimension.position(value) for value in values])
    if isinstance(dimension, Choices):
        terms = (u[:, None] == np.unique(u)).astype(float)
    else:
        terms = np.stack([np.ones_like(u), u, u * u], axis=1)
    n, p = len(ranks), np.linalg.matrix_rank(terms) - 1
    if p == 0 or n - p - 1 <= 0:
        return 0.0
    left = ranks - terms @ np.linalg.lstsq(terms, ranks)[0]
    unexplained = (left @ left) / ((ranks - ranks.mean()) ** 2).sum()
    return float(max(0.0, 1 - unexplained * (n - 1) / (n - p - 1)))
