"""Mistakes as a CSV file with an empty column for tags, and that file when it comes back.

Spreadsheets write it in their own way: with semicolons or tabs, a mark at its beginning, a place
as 7.0. All that is read. What does not fit is said with its line.
"""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import DataError, check_choice, did_you_mean
from chainrule.strategy.error_analysis import SAMPLES, Mistake, Mistakes, gathered, off
from chainrule.strategy.judged import default_part, judge
from chainrule.strategy.tags import Tagged, tagged
from chainrule.train.prepare import Data
from chainrule.train.run import Run

PLACES = ("line", "row", "file", "place")

MADE = "the file that `chainrule errors RUN -o mistakes.csv` wrote, with tags in its column"


class TagFile(NamedTuple):
    """What came back: of each row its line, its place in the source and its tags."""

    name: str
    part: str
    sample: str
    lines: tuple[int, ...]
    places: tuple[str, ...]
    tags: tuple[tuple[str, ...], ...]


def tags_of(run: Run, data: Data, path: str | Path, part: str | None = None) -> Tagged:
    """What the tags in the file say of the run's mistakes; `part`, where the file does not say."""
    file = read_tags(path)
    part = file.part or part or default_part(data)
    check_choice(f"{file.name}, column 'part'", part, data.parts)
    judged, source = judge(run, data, part), data.sources[part]
    at = {str(place): i for i, place in enumerate(source.where.tolist())}
    seen: dict[int, int] = {}
    for line, place in zip(file.lines, file.places, strict=True):
        index = at.get(place, -1)
        where, kind = f"{file.name}, line {line}", source.place_name
        if index < 0 or not judged.error[index]:
            what = "which it gets right" if index >= 0 else f"which is not in the {part} part"
            raise DataError(where, "a mistake of this run", f"{kind} {place}, {what}", MADE)
        if index in seen:
            got = f"{kind} {place}, as in line {seen[index]}"
            raise DataError(where, "each mistake once", got, "one row with the tags of both")
        seen[index] = line
    chosen = np.array([*seen])
    return tagged(gathered(judged, source, part, chosen, file.sample), file.tags)


def as_csv(mistakes: Mistakes) -> str:
    """A header and a line for each mistake; tags, separated by ; or , go into their column."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    sure = "sure" if mistakes.task == "classification" else "off by"
    head = [mistakes.place_name, "tags", "true", "predicted", sure, "cost", "part", "sample"]
    names = list(mistakes.listed[0].row) if mistakes.listed else []
    table.writerow([*head, *(f"column {n}" if n in head else n for n in names)])
    for one in mistakes.listed:
        table.writerow([*_cells(one), mistakes.part, mistakes.sample, *one.row.values()])
    return text.getvalue()


def _cells(one: Mistake) -> list[Any]:
    sure = off(one) if one.sure is None else f"{one.sure:.6f}"
    return [one.place, "", one.true, one.predicted, sure, f"{one.cost:.6f}"]


def read_tags(path: str | Path) -> TagFile:
    """The file, as it came back from a spreadsheet."""
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
            where, expected = f"{path.name}, line {line}", f"{len(header)} cells, as in the header"
            hint = "quotes around a cell that holds what separates the cells"
            raise DataError(where, expected, str(len(cells)), hint)
    lines = tuple(line for line, _ in body)
    found = tuple(split_tags(cells[tags]) for _, cells in body)
    if not any(found):
        hint = "a word or two in that column for what made each example hard, such as blurry; dark"
        raise DataError(f"{path.name}, column 'tags'", "at least one tag", "none", hint)
    at = tuple(re.sub(r"\.0+$", "", cells[places].strip()) for _, cells in body)
    part = _common(path, body, header, "part")
    sample = _common(path, body, header, "sample") or "worst"
    if sample not in SAMPLES:
        raise DataError(f"{path.name}, column 'sample'", "worst or random", repr(sample), MADE)
    return TagFile(path.name, part, sample, lines, at, found)


def split_tags(cell: str) -> tuple[str, ...]:
    """Each tag of a cell once.

    >>> split_tags("blurry; dark,blurry ;")
    ('blurry', 'dark')
    """
    return tuple(dict.fromkeys(tag for tag in map(str.strip, re.split("[;,]", cell)) if tag))


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The line each row begins on, and its cells; empty lines are left out."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        hint = MADE if path.parent.is_dir() else "another folder"
        raise DataError(str(path), "a file", error.strerror or str(error), hint) from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        hint = 'saving it again as UTF-8 (in a spreadsheet: "CSV UTF-8")'
        raise DataError(f"{path.name}, line {line}", "text in UTF-8", "other bytes", hint) from None
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    rows, line = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path.name}, line {line}", "a row", str(error), MADE) from None
    return rows


def _column(path: Path, line: int, header: Sequence[str], name: str) -> int:
    if name in header:
        return header.index(name)
    got = f"the columns {', '.join(header[:8])}"
    hint = did_you_mean(name, header)
    raise DataError(f"{path.name}, line {line}", f"a column {name!r}", got, hint)


def _common(path: Path, body: Sequence, header: Sequence[str], name: str) -> str:
    """The one word of a column, or nothing where there is no such column."""
    if name not in header:
        return ""
    column = header.index(name)
    first = body[0][1][column].strip()
    for line, cells in body:
        if cells[column].strip() != first:
            where, got = f"{path.name}, line {line}, column {name!r}", repr(cells[column])
            raise DataError(where, f"{first}, as above", got, "one file for each part and sample")
    return first
