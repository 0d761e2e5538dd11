"""Random bits on the device, cheap enough for a mask at every step.

    bits = mix(mix(place ⊕ k₀) + k₁)        k₀, k₁ the words of the key

`mix` is a multiply-xorshift hash of 32 bits (lowbias32 of C. Wellons: of its kind the one found
with the least bias), which is one to one, so no two places of a mask share their bits. The places
are numbered example by example: more examples leave the bits of the first. On a CPU XLA
writes this into the loop that uses the bits, so they never reach memory; `jax.random.bits` costs
ten times as much there (docs/experiments.md). Keys of steps and layers come from JAX's own
`fold_in`, whose words are as good as independent.
"""

from math import prod

import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt32

from chainrule.kernels.products import FEW_EXAMPLES
from chainrule.types import Key

WIDE = 128  # features


def random_bits(key: Key, shape: tuple[int, ...]) -> UInt32[Array, "..."]:
    """32 bits for each place of `shape`, the same for the same key on every machine."""
    if len(shape) != 2:
        return _hash(key, jax.lax.iota(jnp.uint32, prod(shape)).reshape(shape))
    n, m = shape
    if better_in_rows(n, m):
        return _hash(key, jax.lax.iota(jnp.uint32, n * m).reshape(m, n)).T
    unit, example = (jax.lax.broadcasted_iota(jnp.uint32, shape, axis) for axis in (0, 1))
    return _hash(key, example * jnp.uint32(n) + unit)


def better_in_rows(n: int, m: int) -> bool:
    """Whether XLA keeps columns of so many features and examples in rows, for its products.

    A mask that is not laid out as what it is multiplied with costs more than the bits themselves.
    """
    return m <= FEW_EXAMPLES and n >= WIDE


def _hash(key: Key, places: Array) -> Array:
    first, *_, last = jax.random.key_data(key)
    return _mix(_mix(places ^ first) + last)


def _mix(x: Array) -> Array:
    x = (x ^ (x >> 16)) * jnp.uint32(0x21F0AAAD)
    x = (x ^ (x >> 15)) * jnp.uint32(0xD35A2D97)
    return x ^ (x >> 15)
