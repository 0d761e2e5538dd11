"""Error analysis: count the tags of mistakes, and how much fixing each kind could reduce the error.

Notes: "Carrying out error analysis" (course 3, week 2): if 5 of 100 dev mistakes are images of
dogs, fixing all of these reduces an error of 10 % to 9.5 % at best; if 50 of 100 are, to 5 %.

    share s of a tag           mistakes with the tag / mistakes looked at, weighted by their error
    ceiling, classes           error (1 − s)
    ceiling, numbers           RMSE √(1 − s)

A random sample represents all mistakes, with Wilson's interval. The most costly mistakes do not:
then the share of a tag is only bounded, from below by the mistakes that have it, from above by
these and all mistakes that were not looked at.

Mistakes are written to a CSV file with an empty column for tags. Spreadsheets save the tagged file
in their own ways: with semicolons or tabs, with a byte order mark, with a row number such as 7.0.
All of these are accepted. An error message names the line that does not fit.
"""

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chainrule.data.csv_cells import original_cell, write_csv
from chainrule.errors import DataError, check_choice, did_you_mean
from chainrule.formatting import aligned, count_of
from chainrule.host.reading import read_text
from chainrule.runs.prepare import Data
from chainrule.runs.run import Run
from chainrule.strategy.error_analysis import (
    SAMPLES,
    Mistake,
    Mistakes,
    default_part,
    evaluate_examples,
    format_error,
    gather,
)
from chainrule.strategy.uncertainty import wilson

LIKE = 0.85
SHORTEST = 4
"""Shorter tags (in letters) are never reported as a misspelling of one another."""
MOST_COMPARED, LONGEST = 200, 100
"""The number of tags, and of their first letters, that are compared for misspellings."""


