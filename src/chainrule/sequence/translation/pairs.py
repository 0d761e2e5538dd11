"""Pairs of texts, and the tokens of both sides: what a translator learns from.

    PairSet      a set of sources, each with one target or several
    Tokens       converts the texts of one side to ids and back: characters, or words
    PairTokens   the tokens of both sides
    read_pairs   read a file with a source, a tab and a target on each line
    read_sets    read the sets of a recipe, and split off those that are missing

A source with several targets, such as a word with two pronunciations, is one example: it is trained
on each of them, and a prediction is compared with the nearest. So no source is in two sets.
"""

import hashlib
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np

from chainrule.data.files import read_text_bytes
from chainrule.data.sequences import Inputs, Sequences
from chainrule.data.split import split
from chainrule.data.vocabulary import UNKNOWN
from chainrule.errors import DataError, DataWarning
from chainrule.formatting import count_of
from chainrule.host.machine import check_memory
from chainrule.host.reading import Positive, convert, lines_of
from chainrule.runs.prepare import HELD_OUT
from chainrule.sequence.recipe import TranslateRecipe
from chainrule.train.examples import Examples

BOM = b"\xef\xbb\xbf"
MANY = 1000
"""The number of texts from which rare tokens of the source are left out of its vocabulary."""
MOST_TOKENS = 20_000
"""The most tokens of a vocabulary, which are those in the most texts."""
MARGIN = 1.25
"""The most tokens of a translation, as a multiple of those of the longest target in training."""
SHOWN = 10

# Pairs


