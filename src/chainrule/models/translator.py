"""A network from one sequence of ids to another: an encoder, and a decoder that attends to it.

Notes: "Basic models", "Beam search" and "Attention model" (course 5, week 3); "Transformer network"
(course 5, week 4).

    attention      Embedding → bidirectional GRUs → A; then for each step t of the target
                   e = W2 tanh(W1 [A; s[t−1]] + b1); α = softmax(e) over the steps of the source
                   context = Σ over the source of α A
                   s[t] = GRU([y[t−1]; context], s[t−1]), s[−1] = tanh(W A[0] + b)
                   Z[t] = W [s[t]; context; y[t−1]] + b
    transformer    Embedding → positional encoding → encoders → LayerNorm, and the same for the
                   target with decoders, which attend to the encoders' output; Z = W A + b

y[t−1] is the embedding of the id before. The n_L ids that can be predicted include `end` = n_L − 1;
`start` = n_L comes before the first of them. In training, the network takes a pair of `Steps` of
ids, the source and the target shifted by one, which begins with `start`, and returns Z (T, n_L, m)
for all steps at once (teacher forcing). `translate` runs the decoder step by step: each step takes
the id that was chosen before, and what is the same for all steps is computed once (`memory`).

In the loop of `attention` over the steps, only the products with s and with the context are left:
those with A and y are computed before it, and Z after it, for all steps. Its arrays have the
examples first, so that the numbers of an example are side by side.

>>> network = Translator("attention", 5, 4, hidden=(8,), key=jax.random.key(0))
>>> source = Steps(jnp.array([[1, 2], [3, 0], [2, 0]], jnp.int32), jnp.array([3, 1], jnp.int32))
>>> network((source, jnp.array([[4, 4], [1, 2]], jnp.int32))).shape, network.title
((2, 4, 2), 'attention(5 -> 8 -> 4)')
>>> translate(network, source, width=2, longest=6).ids.shape
(2, 6)
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from numpy.typing import DTypeLike

from chainrule.blocks.activations import sigmoid, tanh
from chainrule.blocks.attention import positional_encoding
from chainrule.blocks.decoding import Hypothesis, beam_search
from chainrule.blocks.dropout import dropout
from chainrule.choices import TRANSLATORS
from chainrule.errors import OptionError, ShapeError, check_choice, check_integer
from chainrule.host.randomness import split_key
from chainrule.kernels.rows import rows
from chainrule.layers.attention import (
    Attention,
    Embedding,
    LayerNorm,
    MultiHeadAttention,
    PositionalEncoding,
    TransformerDecoder,
    TransformerEncoder,
)
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout, check_keep_prob, dropout_mask
from chainrule.layers.initializers import xavier
from chainrule.layers.layer import Layer
from chainrule.layers.recurrent import GRU, Bidirectional
from chainrule.layers.steps import Steps, like
from chainrule.types import Key

HIDDEN = (128,)
EMBEDDING = 64
HEAD = 16
"""The least size of a head of a transformer; there are four heads from 64 units on."""


class Translator(Layer):
    """A network from ids (T_x, m) and (T_y, m) to Z (T_y, n_L, m), the logits of the next id.

    name            "attention" or "transformer"
    n_x             the number of ids of the source
    n_L             the number of ids that can be predicted, the last of which is the end
    hidden          the units of each layer: of the encoder, whose two directions have half of them
                    each, and the last also of the decoder; equally many in each of a transformer's
                    encoders, of which it has as many as decoders
    embedding_size  the numbers of an id's vector; in a transformer the units of its layers
    keep_prob       dropout of the embeddings and after each layer
    """

    encoder: tuple[Layer, ...]
    decoder: Any
    dropout: Dropout | None
    name: str = eqx.field(static=True)
    n_x: int = eqx.field(static=True)
    n_L: int = eqx.field(static=True)
    hidden: tuple[int, ...] = eqx.field(static=True)
    embedding_size: int = eqx.field(static=True)
    keep_prob: float = eqx.field(static=True)

    def __init__(
        self,
        name: str,
        n_x: int,
        n_L: int,
        *,
        hidden: Sequence[int] = HIDDEN,
        embedding_size: int | None = None,
        keep_prob: float = 1.0,
        key: Key,
        dtype: DTypeLike = np.float32,
    ):
        check_choice("the network", name, TRANSLATORS)
        check_keep_prob("keep_prob", keep_prob)
        for where, n in (("n_x", n_x), ("n_L", n_L), *(("hidden", n) for n in hidden)):
            check_integer(where, n, hint="64")
        usual = hidden[0] if name == "transformer" and hidden else EMBEDDING
        self.embedding_size = usual if embedding_size is None else embedding_size
        check_integer("embedding_size", self.embedding_size, hint="64")
        self.name, self.n_x, self.n_L, self.hidden = name, n_x, n_L, tuple(map(int, hidden))
        self.keep_prob = float(keep_prob)
        self._check_hidden()
        self.dropout = Dropout(keep_prob, dtype=dtype) if keep_prob < 1 else None
        first, second = split_key(key, 2)
        if name == "attention":
            self.encoder = tuple(self._recurrent_encoder(first, dtype))
            self.decoder = AttentionDecoder(self, key=second, dtype=dtype)
        else:
            self.encoder = tuple(self._transformer_encoder(first, dtype))
            self.decoder = TransformerDecoders(self, key=second, dtype=dtype)

    def _check_hidden(self) -> None:
        hidden = self.hidden
        if not hidden:
            raise OptionError("hidden", f"the units of each layer of {self.name}", "none", "128")
        if self.name == "transformer" and {*hidden} != {self.embedding_size}:
            expected = "equally many units in every layer of a transformer and in its embedding"
            got = f"{', '.join(map(str, hidden))} and an embedding of {self.embedding_size}"
            raise OptionError("hidden", expected, got, f"{hidden[0]}, {hidden[0]}")
        if self.name == "attention" and any(n % 2 for n in hidden):
            expected = "even numbers, half of the units for each direction of the encoder"
            odd = next(n for n in hidden if n % 2)
            raise OptionError("hidden", expected, str(odd), str(odd + 1))

    def _recurrent_encoder(self, key: Key, dtype: DTypeLike) -> list[Layer]:
        first, *keys = split_key(key, 1 + 2 * len(self.hidden))
        n = self.embedding_size
        layers: list[Layer] = [Embedding(self.n_x, n, key=first, dtype=dtype)]
        for i, units in enumerate(self.hidden):
            forward = GRU(n, units // 2, key=keys[2 * i], dtype=dtype)
            backward = GRU(n, units // 2, reverse=True, key=keys[2 * i + 1], dtype=dtype)
            layers.append(Bidirectional(forward, backward))
            n = units
        return layers

    def _transformer_encoder(self, key: Key, dtype: DTypeLike) -> list[Layer]:
        first, *keys = split_key(key, 1 + len(self.hidden))
        d = self.embedding_size
        how: dict[str, Any] = {"heads": _heads(d), "keep_prob": self.keep_prob}
        how |= {"norm_first": True, "dtype": dtype}
        layers: list[Layer] = [Embedding(self.n_x, d, key=first, dtype=dtype)]
        layers.append(PositionalEncoding(d**0.5))
        layers += [TransformerEncoder(d, key=k, **how) for k in keys]
        return [*layers, LayerNorm(d, dtype=dtype)]

    def __call__(self, A_prev: Any) -> Float[Array, "T n_L m"]:
        """Return Z of every step for (source, target) in prediction."""
        return self._run(A_prev, None)[0]

    def train(
        self, A_prev: Any, *, key: Key, weights: Array | None = None
    ) -> tuple[Float[Array, "T n_L m"], "Translator"]:
        """Return Z of every step in training, and the unchanged network."""
        return self._run(A_prev, key)[0], self

    def weights(self, A_prev: Any) -> Float[Array, "T_y T_x m"]:
        """Return how much each step of the target takes of each step of the source, α.

        For a transformer it is the mean of all heads of all decoders.
        """
        return self._run(A_prev, None)[1]()

    def _run(self, A_prev: Any, key: Key | None) -> Any:
        source, target = self._checked(A_prev)
        drop = _Drop(self.dropout, key)
        encoded = self._encode(source, drop)
        Z, weights = self.decoder.all_steps(encoded, target, drop)
        return like(target, Z).values, weights

    def encode(self, source: Any) -> Steps:
        """Return the output (T_x, n, m) of the encoder."""
        return self._encode(_as_ids(source, f"the source of {self.title}"), _Drop(None, None))

    def _encode(self, source: Steps, drop: "_Drop") -> Steps:
        A: Any = source
        for layer in self.encoder:
            A = drop.through(layer, A)
            if self.name == "attention" or isinstance(layer, PositionalEncoding):
                A = drop(A)
        return A

    def memory(self, source: Any) -> Any:
        """Return what every step of the decoder needs of the source, with the examples first."""
        return self.decoder.memory(self.encode(source))

    def begin(self, memory: Any, longest: int) -> Any:
        """Return the state before the first of at most `longest` steps, for one example."""
        return self.decoder.begin(memory, longest)

    def step(self, memory: Any, state: Any, id: Int[Any, ""]) -> tuple[Float[Array, " n_L"], Any]:
        """Return log P of each next id after this id, and the new state, for one example."""
        z, state = self.decoder.step(memory, state, id)
        return jax.nn.log_softmax(z), state

    @property
    def tokens(self) -> bool:
        """Whether the input is ids: always."""
        return True

    @property
    def end(self) -> int:
        """The id of the end of a target."""
        return self.n_L - 1

    @property
    def start(self) -> int:
        """The id of the beginning of a target."""
        return self.n_L

    def _checked(self, A_prev: Any) -> tuple[Steps, Steps]:
        """Return the source and the target, and refuse anything but a pair of ids."""
        if isinstance(A_prev, Steps) or not isinstance(A_prev, tuple) or len(A_prev) != 2:
            expected, got = "a pair, the ids of source and target", type(A_prev).__name__
            raise ShapeError(f"the input of {self.title}", expected, got, "(source, target)")
        names = ("source", "target")
        found = (
            _as_ids(ids, f"the {name} of {self.title}")
            for ids, name in zip(A_prev, names, strict=True)
        )
        source, target = found
        return source, target

    @property
    def settings(self) -> dict[str, Any]:
        """The constructor's arguments for a network with the same layers, as plain data."""
        return {
            "translator": self.name,
            "n_x": self.n_x,
            "n_L": self.n_L,
            "hidden": list(self.hidden),
            "embedding_size": self.embedding_size,
            "keep_prob": self.keep_prob,
        }

    @property
    def title(self) -> str:
        """The title of the network, such as "attention(29 -> 128 -> 41)"."""
        return f"{self.name}({' -> '.join(map(str, (self.n_x, *self.hidden, self.n_L)))})"


