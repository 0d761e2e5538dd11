"""Word vectors: learning them from a text, solving analogies with them, and removing a bias.

Notes: "Properties of word embeddings", "Word2Vec", "Negative sampling", "GloVe word vectors" and
"Debiasing word embeddings" (course 5, week 2).

E (n_e, V) has a column for each word, which describes it; Theta (n_e, V) has another, which
predicts it. e_c = E[:, c] is the vector of the context word c, θ_t = Theta[:, t] that of the target
word t; n are the k negatives of a pair, random words. A cost is the mean over m pairs of words.

    forward     skip_gram_cost          J = mean of −log A[t],  A = softmax(Z),  Z = Thetaᵀ e_c
                negative_sampling_cost  J = mean of −log σ(θ_tᵀ e_c) − Σ over n of log σ(−θ_nᵀ e_c)
                glove_cost              J = mean of f(X) (θ_iᵀ e_j + b_i + b_j' − log X)²
                glove_weight            f(X) = min(1, X / x_max)^α, 0 where X = 0
                noise_distribution      p(w) = count(w)^(3/4) / Σ count^(3/4)
    backward    skip_gram_cost          dZ = (A − onehot(t)) / m
                                        dE[:, c] = Σ over the pairs of Theta dZ
                                        dTheta = Σ over the pairs of e_c dZᵀ
                negative_sampling_cost  dz_t = (σ(θ_tᵀ e_c) − 1) / m;  dz_n = σ(θ_nᵀ e_c) / m
                                        dE[:, c] = Σ over the pairs of dz_t θ_t + Σ dz_n θ_n
                                        dTheta[:, t] = Σ over the pairs of dz_t e_c
                glove_cost              dz = 2 f(X) (θ_iᵀ e_j + b_i + b_j' − log X) / m
                                        dE[:, j] = Σ over the pairs of dz θ_i
                                        dTheta[:, i] = Σ over the pairs of dz e_j
                                        db[i] = Σ over the pairs of dz
                                        db_prime[j] = Σ over the pairs of dz

The gradient of a negative, dTheta[:, n], is that of a target with dz_n instead of dz_t. Since E and
Theta play the same part in GloVe, the notes use (E + Theta) / 2 as the vectors.

    cosine_similarity   s = uᵀv / (‖u‖ ‖v‖), 0 for a zero vector
                        du = ds (v / ‖v‖ − s u / ‖u‖) / ‖u‖
                        dv = ds (u / ‖u‖ − s v / ‖v‖) / ‖v‖
    analogy             a is to b as c is to the word w with the largest similarity of
                        e_w and e_b − e_a + e_c ("sum"), or e_w − e_c and e_b − e_a ("difference")
    neutralize          e − g (eᵀg / ‖g‖²)
    equalize            ν ± √(r² − ‖ν‖²) g / ‖g‖,  ν = neutralize((e1 + e2) / 2, g)

`neutralize` removes the part of e along the direction g, such as that of gender. `equalize` gives
the two words of a pair the same distance from all neutralised words: both get the part ν of their
mean without g, and opposite parts along g. With vectors of length 1, r is 1, as in "Man is to
computer programmer as woman is to homemaker?" (Bolukbasi and others, 2016); for others r² is the
mean of ‖e1‖² and ‖e2‖², so that the root is always real. In an early version of the course's
exercise, the part along g is divided by ‖e1 − μ‖, μ = (e1 + e2) / 2, instead of by its own length:
vectors of length 1 become shorter, and differ less along g.

>>> u, v = jnp.array([3.0, 4.0]), jnp.array([4.0, 3.0])
>>> round(float(cosine_similarity(u, v)), 2)
0.96
>>> E = jnp.array([[1.0, 1.0, -1.0, -1.0, 0.0], [0.0, 2.0, 0.0, 2.0, 1.0]])
>>> analogy(E, ["man", "king", "woman", "queen", "tree"], "man", "woman", "king")
'queen'
"""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int, Num

from chainrule.blocks.activations import sigmoid_forward
from chainrule.blocks.block import as_block
from chainrule.errors import DataError, check_choice, did_you_mean

Vectors = Float[ArrayLike, "n_e V"]
Words = Int[ArrayLike, " m"]

# Skip-gram with softmax


class SkipGramCache(NamedTuple):
    """E and Theta, the context words, their vectors, and dZ of J."""

    E: Float[Array, "n_e V"]
    Theta: Float[Array, "n_e V"]
    context: Int[Array, " m"]
    e_c: Float[Array, "n_e m"]
    dZ: Float[Array, "V m"]


