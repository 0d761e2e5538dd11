"""A gallery: the embeddings of known people and the network that computed them, in one file.

Notes: "Face verification vs face recognition" (course 4, week 4), and "Face verification and binary
classification", where the embeddings of known people are computed in advance.

    enrol       a name and images: the embedding is their mean, scaled to length one
    verify      1:1, is it this person?         D ≤ τ to the embedding of that name
    identify    1:N, who is it?                 the nearest of all, or nobody if its D > τ

D is the squared distance, or a distance learned from pairs (`vision/verification/training.py`). The
file has the sha256 of its content on the first line, then, in the safetensors format, the
embeddings and the arrays of the network, with the names, the threshold and the network's settings
as JSON. It is written under a temporary name and renamed; a damaged file is refused. Nothing is
unpickled.

`Gallery` works on arrays in memory. The functions `enrol`, `check`, `identify` and `forget`, which
the commands call, work on a gallery file and image files; they read and check all images before
they write the gallery.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from chainrule.data.decoding import FULL, SUFFIXES
from chainrule.data.images import images_below, subfolders
from chainrule.errors import ChainruleError, DataError, OptionError, RunError, did_you_mean
from chainrule.host import files
from chainrule.host.compilation_cache import enable_compilation_cache
from chainrule.layers.layer import named_arrays, replace_arrays
from chainrule.models.conv_network import ConvNetwork
from chainrule.runs.folder import load
from chainrule.runs.networks import PixelScale, as_images, rebuild_network
from chainrule.train.outputs import network_outputs
from chainrule.vision.parts import read_new
from chainrule.vision.task import VisionModel
from chainrule.vision.verification.training import distance_of

HEADER = b"chainrule gallery 1 sha256 "
WORDS, EMBEDDINGS, NETWORK, PAIR_CLASSIFIER = "words", "embeddings", "network.", "likeness"
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


def load_gallery(path: str | os.PathLike) -> Gallery:
    """Load the gallery in this file, after checking its sha256."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        hint = "a file that Gallery.save wrote"
        raise RunError(
            str(path), "a readable gallery", files.describe_error(error), hint
        ) from error
    return from_bytes(content, str(path))


def to_bytes(gallery: Gallery) -> bytes:
    """Return the content of a gallery's file."""
    from safetensors.numpy import save

    metadata: dict[str, Any] = {
        "names": gallery.names,
        "threshold": float(gallery.threshold),
        "network": gallery.network.settings,
        "pixel_scale": gallery.pixel_scale,
        "white": gallery.white,
    }
    arrays = {NETWORK + name: np.asarray(x) for name, x in named_arrays(gallery.network).items()}
    if gallery.pair_classifier is not None:
        arrays[PAIR_CLASSIFIER] = np.asarray(gallery.pair_classifier)
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
        raise RunError(where, "a gallery in format 1", "content that is not a gallery", hint)
    if line != HEADER + hashlib.sha256(payload).hexdigest().encode():
        hint = "an intact copy: the file has been damaged or changed"
        raise RunError(where, "the content that was saved", "a different sha256", hint)
    arrays: Mapping[str, np.ndarray] = load(payload)
    metadata = json.loads(arrays[WORDS].tobytes())
    weights = {k.removeprefix(NETWORK): x for k, x in arrays.items() if k.startswith(NETWORK)}
    network: Any = replace_arrays(rebuild_network(metadata["network"]), weights)
    names, rows = tuple(metadata["names"]), arrays[EMBEDDINGS]
    known = rows if len(names) else None
    scale = {"pixel_scale": metadata.get("pixel_scale"), "white": metadata.get("white", FULL)}
    pairs = arrays.get(PAIR_CLASSIFIER)
    return Gallery(network, metadata["threshold"], names, known, pairs, **scale)


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
    gallery = model.gallery()
    if Path(path).exists():
        saved = load_gallery(path)
        if not same_network(saved, gallery):
            hint = f"a new file for {run}, or the run with which the gallery was created"
            expected, got = (
                f"a gallery made with the network of {run}",
                "a gallery made with a different network",
            )
            raise RunError(path, expected, got, hint)
        gallery = saved
    images = {name: pixels_of(photos, gallery)[1] for name, photos in people.items()}
    with about(path):
        for name, X in images.items():
            gallery = gallery.enrol(name, X)
        gallery.save(path)
    return gallery


def people_in(folder: str) -> dict[str, list[Path]]:
    """Return the image files of each person in a folder with one subfolder per person."""
    if not Path(folder).is_dir():
        got = "a file" if Path(folder).exists() else "no such folder"
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
    with about(path):
        gallery = load_gallery(path).without(name)
        gallery.save(path)
    return gallery


def pixels_of(files: Sequence[str | Path], gallery: Gallery) -> tuple[list[Path], np.ndarray]:
    """Read the images in these files and folders, resized for the gallery's network."""
    read = [read_new(file, gallery.network.shape, white=gallery.white) for file in files]
    return [path for paths, _ in read for path in paths], np.concatenate([X for _, X in read])


def same_network(one: Gallery, other: Gallery) -> bool:
    """Return whether both galleries have the same network, threshold and distance."""
    if one.network.settings != other.network.settings or one.threshold != other.threshold:
        return False
    arrays, others = (named_arrays(gallery.network) for gallery in (one, other))
    same = all(np.array_equal(x, others[name]) for name, x in arrays.items())
    learned, learned_too = one.pair_classifier, other.pair_classifier
    if learned is None or learned_too is None:
        return same and learned is learned_too
    return same and np.array_equal(learned, learned_too)


@contextmanager
def about(path: str) -> Iterator[None]:
    """Prefix errors about a gallery with the path of its file."""
    try:
        yield
    except ChainruleError as error:
        raise error if error.where.startswith(path) else error.inside(path) from None
