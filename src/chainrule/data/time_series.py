"""Read sequences of numbers in the format .ts of the UCR and UEA archives of time series.

    # two sensors of a glove
    @problemName Gestures
    @timeStamps false
    @dimensions 2
    @equalLength false
    @classLabel true up down
    @data
    0.1,0.2,0.3:1.5,1.4,1.3:up
    0.4,?:1.2,1.1:down

Each line below @data is one example: its dimensions, which are separated by colons, and its label.
A dimension has one number for each step, and all dimensions of an example have as many steps. Two
examples may differ in their number of steps. A value that is unknown is written ? or NaN. The label
is one of the classes that @classLabel lists, or a number with `@targetLabel true`. Lines that begin
with # or % are comments. What `@problemName` and `@missing` say is not needed, and the case of the
names does not matter.

The archives store a training and a test set: Gestures_TRAIN.ts is read together with
Gestures_TEST.ts beside it. Times in the data (`@timeStamps true`) are not supported.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.data.files import PARTS, choose_part, digest_of, read_text_bytes
from chainrule.data.sequences import Sequences
from chainrule.errors import DataError, did_you_mean
from chainrule.formatting import count_of, shortened
from chainrule.host.machine import check_memory

SUFFIX = ".ts"
COMMENTS = (b"#", b"%")
NUMBERS = b"0123456789+-.eE,:?nNaA \t"
"""The bytes of numbers, of missing values and of the signs between them."""
LARGEST = float(np.finfo(np.float32).max)
WHILE_PARSING = 100
"""The bytes that each number of a line takes up while the line is parsed."""
CUT_SHORT = "copying or downloading the file again, if it was cut short"


def read_time_series(path: Path, *, part: str = "train", labelled: bool = True) -> Dataset:
    """Read a .ts file; a training set comes with the other sets of the same name beside it.

    Raises DataError with the line of the first fault.
    """
    files = _sets(path) if labelled else {"train": path}
    chosen = choose_part(str(path), files, part, labelled=labelled)
    dataset = _read(files[chosen], labelled)
    if chosen != "train":
        return dataset
    parts = {name: _read(file, labelled) for name, file in files.items() if name != chosen}
    for other in parts.values():
        _check_same_dimensions(dataset, other)
    return replace(dataset, parts=parts)


def _sets(path: Path) -> dict[str, Path]:
    """Return the file of each set: of NAME_TRAIN.ts also those of NAME_TEST.ts and the like."""
    own = _set_of(path)
    if own is None or own[1] != "train":
        return {"train": path}
    files = {"train": path}
    for file in sorted(path.parent.glob("*")):
        found = _set_of(file)
        if found is None or found[0] != own[0] or found[1] == "train" or not file.is_file():
            continue
        name = found[1]
        if name in files:
            both = f"{files[name].name} and {file.name}"
            raise DataError(str(path.parent), f"one {name} set", both, "keeping one of them")
        files[name] = file
    return files


def _set_of(path: Path) -> tuple[str, str] | None:
    """Return the name of a data set and the split that a file holds, from the file's name."""
    name, underscore, split = path.stem.rpartition("_")
    part = PARTS.get(split.lower())
    if path.suffix.lower() != SUFFIX or not underscore or part is None:
        return None
    return name, part


def _check_same_dimensions(one: Dataset, other: Dataset) -> None:
    """Refuse two sets whose steps differ in the number of dimensions."""
    n, n_other = one.X.shape[2], other.X.shape[2]
    if n != n_other:
        expected = f"{count_of(n, 'dimension')}, as in {one.name}"
        raise DataError(other.name, expected, str(n_other), "preparing both sets in the same way")


