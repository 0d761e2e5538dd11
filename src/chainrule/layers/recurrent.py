"""Layers that pass a state from step to step, and layers that apply others to every step.

Notes: "Recurrent Neural Network Model", "Different types of RNNs", "Gated Recurrent Unit (GRU)",
"Long Short Term Memory (LSTM)", "Bidirectional RNN" and "Deep RNNs" (course 5, week 1).

A layer takes `Steps`, whose lengths say which steps are real, or an array (T, n_x, m), in which all
are, and returns the activations of all steps in the same form: they are 0 at a step that is not
real. With `last` it returns an array (n_a, m), the activations after the last step. The state
before the first step is 0.

    many to one     GRU(n_x, 64, last=True, …), then Dense
    many to many    GRU(n_x, 64, …), then EachStep(Dense(…))
    deep            GRU(n_x, 64, …), then GRU(64, 32, …), and so on
    bidirectional   Bidirectional(GRU(n_x, 64, …), GRU(n_x, 64, reverse=True, …))

W = [W_a W_x] has a block of rows for each gate. In each block, W_x is drawn by `initializer`, and
W_a is orthogonal, so that a state neither grows nor shrinks when it is multiplied by it at every
step (up to g). b starts at 0, and at 1 for the forget gate of the LSTM, so that the memory lasts.
"""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import DTypeLike

from chainrule.blocks.gru import RESETS, gru
from chainrule.blocks.lstm import lstm
from chainrule.blocks.recurrent import ACTIVATIONS, last_step, rnn
from chainrule.errors import (
    OptionError,
    ShapeError,
    check_choice,
    check_integer,
    check_steps,
    shape_errors_in,
)
from chainrule.host.randomness import split_key
from chainrule.layers.allocation import filled, needs_only_shapes
from chainrule.layers.initializers import Initializer, orthogonal, xavier
from chainrule.layers.layer import Layer
from chainrule.layers.steps import Steps, like, values_of
from chainrule.types import Key

Sequences = Any
"""Steps, or an array (T, n, m)."""

# Recurrent layers


class RNN(Layer):
    """A[t] = g(W [A[t−1]; X[t]] + b), g is tanh or relu. X (T, n_x, m) → A (T, n_a, m).

    With `reverse` the steps run from the last real one to the first; with `last` only the
    activation after the last of them is returned.

    >>> layer = RNN(3, 4, key=jax.random.key(0))
    >>> layer(jnp.ones((6, 3, 5), jnp.float32)).shape
    (6, 4, 5)
    """

    W: Float[Array, "n_a n"]
    b: Float[Array, "n_a 1"]
    g: str = eqx.field(static=True)
    reverse: bool = eqx.field(static=True)
    last: bool = eqx.field(static=True)

    def __init__(
        self,
        n_x: int,
        n_a: int,
        *,
        key: Key,
        g: str = "tanh",
        reverse: bool = False,
        last: bool = False,
        initializer: Initializer = xavier,
        dtype: DTypeLike = np.float32,
    ):
        check_choice("RNN(g=…)", g, ACTIVATIONS)
        self.W, self.b = _initial("RNN", n_x, n_a, (0,), key, initializer, dtype)
        self.g, self.reverse, self.last = g, reverse, last

    def __call__(self, A_prev: Sequences) -> Sequences:
        """Return A of all steps, or after the last."""
        X, lengths = _read(self, A_prev)
        a0 = _no_state(self, X)
        A = rnn(X, a0, self.W, self.b, lengths, g=self.g, reverse=self.reverse)
        return _returned(self, A_prev, A)

    @property
    def n_a(self) -> int:
        """The number of units."""
        return self.W.shape[0]

    @property
    def title(self) -> str:
        """The title of the layer, such as "RNN(12 -> 64)"."""
        return _title(self, "" if self.g == "tanh" else f", {self.g}")