def skip_gram_cost_forward(
    E: Vectors, Theta: Vectors, context: Words, target: Words
) -> tuple[Float[Array, ""], SkipGramCache]:
    """J = mean of −log A[t], A = softmax(Z), Z = Thetaᵀ e_c."""
    E, Theta, context, target = map(jnp.asarray, (E, Theta, context, target))
    e_c = E[:, context]
    Z = Theta.T @ e_c
    log_A = jax.nn.log_softmax(Z, axis=0)
    onehot = jax.lax.broadcasted_iota(target.dtype, Z.shape, 0) == target[None]
    m = target.shape[0]
    J = -jnp.take_along_axis(log_A, target[None], axis=0).sum() / m
    dZ = (jnp.exp(log_A) - onehot.astype(Z.dtype)) / m
    return J, SkipGramCache(E, Theta, context, e_c, dZ)


def skip_gram_cost_backward(
    dJ: Float[ArrayLike, ""], cache: SkipGramCache
) -> tuple[Float[Array, "n_e V"], Float[Array, "n_e V"]]:
    """Return the gradients of E and Theta."""
    dZ = jnp.multiply(dJ, cache.dZ)
    dE = jnp.zeros_like(cache.E).at[:, cache.context].add(cache.Theta @ dZ)
    return dE, cache.e_c @ dZ.T


skip_gram_cost = as_block(skip_gram_cost_forward, skip_gram_cost_backward)


# Negative sampling


class NegativeSamplingCache(NamedTuple):
    """E, Theta, the words of each pair with their vectors, and dz of the target and negatives."""

    E: Float[Array, "n_e V"]
    context: Int[Array, " m"]
    words: Int[Array, "k_plus_1 m"]
    e_c: Float[Array, "n_e m"]
    theta: Float[Array, "n_e k_plus_1 m"]
    dz: Float[Array, "k_plus_1 m"]


def negative_sampling_cost_forward(
    E: Vectors, Theta: Vectors, context: Words, target: Words, negatives: Int[ArrayLike, "k m"]
) -> tuple[Float[Array, ""], NegativeSamplingCache]:
    """J = mean of −log σ(θ_tᵀ e_c) − Σ over n of log σ(−θ_nᵀ e_c).

    A negative that happens to be the target counts as a negative.
    """
    E, Theta, context, target = map(jnp.asarray, (E, Theta, context, target))
    words = jnp.concatenate([target[None], jnp.asarray(negatives)])
    e_c, theta = E[:, context], Theta[:, words]
    z = (theta * e_c[:, None]).sum(axis=0)
    m = target.shape[0]
    y = (jnp.arange(words.shape[0]) == 0).astype(z.dtype)[:, None]  # 1 for the target
    A, _ = sigmoid_forward(z)
    J = (jnp.logaddexp(z, 0) - y * z).sum() / m
    return J, NegativeSamplingCache(E, context, words, e_c, theta, (A - y) / m)


def negative_sampling_cost_backward(
    dJ: Float[ArrayLike, ""], cache: NegativeSamplingCache
) -> tuple[Float[Array, "n_e V"], Float[Array, "n_e V"]]:
    """Return the gradients of E and Theta."""
    dz = jnp.multiply(dJ, cache.dz)
    zeros = jnp.zeros_like(cache.E)
    dE = zeros.at[:, cache.context].add((cache.theta * dz[None]).sum(axis=1))
    return dE, zeros.at[:, cache.words].add(cache.e_c[:, None] * dz[None])


negative_sampling_cost = as_block(negative_sampling_cost_forward, negative_sampling_cost_backward)


def noise_distribution(counts: Num[ArrayLike, " V"]) -> Float[Array, " V"]:
    """Return p(w) = count(w)^(3/4) / Σ count^(3/4), from which the negatives are drawn.

    It lies between the frequencies, by which most negatives would be "the" and "of", and the
    uniform distribution.

    >>> noise_distribution(jnp.array([16.0, 1.0, 0.0])).round(3).tolist()
    [0.889, 0.111, 0.0]
    """
    powers = _as_float(counts) ** 0.75
    return powers / powers.sum()


# GloVe


class GloveCache(NamedTuple):
    """E and the words of each pair, their vectors, the shape of b, and dz of J."""

    E: Float[Array, "n_e V"]
    i: Int[Array, " m"]
    j: Int[Array, " m"]
    theta_i: Float[Array, "n_e m"]
    e_j: Float[Array, "n_e m"]
    dz: Float[Array, " m"]


