"""Write mistakes to a CSV file with an empty column for tags, and read the tagged file.

Spreadsheets save it in their own ways: with semicolons or tabs, with a byte order mark, with a row
number such as 7.0. All of these are accepted. An error message names the line that does not fit.
"""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import DataError, check_choice, did_you_mean
from chainrule.strategy.error_analysis import SAMPLES, Mistake, Mistakes, gather, off
from chainrule.strategy.judged import default_part, evaluate_examples
from chainrule.strategy.tags import TagReport, analyse_tags
from chainrule.train.prepare import Data
from chainrule.train.run import Run

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


def tags_of(run: Run, data: Data, path: str | Path, part: str | None = None) -> TagReport:
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
            where, expected = f"{path.name}, line {line}", f"{len(header)} cells, as in the header"
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
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        hint = MADE if path.parent.is_dir() else "another folder"
        raise DataError(str(path), "a file", error.strerror or str(error), hint) from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        hint = 'saving it again as UTF-8 (in a spreadsheet: "CSV UTF-8")'
        where, got = f"{path.name}, line {line}", "another encoding"
        raise DataError(where, "text in UTF-8", got, hint) from None
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    rows, line = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path.name}, line {line}", "a row of CSV", str(error), MADE) from None
    return rows


def _column(path: Path, line: int, header: Sequence[str], name: str) -> int:
    if name in header:
        return header.index(name)
    got = f"the columns {', '.join(header[:8])}"
    hint = did_you_mean(name, header)
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
