"""Sample the steps of training an embedding: P identities, with K images of each.

Notes: "Triplet loss" (course 4, week 4): triplets need several images of a person. A step with
P · K images has P · K (K − 1) pairs of anchor and positive, and (P − 1) K negatives for each.

In a round every identity is used once, with K of its images, if possible images not yet used in the
epoch. The order of identities changes every round, and the last step of a round is filled up with
its first identities. An epoch has as many rounds as are needed to use about as many images as there
are; if an identity has more images than others, some of them are left to the next epoch.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from chainrule.errors import DataError, OptionError


@dataclass(frozen=True)
class ByIdentity:
    """Sampling of `people` identities per step (or all, if fewer), with `photos` images of each.

    >>> draw = ByIdentity(people=2, photos=2).of(np.array([0, 0, 0, 0, 7, 7, 7, 7]))
    >>> draw.steps_per_epoch, draw.epoch(seed=0, epoch=0).shape
    (2, (2, 4))
    """

    people: int = 16
    photos: int = 4

    def __post_init__(self):
        for name, value in (("people", self.people), ("photos", self.photos)):
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 2:
                expected = "a whole number of at least 2"
                raise OptionError(f"ByIdentity({name}=…)", expected, repr(value), f"{name}=4")

    def of(self, identities: np.ndarray) -> "IdentityDraw":
        """Return the sampling for examples with these identities, which are whole numbers."""
        rows = rows_of_identities(identities)
        return IdentityDraw(rows, min(self.people, len(rows)), self.photos)


class IdentityDraw:
    """The steps of each epoch, in the form that `order.py` needs."""

    def __init__(self, rows: list[np.ndarray], people: int, photos: int):
        self.rows, self.people, self.photos = rows, people, photos
        self.m = sum(map(len, rows))
        self.batch_size = people * photos
        self.steps_per_round = -(-len(rows) // people)
        self.rounds = -(-self.m // (len(rows) * photos))
        self.steps_per_epoch = self.rounds * self.steps_per_round

    def epoch(self, *, seed: int, epoch: int) -> np.ndarray:
        """Return row numbers (steps, people · photos); m if an identity has too few images."""
        rng = np.random.default_rng((seed, epoch))
        shuffled = [rng.permutation(rows) for rows in self.rows]
        return np.concatenate([self._round(i, shuffled, rng) for i in range(self.rounds)])

    def words(self) -> dict[str, int]:
        """Return people, photos, and a checksum of the identity of each row."""
        digest = zlib.crc32(b"|".join(rows.astype("<i4").tobytes() for rows in self.rows))
        return {"people": self.people, "photos": self.photos, "identities": digest}

    def _round(self, i: int, shuffled: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Return the steps of the i-th round, with the i-th K images of each identity."""
        n = self.steps_per_round * self.people
        order = rng.permutation(len(shuffled))[np.arange(n) % len(shuffled)]
        table = np.full((n, self.photos), self.m, np.int32)
        for place, person in enumerate(order):
            rows = shuffled[person]
            some = np.arange(min(self.photos, len(rows)))
            table[place, some] = rows[(i * self.photos + some) % len(rows)]
        return table.reshape(self.steps_per_round, -1)


def rows_of_identities(identities: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each identity; refuse a single identity, or one with a single image."""
    numbers = np.asarray(identities).ravel()
    if not np.isfinite(numbers).all() or (numbers != np.floor(numbers)).any():
        expected, hint = "whole numbers, one for each identity", "np.unique(…, return_inverse=True)"
        raise DataError("the identities", expected, "fractions, nan or infinity", hint)
    known, codes, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    if len(known) < 2:
        hint = "images of several people"
        raise DataError("the identities", "at least two", f"{len(known)}", hint)
    if counts.min() < 2:
        single = ", ".join(f"{int(number)}" for number in known[counts < 2][:5])
        more = " and others" if (counts < 2).sum() > 5 else ""
        hint = "a second image of each, or leaving them out"
        got = f"a single image of {single}{more}"
        raise DataError("the identities", "at least two images of each", got, hint)
    order = np.argsort(codes, kind="stable").astype(np.int32)
    return np.split(order, np.cumsum(counts)[:-1])
