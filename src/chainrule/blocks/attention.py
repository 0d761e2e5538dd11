"""Attention: each output is a weighted mean of values, and the weights depend on the inputs.

Notes: "Attention model" (course 5, week 3); "Self-attention" and "Multi-head attention" (course 5,
week 4), as in "Attention Is All You Need" (Vaswani et al., 2017); "Transformer network" (course 5,
week 4) for the masks and the positional encoding.

    scaled_dot_product_attention, for each example
        forward     S[i, j] = Q[i]·K[j] / √d; weights = e^S / Σ e^S, the sum over the visible keys;
                    A[i] = Σ over j of weights[i, j] V[j]
        backward    dV[j] = Σ over i of weights[i, j] dA[i]; dweights[i, j] = dA[i]·V[j];
                    dS = weights ⊙ (dweights − Σ dweights ⊙ weights);
                    dQ[i] = Σ over j of dS[i, j] K[j] / √d; dK[j] = Σ over i of dS[i, j] Q[i] / √d
    multi_head_attention
        forward     Q = Wq X_q + bq; K = Wk X_kv + bk; V = Wv X_kv + bv, at every step;
                    each head attends with its own rows of Q, K and V;
                    A = Wo [head 1; …; head h] + bo
        backward    dHeads = Woᵀ dA; dWo = Σ over steps of dA Headsᵀ; dbo = Σ over steps of dA;
                    dQ, dK and dV of each head as above;
                    dX_q = Wqᵀ dQ; dWq = Σ over steps of dQ X_qᵀ; dbq = Σ over steps of dQ;
                    dX_kv = Wkᵀ dK + Wvᵀ dV, and so on
    additive_attention, for one step of a decoder
        forward     h[t] = tanh(W1 [A[t]; s_prev] + b1); z[t] = W2 h[t] + b2; e[t] = g(z[t]);
                    α = e^e / Σ e^e, the sum over the visible steps;
                    context = Σ over t of α[t] A[t]
        backward    dα[t] = dcontext·A[t]; de = α ⊙ (dα − Σ dα ⊙ α); dz[t] = de[t] g'(z[t]);
                    dtanh[t] = W2ᵀ dz[t] ⊙ (1 − h[t]²); W1 = [W1_A W1_s];
                    dA[t] = α[t] dcontext + W1_Aᵀ dtanh[t];
                    ds_prev = W1_sᵀ Σ over t of dtanh[t];
                    dW1 = Σ over t of dtanh[t] [A[t]; s_prev]ᵀ; db1 = Σ over t of dtanh[t];
                    dW2 = Σ over t of dz[t] h[t]ᵀ; db2 = Σ over t of dz[t]
    positional_encoding
        P[t, 2i] = sin(t / 10000^(2i/d)); P[t, 2i + 1] = cos(t / 10000^(2i/d))
    padding_mask        True where t < lengths, the steps that are real
    look_ahead_mask     True where j ≤ i, the keys that query i may see

Sums over steps, and those of the parameters' gradients over t, go over the examples as well. A mask
is True where a query sees a key, and broadcasts to (T_q, T_k, m). A query that sees no key has the
weights 0, the output 0 (in `multi_head_attention` bo), and no gradient. The first d/heads rows of
Q, K and V are those of the first head, and d in its S is the number of these rows. The energies e
pass through relu in the course's assignment on date translation, the default; with g="identity"
they are those of Bahdanau et al. (2015), and b2 has no effect.

>>> X = jnp.array([[[1.0], [0.0]], [[0.0], [1.0]]])  # two steps of two features, one example
>>> scaled_dot_product_attention(10 * X, 10 * X, jnp.array([[[3.0]], [[7.0]]])).ravel()
Array([3., 7.], dtype=float64)
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from chainrule.blocks.activations import identity, relu
from chainrule.blocks.block import as_block
from chainrule.errors import check_choice, check_heads
from chainrule.kernels.attention import attend, attend_backward, masked_softmax
from chainrule.kernels.rows import rows, steps, summed_products

Mask = Bool[Array, "#T_q #T_k #m"] | None


class AttentionCache(NamedTuple):
    """The inputs of the attention, its output, and `weights`, how much query i takes of key j."""

    Q: Float[Array, "T_q d m"]
    K: Float[Array, "T_k d m"]
    V: Float[Array, "T_k d_v m"]
    A: Float[Array, "T_q d_v m"]
    weights: Float[Array, "T_q T_k m"]


def scaled_dot_product_attention_forward(
    Q: Float[Array, "T_q d m"],
    K: Float[Array, "T_k d m"],
    V: Float[Array, "T_k d_v m"],
    mask: Mask = None,
) -> tuple[Float[Array, "T_q d_v m"], AttentionCache]:
    """A = Σ weights V; the cache contains the weights (T_q, T_k, m)."""
    q, k, v = (x.transpose(2, 0, 1) for x in (Q, K, V))
    a, weights = attend(q, k, v, _examples_first(mask), heads=1)
    A = a.transpose(1, 2, 0)
    return A, AttentionCache(Q, K, V, A, weights[:, 0].transpose(1, 2, 0))


def scaled_dot_product_attention_backward(
    dA: Float[Array, "T_q d_v m"], cache: AttentionCache
) -> tuple[Float[Array, "T_q d m"], Float[Array, "T_k d m"], Float[Array, "T_k d_v m"]]:
    """Return the gradients of Q, K and V, in that order."""
    q, k, v, a, da, weights = (
        x.transpose(2, 0, 1) for x in (cache.Q, cache.K, cache.V, cache.A, dA, cache.weights)
    )
    gradients = attend_backward(da, q, k, v, a, weights[:, None])
    dQ, dK, dV = (d.transpose(1, 2, 0) for d in gradients)
    return dQ, dK, dV


scaled_dot_product_attention = as_block(
    scaled_dot_product_attention_forward, scaled_dot_product_attention_backward
)


class MultiHeadCache(NamedTuple):
    """The values that the forward pass keeps: Q, K, V and the outputs of the heads, as rows.

    `weights` says how much each query takes of each key, for each example and head.
    """

    X_q: Float[Array, "T_q n_q m"]
    X_kv: Float[Array, "T_k n_kv m"]
    Wq: Float[Array, "d n_q"]
    Wk: Float[Array, "d n_kv"]
    Wv: Float[Array, "d_v n_kv"]
    Wo: Float[Array, "n_o d_v"]
    Q: Float[Array, "m T_q d"]
    K: Float[Array, "m T_k d"]
    V: Float[Array, "m T_k d_v"]
    joined: Float[Array, "m T_q d_v"]
    weights: Float[Array, "m heads T_q T_k"]


def multi_head_attention_forward(
    X_q: Float[Array, "T_q n_q m"],
    X_kv: Float[Array, "T_k n_kv m"],
    Wq: Float[Array, "d n_q"],
    Wk: Float[Array, "d n_kv"],
    Wv: Float[Array, "d_v n_kv"],
    Wo: Float[Array, "n_o d_v"],
    bq: Float[Array, "d 1"],
    bk: Float[Array, "d 1"],
    bv: Float[Array, "d_v 1"],
    bo: Float[Array, "n_o 1"],
    mask: Mask = None,
    *,
    heads: int,
) -> tuple[Float[Array, "T_q n_o m"], MultiHeadCache]:
    """A = Wo [head 1; head 2; …] + bo; OptionError if `heads` does not divide the rows of Wq."""
    check_heads("multi_head_attention(heads=…)", Wq.shape[0], heads)
    queries, keys = rows(X_q), rows(X_kv)
    Q = _by_example(queries @ Wq.T + bq.T, X_q)
    K, V = _by_example(keys @ Wk.T + bk.T, X_kv), _by_example(keys @ Wv.T + bv.T, X_kv)
    joined, weights = attend(Q, K, V, _examples_first(mask), heads=heads)
    A = steps(joined.reshape(-1, joined.shape[2]) @ Wo.T + bo.T, X_q.shape[0])
    return A, MultiHeadCache(X_q, X_kv, Wq, Wk, Wv, Wo, Q, K, V, joined, weights)


def multi_head_attention_backward(
    dA: Float[Array, "T_q n_o m"], cache: MultiHeadCache
) -> tuple[
    Float[Array, "T_q n_q m"],
    Float[Array, "T_k n_kv m"],
    Float[Array, "d n_q"],
    Float[Array, "d n_kv"],
    Float[Array, "d_v n_kv"],
    Float[Array, "n_o d_v"],
    Float[Array, "d 1"],
    Float[Array, "d 1"],
    Float[Array, "d_v 1"],
    Float[Array, "n_o 1"],
]:
    """Return the gradients of X_q, X_kv, the four matrices and the four biases, in that order."""
    c, (T_q, T_k) = cache, (cache.X_q.shape[0], cache.X_kv.shape[0])
    queries, keys, dZ = rows(c.X_q), rows(c.X_kv), rows(dA)
    d_joined = (dZ @ c.Wo).reshape(c.joined.shape)
    gradients = attend_backward(d_joined, c.Q, c.K, c.V, c.joined, c.weights)
    dQ, dK, dV, joined = (x.reshape(-1, x.shape[2]) for x in (*gradients, c.joined))
    dX_q, dX_kv = steps(dQ @ c.Wq, T_q), steps(dK @ c.Wk + dV @ c.Wv, T_k)
    products = ((dQ, queries), (dK, keys), (dV, keys), (dZ, joined))
    dWq, dWk, dWv, dWo = (summed_products(d, x) for d, x in products)
    dbq, dbk, dbv, dbo = (d.sum(axis=0)[:, None] for d, _ in products)
    return dX_q, dX_kv, dWq, dWk, dWv, dWo, dbq, dbk, dbv, dbo


multi_head_attention = as_block(multi_head_attention_forward, multi_head_attention_backward)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["A", "s_prev", "W1", "W2", "h", "z", "weights"],
    meta_fields=["g"],
)
@dataclass(frozen=True)
class AdditiveCache:
    """The inputs, h the outputs of tanh and z the energies before g, as rows, and the α."""

    A: Float[Array, "T n_a m"]
    s_prev: Float[Array, "n_s m"]
    W1: Float[Array, "n_1 n_a+n_s"]
    W2: Float[Array, "1 n_1"]
    h: Float[Array, "m T n_1"]
    z: Float[Array, "m T"]
    weights: Float[Array, "T m"]
    g: str


ENERGIES = {"relu": relu, "identity": identity}


def additive_attention_forward(
    A: Float[Array, "T n_a m"],
    s_prev: Float[Array, "n_s m"],
    W1: Float[Array, "n_1 n_a+n_s"],
    b1: Float[Array, "n_1 1"],
    W2: Float[Array, "1 n_1"],
    b2: Float[Array, "1 1"],
    mask: Bool[Array, "#1 #T #m"] | None = None,
    *,
    g: str = "relu",
) -> tuple[Float[Array, "n_a m"], AdditiveCache]:
    """Return the context; the cache contains the weights α (T, m)."""
    check_choice("additive_attention(g=…)", g, ENERGIES)
    T, n_a, m = A.shape
    from_A = (rows(A) @ W1[:, :n_a].T).reshape(m, T, -1)
    from_s = s_prev.T @ W1[:, n_a:].T + b1.T  # (m, n_1), equal for all steps
    h = jnp.tanh(from_A + from_s[:, None])
    z = (h @ W2.T)[..., 0] + b2
    weights = masked_softmax(ENERGIES[g](z), None if mask is None else mask[0].T)
    context = _one_row(weights, A.transpose(2, 0, 1)).T
    return context, AdditiveCache(A, s_prev, W1, W2, h, z, weights.T, g)


def additive_attention_backward(
    d_context: Float[Array, "n_a m"], cache: AdditiveCache
) -> tuple[
    Float[Array, "T n_a m"],
    Float[Array, "n_s m"],
    Float[Array, "n_1 n_a+n_s"],
    Float[Array, "n_1 1"],
    Float[Array, "1 n_1"],
    Float[Array, "1 1"],
]:
    """Return the gradients of A, s_prev, W1, b1, W2 and b2, in that order."""
    T, n_a, m = cache.A.shape
    W1_A, W1_s = cache.W1[:, :n_a], cache.W1[:, n_a:]
    h, weights, a = cache.h, cache.weights.T, cache.A.transpose(2, 0, 1)
    d_weights = (a @ d_context.T[..., None])[..., 0]  # (m, T)
    d_energies = weights * (d_weights - (d_weights * weights).sum(axis=1, keepdims=True))
    dz = jnp.where(cache.z > 0, d_energies, 0) if cache.g == "relu" else d_energies
    d_tanh = dz[..., None] * (cache.W2[None] * (1 - h**2))  # (m, T, n_1)
    d_rows, d_sum = d_tanh.reshape(m * T, -1), d_tanh.sum(axis=1)
    dA = weights[..., None] * d_context.T[:, None] + (d_rows @ W1_A).reshape(m, T, n_a)
    dW1 = jnp.concatenate([summed_products(d_rows, rows(cache.A)), (cache.s_prev @ d_sum).T], 1)
    dW2 = dz.reshape(1, -1) @ h.reshape(m * T, -1)
    db1, db2 = d_sum.sum(axis=0)[:, None], dz.sum().reshape(1, 1)
    return dA.transpose(1, 2, 0), (d_sum @ W1_s).T, dW1, db1, dW2, db2


additive_attention = as_block(additive_attention_forward, additive_attention_backward)


def positional_encoding(T: int, d: int) -> Float[Array, "T d 1"]:
    """P[t, 2i] = sin(t / 10000^(2i/d)); P[t, 2i + 1] = cos(t / 10000^(2i/d)).

    The result is added to inputs (T, d, m); d may be odd.

    >>> positional_encoding(3, 2)[..., 0].round(2)
    Array([[ 0.  ,  1.  ],
           [ 0.84,  0.54],
           [ 0.91, -0.42]], dtype=float64)
    """
    t, feature = jnp.arange(T, dtype=float)[:, None], jnp.arange(d)[None]
    angle = t / 10000 ** ((feature - feature % 2) / d)
    return jnp.where(feature % 2 == 0, jnp.sin(angle), jnp.cos(angle))[..., None]


def padding_mask(lengths: Int[Array, " m"], T: int) -> Bool[Array, "1 T m"]:
    """Return a mask of the keys, True where t < lengths: padding is not visible to any query.

    >>> padding_mask(jnp.array([1, 3]), 3)[0].T
    Array([[ True, False, False],
           [ True,  True,  True]], dtype=bool)
    """
    return (jnp.arange(T, dtype=lengths.dtype)[:, None] < lengths[None])[None]


def look_ahead_mask(T: int) -> Bool[Array, "T T 1"]:
    """Return a mask, True where j ≤ i: query i sees itself and the keys before it.

    With `&` it is combined with a padding mask: `look_ahead_mask(T) & padding_mask(lengths, T)`.

    >>> look_ahead_mask(3)[..., 0]
    Array([[ True, False, False],
           [ True,  True, False],
           [ True,  True,  True]], dtype=bool)
    """
    step = jnp.arange(T)
    return (step[None] <= step[:, None])[..., None]


def _examples_first(mask: Mask) -> Array | None:
    return None if mask is None else mask.transpose(2, 0, 1)


def _by_example(R: Float[Array, "rows n"], X: Float[Array, "T n_x m"]) -> Float[Array, "m T n"]:
    """Return rows as many examples and steps as X has."""
    return R.reshape(X.shape[2], X.shape[0], -1)


def _one_row(weights: Float[Array, "m T"], a: Float[Array, "m T n"]) -> Float[Array, "m n"]:
    """Return Σ over t of weights[t] a[t] for each example."""
    return (weights[:, None] @ a)[:, 0]
