"""A gallery: the embeddings of people who are known, and the network that made them, in one file.

Notes: "Face verification vs face recognition" (course 4, week 4); that embeddings of known people
can be computed before anybody asks: "Face verification and binary classification".

    enrol       a name and images: the embedding is their mean, brought to length one
    verify      1:1, is it this person?         D ≤ τ to the embedding of that name
    identify    1:N, who is it?                 the nearest of all, or nobody where its D > τ

D is the squared distance, or what was learned of pairs (`verification_likeness.py`). The file has
the sha256 of its content on its first line, then as safetensors the embeddings and the arrays of
the network, and as JSON the names, the threshold and the network's settings. It is written
beside and renamed; a damaged one is refused. Nothing is ever unpickled.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chainrule import durable
from chainrule.errors import DataError, OptionError, RunError, did_you_mean
from chainrule.layers.layer import named_arrays, replace_arrays
from chainrule.models.conv_network import ConvNetwork
from chainrule.train.image_rows import as_images
from chainrule.train.networks import rebuilt
from chainrule.train.outputs import network_outputs
from chainrule.train.verification_likeness import distance_of

HEADER = b"chainrule gallery 1 sha256 "
WORDS, EMBEDDINGS, NETWORK, LIKENESS = "words", "embeddings", "network.", "likeness"
NOBODY = None
"""Whom an image shows that is of nobody who is known."""


class Answer(NamedTuple):
    """Whom an image shows (None: nobody who is known); the nearest asked for, and D to them."""

    name: str | None
    D: float
    nearest: str


@dataclass(frozen=True)
class Gallery:
    """Names and their embeddings, a row each; those whose D is at most `threshold` are the same.

    Images are as `network` was trained on them; bytes are divided by 255.
    """

    network: ConvNetwork
    threshold: float
    names: tuple[str, ...] = ()
    embeddings: np.ndarray | None = None
    likeness: np.ndarray | None = None

    def __post_init__(self):
        number = isinstance(self.threshold, int | float) and np.isfinite(self.threshold)
        if not number or self.threshold < 0:
            expected = "a squared distance, 0 or more: the best on the dev identities"
            raise OptionError("Gallery(threshold=…)", expected, repr(self.threshold), "0.5")

    def enrol(self, name: str, images: np.ndarray) -> "Gallery":
        """The gallery with this person, known by images (m, n_H, n_W, n_C); a known name anew."""
        if not isinstance(name, str) or not name.strip():
            raise OptionError("enrol(name, …)", "a name", repr(name), "'Ada'")
        middle = self._embedded(images).mean(axis=0)
        length = np.linalg.norm(middle)
        if not np.isfinite(length) or length == 0:
            got = "images whose embeddings cancel or are no numbers"
            raise DataError(f"enrol({name!r}, …)", "images of one person", got, "other images")
        known = dict(zip(self.names, self._rows(), strict=True)) | {name: middle / length}
        return replace(self, names=tuple(known), embeddings=np.stack(list(known.values())))

    def without(self, name: str) -> "Gallery":
        """The gallery without this person."""
        kept = [i for i in range(len(self.names)) if i != self._place(name)]
        names = tuple(self.names[i] for i in kept)
        return replace(self, names=names, embeddings=self._rows()[kept] if kept else None)

    def verify(self, name: str, images: np.ndarray) -> list[Answer]:
        """Is each image of this person? The name, or None."""
        place = self._place(name)
        D = self._distances(images, self._rows()[[place]])[:, 0]
        return [self._answer(name, d) for d in D]

    def identify(self, images: np.ndarray) -> list[Answer]:
        """Who is on each image? The name of the nearest, or None where it is too far."""
        if not self.names:
            hint = "enrol(name, images)"
            raise DataError("the gallery", "somebody who is known", "nobody", hint)
        D = self._distances(images, self._rows())
        return [self.answer_of(line) for line in D]

    def check_known(self, name: str) -> None:
        """Refuse a name that is not enrolled."""
        if name not in self.names:
            hint = did_you_mean(name, self.names) if self.names else "enrol(name, images)"
            raise OptionError("the gallery", "the name of somebody known", repr(name), hint)

    def answer_of(self, D: np.ndarray) -> Answer:
        """The nearest of all, by their distances."""
        nearest = int(np.argmin(D))
        return self._answer(self.names[nearest], D[nearest])

    def save(self, path: str | os.PathLike) -> None:
        """Write it into one file, all or nothing; raises RunError where it cannot be written."""
        try:
            durable.write(Path(path), to_bytes(self))
        except OSError as error:
            expected, hint = "a file that can be written", "another place"
            raise RunError(str(path), expected, durable.words(error), hint) from error

    def _answer(self, name: str, D: float) -> Answer:
        return Answer(name if self.threshold >= D else NOBODY, float(D), name)

    def _distances(self, images: np.ndarray, known: np.ndarray) -> np.ndarray:
        return distance_of(self.likeness)(self._embedded(images), known)

    def _embedded(self, images: np.ndarray) -> np.ndarray:
        images = as_images(images, "the gallery", self.network.shape)
        if not len(images):
            raise DataError("the gallery", "an image or more", "none", "images[:1]")
        return network_outputs(self.network, images).astype(np.float64)

    def _rows(self) -> np.ndarray:
        return np.empty((0, self.network.n_L)) if self.embeddings is None else self.embeddings

    def _place(self, name: str) -> int:
        self.check_known(name)
        return self.names.index(name)


def load_gallery(path: str | os.PathLike) -> Gallery:
    """The gallery in this file, checked against its sha256."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        hint = "a file that Gallery.save wrote"
        raise RunError(str(path), "a gallery", durable.words(error), hint) from error
    return from_bytes(content, str(path))


def to_bytes(gallery: Gallery) -> bytes:
    """The content of its file."""
    from safetensors.numpy import save

    words: dict[str, Any] = {
        "names": gallery.names,
        "threshold": float(gallery.threshold),
        "network": gallery.network.settings,
    }
    arrays = {NETWORK + name: np.asarray(x) for name, x in named_arrays(gallery.network).items()}
    if gallery.likeness is not None:
        arrays[LIKENESS] = np.asarray(gallery.likeness)
    arrays[EMBEDDINGS] = gallery._rows()
    arrays[WORDS] = np.frombuffer(json.dumps(words).encode(), np.uint8)
    content = save({name: np.asarray(x, order="C") for name, x in arrays.items()})
    return HEADER + hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def from_bytes(content: bytes, where: str) -> Gallery:
    """What `to_bytes` made a file of; refused where one bit is another."""
    from safetensors.numpy import load

    line, _, payload = content.partition(b"\n")
    if not line.startswith(HEADER):
        hint = "a file that Gallery.save wrote"
        raise RunError(where, "a gallery of format 1", "something else", hint)
    if line != HEADER + hashlib.sha256(payload).hexdigest().encode():
        hint = "a copy that is whole: the file has been damaged or changed"
        raise RunError(where, "the sha256 that was written", "another", hint)
    arrays: Mapping[str, np.ndarray] = load(payload)
    words = json.loads(arrays[WORDS].tobytes())
    own = {k.removeprefix(NETWORK): x for k, x in arrays.items() if k.startswith(NETWORK)}
    network: Any = replace_arrays(rebuilt(words["network"]), own)
    names, rows = tuple(words["names"]), arrays[EMBEDDINGS]
    known = rows if len(names) else None
    return Gallery(network, words["threshold"], names, known, arrays.get(LIKENESS))
