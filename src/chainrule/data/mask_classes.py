"""What the pixels of a mask may be: classes by their values, or by their colours.

Notes: "Semantic segmentation" (course 4, week 3).

    road                    a file with a name on each line: they are the values 0, 1, …
    cat 255                 or a name and its value
    sky 70 130 180          or a name and its colour: red, green, blue

In a .csv there are commas between; a first line of heads is passed over. One class may be ignored:
its pixels count for nothing. Where nothing is listed the values are 0, 1, … up to the last in a
mask, and 255 is ignored.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import DataError, OptionError, check_choice

IGNORED = 255
"""In masks as training takes them, a pixel that is of no class."""

MOST = 255
"""Classes: masks are bytes, and 255 is taken."""

HEADS = ("name", "class", "label")
Mark = tuple[int, ...]
"""What stands in a mask: (value,), or (red, green, blue)."""


@dataclass(frozen=True)
class MaskClasses:
    """The classes 0, 1, … of a network: the name of each, and its mark in a mask.

    ignored    the mark of pixels that are of no class, or None
    listed     where they are listed, for messages
    """

    names: tuple[str, ...]
    marks: tuple[Mark, ...]
    ignored: Mark | None = None
    listed: str = field(default="", compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def coloured(self) -> bool:
        """Whether masks are told by their colours."""
        return len(self.marks[0]) == 3

    def numbers(self, where: str, pixels: np.ndarray) -> np.ndarray:
        """The class of each pixel of a mask, bytes; 255 of those ignored.

        pixels (…) are values, or (…, 3) colours. Refused is what is not listed.

        >>> classes = MaskClasses(("cat", "dog"), ((10,), (20,)), ignored=(0,))
        >>> classes.numbers("a.png", np.array([[0, 20], [10, 10]])).tolist()
        [[255, 1], [0, 0]]
        """
        marks = [*self.marks, *([] if self.ignored is None else [self.ignored])]
        known = codes(np.array(marks)) if self.coloured else np.array(marks)[:, 0]
        order = np.argsort(known)
        found = codes(pixels) if self.coloured else pixels
        at = order[np.searchsorted(known[order], found).clip(max=len(known) - 1)]
        if (wrong := known[at] != found).any():
            raise self._unlisted(where, pixels, wrong)
        return np.where(at < len(self), at, IGNORED).astype(np.uint8)

    def written(self, numbers: np.ndarray) -> np.ndarray:
        """What a mask of bytes has for each class: its value, or where it has a colour its number.

        >>> MaskClasses(("cat", "dog"), ((10,), (20,))).written(np.array([[1, 0]])).tolist()
        [[20, 10]]
        """
        values = range(len(self)) if self.coloured else [value for (value,) in self.marks]
        return np.array(values, np.uint8)[numbers]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"names": self.names, "marks": self.marks, "ignored": self.ignored}

    @classmethod
    def from_dict(cls, saved: dict[str, Any], listed: str) -> "MaskClasses":
        """What `to_dict` wrote."""
        marks = tuple(tuple(mark) for mark in saved["marks"])
        ignored = None if saved["ignored"] is None else tuple(saved["ignored"])
        return cls(tuple(saved["names"]), marks, ignored, listed)

    def _unlisted(self, where: str, pixels: np.ndarray, wrong: np.ndarray) -> DataError:
        at = np.argwhere(wrong)[0]
        mark = tuple(np.atleast_1d(pixels[tuple(at)]).tolist())
        count, place = int(wrong.sum()), f"row {at[-2]}, column {at[-1]}"
        place = f"mask {at[0]}, {place}" if len(at) == 3 else place
        there = f"{_said(mark)} in {count:,} pixels, the first in {place}"
        there = there if count > 1 else f"{_said(mark)} in {place}"
        kind = "colours" if self.coloured else "values"
        expected = f"one of the {len(self)} {kind} of {self.listed}"
        again = "a line for it there" if _is_file(self.listed) else "a file for --classes"
        hint = again if self.coloured else f"{again}, or --ignored {mark[0]}"
        raise DataError(where, expected, there, hint)


def read_classes(path: str | os.PathLike, ignored: str | None = None) -> MaskClasses:
    """The classes that a file lists; `ignored` is the name or the value of one that is none."""
    path = Path(path)
    listed = [_line(f"{path}, line {i}", line) for i, line in _lines(path)]
    if not listed:
        hint = "a name on each line, or a name and its colour: sky 70 130 180"
        raise DataError(str(path), "the classes of the masks", "no line", hint)
    rows, names, marks = zip(*listed, strict=True)
    if not any(marks):
        marks = tuple((i,) for i in range(len(names)))
    _check_alike(path, rows, names, marks)
    return listed_classes(names, marks, ignored, str(path))


def listed_classes(
    names: Sequence[str], marks: Sequence[Mark], ignored: str | None, listed: str
) -> MaskClasses:
    """Those listed, but the one that is ignored, by its name or its value."""
    mark = _ignored(names, marks, ignored)
    counted = [(name, own) for name, own in zip(names, marks, strict=True) if own != mark]
    if not 2 <= len(counted) <= MOST:
        got = f"{len(counted)}" if mark is None else f"{len(counted)} beside the one ignored"
        raise DataError(listed, f"2 to {MOST} classes", got, "another list")
    names, marks = zip(*counted, strict=True)
    return MaskClasses(tuple(names), tuple(marks), mark, listed)


def found_classes(where: str, values: Iterable[int], ignored: str | None = None) -> MaskClasses:
    """The classes of masks without a list, from all the values in them.

    >>> found_classes("masks", [0, 1, 2, 255]).names
    ('0', '1', '2')
    """
    if ignored is not None and not ignored.isdigit():
        hint = "--classes FILE beside it, or the value: --ignored 0"
        raise OptionError("--ignored", "a value, where no names are listed", repr(ignored), hint)
    mark = (IGNORED if ignored is None else int(ignored),)
    there = sorted(set(values) - set(mark))
    first = 1 if mark == (0,) else 0
    wanted = [value for value in range(first, first + len(there) + 1) if value not in mark]
    if not 2 <= len(there) <= MOST or there != wanted[: len(there)]:
        shown = ", ".join(map(str, there[:6])) + (" …" if len(there) > 6 else "")
        got = f"{shown or 'nothing'} (and {mark[0]}, which is ignored)"
        hint = f"--classes FILE, a line for each, such as cat {there[-1] if there else 1}"
        raise DataError(where, "masks of the values 0, 1, …, each in some mask", got, hint)
    marks = tuple((value,) for value in there)
    return MaskClasses(tuple(map(str, there)), marks, mark, f"the masks in {where}")


def codes(colours: np.ndarray) -> np.ndarray:
    """A number for each colour (…, 3).

    >>> codes(np.array([[0, 0, 1], [1, 0, 0]])).tolist()
    [1, 65536]
    """
    return np.asarray(colours, np.int64) @ np.array([1 << 16, 1 << 8, 1])


def _ignored(names: Sequence[str], marks: Sequence[Mark], ignored: str | None) -> Mark | None:
    if ignored is None:
        return None
    if ignored.isdigit() and ignored not in names and len(marks[0]) == 1:
        return (int(ignored),)
    check_choice("--ignored", ignored, names)
    return marks[list(names).index(ignored)]


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """The number of each line that says something, and its words."""
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(str(path), "the file of the classes", reason, "its path") from None
    except UnicodeDecodeError:
        raise DataError(str(path), "text in UTF-8", "other bytes", "saving it so") from None
    found = []
    for i, line in enumerate(text.splitlines(), 1):
        words = line.split(",") if "," in line else line.split()
        words = [word.strip() for word in words if word.strip()]
        if words and (found or not _heads(words, path.suffix.lower() == ".csv")):
            found.append((i, words))
    return found


def _heads(words: list[str], table: bool) -> bool:
    """Whether a first line says what stands below it: "name r g b", in a table also "name"."""
    return words[0].lower() in HEADS and (table or words[1:] == ["r", "g", "b"])


def _line(where: str, words: list[str]) -> tuple[str, str, Mark]:
    """Where, the name, and the mark that is written after it, if one is."""
    last = len(words)
    while last > 0 and words[last - 1].isdigit():
        last -= 1
    name, mark = " ".join(words[:last]), tuple(int(word) for word in words[last:])
    turned_round = all(word.isdigit() for word in words[:3]) and last > 3
    if not name or turned_round or len(mark) not in (0, 1, 3) or max(mark, default=0) > 255:
        turned = sorted(words, key=str.isdigit)  # the name first
        hint = " ".join(turned) if turned != words else "sky 70 130 180"
        expected = "a name, or a name and its value or colour, of numbers to 255"
        raise DataError(where, expected, " ".join(words), hint)
    return where, name, mark


def _check_alike(path: Path, rows: Sequence[str], names: Sequence[str], marks: Sequence[Mark]):
    """Refuse lines that say more or less than the first, and what is listed twice."""
    said = {0: "a name alone", 1: "a name and a value", 3: "a name and a colour"}
    for i, where in enumerate(rows):
        if len(marks[i]) != len(marks[0]):
            expected = f"{said[len(marks[0])]}, as in the first line"
            raise DataError(where, expected, said[len(marks[i])], "the same in every line")
        what = "colour" if len(marks[i]) == 3 else "value"
        told = (("name", names, names[i]), (what, marks, _said(marks[i])))
        for kind, others, own in told:
            first = list(others).index(others[i])
            if first < i:
                got = f"{own}, as in {rows[first].rpartition(', ')[2]}"
                raise DataError(where, f"another {kind} than above", got, "one of the two lines")


def _said(mark: Mark) -> str:
    return f"the colour {' '.join(map(str, mark))}" if len(mark) == 3 else f"the value {mark[0]}"


def _is_file(listed: str) -> bool:
    return Path(listed).suffix.lower() in (".txt", ".csv")
