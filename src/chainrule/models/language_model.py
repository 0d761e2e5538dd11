"""A network that predicts the next token of a text at every step: many to many.

Notes: "Language model and sequence generation" and "Sampling novel sequences" (course 5, week 1);
"Transformer network" (course 5, week 4).

    lstm gru       Embedding → recurrent layers, each with dropout → Dense at every step
    transformer    Embedding → positional encoding → causal encoders → LayerNorm → Dense

Z[t] = logits of P(y[t] | y[0], …, y[t−1]), where step t of the input is y[t−1]. In training, the
true y[t−1] is the input (teacher forcing), and all steps are computed at once. To sample or search,
`step` reads one id after the other: it continues a state, which holds the activations of recurrent
layers, or for a transformer the inputs of each layer's attention so far. So a transformer reads at
most `context` ids; a recurrent network reads any number.

>>> network = LanguageModel("gru", 5, hidden=(8,), embedding_size=4, key=jax.random.key(0))
>>> ids = jnp.array([[4], [1], [2]], jnp.int32)
>>> network(ids).shape, network.title
((3, 5, 1), 'gru(5 -> 8 -> 5)')
>>> log_p, state = network.step(network.begin(), 4)
>>> bool(jnp.allclose(log_p, jax.nn.log_softmax(network(ids)[0, :, 0]), atol=1e-6))
True
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import DTypeLike

from chainrule.blocks.attention import multi_head_attention, positional_encoding
from chainrule.blocks.gru import gru_cell
from chainrule.blocks.lstm import lstm_cell
from chainrule.choices import LANGUAGE_MODELS
from chainrule.errors import OptionError, ShapeError, check_choice, check_integer
from chainrule.host.randomness import split_key
from chainrule.layers.attention import (
    Embedding,
    LayerNorm,
    PositionalEncoding,
    TransformerEncoder,
)
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout, check_keep_prob
from chainrule.layers.initializers import xavier
from chainrule.layers.layer import Layer
from chainrule.layers.recurrent import GRU, LSTM, EachStep
from chainrule.layers.sequential import Sequential
from chainrule.layers.steps import like, values_of
from chainrule.types import Key

HIDDEN = (64,)
EMBEDDING = 32
CONTEXT = 128
HEAD = 16
"""The least size of a head of a transformer; there are four heads from 64 units on."""


class State(NamedTuple):
    """What `step` continues: the number of ids read, and the memory of each layer."""

    t: Int[Array, ""]
    memories: tuple[Any, ...]


class LanguageModel(Layer):
    """A network from ids (T, m) to Z (T, V, m), the logits of the next id after each step.

    name            "lstm", "gru" or "transformer"
    V               the number of ids
    hidden          the units of each layer, equally many in a transformer
    embedding_size  the numbers of a token's vector; in a transformer the units of its layers
    keep_prob       dropout after each recurrent layer, or inside of each encoder
    context         the most ids that a transformer takes; a recurrent network takes more
    """

    layers: Sequential
    name: str = eqx.field(static=True)
    V: int = eqx.field(static=True)
    hidden: tuple[int, ...] = eqx.field(static=True)
    embedding_size: int = eqx.field(static=True)
    keep_prob: float = eqx.field(static=True)
    context: int = eqx.field(static=True)

    def __init__(
        self,
        name: str,
        V: int,
        *,
        hidden: Sequence[int] = HIDDEN,
        embedding_size: int | None = None,
        keep_prob: float = 1.0,
        context: int = CONTEXT,
        key: Key,
        dtype: DTypeLike = np.float32,
    ):
        check_choice("the network", name, LANGUAGE_MODELS)
        check_keep_prob("keep_prob", keep_prob)
        for where, n in (("V", V), ("context", context), *(("hidden", n) for n in hidden)):
            check_integer(where, n, hint="64")
        if not hidden:
            raise OptionError("hidden", f"the units of each layer of {name}", "none", "64")
        self.name, self.V, self.hidden = name, V, tuple(map(int, hidden))
        usual = hidden[0] if name == "transformer" else EMBEDDING
        self.embedding_size = usual if embedding_size is None else embedding_size
        check_integer("embedding_size", self.embedding_size, hint="64")
        if name == "transformer" and {*hidden} != {self.embedding_size}:
            expected = "equally many units in every layer of a transformer and in its embedding"
            got = f"{', '.join(map(str, hidden))} and an embedding of {self.embedding_size}"
            raise OptionError("hidden", expected, got, f"{hidden[0]}, {hidden[0]}")
        self.keep_prob, self.context = float(keep_prob), context
        self.layers = Sequential(list(self._make(key, dtype)))

    def _make(self, key: Key, dtype: DTypeLike) -> list[Layer]:
        """Return the layers, in order, each with its own key."""
        first, *keys, last = split_key(key, len(self.hidden) + 2)
        n = self.embedding_size
        layers: list[Layer] = [Embedding(self.V, n, key=first, dtype=dtype)]
        if self.name == "transformer":
            heads = next(h for h in (4, 2, 1) if n % h == 0 and (h == 1 or n // h >= HEAD))
            how: dict[str, Any] = {"heads": heads, "keep_prob": self.keep_prob}
            how |= {"causal": True, "norm_first": True, "dtype": dtype}
            layers.append(PositionalEncoding(n**0.5))
            layers += [TransformerEncoder(n, key=k, **how) for k in keys]
            layers.append(LayerNorm(n, dtype=dtype))
        else:
            make = {"lstm": LSTM, "gru": GRU}[self.name]
            for units, k in zip(self.hidden, keys, strict=True):
                layers.append(make(n, units, key=k, dtype=dtype))
                layers += [Dropout(self.keep_prob, dtype=dtype)] if self.keep_prob < 1 else []
                n = units
        output = Dense(n, self.V, initializer=xavier, key=last, dtype=dtype)
        return [*layers, EachStep(output)]

    def __call__(self, A_prev: Any) -> Float[Array, "T V m"]:
        """Return Z of every step in prediction; it is 0 in steps that are not real."""
        return values_of(like(A_prev, self.layers(self._ids(A_prev))))

    def train(
        self, A_prev: Any, *, key: Key, weights: Array | None = None
    ) -> tuple[Float[Array, "T V m"], "LanguageModel"]:
        """Return Z of every step in training, and the network after it."""
        Z, layers = self.layers.train(self._ids(A_prev), key=key, weights=weights)
        after = eqx.tree_at(lambda network: network.layers, self, layers)
        return values_of(like(A_prev, Z)), after

    def _ids(self, A_prev: Any) -> Int[Array, "T m"]:
        """Return the ids, and refuse anything else, and more than the context.

        The layers get no lengths: a step sees only those before it, so that the steps that are not
        real, which come last, change no other.
        """
        ids = values_of(A_prev)
        if ids.ndim != 2 or not jnp.issubdtype(ids.dtype, jnp.integer):
            expected, got = "token ids (T, m)", f"{ids.dtype} {tuple(ids.shape)}"
            raise ShapeError(f"the input of {self.title}", expected, got, "vocabulary.encode")
        self.check_length(f"the input of {self.title}", len(ids))
        return ids

    def check_length(self, where: str, T: int) -> None:
        """Refuse more ids than a transformer takes."""
        if self.longest is not None and self.longest < T:
            expected = f"at most {self.longest:,} tokens, the context of the transformer"
            hint = f"a shorter text, or training with --context {T}"
            raise ShapeError(where, expected, f"{T:,}", hint)

    @property
    def longest(self) -> int | None:
        """The most ids that the network takes, or None if there is no limit."""
        return self.context if self.name == "transformer" else None

    @property
    def tokens(self) -> bool:
        """Whether the input is ids: always."""
        return True

    def begin(self) -> State:
        """Return the state before the first id."""
        last: Any = self.layers.layers[-1]
        dtype = last.layer.W.dtype
        found = (self._memory(layer, dtype) for layer in self.layers.layers)
        return State(jnp.zeros((), np.int32), tuple(found))

    def _memory(self, layer: Layer, dtype: Any) -> Any:
        if isinstance(layer, LSTM):
            zeros = jnp.zeros((layer.n_a, 1), dtype)
            return zeros, zeros
        if isinstance(layer, GRU):
            return jnp.zeros((layer.n_a, 1), dtype)
        if isinstance(layer, TransformerEncoder):
            return jnp.zeros((self.context, self.embedding_size, 1), dtype)
        return ()

    def step(self, state: State, id: Int[Any, ""]) -> tuple[Float[Array, " V"], State]:
        """Return the log-probability of each next id, after this id, and the new state."""
        A: Any = jnp.asarray(id, np.int32).reshape(1, 1)
        memories = []
        for layer, memory in zip(self.layers.layers, state.memories, strict=True):
            A, new = self._advance(layer, A, memory, state.t)
            memories.append(new)
        return jax.nn.log_softmax(A.reshape(-1)), State(state.t + 1, tuple(memories))

    def _advance(self, layer: Any, A: Array, memory: Any, t: Any) -> tuple[Array, Any]:
        """Return A (1, n, 1) of a layer for one step, and its memory after it."""
        if isinstance(layer, LSTM):
            a, c = lstm_cell(A[0], *memory, layer.W, layer.b)
            return a[None], (a, c)
        if isinstance(layer, GRU):
            c = gru_cell(A[0], memory, layer.W, layer.b, reset=layer.reset)
            return c[None], c
        if isinstance(layer, PositionalEncoding):
            P = positional_encoding(self.context, A.shape[1]).astype(A.dtype)
            return A * layer.scale + jax.lax.dynamic_slice_in_dim(P, t, 1), ()
        if isinstance(layer, TransformerEncoder):
            return _encode_step(layer, A, memory, t)
        return layer(A), ()

    def parts(self) -> tuple[Layer, ...]:
        """Return the layers."""
        return self.layers.parts()

    def part_keys(self, key: Key) -> tuple[Key, ...]:
        """Return the random key that a training step passes to each part of the network."""
        return self.layers.part_keys(key)

    @property
    def settings(self) -> dict[str, Any]:
        """The constructor's arguments for a network with the same layers, as plain data."""
        return {
            "language": self.name,
            "V": self.V,
            "hidden": list(self.hidden),
            "embedding_size": self.embedding_size,
            "keep_prob": self.keep_prob,
            "context": self.context,
        }

    @property
    def title(self) -> str:
        """The title of the network, such as "lstm(66 -> 512 -> 66)"."""
        return f"{self.name}({' -> '.join(map(str, (self.V, *self.hidden, self.V)))})"


def _encode_step(
    layer: TransformerEncoder, A: Float[Array, "1 d 1"], memory: Float[Array, "T d 1"], t: Any
) -> tuple[Float[Array, "1 d 1"], Float[Array, "T d 1"]]:
    """Return A of a causal encoder at step t, and the inputs of its attention up to it."""
    attention, X = layer.attention, layer.norm1(A)
    memory = jax.lax.dynamic_update_slice_in_dim(memory, X, t, 0)
    mask = (jnp.arange(len(memory), dtype=np.int32) <= t)[None, :, None]
    matrices = (attention.Wq, attention.Wk, attention.Wv, attention.Wo)
    biases = (attention.bq, attention.bk, attention.bv, attention.bo)
    A = A + multi_head_attention(X, memory, *matrices, *biases, mask, heads=attention.heads)
    return A + layer.feed_forward(layer.norm2(A)), memory
