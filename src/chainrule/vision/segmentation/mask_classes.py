"""Define the classes of segmentation masks, by pixel value or by colour.

Notes: "Semantic segmentation" (course 4, week 3).

    road                    a file with one name per line: they are the values 0, 1, …
    cat 255                 or a name and its value
    sky 70 130 180          or a name and its colour: red, green, blue

In a .csv file the fields are separated by commas, and a header line is skipped. One class may be
ignored: its pixels count neither in training nor in scores. Without a list, the classes are the
values 0, 1, … that occur in the masks, and 255 is ignored.

Binary masks show the background in black (0) and the foreground in white (1, 255 or 65,535). Values
between them, as antialiased borders have, belong to the nearer of the two.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import DataError, OptionError, check_choice
from chainrule.formatting import count_of
from chainrule.host.reading import lines_of, read_text

IGNORED = 255
"""The value of ignored pixels in masks prepared for training."""

MOST = 255
"""Maximum number of classes: masks are bytes, and 255 marks ignored pixels."""

HEADS = ("name", "class", "label")
Mark = tuple[int, ...]
"""How a class is marked in a mask: (value,), or (red, green, blue)."""
Palette = tuple[tuple[int, Mark], ...]


@dataclass(frozen=True)
class MaskClasses:
    """The names of the classes 0, 1, … of a network, and their marks (values or colours) in masks.

    ignored    the mark of ignored pixels, or None
    listed     where the classes are listed, for messages
    binary     whether masks are black and white
    palette    the colour of each index, if the masks of the training set have palettes
    left_out   the name of the ignored class, if it has one
    """

    names: tuple[str, ...]
    marks: tuple[Mark, ...]
    ignored: Mark | None = None
    listed: str = field(default="", compare=False, repr=False)
    binary: bool = field(default=False, repr=False)
    palette: Palette = field(default=(), compare=False, repr=False)
    left_out: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def coloured(self) -> bool:
        """Return whether masks mark classes by colours."""
        return len(self.marks[0]) == 3

    def numbers(self, where: str, pixels: np.ndarray) -> np.ndarray:
        """Return the class of each pixel of a mask, in bytes; ignored pixels get 255.

        pixels  values (…), or colours (…, 3); one that is not listed raises DataError

        >>> classes = MaskClasses(("cat", "dog"), ((10,), (20,)), ignored=(0,))
        >>> classes.numbers("a.png", np.array([[0, 20], [10, 10]])).tolist()
        [[255, 1], [0, 0]]
        """
        if self.binary:
            return binary_numbers(where, pixels)[0]
        marks = [*self.marks, *([] if self.ignored is None else [self.ignored])]
        known = codes(np.array(marks)) if self.coloured else np.array(marks)[:, 0]
        order = np.argsort(known)
        found = codes(pixels) if self.coloured else pixels
        at = order[np.searchsorted(known[order], found).clip(max=len(known) - 1)]
        if (wrong := known[at] != found).any():
            raise self._unlisted(where, pixels, found, wrong)
        return np.where(at < len(self), at, IGNORED).astype(np.uint8)

    def mask_values(self, numbers: np.ndarray) -> np.ndarray:
        """Return the mask value of each class number; with colours, the number itself.

        >>> MaskClasses(("cat", "dog"), ((10,), (20,))).mask_values(np.array([[1, 0]])).tolist()
        [[20, 10]]
        """
        values = range(len(self)) if self.coloured else [value for (value,) in self.marks]
        return np.array(values, np.uint8)[numbers]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-compatible data."""
        plain = {"names": self.names, "marks": self.marks, "ignored": self.ignored}
        return {**plain, "binary": self.binary, "palette": self.palette, "left_out": self.left_out}

    @classmethod
    def from_dict(cls, saved: dict[str, Any], listed: str) -> "MaskClasses":
        """Restore the classes from the result of `to_dict`."""
        marks = tuple(tuple(mark) for mark in saved["marks"])
        ignored = None if saved["ignored"] is None else tuple(saved["ignored"])
        palette = tuple((index, tuple(colour)) for index, colour in saved.get("palette", ()))
        binary = saved.get("binary", False)
        left_out = tuple(saved.get("left_out", ()))
        return cls(tuple(saved["names"]), marks, ignored, listed, binary, palette, left_out)

    def _unlisted(
        self, where: str, pixels: np.ndarray, found: np.ndarray, wrong: np.ndarray
    ) -> DataError:
        """Return the error for pixels whose value or colour is not listed; `found` are codes."""
        at = np.argwhere(wrong)[0]
        mark = tuple(np.atleast_1d(pixels[tuple(at)]).tolist())
        count, place = int(wrong.sum()), f"row {at[-2]}, column {at[-1]}"
        place = f"mask {at[0]}, {place}" if len(at) == 3 else place
        got = f"{_describe(mark)} in {count:,} pixels, the first in {place}"
        got = got if count > 1 else f"{_describe(mark)} in {place}"
        kind = "colours" if self.coloured else "values"
        expected = f"one of the {len(self)} {kind} of {self.listed}"
        listing = "adding a line for it" if _is_file(self.listed) else "a file for --classes"
        hint = listing if self.coloured else f"{listing}, or --ignored {mark[0]}"
        if looks_smoothed(found, wrong):
            got += f"; {SMOOTHED}"
            hint = UNSMOOTHED
        raise DataError(where, expected, got, hint)