def glove_cost_forward(
    E: Vectors,
    Theta: Vectors,
    b: Float[ArrayLike, "V 1"],
    b_prime: Float[ArrayLike, "V 1"],
    i: Words,
    j: Words,
    X: Num[ArrayLike, " m"],
    *,
    x_max: float = 100.0,
    alpha: float = 0.75,
) -> tuple[Float[Array, ""], GloveCache]:
    """J = mean of f(X) (θ_iᵀ e_j + b_i + b_j' − log X)².

    X is how often word i occurs in the context of word j, for the m pairs that do so; pairs with X
    = 0 add nothing. The notes add up all pairs, which is m times this J.
    """
    E, Theta, b, b_prime, i, j = map(jnp.asarray, (E, Theta, b, b_prime, i, j))
    X = jnp.asarray(X).astype(E.dtype)
    theta_i, e_j = Theta[:, i], E[:, j]
    z = (theta_i * e_j).sum(axis=0) + b[i, 0] + b_prime[j, 0]
    error = z - jnp.log(jnp.where(X > 0, X, 1))
    weight = glove_weight(X, x_max=x_max, alpha=alpha)
    m = X.shape[0]
    J = (weight * error**2).sum() / m
    return J, GloveCache(E, i, j, theta_i, e_j, 2 * weight * error / m)


def glove_cost_backward(
    dJ: Float[ArrayLike, ""], cache: GloveCache
) -> tuple[Float[Array, "n_e V"], Float[Array, "n_e V"], Float[Array, "V 1"], Float[Array, "V 1"]]:
    """Return the gradients of E, Theta, b and b_prime."""
    dz = jnp.multiply(dJ, cache.dz)
    zeros, zero = jnp.zeros_like(cache.E), jnp.zeros_like(cache.E[:1].T)
    return (
        zeros.at[:, cache.j].add(cache.theta_i * dz[None]),
        zeros.at[:, cache.i].add(cache.e_j * dz[None]),
        zero.at[cache.i, 0].add(dz),
        zero.at[cache.j, 0].add(dz),
    )


glove_cost = as_block(glove_cost_forward, glove_cost_backward)


def glove_weight(
    X: Num[ArrayLike, "*m"], *, x_max: float = 100.0, alpha: float = 0.75
) -> Float[Array, "*m"]:
    """Return f(X) = min(1, X / x_max)^α, 0 where X = 0.

    >>> glove_weight(jnp.array([0.0, 6.25, 100.0, 400.0]), alpha=0.5).tolist()
    [0.0, 0.25, 1.0, 1.0]
    """
    X = _as_float(X)
    return jnp.where(X > 0, jnp.minimum(1, X / x_max), 0) ** alpha


# Similarity and analogies


class CosineSimilarityCache(NamedTuple):
    """u / ‖u‖ and v / ‖v‖, 1 / ‖u‖ and 1 / ‖v‖, all 0 for a zero vector, and s."""

    u: Float[Array, " n *m"]
    v: Float[Array, " n *m"]
    inverse_u: Float[Array, " 1 *m"]
    inverse_v: Float[Array, " 1 *m"]
    s: Float[Array, "*m"]


def cosine_similarity_forward(
    u: Float[ArrayLike, " n *m"], v: Float[ArrayLike, " n *m"]
) -> tuple[Float[Array, "*m"], CosineSimilarityCache]:
    """s = uᵀv / (‖u‖ ‖v‖), 0 for a zero vector; for (n, m) column by column."""
    u, inverse_u = _unit(jnp.asarray(u))
    v, inverse_v = _unit(jnp.asarray(v))
    s = (u * v).sum(axis=0)
    return s, CosineSimilarityCache(u, v, inverse_u, inverse_v, s)


def cosine_similarity_backward(
    ds: Float[ArrayLike, "*m"], cache: CosineSimilarityCache
) -> tuple[Float[Array, " n *m"], Float[Array, " n *m"]]:
    """du = ds (v / ‖v‖ − s u / ‖u‖) / ‖u‖ and dv = ds (u / ‖u‖ − s v / ‖v‖) / ‖v‖."""
    u, v, inverse_u, inverse_v, s = cache
    ds, s = jnp.asarray(ds)[None], s[None]
    return ds * inverse_u * (v - s * u), ds * inverse_v * (u - s * v)


cosine_similarity = as_block(cosine_similarity_forward, cosine_similarity_backward)


