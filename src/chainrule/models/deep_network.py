"""The L-layer network: L − 1 times LINEAR → g, then LINEAR; the cost brings the last activation.

Notes: "Deep L-layer neural network" (course 1, week 4).

    Z[l] = W[l] A[l−1] + b[l],  A[l] = g(Z[l]),  l = 1 … L − 1,  A[0] = X;   network(X) is Z[L]

L = 1 is logistic regression (one output), softmax regression (several), or linear regression,
by the cost it is trained with.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float
from numpy.typing import DTypeLike

from chainrule.blocks.activations import identity, leaky_relu, relu, sigmoid, tanh
from chainrule.errors import OptionError, ShapeError, check_choice
from chainrule.layers.dense import Dense
from chainrule.layers.initializers import Initializer, he, lecun, small, xavier, zeros
from chainrule.layers.layer import Layer, named_arrays
from chainrule.layers.sequential import Sequential
from chainrule.randomness import split_key
from chainrule.types import Key

ACTIVATIONS = {f.__name__: f for f in (relu, leaky_relu, tanh, sigmoid, identity)}
INITIALIZERS = {f.__name__: f for f in (he, xavier, lecun, small, zeros)}


class DeepNetwork(Layer):
    """The network with n_0 inputs, n_1 … n_{L−1} hidden units and n_L outputs. X (n_0, m) → Z[L].

    `activation` and `initializer` are functions or their names; without an initializer the notes'
    for the activation is taken: he for relu and leaky_relu, xavier else.

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
        key: Key,
        dtype: DTypeLike = np.float32,
    ):
        check_sizes(sizes)
        g = _named("activation", activation, ACTIVATIONS)
        start = _named("initializer", initializer or recommended_initializer(g), INITIALIZERS)
        keys = split_key(key, len(sizes) - 1)
        last = len(sizes) - 2
        self.layers = Sequential(
            [
                Dense(
                    n_prev,
                    n_l,
                    activation=g if l < last else identity,
                    initializer=start,
                    key=keys[l],
                    dtype=dtype,
                )
                for l, (n_prev, n_l) in enumerate(pairwise(sizes))
            ]
        )

    def __call__(self, A_prev: Float[Array, "n_0 m"]) -> Float[Array, "n_L m"]:
        """Z[L], the last linear output."""
        return self.layers(A_prev)

    def train(
        self, A_prev: Float[Array, "n_0 m"], *, key: Key, weights: Array | None = None
    ) -> tuple[Float[Array, "n_L m"], "DeepNetwork"]:
        """Z[L] as training computes it, and the network as it is afterwards."""
        Z, layers = self.layers.train(A_prev, key=key, weights=weights)
        return Z, eqx.tree_at(lambda network: network.layers, self, layers)

    def parts(self) -> tuple[Layer, ...]:
        """The L layers."""
        return self.layers.parts()

    @property
    def sizes(self) -> tuple[int, ...]:
        """(n_0, n_1, …, n_L)."""
        shapes = [W.shape for name, W in named_arrays(self).items() if name.startswith("W")]
        return (shapes[0][1], *(n_l for n_l, _ in shapes))

    @property
    def title(self) -> str:
        """Such as "DeepNetwork(64-32-10)"."""
        return f"DeepNetwork({'-'.join(map(str, self.sizes))})"

    @classmethod
    def from_weights(
        cls, weights: Sequence[tuple[ArrayLike, ArrayLike]], *, activation: Callable | str = relu
    ) -> "DeepNetwork":
        """The network with the given (W[1], b[1]), …, (W[L], b[L]): W (n_l, n_prev), b (n_l, 1)."""
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
        network = cls(sizes, activation=activation, initializer=zeros, key=jax.random.key(0))
        return jax.tree.unflatten(jax.tree.structure(network), [x for p in pairs for x in p])


def recommended_initializer(activation: Callable) -> Initializer:
    """The notes' choice: he where half of the signal is cut off, xavier else."""
    return he if activation in (relu, leaky_relu) else xavier


def check_sizes(sizes: Sequence[int]) -> None:
    """Refuse anything but at least two whole numbers above 0."""
    several = tuple(sizes) if isinstance(sizes, Iterable) else (sizes,)
    wrong = [n for n in several if not isinstance(n, int | np.integer) or n is True or n < 1]
    if wrong or len(several) < 2:
        raise OptionError(
            "DeepNetwork",
            "sizes (n_0, …, n_L): at least two whole numbers, each 1 or more",
            repr(sizes),
            "the number of inputs first and of outputs last, such as (64, 32, 10)",
        )


def _numbers(array: ArrayLike) -> Array:
    """As JAX holds it; whole numbers become floats, which can be trained."""
    array = jnp.asarray(array)
    return array if jnp.issubdtype(array.dtype, jnp.inexact) else array.astype(float)


def _named(where: str, value: Callable | str, choices: dict[str, Callable]) -> Callable:
    """The function itself, or the one of this name."""
    if not isinstance(value, str):
        return value
    check_choice(f"DeepNetwork({where}=…)", value, choices)
    return choices[value]
