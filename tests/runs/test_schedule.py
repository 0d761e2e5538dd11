"""chainrule/runs/prepare.py: batches, epochs, patience and learning rate decay."""

from dataclasses import replace

from chainrule.runs.prepare import batch_size_of, epochs_of, patience_of, with_decay, without_decay
from chainrule.runs.recipe import Recipe

NAMED, DENSE = Recipe("photos", network="lenet"), Recipe("table", hidden=(8,))


def test_batches():
    assert [batch_size_of(NAMED, m) for m in (20, 1000, 60_000)] == [20, 64, 64]
    assert batch_size_of(Recipe("photos", network="lenet", batch_size=0), 1000) == 1000
    assert [batch_size_of(DENSE, m) for m in (20, 1000, 60_000)] == [20, 1000, 128]


def test_a_convolutional_network_takes_fewer_epochs():
    assert epochs_of(NAMED, 60_000, 64, "softmax", has_dev=True) == 10
    assert epochs_of(NAMED, 200, 64, "softmax", has_dev=False) == 300
    assert epochs_of(DENSE, 200, 200, "softmax", has_dev=True) == 2000
    assert (
        epochs_of(Recipe("photos", network="lenet", epochs=3), 200, 64, "softmax", has_dev=1) == 3
    )


def test_patience():
    assert patience_of(NAMED, 600, 64, 50, has_dev=True) == 10
    assert patience_of(NAMED, 200, 64, 50, has_dev=True) is None
    assert patience_of(DENSE, 600, 600, 2000, has_dev=True) == 100
    assert patience_of(DENSE, 60, 60, 2000, has_dev=True) == 100
    assert patience_of(DENSE, 60, 60, 2000, has_dev=False) is None
    assert patience_of(Recipe("table", hidden=()), 60, 60, 2000, has_dev=True) is None


def test_each_kind_of_network_has_its_own_default_decay():
    falling = with_decay(Recipe("photos", network="lenet"), 5)
    assert (falling.decay, falling.learning_rate) == ("exponential", None)
    assert 0 < falling.decay_rate < 1
    assert with_decay(DENSE, 5).decay == "cosine"
    for recipe in (NAMED, DENSE):
        for decay in ("inverse_time", "none"):
            assert with_decay(replace(recipe, decay=decay), 5).decay == decay


def test_the_default_decay_depends_on_the_epochs():
    for recipe in (NAMED, DENSE, Recipe("photos", network="lenet", decay="inverse_time")):
        assert without_decay(with_decay(recipe, 300), 300) == recipe
    by_hand = Recipe("photos", network="lenet", decay="exponential", decay_rate=0.9)
    assert without_decay(by_hand, 100) == by_hand


def test_a_recipe_of_an_earlier_version_keeps_its_constant_rate():
    saved = replace(DENSE, decay=None).to_dict()
    del saved["defaults"]
    old = Recipe.from_saved(saved)
    assert (old.defaults, old.decay) == (1, "none")
    assert epochs_of(old, 3000, 64, "softmax", has_dev=True) == 50
    assert patience_of(old, 499, 499, 2000, has_dev=True) is None
    by_ladder = Recipe.from_saved(saved | {"hidden": None})  # which may still choose a convnet
    assert with_decay(replace(by_ladder, hidden=(8,)), 50).decay == "none"
    assert with_decay(replace(by_ladder, network="convnet"), 50).decay == "exponential"
    assert Recipe.from_saved(DENSE.to_dict()) == DENSE