class LSTM(Layer):
    """The LSTM, whose memory cell is kept inside. X (T, n_x, m) → A (T, n_a, m).

    W (4 n_a, n_a + n_x) has the rows of Γu, Γf, Γo and c̃. With `reverse` the steps run from the
    last real one to the first; with `last` only the activation after the last of them is returned.

    >>> layer = LSTM(3, 4, last=True, key=jax.random.key(0))
    >>> layer(Steps(jnp.ones((6, 3, 2), jnp.float32), jnp.array([6, 1]))).shape
    (4, 2)
    """

    W: Float[Array, "k n"]
    b: Float[Array, "k 1"]
    reverse: bool = eqx.field(static=True)
    last: bool = eqx.field(static=True)

    def __init__(
        self,
        n_x: int,
        n_a: int,
        *,
        key: Key,
        reverse: bool = False,
        last: bool = False,
        initializer: Initializer = xavier,
        dtype: DTypeLike = np.float32,
    ):
        self.W, self.b = _initial("LSTM", n_x, n_a, (0, 1, 0, 0), key, initializer, dtype)
        self.reverse, self.last = reverse, last

    def __call__(self, A_prev: Sequences) -> Sequences:
        """Return A of all steps, or after the last."""
        X, lengths = _read(self, A_prev)
        zero = _no_state(self, X)
        A, _ = lstm(X, zero, zero, self.W, self.b, lengths, reverse=self.reverse)
        return _returned(self, A_prev, A)

    @property
    def n_a(self) -> int:
        """The number of units."""
        return self.W.shape[0] // 4

    @property
    def title(self) -> str:
        """The title of the layer, such as "LSTM(12 -> 64)"."""
        return _title(self)


class GRU(Layer):
    """The GRU, whose memory is its activation. X (T, n_x, m) → C (T, n_a, m).

    `reset` says where Γr resets the memory: "before" the product with it, as in the course, "after"
    it, as in PyTorch, or "none", in the course's simplified GRU; see `blocks/gru.py`. W has the
    rows of Γu, Γr and c̃, without Γr in the simplified one. With `reverse` the steps run from the
    last real one to the first; with `last` only the activation after the last of them is returned.

    >>> layer = GRU(3, 4, reset="after", key=jax.random.key(0))
    >>> layer(jnp.ones((6, 3, 5), jnp.float32)).shape
    (6, 4, 5)
    """

    W: Float[Array, "k n"]
    b: Float[Array, "k_b 1"]
    reset: str = eqx.field(static=True)
    reverse: bool = eqx.field(static=True)
    last: bool = eqx.field(static=True)

    def __init__(
        self,
        n_x: int,
        n_a: int,
        *,
        key: Key,
        reset: str = "before",
        reverse: bool = False,
        last: bool = False,
        initializer: Initializer = xavier,
        dtype: DTypeLike = np.float32,
    ):
        check_choice("GRU(reset=…)", reset, RESETS)
        biases = (0, 0) if reset == "none" else (0, 0, 0)
        self.W, self.b = _initial("GRU", n_x, n_a, biases, key, initializer, dtype)
        if reset == "after":  # b_h, which is added inside the reset
            self.b = jax.device_put(_stacked([self.b, filled(0, (n_a, 1), dtype)]))
        self.reset, self.reverse, self.last = reset, reverse, last

    def __call__(self, A_prev: Sequences) -> Sequences:
        """Return C of all steps, or after the last."""
        X, lengths = _read(self, A_prev)
        c0 = _no_state(self, X)
        C = gru(X, c0, self.W, self.b, lengths, reset=self.reset, reverse=self.reverse)
        return _returned(self, A_prev, C)

    @property
    def n_a(self) -> int:
        """The number of units."""
        return self.W.shape[0] // (2 if self.reset == "none" else 3)

    @property
    def title(self) -> str:
        """The title of the layer, such as "GRU(12 -> 64)"."""
        return _title(
            self, {"before": "", "after": ", reset after"}.get(self.reset, ", simplified")
        )


def _initial(
    name: str,
    n_x: int,
    n_a: int,
    biases: tuple[float, ...],
    key: Key,
    initializer: Initializer,
    dtype: DTypeLike,
) -> tuple[Array, Array]:
    """Return W and b, with a block of rows for each of the biases."""
    check_integer(f"{name}(n_x=…)", n_x, hint="the number of features of a step")
    check_integer(f"{name}(n_a=…)", n_a, hint="64")
    keys = split_key(key, 2 * len(biases))
    W_a = [orthogonal(k, (n_a, n_a), dtype) for k in keys[::2]]
    W_x = [initializer(k, (n_a, n_x), dtype) for k in keys[1::2]]
    W = _stacked([_stacked(parts, axis=1) for parts in zip(W_a, W_x, strict=True)])
    b = _stacked([filled(bias, (n_a, 1), dtype) for bias in biases])
    return jax.device_put((W, b))


