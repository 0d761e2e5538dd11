"""Random numbers drawn on the host from a JAX key, without compiling anything.

NumPy's generator is seeded with the key, so that initialising a first network needs no compilation
and the same seed gives the same weights on every device.
"""

from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from chainrule.errors import OptionError
from chainrule.types import Key


def key_from_seed(seed: int) -> Key:
    """Return the key `jax.random.key(seed)`, for a seed from 0 to 2³² − 1."""
    if not 0 <= seed < 2**32:
        raise OptionError("seed", "a whole number from 0 to 2³² − 1", str(seed), "seed=0")
    return _as_key(np.array([0, seed], np.uint32))


def split_key(key: Key, n: int) -> list[Key]:
    """Split a key into n keys; a larger n gives the same first keys."""
    words = np.random.SeedSequence(_words(key)).generate_state(2 * n).reshape(n, 2)
    return [_as_key(pair) for pair in words]


def seed_of_member(seed: int, k: int) -> int:
    """Return the seed of member k of an ensemble, counted from 0; member 0 has the seed itself.

    It does not depend on the number of members.

    >>> [seed_of_member(7, k) for k in range(3)]
    [7, 369571992, 1009178997]
    """
    return int(np.random.SeedSequence((seed, k)).generate_state(1)[0]) if k else seed


def host_generator(key: Key) -> np.random.Generator:
    """Return NumPy's generator, seeded with the key."""
    return np.random.default_rng(_words(key))


def _as_key(words: np.ndarray) -> Key:
    """Return the JAX key that consists of these two 32-bit words, a known value also in `jit`."""
    with jax.ensure_compile_time_eval():
        return jax.random.wrap_key_data(jax.device_put(words), impl="threefry2x32")


def _words(key: Any) -> list[int]:
    """Return the 32-bit words of a JAX key, typed or raw."""
    if not hasattr(key, "dtype"):
        seed = key if isinstance(key, int) else 0
        raise OptionError("key", "a JAX key", repr(key), f"jax.random.key({seed})")
    if isinstance(key, Tracer):
        expected, got = "a JAX key with a known value", "a key that was created inside jax.jit"
        hint = "creating the key outside of the compiled function"
        raise OptionError("key", expected, got, hint)
    with jax.ensure_compile_time_eval():
        typed = jax.numpy.issubdtype(key.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(key) if typed else key).ravel().tolist()