@dataclass(frozen=True)
class Ceiling:
    """The share of a tag among the mistakes, and the error if all mistakes with it were fixed.

    share, error   the estimates; None for a sample of the most costly mistakes
    low, high      the confidence interval of the error, which follows from that of the share
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
            f"{self.part} {what} {now}; {some} of {count_of(self.wrong, 'mistake')}, {how}",
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
            found.append(f"{self.untagged:,} mistakes have no tag; they count as examined")
        if sum(one.count for one in self.ceilings) > self.looked_at - self.untagged:
            found.append("some mistakes have several tags, so the shares of the tags overlap")
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
    """Describe the pairs of tags in which one may be a misspelling of the other.

    >>> near_equal({"blurry": 12, "blury": 1, "font 8": 2, "font 9": 2})
    ("'blury' (1) looks like 'blurry' (12)",)
    """
    order = sorted(counts, key=lambda tag: (-counts[tag], tag))[:MOST_COMPARED]
    return tuple(
        f"{less!r} ({counts[less]:,}) looks like {more!r} ({counts[more]:,})"
        for more, less in combinations(order, 2)
        if _similar(more, less)
    )


def _similar(one: str, other: str) -> bool:
    """Return whether two tags have nearly the same letters and differ in more than a number."""
    a, b = (re.sub(r"\d+", "", _plain(tag[:LONGEST])) for tag in (one, other))
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


PLACES = ("line", "row", "file", "place")

MADE = "the file that `chainrule errors RUN -o mistakes.csv` wrote, with your tags added"


class TagFile(NamedTuple):
    """A tagged file: the line of each row, its place in the data set and its tags."""

    name: str
    part: str
    sample: str
    lines: tuple[int, ...]
    places: tuple[str, ...]
    tags: tuple[tuple[str, ...], ...]


def analyse_tag_file(run: Run, data: Data, path: str | Path, part: str | None = None) -> TagReport:
    """Analyse the tags in a file; `part` is the set, if the file has no column for it."""
    file = read_tags(path)
    part = file.part or part or default_part(data)
    check_choice(f"{file.name}, column 'part'", part, data.parts)
    results, source = evaluate_examples(run, data, part), data.sources[part]
    at = {str(place): i for i, place in enumerate(source.where.tolist())}
    seen: dict[int, int] = {}
    for line, place in zip(file.lines, file.places, strict=True):
        index = at.get(place, -1)
        where, kind = f"{file.name}, line {line}", source.place_name
        if index < 0 or not results.error[index]:
            right = "which it predicts correctly"
            what = right if index >= 0 else f"which is not in the {part} set"
            raise DataError(where, "a mistake of this run", f"{kind} {place}, {what}", MADE)
        if index in seen:
            got = f"{kind} {place} again, after line {seen[index]}"
            raise DataError(where, "each mistake once", got, "one row with the tags of both")
        seen[index] = line
    chosen = np.array([*seen])
    return analyse_tags(gather(results, source, part, chosen, file.sample), file.tags)


def as_csv(mistakes: Mistakes) -> str:
    """Return a CSV table with a line for each mistake, and an empty column for tags."""
    sure = "sure" if mistakes.task == "classification" else "off by"
    head = [mistakes.place_name, "tags", "true", "predicted", sure, "cost", "part", "sample"]
    names = list(mistakes.listed[0].row) if mistakes.listed else []
    heads = [*head, *(f"column {n}" if n in head else n for n in names)]
    rows = [
        [*_cells(one), mistakes.part, mistakes.sample, *one.row.values()] for one in mistakes.listed
    ]
    return write_csv([heads, *rows])


def _cells(one: Mistake) -> list[Any]:
    sure = format_error(one) if one.sure is None else f"{one.sure:.6f}"
    return [one.place, "", one.true, one.predicted, sure, f"{one.cost:.6f}"]


def read_tags(path: str | Path) -> TagFile:
    """Read a tagged file, also as a spreadsheet saved it."""
    path = Path(path)
    rows = list(_rows(path))
    if not rows:
        raise DataError(path.name, "a table of mistakes", "an empty file", MADE)
    (line, header), *body = rows
    header = [name.strip() for name in header]
    place = next((name for name in header if name in PLACES), "row")
    places, tags = (_column(path, line, header, name) for name in (place, "tags"))
    for line, cells in body:
        if len(cells) != len(header):
            where, expected = (
                f"{path.name}, line {line}",
                f"{count_of(len(header), 'cell')}, as in the header",
            )
            hint = "quotes around a cell that contains the separator"
            raise DataError(where, expected, str(len(cells)), hint)
    lines = tuple(line for line, _ in body)
    found = tuple(split_tags(cells[tags]) for _, cells in body)
    if not any(found):
        hint = 'a tag in that column for why each example is hard, such as "blurry; dark"'
        raise DataError(f"{path.name}, column 'tags'", "at least one tag", "none", hint)
    at = tuple(re.sub(r"\.0+$", "", cells[places].strip()) for _, cells in body)
    part = _common(path, body, header, "part")
    sample = _common(path, body, header, "sample") or "worst"
    if sample not in SAMPLES:
        raise DataError(f"{path.name}, column 'sample'", "worst or random", repr(sample), MADE)
    return TagFile(path.name, part, sample, lines, at, found)


def split_tags(cell: str) -> tuple[str, ...]:
    """Split a cell into its distinct tags.

    >>> split_tags("blurry; dark,blurry ;")
    ('blurry', 'dark')
    """
    return tuple(dict.fromkeys(tag for tag in map(str.strip, re.split("[;,]", cell)) if tag))


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the line on which each row begins, and its cells, without empty lines."""
    if not os.path.exists(path):
        hint = MADE if path.parent.is_dir() else "another folder"
        raise DataError(str(path), "a readable file", "no such file", hint)
    text = read_text(path, hint='saving it again as UTF-8 (in a spreadsheet: "CSV UTF-8")')
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    rows, line = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((line, [original_cell(cell) for cell in cells]))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path.name}, line {line}", "a row of CSV", str(error), MADE) from None
    return rows


def _column(path: Path, line: int, header: Sequence[str], name: str) -> int:
    if name in header:
        return header.index(name)
    got = f"the columns {', '.join(header[:8])}"
    hint = did_you_mean(name, [column for column in header if column not in ("tags", "place")])
    raise DataError(f"{path.name}, line {line}", f"a column {name!r}", got, hint)


def _common(path: Path, body: Sequence, header: Sequence[str], name: str) -> str:
    """Return the value that all rows of a column share, or "" where there is no such column."""
    if name not in header:
        return ""
    column = header.index(name)
    first = body[0][1][column].strip()
    for line, cells in body:
        if cells[column].strip() != first:
            where, got = f"{path.name}, line {line}, column {name!r}", repr(cells[column])
            raise DataError(where, f"{first}, as above", got, "one file for each set and sample")
    return first