def _stacked(parts: Any, axis: int = 0) -> Any:
    """Return the concatenation, made on the host so that nothing is compiled."""
    if needs_only_shapes():
        return jnp.concatenate(parts, axis)
    return np.concatenate([np.asarray(part) for part in parts], axis)


def _read(layer: Any, A_prev: Sequences) -> tuple[Array, Array | None]:
    """Return the values and the lengths; ShapeError if the features do not fit."""
    X = values_of(A_prev)
    check_steps(layer.title, X, layer.W.shape[1] - layer.n_a)
    return X, A_prev.lengths if isinstance(A_prev, Steps) else None


def _no_state(layer: Any, X: Array) -> Array:
    return jnp.zeros((layer.n_a, X.shape[2]), X.dtype)


def _returned(layer: Any, A_prev: Sequences, A: Array) -> Sequences:
    """Return what the layer returns of the activations of all steps."""
    lengths = A_prev.lengths if isinstance(A_prev, Steps) else None
    if not layer.last:
        return Steps(A, lengths) if isinstance(A_prev, Steps) else A
    if layer.reverse:
        return A[0]
    return A[-1] if lengths is None else last_step(A, lengths)


def _title(layer: Any, form: str = "") -> str:
    n_x, n_a = layer.W.shape[1] - layer.n_a, layer.n_a
    return f"{type(layer).__name__}({n_x} -> {n_a}{form}{', reverse' if layer.reverse else ''})"


class Bidirectional(Layer):
    """A = [forward(X); backward(X)], the features of both directions: 2 n_a for two of n_a.

    `backward` is a layer with `reverse`. With `last` in both, the result is (2 n_a, m): the
    activations of the two after the last and after the first step of each sequence.

    >>> one, other = (GRU(3, 4, reverse=r, key=jax.random.key(r)) for r in (False, True))
    >>> Bidirectional(one, other)(jnp.ones((6, 3, 5), jnp.float32)).shape
    (6, 8, 5)
    """

    numbered: ClassVar[bool] = False

    forward: Layer
    backward: Layer

    def __init__(self, forward: Layer, backward: Layer):
        for layer, reverse in ((forward, False), (backward, True)):
            if getattr(layer, "reverse", reverse) != reverse:
                expected = "a first layer that runs forward, and a second one with reverse=True"
                got = f"{forward.title} and {backward.title}"
                hint = "Bidirectional(GRU(…), GRU(…, reverse=True))"
                raise OptionError("Bidirectional", expected, got, hint)
        self.forward, self.backward = forward, backward

    def __call__(self, A_prev: Sequences) -> Sequences:
        """Return A in prediction."""
        with shape_errors_in(self.title):
            return self._joined(self.forward(A_prev), self.backward(A_prev))

    def train(
        self, A_prev: Sequences, *, key: Key, weights: Array | None = None
    ) -> tuple[Sequences, "Bidirectional"]:
        """Return A in training, and the layer after it."""
        keys = jax.random.split(key)
        with shape_errors_in(self.title):
            A, forward = self.forward.train(A_prev, key=keys[0], weights=weights)
            other, backward = self.backward.train(A_prev, key=keys[1], weights=weights)
            return self._joined(A, other), Bidirectional(forward, backward)

    def _joined(self, A: Sequences, other: Sequences) -> Sequences:
        values = values_of(A), values_of(other)
        if values[0].ndim != values[1].ndim:
            expected = "two layers that both return all steps, or both the last"
            got = " and ".join(str(tuple(x.shape)) for x in values)
            raise ShapeError(self.title, expected, got, "last=True in both, or in none")
        joined = jnp.concatenate(values, axis=values[0].ndim - 2)
        return Steps(joined, A.lengths) if isinstance(A, Steps) else joined

    @property
    def title(self) -> str:
        """The title of the layer, such as "Bidirectional(LSTM(12 -> 64))"."""
        return f"Bidirectional({self.forward.title})"


# Layers on every step, or on all of them together


