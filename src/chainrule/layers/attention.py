"""Layers on sequences that look at all steps at once: attention and the Transformer.

Notes: "Embedding matrix" (course 5, week 2); "Attention model" (course 5, week 3); "Multi-head
attention" and "Transformer network" (course 5, week 4).

A layer takes `Steps`, whose lengths say which steps are real, or an array (T, n, m), in which all
are, and returns the same kind. A step that is not real is attended to by no other, and its output
is 0. A layer with two inputs takes a pair of them.

    encoder    A = norm2(X + feed_forward(X)), X = norm1(A_prev + attention(A_prev))
    decoder    A = norm3(Y + feed_forward(Y)), Y = norm2(X + attention(X, encoder's output)),
               X = norm1(A_prev + causal attention(A_prev))

This is the paper's order. With `norm_first`, each part normalises its input instead of the sum, as
in A = X + feed_forward(norm2(X)), which trains more easily in deep networks; after the last of
them, a LayerNorm follows. In training, the output of each part passes through dropout before it is
added.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import DTypeLike

from chainrule.blocks.activations import relu, tanh
from chainrule.blocks.attention import (
    ENERGIES,
    additive_attention,
    additive_attention_forward,
    look_ahead_mask,
    multi_head_attention,
    multi_head_attention_forward,
    padding_mask,
    positional_encoding,
)
from chainrule.blocks.embedding import embedding
from chainrule.blocks.feed_forward import feed_forward
from chainrule.blocks.normalization import EPSILON, layer_norm
from chainrule.errors import (
    ShapeError,
    check_choice,
    check_columns,
    check_heads,
    check_integer,
    check_number,
    check_steps,
    shape_errors_in,
)
from chainrule.host.randomness import split_key
from chainrule.layers.allocation import filled
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout, check_keep_prob, drop_steps
from chainrule.layers.initializers import Initializer, he, lecun, xavier
from chainrule.layers.layer import Layer
from chainrule.layers.steps import Steps, like, values_of
from chainrule.types import Key

Sequences = Any
"""Steps, or an array (T, n, m); of token ids (T, m)."""


class Embedding(Layer):
    """Each token id is replaced by its column of E (n_e, V): ids (T, m) → A (T, n_e, m).

    The columns are drawn with variance 1/n_e, so that their expected squared length is 1. An id
    outside of 0 … V − 1 has the embedding 0.

    >>> layer = Embedding(1000, 8, key=jax.random.key(0))
    >>> layer(jnp.array([[5, 7], [0, 999], [1, -1]])).shape
    (3, 8, 2)
    """

    E: Float[Array, "n_e V"]

    def __init__(
        self,
        V: int,
        n_e: int,
        *,
        key: Key,
        initializer: Initializer = lecun,
        dtype: DTypeLike = np.float32,
    ):
        check_integer("Embedding(V=…)", V, hint="the number of tokens")
        check_integer("Embedding(n_e=…)", n_e, hint="64")
        self.E = initializer(key, (V, n_e), dtype).T

    def __call__(self, A_prev: Sequences) -> Sequences:
        """Return the columns of E."""
        ids = values_of(A_prev)
        if ids.ndim != 2 or not jnp.issubdtype(ids.dtype, jnp.integer):
            expected, got = "token ids (T, m), whole numbers", f"{ids.dtype} {tuple(ids.shape)}"
            raise ShapeError(self.title, expected, got, "ids.T.astype(int), if these are rows")
        return like(A_prev, embedding(self.E, ids))

    @property
    def title(self) -> str:
        """The title of the layer, such as "Embedding(1000 -> 64)"."""
        n_e, V = self.E.shape
        return f"Embedding({V} -> {n_e})"


class PositionalEncoding(Layer):
    """A = scale · A_prev + P, P the sine and cosine waves of `positional_encoding`.

    The paper multiplies an Embedding by √n_e first, `scale=n_e**0.5`, so that its numbers are about
    as large as P.

    >>> layer = PositionalEncoding()
    >>> layer(jnp.zeros((2, 2, 1)))[..., 0].round(2)
    Array([[0.  , 1.  ],
           [0.84, 0.54]], dtype=float64)
    """

    numbered: ClassVar[bool] = False

    scale: float = eqx.field(static=True)

    def __init__(self, scale: float = 1.0):
        check_number("PositionalEncoding(scale=…)", scale, above=0, hint="1")
        self.scale = float(scale)

    def __call__(self, A_prev: Sequences) -> Sequences:
        """Return scale · A_prev + P."""
        X = values_of(A_prev)
        if X.ndim != 3:
            hint = "an Embedding or a Dense at each step before it"
            raise ShapeError(self.title, "steps (T, n, m)", str(tuple(X.shape)), hint)
        P = positional_encoding(*X.shape[:2]).astype(X.dtype)
        return _like(A_prev, X * self.scale + P)


class LayerNorm(Layer):
    """A = γ ⊙ Z_norm + β, Z_norm over the n features of each step, or of columns (n, m).

    γ (`gamma`) and β (`beta`) start at 1 and 0, and `epsilon` is the ε in the square root.

    >>> layer = LayerNorm(2)
    >>> layer(jnp.array([[1.0], [3.0]], jnp.float32)).round(3)
    Array([[-1.],
           [ 1.]], dtype=float32)
    """

    numbered: ClassVar[bool] = False

    gamma: Float[Array, "n 1"]
    beta: Float[Array, "n 1"]
    epsilon: float = eqx.field(static=True)

    def __init__(self, n: int, *, epsilon: float = EPSILON, dtype: DTypeLike = np.float32):
        check_number("LayerNorm(epsilon=…)", epsilon, above=0, hint=f"{EPSILON:g}")
        start = filled(1, (n, 1), dtype), filled(0, (n, 1), dtype)
        self.gamma, self.beta = jax.device_put(start)
        self.epsilon = float(epsilon)

    def __call__(self, A_prev: Sequences) -> Sequences:
        """Return A, normalised over the features."""
        Z, n = values_of(A_prev), self.gamma.size
        if Z.ndim == 2:
            check_columns(self.title, Z, n)
        else:
            check_steps(self.title, Z, n)
        A = layer_norm(Z, self.gamma, self.beta, eps=self.epsilon)
        return A if Z.ndim == 2 else _like(A_prev, A)

    @property
    def title(self) -> str:
        """The title of the layer, such as "LayerNorm(128)"."""
        return f"LayerNorm({self.gamma.size})"


class MultiHeadAttention(Layer):
    """Each step becomes a weighted mean of all steps, `heads` times: (T, d, m) → (T, d, m).

    Given one sequence, its steps attend to each other (self-attention). Given a pair (X_q, X_kv),
    the steps of X_q attend to those of X_kv, whose numbers of steps and features may differ. With
    `causal`, step i sees the steps up to i only.

    >>> layer = MultiHeadAttention(8, heads=2, key=jax.random.key(0))
    >>> layer(jnp.ones((5, 8, 3), jnp.float32)).shape
    (5, 8, 3)
    """

    Wq: Float[Array, "d d"]
    Wk: Float[Array, "d n_kv"]
    Wv: Float[Array, "d n_kv"]
    Wo: Float[Array, "d d"]
    bq: Float[Array, "d 1"]
    bk: Float[Array, "d 1"]
    bv: Float[Array, "d 1"]
    bo: Float[Array, "d 1"]
    heads: int = eqx.field(static=True)
    causal: bool = eqx.field(static=True)

    def __init__(
        self,
        d: int,
        *,
        heads: int,
        n_kv: int | None = None,
        causal: bool = False,
        key: Key,
        initializer: Initializer = xavier,
        dtype: DTypeLike = np.float32,
    ):
        check_heads("MultiHeadAttention(heads=…)", d, heads)
        n_kv = d if n_kv is None else n_kv
        shapes = zip(split_key(key, 4), (d, n_kv, n_kv, d), strict=True)
        self.Wq, self.Wk, self.Wv, self.Wo = (initializer(k, (d, n), dtype) for k, n in shapes)
        zeros = [filled(0, (d, 1), dtype) for _ in range(4)]
        self.bq, self.bk, self.bv, self.bo = jax.device_put(zeros)
        self.heads, self.causal = heads, causal

    def __call__(self, A_prev: Any) -> Sequences:
        """Return the outputs for the queries."""
        X_q, inputs = self._inputs(A_prev)
        return _like(X_q, multi_head_attention(*inputs, heads=self.heads))

    def weights(self, A_prev: Any) -> Float[Array, "heads T_q T_k m"]:
        """Return how much each query takes of each key, in each head."""
        _, inputs = self._inputs(A_prev)
        _, cache = multi_head_attention_forward(*inputs, heads=self.heads)
        return cache.weights.transpose(1, 2, 3, 0)

    def _inputs(self, A_prev: Any) -> tuple[Sequences, tuple]:
        """Return the queries, and the inputs of the block."""
        X_q, X_kv = _pair(A_prev) if _is_pair(A_prev) else (A_prev, A_prev)
        queries, keys = values_of(X_q), values_of(X_kv)
        check_steps(self.title, queries, self.Wq.shape[1])
        check_steps(f"{self.title}, the keys and values", keys, self.Wk.shape[1])
        T_q, T_k, mask = queries.shape[0], keys.shape[0], None
        if isinstance(X_kv, Steps) and X_kv.lengths is not None:
            mask = padding_mask(X_kv.lengths, T_k)
        if self.causal:
            if T_q != T_k:
                expected = f"as many keys as queries, {T_q}, for causal attention"
                raise ShapeError(self.title, expected, str(T_k), "causal=False for two sequences")
            mask = look_ahead_mask(T_q) if mask is None else look_ahead_mask(T_q) & mask
        matrices = (self.Wq, self.Wk, self.Wv, self.Wo, self.bq, self.bk, self.bv, self.bo)
        return X_q, (queries, keys, *matrices, mask)

    @property
    def title(self) -> str:
        """The title of the layer, such as "MultiHeadAttention(128, 4 heads)"."""
        return f"MultiHeadAttention({_size(self.Wo.shape[0], self.heads, self.causal)})"


class Attention(Layer):
    """The additive attention of a decoder: from (A, s_prev) to the context of one step.

    A (T, n_a, m) are the activations of the encoder, with lengths if they are `Steps`, and s_prev
    (n_s, m) is the state of the decoder. The context (n_a, m) is Σ over t of α[t] A[t]. The
    energies have one hidden layer of n_1 units; g is that of the block, "relu" or "identity".

    >>> layer = Attention(4, 3, key=jax.random.key(0))
    >>> layer((jnp.ones((6, 4, 2), jnp.float32), jnp.zeros((3, 2), jnp.float32)))[0].round(6)
    Array([1., 1.], dtype=float32)
    """

    numbered: ClassVar[bool] = False

    hidden: Dense
    energies: Dense
    g: str = eqx.field(static=True)

    def __init__(
        self,
        n_a: int,
        n_s: int,
        n_1: int = 10,
        *,
        g: str = "relu",
        key: Key,
        dtype: DTypeLike = np.float32,
    ):
        check_choice("Attention(g=…)", g, ENERGIES)
        first, second = split_key(key, 2)
        common: dict[str, Any] = {"initializer": xavier, "dtype": dtype}
        self.hidden = Dense(n_a + n_s, n_1, key=first, activation=tanh, **common)
        self.energies = Dense(n_1, 1, key=second, activation=ENERGIES[g], **common)
        self.g = g

    def __call__(self, A_prev: Any) -> Float[Array, "n_a m"]:
        """Return the context."""
        return additive_attention(*self._inputs(A_prev), g=self.g)

    def weights(self, A_prev: Any) -> Float[Array, "T m"]:
        """Return the α, how much the context takes of each step."""
        _, cache = additive_attention_forward(*self._inputs(A_prev), g=self.g)
        return cache.weights

    def _inputs(self, A_prev: Any) -> tuple:
        A, s_prev = _pair(A_prev)
        values = values_of(A)
        n_s = self.hidden.W.shape[1] - (n_a := values.shape[1] if values.ndim == 3 else 0)
        if n_a == 0 or s_prev.ndim != 2 or s_prev.shape[0] != n_s:
            expected = f"A (T, n_a, m) and s_prev (n_s, m) with n_a + n_s = {n_a + n_s}"
            got = f"{tuple(values.shape)} and {tuple(s_prev.shape)}"
            raise ShapeError(self.title, expected, got, "the pair (A, s_prev), in this order")
        lengths = A.lengths if isinstance(A, Steps) else None
        mask = None if lengths is None else padding_mask(lengths, values.shape[0])
        parameters = (self.hidden.W, self.hidden.b, self.energies.W, self.energies.b)
        return values, s_prev, *parameters, mask

    @property
    def title(self) -> str:
        """The title of the layer, such as "Attention(192 -> 10)"."""
        n_1, n = self.hidden.W.shape
        return f"Attention({n} -> {n_1})"


class FeedForward(Layer):
    """A = W2 max(0, W1 A_prev + b1) + b2 at every step: (T, d, m) → (T, d, m).

    The two layers are Dense layers, which are counted and penalised as such.

    >>> layer = FeedForward(8, 32, key=jax.random.key(0))
    >>> layer(jnp.ones((5, 8, 3), jnp.float32)).shape
    (5, 8, 3)
    """

    numbered: ClassVar[bool] = False

    hidden: Dense
    output: Dense

    def __init__(self, d: int, d_ff: int, *, key: Key, dtype: DTypeLike = np.float32):
        first, second = split_key(key, 2)
        self.hidden = Dense(d, d_ff, key=first, activation=relu, initializer=he, dtype=dtype)
        self.output = Dense(d_ff, d, key=second, initializer=xavier, dtype=dtype)

    def __call__(self, A_prev: Sequences) -> Sequences:
        """Return A."""
        X, first, second = values_of(A_prev), self.hidden, self.output
        check_steps(self.title, X, first.W.shape[1])
        return _like(A_prev, feed_forward(X, first.W, first.b, second.W, second.b))

    @property
    def title(self) -> str:
        """The title of the layer, such as "FeedForward(128 -> 512 -> 128)"."""
        d_ff, d = self.hidden.W.shape
        return f"FeedForward({d} -> {d_ff} -> {self.output.W.shape[0]})"


class TransformerEncoder(Layer):
    """One encoder layer of a Transformer: self-attention and a feed-forward network.

    d features at each step, in the input and in the output; d_ff hidden units, 4 d by default;
    `keep_prob` is that of dropout. With `causal`, a step sees itself and the steps before it only,
    as in a language model that consists of such layers. `norm_first` and its order are described
    at the top of the file.

    >>> layer = TransformerEncoder(8, heads=2, key=jax.random.key(0))
    >>> layer(jnp.ones((5, 8, 3), jnp.float32)).shape, layer.title
    ((5, 8, 3), 'TransformerEncoder(8, 2 heads)')
    """

    numbered: ClassVar[bool] = False

    attention: MultiHeadAttention
    norm1: LayerNorm
    feed_forward: FeedForward
    norm2: LayerNorm
    dropout: Dropout | None
    norm_first: bool = eqx.field(static=True)

    def __init__(
        self,
        d: int,
        *,
        heads: int,
        d_ff: int | None = None,
        keep_prob: float = 1.0,
        norm_first: bool = False,
        causal: bool = False,
        key: Key,
        dtype: DTypeLike = np.float32,
    ):
        check_heads("TransformerEncoder(heads=…)", d, heads)
        first, second = split_key(key, 2)
        common: dict[str, Any] = {"dtype": dtype}
        self.attention = MultiHeadAttention(d, heads=heads, causal=causal, key=first, **common)
        self.feed_forward = FeedForward(d, 4 * d if d_ff is None else d_ff, key=second, **common)
        self.norm1, self.norm2 = LayerNorm(d, **common), LayerNorm(d, **common)
        self.dropout = _dropout("TransformerEncoder", keep_prob, dtype)
        self.norm_first = norm_first

    def __call__(self, A_prev: Sequences) -> Sequences:
        """Return A in prediction."""
        return self._run(A_prev, None)

    def train(
        self, A_prev: Sequences, *, key: Key, weights: Array | None = None
    ) -> tuple[Sequences, "TransformerEncoder"]:
        """Return A in training, with dropout, and the unchanged layer."""
        return self._run(A_prev, key), self

    def _run(self, A_prev: Sequences, key: Key | None) -> Sequences:
        with shape_errors_in(self.title):
            add = _Sum(self.norm_first, self.dropout, key)
            X = add(values_of(A_prev), _on_values(self.attention, A_prev), self.norm1)
            return _like(A_prev, add(X, self.feed_forward, self.norm2))

    @property
    def title(self) -> str:
        """The title of the layer, such as "TransformerEncoder(128, 4 heads)"."""
        part = self.attention
        return f"TransformerEncoder({_size(part.Wo.shape[0], part.heads, part.causal)})"


class TransformerDecoder(Layer):
    """One decoder layer of a Transformer; it takes (A_prev, the output of the encoder).

    Each step of A_prev (T_y, d, m) attends to itself and the steps before it, and then to all steps
    of the encoder's output (T_x, n_kv, m), n_kv = d by default. A is (T_y, d, m). The settings are
    those of `TransformerEncoder`.

    >>> layer = TransformerDecoder(8, heads=2, key=jax.random.key(0))
    >>> layer((jnp.ones((5, 8, 3), jnp.float32), jnp.ones((7, 8, 3), jnp.float32))).shape
    (5, 8, 3)
    """

    numbered: ClassVar[bool] = False

    self_attention: MultiHeadAttention
    norm1: LayerNorm
    cross_attention: MultiHeadAttention
    norm2: LayerNorm
    feed_forward: FeedForward
    norm3: LayerNorm
    dropout: Dropout | None
    norm_first: bool = eqx.field(static=True)

    def __init__(
        self,
        d: int,
        *,
        heads: int,
        d_ff: int | None = None,
        n_kv: int | None = None,
        keep_prob: float = 1.0,
        norm_first: bool = False,
        key: Key,
        dtype: DTypeLike = np.float32,
    ):
        check_heads("TransformerDecoder(heads=…)", d, heads)
        first, second, third = split_key(key, 3)
        common: dict[str, Any] = {"dtype": dtype}
        self.self_attention = MultiHeadAttention(d, heads=heads, causal=True, key=first, **common)
        self.cross_attention = MultiHeadAttention(d, heads=heads, n_kv=n_kv, key=second, **common)
        self.feed_forward = FeedForward(d, 4 * d if d_ff is None else d_ff, key=third, **common)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d, **common) for _ in range(3))
        self.dropout = _dropout("TransformerDecoder", keep_prob, dtype)
        self.norm_first = norm_first

    def __call__(self, A_prev: Any) -> Sequences:
        """Return A in prediction."""
        return self._run(A_prev, None)

    def train(
        self, A_prev: Any, *, key: Key, weights: Array | None = None
    ) -> tuple[Sequences, "TransformerDecoder"]:
        """Return A in training, with dropout, and the unchanged layer."""
        return self._run(A_prev, key), self

    def _run(self, A_prev: Any, key: Key | None) -> Sequences:
        Y, encoded = _pair(A_prev)
        with shape_errors_in(self.title):
            add = _Sum(self.norm_first, self.dropout, key)
            X = add(values_of(Y), _on_values(self.self_attention, Y), self.norm1)
            X = add(X, lambda X: self.cross_attention((X, encoded)), self.norm2)
            return _like(Y, add(X, self.feed_forward, self.norm3))

    @property
    def title(self) -> str:
        """The title of the layer, such as "TransformerDecoder(128, 4 heads)"."""
        part = self.self_attention
        return f"TransformerDecoder({_size(part.Wo.shape[0], part.heads, causal=False)})"


class _Sum:
    """The connection around a part of a layer: dropout, the sum with its input, and a norm.

    It computes steps that are not real as well, since they are set to 0 at the end of the layer.
    """

    def __init__(self, norm_first: bool, dropout: Dropout | None, key: Key | None):
        self.norm_first, self.dropout, self.key = norm_first, dropout, key
        self.done = 0

    def __call__(self, X: Array, part: Callable, norm: LayerNorm) -> Array:
        """Return norm(X + part(X)), or with `norm_first` X + part(norm(X))."""
        Z = part(norm(X) if self.norm_first else X)
        if self.dropout is not None and self.key is not None:
            key = jax.random.fold_in(self.key, self.done)
            Z = drop_steps(Z, key, self.dropout.keep_prob)
        self.done += 1
        return X + Z if self.norm_first else norm(X + Z)


def _on_values(attention: MultiHeadAttention, A_prev: Sequences) -> Callable:
    """Return a self-attention that takes and returns values, with the lengths of A_prev."""

    def attend(X: Array) -> Array:
        return values_of(attention(A_prev._replace(values=X) if isinstance(A_prev, Steps) else X))

    return attend


def _like(X: Sequences, values: Float[Array, "T n m"]) -> Sequences:
    """Return `like(X, values)`, computed in the order of the products, which is that of rows."""
    if not isinstance(X, Steps) or X.lengths is None:
        return like(X, values)
    real = X.real.T[..., None]  # (m, T, 1)
    return X._replace(values=jnp.where(real, values.transpose(2, 0, 1), 0).transpose(1, 2, 0))


def _dropout(where: str, keep_prob: float, dtype: DTypeLike) -> Dropout | None:
    check_keep_prob(f"{where}(keep_prob=…)", keep_prob)
    return Dropout(keep_prob, dtype=dtype) if keep_prob < 1 else None


def _size(d: int, heads: int, causal: bool) -> str:
    return f"{d}, {heads} head{'s' if heads > 1 else ''}{', causal' if causal else ''}"


def _is_pair(A_prev: Any) -> bool:
    return isinstance(A_prev, tuple) and not isinstance(A_prev, Steps)


def _pair(A_prev: Any) -> tuple[Any, Any]:
    """Return the two inputs of a layer that takes a pair."""
    if not _is_pair(A_prev) or len(A_prev) != 2:
        got = f"{len(A_prev)} inputs" if _is_pair(A_prev) else type(A_prev).__name__
        raise ShapeError("the input of a layer with two inputs", "a pair of them", got, "(A, B)")
    return A_prev
