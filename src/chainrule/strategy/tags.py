"""Error analysis: count the tags of mistakes, and how much fixing each kind could reduce the error.

Notes: "Carrying out error analysis" (course 3, week 2): if 5 of 100 dev mistakes are dogs, solving
the dogs reduces an error of 10 % to 9.5 % at best; if 50 of 100 are, to 5 %.

    share s of a tag           its mistakes / those looked at, by their share of the error
    ceiling, classes           error (1 − s)
    ceiling, numbers           RMSE √(1 − s)

A random sample represents all mistakes, with Wilson's interval. The most costly mistakes do not:
then the share of a tag is only bounded, from below by the mistakes that have it, from above by
these and all mistakes that were not looked at.
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
"""Shorter tags (in letters) are never reported as a misspelling of one another."""


@dataclass(frozen=True)
class Ceiling:
    """The share of a tag among the mistakes, and the error if all mistakes with it were fixed.

    share, error   the estimates; None for a sample of the most costly mistakes
    low, high      the interval of the error, from that of the share
    """

    tag: str
    count: int
    share_of_sample: float
    share: float | None
    error: float | None
    low: float
    high: float


@dataclass(frozen=True)
class TagReport:
    """The tags of the mistakes in a set, in order of the possible gain.

    error      the error of the set: 1 − accuracy, or RMSE
    wrong      the number of mistakes in the set
    looked_at  the number of mistakes in the file; untagged: those of them without a tag
    notes      warnings about tags that may be misspellings of one another
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
        """Return plain data for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Return a table of the tags, with notes on its limits."""
        now, what = self._shown(self.error), "RMSE" if self.task == "regression" else "error"
        how = "looked at"
        if self.looked_at < self.wrong:
            how = "drawn at random" if self.sample == "random" else "the most costly"
        some = f"all {self.wrong:,}" if self.looked_at == self.wrong else f"{self.looked_at:,}"
        lines = [["tag", "mistakes", "share", f"{self.part} {what} if fixed", "range"]]
        for one in self.ceilings:
            best = "?" if one.error is None else self._shown(one.error)
            ends = f"{self._shown(one.low)} to {self._shown(one.high)}"
            share = f"{one.share_of_sample:.0%}"
            lines.append([one.tag, f"{one.count:,}", share, f"{now} -> {best}", ends])
        report = [
            f"{self.part} {what} {now}; {some} of {self.wrong:,} mistakes, {how}",
            "",
            *aligned(lines, [1, 2]),
            "",
            *self._remarks(),
        ]
        return "\n".join(report).rstrip()

    def _shown(self, error: float) -> str:
        return f"{error:.4g}" if self.task == "regression" else f"{error:.2%}"

    def _remarks(self) -> list[str]:
        found = list(self.notes)
        if self.untagged:
            found.append(f"{self.untagged:,} have no tag; they count as looked at")
        if sum(one.count for one in self.ceilings) > self.looked_at - self.untagged:
            found.append("some have several tags, so the shares of the tags overlap")
        if self.sample == "worst" and self.looked_at < self.wrong:
            found.append(
                "the most costly mistakes do not represent the others; "
                "--sample random draws a sample that does"
            )
        return [f"note: {remark}" for remark in found]


def analyse_tags(mistakes: Mistakes, tags: Sequence[Sequence[str]]) -> TagReport:
    """Summarise the tags of these mistakes; `tags` has those of each of `mistakes.listed`."""
    same = spellings(tags)
    tags = [list(dict.fromkeys(same[tag] for tag in of_one)) for of_one in tags]
    found = Counter(tag for of_one in tags for tag in of_one)
    ceilings = [_ceiling(tag, count, tags, mistakes) for tag, count in found.items()]
    return TagReport(
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
    """Map each tag to its most frequent spelling, ignoring capitals, spaces and hyphens.

    >>> spellings([["Dog"], ["dog", "big cat"], ["dog"], ["big  Cat"]])["Dog"]
    'dog'
    """
    counts = Counter(tag for of_one in tags for tag in of_one)
    forms: dict[str, str] = {}
    for tag, _ in counts.most_common():
        forms.setdefault(_plain(tag), tag)
    return {tag: forms[_plain(tag)] for tag in counts}


def near_equal(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Describe the pairs of tags of which one may be a misspelling of the other.

    >>> near_equal({"blurry": 12, "blury": 1, "font 8": 2, "font 9": 2})
    ("'blury' (1) looks like 'blurry' (12)",)
    """
    order = sorted(counts, key=lambda tag: (-counts[tag], tag))
    return tuple(
        f"{less!r} ({counts[less]:,}) looks like {more!r} ({counts[more]:,})"
        for more, less in combinations(order, 2)
        if _similar(more, less)
    )


def _similar(one: str, other: str) -> bool:
    """Return whether two tags have nearly the same letters and differ in more than a number."""
    a, b = (re.sub(r"\d+", "", _plain(tag)) for tag in (one, other))
    if a == b or min(len(a), len(b)) < SHORTEST:
        return False
    return SequenceMatcher(None, a, b).ratio() >= LIKE


def _plain(tag: str) -> str:
    return " ".join(tag.casefold().replace("_", " ").replace("-", " ").split())


def _ceiling(tag: str, count: int, tags: Sequence[Sequence[str]], mistakes: Mistakes) -> Ceiling:
    """Compute the ceiling of a tag; the shares are of the error of the whole set."""
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
