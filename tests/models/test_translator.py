"""chainrule/models/translator.py: all steps at once are what one step after the other is."""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.costs import steps_softmax_cost
from chainrule.data.sequences import Inputs, Sequences
from chainrule.errors import ChainruleError
from chainrule.inspection.summary import summarize
from chainrule.layers.layer import named_arrays, penalized_arrays
from chainrule.layers.steps import Steps
from chainrule.models.translator import Translator, translate
from chainrule.runs.gradients import check_network
from chainrule.runs.networks import network_settings, rebuild_network
from chainrule.train.examples import Examples
from tests.compilations import compilations

KEY = jax.random.key(0)
MADE = {
    "attention": {"hidden": (4, 6), "embedding_size": 3},
    "transformer": {"hidden": (4, 4)},
}
SOURCE = Steps(
    jnp.array([[1, 5, 2], [3, 4, 0], [2, 0, 0], [5, 0, 0]], jnp.int32),
    jnp.array([4, 2, 1], jnp.int32),
)
TARGET = Steps(
    jnp.array([[5, 5, 5], [1, 2, 3], [3, 3, 0], [0, 0, 0]], jnp.int32),
    jnp.array([3, 4, 2], jnp.int32),
)
PAIR = (SOURCE, TARGET)
each = pytest.mark.parametrize("name", MADE)
outputs = jax.jit(lambda network, pair: network(pair))


def made(name, **more):
    return Translator(name, 6, 5, key=KEY, **{"dtype": np.float64, **MADE[name], **more})


def longer(steps, more):
    """Steps with padding that is not 0."""
    return Steps(jnp.pad(steps.values, ((0, more), (0, 0)), constant_values=3), steps.lengths)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_the_attention_model_by_hand():
    """One example, with loops over the steps and over the source."""
    network = made("attention", hidden=(4,))
    a = {name: np.asarray(x) for name, x in named_arrays(network).items()}
    source, target = [1, 3, 2], [5, 1, 3]

    def gru(x, c, W, b):
        u, r = np.split(sigmoid(W[: 2 * len(c)] @ np.r_[c, x] + b[: 2 * len(c), 0]), 2)
        candidate = np.tanh(W[2 * len(c) :] @ np.r_[r * c, x] + b[2 * len(c) :, 0])
        return u * candidate + (1 - u) * c

    forward, backward = [np.zeros(2)], [np.zeros(2)]
    for i in source:
        forward.append(gru(a["E1"][:, i], forward[-1], a["W2"], a["b2"]))
    for i in source[::-1]:
        backward.append(gru(a["E1"][:, i], backward[-1], a["W3"], a["b3"]))
    A = [np.r_[one, other] for one, other in zip(forward[1:], backward[:0:-1], strict=True)]
    s, Z = np.tanh(a["W5"] @ A[0] + a["b5"][:, 0]), []
    for i in target:
        y = a["E4"][:, i]
        hidden = [np.tanh(a["W6"] @ np.r_[step, s] + a["b6"][:, 0]) for step in A]
        e = np.exp([(a["W7"] @ h)[0] + a["b7"][0, 0] for h in hidden])
        context = sum(alpha * step for alpha, step in zip(e / e.sum(), A, strict=True))
        s = gru(np.r_[y, context], s, a["W8"], a["b8"])
        Z.append(a["W9"] @ np.r_[s, context, y] + a["b9"][:, 0])
    ids = [jnp.array(ids, jnp.int32)[:, None] for ids in (source, target)]
    np.testing.assert_allclose(network(tuple(ids))[..., 0], Z, rtol=1e-12)


@pytest.mark.parametrize(("name", "keep_prob"), [("attention", 0.7), ("transformer", 1.0)])
def test_its_gradient_is_the_slope(name, keep_prob):
    X = Inputs(tuple(Sequences(np.asarray(s.values).T, np.asarray(s.lengths)) for s in PAIR))
    Y = np.array([[1, 3, 4, -1], [2, 3, 0, 4], [3, 4, -1, -1]], np.int32)
    network = made(name, keep_prob=keep_prob)
    report = check_network(network, steps_softmax_cost, Examples(X, Y), samples=4)
    assert report.difference < 1e-6
    assert report.verdict == "right"


