"""What the mistakes have in common, as people tagged them, and what mending it could bring.

Notes: "Carrying out error analysis" (course 3, week 2): of 100 dev mistakes 5 show dogs, so all the
work on dogs takes an error of 10 % to 9.5 % at best; with 50 of 100, to 5 %.

    share s of a tag           its mistakes / those looked at, by their share of the error
    ceiling, classes           error (1 − s)
    ceiling, numbers           RMSE √(1 − s)

A random sample speaks for all mistakes, with Wilson's interval. The worst do not: then only this is
sure, that a tag has at least what was found, and at most all that nobody looked at besides.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from itertools import combinations
from typing import Any

import numpy as np

from chainrule.strategy.error_analysis import Mistakes
from chainrule.strategy.shares import wilson
from chainrule.strategy.table import aligned

LIKE = 0.85
SHORTEST = 4
"""Letters that a tag has at least before another one is taken for its misspelling."""


@dataclass(frozen=True)
class Ceiling:
    """What a tag is of the mistakes, and the error if all of it were right.

    share, error   the best guess; of the worst alone None, since they speak for themselves only
    low, high      where the error would be, by the interval of the share
    """

    tag: str
    count: int
    share_of_sample: float
    share: float | None
    error: float | None
    low: float
    high: float


@dataclass(frozen=True)
class Tagged:
    """The tags of a part's mistakes, those first that have most to give.

    error      of the part as it is: 1 − accuracy, or RMSE
    looked_at  rows of the file, of `wrong` mistakes in all; `untagged` of them bear no tag
    notes      tags that may be one and the same
    """

    part: str
    task: str
    error: float
    wrong: int
    looked_at: int
    untagged: int
    sample: str
    ceilings: tuple[Ceiling, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def text(self) -> str:
        """A table of the tags, and how far its numbers go."""
        now, what = self._shown(self.error), "RMSE" if self.task == "regression" else "error"
        how = "looked at"
        if self.looked_at < self.wrong:
            how = "drawn at random" if self.sample == "random" else "the most costly"
        some = f"all {self.wrong:,}" if self.looked_at == self.wrong else f"{self.looked_at:,}"
        lines = [["tag", "mistakes", "share", f"{self.part} {what} if right", "between"]]
        for one in self.ceilings:
            best = "?" if one.error is None else self._shown(one.error)
            ends = f"{self._shown(one.low)} and {self._shown(one.high)}"
            share = f"{one.share_of_sample:.0%}"
            lines.append([one.tag, f"{one.count:,}", share, f"{now} -> {best}", ends])
        said = [
            f"{self.part} {what} {now}; {some} of {self.wrong:,} mistakes, {how}",
            "",
            *aligned(lines, [1, 2]),
            "",
            *self._remarks(),
        ]
        return "\n".join(said).rstrip()

    def _shown(self, error: float) -> str:
        return f"{error:.4g}" if self.task == "regression" else f"{error:.2%}"

    def _remarks(self) -> list[str]:
        found = list(self.notes)
        if self.untagged:
            found.append(f"{self.untagged:,} without a tag; they count as looked at")
        if sum(one.count for one in self.ceilings) > self.looked_at - self.untagged:
            found.append("some bear several tags: the shares add up to more than they are together")
        if self.sample == "worst" and self.looked_at < self.wrong:
            found.append(
                "the most costly mistakes do not speak for the others; "
                "--sample random gives a sample that does"
            )
        return [f"note: {words}" for words in found]


def tagged(mistakes: Mistakes, tags: Sequence[Sequence[str]]) -> Tagged:
    """What the tags of these mistakes say; `tags` has those of each of `mistakes.listed`."""
    same = spellings(tags)
    tags = [list(dict.fromkeys(same[tag] for tag in of_one)) for of_one in tags]
    found = Counter(tag for of_one in tags for tag in of_one)
    ceilings = [_ceiling(tag, count, tags, mistakes) for tag, count in found.items()]
    return Tagged(
        mistakes.part,
        mistakes.task,
        mistakes.error,
        mistakes.wrong,
        len(tags),
        sum(not of_one for of_one in tags),
        mistakes.sample,
        tuple(sorted(ceilings, key=lambda one: (-one.share_of_sample, one.tag))),
        near_equal(found),
    )


def spellings(tags: Sequence[Sequence[str]]) -> dict[str, str]:
    """Each tag as it is written most often: capitals and spaces do not make another one.

    >>> spellings([["Dog"], ["dog", "big cat"], ["dog"], ["big  Cat"]])["Dog"]
    'dog'
    """
    counts = Counter(tag for of_one in tags for tag in of_one)
    forms: dict[str, str] = {}
    for tag, _ in counts.most_common():
        forms.setdefault(_plain(tag), tag)
    return {tag: forms[_plain(tag)] for tag in counts}


def near_equal(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Pairs of tags that may be a slip of the keyboard.

    >>> near_equal({"blurry": 12, "blury": 1, "font 8": 2, "font 9": 2})
    ("'blury' (1) looks like 'blurry' (12)",)
    """
    order = sorted(counts, key=lambda tag: (-counts[tag], tag))
    return tuple(
        f"{less!r} ({counts[less]:,}) looks like {more!r} ({counts[more]:,})"
        for more, less in combinations(order, 2)
        if _alike(more, less)
    )


def _alike(one: str, other: str) -> bool:
    """Nearly the same letters, and not two numbers of one thing."""
    a, b = (re.sub(r"\d+", "", _plain(tag)) for tag in (one, other))
    if a == b or min(len(a), len(b)) < SHORTEST:
        return False
    return SequenceMatcher(None, a, b).ratio() >= LIKE


def _plain(tag: str) -> str:
    return " ".join(tag.casefold().replace("_", " ").replace("-", " ").split())


def _ceiling(tag: str, count: int, tags: Sequence[Sequence[str]], mistakes: Mistakes) -> Ceiling:
    """Shares are of the error of the whole part, and so those nobody looked at count too."""
    shares = np.array([one.share for one in mistakes.listed])
    has = np.array([tag in of_one for of_one in tags])
    least, looked_at = float(shares[has].sum()), float(shares.sum())
    most = min(1.0, least + 1 - looked_at)
    of_sample = least / looked_at
    whole = len(shares) == mistakes.wrong
    low, high = least, (least if whole else most)
    if mistakes.sample == "random" and not whole:
        n = float(looked_at**2 / np.sum(shares**2))
        ends = wilson(of_sample, n, of=mistakes.wrong)
        low, high = max(least, ends[0]), min(most, ends[1])
    known = whole or mistakes.sample == "random"

    def left(share: float) -> float:
        rest = max(0.0, 1 - share)
        return mistakes.error * (rest if mistakes.task == "classification" else rest**0.5)

    best = left(of_sample) if known else None
    return Ceiling(tag, count, of_sample, of_sample if known else None, best, left(high), left(low))
