"""A gallery: the embeddings of known people and the network that computed them, in one file.

Notes: "Face verification vs face recognition" (course 4, week 4), and "Face verification and binary
classification", where the embeddings of known people are computed in advance.

    enrol       a name and images: the embedding is their mean, scaled to length one
    verify      1:1, is it this person?         D ≤ τ to the embedding of that name
    identify    1:N, who is it?                 the nearest of all, or nobody if its D > τ

D is the squared distance, or a distance learned from pairs (`vision/verification/training.py`). The
file has the sha256 of its content on the first line, then, in the safetensors format, the
embeddings and the arrays of the network, with the names, the threshold and the network's settings
as JSON. It is written under a temporary name and renamed; a damaged file is refused, and so is an
intact one whose content contradicts itself. Nothing is unpickled. `sha256_of` identifies the
network and the distance: embeddings of other networks are never compared or added.

`Gallery` works on arrays in memory. The functions `enrol`, `check`, `identify` and `forget`, which
the commands call, work on a gallery file and image files; they read and check all images before
they write the gallery, and hold a lock from reading to writing it, so that two commands at the same
time lose nothing.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict, cast

import numpy as np

from chainrule.data.decoding import FULL, SUFFIXES
from chainrule.data.images import images_below, subfolders
from chainrule.errors import ChainruleError, DataError, OptionError, RunError, did_you_mean
from chainrule.formatting import printable
from chainrule.host import files
from chainrule.host.compilation_cache import enable_compilation_cache
from chainrule.host.files import Lock
from chainrule.host.reading import (
    Above0,
    AtLeast0,
    Positive,
    Sha256,
    convert,
    in_file,
    read_arrays,
    read_bytes,
    read_json,
)
from chainrule.layers.layer import named_arrays
from chainrule.models.conv_network import ConvNetwork
from chainrule.runs.folder import load
from chainrule.runs.networks import PixelScale, as_images, restore_network
from chainrule.train.outputs import network_outputs
from chainrule.vision.parts import read_new
from chainrule.vision.task import VisionModel
from chainrule.vision.verification.training import distance_of

HEADER = b"chainrule gallery 1 sha256 "
WORDS, EMBEDDINGS, NETWORK, PAIR_CLASSIFIER = "words", "embeddings", "network.", "likeness"
INTACT = "an intact copy: the file has been damaged or changed"
LONGEST_NAME = 255
NOBODY = None
"""The name in the answer for an image that shows no known person."""


class Answer(NamedTuple):
    """The name of the person in an image, or None; the nearest known person; and the distance D."""

    name: str | None
    D: float
    nearest: str


@dataclass(frozen=True)
class Gallery:
    """Names and their embeddings, one row each; a D of at most `threshold` means the same person.

    Images must have the form on which `network` was trained; their pixels are scaled as in training
    (`pixel_scale`), and `white` is the value of white in image files with 16 bits.
    """

    network: ConvNetwork
    threshold: float
    names: tuple[str, ...] = ()
    embeddings: np.ndarray | None = None
    pair_classifier: np.ndarray | None = None
    pixel_scale: PixelScale = None
    white: int = FULL

    def __post_init__(self):
        number = isinstance(self.threshold, int | float) and np.isfinite(self.threshold)
        if not number or self.threshold < 0:
            expected = "a number of at least 0, such as the best threshold on the dev identities"
            raise OptionError("Gallery(threshold=…)", expected, repr(self.threshold), "0.5")

    def enrol(self, name: str, images: np.ndarray) -> "Gallery":
        """Add a person by images (m, n_H, n_W, n_C); for a known name, replace the embedding."""
        check_name(name)
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
        """Return the answer for one image, given its distances to all known people."""
        nearest = int(np.argmin(D))
        return self._answer(self.names[nearest], D[nearest])

    def save(self, path: str | os.PathLike) -> None:
        """Write the gallery to one file, atomically; raise RunError if that fails."""
        try:
            files.write_file(Path(path), to_bytes(self))
        except OSError as error:
            expected, hint = "a file that can be written", "another folder"
            raise RunError(str(path), expected, files.describe_error(error), hint) from error

    def _answer(self, name: str, D: float) -> Answer:
        return Answer(name if self.threshold >= D else NOBODY, float(D), name)

    def _distances(self, images: np.ndarray, known: np.ndarray) -> np.ndarray:
        return distance_of(self.pair_classifier)(self._embedded(images), known)

    def _embedded(self, images: np.ndarray) -> np.ndarray:
        images = as_images(images, "the gallery", self.network.shape, scale=self.pixel_scale)
        if not len(images):
            raise DataError("the gallery", "at least one image", "none", "images[:1]")
        return network_outputs(self.network, images).astype(np.float64)

    def _rows(self) -> np.ndarray:
        return np.empty((0, self.network.n_L)) if self.embeddings is None else self.embeddings

    def _place(self, name: str) -> int:
        self.check_known(name)
        return self.names.index(name)


def check_name(name: Any) -> None:
    """Refuse what cannot be the name of a person in one line of a list."""
    expected, got = "a name", repr(name)
    if isinstance(name, str) and name.strip():
        if len(name) > LONGEST_NAME:
            expected = f"a name of at most {LONGEST_NAME} characters"
            got = f"{len(name):,}, {name[:20]!r}…"
        elif printable(name) == name and not set(name) & {"\n", "\t"}:
            return
        else:
            expected = "a name without control characters"
    raise OptionError("enrol(name, …)", expected, got, "'Ada'")


def load_gallery(path: str | os.PathLike) -> Gallery:
    """Load the gallery in this file, after checking its sha256 and its content."""
    return from_bytes(read_bytes(Path(path), RunError), str(path))


def to_bytes(gallery: Gallery) -> bytes:
    """Return the content of a gallery's file."""
    from safetensors.numpy import save

    metadata: dict[str, Any] = {
        "names": gallery.names,
        "threshold": float(gallery.threshold),
        "network": gallery.network.settings,
        "pixel_scale": gallery.pixel_scale,
        "white": gallery.white,
        "sha256": sha256_of(gallery),
    }
    arrays = {NETWORK + name: np.asarray(x) for name, x in named_arrays(gallery.network).items()}
    if gallery.pair_classifier is not None:
        arrays[PAIR_CLASSIFIER] = np.asarray(gallery.pair_classifier)
    arrays[EMBEDDINGS] = gallery._rows()
    arrays[WORDS] = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
    content = save({name: np.asarray(x, order="C") for name, x in arrays.items()})
    return HEADER + hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def sha256_of(gallery: Gallery) -> str:
    """Return the sha256 of all that determines the distance D of two images and its threshold."""
    pairs = gallery.pair_classifier
    settings = [gallery.network.settings, float(gallery.threshold), gallery.pixel_scale]
    arrays = dict(named_arrays(gallery.network)) | ({} if pairs is None else {"": pairs})
    digest = hashlib.sha256(json.dumps([*settings, gallery.white]).encode())
    for name, x in sorted(arrays.items()):
        array = np.asarray(x, order="C")
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


