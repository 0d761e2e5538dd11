"""A gallery: the embeddings of known people and the network that computed them, in one file.

Notes: "Face verification vs face recognition" (course 4, week 4), and "Face verification and binary
classification", where the embeddings of known people are computed in advance.

    enrol       a name and images: the embedding is their mean, scaled to length one
    verify      1:1, is it this person?         D ≤ τ to the embedding of that name
    identify    1:N, who is it?                 the nearest of all, or nobody if its D > τ

D is the squared distance, or a distance learned from pairs (`vision/verification/training.py`).
The file
has the sha256 of its content on the first line, then, in the safetensors format, the embeddings and
the arrays of the network, with the names, the threshold and the network's settings as JSON. It is
written under a temporary name and renamed; a damaged file is refused. Nothing is unpickled.

A gallery file and pictures on disk: people are enrolled, asked about, and forgotten.

    enrol       NAME and pictures of one person, or a folder with a folder of pictures for each
    check       are these of NAME?               1:1
    identify    who is on these, or nobody?      1:N
    forget      without NAME

All pictures are read, and all that can be wrong is said, before the file is written, at once and
whole (`vision/verification/gallery.py`).
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chainrule.data.decoding import SUFFIXES
from chainrule.data.images import images_in, subfolders
from chainrule.errors import ChainruleError, DataError, OptionError, RunError, did_you_mean
from chainrule.host import files
from chainrule.host.compilation_cache import enable_compilation_cache
from chainrule.layers.layer import named_arrays, replace_arrays
from chainrule.models.conv_network import ConvNetwork
from chainrule.runs.networks import as_images, rebuild_network
from chainrule.train.outputs import network_outputs
from chainrule.vision.parts import read_new
from chainrule.vision.store import load_system
from chainrule.vision.verification.training import distance_of

HEADER = b"chainrule gallery 1 sha256 "
WORDS, EMBEDDINGS, NETWORK, LIKENESS = "words", "embeddings", "network.", "likeness"
NOBODY = None
"""The name in the answer for an image that shows no known person."""


class Answer(NamedTuple):
    """The name of the person in an image (None if unknown), the nearest known person, and D."""

    name: str | None
    D: float
    nearest: str


@dataclass(frozen=True)
class Gallery:
    """Names and their embeddings, one row each; a D of at most `threshold` means the same person.

    Images must have the form on which `network` was trained; bytes are divided by 255.
    """

    network: ConvNetwork
    threshold: float
    names: tuple[str, ...] = ()
    embeddings: np.ndarray | None = None
    likeness: np.ndarray | None = None

    def __post_init__(self):
        number = isinstance(self.threshold, int | float) and np.isfinite(self.threshold)
        if not number or self.threshold < 0:
            expected = "a number of at least 0, such as the best threshold on the dev identities"
            raise OptionError("Gallery(threshold=…)", expected, repr(self.threshold), "0.5")

    def enrol(self, name: str, images: np.ndarray) -> "Gallery":
        """Add a person by images (m, n_H, n_W, n_C), or replace the embedding of a known name."""
        if not isinstance(name, str) or not name.strip():
            raise OptionError("enrol(name, …)", "a name", repr(name), "'Ada'")
        mean = self._embedded(images).mean(axis=0)
        length = np.linalg.norm(mean)
        if not np.isfinite(length) or length == 0:
            got = "images whose embeddings are not finite or have a mean of 0"
            raise DataError(f"enrol({name!r}, …)", "images of one person", got, "other images")
        known = dict(zip(self.names, self._rows(), strict=True)) | {name: mean / length}
        return replace(self, names=tuple(known), embeddings=np.stack(list(known.values())))

    def without(self, name: str) -> "Gallery":
        """Return the gallery without this person."""
        others = [i for i in range(len(self.names)) if i != self._place(name)]
        names = tuple(self.names[i] for i in others)
        return replace(self, names=names, embeddings=self._rows()[others] if others else None)

    def verify(self, name: str, images: np.ndarray) -> list[Answer]:
        """Decide whether each image shows this person; the answer has the name, or None."""
        place = self._place(name)
        D = self._distances(images, self._rows()[[place]])[:, 0]
        return [self._answer(name, d) for d in D]

    def identify(self, images: np.ndarray) -> list[Answer]:
        """Identify the person in each image; the name is None if the nearest is too far away."""
        if not self.names:
            hint = "enrol(name, images)"
            raise DataError("the gallery", "at least one known person", "none", hint)
        D = self._distances(images, self._rows())
        return [self.answer_of(line) for line in D]

    def check_known(self, name: str) -> None:
        """Refuse a name that is not enrolled."""
        if name not in self.names:
            hint = did_you_mean(name, self.names) if self.names else "enrol(name, images)"
            raise OptionError("the gallery", "the name of a known person", repr(name), hint)

    def answer_of(self, D: np.ndarray) -> Answer:
        """Return the answer for one image, from its distances to all known people."""
        nearest = int(np.argmin(D))
        return self._answer(self.names[nearest], D[nearest])

    def save(self, path: str | os.PathLike) -> None:
        """Write the gallery to one file, all or nothing; raise RunError if that fails."""
        try:
            files.write_file(Path(path), to_bytes(self))
        except OSError as error:
            expected, hint = "a file that can be written", "another folder"
            raise RunError(str(path), expected, files.describe_error(error), hint) from error

    def _answer(self, name: str, D: float) -> Answer:
        return Answer(name if self.threshold >= D else NOBODY, float(D), name)

    def _distances(self, images: np.ndarray, known: np.ndarray) -> np.ndarray:
        return distance_of(self.likeness)(self._embedded(images), known)

    def _embedded(self, images: np.ndarray) -> np.ndarray:
        images = as_images(images, "the gallery", self.network.shape)
        if not len(images):
            raise DataError("the gallery", "at least one image", "none", "images[:1]")
        return network_outputs(self.network, images).astype(np.float64)

    def _rows(self) -> np.ndarray:
        return np.empty((0, self.network.n_L)) if self.embeddings is None else self.embeddings

    def _place(self, name: str) -> int:
        self.check_known(name)
        return self.names.index(name)


def load_gallery(path: str | os.PathLike) -> Gallery:
    """Load the gallery in this file, after checking its sha256."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        hint = "a file that Gallery.save wrote"
        raise RunError(str(path), "a gallery", files.describe_error(error), hint) from error
    return from_bytes(content, str(path))


