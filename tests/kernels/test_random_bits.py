"""Tests of chainrule/kernels/random_bits.py."""

from math import prod

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.kernels.random_bits import WIDE, better_in_rows, random_bits

KEY = jax.random.key(0)
draw = jax.jit(random_bits, static_argnames="shape")


def planes(keys, n: int = 4096) -> np.ndarray:
    """Return the bits as an array (keys, n, 32) of 0 and 1."""
    words = np.stack([np.asarray(draw(key, (n,))) for key in keys])
    return (words[..., None] >> np.arange(32, dtype=np.uint32)) & 1


@pytest.mark.parametrize("shape", [(2, 3), (WIDE, 3)], ids=["columns", "rows"])
def test_by_hand(shape):
    """Compare with the hash in Python integers, one place after another, example by example."""

    def mix(x):
        x = (x ^ (x >> 16)) * 0x21F0AAAD % 2**32
        x = (x ^ (x >> 15)) * 0xD35A2D97 % 2**32
        return x ^ (x >> 15)

    first, last = (int(word) for word in jax.random.key_data(KEY))
    wanted = [mix((mix(i ^ first) + last) % 2**32) for i in range(prod(shape))]
    np.testing.assert_array_equal(np.ravel(random_bits(KEY, shape).T), wanted)
    np.testing.assert_array_equal(np.ravel(random_bits(KEY, (1, *shape, 1))), wanted)
    assert better_in_rows(*shape) == (shape[0] == WIDE)


def test_every_bit_is_unbiased():
    ones = planes([jax.random.fold_in(KEY, i) for i in range(16)]).reshape(-1, 32).mean(axis=0)
    assert np.abs(ones - 0.5).max() < 5 * 0.5 / np.sqrt(16 * 4096)


@pytest.mark.parametrize("lag", [1, 2, 64, 1000])
def test_places_are_independent(lag):
    bits = planes([jax.random.fold_in(KEY, i) for i in range(16)])
    same = (bits[:, lag:] == bits[:, :-lag]).reshape(-1, 32).mean(axis=0)
    assert np.abs(same - 0.5).max() < 5 * 0.5 / np.sqrt(16 * (4096 - lag))


def test_neighbouring_keys_are_independent():
    bits = planes([jax.random.fold_in(KEY, i) for i in range(17)])
    same = (bits[1:] == bits[:-1]).reshape(-1, 32).mean(axis=0)
    assert np.abs(same - 0.5).max() < 5 * 0.5 / np.sqrt(16 * 4096)


def test_bytes_are_uniform():
    words = np.asarray(draw(KEY, (2**18,)))
    for shift in (0, 8, 24):
        counts = np.bincount((words >> shift) & 255, minlength=256)
        chi_squared = ((counts - 1024) ** 2 / 1024).sum()
        assert 255 - 5 * np.sqrt(510) < chi_squared < 255 + 5 * np.sqrt(510)


def test_bits_depend_only_on_the_key_also_under_vmap():
    keys = jax.random.split(KEY, 3)
    at_once = jax.vmap(lambda key: random_bits(key, (4, 5)))(keys)
    for key, bits in zip(keys, at_once, strict=True):
        np.testing.assert_array_equal(bits, draw(key, (4, 5)))
    assert at_once.dtype == jnp.uint32
    assert len(np.unique(at_once)) == 60
