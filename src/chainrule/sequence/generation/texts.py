"""The texts of a language model: a file of one text, or with one text on each line.

    TextSet      a set of texts: the characters of one text, or lines
    Characters   converts texts to ids and back
    read_texts   read a file
    split_texts  split it into training, dev and test sets

One text is cut in its order: the first 90 % are the training set, the next 5 % the dev set, and the
last 5 % the test set, which are thus as far from the training set as a new text. Lines are split at
random, sized as other examples, and equal lines stay in one set.

Of a model of bytes, a text is read as a character for each byte, whose code point is the byte.
"""

import hashlib
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np

from chainrule.data.files import read_text_bytes
from chainrule.data.split import duplicate_rows, split
from chainrule.data.vocabulary import Vocabulary
from chainrule.errors import DataError, DataWarning
from chainrule.formatting import count_of
from chainrule.host.reading import convert, lines_of
from chainrule.runs.prepare import HELD_OUT
from chainrule.sequence.recipe import GenerateRecipe

BOM = b"\xef\xbb\xbf"
HELD_SHARE = 0.05
"""The share of one text that is the dev set, and the test set."""
BEFORE = 2**13
"""The number of characters before a part of a text that are kept as its context."""
SHOWN = 10


@dataclass(frozen=True, eq=False)
class TextSet:
    """A set of texts: X is an array of one text, or of lines; `digest` is that of the file.

    `before` is what precedes one text in its file, from which its beginning is predicted.
    """

    name: str
    X: np.ndarray
    digest: str
    lines: bool
    before: str = ""

    def __len__(self) -> int:
        """Return the number of characters of one text, or of lines."""
        return len(self.X) if self.lines else len(self.X[0])

    @property
    def characters(self) -> int:
        """The number of characters of all texts."""
        return sum(map(len, self.X))

    def rows(self, rows: Any) -> "TextSet":
        """Return these lines."""
        return replace(self, X=self.X[rows])

    def excerpt(self, most: int) -> "TextSet":
        """Return up to `most` characters: the first of one text, or lines at equal distances."""
        if self.characters <= most:
            return self
        if not self.lines:
            return self.piece(0, most)
        return self.rows(np.arange(0, len(self), -(-self.characters // most)))

    def piece(self, start: int, end: int) -> "TextSet":
        """Return a part of one text, with what is before it."""
        before = self.X[0][max(0, start - BEFORE) : start]
        return replace(self, X=as_array([self.X[0][start:end]]), before=before)


def as_array(texts: Iterable[str]) -> np.ndarray:
    """Return texts as an array of objects."""
    texts = list(texts)
    found = np.empty(len(texts), object)
    found[:] = texts
    return found


class SavedCharacters(TypedDict):
    """The result of `Characters.to_dict`."""

    characters: str
    unit: Literal["characters", "bytes"]
    lines: bool


@dataclass(frozen=True)
class Characters:
    """The ids of a language model: those of its vocabulary, and for lines the start and the end.

    >>> made = Characters(Vocabulary("ab"), lines=True)
    >>> made.ids("ba").tolist(), made.V, made.text([2, 1, 3])
    ([4, 2, 1, 3], 5, 'ba')
    """

    vocabulary: Vocabulary
    unit: str = "characters"
    lines: bool = False

    @classmethod
    def from_saved(cls, saved: Mapping[str, Any]) -> "Characters":
        """Restore it from plain data; raises DataError if it is not valid."""
        convert(saved, SavedCharacters, "the tokenizer")
        known = Vocabulary.from_saved(saved["characters"], "the tokenizer, characters")
        if saved["unit"] == "bytes" and known.characters[-1] > "\xff":
            raise DataError("the tokenizer, characters", "bytes", repr(known.characters[-1]))
        return cls(known, saved["unit"], saved["lines"])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        characters = self.vocabulary.characters
        return {"characters": characters, "unit": self.unit, "lines": self.lines}

    @property
    def V(self) -> int:
        """The number of ids."""
        return self.vocabulary.size if self.lines else len(self.vocabulary)

    @property
    def word(self) -> str:
        """What an id stands for: "character" or "byte"."""
        return self.unit.removesuffix("s")

    @property
    def description(self) -> str:
        """How the network reads a text."""
        kinds = count_of(len(self.vocabulary) - 1, f"different {self.word}")
        return f"{'lines' if self.lines else 'a text'} of {kinds}"

    @cached_property
    def start(self) -> int:
        """The id before the first character: for one text a line feed, if it has any."""
        return self.vocabulary.start if self.lines else int(self.vocabulary.ids("\n")[0])

    @property
    def end(self) -> int:
        """The id after the last character, or −1 where there is none."""
        return self.vocabulary.end if self.lines else -1

    def ids(self, text: str) -> np.ndarray:
        """Return the ids of a text with its start, and its end if it has one."""
        ends = [self.end] if self.lines else []
        return np.concatenate([[self.start], self.vocabulary.ids(text), ends]).astype(np.int32)

    def text(self, ids: Iterable[int]) -> str:
        """Return the text of ids; the start and the end are left out."""
        return self.vocabulary.decode(i for i in ids if i >= 0)

    def read(self, text: str) -> str:
        """Return what the network reads of a text: its characters, or one for each of its bytes.

        >>> Characters(Vocabulary("a"), "bytes").read("é")
        'Ã©'
        """
        return encoded(text).decode("latin-1") if self.unit == "bytes" else text

    def written(self, text: str) -> str:
        """Return the text that `read` converts to this one; bytes that are not UTF-8 are kept."""
        if self.unit != "bytes":
            return text
        return text.encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    """Return a text as UTF-8; bytes that were not UTF-8 are as they were."""
    return text.encode("utf-8", "surrogateescape")


def read_texts(source: str, *, unit: str, lines: bool) -> TextSet:
    """Read a file; raises DataError if it is empty, or not UTF-8 where characters are read.

    Lines end in line feeds or carriage returns; blank ones are left out.
    """
    path = Path(source)
    content = read_text_bytes(path)
    text = content.decode("latin-1") if unit == "bytes" else decoded(path, content)
    if not text or (lines and not text.strip()):
        got = "an empty file" if not text else "only blank lines"
        raise DataError(str(path), "a text", got, "another file")
    texts = [line for line in lines_of(text) if line.strip()] if lines else [text]
    digest = hashlib.sha256(content).hexdigest()
    return TextSet(path.name, as_array(texts), digest, lines)


def decoded(path: Path, content: bytes) -> str:
    """Return text in UTF-8, with or without a byte order mark."""
    body = content.removeprefix(BOM)
    try:
        text, at, got = body.decode(), body.find(b"\0"), "a zero byte"
    except UnicodeDecodeError as error:
        text, at, got = "", error.start, f"the byte 0x{body[error.start]:02x}"
    if at >= 0:
        line, offset = body.count(b"\n", 0, at) + 1, at + len(content) - len(body)
        where = f"{path}, line {line:,}, offset {offset:,}"
        raise DataError(where, "text in UTF-8", got, "saving it as UTF-8, or --unit bytes")
    return text


def read_sets(recipe: GenerateRecipe) -> dict[str, TextSet]:
    """Read the sets of a recipe, and split off those that are missing."""
    how: dict[str, Any] = {"unit": recipe.unit, "lines": recipe.lines}
    found = {"train": read_texts(recipe.source, **how)}
    for name in HELD_OUT:
        if (given := getattr(recipe, name)) not in (None, "none"):
            found[name] = read_texts(given, **how)
    return split_texts(recipe, found)


def split_texts(recipe: GenerateRecipe, found: dict[str, TextSet]) -> dict[str, TextSet]:
    """Split missing dev and test sets off the training set, unless the recipe says "none"."""
    train = found["train"]
    missing = {name: name not in found and getattr(recipe, name) != "none" for name in HELD_OUT}
    if not any(missing.values()):
        return {name: found[name] for name in ("train", *HELD_OUT) if name in found}
    if train.lines:
        same = duplicate_rows(train.X)
        wanted: dict[str, Any] = dict(missing)
        rows = split(len(train), duplicates=same, seed=recipe.seed, **wanted)
        made = {name: train.rows(getattr(rows, name)) for name in HELD_OUT if missing[name]}
        found = {**found, **made, "train": train.rows(rows.train)}
    else:
        n, held = len(train), int(HELD_SHARE * len(train))
        if held == 0:
            least = round(1 / HELD_SHARE)
            hint = "a longer text, or --dev none --test none"
            expected = f"at least {least} characters, so that each set has one"
            raise DataError(recipe.source, expected, f"{n}", hint)
        borders = [n]
        for name in reversed(HELD_OUT):
            if missing[name]:
                found[name] = train.piece(borders[0] - held, borders[0])
                borders.insert(0, borders[0] - held)
        found["train"] = train.piece(0, borders[0])
    return {name: found[name] for name in ("train", *HELD_OUT) if name in found}


def learn_characters(parts: Mapping[str, TextSet], unit: str) -> Characters:
    """Return the characters of the training set; warn of those that only the other sets have."""
    train = parts["train"]
    made = Characters(Vocabulary.learn(train.X), unit, train.lines)
    for name, part in parts.items():
        warn_of_unknown(made, part.X, f"the {name} set of {part.name}", "the training set lacks")
    return made


def warn_of_unknown(characters: Characters, texts: Iterable[str], where: str, lacks: str) -> None:
    """Warn of characters that the vocabulary lacks; they are read as unknown."""
    if unknown := characters.vocabulary.unknown(texts):
        shown = ", ".join(repr(c) for c in unknown[:SHOWN]) + (", …" if unknown[SHOWN:] else "")
        many = count_of(len(unknown), f"different {characters.word}")
        read = "which is read" if len(unknown) == 1 else "which are read"
        message = f"{where} has {many} that {lacks}, {read} as unknown: {shown}"
        warnings.warn(message, DataWarning, stacklevel=3)