def to_bytes(gallery: Gallery) -> bytes:
    """Return the content of a gallery's file."""
    from safetensors.numpy import save

    metadata: dict[str, Any] = {
        "names": gallery.names,
        "threshold": float(gallery.threshold),
        "network": gallery.network.settings,
    }
    arrays = {NETWORK + name: np.asarray(x) for name, x in named_arrays(gallery.network).items()}
    if gallery.likeness is not None:
        arrays[LIKENESS] = np.asarray(gallery.likeness)
    arrays[EMBEDDINGS] = gallery._rows()
    arrays[WORDS] = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
    content = save({name: np.asarray(x, order="C") for name, x in arrays.items()})
    return HEADER + hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def from_bytes(content: bytes, where: str) -> Gallery:
    """Read the content of a gallery's file, and refuse it if it was changed."""
    from safetensors.numpy import load

    line, _, payload = content.partition(b"\n")
    if not line.startswith(HEADER):
        hint = "a file that Gallery.save wrote"
        raise RunError(where, "a gallery of format 1", "something else", hint)
    if line != HEADER + hashlib.sha256(payload).hexdigest().encode():
        hint = "an intact copy: the file has been damaged or changed"
        raise RunError(where, "the content that was saved", "a different sha256", hint)
    arrays: Mapping[str, np.ndarray] = load(payload)
    metadata = json.loads(arrays[WORDS].tobytes())
    weights = {k.removeprefix(NETWORK): x for k, x in arrays.items() if k.startswith(NETWORK)}
    network: Any = replace_arrays(rebuild_network(metadata["network"]), weights)
    names, rows = tuple(metadata["names"]), arrays[EMBEDDINGS]
    known = rows if len(names) else None
    return Gallery(network, metadata["threshold"], names, known, arrays.get(LIKENESS))


