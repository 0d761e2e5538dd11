"""The L-layer network: L − 1 times LINEAR → g, then LINEAR; the cost contains the last activation.

Notes: "Deep L-layer neural network" (course 1, week 4); "Dropout regularization" (course 2,
week 1); "Fitting batch norm into a neural network" (course 2, week 3).

    Z[l] = W[l] A[l−1] + b[l],  A[l] = g(Z[l]),  l = 1 … L − 1,  A[0] = X;   network(X) is Z[L]

    with batch norm   LINEAR (no b) → BATCH NORM → g    in each hidden layer
    with dropout      … → g → DROPOUT                   in each hidden layer

L = 1 is logistic regression (one output), softmax regression (several outputs) or linear
regression, depending on the cost that it is trained with.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float
from numpy.typing import DTypeLike

from chainrule.blocks.activations import identity, leaky_relu, relu, sigmoid, tanh
from chainrule.errors import OptionError, ShapeError, check_choice
from chainrule.formatting import count_of
from chainrule.host.machine import check_memory
from chainrule.host.randomness import key_from_seed, split_key
from chainrule.layers.allocation import LARGE
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout, check_keep_prob
from chainrule.layers.initializers import Initializer, he, lecun, small, xavier, zeros
from chainrule.layers.layer import Layer, named_arrays
from chainrule.layers.sequential import Sequential
from chainrule.types import Key

ACTIVATIONS = {f.__name__: f for f in (relu, leaky_relu, tanh, sigmoid, identity)}
INITIALIZERS = {f.__name__: f for f in (he, xavier, lecun, small, zeros)}

KeepProb = float | Sequence[float] | None
"""One number for all hidden layers, one for each of them, or None for no dropout."""


class DeepNetwork(Layer):
    """The network with n_0 inputs, n_1 … n_{L−1} hidden units and n_L outputs. X (n_0, m) → Z[L].

    `activation` and `initializer` are functions or their names; the default initialiser is the one
    the notes recommend for the activation: he for relu and leaky_relu, otherwise xavier.
    `keep_prob` is one number for all hidden layers or one for each. None or the number 1 creates no
    dropout layers; a sequence creates one for each hidden layer, and 1 keeps all of its units.

    >>> network = DeepNetwork((12288, 20, 7, 5, 1), key=jax.random.key(0))
    >>> network(jnp.ones((12288, 2), jnp.float32)).shape
    (1, 2)
    """

    layers: Sequential

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activation: Callable | str = relu,
        initializer: Initializer | str | None = None,
        keep_prob: KeepProb = None,
        batch_norm: bool = False,
        key: Key,
        dtype: DTypeLike = np.float32,
    ):
        check_sizes(sizes)
        _check_memory(sizes, dtype)
        g = _named("activation", activation, ACTIVATIONS)
        start = _named("initializer", initializer or recommended_initializer(g), INITIALIZERS)
        keep = keep_probs("DeepNetwork(keep_prob=…)", keep_prob, len(sizes) - 2)
        keys = split_key(key, len(sizes) - 1)

        def dense(l: int, g: Callable, *, bias: bool = True) -> Dense:
            n_prev, n_l, k = sizes[l - 1], sizes[l], keys[l - 1]
            return Dense(
                n_prev, n_l, activation=g, initializer=start, bias=bias, key=k, dtype=dtype
            )

        L, layers = len(sizes) - 1, []
        for l in range(1, L):
            if batch_norm:
                layers += [dense(l, identity, bias=False)]
                layers += [BatchNorm(sizes[l], activation=g, dtype=dtype)]
            else:
                layers += [dense(l, g)]
            if keep:
                layers += [Dropout(keep[l - 1], dtype=dtype)]
        self.layers = Sequential([*layers, dense(L, identity)])

    def __call__(self, A_prev: Float[Array, "n_0 m"]) -> Float[Array, "n_L m"]:
        """Return Z[L], the output of the last linear layer."""
        return self.layers(A_prev)

    def train(
        self, A_prev: Float[Array, "n_0 m"], *, key: Key, weights: Array | None = None
    ) -> tuple[Float[Array, "n_L m"], "DeepNetwork"]:
        """Return Z[L] in training, and the network after it."""
        Z, layers = self.layers.train(A_prev, key=key, weights=weights)
        return Z, eqx.tree_at(lambda network: network.layers, self, layers)

    def parts(self) -> tuple[Layer, ...]:
        """Return the layers, including batch norm and dropout."""
        return self.layers.parts()

    def part_keys(self, key: Key) -> tuple[Key, ...]:
        """Return the random key that a training step passes to each part of the network."""
        return self.layers.part_keys(key)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The layer sizes (n_0, n_1, …, n_L)."""
        shapes = [W.shape for name, W in named_arrays(self).items() if name.startswith("W")]
        return (shapes[0][1], *(n_l for n_l, _ in shapes))

    @property
    def settings(self) -> dict[str, Any]:
        """The constructor's arguments for a network with the same layers, except for its arrays.

        `DeepNetwork(**network.settings, key=key)` builds it; `replace_arrays` sets its arrays.
        """
        parts = self.parts()
        keep = [round(float(part.keep_prob), 7) for part in parts if isinstance(part, Dropout)]
        normalized = [part for part in parts if isinstance(part, BatchNorm)]
        activated = (normalized or [part for part in parts if isinstance(part, Dense)])[0]
        return {
            "sizes": self.sizes,
            "activation": getattr(activated.activation, "__name__", ""),
            "keep_prob": tuple(keep) or None,
            "batch_norm": bool(normalized),
        }

    @property
    def title(self) -> str:
        """The title of the network, such as "DeepNetwork(64-32-10)"."""
        return f"DeepNetwork({'-'.join(map(str, self.sizes))})"

    @classmethod
    def from_weights(
        cls, weights: Sequence[tuple[ArrayLike, ArrayLike]], *, activation: Callable | str = relu
    ) -> "DeepNetwork":
        """Build a network from (W[1], b[1]), …, (W[L], b[L]): W (n_l, n_prev), b (n_l, 1)."""
        pairs = [(_numbers(W), _numbers(b)) for W, b in weights]
        for l, (W, b) in enumerate(pairs, 1):
            n_prev = pairs[l - 2][0].shape[0] if l > 1 else W.shape[-1]
            if W.ndim != 2 or b.shape != (W.shape[0], 1) or W.shape[1] != n_prev:
                flat_b = b.size == W.shape[0] and b.shape != (W.shape[0], 1)
                raise ShapeError(
                    f"layer {l}, from_weights",
                    f"W (n_l, {n_prev}) and b (n_l, 1)",
                    f"W {W.shape} and b {b.shape}",
                    "b.reshape(-1, 1)" if flat_b else "W.T, or the layers in another order",
                )
        sizes = [pairs[0][0].shape[1], *(W.shape[0] for W, _ in pairs)]
        network = cls(sizes, activation=activation, initializer=zeros, key=key_from_seed(0))
        return jax.tree.unflatten(jax.tree.structure(network), [x for p in pairs for x in p])