def _read(path: Path, labelled: bool) -> Dataset:
    """Read one file."""
    content = read_text_bytes(path).removeprefix(b"\xef\xbb\xbf")
    lines = content.splitlines()
    if b"\0" in content:
        line = next(at for at, line in enumerate(lines, start=1) if b"\0" in line)
        hint = "saving it as UTF-8, or copying the file again"
        raise DataError(f"{path.name}, line {line}", "text in UTF-8", "a zero byte", hint)
    header = _read_header(path.name, lines)
    if labelled and header.label is None:
        hint = "adding the label to each line, or a file with labels"
        expected = "labels: a line @classLabel true with the classes, or @targetLabel true"
        raise DataError(path.name, expected, "neither of them", hint)
    cases = _find_cases(path.name, lines, header)
    lengths = np.array([case.length for case in cases], np.int32)
    m, T, n_x = len(cases), int(lengths.max()), cases[0].dimensions
    needed = 8 * m * T * n_x + WHILE_PARSING * int(lengths.max()) * n_x
    check_memory(
        path.name, needed, "shorter sequences: all are padded to the length of the longest"
    )
    values = np.zeros((m, T, n_x))
    for i, case in enumerate(cases):
        values[i, : case.length] = _numbers_of(path.name, case)
    y = _labels(path.name, cases, header) if labelled else None
    X = Sequences(values, lengths)
    places = np.array([f"line {case.at + 1}" for case in cases], object)
    facts = {"classes": header.classes, "places": places, "digest": digest_of([path])}
    return Dataset(path.name, X, y, **facts)


# The header


class Header(NamedTuple):
    """What the lines above @data say.

    label       "classes", "number", or None if the lines have no labels
    dimensions  the number of dimensions, or None if the header does not say it
    source      the name of the line that says it, or ""
    length      the number of steps of all examples, or None if it does not say it
    is_equal    whether all examples have the same number of steps
    first       the index of the first line below @data
    """

    label: str | None
    classes: tuple[str, ...] | None
    dimensions: int | None
    source: str
    length: int | None
    is_equal: bool
    first: int


class Entry(NamedTuple):
    """A line of the header: its number, its name as it is written, and what follows the name."""

    line: int
    name: str
    value: str

    def error(self, file: str, expected: str, hint: str) -> DataError:
        """Return the error for the value."""
        got = repr(shortened(self.value, 60)) if self.value else "nothing"
        return DataError(f"{file}, line {self.line}", f"{self.name} {expected}", got, hint)


KNOWN = (
    *("problemname", "timestamps", "missing", "univariate", "dimensions", "dimension"),
    *("equallength", "serieslength", "classlabel", "targetlabel"),
)
"""The names of lines of the header, in lower case; others are ignored."""


def _read_header(file: str, lines: Sequence[bytes]) -> Header:
    """Read the lines up to @data."""
    entries: dict[str, Entry] = {}
    for at, line in enumerate(lines):
        if _is_blank(line):
            continue
        entry = _entry(file, at + 1, line)
        name = entry.name[1:].lower()
        if name == "data":
            if entry.value:
                raise entry.error(file, "alone in its line", "a new line below @data")
            return _header_of(file, entries, at + 1)
        if name in KNOWN:
            name = "dimensions" if name == "dimension" else name
            if name in entries:
                got = f"a second one; the first is in line {entries[name].line}"
                where = f"{file}, line {entry.line}"
                raise DataError(where, f"one line {entry.name}", got, "removing one of them")
            entries[name] = entry
    raise DataError(file, "a line @data, and the examples below it", "none", CUT_SHORT)


def _is_blank(line: bytes) -> bool:
    """Return whether a line is a comment, or has nothing but blanks."""
    start = line.lstrip()[:1]
    return not start or start in COMMENTS


def _entry(file: str, number: int, line: bytes) -> Entry:
    """Return a line of the header."""
    text = _text(file, number, line).strip()
    words = text.split(None, 1)
    if not text.startswith("@"):
        expected = "a line that begins with @, down to the line @data"
        got = repr(shortened(text, 60))
        hint = "# in front of a comment, and a line @data above the examples"
        raise DataError(f"{file}, line {number}", expected, got, hint)
    return Entry(number, words[0], words[1].strip() if len(words) > 1 else "")


