"""Steps for embeddings: so many identities, and so many images of each.

Notes: "Triplet loss" (course 4, week 4): triplets need several images of a person. A step that sees
P · K images has P · K (K − 1) pairs of anchor and positive, and (P − 1) K negatives for each.

In a round every identity comes once, with K of its images that did not come before as long as there
are such; the identities are in another order each round, and where the last step lacks some, the
first of the round come again. An epoch is as many rounds as have about as many places as there are
images: of an identity with more than others some images come, and others in the next epoch.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from chainrule.errors import DataError, OptionError


@dataclass(frozen=True)
class ByIdentity:
    """`people` identities at a step (all, where there are fewer), `photos` images of each.

    >>> draw = ByIdentity(people=2, photos=2).of(np.array([0, 0, 0, 0, 7, 7, 7, 7]))
    >>> draw.steps_per_epoch, draw.epoch(seed=0, epoch=0).shape
    (2, (2, 4))
    """

    people: int = 16
    photos: int = 4

    def __post_init__(self):
        for name, value in (("people", self.people), ("photos", self.photos)):
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 2:
                expected = "a whole number, 2 or more"
                raise OptionError(f"ByIdentity({name}=…)", expected, repr(value), f"{name}=4")

    def of(self, identities: np.ndarray) -> "IdentityDraw":
        """Its steps for examples whose identities are these, whole numbers."""
        rows = rows_of_identities(identities)
        return IdentityDraw(rows, min(self.people, len(rows)), self.photos)


class IdentityDraw:
    """The steps of each epoch, as `order.py` asks for them."""

    def __init__(self, rows: list[np.ndarray], people: int, photos: int):
        self.rows, self.people, self.photos = rows, people, photos
        self.m = sum(map(len, rows))
        self.batch_size = people * photos
        self.steps_per_round = -(-len(rows) // people)
        self.rounds = -(-self.m // (len(rows) * photos))
        self.steps_per_epoch = self.rounds * self.steps_per_round

    def epoch(self, *, seed: int, epoch: int) -> np.ndarray:
        """Row numbers (steps, people · photos); m where an identity has fewer images than that."""
        rng = np.random.default_rng((seed, epoch))
        shuffled = [rng.permutation(rows) for rows in self.rows]
        return np.concatenate([self._round(i, shuffled, rng) for i in range(self.rounds)])

    def words(self) -> dict[str, int]:
        """People, photos, and a number made of who is in which row."""
        digest = zlib.crc32(b"|".join(rows.astype("<i4").tobytes() for rows in self.rows))
        return {"people": self.people, "photos": self.photos, "identities": digest}

    def _round(self, i: int, shuffled: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """The i-th K images of everybody."""
        n = self.steps_per_round * self.people
        order = rng.permutation(len(shuffled))[np.arange(n) % len(shuffled)]
        table = np.full((n, self.photos), self.m, np.int32)
        for place, person in enumerate(order):
            rows = shuffled[person]
            some = np.arange(min(self.photos, len(rows)))
            table[place, some] = rows[(i * self.photos + some) % len(rows)]
        return table.reshape(self.steps_per_round, -1)


def rows_of_identities(identities: np.ndarray) -> list[np.ndarray]:
    """The rows of each identity; refused where there is one alone, or one with a single image."""
    numbers = np.asarray(identities).ravel()
    if not np.isfinite(numbers).all() or (numbers != np.floor(numbers)).any():
        expected, hint = "whole numbers, one for each identity", "np.unique(…, return_inverse=True)"
        raise DataError("the identities", expected, "others among them", hint)
    named, codes, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    if len(named) < 2:
        hint = "images of several people"
        raise DataError("the identities", "two or more", f"{len(named)}", hint)
    if counts.min() < 2:
        alone = ", ".join(f"{int(name)}" for name in named[counts < 2][:5])
        more = " and others" if (counts < 2).sum() > 5 else ""
        hint = "a second image of each, or leaving them out"
        got = f"a single one of {alone}{more}"
        raise DataError("the identities", "two images of each, or more", got, hint)
    order = np.argsort(codes, kind="stable").astype(np.int32)
    return np.split(order, np.cumsum(counts)[:-1])
