"""A network from a sequence to Z[L], one column for each sequence: many to one.

Notes: "Different types of RNNs", "Gated Recurrent Unit (GRU)", "Long Short Term Memory (LSTM)",
"Bidirectional RNN" and "Deep RNNs" (course 5, week 1); "Transformer network" (course 5, week 4).

    summary        statistics of the steps, or counts of characters → Dense: logistic regression
    rnn lstm gru   (Embedding →) recurrent layers, of which the last gives its last step → Dense
    transformer    (Embedding or Dense →) positional encoding → encoders → mean of the steps → Dense
    conv1d         (Embedding →) convolutions over time, ReLU → largest of the steps → Dense

The input is `Steps`: numbers (T, n_x, m), or ids (T, m) of n_x tokens. `hidden` has the number of
units of each layer. A bidirectional network has as many units for each direction.

>>> network = SequenceNetwork("gru", 3, 2, hidden=(8,), key=jax.random.key(0))
>>> network(Steps(jnp.ones((5, 3, 4), jnp.float32))).shape, network.title
((2, 4), 'gru(3 -> 8 -> 2)')
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import DTypeLike

from chainrule.blocks.activations import relu
from chainrule.choices import SEQUENCE_NETWORKS, SUMMARY
from chainrule.errors import OptionError, ShapeError, check_choice, check_integer
from chainrule.host.randomness import split_key
from chainrule.layers.attention import Embedding, PositionalEncoding, TransformerEncoder
from chainrule.layers.conv import Conv1D
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout, check_keep_prob
from chainrule.layers.initializers import xavier
from chainrule.layers.layer import Layer
from chainrule.layers.recurrent import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    EachStep,
    MaxOfSteps,
    MeanOfSteps,
)
from chainrule.layers.sequential import Sequential
from chainrule.layers.steps import Steps
from chainrule.layers.summary import CharacterCounts, SummaryStatistics
from chainrule.types import Key

RECURRENT: dict[str, Any] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}
HIDDEN = (64,)
EMBEDDING = 32
"""The length of the vector of a token."""
FILTER = 5
HEAD = 16
"""The least size of a head of a Transformer; there are four heads from 64 units on."""


class SequenceNetwork(Layer):
    """A network from sequences to columns Z (n_L, m).

    name           one of "summary", "rnn", "lstm", "gru", "transformer" and "conv1d"
    n_x            the numbers of a step, or with `tokens` the size of the vocabulary
    hidden         the units of each layer
    bidirectional  whether recurrent layers run in both directions
    keep_prob      dropout after each layer
    """

    layers: Sequential
    name: str = eqx.field(static=True)
    n_x: int = eqx.field(static=True)
    n_L: int = eqx.field(static=True)
    hidden: tuple[int, ...] = eqx.field(static=True)
    tokens: bool = eqx.field(static=True)
    bidirectional: bool = eqx.field(static=True)
    keep_prob: float = eqx.field(static=True)

    def __init__(
        self,
        name: str,
        n_x: int,
        n_L: int,
        *,
        hidden: Sequence[int] = HIDDEN,
        tokens: bool = False,
        bidirectional: bool = False,
        keep_prob: float = 1.0,
        key: Key,
        dtype: DTypeLike = np.float32,
    ):
        check_choice("the network", name, SEQUENCE_NETWORKS)
        check_keep_prob("keep_prob", keep_prob)
        for n in hidden:
            check_integer("hidden", n, hint="64")
        if not hidden and name != SUMMARY:
            raise OptionError("hidden", f"the units of each layer of {name}", "none", "64")
        if bidirectional and name not in RECURRENT:
            expected, hint = f"one of {', '.join(RECURRENT)}", "leaving bidirectional out"
            raise OptionError("bidirectional", expected, name, hint)
        self.name, self.n_x, self.n_L, self.tokens = name, n_x, n_L, tokens
        self.hidden = () if name == SUMMARY else tuple(map(int, hidden))
        self.bidirectional, self.keep_prob = bidirectional, float(keep_prob)
        make = _Maker(self, key, dtype)
        self.layers = Sequential([*make.first(), *make.body(), make.last()])

    def __call__(self, A_prev: Any) -> Float[Array, "n_L m"]:
        """Return Z[L] in prediction."""
        steps: Any = self._checked(A_prev)
        return self.layers(steps)

    def train(
        self, A_prev: Any, *, key: Key, weights: Array | None = None
    ) -> tuple[Float[Array, "n_L m"], "SequenceNetwork"]:
        """Return Z[L] in training, and the network after it."""
        steps: Any = self._checked(A_prev)
        Z, layers = self.layers.train(steps, key=key, weights=weights)
        return Z, eqx.tree_at(lambda network: network.layers, self, layers)

    def _checked(self, A_prev: Any) -> Steps:
        """Return the steps, and refuse anything but numbers or ids of this network."""
        steps = A_prev if isinstance(A_prev, Steps) else Steps(A_prev)
        shape, ids = steps.values.shape, jnp.issubdtype(steps.values.dtype, jnp.integer)
        if self.tokens and (len(shape) != 2 or not ids):
            expected, got = "token ids (T, m)", f"{steps.values.dtype} {shape}"
            raise ShapeError(f"the input of {self.title}", expected, got, "a network on numbers")
        if not self.tokens and (len(shape) != 3 or shape[1] != self.n_x):
            hint = f"a network for {shape[1]} numbers a step" if len(shape) == 3 else "X[..., None]"
            raise ShapeError(f"the input of {self.title}", f"(T, {self.n_x}, m)", f"{shape}", hint)
        return steps

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
            "sequence": self.name,
            "n_x": self.n_x,
            "n_L": self.n_L,
            "hidden": list(self.hidden),
            "tokens": self.tokens,
            "bidirectional": self.bidirectional,
            "keep_prob": self.keep_prob,
        }

    @property
    def title(self) -> str:
        """The title of the network, such as "gru(12 -> 64 -> 9)"."""
        sizes = " -> ".join(map(str, (self.n_x, *self.hidden, self.n_L)))
        return f"{self.name}({sizes}{', bidirectional' if self.bidirectional else ''})"


class _Maker:
    """The layers of a network, in order, each with its own key."""

    def __init__(self, network: SequenceNetwork, key: Key, dtype: DTypeLike):
        self.network, self.dtype = network, dtype
        self.keys = iter(split_key(key, 2 * len(network.hidden) + 3))
        self.n = network.n_x

    @property
    def common(self) -> dict[str, Any]:
        return {"key": next(self.keys), "dtype": self.dtype}

    def first(self) -> list[Layer]:
        """Return what makes vectors of the steps."""
        network, transformer = self.network, self.network.name == "transformer"
        layers: list[Layer] = []
        if network.tokens and network.name != SUMMARY:
            self.n = network.hidden[0] if transformer else EMBEDDING
            layers.append(Embedding(network.n_x, self.n, **self.common))
        elif transformer:
            layers.append(EachStep(Dense(self.n, network.hidden[0], **self.common)))
            self.n = network.hidden[0]
        return [*layers, PositionalEncoding()] if transformer else layers

    def body(self) -> list[Layer]:
        """Return the layers on sequences, and what makes one column of each."""
        network = self.network
        if network.name == SUMMARY:
            counts = CharacterCounts(dtype=np.dtype(self.dtype).name)
            self.n = counts.size if network.tokens else 7 * self.n + 1
            return [counts if network.tokens else SummaryStatistics()]
        layers: list[Layer] = []
        for l, units in enumerate(network.hidden, 1):
            layers += self.layer(units, last=l == len(network.hidden))
            if network.keep_prob < 1:
                layers.append(Dropout(network.keep_prob, dtype=self.dtype))
        pool = {"transformer": MeanOfSteps, "conv1d": MaxOfSteps}.get(network.name)
        return layers if pool is None else [*layers, pool()]

    def layer(self, units: int, *, last: bool) -> list[Layer]:
        """Return a layer with this number of units."""
        network, n_prev = self.network, self.n
        self.n = units
        if network.name == "conv1d":
            p = "same"
            return [Conv1D(n_prev, units, f=FILTER, p=p, activation=relu, **self.common)]
        if network.name == "transformer":
            if units != n_prev:
                expected, hint = "equally many units in every layer of a transformer", "64,64"
                raise OptionError("hidden", expected, f"{n_prev} and {units}", hint)
            heads = next(h for h in (4, 2, 1) if units % h == 0 and (h == 1 or units // h >= HEAD))
            return [TransformerEncoder(units, heads=heads, norm_first=True, **self.common)]
        make = RECURRENT[network.name]
        if not network.bidirectional:
            return [make(n_prev, units, last=last, **self.common)]
        self.n = 2 * units
        forward = make(n_prev, units, last=last, **self.common)
        backward = make(n_prev, units, last=last, reverse=True, **self.common)
        return [Bidirectional(forward, backward)]

    def last(self) -> Layer:
        """Return the last linear layer."""
        return Dense(self.n, self.network.n_L, initializer=xavier, **self.common)