def read_classes(path: str | os.PathLike, ignored: str | None = None) -> MaskClasses:
    """Read the classes listed in a file; `ignored` is the name or the value of the ignored one."""
    path = Path(path)
    listed = [_parse_line(f"{path}, line {i}", line) for i, line in _lines(path)]
    if not listed:
        hint = "one name per line, or a name and its colour: sky 70 130 180"
        raise DataError(str(path), "a list of the mask classes", "an empty file", hint)
    rows, names, marks = zip(*listed, strict=True)
    if not any(marks):
        marks = tuple((i,) for i in range(len(names)))
    _check_lines(rows, names, marks)
    return listed_classes(names, marks, ignored, str(path))


def listed_classes(
    names: Sequence[str], marks: Sequence[Mark], ignored: str | None, listed: str
) -> MaskClasses:
    """Return the listed classes without the ignored one, given by its name or value."""
    mark = _ignored(names, marks, ignored)
    counted = [(name, own) for name, own in zip(names, marks, strict=True) if own != mark]
    if not 2 <= len(counted) <= MOST:
        got = f"{len(counted)}" if mark is None else f"{len(counted)} besides the ignored one"
        hint = "a complete list" if len(counted) < 2 else f"a list of at most {MOST} classes"
        raise DataError(listed, f"2 to {MOST} classes", got, hint)
    left_out = tuple(name for name, own in zip(names, marks, strict=True) if own == mark)
    names, marks = zip(*counted, strict=True)
    return MaskClasses(tuple(names), tuple(marks), mark, listed, left_out=left_out)


def found_classes(
    where: str, values: Iterable[int] | Mapping[int, int], ignored: str | None = None
) -> MaskClasses:
    """Infer the classes of masks without a list from all values that occur.

    `values` may map each value to the number of its pixels, which makes messages more precise.

    >>> found_classes("masks", [0, 1, 2, 255]).names
    ('0', '1', '2')
    """
    if ignored is not None and not ignored.isdecimal():
        hint = "--classes FILE, which lists the names, or a value: --ignored 0"
        raise OptionError("--ignored", "a value, since no names are listed", repr(ignored), hint)
    mark = (IGNORED if ignored is None else _value(ignored),)
    present = sorted(set(values) - set(mark))
    first = 1 if mark == (0,) else 0
    wanted = [value for value in range(first, first + len(present) + 1) if value not in mark]
    if isinstance(values, Mapping) and ignored is None:
        _check_not_binary(where, values)
    if not 2 <= len(present) <= MOST or present != wanted[: len(present)]:
        shown = ", ".join(map(str, present[:6])) + (" …" if len(present) > 6 else "")
        got = f"{shown or 'no values'} (and {mark[0]}, which is ignored)"
        hint = f"--classes FILE, with a line per class, such as cat {present[-1] if present else 1}"
        raise DataError(where, "masks with values 0, 1, … without a gap", got, hint)
    marks = tuple((value,) for value in present)
    return MaskClasses(tuple(map(str, present)), marks, mark, f"the masks in {where}")


