"""Which pairs a threshold gets wrong, the worst first.

Notes: "Carrying out error analysis" (course 3, week 2): look at what is wrong.

    false accepts    two identities, D ≤ τ: the nearest first
    false rejects    one identity, D > τ: the furthest first
"""

from typing import NamedTuple

import numpy as np

from chainrule.train.verification_scores import Distance, distances, pairs_of


class Mistake(NamedTuple):
    """The rows of two images, how far they are from each other, and whether of one identity."""

    first: int
    second: int
    D: float
    same: bool


class Mistakes(NamedTuple):
    """The worst of each kind, and how many there are of it, and could be."""

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
    """Of all pairs of the rows of E (m, n).

    At most so many of each kind are listed, and of each identity, or of each two, one alone.
    """
    identities = np.asarray(identities).ravel()
    pairs = pairs_of(E, identities, distance)
    said = threshold >= pairs.D
    accepted, rejected = np.flatnonzero(said & ~pairs.same), np.flatnonzero(~said & pairs.same)
    first, second = np.triu_indices(len(E), 1)

    def worst(some: np.ndarray, values: np.ndarray) -> list[Mistake]:
        found: dict[frozenset, Mistake] = {}
        for i in some[np.argsort(values[some], kind="stable")]:
            one = Mistake(int(first[i]), int(second[i]), float(pairs.D[i]), bool(pairs.same[i]))
            found.setdefault(frozenset(identities[[one.first, one.second]].tolist()), one)
            if len(found) == most:
                break
        return list(found.values())

    own = int(pairs.same.sum())
    return Mistakes(
        false_accepts=worst(accepted, pairs.D),
        false_rejects=worst(rejected, -pairs.D),
        accepted=len(accepted),
        rejected=len(rejected),
        strangers=len(pairs.D) - own,
        own=own,
    )