@jax.jit
def step_by_step(network, source, ids):
    """log_p (T, n_L) of a target of one example, of which each step gets the id before."""
    memory = jax.tree.map(lambda x: x[0], network.memory(source))

    def step(state, id):
        log_p, state = network.step(memory, state, id)
        return state, log_p

    return jax.lax.scan(step, network.begin(memory, 4), ids)[1]


@each
def test_step_by_step_is_the_whole(name):
    network = made(name)
    whole = jax.nn.log_softmax(outputs(network, PAIR), axis=1)
    for i, T in enumerate(TARGET.lengths.tolist()):
        source = Steps(SOURCE.values[:, i : i + 1], SOURCE.lengths[i : i + 1])
        steps = step_by_step(network, source, TARGET.values[:, i])
        np.testing.assert_allclose(steps[:T], whole[:T, :, i], atol=1e-10)


@each
def test_padding_changes_nothing_and_gives_0(name):
    network = made(name)
    Z, more = outputs(network, PAIR), outputs(network, (longer(SOURCE, 3), longer(TARGET, 2)))
    np.testing.assert_allclose(more[:4], Z, atol=1e-12)
    assert (more[4:] == 0).all()
    assert (Z[2:, :, 2] == 0).all()


@each
def test_examples_do_not_see_each_other_and_a_step_not_the_next(name):
    network = made(name)
    other = TARGET._replace(values=TARGET.values.at[2, 1].set(0).at[0, 0].set(4))
    Z, changed = outputs(network, PAIR), outputs(network, (SOURCE, other))
    np.testing.assert_allclose(changed[..., 2], Z[..., 2], atol=1e-13)
    np.testing.assert_allclose(changed[:2, :, 1], Z[:2, :, 1], atol=1e-13)
    assert not np.allclose(changed[2:, :, 1], Z[2:, :, 1])


@each
def test_its_weights_are_a_mean_over_the_real_steps(name):
    weights = jax.jit(lambda network, pair: network.weights(pair))(made(name), PAIR)
    assert weights.shape == (4, 4, 3)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert (weights[:, 2:, 1] == 0).all()
    assert weights[:, :2, 1].min() > 0


def log_prob(network, i, ids):
    """The log-probability of a whole target, from all steps at once."""
    target = jnp.array([network.start, *ids[:-1]], jnp.int32)[:, None]
    source = Steps(SOURCE.values[:, i : i + 1], SOURCE.lengths[i : i + 1])
    log_p = jax.nn.log_softmax(outputs(network, (source, Steps(target))), axis=1)
    return float(sum(log_p[t, id, 0] for t, id in enumerate(ids)))


def complete(ids, end):
    """The ids up to the end."""
    ids = ids.tolist()
    return ids[: ids.index(end) + 1] if end in ids else ids


@each
def test_a_beam_of_width_1_is_greedy_search(name):
    network = sharper(made(name))
    found = translate(network, SOURCE, width=1, longest=4, alpha=0.6)
    for i in range(3):
        ids = [network.start]
        source = Steps(SOURCE.values[:, i : i + 1], SOURCE.lengths[i : i + 1])
        while ids[-1] != network.end and len(ids) <= 4:
            padded = jnp.array([*ids, *[0] * (4 - len(ids))], jnp.int32)
            log_p = step_by_step(network, source, padded)
            ids.append(int(log_p[len(ids) - 1].argmax()))
        got = complete(found.ids[i], network.end)
        assert got == ids[1:]
        np.testing.assert_allclose(found.log_prob[i], log_prob(network, i, got), atol=1e-10)


def sharper(network):
    """A network whose predictions differ more from each other."""
    return jax.tree.map(lambda x: 3 * x, network)


