"""The importance of each dimension: how much of the differences in dev cost it explains by itself.

    r    the ranks of the dev costs, so that a very bad candidate counts no more than the others
    u    the positions of the values, each on the dimension's own scale
    R²   of the parabola r ≈ c₀ + c₁ u + c₂ u²; of the mean rank of each choice

    importance = max(0, 1 − (1 − R²)(n − 1)/(n − p − 1))

With p terms and n candidates, part of the differences is explained by chance; the adjusted R² of
the last line corrects for that. Interactions between dimensions are not measured.
"""

from collections.abc import Sequence

import numpy as np

from chainrule.search.dimensions import Choices, Dimension
from chainrule.search.space import Space
from chainrule.search.tried import Tried

FEWEST = 8
"""The fewest candidates for which importance is computed."""


def importances(space: Space, candidates: Sequence[Tried]) -> dict[str, float]:
    """Return the importance of each dimension, from 0 to 1, the largest first.

    Dimensions with too few candidates that are done are left out.
    """
    found = {}
    for name, dimension in space.dimensions.items():
        done = [c for c in candidates if c.done and name in c.values]
        if len(done) >= FEWEST:
            costs = np.array([c.outcome.dev_cost for c in done])
            found[name] = importance(dimension, [c.values[name] for c in done], costs)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def importance(dimension: Dimension, values: Sequence, costs: np.ndarray) -> float:
    """Return the importance of a dimension, given the values and dev costs of the candidates."""
    ranks = np.argsort(np.argsort(costs, kind="stable"), kind="stable").astype(float)
    u = np.array([dimension.position(value) for value in values])
    if isinstance(dimension, Choices):
        terms = (u[:, None] == np.unique(u)).astype(float)
    else:
        terms = np.stack([np.ones_like(u), u, u * u], axis=1)
    n, p = len(ranks), np.linalg.matrix_rank(terms) - 1
    if p == 0 or n - p - 1 <= 0:
        return 0.0
    residuals = ranks - terms @ np.linalg.lstsq(terms, ranks)[0]
    unexplained = (residuals @ residuals) / ((ranks - ranks.mean()) ** 2).sum()
    return float(max(0.0, 1 - unexplained * (n - 1) / (n - p - 1)))