class Seen(NamedTuple):
    """A picture, and what the gallery says of it."""

    file: Path
    answer: Answer

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"file": str(self.file), **self.answer._asdict()}


def enrol(run: str, path: str, people: Mapping[str, Sequence[str | Path]]) -> Gallery:
    """The gallery in this file, new or not, with these people, each known by files or folders."""
    enable_compilation_cache()
    model = load_system(run, "verify").model
    made = model.gallery()
    if Path(path).exists():
        there = load_gallery(path)
        if not same_network(there, made):
            hint = f"a new file for {run}, or the run that it was begun with"
            raise RunError(path, f"a gallery of the network of {run}", "one of another", hint)
        made = there
    images = {name: pixels_of(photos, made)[1] for name, photos in people.items()}
    with about(path):
        for name, X in images.items():
            made = made.enrol(name, X)
        made.save(path)
    return made


def people_in(folder: str) -> dict[str, list[Path]]:
    """The pictures of each identity of a folder, by the names of its folders."""
    if not Path(folder).is_dir():
        got = "a file" if Path(folder).exists() else "no such folder"
        hint = "people, where people/ada holds pictures of ada"
        raise DataError(folder, "a folder with a folder for each person", got, hint)
    found = {one.name: images_in(one) for one in subfolders(Path(folder))}
    if not found:
        hint = "NAME PICTURE…, if the pictures are of one person"
        raise DataError(folder, "a folder with a folder for each person", "none", hint)
    for name, photos in found.items():
        if not photos:
            hint = f"removing it; read are {', '.join(SUFFIXES)}"
            raise DataError(str(Path(folder) / name), "pictures of the person", "none", hint)
    return found


def check(path: str, name: str, files: Sequence[str]) -> tuple[Gallery, list[Seen]]:
    """Are these of the person of this name?"""
    enable_compilation_cache()
    gallery = load_gallery(path)
    with about(path):
        gallery.check_known(name)
    paths, X = pixels_of(files, gallery)
    return gallery, [Seen(*pair) for pair in zip(paths, gallery.verify(name, X), strict=True)]


def identify(path: str, files: Sequence[str]) -> tuple[Gallery, list[Seen]]:
    """Who is on each of these?"""
    enable_compilation_cache()
    gallery = load_gallery(path)
    paths, X = pixels_of(files, gallery)
    with about(path):
        said = gallery.identify(X)
    return gallery, [Seen(*pair) for pair in zip(paths, said, strict=True)]


def forget(path: str, name: str) -> Gallery:
    """The gallery without this person."""
    with about(path):
        left = load_gallery(path).without(name)
        left.save(path)
    return left


def pixels_of(files: Sequence[str | Path], gallery: Gallery) -> tuple[list[Path], np.ndarray]:
    """Every picture of these files and folders, at the size of the gallery's network."""
    read = [read_new(file, gallery.network.shape) for file in files]
    return [path for paths, _ in read for path in paths], np.concatenate([X for _, X in read])


def same_network(one: Gallery, other: Gallery) -> bool:
    """Whether both have the same network, threshold, and distance."""
    if one.network.settings != other.network.settings or one.threshold != other.threshold:
        return False
    arrays, others = (named_arrays(gallery.network) for gallery in (one, other))
    same = all(np.array_equal(x, others[name]) for name, x in arrays.items())
    learned, learned_too = one.likeness, other.likeness
    if learned is None or learned_too is None:
        return same and learned is learned_too
    return same and np.array_equal(learned, learned_too)


@contextmanager
def about(path: str) -> Iterator[None]:
    """Errors of a gallery say which file it is in."""
    try:
        yield
    except ChainruleError as error:
        raise error if error.where.startswith(path) else error.inside(path) from None
