"""chainrule/models/language_model.py: one step at a time is what all steps at once are."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.decoding import beam_search, sample
from chainrule.errors import ChainruleError
from chainrule.layers.layer import count_parameters, named_arrays, penalized_arrays
from chainrule.layers.steps import Steps
from chainrule.models.language_model import LanguageModel
from chainrule.runs.networks import network_settings, rebuild_network

KEY = jax.random.key(0)
P = [0.1, 0.2, 0.4, 0.1, 0.2]
MADE = {
    "lstm": {"hidden": (6, 5), "embedding_size": 4},
    "gru": {"hidden": (6,), "embedding_size": 4, "keep_prob": 0.5},
    "transformer": {"hidden": (8, 8), "keep_prob": 0.5},
}
IDS = jnp.array([[4, 0], [1, 3], [2, 3], [0, 1]], jnp.int32)


def made(name, **more):
    return LanguageModel(name, 5, context=4, key=KEY, dtype=np.float64, **MADE[name], **more)


@jax.jit
def step_by_step(network, ids):
    """log_p (T, V) of one text."""

    def step(state, id):
        log_p, state = network.step(state, id)
        return state, log_p

    return jax.lax.scan(step, network.begin(), ids)[1]


@pytest.mark.parametrize("name", MADE)
def test_step_by_step_is_the_whole(name):
    network = made(name)
    whole = jax.nn.log_softmax(jax.jit(network.__call__)(IDS), axis=1)
    steps = jnp.stack([step_by_step(network, IDS[:, i]) for i in range(2)], axis=-1)
    np.testing.assert_allclose(steps, whole, atol=1e-10)
    np.testing.assert_allclose(np.exp(steps).sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("name", MADE)
def test_a_step_does_not_see_the_next(name):
    changed = jnp.where(IDS == 2, 0, IDS)
    Z, changed = (jax.jit(made(name).__call__)(ids) for ids in (IDS, changed))
    np.testing.assert_array_equal(Z[:2], changed[:2])
    assert not np.allclose(Z[2, :, 0], changed[2, :, 0])


@pytest.mark.parametrize("name", MADE)
def test_steps_beyond_the_end_are_0_and_change_nothing(name):
    network = jax.jit(made(name).__call__)
    Z = network(Steps(IDS, jnp.array([2, 4], jnp.int32)))
    np.testing.assert_allclose(Z[:2, :, 0], network(IDS)[:2, :, 0], atol=1e-12)
    np.testing.assert_allclose(Z[..., 1], network(IDS)[..., 1], atol=1e-12)
    assert (Z[2:, :, 0] == 0).all()


def test_its_parameters_by_hand():
    """E 4·5; W 4·6·(6 + 4), b 4·6; W 4·5·(5 + 6), b 4·5; W 5·5, b 5."""
    network = made("lstm")
    assert count_parameters(network) == 20 + 240 + 24 + 220 + 20 + 25 + 5
    assert [W.shape for W in penalized_arrays(network)] == [(24, 10), (20, 11), (5, 5)]
    assert network.title == "lstm(5 -> 6 -> 5 -> 5)"
    assert [W.shape for W in penalized_arrays(made("transformer"))].count((8, 8)) == 8
    assert [*named_arrays(made("gru"))] == ["E1", "W2", "b2", "keep_prob2", "W3", "b3"]


@pytest.mark.parametrize("name", MADE)
def test_its_settings_make_the_same_network(name):
    network = made(name)
    again = rebuild_network(network_settings(network), key=KEY)
    assert jax.tree.structure(again) == jax.tree.structure(network)
    shapes = [[x.shape for x in jax.tree.leaves(one)] for one in (again, network)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("name", ["gru", "transformer"])
def test_dropout_is_in_training_only(name):
    network = made(name)
    train = jax.jit(lambda network, ids, key: network.train(ids, key=key)[0])
    one, same = (train(network, IDS, KEY) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, train(network, IDS, jax.random.key(1)))
    assert not np.allclose(one, network(IDS))


@pytest.fixture
def constant():
    """A GRU with weights of 0: P is that of the bias of its last layer, whatever came before."""
    network = jax.tree.map(jnp.zeros_like, made("gru"))
    b = jnp.log(jnp.array(P))[:, None]
    return eqx.tree_at(lambda network: network.layers.layers[-1].layer.b, network, b)


def test_the_best_text_by_hand(constant):
    options = {"width": 3, "longest": 4, "alpha": 0.0, "start": 4}
    found = beam_search(constant.step, constant.begin(), end=2, **options)
    assert found.ids.tolist() == [2, 2, 2, 2]  # the most likely id is the end
    np.testing.assert_allclose(found.log_prob, np.log(0.4), rtol=1e-12)


def test_drawn_ids_are_as_frequent_as_they_are_likely(constant):
    @jax.jit
    @jax.vmap
    def draw(key):
        options = {"end": -1, "longest": 2, "start": 4}
        return sample(constant.step, constant.begin(), key=key, **options)

    drawn = np.asarray(draw(jax.random.split(KEY, 2000)))
    np.testing.assert_allclose(np.bincount(drawn.ravel(), minlength=5) / 4000, P, atol=0.03)


def refused(function, *arguments, **options):
    with pytest.raises(ChainruleError) as caught:
        function(*arguments, **options)
    return str(caught.value)


def test_messages():
    ids = jnp.zeros((5, 1), jnp.int32)
    assert refused(made("transformer"), ids) == (
        "the input of transformer(5 -> 8 -> 8 -> 5): expected at most 4 tokens, the context of the "
        "transformer; got 5.\nTry a shorter text, or training with --context 5."
    )
    assert made("gru")(ids).shape == (5, 5, 1)
    assert refused(made("gru"), jnp.zeros((4, 1))) == (
        "the input of gru(5 -> 6 -> 5): expected token ids (T, m); got float64 (4, 1).\n"
        "Try vocabulary.encode."
    )
    make = partial(LanguageModel, V=5, key=KEY)
    assert refused(make, "rnn").startswith("the network: expected one of 3 choices; got 'rnn'.")
    assert refused(make, "transformer", hidden=(8, 4)) == (
        "hidden: expected equally many units in every layer of a transformer and in its embedding; "
        "got 8, 4 and an embedding of 8.\nTry 8, 8."
    )
    assert refused(make, "lstm", hidden=()) == (
        "hidden: expected the units of each layer of lstm; got none.\nTry 64."
    )
