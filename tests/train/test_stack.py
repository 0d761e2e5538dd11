"""chainrule/train/many_steps.py"""

import jax
import numpy as np
import pytest

from chainrule.errors import OptionError
from chainrule.train.many_steps import check_same_structure, stack, unstack


def trees():
    return [{"w": np.full((2, 1), float(i)), "key": jax.random.key(i)} for i in range(3)]


def test_stacking_and_unstacking_restores_the_trees():
    whole = stack(trees())
    assert whole["w"].shape == (3, 2, 1)
    np.testing.assert_array_equal(whole["w"][:, 0, 0], [0, 1, 2])
    parts = unstack(whole, 2)  # the third is only padding
    assert len(parts) == 2
    for part, tree in zip(parts, trees(), strict=False):
        np.testing.assert_array_equal(part["w"], tree["w"])
        assert (part["key"] == tree["key"]).all()


def test_the_stack_shares_no_memory():
    one = {"w": np.zeros(3)}
    whole = stack([one])
    one["w"][0] = 7
    assert float(whole["w"][0, 0]) == 0


OTHERS = {
    "structure": {"v": np.zeros(2)},
    "shape": {"w": np.zeros(3)},
    "dtype": {"w": np.zeros(2, np.float32)},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_a_different_tree_is_named_in_the_error(other):
    one = {"w": np.zeros(2)}
    check_same_structure([one, one], "its network", "the first one's kind", "each on its own")
    with pytest.raises(OptionError) as error:
        check_same_structure(
            [one, one, other], "its network", "the first one's kind", "each on its own"
        )
    assert str(error.value) == (
        "candidate 2, its network: expected the first one's kind; got a different one.\n"
        "Try each on its own."
    )