class Metadata(TypedDict):
    """The entries that a gallery stores as JSON; earlier versions lacked the last entries."""

    names: list[str]
    threshold: AtLeast0
    network: dict[str, Any]
    pixel_scale: NotRequired[Above0 | Literal["fractions", "binary", "as given"] | None]
    white: NotRequired[Positive]
    sha256: NotRequired[Sha256]


def from_bytes(content: bytes, where: str) -> Gallery:
    """Read the content of a gallery's file, and refuse it if it was changed."""
    line, _, payload = content.partition(b"\n")
    if not line.startswith(HEADER):
        hint = "a file that Gallery.save wrote"
        raise RunError(where, "a gallery in format 1", "content that is not a gallery", hint)
    if line != HEADER + hashlib.sha256(payload).hexdigest().encode():
        raise RunError(where, "the content that was saved", "a different sha256", INTACT)
    arrays = read_arrays(payload, where, error=RunError, hint=INTACT)
    with in_file(Path(where), error=RunError, hint=INTACT):
        return _gallery(arrays)


def _gallery(arrays: Mapping[str, np.ndarray]) -> Gallery:
    """Build a gallery from the arrays of its file, which may have any content."""
    for name, kind in {WORDS: np.uint8, EMBEDDINGS: np.float64}.items():
        if name not in arrays or arrays[name].dtype != kind:
            got = "none" if name not in arrays else f"one of {arrays[name].dtype}"
            raise DataError(f"the array {name}", f"an array of {np.dtype(kind)}", got)
    metadata = convert(read_json(arrays[WORDS].tobytes(), WORDS), Metadata, WORDS)
    names, rows, pairs = metadata["names"], arrays[EMBEDDINGS], arrays.get(PAIR_CLASSIFIER)
    weights = {k.removeprefix(NETWORK): x for k, x in arrays.items() if k.startswith(NETWORK)}
    network: Any = restore_network(metadata["network"], weights)
    _check_people(names, rows, network.n_L)
    if pairs is not None and not (pairs.shape == (network.n_L + 1,) and np.isfinite(pairs).all()):
        expected = f"{network.n_L + 1} finite numbers"
        raise DataError(f"the array {PAIR_CLASSIFIER}", expected, f"an array {pairs.shape}")
    scale = {"pixel_scale": metadata.get("pixel_scale"), "white": metadata.get("white", FULL)}
    known = rows if len(names) else None
    gallery = Gallery(network, metadata["threshold"], tuple(names), known, pairs, **scale)
    if metadata.get("sha256", sha256_of(gallery)) != sha256_of(gallery):
        raise DataError("the network", "that of the embeddings", "another network")
    return gallery


