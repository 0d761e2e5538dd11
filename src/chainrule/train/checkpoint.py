"""Checkpoints, from which an interrupted training run continues where it stopped.

    RUN.partial/checkpoints/0000001200.checkpoint     after step 1,200

A file has one line with the sha256 of the rest, then the arrays in the safetensors format; the
history so far, with all changes that were made, is stored among them as JSON, and so is a digest of
the training to which it belongs. It is written under a temporary name, synced and renamed, and the
last two files are kept. A damaged file is detected, and the previous one is used instead; one of
another training is refused. Earlier versions did not store the digest. Nothing is unpickled.
"""

import hashlib
import json
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.errors import DataWarning, OptionError, RunError
from chainrule.host import files
from chainrule.host.reading import convert, read_arrays, read_bytes, read_json

HEADER = b"chainrule checkpoint 1 sha256 "
WORDS, TRAINING = "words", "training"
KEPT = 2
EVERY = 60.0


class Saved(NamedTuple):
    """A checkpoint that was read: the pytree, and the JSON data stored with it."""

    tree: Any
    words: dict[str, Any]


class Checkpoints:
    """The checkpoints in `folder`, of which one is due after every `every` seconds.

    `recipe` is a digest of the recipe and the data, if the training has a recipe; it becomes the
    digest of the training, which `fit` computes otherwise.
    """

    def __init__(self, folder: str | Path, every: float = EVERY, recipe: str = ""):
        if not 0 <= every < float("inf"):
            raise OptionError("Checkpoints(every=…)", "at least 0 seconds", f"{every:g}", "60")
        self.folder, self.every = Path(folder), every
        self.recipe = self.training = recipe
        self.written_at, self.failed = time.monotonic(), False

    @property
    def due(self) -> bool:
        """Return whether it is time to write a checkpoint."""
        return time.monotonic() - self.written_at >= self.every

    def write(self, step: int, tree: Any, words: dict[str, Any]) -> None:
        """Write a checkpoint; if that fails, warn once and let the training continue."""
        try:
            files.make_subfolder(self.folder)
            training = {TRAINING: self.training} if self.training else {}
            content = to_bytes(tree, words | training)
            files.write_file(self.folder / f"{step:010}.checkpoint", content)
            leftovers = self.folder.glob(f"*.checkpoint{files.TEMPORARY}")
            self._delete([*self._files()[KEPT:], *leftovers])
            self.failed = False
        except OSError as error:
            if not self.failed:
                warnings.warn(
                    f"no checkpoint could be written after step {step:,} "
                    f"({files.describe_error(error)}); the training continues.",
                    DataWarning,
                    stacklevel=2,
                )
            self.failed = True
        self.written_at = time.monotonic()

    def newest(self, like: Any) -> Saved | None:
        """Read the newest intact checkpoint into a pytree like `like`; warn of damaged ones."""
        paths = self._files()
        for i, file in enumerate(paths):
            try:
                found = self._read(file, like)
            except _DamagedError as error:
                start = "from the previous one" if i + 1 < len(paths) else "from the beginning"
                message = f"{file} is damaged ({error}); the training continues {start}."
                warnings.warn(message, DataWarning, stacklevel=2)
                continue
            self._delete(paths[:i])  # damaged files must not count among the last two
            return found
        return None

    def _read(self, file: Path, like: Any) -> Saved:
        """Read a checkpoint."""
        try:
            content = read_bytes(file, RunError)
        except RunError as error:
            raise _DamagedError(error.got) from None
        return from_bytes(content, like, str(file))

    def _delete(self, paths: list[Path]) -> None:
        for file in paths:
            with suppress(OSError):
                file.unlink()

    def _files(self) -> list[Path]:
        """Return the checkpoint files, newest first."""
        found = self.folder.glob("[0-9]*.checkpoint")
        return sorted((file for file in found if file.stem.isdecimal()), reverse=True)


class _DamagedError(Exception):
    """The content of a checkpoint is not what was written."""


def to_bytes(tree: Any, words: dict[str, Any]) -> bytes:
    """Return the content of a checkpoint file."""
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(x) for name, x in _arrays_by_path(tree).items()}
    flat = {name: x.reshape(-1).view(np.uint8) for name, x in arrays.items()}
    metadata = np.frombuffer(json.dumps(words).encode(), np.uint8)
    content = save(flat | {WORDS: metadata})
    return HEADER + hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def from_bytes(content: bytes, like: Any, where: str) -> Saved:
    """Read the content of a checkpoint file; raise RunError if it is of a different network."""
    line, _, payload = content.partition(b"\n")
    if line != HEADER + hashlib.sha256(payload).hexdigest().encode():
        raise _DamagedError("its sha256 does not match")
    arrays = read_arrays(payload, where, error=RunError)
    text = arrays.pop(WORDS, np.zeros(0)).tobytes()
    saved = read_json(text, where, error=RunError, finite=False)
    words = convert(saved, dict[str, Any], where, error=RunError)
    leaves = []
    for name, leaf in _arrays_by_path(like).items():
        found = arrays.get(name)
        if found is None or found.dtype != np.uint8 or found.shape != (leaf.nbytes,):
            expected, got = f"a checkpoint with {name} {leaf.shape}", "a different network"
            raise RunError(where, expected, got, "the folder of that training run, or a new one")
        leaves.append(found.view(leaf.dtype).reshape(leaf.shape))
    if len(leaves) != len(arrays):
        raise RunError(where, "a checkpoint of this network", "additional arrays", "a new folder")
    whole = map(_like, leaves, jax.tree.leaves(like))
    return Saved(jax.tree.unflatten(jax.tree.structure(like), whole), words)


def _arrays_by_path(tree: Any) -> dict[str, np.ndarray]:
    """Return every array by its path in the pytree."""
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    bare = [jax.random.key_data(x) if _is_key(x) else x for _, x in paths]
    values = jax.device_get(bare)
    names = (jax.tree_util.keystr(path) for path, _ in paths)
    return {name: np.asarray(x) for name, x in zip(names, values, strict=True)}


def _like(found: Any, leaf: Any) -> Any:
    """Return the array that was read, as a random key if `leaf` is one."""
    if not _is_key(leaf):
        return found
    return jax.random.wrap_key_data(found, impl=jax.random.key_impl(leaf))


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)
