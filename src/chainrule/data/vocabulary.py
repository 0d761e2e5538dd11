"""The characters of texts as numbers: token ids, and back.

Notes: "Notation" (course 5, week 1): a vocabulary, and for each x^{<t>} its index in it.

Id 0 stands for every character that the vocabulary lacks; the characters follow from 1 on, sorted
by their code point. Two ids after them mark the end and the beginning of a text.

>>> vocabulary = Vocabulary.learn(["abba", "cab"])
>>> ids = vocabulary.encode(["cad"]).values
>>> ids.tolist(), vocabulary.decode(ids[0])
([[3, 1, 0]], 'ca�')
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chainrule.data.sequences import Sequences
from chainrule.errors import DataError
from chainrule.formatting import count_of

UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""The character that stands for id 0 in a decoded text."""


@dataclass(frozen=True)
class Vocabulary:
    """Characters and their ids: 0 for unknown, 1 … n for the characters, then `end`, `start`."""

    characters: str

    @classmethod
    def learn(cls, texts: Iterable[str], fewest: int = 1) -> "Vocabulary":
        """Return the characters that occur in at least `fewest` of the texts.

        If rare characters are left out, the training examples show what an unknown one means.
        """
        counts: dict[str, int] = {}
        for text in texts:
            for character in set(text):
                counts[character] = counts.get(character, 0) + 1
        return cls("".join(sorted(c for c, count in counts.items() if count >= fewest)))

    @classmethod
    def from_saved(cls, characters: str, where: str) -> "Vocabulary":
        """Restore a vocabulary; refuse one that is empty, not sorted, or names one twice."""
        if not characters or list(characters) != sorted(set(characters)):
            expected = "characters in the order of their code points, each once"
            raise DataError(where, expected, repr(characters[:20]))
        return cls(characters)

    def __len__(self) -> int:
        """Return the number of ids of a text: the characters, and the unknown one."""
        return len(self.characters) + 1

    @property
    def end(self) -> int:
        """The id of the end of a text."""
        return len(self)

    @property
    def start(self) -> int:
        """The id of the beginning of a text."""
        return len(self) + 1

    @property
    def size(self) -> int:
        """The number of ids, with the end and the beginning."""
        return len(self) + 2

    @cached_property
    def _points(self) -> np.ndarray:
        return code_points(self.characters)

    def encode(self, texts: Sequence[str]) -> Sequences:
        """Return the ids of the texts, (m, T) int32, padded with 0."""
        lengths = np.array([len(text) for text in texts], np.int32)
        ids = np.zeros((len(texts), max(lengths, default=0)), np.int32)
        ids[np.arange(ids.shape[1]) < lengths[:, None]] = self.ids("".join(texts))
        return Sequences(ids, lengths)

    def ids(self, text: str) -> np.ndarray:
        """Return the ids of one text, (T,) int32."""
        points = code_points(text)
        places = np.minimum(np.searchsorted(self._points, points), len(self._points) - 1)
        known = self._points[places] == points
        return np.where(known, places + 1, 0).astype(np.int32)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; the end and the beginning are left out."""
        names = [UNKNOWN, *self.characters, "", ""]
        return "".join(names[int(i)] for i in ids)

    def unknown(self, texts: Iterable[str]) -> str:
        """Return the characters of the texts that the vocabulary lacks, sorted."""
        known = set(self.characters)
        return "".join(sorted({c for text in texts for c in text} - known))


def code_points(text: str) -> np.ndarray:
    """Return the code points of the characters of a text."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def check_texts(texts: Sequence[str], name: str) -> None:
    """Refuse an empty text, which has no step."""
    empty = [i for i, text in enumerate(texts) if not text]
    if empty:
        got = f"{count_of(len(empty), 'empty text')}, the first in row {empty[0]}"
        raise DataError(name, "at least one character in each text", got, "leaving those rows out")