def _check_people(names: Sequence[str], rows: np.ndarray, n: int) -> None:
    """Refuse a name that occurs twice, and rows that are not an embedding for each name."""
    name, count = max(Counter(names).items(), key=itemgetter(1), default=("", 0))
    if count > 1:
        raise DataError("the names", "each name once", f"{name!r} {count} times")
    if rows.shape != (len(names), n):
        expected, got = f"({len(names)}, {n}), one row for each name", str(rows.shape)
        raise DataError(f"the array {EMBEDDINGS}", expected, got)
    lengths = np.linalg.norm(rows, axis=1)
    if not (np.isfinite(rows).all() and np.allclose(lengths, 1)):
        raise DataError(f"the array {EMBEDDINGS}", "rows of length one", "others")


# A gallery file and image files


class Seen(NamedTuple):
    """An image file, and the gallery's answer for it."""

    file: Path
    answer: Answer

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"file": str(self.file), **self.answer._asdict()}


def enrol(run: str, path: str, people: Mapping[str, Sequence[str | Path]]) -> Gallery:
    """Add people, each given by image files or folders, to a gallery file, new or existing."""
    enable_compilation_cache()
    model = cast(VisionModel, load(run, "verify")).model
    new = model.gallery()
    _saved(path, new, run)  # before any image is read
    images = {name: pixels_of(photos, new)[1] for name, photos in people.items()}
    with about(path), locked(path):
        gallery = _saved(path, new, run)
        for name, X in images.items():
            gallery = gallery.enrol(name, X)
        gallery.save(path)
    return gallery


def _saved(path: str, new: Gallery, run: str) -> Gallery:
    """Return the gallery in a file, or the new one if there is no file; refuse other networks."""
    if not os.path.lexists(path):
        return new
    saved = load_gallery(path)
    if sha256_of(saved) != sha256_of(new):
        hint = f"a new file for {run}, or the run with which the gallery was created"
        expected = f"a gallery made with the network of {run}"
        raise RunError(path, expected, "a gallery made with a different network", hint)
    return saved


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold the lock on a gallery file, PATH.lock, which is deleted afterwards."""
    lock = Lock(Path(f"{path}.lock"))
    try:
        lock.acquire(wait=True)
    except OSError as error:
        expected, hint = "a file that can be written", "another folder"
        raise RunError(path, expected, files.describe_error(error), hint) from error
    try:
        yield
    finally:
        lock.delete()


def people_in(folder: str) -> dict[str, list[Path]]:
    """Return the image files of each person in a folder with one subfolder per person."""
    if not os.path.isdir(folder):
        got = "a file" if os.path.exists(folder) else "no such folder"
        hint = "a folder such as people, where people/ada holds images of ada"
        raise DataError(folder, "a folder with one subfolder per person", got, hint)
    found = {one.name: photos_of(one) for one in subfolders(Path(folder))}
    if not found:
        hint = "NAME IMAGE…, if all images show one person"
        raise DataError(folder, "a folder with one subfolder per person", "none", hint)
    for name, photos in found.items():
        if not photos:
            hint = f"removing the folder; readable formats are {', '.join(SUFFIXES)}"
            raise DataError(str(Path(folder) / name), "images of the person", "none", hint)
    return found


def photos_of(person: Path) -> list[Path]:
    """Return the images of a person, also those in subfolders."""
    return images_below(person) if any(person.iterdir()) else []


def check(path: str, name: str, files: Sequence[str]) -> tuple[Gallery, list[Seen]]:
    """Decide whether each image file shows the person with this name."""
    enable_compilation_cache()
    gallery = load_gallery(path)
    with about(path):
        gallery.check_known(name)
    paths, X = pixels_of(files, gallery)
    return gallery, [Seen(*pair) for pair in zip(paths, gallery.verify(name, X), strict=True)]


def identify(path: str, files: Sequence[str]) -> tuple[Gallery, list[Seen]]:
    """Identify the person in each image file."""
    enable_compilation_cache()
    gallery = load_gallery(path)
    paths, X = pixels_of(files, gallery)
    with about(path):
        answers = gallery.identify(X)
    return gallery, [Seen(*pair) for pair in zip(paths, answers, strict=True)]


def forget(path: str, name: str) -> Gallery:
    """Remove a person from a gallery file, and return the gallery."""
    load_gallery(path)  # before a lock is created
    with about(path), locked(path):
        gallery = load_gallery(path).without(name)
        gallery.save(path)
    return gallery


def pixels_of(files: Sequence[str | Path], gallery: Gallery) -> tuple[list[Path], np.ndarray]:
    """Read the images in these files and folders, resized for the gallery's network."""
    read = [read_new(file, gallery.network.shape, white=gallery.white) for file in files]
    return [path for paths, _ in read for path in paths], np.concatenate([X for _, X in read])


@contextmanager
def about(path: str) -> Iterator[None]:
    """Prefix errors about a gallery with the path of its file."""
    try:
        yield
    except ChainruleError as error:
        raise error if error.where.startswith(path) else error.inside(path) from None