def analogy(
    E: Vectors,
    words: Sequence[str],
    a: str,
    b: str,
    c: str,
    *,
    method: str = "sum",
    exclude: Collection[str] | None = None,
) -> str:
    """Return the word w for which "a is to b as c is to w".

    "sum", as in the lecture, maximises the similarity of e_w and e_b − e_a + e_c; "difference", as
    in the exercise, that of e_w − e_c and e_b − e_a. Words of `exclude` are no answers; if it is
    None, these are a, b and c. DataError names a word that has no vector.
    """
    check_choice("analogy(method=…)", method, ("sum", "difference"))
    words = list(words)
    ids = jnp.array([_index_of(name, word, words) for name, word in (("a", a), ("b", b), ("c", c))])
    excluded = {a, b, c} if exclude is None else set(exclude)
    few = min(len(excluded) + 1, len(words))
    for i in _most_similar(jnp.asarray(E), ids, method=method, few=few).tolist():
        if words[i] not in excluded:
            return words[i]
    raise DataError("analogy(exclude=…)", "fewer words, so that one is left", "all of them")


@partial(jax.jit, static_argnames=("method", "few"))
def _most_similar(E: Array, ids: Array, *, method: str, few: int) -> Any:
    """Return the few words with the largest similarity that an analogy compares."""
    e_a, e_b, e_c = (E[:, ids[i], None] for i in range(3))
    if method == "sum":
        U, v = E, e_b - e_a + e_c
    else:
        U, v = E - e_c, e_b - e_a
    _, best = jax.lax.top_k((_unit(U)[0] * _unit(v)[0]).sum(axis=0), few)
    return best


# Removing a bias


def neutralize(e: Float[ArrayLike, " n *m"], g: Float[ArrayLike, " n"]) -> Float[Array, " n *m"]:
    """Return e − g (eᵀg / ‖g‖²), which is orthogonal to g.

    >>> neutralize(jnp.array([3.0, 4.0]), jnp.array([0.0, 2.0])).tolist()
    [3.0, 0.0]
    """
    e, g = jnp.asarray(e), jnp.asarray(g)
    direction, _ = _unit(g.reshape(g.shape + (1,) * (e.ndim - 1)))
    return e - direction * (e * direction).sum(axis=0, keepdims=True)


def equalize(
    e1: Float[ArrayLike, " n"], e2: Float[ArrayLike, " n"], g: Float[ArrayLike, " n"]
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Return e1, e2 = ν ± √(r² − ‖ν‖²) g / ‖g‖, ν = neutralize((e1 + e2) / 2, g).

    The vector with the larger part along g keeps the larger one; if they are equal, both become ν.

    >>> e1, e2 = equalize(jnp.array([0.6, 0.8]), jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0]))
    >>> e1.round(4).tolist(), e2.round(4).tolist()
    ([0.8, 0.6], [0.8, -0.6])
    """
    e1, e2 = jnp.asarray(e1), jnp.asarray(e2)
    direction, _ = _unit(jnp.asarray(g))
    nu = neutralize((e1 + e2) / 2, direction)
    side = jnp.sign(((e1 - e2) * direction).sum())
    r_squared = ((e1**2).sum() + (e2**2).sum()) / 2
    along = side * jnp.sqrt(jnp.maximum(r_squared - (nu**2).sum(), 0)) * direction
    return nu + along, nu - along


def _unit(U: Array) -> tuple[Array, Array]:
    """Return columns of length 1, and 1 / ‖u‖; both are 0 for a zero column.

    Each column is divided by its largest number before squaring, so that nothing overflows.
    """
    largest = jnp.abs(U).max(axis=0, keepdims=True)
    safe = jnp.where(largest > 0, largest, 1)
    scaled = U / safe
    length = jnp.sqrt((scaled**2).sum(axis=0, keepdims=True))
    inverse = jnp.where(largest > 0, 1 / jnp.where(largest > 0, length, 1), 0)
    return scaled * inverse, inverse / safe


def _as_float(counts: Num[ArrayLike, "*m"]) -> Float[Array, "*m"]:
    counts = jnp.asarray(counts)
    is_float = jnp.issubdtype(counts.dtype, jnp.floating)
    return counts if is_float else counts.astype(jnp.result_type(float))


def _index_of(name: str, word: str, words: list[str]) -> int:
    if word not in words:
        hint = did_you_mean(word, words)
        raise DataError(f"analogy({name}=…)", "a word that has a vector", repr(word), hint)
    return words.index(word)