@dataclass(frozen=True, eq=False)
class PairSet:
    """Sources X (m,), the targets of each, and the line of each in its file."""

    name: str
    X: np.ndarray
    targets: tuple[tuple[str, ...], ...]
    lines: np.ndarray
    digest: str

    def __len__(self) -> int:
        """Return the number of sources."""
        return len(self.X)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The pairs of a source and one of its targets."""
        texts = zip(self.X, self.targets, strict=True)
        return [(source, target) for source, targets in texts for target in targets]

    def rows(self, rows: Any) -> "PairSet":
        """Return the sources with these row numbers."""
        rows = np.arange(len(self))[rows]
        targets = tuple(self.targets[i] for i in rows)
        return replace(self, X=self.X[rows], targets=targets, lines=self.lines[rows])

    def excerpt(self, most: int) -> "PairSet":
        """Return up to `most` sources, at equal distances."""
        if len(self) <= most:
            return self
        return self.rows(np.linspace(0, len(self) - 1, most).astype(int))


def as_array(texts: Iterable[str]) -> np.ndarray:
    """Return texts as an array of objects."""
    texts = list(texts)
    found = np.empty(len(texts), object)
    found[:] = texts
    return found


def read_pairs(source: str) -> PairSet:
    """Read a file with a source, a tab and a target on each line; blank lines are left out.

    Raises DataError for another number of columns, an empty side, and text that is not UTF-8.
    """
    path = Path(source)
    content = read_text_bytes(path)
    targets: dict[str, dict[str, None]] = {}
    lines: list[int] = []
    for number, line in enumerate(lines_of(decoded(str(path), content)), 1):
        if not line.strip():
            continue
        left, right = _sides(f"{path}, line {number:,}", line)
        if left not in targets:
            lines.append(number)
        targets.setdefault(left, {})[right] = None
    if not targets:
        got = "only blank lines" if content.strip(b"\xef\xbb\xbf") else "an empty file"
        expected = "pairs of texts, a source, a tab and a target on each line"
        raise DataError(str(path), expected, got, "another file")
    digest = hashlib.sha256(content).hexdigest()
    several = tuple(tuple(some) for some in targets.values())
    return PairSet(path.name, as_array(targets), several, np.array(lines), digest)


def _sides(where: str, line: str) -> tuple[str, str]:
    """Return the source and the target of a line."""
    columns = line.split("\t")
    expected = "a source, a tab and a target"
    if len(columns) != 2:
        hint = "a tab between the two" if len(columns) == 1 else "leaving out the other columns"
        raise DataError(where, expected, count_of(len(columns), "column"), hint)
    for side, text in zip(("source", "target"), columns, strict=True):
        if not text.strip():
            raise DataError(where, expected, f"an empty {side}", "leaving out this line")
    return columns[0], columns[1]


def decoded(where: str, content: bytes) -> str:
    """Return text in UTF-8, with or without a byte order mark."""
    body = content.removeprefix(BOM)
    try:
        text, at, got = body.decode(), body.find(b"\0"), "a zero byte"
    except UnicodeDecodeError as error:
        text, at, got = "", error.start, f"the byte 0x{body[error.start]:02x}"
    if at >= 0:
        line = body.count(b"\n", 0, at) + 1
        raise DataError(f"{where}, line {line:,}", "text in UTF-8", got, "saving it as UTF-8")
    return text


def read_sets(recipe: TranslateRecipe) -> dict[str, PairSet]:
    """Read the sets of a recipe, and split missing dev and test sets off the training set."""
    given = {name: getattr(recipe, name) for name in HELD_OUT}
    found = {"train": read_pairs(recipe.source)}
    found |= {name: read_pairs(file) for name, file in given.items() if file not in (None, "none")}
    missing = [name for name in HELD_OUT if given[name] is None]
    if missing:
        train = found["train"]
        dev, test = "dev" in missing, "test" in missing
        rows = split(len(train), seed=recipe.seed, dev=dev, test=test)
        found |= {name: train.rows(getattr(rows, name)) for name in ("train", *missing)}
    return {name: found[name] for name in ("train", *HELD_OUT) if name in found}


# Tokens


class SavedTokens(TypedDict):
    """The result of `Tokens.to_dict`."""

    unit: Literal["characters", "words"]
    tokens: list[str]


@dataclass(frozen=True)
class Tokens:
    """The tokens of one side: characters, or words between spaces.

    The id of an unknown token is 0, those of the tokens, which are sorted, follow from 1 on; after
    them come `end` and `start`.

    >>> tokens = Tokens.learn(["a b", "b c"], "words")
    >>> tokens.ids("c x b").tolist(), tokens.text([3, 0, 2, tokens.end])
    ([3, 0, 2], 'c � b')
    """

    unit: str
    tokens: tuple[str, ...]

    @classmethod
    def learn(cls, texts: Iterable[str], unit: str, fewest: int = 1) -> "Tokens":
        """Return the tokens that are in at least `fewest` of the texts, up to 20,000 of them.

        If rare tokens are left out, the training examples show what an unknown one means.
        """
        counts = Counter(token for text in texts for token in {*tokens_of(text, unit)})
        kept = [token for token, count in counts.items() if count >= fewest]
        kept.sort(key=lambda token: (-counts[token], token))
        return cls(unit, tuple(sorted(kept[:MOST_TOKENS])))

    @classmethod
    def from_saved(cls, saved: SavedTokens, where: str) -> "Tokens":
        """Restore the tokens; refuse a list that is empty, not sorted, or names one twice."""
        tokens, unit = saved["tokens"], saved["unit"]
        if (
            not tokens
            or tokens != sorted({*tokens})
            or any(tokens_of(token, unit) != [token] for token in tokens)
        ):
            expected = f"{unit} in the order of their code points, each once"
            raise DataError(where, expected, repr(tokens[:SHOWN]))
        return cls(unit, tuple(tokens))

    def to_dict(self) -> SavedTokens:
        """Return plain data for JSON."""
        return {"unit": self.unit, "tokens": list(self.tokens)}  # pyright: ignore

    def __len__(self) -> int:
        """Return the number of ids of a text: the tokens, and the unknown one."""
        return len(self.tokens) + 1

    @property
    def end(self) -> int:
        """The id of the end of a text."""
        return len(self)

    @property
    def start(self) -> int:
        """The id of the beginning of a text."""
        return len(self) + 1

    @property
    def description(self) -> str:
        """The number and the kind of the tokens, such as "29 different characters"."""
        return count_of(len(self.tokens), f"different {self.unit.removesuffix('s')}")

    @cached_property
    def _places(self) -> dict[str, int]:
        return {token: i for i, token in enumerate(self.tokens, 1)}

    def split(self, text: str) -> list[str]:
        """Return the tokens of a text."""
        return tokens_of(text, self.unit)

    def ids(self, text: str) -> np.ndarray:
        """Return the ids of a text, (T,) int32."""
        return np.array([self._places.get(one, 0) for one in self.split(text)], np.int32)

    def names(self, ids: Iterable[int]) -> list[str]:
        """Return the tokens of ids up to the end."""
        found = []
        for i in ids:
            if i >= self.end:
                break
            found.append(UNKNOWN if i == 0 else self.tokens[int(i) - 1])
        return found

    def text(self, ids: Iterable[int]) -> str:
        """Return the text of ids up to the end."""
        return ("" if self.unit == "characters" else " ").join(self.names(ids))

    def unknown(self, texts: Iterable[str]) -> list[str]:
        """Return the tokens of the texts that are not known, sorted."""
        return sorted({one for text in texts for one in self.split(text)} - {*self.tokens})


def tokens_of(text: str, unit: str) -> list[str]:
    """Return the characters, or the words between spaces.

    >>> tokens_of("ab c", "characters"), tokens_of("ab c", "words")
    (['a', 'b', ' ', 'c'], ['ab', 'c'])
    """
    return list(text) if unit == "characters" else text.split()


class SavedPairTokens(TypedDict):
    """The result of `PairTokens.to_dict`."""

    source: SavedTokens
    target: SavedTokens
    longest: Positive


@dataclass(frozen=True)
class PairTokens:
    """The tokens of source and target, and the most ids of a translation, with its end."""

    source: Tokens
    target: Tokens
    longest: int

    @classmethod
    def learn(cls, train: PairSet, unit: str, target_unit: str) -> "PairTokens":
        """Return the tokens of the training set."""
        targets = [target for some in train.targets for target in some]
        fewest = 2 if len(train) >= MANY else 1
        source = Tokens.learn(train.X, unit, fewest)
        target = Tokens.learn(targets, target_unit)
        longest = max(len(target.split(text)) for text in targets)
        return cls(source, target, int(MARGIN * longest) + 1)

    @classmethod
    def from_saved(cls, saved: Mapping[str, Any]) -> "PairTokens":
        """Restore them from plain data; raises DataError if they are not valid."""
        found = convert(saved, SavedPairTokens, "the tokenizer")
        sides = (
            Tokens.from_saved(found[side], f"the tokenizer, {side}")
            for side in ("source", "target")
        )
        source, target = sides
        return cls(source, target, found["longest"])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        sides = {"source": self.source.to_dict(), "target": self.target.to_dict()}
        return {**sides, "longest": self.longest}

    @property
    def n_L(self) -> int:
        """The number of ids that can be predicted, with the end."""
        return self.target.end + 1

    @property
    def description(self) -> str:
        """How the network reads the texts."""
        return f"{self.source.description} to {self.target.description}"

    def sources(self, texts: Sequence[str]) -> Sequences:
        """Return the ids of sources."""
        return Sequences.of([self.source.ids(text) for text in texts], np.int32)

    def examples(self, pairs: Sequence[tuple[str, str]]) -> Examples:
        """Return pairs as examples: ((source, the target after its start), target before its end).

        In Y, the end follows the target, and −1 follows the end.
        """
        ids = [self.target.ids(target) for _, target in pairs]
        shifted = Sequences.of([np.append(self.target.start, one) for one in ids], np.int32)
        Y = np.full(shifted.shape, -1, np.int32)
        for row, one in zip(Y, ids, strict=True):
            row[: len(one) + 1] = np.append(one, self.target.end)
        return Examples(Inputs((self.sources([source for source, _ in pairs]), shifted)), Y)


def check_sizes(part: PairSet, tokens: PairTokens, where: str) -> None:
    """Refuse pairs that do not fit into memory when all are padded to the longest."""
    lengths = [len(tokens.source.split(text)) for text in part.X]
    longest = int(np.argmax(lengths))
    targets = max(len(tokens.target.split(text)) for some in part.targets for text in some)
    pairs = sum(map(len, part.targets))
    unit = tokens.source.unit.removesuffix("s")
    place = f"{where}, whose longest source (line {part.lines[longest]:,}) has "
    needed = 2 * 4 * pairs * (lengths[longest] + 2 * (targets + 1))
    check_memory(f"{place}{count_of(lengths[longest], unit)}", needed, "leaving out long texts")


def warn_of_unknown(tokens: Tokens, texts: Iterable[str], where: str) -> None:
    """Warn of tokens that are not in the vocabulary; they are read as unknown."""
    if unknown := tokens.unknown(texts):
        shown = ", ".join(map(repr, unknown[:SHOWN])) + (", …" if unknown[SHOWN:] else "")
        many = count_of(len(unknown), f"different {tokens.unit.removesuffix('s')}")
        message = (
            f"{where} has {many} that the vocabulary lacks, which are read as unknown: {shown}"
        )
        warnings.warn(message, DataWarning, stacklevel=3)