BLACK_AND_WHITE = 0.8
"""Masks of which at least this share of the pixels is 0 or 255 look binary."""


def _check_not_binary(where: str, counts: Mapping[int, int]) -> None:
    """Refuse masks that look black and white, with or without smoothed borders."""
    extremes = counts.get(0, 0) + counts.get(IGNORED, 0)
    others = {value for value in counts if value not in (0, IGNORED)}
    if not (counts.get(0) and counts.get(IGNORED)):
        return
    if not others:
        hint = "--binary, which reads 0 as background and 255 as foreground"
        got = "the values 0 and 255 only, where 255 marks ignored pixels"
        raise DataError(where, "masks with values 0, 1, … without a gap", got, hint)
    share = 1 - extremes / sum(counts.values())
    if len(others) < KINDS or max(others) - min(others) < IGNORED // 2:
        return
    if share <= 1 - BLACK_AND_WHITE:
        values = count_of(len(others), "value")
        got = f"{values} between 0 and 255 in {share:.1%} of the pixels; {SMOOTHED}"
        hint = f"--binary, which reads values of 128 and more as foreground; or {UNSMOOTHED}"
        raise DataError(where, "masks with values 0, 1, … without a gap", got, hint)


SMOOTHED = "such values at borders come from antialiasing, smooth resizing or lossy compression"
UNSMOOTHED = "drawing masks without antialiasing, and resizing them by nearest neighbour"
KINDS, NEARLY_ALL, MOST_WRONG = 3, 0.8, 0.3
"""Borders look smoothed if at least KINDS different values are not listed, if their pixels are at
most the share MOST_WRONG of all, and if NEARLY_ALL of them are next to pixels with listed values.
"""


def looks_smoothed(values: np.ndarray, wrong: np.ndarray) -> bool:
    """Return whether the pixels marked in `wrong` (…, n_H, n_W) look like smoothed borders."""
    if len(np.unique(values[wrong])) < KINDS or wrong.mean() > MOST_WRONG:
        return False
    right = np.pad(~wrong, [(0, 0)] * (wrong.ndim - 2) + [(1, 1)] * 2)
    shifts = [(i, j) for i in range(3) for j in range(3)]
    n_H, n_W = wrong.shape[-2:]
    beside = np.any([right[..., i : i + n_H, j : j + n_W] for i, j in shifts], axis=0)
    return bool(beside[wrong].mean() >= NEARLY_ALL)


BINARY = MaskClasses(("background", "foreground"), ((0,), (255,)), None, "--binary", True)
"""The classes of masks that are black and white."""


def binary_numbers(
    where: str, pixels: np.ndarray, palette: Mapping[int, Mark] | None = None
) -> tuple[np.ndarray, int]:
    """Return 0 for black and 1 for white pixels, and how many were neither.

    >>> binary_numbers("a.png", np.array([[0, 90, 200, 255]]))
    (array([[0, 0, 1, 1]], dtype=uint8), 2)
    >>> binary_numbers("a.png", np.array([[0, 1]]))
    (array([[0, 1]], dtype=uint8), 0)
    """
    if palette:
        pixels = _greys(where, palette)[pixels]
    most = int(pixels.max(initial=0))
    white = next((white for white in (1, 255, 65_535) if most <= white), most)
    if int(pixels.min(initial=0)) < 0 or most > white or (white > 1 and 2 * most <= white):
        got = f"values from {int(pixels.min())} to {most}"
        expected = "black and white pixels: 0, and 1 or 255"
        raise DataError(where, expected, got, "--classes FILE instead of --binary")
    between = int(((pixels != 0) & (pixels != white)).sum())
    return (2 * pixels.astype(np.int64) > white).astype(np.uint8), between