def _text(file: str, number: int, line: bytes) -> str:
    """Return a line as text."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        got = f"the byte 0x{line[error.start]:02x}"
        raise DataError(
            f"{file}, line {number}", "text in UTF-8", got, "saving it as UTF-8"
        ) from None


def _header_of(file: str, entries: Mapping[str, Entry], first: int) -> Header:
    """Return what the lines of the header say, and refuse what contradicts itself."""
    if _is_true(file, entries, "timestamps"):
        raise _timestamps(f"{file}, line {entries['timestamps'].line}", "@timeStamps true")
    classes = _classes(file, entries.get("classlabel"))
    is_number = _is_true(file, entries, "targetlabel")
    if classes and is_number:
        where, got = f"{file}, line {entries['targetlabel'].line}", "both of them"
        hint = "@targetLabel false for classes, or @classLabel false for numbers"
        raise DataError(where, "either @classLabel true or @targetLabel true", got, hint)
    label = "classes" if classes else "number" if is_number else None
    dimensions = _count(file, entries.get("dimensions"))
    source = "" if dimensions is None else "@dimensions"
    if _is_true(file, entries, "univariate"):
        if dimensions not in (None, 1):
            hint = "@univariate false"
            raise entries["dimensions"].error(file, "1, since @univariate is true", hint)
        dimensions, source = 1, "@univariate"
    is_equal = _is_true(file, entries, "equallength")
    length = _count(file, entries.get("serieslength")) if is_equal else None
    return Header(label, classes, dimensions, source, length, is_equal, first)


def _is_true(file: str, entries: Mapping[str, Entry], name: str) -> bool:
    """Return whether a line of the header says true; without the line, it is false."""
    entry = entries.get(name)
    if entry is None:
        return False
    value = entry.value.lower()
    if value not in ("true", "false"):
        raise entry.error(file, "true or false", f"{entry.name} false")
    return value == "true"


def _count(file: str, entry: Entry | None) -> int | None:
    """Return the whole number in a line of the header, if there is such a line."""
    if entry is None:
        return None
    digits = entry.value.isascii() and entry.value.isdigit() and len(entry.value) < 10
    if not digits or int(entry.value) < 1:
        raise entry.error(file, "a whole number of at least 1", f"{entry.name} 1")
    return int(entry.value)


def _classes(file: str, entry: Entry | None) -> tuple[str, ...] | None:
    """Return the classes that @classLabel lists, or None if the labels are not classes."""
    if entry is None:
        return None
    listed, *words = entry.value.split() or [""]
    if listed.lower() == "false":
        return None
    if listed.lower() != "true":
        raise entry.error(file, "true or false", f"{entry.name} true a b, with the classes a and b")
    if not words:
        hint = f"{entry.name} true a b, with the classes a and b"
        raise entry.error(file, "true and the classes", hint)
    twice = [name for name, count in Counter(words).items() if count > 1]
    if twice:
        where, got = f"{file}, line {entry.line}", f"{twice[0]!r} twice"
        raise DataError(where, "different classes", got, "listing each class once")
    return tuple(words)


# The examples


class Case(NamedTuple):
    """An example: the index of its line, its dimensions as they are written, and its label."""

    at: int
    body: bytes
    label: bytes
    dimensions: int
    length: int


def _find_cases(file: str, lines: Sequence[bytes], header: Header) -> list[Case]:
    """Return the examples below the header, whose numbers have not been parsed."""
    rows = [at for at in range(header.first, len(lines)) if not _is_blank(lines[at])]
    if not rows:
        raise DataError(file, "at least one example below @data", "none", CUT_SHORT)
    n, length = header.dimensions, header.length
    cases: list[Case] = []
    for at in rows:
        case = _case(file, at, lines[at], header)
        where = f"{file}, line {at + 1}"
        first = f"in line {rows[0] + 1}"
        if n is not None and case.dimensions != n:
            source = f"{header.source} says" if header.source else first
            last = CUT_SHORT if at == rows[-1] else "the same dimensions in every line"
            expected = f"{_dimensions(n, header)}, as {source}"
            raise DataError(where, expected, _dimensions(case.dimensions, header), last)
        if header.is_equal and length is not None and case.length != length:
            source = "@seriesLength says" if header.length else first
            expected = f"{count_of(length, 'step')}, as {source}, since @equalLength is true"
            hint = CUT_SHORT if at == rows[-1] else "@equalLength false"
            raise DataError(where, expected, str(case.length), hint)
        n, length = case.dimensions, case.length if length is None else length
        cases.append(case)
    return cases


def _dimensions(n: int, header: Header) -> str:
    """Return a number of dimensions with its noun, and the label if there is one."""
    return count_of(n, "dimension") + (" and a label" if header.label else "")


def _case(file: str, at: int, line: bytes, header: Header) -> Case:
    """Divide a line into its dimensions and its label."""
    where = f"{file}, line {at + 1}"
    if line.lstrip().startswith(b"("):
        raise _timestamps(where, "a number with its time in brackets")
    body, colon, label = line.rpartition(b":") if header.label else (line, b":", b"")
    if not colon:
        got = repr(shortened(line.strip().decode("utf-8", "replace"), 60))
        expected = "dimensions and a label, separated by colons"
        raise DataError(where, expected, got, CUT_SHORT)
    fields = body.split(b":")
    empty = next((d for d, field in enumerate(fields, start=1) if not field.strip()), None)
    if empty is not None:
        expected, got = "numbers in every dimension", f"none in dimension {empty}"
        raise DataError(where, expected, got, "removing the line, if the example has no values")
    lengths = [field.count(b",") + 1 for field in fields]
    for d, length in enumerate(lengths, start=1):
        if length != lengths[0]:
            expected = f"{count_of(lengths[0], 'step')} in each dimension, as in dimension 1"
            got = f"{length:,} in dimension {d}"
            raise DataError(where, expected, got, "? for values that are unknown")
    return Case(at, body, label.strip(), len(fields), lengths[0])


def _timestamps(where: str, got: str) -> DataError:
    """Return the error for data with times."""
    expected = "numbers without times (@timeStamps false)"
    hint = "leaving out the times: 0.1,0.2 in place of (…,0.1),(…,0.2)"
    return DataError(where, expected, got, hint)


def _numbers_of(file: str, case: Case) -> np.ndarray:
    """Return the numbers of an example, (T, n_x), NaN for missing values."""
    text = case.body.replace(b"?", b"nan")
    shape = (case.dimensions, case.length)
    try:
        if text.translate(None, NUMBERS):
            raise ValueError
        words = text.replace(b":", b",").split(b",")
        found = np.fromiter(map(float, words), np.float64, len(words))
    except ValueError:
        raise _not_a_number(f"{file}, line {case.at + 1}", case) from None
    beyond = np.abs(found) > LARGEST
    if beyond.any():
        d, t = np.unravel_index(int(np.argmax(beyond)), shape)
        got = f"{found[beyond][0]} in dimension {d + 1}, step {t + 1}"
        expected = "finite numbers within the range of float32"
        where, hint = f"{file}, line {case.at + 1}", "smaller units, or ? if the value is unknown"
        raise DataError(where, expected, got, hint)
    return found.reshape(shape).T


def _not_a_number(where: str, case: Case) -> DataError:
    """Return the error for the first text among the numbers of an example."""
    expected = "numbers, or ? for those that are unknown"
    for d, field in enumerate(case.body.split(b":"), start=1):
        for t, word in enumerate(field.split(b","), start=1):
            try:
                if word.translate(None, NUMBERS):
                    raise ValueError
                float(word.replace(b"?", b"nan"))
            except ValueError:
                text = word.strip().decode("utf-8", "replace")
                got = repr(shortened(text, 60)) if text else "nothing"
                hint = "a point as the decimal separator, and commas between the numbers"
                return DataError(where, expected, f"{got} in dimension {d}, step {t}", hint)
    return DataError(where, expected, "other text")


def _labels(file: str, cases: Sequence[Case], header: Header) -> np.ndarray:
    """Return the labels (m,), classes as text and others as numbers."""
    if header.classes is None:
        return np.array([_number_label(file, case) for case in cases])
    known = {name.encode(): name for name in header.classes}
    for case in cases:
        if case.label not in known:
            where = f"{file}, line {case.at + 1}"
            text = case.label.decode("utf-8", "replace")
            got = repr(shortened(text, 60)) if text else "nothing"
            hint = did_you_mean(text, header.classes)
            raise DataError(where, "one of the classes that @classLabel lists", got, hint)
    return np.array([known[case.label] for case in cases])


def _number_label(file: str, case: Case) -> float:
    """Return the label of an example as a number."""
    text = case.label.decode("utf-8", "replace")
    try:
        if case.label.translate(None, NUMBERS):
            raise ValueError
        value = float(text)
    except ValueError:
        value = np.nan
    if not abs(value) <= LARGEST:
        got = repr(shortened(text, 60)) if text else "nothing"
        expected = "a finite number as the label, since @targetLabel is true"
        hint = "removing the line, if the value is unknown"
        raise DataError(f"{file}, line {case.at + 1}", expected, got, hint)
    return value