class EachStep(Layer):
    """A layer on columns, such as Dense, applied to every step: (T, n, m) → (T, n_l, m).

    The steps are additional examples for the layer inside: m · T columns. In training, a column has
    the weight of its example, and 0 at a step that is not real.

    >>> from chainrule.layers.dense import Dense
    >>> EachStep(Dense(3, 2, key=jax.random.key(0)))(jnp.ones((6, 3, 5), jnp.float32)).shape
    (6, 2, 5)
    """

    numbered: ClassVar[bool] = False

    layer: Layer

    def __call__(self, A_prev: Sequences) -> Sequences:
        """Return A in prediction."""
        with shape_errors_in(self.title):
            return _unfolded(A_prev, self.layer(self._folded(A_prev)))

    def train(
        self, A_prev: Sequences, *, key: Key, weights: Array | None = None
    ) -> tuple[Sequences, "EachStep"]:
        """Return A in training, and the layer after it."""
        with shape_errors_in(self.title):
            columns = self._folded(A_prev)
            weights = _folded_weights(A_prev, weights, columns)
            A, layer = self.layer.train(columns, key=key, weights=weights)
            return _unfolded(A_prev, A), EachStep(layer)

    def _folded(self, A_prev: Sequences) -> Float[Array, "n T_m"]:
        X = values_of(A_prev)
        if X.ndim != 3:
            hint = "X[None], if this is one step" if X.ndim == 2 else "an Embedding before it"
            raise ShapeError(self.title, "steps (T, n, m)", str(tuple(X.shape)), hint)
        return X.swapaxes(0, 1).reshape(X.shape[1], -1)

    @property
    def title(self) -> str:
        """The title of the layer, such as "EachStep(Dense(64 -> 10))"."""
        return f"EachStep({self.layer.title})"


def _folded_weights(A_prev: Sequences, weights: Array | None, columns: Array) -> Array | None:
    """Return the weights of the columns."""
    T, _, m = values_of(A_prev).shape
    if isinstance(A_prev, Steps) and A_prev.lengths is not None:
        weights = jnp.ones((1, m), columns.dtype) if weights is None else weights
        return jnp.where(A_prev.real, weights, 0).reshape(1, T * m)
    return None if weights is None else jnp.tile(weights, (1, T))


def _unfolded(A_prev: Sequences, A: Float[Array, "n_l T_m"]) -> Sequences:
    T, _, m = values_of(A_prev).shape
    return like(A_prev, A.reshape(-1, T, m).swapaxes(0, 1))


class MeanOfSteps(Layer):
    """The mean of the real steps: (T, n, m) → (n, m), 0 for a sequence without steps.

    >>> MeanOfSteps()(Steps(jnp.array([[[1.0]], [[3.0]], [[0.0]]]), jnp.array([2])))
    Array([[2.]], dtype=float64)
    """

    numbered: ClassVar[bool] = False

    def __call__(self, A_prev: Sequences) -> Float[Array, "n m"]:
        """Return the mean of each feature."""
        steps = _all_steps(self, A_prev)
        real = steps.real[:, None]
        total = jnp.where(real, steps.values, 0).sum(axis=0)
        return total / jnp.maximum(real.sum(axis=0), 1).astype(total.dtype)


class MaxOfSteps(Layer):
    """The largest value among the real steps: (T, n, m) → (n, m), 0 for a sequence without steps.

    >>> MaxOfSteps()(Steps(jnp.array([[[1.0]], [[3.0]], [[9.0]]]), jnp.array([2])))
    Array([[3.]], dtype=float64)
    """

    numbered: ClassVar[bool] = False

    def __call__(self, A_prev: Sequences) -> Float[Array, "n m"]:
        """Return the largest value of each feature."""
        steps = _all_steps(self, A_prev)
        real = steps.real[:, None]
        least = jnp.finfo(steps.values.dtype).min
        largest = jnp.where(real, steps.values, least).max(axis=0)
        return jnp.where(real.any(axis=0), largest, 0)


def _all_steps(layer: Layer, A_prev: Sequences) -> Steps:
    steps = A_prev if isinstance(A_prev, Steps) else Steps(A_prev)
    if steps.values.ndim != 3:
        expected, got = "steps (T, n, m)", str(tuple(steps.values.shape))
        raise ShapeError(layer.title, expected, got, "last=False in the layer before it")
    return steps
