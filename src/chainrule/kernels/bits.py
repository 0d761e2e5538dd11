"""Random bits on the device, cheap enough for a mask at every step.

    bits[i] = mix(mix(i ⊕ k₀) + k₁)        k₀, k₁ the words of the key, i = 0, 1, 2, …

`mix` is a multiply-xorshift hash of 32 bits (lowbias32 of C. Wellons: of its kind the one found
with the least bias), which is one to one, so no two places of a mask share their bits. On a CPU XLA
writes this into the loop that uses the bits, so they never reach memory; `jax.random.bits` costs
ten times as much there (docs/experiments.md). Keys of steps and layers come from JAX's own
`fold_in`, whose words are as good as independent.
"""

from math import prod

import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt32

from chainrule.types import Key


def random_bits(key: Key, shape: tuple[int, ...]) -> UInt32[Array, "..."]:
    """32 bits for each place of `shape`, the same for the same key on every machine."""
    first, *_, last = jax.random.key_data(key)
    places = jax.lax.iota(jnp.uint32, prod(shape)).reshape(shape)
    return _mix(_mix(places ^ first) + last)


def _mix(x: Array) -> Array:
    x = (x ^ (x >> 16)) * jnp.uint32(0x21F0AAAD)
    x = (x ^ (x >> 15)) * jnp.uint32(0xD35A2D97)
    return x ^ (x >> 15)