def _as_ids(ids: Any, where: str) -> Steps:
    """Return Steps of ids (T, m), and refuse anything else."""
    steps = ids if isinstance(ids, Steps) else Steps(ids)
    values = steps.values
    if values.ndim != 2 or not jnp.issubdtype(values.dtype, jnp.integer):
        got = f"{values.dtype} {tuple(values.shape)}"
        raise ShapeError(where, "token ids (T, m)", got, "whole numbers, one for each token")
    return steps


class _Drop:
    """Dropout with a new key for each use, in training; in prediction it does nothing."""

    def __init__(self, layer: Dropout | None, key: Key | None):
        self.layer, self.key, self.done = layer, key, 0

    def __call__(self, A: Any) -> Any:
        """Return Steps with dropout."""
        if self.layer is None or self.key is None:
            return A
        return A._replace(values=self.rows(A.values.transpose(2, 0, 1)).transpose(1, 2, 0))

    def rows(self, A: Float[Array, "m T n"]) -> Float[Array, "m T n"]:
        """Return A with dropout; more examples do not change the masks of the first ones."""
        if self.layer is None or self.key is None:
            return A
        D = dropout_mask(self._next_key(), A.shape, self.layer.keep_prob)
        return dropout(A, D, self.layer.keep_prob)

    def through(self, layer: Layer, A: Any) -> Any:
        """Return the output of a layer, in training if there is a key."""
        return layer(A) if self.key is None else layer.train(A, key=self._next_key())[0]

    def _next_key(self) -> Key:
        assert self.key is not None
        self.done += 1
        return jax.random.fold_in(self.key, self.done)