def _greys(where: str, palette: Mapping[int, Mark]) -> np.ndarray:
    """Return the grey value of each palette index."""
    greys = np.zeros(256, np.uint8)
    for index, colour in palette.items():
        if len(set(colour)) > 1:
            got = f"the colour {' '.join(map(str, colour))}"
            hint = "--classes FILE, with the name and the colour of each class"
            raise DataError(where, "black and white pixels", got, hint)
        greys[index] = colour[0]
    return greys


def codes(colours: np.ndarray) -> np.ndarray:
    """Return an integer for each colour (…, 3).

    >>> codes(np.array([[0, 0, 1], [1, 0, 0]])).tolist()
    [1, 65536]
    """
    return np.asarray(colours, np.int64) @ np.array([1 << 16, 1 << 8, 1])


def _ignored(names: Sequence[str], marks: Sequence[Mark], ignored: str | None) -> Mark | None:
    """Return the mark of the ignored class."""
    if ignored is None:
        return None
    if ignored.isdecimal() and ignored not in names and len(marks[0]) == 1:
        return (_value(ignored),)
    check_choice("--ignored", ignored, names)
    return marks[list(names).index(ignored)]


def _value(digits: str) -> int:
    """Return a number; one of many digits, which no pixel has, is not read in full."""
    return int(digits.lstrip("0")[:10] or 0)


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Return the number and the words of each non-empty line, without a header."""
    found = []
    for i, line in enumerate(lines_of(read_text(path)), 1):
        words = line.split(",") if "," in line else line.split()
        words = [word.strip() for word in words if word.strip()]
        if words and (found or not _is_header(words, path.suffix.lower() == ".csv")):
            found.append((i, words))
    return found


def _is_header(words: list[str], table: bool) -> bool:
    """Return whether this is a header line: "name r g b", or in a CSV file also "name"."""
    return words[0].lower() in HEADS and (table or words[1:] == ["r", "g", "b"])


def _parse_line(where: str, words: list[str]) -> tuple[str, str, Mark]:
    """Parse a line into its place, the name, and the mark written after it, if any."""
    last = len(words)
    while last > 0 and words[last - 1].isdecimal():
        last -= 1
    name, mark = " ".join(words[:last]), tuple(_value(word) for word in words[last:])
    name_last = all(word.isdecimal() for word in words[:3]) and last > 3
    if not name or name_last or len(mark) not in (0, 1, 3) or max(mark, default=0) > 255:
        reordered = sorted(words, key=str.isdecimal)  # the name first
        hint = " ".join(reordered) if reordered != words else "sky 70 130 180"
        expected = "a name, or a name and its value or colour, with numbers from 0 to 255"
        raise DataError(where, expected, " ".join(words), hint)
    return where, name, mark


def _check_lines(rows: Sequence[str], names: Sequence[str], marks: Sequence[Mark]) -> None:
    """Refuse lines that differ in form from the first, and duplicate names, values or colours."""
    seen: dict[str, dict[Any, str]] = {"name": {}, "value": {}, "colour": {}}
    forms = {0: "only a name", 1: "a name and a value", 3: "a name and a colour"}
    for i, where in enumerate(rows):
        if len(marks[i]) != len(marks[0]):
            expected = f"{forms[len(marks[0])]}, as in the first line"
            hint = "writing every line with the same fields as the first one"
            raise DataError(where, expected, forms[len(marks[i])], hint)
        what = "colour" if len(marks[i]) == 3 else "value"
        fields: list[tuple[str, Any, str]] = [("name", names[i], names[i])]
        fields += [(what, marks[i], _describe(marks[i]))] if marks[i] else []
        for kind, value, own in fields:
            first = seen[kind].setdefault(value, where)
            if first != where:
                got = f"{own}, as in {first.rpartition(', ')[2]}"
                hint = "removing one of the two lines"
                raise DataError(where, f"a {kind} that is not used above", got, hint)


def _describe(mark: Mark) -> str:
    """Describe a mark for messages."""
    return f"the colour {' '.join(map(str, mark))}" if len(mark) == 3 else f"the value {mark[0]}"


def _is_file(listed: str) -> bool:
    """Return whether the list of classes is a file."""
    return Path(listed).suffix.lower() in (".txt", ".csv")