@each
def test_a_wide_beam_finds_the_best_of_all(name):
    network = sharper(made(name))
    found = translate(network, SOURCE, width=25, longest=2, alpha=0.5)
    for i in range(2):
        every = [(network.end,), *product(range(4), range(5))]
        scores = {ids: log_prob(network, i, ids) / len(ids) ** 0.5 for ids in every}
        best = max(scores, key=lambda ids: scores[ids])
        assert complete(found.ids[i], network.end) == list(best)
        np.testing.assert_allclose(found.score[i], scores[best], atol=1e-10)


def test_other_weights_and_sources_compile_nothing():
    run = partial(translate, width=1, longest=4)
    network = made("attention")
    run(network, SOURCE, alpha=0.6)
    other = sharper(network)
    with compilations() as compiled:
        run(other, SOURCE, alpha=0.7)
    assert compiled == []


@each
def test_dropout_is_in_training_only(name):
    network = made(name, keep_prob=0.5)
    np.testing.assert_array_equal(outputs(network, PAIR), outputs(made(name), PAIR))
    train = jax.jit(lambda network, pair: network.train(pair, key=KEY))
    Z, after = train(network, PAIR)
    assert not np.allclose(Z, outputs(network, PAIR))
    assert (Z[3, :, 0] == 0).all()
    assert jax.tree.structure(after) == jax.tree.structure(network)
    wider = tuple(Steps(jnp.tile(s.values, 2), jnp.tile(s.lengths, 2)) for s in PAIR)
    np.testing.assert_allclose(train(network, wider)[0][..., :3], Z, atol=1e-12)


@each
def test_its_settings_make_the_same_network(name):
    network = made(name, keep_prob=0.5, dtype=np.float32)
    again = rebuild_network(network_settings(network), key=KEY)
    assert jax.tree.structure(again) == jax.tree.structure(network)
    for x, y in zip(jax.tree.leaves(again), jax.tree.leaves(network), strict=True):
        np.testing.assert_array_equal(x, y)


def test_its_arrays_and_its_table():
    network = made("attention", hidden=(4,), keep_prob=0.5)
    names = ["E1", "W2", "b2", "W3", "b3", "E4", "W5", "b5", "W6", "b6", "W7", "b7", "W8", "b8"]
    assert [*named_arrays(network)] == [*names, "W9", "b9", "keep_prob9"]
    assert len(penalized_arrays(network)) == 7
    table = summarize(network)
    assert [layer.number for layer in table.layers] == [0, 1, 3, 9]
    assert [layer.A for layer in table.layers][1:] == [("T", n, "m") for n in (3, 4, 5)]
    assert table.parameters == sum(layer.parameters for layer in table.layers)
    assert summarize(made("transformer")).layers[-1].A == ("T", 5, "m")
    assert made("transformer").title == "transformer(6 -> 4 -> 4 -> 5)"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: Translator("rnn", 6, 5, key=KEY),
            "the network: expected one of 2 choices; got 'rnn'.\n"
            "Try one of attention, transformer.",
        ),
        (
            lambda: made("attention", hidden=(4, 5)),
            "hidden: expected even numbers, half of the units for each direction of the encoder; "
            "got 5.\nTry 6.",
        ),
        (
            lambda: made("attention", hidden=()),
            "hidden: expected the units of each layer of attention; got none.\nTry 128.",
        ),
        (
            lambda: made("transformer", hidden=(4, 8)),
            "hidden: expected equally many units in every layer of a transformer and in its "
            "embedding; got 4, 8 and an embedding of 4.\nTry 4, 4.",
        ),
        (
            lambda: made("attention")(SOURCE),
            "the input of attention(6 -> 4 -> 6 -> 5): expected a pair, the ids of source and "
            "target; got Steps.\nTry (source, target).",
        ),
        (
            lambda: made("attention")((SOURCE, jnp.ones((2, 3)))),
            "the target of attention(6 -> 4 -> 6 -> 5): expected token ids (T, m); got "
            "float64 (2, 3).\nTry whole numbers, one for each token.",
        ),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(ChainruleError) as caught:
        call()
    assert str(caught.value) == words
