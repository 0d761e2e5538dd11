"""Randomness drawn on the host: from a key, without compiling anything.

A key is JAX's; from it NumPy's generator draws, so that a first network costs no compilation and
the same seed gives the same weights on every device.
"""

from typing import Any

import jax
import numpy as np

from chainrule.errors import OptionError
from chainrule.types import Key


def key_from_seed(seed: int) -> Key:
    """The key that `jax.random.key(seed)` gives, for a seed from 0 to 2³² − 1."""
    if not 0 <= seed < 2**32:
        raise OptionError("seed", "a whole number from 0 to 2³² − 1", str(seed), "seed=0")
    return _as_key(np.array([0, seed], np.uint32))


def split_key(key: Key, n: int) -> list[Key]:
    """n keys from one; a larger n gives the same ones first."""
    words = np.random.SeedSequence(_words(key)).generate_state(2 * n).reshape(n, 2)
    return [_as_key(pair) for pair in words]


def host_generator(key: Key) -> np.random.Generator:
    """NumPy's generator, seeded with the key."""
    return np.random.default_rng(_words(key))


def _as_key(words: np.ndarray) -> Key:
    return jax.random.wrap_key_data(jax.device_put(words), impl="threefry2x32")


def _words(key: Any) -> list[int]:
    if not hasattr(key, "dtype"):
        seed = key if isinstance(key, int) else 0
        raise OptionError("key", "a key of JAX", repr(key), f"jax.random.key({seed})")
    typed = jax.numpy.issubdtype(key.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(key) if typed else key).ravel().tolist()
