"""Checkpoints: a training that is interrupted at any moment goes on where it was.

    RUN.partial/checkpoints/0000001200.checkpoint     after step 1,200

A file is one line with the sha256 of what follows, then the arrays as safetensors, the history so
far among them, as JSON. It is written beside, synced and renamed; the last two are kept. A file
that is damaged is noticed and the one before it is used. Nothing is ever unpickled.
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

from chainrule import durable
from chainrule.errors import DataWarning, OptionError, RunError

HEADER = b"chainrule checkpoint 1 sha256 "
WORDS = "words"
KEPT = 2
EVERY = 60.0


class Saved(NamedTuple):
    """A checkpoint as it was read: the pytree, and what was said beside it."""

    tree: Any
    words: dict[str, Any]


class Checkpoints:
    """The checkpoints in `folder`; one is due `every` so many seconds."""

    def __init__(self, folder: str | Path, every: float = EVERY):
        if not 0 <= every < float("inf"):
            raise OptionError("Checkpoints(every=…)", "seconds, 0 or more", f"{every:g}", "60")
        self.folder, self.every = Path(folder), every
        self.written_at, self.failed = time.monotonic(), False

    @property
    def due(self) -> bool:
        """Whether it is time for one."""
        return time.monotonic() - self.written_at >= self.every

    def write(self, step: int, tree: Any, words: dict[str, Any]) -> None:
        """Keep this; where it cannot be written say so, once, and let the training go on."""
        try:
            durable.make_folder(self.folder)
            durable.write(self.folder / f"{step:010}.checkpoint", to_bytes(tree, words))
            self._take_away([*self._files()[KEPT:], *self.folder.glob("*.new")])
            self.failed = False
        except OSError as error:
            if not self.failed:
                warnings.warn(
                    f"no checkpoint could be written after step {step:,} "
                    f"({durable.words(error)}); the training goes on.",
                    DataWarning,
                    stacklevel=2,
                )
            self.failed = True
        self.written_at = time.monotonic()

    def newest(self, like: Any) -> Saved | None:
        """The newest that is whole, in the form of the pytree `like`; what is not is said."""
        files = self._files()
        for i, file in enumerate(files):
            try:
                found = from_bytes(file.read_bytes(), like, str(file))
            except (OSError, _DamagedError) as error:
                after = "the one before it" if i + 1 < len(files) else "the beginning"
                words = f"{file} is damaged ({error}); the training goes on from {after}."
                warnings.warn(words, DataWarning, stacklevel=2)
                continue
            self._take_away(files[:i])  # or they would be among the last two that are kept
            return found
        return None

    def _take_away(self, files: list[Path]) -> None:
        for file in files:
            with suppress(OSError):
                file.unlink()

    def _files(self) -> list[Path]:
        """The newest first."""
        return sorted(self.folder.glob("*.checkpoint"), reverse=True)


class _DamagedError(Exception):
    """Bytes that are not those that were written."""


def to_bytes(tree: Any, words: dict[str, Any]) -> bytes:
    """The file of a checkpoint."""
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(x) for name, x in _named(tree).items()}
    flat = {name: x.reshape(-1).view(np.uint8) for name, x in arrays.items()}
    said = np.frombuffer(json.dumps(words).encode(), np.uint8)
    content = save(flat | {WORDS: said})
    return HEADER + hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def from_bytes(content: bytes, like: Any, where: str) -> Saved:
    """What `to_bytes` made a file of; raises RunError where it is of another network."""
    from safetensors.numpy import load

    line, _, payload = content.partition(b"\n")
    if line != HEADER + hashlib.sha256(payload).hexdigest().encode():
        raise _DamagedError("its sha256 is not the one that was written")
    arrays = load(payload)
    words = json.loads(arrays.pop(WORDS).tobytes())
    leaves = []
    for name, leaf in _named(like).items():
        found = arrays.get(name)
        if found is None or found.nbytes != leaf.nbytes:
            hint = "the folder of that training, or a new one"
            raise RunError(where, f"a checkpoint with {name} {leaf.shape}", "another", hint)
        leaves.append(found.view(leaf.dtype).reshape(leaf.shape))
    if len(leaves) != len(arrays):
        raise RunError(where, "a checkpoint of this network", "one with more", "a new folder")
    whole = map(_like, leaves, jax.tree.leaves(like))
    return Saved(jax.tree.unflatten(jax.tree.structure(like), whole), words)


def _named(tree: Any) -> dict[str, np.ndarray]:
    """Every array by its path."""
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    bare = [jax.random.key_data(x) if _is_key(x) else x for _, x in paths]
    values = jax.device_get(bare)
    names = (jax.tree_util.keystr(path) for path, _ in paths)
    return {name: np.asarray(x) for name, x in zip(names, values, strict=True)}


def _like(found: Any, leaf: Any) -> Any:
    """What was read, as a key of the same kind where `leaf` is one."""
    if not _is_key(leaf):
        return found
    return jax.random.wrap_key_data(found, impl=jax.random.key_impl(leaf))


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)
