"""chainrule/train/loader.py: the rows of each step, requested in any pieces."""

import numpy as np

from chainrule.data.batches import epoch_order
from chainrule.train.loader import MAX_STEPS, Order


def test_the_epochs_one_after_the_other():
    whole = np.concatenate([epoch_order(20, 8, seed=3, epoch=epoch) for epoch in range(4)])
    order = Order(20, 8, seed=3)
    assert order.steps_per_epoch == 3
    for first, n in (
        (0, 1),
        (0, 12),
        (2, 5),
        (11, 1),
        (4, 3),
    ):  # also backwards, as after a bad step
        np.testing.assert_array_equal(order.table(first, n)[:n], whole[first : first + n])


def test_a_table_always_has_the_same_size():
    order = Order(20, 8, seed=0)
    assert order.table(0, 1).shape == order.table(1, 9).shape == (MAX_STEPS, 8)


def test_past_epochs_are_discarded():
    order = Order(20, 8, seed=0)
    order.prepare(0, 9)
    order.prepare(7, 1)
    assert sorted(order.epochs) == [2]


def test_the_whole_set_has_no_order():
    order = Order(20, 20, seed=0)
    order.prepare(0, 5)
    assert order.epochs == {}
