"""Random bits on the device, cheap enough for a new dropout mask at every step.

    bits = mix(mix(place ⊕ k₀) + k₁)        k₀, k₁ the words of the key

`mix` is a multiply-xorshift hash of 32 bits (lowbias32 by C. Wellons, the least biased hash of this
form that was found). It is one to one, so no two places of a mask get the same bits. The places are
numbered example by example: adding examples does not change the bits of the first ones. On a CPU,
XLA fuses this into the loop that uses the bits, so they are never written to memory;
`jax.random.bits` takes ten times as long there (docs/experiments.md). The keys of steps and layers
come from JAX's `fold_in`, whose words are practically independent.
"""

from math import prod

import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt32

from chainrule.kernels.products import FEW_EXAMPLES
from chainrule.types import Key

WIDE = 128  # features


def random_bits(key: Key, shape: tuple[int, ...]) -> UInt32[Array, "..."]:
    """Return 32 random bits for each place of `shape`, the same on every machine for a key."""
    if len(shape) != 2:
        return _hash(key, jax.lax.iota(jnp.uint32, prod(shape)).reshape(shape))
    n, m = shape
    if better_in_rows(n, m):
        return _hash(key, jax.lax.iota(jnp.uint32, n * m).reshape(m, n)).T
    unit, example = (jax.lax.broadcasted_iota(jnp.uint32, shape, axis) for axis in (0, 1))
    return _hash(key, example * jnp.uint32(n) + unit)


def better_in_rows(n: int, m: int) -> bool:
    """Return whether XLA stores an (n, m) array with its examples as rows, for matrix products.

    A mask whose layout differs from that of the array it multiplies costs more than the bits.
    """
    return m <= FEW_EXAMPLES and n >= WIDE


def _hash(key: Key, places: Array) -> Array:
    first, *_, last = jax.random.key_data(key)
    return _mix(_mix(places ^ first) + last)


def _mix(x: Array) -> Array:
    x = (x ^ (x >> 16)) * jnp.uint32(0x21F0AAAD)
    x = (x ^ (x >> 15)) * jnp.uint32(0xD35A2D97)
    return x ^ (x >> 15)
