"""chainrule/host/randomness.py"""

import jax
import numpy as np
import pytest

from chainrule.errors import OptionError
from chainrule.host.randomness import host_generator, key_from_seed, split_key
from tests.compilations import compilations


def numbers(key):
    return host_generator(key).standard_normal(4).tolist()


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 - 1])
def test_a_seed_gives_jaxs_own_key(seed):
    key = key_from_seed(seed)
    assert key.dtype == jax.random.key(0).dtype
    np.testing.assert_array_equal(jax.random.key_data(key), [0, seed])
    theirs = jax.random.key(np.uint32(seed))
    np.testing.assert_array_equal(jax.random.key_data(key), jax.random.key_data(theirs))


def test_the_same_key_gives_the_same_numbers_and_another_others():
    assert numbers(key_from_seed(5)) == numbers(jax.random.key(5))
    assert numbers(key_from_seed(5)) != numbers(key_from_seed(6))


def test_a_raw_key_is_accepted():
    assert numbers(jax.random.PRNGKey(5)) == numbers(jax.random.key(5))


def test_split_keys_differ_from_each_other_and_from_their_source():
    keys = [key_from_seed(0), *split_key(key_from_seed(0), 5), *split_key(key_from_seed(1), 5)]
    assert len({tuple(numbers(key)) for key in keys}) == 11


def test_a_larger_split_gives_the_same_keys_first():
    three, five = ([numbers(key) for key in split_key(key_from_seed(3), n)] for n in (3, 5))
    assert three == five[:3]


def test_a_split_key_works_in_jax():
    (key,) = split_key(key_from_seed(0), 1)
    assert jax.random.uniform(key).shape == ()


def test_nothing_is_compiled():
    key_from_seed(0)
    with compilations() as compiled:
        host_generator(split_key(key_from_seed(123), 7)[0]).standard_normal(3)
    assert compiled == []


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_reported(seed):
    with pytest.raises(OptionError, match="seed: expected a whole number from 0 to"):
        key_from_seed(seed)


def test_a_seed_in_place_of_a_key_is_reported():
    with pytest.raises(OptionError) as error:
        split_key(5, 2)
    assert str(error.value) == "key: expected a JAX key; got 5.\nTry jax.random.key(5)."


def test_a_known_key_is_used_inside_jit():
    key = jax.random.key(3)

    def drawn(x):
        return x + host_generator(split_key(key, 2)[1]).standard_normal()

    assert float(jax.jit(drawn)(0.0)) == float(drawn(0.0))


def test_a_key_that_is_made_inside_jit_is_reported():
    for function in (lambda x: split_key(jax.random.key(0), 2), host_generator):
        with pytest.raises(OptionError) as error:
            jax.jit(function)(jax.random.key(0))
        assert str(error.value) == (
            "key: expected a JAX key with a known value; got a key that was created inside "
            "jax.jit.\nTry creating the key outside of the compiled function."
        )
