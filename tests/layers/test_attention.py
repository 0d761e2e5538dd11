"""Tests of chainrule/layers/attention.py."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.attention import positional_encoding
from chainrule.errors import ChainruleError, OptionError, ShapeError
from chainrule.layers.attention import (
    Attention,
    Embedding,
    FeedForward,
    LayerNorm,
    MultiHeadAttention,
    PositionalEncoding,
    TransformerDecoder,
    TransformerEncoder,
)
from chainrule.layers.layer import (
    count_parameters,
    layer_numbers,
    named_arrays,
    penalized_arrays,
    split_parameters,
)
from chainrule.layers.sequential import Sequential
from chainrule.layers.steps import Steps, like, values_of
from chainrule.optim.adam import adam
from chainrule.optim.optimizer import apply_updates
from tests.compilations import compilations

KEY = jax.random.key(0)
FILE = Path(__file__).parent / "attention_of_torch.npz"
MADE = {"key": KEY, "dtype": float}


def steps(getkey, T=5, n=8, lengths=(5, 2, 3)):
    return Steps(jax.random.normal(getkey(), (T, n, len(lengths))), jnp.array(lengths))


# The numbers of PyTorch, with the same weights


def read(case):
    """The arrays of a case; the inputs and outputs are converted to (T, n, m)."""
    file = np.load(FILE)
    found = {key.split("/")[1]: file[key] for key in file if key.startswith(f"{case}/")}
    for name in ("A", "dA", "X", "d X", "Y", "d Y"):
        if name in found:
            found[name] = found[name].transpose(1, 2, 0)
    X, Y = (Steps(found.get(n), jnp.asarray(file[f"{n}_lengths"])) for n in ("X", "Y"))
    return found, X, Y


def filled(model, arrays):
    """The layer with the arrays, which have its order."""
    structure = jax.tree.structure(model)
    shapes = [leaf.shape for leaf in jax.tree.leaves(model)]
    leaves = [jnp.asarray(x).reshape(s) for x, s in zip(arrays, shapes, strict=True)]
    return jax.tree.unflatten(structure, leaves)


def in_order(found, prefix, kinds):
    """The parameters in the order of our layers; `prefix` is "" or "d " for their gradients."""
    arrays = []
    for kind in kinds:
        if kind.endswith(("attn.", "")) and f"{prefix}{kind}in_proj_weight" in found:
            arrays += np.split(found[f"{prefix}{kind}in_proj_weight"], 3)
            arrays.append(found[f"{prefix}{kind}out_proj.weight"])
            arrays += np.split(found[f"{prefix}{kind}in_proj_bias"], 3)
            arrays.append(found[f"{prefix}{kind}out_proj.bias"])
        else:
            arrays += [found[f"{prefix}{kind}weight"], found[f"{prefix}{kind}bias"]]
    return arrays


ENCODER = ["self_attn.", "norm1.", "linear1.", "linear2.", "norm2."]
DECODER = ["self_attn.", "norm1.", "multihead_attn.", "norm2.", "linear1.", "linear2.", "norm3."]
SIZE = {"heads": 2, **MADE}
CASES = {
    "norm": (LayerNorm(8, dtype=float), [""]),
    "cross": (MultiHeadAttention(8, **SIZE), [""]),
    "encoder post": (TransformerEncoder(8, d_ff=12, **SIZE), ENCODER),
    "encoder pre": (TransformerEncoder(8, d_ff=12, norm_first=True, **SIZE), ENCODER),
    "encoder causal": (TransformerEncoder(8, d_ff=12, causal=True, **SIZE), ENCODER),
    "decoder post": (TransformerDecoder(8, d_ff=12, **SIZE), DECODER),
    "decoder pre": (TransformerDecoder(8, d_ff=12, norm_first=True, **SIZE), DECODER),
}


@pytest.mark.parametrize("case", CASES)
def test_outputs_and_gradients_are_those_of_pytorch(case):
    found, X, Y = read(case)
    model, kinds = CASES[case]
    model = filled(model, in_order(found, "", kinds))
    inputs = {name: jnp.asarray(found[name]) for name in ("Y", "X") if name in found}

    def run(model, inputs):
        X_steps = X._replace(values=inputs["X"])
        A_prev = (Y._replace(values=inputs["Y"]), X_steps) if "Y" in inputs else X_steps
        return model(A_prev).values

    A, pull = jax.vjp(run, model, inputs)
    np.testing.assert_allclose(A, found["A"], rtol=1e-10, atol=1e-10)
    d_model, d_inputs = pull(jnp.asarray(found["dA"]))
    for name, dX in d_inputs.items():
        np.testing.assert_allclose(dX, found[f"d {name}"], rtol=1e-10, atol=1e-10, err_msg=name)
    wanted = in_order(found, "d ", kinds)
    for got, want in zip(jax.tree.leaves(d_model), wanted, strict=True):
        np.testing.assert_allclose(np.ravel(got), np.ravel(want), rtol=1e-10, atol=1e-10)


# Padding

LAYERS = {
    "encoder": TransformerEncoder(8, heads=2, d_ff=12, **MADE),
    "causal, norm first": TransformerEncoder(
        8, heads=2, d_ff=12, causal=True, norm_first=True, **MADE
    ),
    "positional encoding": PositionalEncoding(2.0),
}


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS.keys())
def test_a_padded_sequence_gives_what_it_gives_alone(layer, getkey):
    X = steps(getkey)
    A = layer(X)
    np.testing.assert_array_equal(A.lengths, X.lengths)
    for i, length in enumerate([5, 2, 3]):
        alone = layer(X.values[:length, :, i : i + 1])
        np.testing.assert_allclose(A.values[:length, :, i : i + 1], alone, rtol=1e-10, atol=1e-12)
        assert not A.values[length:, :, i].any()


def test_padding_changes_no_gradient(getkey):
    layer, X = LAYERS["encoder"], steps(getkey)
    other = X._replace(values=jnp.where(X.real[:, None], X.values, 100.0))

    def gradients(X):
        def J(layer, values):
            return (layer(X._replace(values=values)).values ** 2).sum()

        return eqx.filter_jit(jax.grad(J, argnums=(0, 1)))(layer, X.values)

    got, want = gradients(other), gradients(X)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)
    assert not jnp.where(X.real[:, None], 0, want[1]).any()


def test_a_sequence_without_steps_has_finite_gradients(getkey):
    layer, X = LAYERS["encoder"], steps(getkey, lengths=(5, 0, 3))
    A, pull = jax.vjp(lambda layer, X: layer(X).values, layer, X)
    assert not A[..., 1].any()
    for gradient in jax.tree.leaves(split_parameters(pull(jnp.ones_like(A))[0])[0]):
        assert np.isfinite(gradient).all()


def test_the_decoder_does_not_see_the_padding_of_the_encoder(getkey):
    layer = TransformerDecoder(8, heads=2, n_kv=4, d_ff=12, **MADE)
    Y, X = steps(getkey, T=4, lengths=(4, 1, 2)), steps(getkey, n=4)
    A = layer((Y, X))
    assert A.values.shape == (4, 8, 3)
    one = layer((Y.values[:1, :, 1:2], X.values[:2, :, 1:2]))
    np.testing.assert_allclose(A.values[:1, :, 1:2], one, rtol=1e-10)
    assert not A.values[1:, :, 1].any()


def test_the_decoder_sees_no_later_step(getkey):
    layer = TransformerDecoder(8, heads=2, d_ff=12, **MADE)
    Y, X = (jax.random.normal(getkey(), (T, 8, 2)) for T in (4, 5))
    before, after = layer((Y, X)), layer((Y.at[2:].set(9.0), X))
    np.testing.assert_allclose(before[:2], after[:2], rtol=1e-10)
    assert not np.allclose(before[2:], after[2:])


# Embedding and positions


def test_embedding(getkey):
    layer = Embedding(6, 3, **MADE)
    ids = Steps(jnp.array([[5, 0], [1, 9]]), jnp.array([2, 1]))
    A = layer(ids)
    np.testing.assert_array_equal(A.values[0], layer.E[:, [5, 0]])
    np.testing.assert_array_equal(A.values[1, :, 0], layer.E[:, 1])
    assert not A.values[1, :, 1].any()  # beyond the length
    assert named_arrays(layer).keys() == {"E1"}
    assert penalized_arrays(layer) == []
    lengths = np.linalg.norm(Embedding(500, 64, **MADE).E, axis=0)
    np.testing.assert_allclose((lengths**2).mean(), 1, rtol=0.05)


def test_positional_encoding(getkey):
    X = jax.random.normal(getkey(), (4, 6, 2))
    A = PositionalEncoding(3.0)(X)
    np.testing.assert_allclose(A, 3 * X + positional_encoding(4, 6), rtol=1e-12)


# Attention


def test_the_weights_of_the_heads(getkey):
    layer = MultiHeadAttention(8, heads=2, causal=True, **MADE)
    weights = layer.weights(steps(getkey))
    assert weights.shape == (2, 5, 5, 3)
    np.testing.assert_allclose(weights.sum(axis=2), 1)
    assert not np.triu(weights[1, :, :, 0], 1).any()  # causal
    assert not weights[:, :, 2:, 1].any()  # the second sequence has two steps


def test_the_weights_of_additive_attention(getkey):
    layer = Attention(4, 3, 5, **MADE)
    A, s_prev = steps(getkey, n=4), jax.random.normal(getkey(), (3, 3))
    weights = layer.weights((A, s_prev))
    np.testing.assert_allclose(weights.sum(axis=0), 1)
    assert not weights[2:, 1].any()
    context = (weights[:, None] * A.values).sum(axis=0)
    np.testing.assert_allclose(layer((A, s_prev)), context, rtol=1e-10)
    assert named_arrays(layer).keys() == {"W1", "b1", "W2", "b2"}
    # By the two layers themselves, for one step
    joined = jnp.concatenate([A.values[1], s_prev])
    energy = layer.energies(layer.hidden(joined))
    first = layer.energies(layer.hidden(jnp.concatenate([A.values[0], s_prev])))
    np.testing.assert_allclose(
        weights[1, 1] / weights[0, 1], np.exp(energy - first)[0, 1], rtol=1e-10
    )


def test_attention_of_one_pair_is_that_of_one_sequence(getkey):
    layer, X = MultiHeadAttention(8, heads=2, **MADE), steps(getkey)
    np.testing.assert_array_equal(layer(X).values, layer((X, X)).values)


# Training


def test_dropout_in_training(getkey):
    X = jax.random.normal(getkey(), (5, 8, 3))
    layer = TransformerEncoder(8, heads=2, d_ff=12, keep_prob=0.5, **MADE)
    A, after = layer.train(X, key=KEY)
    assert after is layer
    assert not np.allclose(A, layer(X))
    np.testing.assert_array_equal(A, layer.train(X, key=KEY)[0])
    assert not np.allclose(A, layer.train(X, key=jax.random.key(1))[0])
    more, _ = layer.train(jnp.concatenate([X, X], axis=2), key=KEY)
    np.testing.assert_allclose(more[..., :3], A, rtol=1e-10)  # the first masks stay
    plain = TransformerEncoder(8, heads=2, d_ff=12, **MADE)
    np.testing.assert_array_equal(plain.train(X, key=KEY)[0], layer(X))


def test_the_two_masks_of_dropout_differ(getkey):
    """With weights of 0 and norms of 1, the output shows which units were kept."""
    layer = TransformerDecoder(8, heads=2, d_ff=12, norm_first=True, keep_prob=0.5, **MADE)
    layer = jax.tree.map(jnp.zeros_like, layer)
    ones = jnp.ones((8, 1))
    layer = eqx.tree_at(
        lambda f: (f.self_attention.bo, f.cross_attention.bo, f.feed_forward.output.b),
        layer,
        (ones, 10 * ones, 100 * ones),
    )
    layer = eqx.tree_at(lambda f: f.dropout.keep_prob, layer, jnp.array(0.5))
    zeros = jnp.zeros((5, 8, 3))
    A, _ = layer.train((zeros, zeros), key=KEY)
    patterns = set(np.unique(A))
    assert patterns == {2 * (a + b + c) for a in (0, 1) for b in (0, 10) for c in (0, 100)}


# The parameters


def test_names_numbers_and_penalty():
    layer = TransformerEncoder(8, heads=2, d_ff=12, keep_prob=0.9, **MADE)
    names = list(named_arrays(layer))
    assert names[:8] == ["Wq1", "Wk1", "Wv1", "Wo1", "bq1", "bk1", "bv1", "bo1"]
    assert names[8:] == [
        *("gamma1", "beta1", "W2", "b2", "W3", "b3", "gamma3", "beta3", "keep_prob3")
    ]
    assert [W.shape for W in penalized_arrays(layer)] == [*[(8, 8)] * 4, (12, 8), (8, 12)]
    assert count_parameters(layer) == 4 * (64 + 8) + 12 * 8 + 12 + 8 * 12 + 8 + 4 * 8
    assert layer_numbers([layer, LayerNorm(8)]) == [3, 3]


def test_a_second_call_compiles_nothing(getkey):
    layer = TransformerEncoder(8, heads=2, d_ff=12, **MADE)
    run = eqx.filter_jit(lambda layer, X: layer(X))
    run(layer, steps(getkey))
    again = steps(getkey, lengths=(1, 5, 0))
    with compilations() as compiled:
        run(jax.tree.map(lambda x: x, layer), again)
    assert compiled == []


def test_a_copy_task_is_learned():
    """The output is the step before, which no layer but attention sees: 0.1 without it."""
    ids = jax.random.randint(jax.random.key(2), (6, 32), 0, 5)
    model = Sequential(
        [
            Embedding(5, 8, **MADE),
            PositionalEncoding(8**0.5),
            TransformerEncoder(8, heads=2, d_ff=16, norm_first=True, **MADE),
        ]
    )
    target = jax.nn.one_hot(ids[:-1], 8, axis=1, dtype=float)

    def J(model):
        return ((model(ids)[1:] - target) ** 2).mean()

    optimizer = adam(0.01)

    @jax.jit
    def train(model):
        def step(state, _):
            model, state = state
            updates, state = optimizer.update(jax.grad(J)(model), state, model)
            return (apply_updates(model, updates), state), None

        return jax.lax.scan(step, (model, optimizer.init(model)), None, length=1000)[0][0]

    assert J(model) > 0.5
    assert J(train(model)) < 0.02


# Titles and messages


def test_titles():
    titles = [
        Embedding(1000, 64, key=KEY).title,
        PositionalEncoding().title,
        LayerNorm(128).title,
        MultiHeadAttention(128, heads=4, key=KEY).title,
        Attention(128, 64, key=KEY).title,
        FeedForward(128, 512, key=KEY).title,
        TransformerEncoder(128, heads=4, key=KEY).title,
        TransformerEncoder(128, heads=1, causal=True, key=KEY).title,
        TransformerDecoder(128, heads=4, key=KEY).title,
    ]
    assert titles == [
        "Embedding(1000 -> 64)",
        "PositionalEncoding",
        "LayerNorm(128)",
        "MultiHeadAttention(128, 4 heads)",
        "Attention(192 -> 10)",
        "FeedForward(128 -> 512 -> 128)",
        "TransformerEncoder(128, 4 heads)",
        "TransformerEncoder(128, 1 head, causal)",
        "TransformerDecoder(128, 4 heads)",
    ]


WRONG = {
    "features": (
        lambda: LAYERS["encoder"](jnp.ones((5, 6, 3))),
        "TransformerEncoder(8, 2 heads), MultiHeadAttention(8, 2 heads): expected (T, 8, m), steps "
        "with one column per example; got (5, 6, 3).\nTry checking the layer before it: each step "
        "of its output should have 8 features.",
    ),
    "rows": (
        lambda: LAYERS["encoder"](jnp.ones((3, 5, 8))),
        "Try X.transpose(1, 2, 0), if the examples come first.",
    ),
    "one step": (
        lambda: FeedForward(8, 4, **MADE)(jnp.ones((8, 3))),
        "Try X[None], if this is one",
    ),
    "columns": (lambda: LayerNorm(8)(jnp.ones((3, 8))), "Try the transpose: it has 8 rows."),
    "not a pair": (
        lambda: TransformerDecoder(8, heads=2, **MADE)(jnp.ones((5, 8, 3))),
        "the input of a layer with two inputs: expected a pair of them; got",
    ),
    "ids": (
        lambda: Embedding(5, 2, **MADE)(jnp.ones((3, 2))),
        "Embedding(5 -> 2): expected token ids (T, m), whole numbers; got float64 (3, 2).",
    ),
    "no steps": (
        lambda: PositionalEncoding()(jnp.ones((3, 2))),
        "PositionalEncoding: expected steps (T, n, m); got (3, 2).",
    ),
    "swapped": (
        lambda: Attention(4, 3, **MADE)((jnp.ones((3, 2)), jnp.ones((5, 4, 2)))),
        "Try the pair (A, s_prev), in this order.",
    ),
    "causal": (
        lambda: MultiHeadAttention(8, heads=2, causal=True, **MADE)(
            (jnp.ones((5, 8, 3)), jnp.ones((4, 8, 3)))
        ),
        "Try causal=False for two sequences.",
    ),
}


@pytest.mark.parametrize(("call", "message"), WRONG.values(), ids=WRONG.keys())
def test_messages(call, message):
    with pytest.raises(ShapeError) as error:
        call()
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TransformerEncoder(8, heads=3, key=KEY), "TransformerEncoder(heads=…): expected"),
        (lambda: TransformerDecoder(8, heads=0, key=KEY), "TransformerDecoder(heads=…): expected"),
        (lambda: MultiHeadAttention(8, heads=16, key=KEY), "Try 8."),
        (lambda: Attention(4, 3, g="rleu", key=KEY), "Try relu (did you mean that?)"),
        (lambda: Embedding(0, 3, key=KEY), "Embedding(V=…): expected a whole number"),
        (lambda: PositionalEncoding(0), "PositionalEncoding(scale=…): expected"),
        (lambda: TransformerEncoder(8, heads=2, keep_prob=0, key=KEY), "keep_prob"),
    ],
)
def test_wrong_options(make, message):
    with pytest.raises(OptionError) as error:
        make()
    assert message in str(error.value)
    assert isinstance(error.value, ChainruleError)


# Steps


def test_steps_with_lengths_are_0_beyond():
    X = Steps(jnp.ones((3, 2, 2)), jnp.array([1, 3]))
    values = values_of(like(X, X.values))
    np.testing.assert_array_equal(values.sum(axis=(0, 1)), [2, 6])
    assert like(X, X.values, jnp.array([2, 2])).lengths.tolist() == [2, 2]
    assert like(X.values, 2 * X.values).shape == (3, 2, 2)  # an array stays an array
    assert like(Steps(X.values), X.values).lengths is None