# The decoder of the attention model


class _Source(NamedTuple):
    """The source as the attention needs it: A, W1_A A + b1, and which steps are real."""

    A: Float[Array, "*m T n_a"]
    keys: Float[Array, "*m T n_1"]
    real: Bool[Array, "*m T"]


class AttentionDecoder(Layer):
    """The decoder: an attention to the source, a GRU, and a linear layer."""

    numbered: ClassVar[bool] = False

    embedding: Embedding
    start: Dense
    attention: Attention
    cell: GRU
    output: Dense

    def __init__(self, network: Translator, *, key: Key, dtype: DTypeLike):
        n_e, n, n_L = network.embedding_size, network.hidden[-1], network.n_L
        keys = split_key(key, 5)
        common: dict[str, Any] = {"initializer": xavier, "dtype": dtype}
        self.embedding = Embedding(n_L + 1, n_e, key=keys[0], dtype=dtype)
        self.start = Dense(n, n, key=keys[1], activation=tanh, **common)
        self.attention = Attention(n, n, n // 2, g="identity", key=keys[2], dtype=dtype)
        self.cell = GRU(n_e + n, n, reset="before", key=keys[3], dtype=dtype)
        self.output = Dense(n + n + n_e, n_L, key=keys[4], **common)

    def __call__(self, A_prev: Any) -> Float[Array, "T n_L m"]:
        """Return Z for (the encoder's output, target)."""
        encoded, target = A_prev
        return self.all_steps(encoded, target, _Drop(None, None))[0]

    def all_steps(self, encoded: Steps, target: Steps, drop: _Drop) -> tuple[Array, Any]:
        """Return Z for all steps, and a function that returns the weights α."""
        source = self.memory(encoded)
        y = drop(self.embedding(target)).values.transpose(0, 2, 1)  # (T, m, n_e)
        from_y, products = self._from_y(y), self._products()

        def advance(s: Array, p: Array) -> tuple[Array, tuple]:
            s, context, weights = _advance(products, source, s, p)
            return s, (s, context, weights)

        _, (S, C, weights) = jax.lax.scan(advance, self._begin(source), from_y)
        R = jnp.concatenate([S, C, y], axis=2).transpose(1, 0, 2)
        Z = _linear(drop.rows(R), self.output.W, self.output.b)
        return Z.transpose(1, 2, 0), lambda: weights.transpose(0, 2, 1)

    def memory(self, encoded: Steps) -> _Source:
        """Return the source with the examples first."""
        T, n_a, m = encoded.values.shape
        R, hidden = rows(encoded.values), self.attention.hidden
        keys = _linear(R, hidden.W[:, :n_a], hidden.b)
        return _Source(R.reshape(m, T, n_a), keys.reshape(m, T, -1), encoded.real.T)

    def begin(self, source: _Source, longest: int) -> Float[Array, " n_s"]:
        """Return s[−1] of one example."""
        return self._begin(_as_batch(source))[0]

    def _begin(self, source: _Source) -> Float[Array, "m n_s"]:
        return self.start(source.A[:, 0].T).T

    def step(self, source: _Source, s: Float[Array, " n_s"], id: Any) -> tuple[Array, Array]:
        """Return Z (n_L,) and s of one example after this id."""
        y = self.embedding(jnp.asarray(id, np.int32).reshape(1, 1))[..., 0]  # (1, n_e)
        p = self._from_y(y[None])[0]
        s, context, _ = _advance(self._products(), _as_batch(source), s[None], p)
        Z = _linear(jnp.concatenate([s, context, y], axis=1), self.output.W, self.output.b)
        return Z[0], s[0]

    def _from_y(self, y: Float[Array, "T m n_e"]) -> Float[Array, "T m n_g"]:
        """Return the part of the GRU's product that does not depend on the state."""
        n, n_e = self.start.W.shape[0], y.shape[2]
        return _linear(y, self.cell.W[:, n : n + n_e], self.cell.b)

    def _products(self) -> "_Products":
        n, n_a = self.start.W.shape
        of_state, of_context = self.cell.W[:, :n], self.cell.W[:, -n_a:]
        return _Products(
            W1=self.attention.hidden.W[:, n_a:].T,
            W2=self.attention.energies.W.T,
            context=of_context.T,
            gates=of_state[: 2 * n].T,
            candidate=of_state[2 * n :].T,
        )


class _Products(NamedTuple):
    """The matrices in the loop over the steps, transposed, since the examples come first.

    W1, W2            the products with s in the attention, and of its hidden layer
    context           the product with the context in the GRU
    gates, candidate  the products with s in the GRU
    """

    W1: Float[Array, "n_s n_1"]
    W2: Float[Array, "n_1 1"]
    context: Float[Array, "n_a n_g"]
    gates: Float[Array, "n_s n_2"]
    candidate: Float[Array, "n_s n_s"]


def _advance(
    W: _Products, source: _Source, s: Float[Array, "m n_s"], p: Float[Array, "m n_g"]
) -> tuple[Float[Array, "m n_s"], Float[Array, "m n_a"], Float[Array, "m T"]]:
    """Return the new s, the context and the weights α; p is the product with y."""
    h = jnp.tanh(source.keys + (s @ W.W1)[:, None])
    e = (h @ W.W2)[..., 0] + jnp.where(source.real, 0, HIDDEN_ENERGY).astype(s.dtype)
    exponentials = jnp.exp(e - e.max(axis=1, keepdims=True))
    weights = exponentials / exponentials.sum(axis=1, keepdims=True)
    context = (weights[:, None] @ source.A)[:, 0]
    p, n = p + context @ W.context, s.shape[1]
    gates = sigmoid(p[:, : 2 * n] + s @ W.gates)
    update, relevance = gates[:, :n], gates[:, n:]
    candidate = tanh(p[:, 2 * n :] + (relevance * s) @ W.candidate)
    return update * candidate + (1 - update) * s, context, weights


HIDDEN_ENERGY = -1e30
"""What is added to the energies of steps that are not real, whose weights become 0."""


def _linear(
    A: Float[Array, "*rows n_prev"], W: Float[Array, "n_l n_prev"], b: Array | None
) -> Float[Array, "*rows n_l"]:
    """Return W A + b for numbers that are side by side in the last axis."""
    return A @ W.T + (0 if b is None else b.reshape(*(1,) * (A.ndim - 1), -1))


def _as_batch(tree: Any) -> Any:
    """Return arrays of one example as a batch of one, with the examples first."""
    return jax.tree.map(lambda x: x[None], tree)


# The decoders of a transformer


class _KeysAndValues(NamedTuple):
    """The keys and values of each decoder's attention to the source, and which steps are real."""

    K: Float[Array, "*m decoders T d"]
    V: Float[Array, "*m decoders T d"]
    real: Bool[Array, "*m T"]


class _TransformerState(NamedTuple):
    """The number of steps so far, and the keys and values of each decoder's attention to itself."""

    t: Int[Array, ""]
    K: Float[Array, "decoders longest d"]
    V: Float[Array, "decoders longest d"]


class TransformerDecoders(Layer):
    """The decoders, with an embedding before and a linear layer after them."""

    numbered: ClassVar[bool] = False

    embedding: Embedding
    position: PositionalEncoding
    decoders: tuple[TransformerDecoder, ...]
    norm: LayerNorm
    output: Dense

    def __init__(self, network: Translator, *, key: Key, dtype: DTypeLike):
        d, n_L = network.embedding_size, network.n_L
        first, last, *keys = split_key(key, 2 + len(network.hidden))
        how: dict[str, Any] = {"heads": _heads(d), "keep_prob": network.keep_prob}
        how |= {"norm_first": True, "dtype": dtype}
        self.embedding = Embedding(n_L + 1, d, key=first, dtype=dtype)
        self.position = PositionalEncoding(d**0.5)
        self.decoders = tuple(TransformerDecoder(d, key=k, **how) for k in keys)
        self.norm = LayerNorm(d, dtype=dtype)
        self.output = Dense(d, n_L, key=last, initializer=xavier, dtype=dtype)

    def __call__(self, A_prev: Any) -> Float[Array, "T n_L m"]:
        """Return Z for (the encoder's output, target)."""
        encoded, target = A_prev
        return self.all_steps(encoded, target, _Drop(None, None))[0]

    def all_steps(self, encoded: Steps, target: Steps, drop: _Drop) -> tuple[Array, Any]:
        """Return Z for all steps, and a function that returns the weights."""
        inputs: list[Any] = [drop(self.position(self.embedding(target)))]
        for layer in self.decoders:
            inputs.append(drop.through(layer, (inputs[-1], encoded)))
        A = self.norm(inputs[-1]).values
        Z = _linear(A.transpose(0, 2, 1), self.output.W, self.output.b)

        def weights() -> Array:
            pairs = zip(self.decoders, inputs, strict=False)
            return jnp.stack([_cross_weights(layer, X, encoded) for layer, X in pairs]).mean(axis=0)

        return Z.transpose(0, 2, 1), weights

    def memory(self, encoded: Steps) -> _KeysAndValues:
        """Return the keys and values of the source, with the examples first."""
        A = encoded.values.transpose(2, 0, 1)
        layers = [layer.cross_attention for layer in self.decoders]
        K = jnp.stack([_linear(A, one.Wk, one.bk) for one in layers], axis=1)
        V = jnp.stack([_linear(A, one.Wv, one.bv) for one in layers], axis=1)
        return _KeysAndValues(K, V, encoded.real.T)

    def begin(self, source: _KeysAndValues, longest: int) -> _TransformerState:
        """Return the state before the first step."""
        decoders, _, d = source.K.shape
        nothing = jnp.zeros((decoders, longest, d), source.K.dtype)
        return _TransformerState(jnp.zeros((), np.int32), nothing, nothing)

    def step(
        self, source: _KeysAndValues, state: _TransformerState, id: Any
    ) -> tuple[Float[Array, " n_L"], _TransformerState]:
        """Return Z (n_L,) and the state of one example after this id."""
        t, K, V = state
        _, longest, d = K.shape
        P = positional_encoding(longest, d).astype(K.dtype)[t]
        x = self.embedding(jnp.asarray(id, np.int32).reshape(1, 1))[0] * self.position.scale + P
        seen = jnp.arange(longest, dtype=np.int32) <= t
        for i, layer in enumerate(self.decoders):
            own, other, z = layer.self_attention, layer.cross_attention, layer.norm1(x)
            K = K.at[i, t].set((own.Wk @ z + own.bk)[:, 0])
            V = V.at[i, t].set((own.Wv @ z + own.bv)[:, 0])
            x = x + _attended(own, z, K[i], V[i], seen)
            x = x + _attended(other, layer.norm2(x), source.K[i], source.V[i], source.real)
            x = x + layer.feed_forward(layer.norm3(x)[None])[0]
        return self.output(self.norm(x))[:, 0], _TransformerState(t + 1, K, V)


DECODERS = (AttentionDecoder, TransformerDecoders)


def _heads(d: int) -> int:
    return next(h for h in (4, 2, 1) if d % h == 0 and (h == 1 or d // h >= HEAD))


def _attended(
    layer: MultiHeadAttention,
    x: Float[Array, "d 1"],
    K: Float[Array, "T d"],
    V: Float[Array, "T d"],
    visible: Bool[Array, " T"],
) -> Float[Array, "d 1"]:
    """Return the output of an attention for one query x, whose keys and values are known."""
    (T, d), h = K.shape, layer.heads
    q = (layer.Wq @ x + layer.bq).reshape(h, -1)
    e = jnp.einsum("hd,thd->ht", q * (d // h) ** -0.5, K.reshape(T, h, -1))
    weights = jax.nn.softmax(jnp.where(visible[None], e, HIDDEN_ENERGY), axis=1)
    joined = jnp.einsum("ht,thd->hd", weights, V.reshape(T, h, -1)).reshape(d, 1)
    return layer.Wo @ joined + layer.bo


def _cross_weights(layer: TransformerDecoder, X: Any, encoded: Steps) -> Array:
    """Return the weights (T_y, T_x, m) of a decoder's attention to the source, over its heads."""
    own = layer.self_attention(layer.norm1(X))
    queries = layer.norm2(X._replace(values=X.values + own.values))
    return layer.cross_attention.weights((queries, encoded)).mean(axis=0)


# Decoding


@partial(jax.jit, static_argnames=("width", "longest"))
def translate(
    network: Translator,
    source: Any,
    *,
    width: int = 1,
    longest: int,
    alpha: float | Float[Array, ""] = 0.6,
) -> Hypothesis:
    """Return the best targets: ids (m, longest), log-probabilities (m,) and scores (m,).

    It is a beam search with `width` beginnings, see `blocks/decoding.py`.
    """
    memory = network.memory(source)

    def best(memory: Any) -> Hypothesis:
        step = jax.tree_util.Partial(_step, network, memory)
        how: dict[str, Any] = {"end": network.end, "start": network.start, "longest": longest}
        return beam_search(step, network.begin(memory, longest), width=width, alpha=alpha, **how)

    return jax.vmap(best)(memory)


def _step(network: Translator, memory: Any, state: Any, id: Array) -> tuple[Array, Any]:
    return network.step(memory, state, id)