def recommended_initializer(activation: Callable) -> Initializer:
    """Return the notes' choice: he for (leaky) relu, which halves the signal, otherwise xavier."""
    return he if activation in (relu, leaky_relu) else xavier


def check_sizes(sizes: Sequence[int]) -> None:
    """Refuse sizes that are not two or more whole numbers above 0."""
    numbers = tuple(sizes) if isinstance(sizes, Iterable) else (sizes,)
    wrong = [n for n in numbers if not isinstance(n, int | np.integer) or n is True or n < 1]
    if wrong or len(numbers) < 2:
        raise OptionError(
            "DeepNetwork",
            "sizes (n_0, …, n_L), at least two whole numbers of at least 1",
            repr(sizes),
            "the number of inputs first and of outputs last, such as (64, 32, 10)",
        )


def _check_memory(sizes: Sequence[int], dtype: DTypeLike) -> None:
    """Refuse a network whose parameters do not fit into memory, before any is drawn."""
    parameters = sum((int(n_prev) + 1) * int(n_l) for n_prev, n_l in pairwise(sizes))
    needed = parameters * np.dtype(dtype).itemsize
    if needed > LARGE:
        title = f"DeepNetwork({'-'.join(map(str, sizes))})"
        check_memory(title, needed, "fewer units in the hidden layers")


def keep_probs(where: str, keep_prob: Any, hidden: int) -> list[float]:
    """Return one keep_prob for each hidden layer, or an empty list for no dropout.

    `where` names the option in error messages.
    """
    if keep_prob is None:
        return []
    if isinstance(keep_prob, str) or not isinstance(keep_prob, Iterable):
        check_keep_prob(where, keep_prob)
        return [float(keep_prob)] * hidden if keep_prob != 1 else []
    values = list(keep_prob)
    for value in values:
        check_keep_prob(where, value)
    if len(values) != hidden:
        hint = (
            f"{count_of(hidden, 'number')}, with 1 for a layer that keeps all units"
            if hidden
            else "None"
        )
        expected = f"one number, or {hidden}, one for each hidden layer"
        raise OptionError(where, expected, f"{len(values)}: {values}", hint)
    return values


def _numbers(array: ArrayLike) -> Array:
    """Convert to a JAX array; whole numbers become floats, which can be trained."""
    array = jnp.asarray(array)
    return array if jnp.issubdtype(array.dtype, jnp.inexact) else array.astype(float)


def _named(where: str, value: Callable | str, choices: dict[str, Callable]) -> Callable:
    """Return the function itself, or the function with this name."""
    if not isinstance(value, str):
        return value
    check_choice(f"DeepNetwork({where}=…)", value, choices)
    return choices[value]
