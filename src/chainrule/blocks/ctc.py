"""The CTC cost: learn the labels of a long sequence without knowing at which step each one is.

Notes: "Speech recognition" (course 5, week 3); "Connectionist Temporal Classification" (Graves and
others, 2006).

A network outputs one class per step, among them a blank. A path is one class for each of the T
steps; collapsing it merges equal neighbours and then removes the blanks: ttt_h_eee becomes the. The
probability of the labels is that of all paths that collapse to them. l' are the labels with a blank
before, between and after them, 2 S + 1 symbols, and A = softmax(Z).

    collapse    the symbols that differ from the one before, without the blanks
    greedy      the most likely class of each step, collapsed
    forward     α_t(s) = A_t(l'_s) (α_{t−1}(s) + α_{t−1}(s − 1) + α_{t−1}(s − 2))
                P = α_T(2 S) + α_T(2 S − 1), the path ends with the last label or a blank after it
                J = mean over the sequences of −log P
    backward    β_t(s) = Σ over s' = s, s + 1, s + 2 of A_{t+1}(l'_{s'}) β_{t+1}(s')
                γ_t(s) = α_t(s) β_t(s) / P, the probability that step t is at symbol s
                dZ_t(k) = (A_t(k) − Σ of γ_t(s) where l'_s = k) / m

The step from s − 2 to s is allowed only if l'_s is neither a blank nor equal to l'_{s−2}: between
two equal labels there must be a blank. The steps t are those of the sequence; further ones have no
part in J and a gradient of 0. γ is the distribution that the network should have output, as Y is
for softmax: the derivative of the pair is again a difference.

α and β are kept as logarithms, so that they do not underflow, and the largest of each step is
subtracted, so that they stay near 0, where float32 is finest: with 1,000 steps the error of the
gradient is then a tenth.

A sequence that is too short for its labels has P = 0: J is infinite, and this sequence has a
gradient of 0, since no output of the network can help; `ctc_least_steps` finds such sequences
beforehand.

>>> Z = jnp.log(jnp.array([[0.6, 0.4], [0.3, 0.7]]))[:, :, None]  # two steps; blank or a
>>> labels, length = jnp.array([[1]]), jnp.array([2])
>>> J = ctc_cost(Z, labels, length, jnp.array([1]))  # aa, -a, a-: 0.28 + 0.42 + 0.12
>>> round(float(jnp.exp(-J)), 4)
0.82
>>> "".join(ctc_collapse("ttt_h_eee___ ___qqq__", blank="_"))
'the q'
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

from chainrule.blocks.block import as_block
from chainrule.errors import ShapeError


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["log_A", "alpha", "labels", "lengths", "label_lengths", "possible"],
    meta_fields=["blank"],
)
@dataclass(frozen=True)
class CtcCache:
    """log A, log α without its largest of each step, the labels, and whether P > 0."""

    log_A: Float[Array, "T C m"]
    alpha: Float[Array, "T m symbols"]
    labels: Int[Array, "S m"]
    lengths: Int[Array, " m"]
    label_lengths: Int[Array, " m"]
    possible: Array
    blank: int


def ctc_cost_forward(
    Z: Float[ArrayLike, "T C m"],
    labels: Int[ArrayLike, "S m"],
    lengths: Int[ArrayLike, " m"],
    label_lengths: Int[ArrayLike, " m"],
    *,
    blank: int = 0,
) -> tuple[Float[Array, ""], CtcCache]:
    """J = mean over the sequences of −log P.

    labels[s, i] counts for s < label_lengths[i]; further ones may be any number. A label is never
    the blank.
    """
    Z, labels = jnp.asarray(Z), jnp.asarray(labels)
    lengths, label_lengths = jnp.asarray(lengths), jnp.asarray(label_lengths)
    real = jnp.arange(labels.shape[0], dtype=label_lengths.dtype)[:, None] < label_lengths[None]
    labels = jnp.where(real, labels, blank)
    log_A, alpha, log_P = _alphas(Z, labels, lengths, label_lengths, blank=blank)
    cache = CtcCache(log_A, alpha, labels, lengths, label_lengths, log_P != -jnp.inf, blank)
    return -log_P.mean(), cache


def ctc_cost_backward(dJ: Float[ArrayLike, ""], cache: CtcCache) -> Float[Array, "T C m"]:
    """dZ_t(k) = (A_t(k) − Σ of γ_t(s) where l'_s = k) / m."""
    T, _, m = cache.log_A.shape
    dZ = jnp.exp(cache.log_A) - _expected(cache)
    counts = _before(cache.lengths, T) & cache.possible[None]
    return jnp.where(counts[:, None], jnp.multiply(dJ, dZ / m), 0)


ctc_cost = as_block(ctc_cost_forward, ctc_cost_backward)


# The recursions over the steps. Inside them the symbols are the last axis: XLA on a CPU computes
# exponentials several times faster along an axis that is long, as 2 S + 1 is also for few examples.


@partial(jax.jit, static_argnames="blank", inline=True)
def _alphas(
    Z: Array, labels: Array, lengths: Array, label_lengths: Array, *, blank: int
) -> tuple[Array, Array, Array]:
    """Return log A, log α of all steps without the largest of each, and log P."""
    log_A = jax.nn.log_softmax(Z, axis=1)
    emitted = _at_symbols(log_A, labels, blank)
    _, m, n = emitted.shape
    skip = _skips(labels, blank)
    # Before the first step a path is at the first blank: it may stay or go to the first label.
    start = jnp.broadcast_to(jnp.where(jnp.arange(n) == 0, 0.0, -jnp.inf).astype(Z.dtype), (m, n))

    def step(carry, at_t):
        alpha, total = carry
        log_A_t, real = at_t
        skipped = jnp.where(skip, _later(alpha, 2), -jnp.inf)
        new, largest = _without_largest(log_A_t + _log_sum(alpha, _later(alpha, 1), skipped))
        kept = jnp.where(real, new, alpha), jnp.where(real, total + largest, total)
        return kept, kept[0]

    inputs = emitted, _before(lengths, Z.shape[0])[:, :, None]
    (alpha, total), alphas = jax.lax.scan(step, (start, jnp.zeros((m, 1), Z.dtype)), inputs)
    end = jnp.where(_ends(label_lengths, n), alpha, -jnp.inf)
    return log_A, alphas, total[:, 0] + jax.nn.logsumexp(end, axis=1)


@partial(jax.jit, inline=True)
def _expected(cache: CtcCache) -> Array:
    """Return Σ of γ_t(s) where l'_s = k for all steps and classes, (T, C, m); 0 if P is 0."""
    T, C, m = cache.log_A.shape
    emitted = _at_symbols(cache.log_A, cache.labels, cache.blank)
    skip = jnp.pad(_skips(cache.labels, cache.blank), ((0, 0), (0, 2)))[:, 2:]
    ends = _ends(cache.label_lengths, emitted.shape[2])
    end = jnp.where(ends, 0.0, -jnp.inf).astype(emitted.dtype)
    last = ~_before(cache.lengths - 1, T)  # and the steps beyond: β starts at the last real one

    def step(following, at_t):
        alpha, log_A_t, is_last = at_t
        skipped = jnp.where(skip, _earlier(following, 2), -jnp.inf)
        beta = jnp.where(is_last, end, _log_sum(following, _earlier(following, 1), skipped))
        gamma = jnp.exp(_without_largest(alpha + beta)[0])
        total = gamma.sum(axis=1, keepdims=True)
        emitting, _ = _without_largest(log_A_t + beta)
        return emitting, gamma / jnp.where(total > 0, total, 1)

    inputs = cache.alpha, emitted, last[:, :, None]
    _, gamma = jax.lax.scan(step, end, inputs, reverse=True)
    examples = jnp.arange(m, dtype=cache.labels.dtype)
    expected = jnp.zeros((C, m, T), gamma.dtype)
    expected = expected.at[cache.labels, examples].add(gamma[:, :, 1::2].transpose(2, 1, 0))
    expected = expected.at[cache.blank].add(gamma[:, :, ::2].sum(axis=2).T)
    return expected.transpose(2, 0, 1)


def _at_symbols(log_A: Array, labels: Array, blank: int) -> Array:
    """Return log A at the symbols l': (T, m, 2 S + 1)."""
    (T, _, m), S = log_A.shape, labels.shape[0]
    at_blank = log_A[:, blank, :, None]
    at_labels = jnp.take_along_axis(log_A, labels[None], axis=1).transpose(0, 2, 1)
    pairs = jnp.stack([at_labels, jnp.broadcast_to(at_blank, (T, m, S))], axis=3)
    return jnp.concatenate([at_blank, pairs.reshape(T, m, 2 * S)], axis=2)


def _skips(labels: Array, blank: int) -> Array:
    """Return where the blank before a symbol may be left out: (m, 2 S + 1)."""
    S, m = labels.shape
    before = jnp.concatenate([jnp.full((1, m), blank, labels.dtype), labels[:-1]])[:S]
    may = (labels != before) & (labels != blank)
    pairs = jnp.stack([may.T, jnp.zeros((m, S), bool)], axis=2)
    return jnp.concatenate([jnp.zeros((m, 1), bool), pairs.reshape(m, 2 * S)], axis=1)


def _ends(label_lengths: Array, n: int) -> Array:
    """Return where a path may end: at the last label and at the blank after it, (m, 2 S + 1)."""
    after = 2 * label_lengths[:, None] - jnp.arange(n, dtype=label_lengths.dtype)[None]
    return (after == 0) | (after == 1)


def _before(lengths: Array, T: int) -> Array:
    """Return which of T steps are below a length: (T, m)."""
    return jnp.arange(T, dtype=lengths.dtype)[:, None] < lengths[None]


def _later(x: Array, k: int) -> Array:
    """Return at each symbol s what x has at s − k."""
    return jnp.pad(x, ((0, 0), (k, 0)), constant_values=-jnp.inf)[:, : x.shape[1]]


def _earlier(x: Array, k: int) -> Array:
    """Return at each symbol s what x has at s + k."""
    return jnp.pad(x, ((0, 0), (0, k)), constant_values=-jnp.inf)[:, k:]


def _log_sum(a: Array, b: Array, c: Array) -> Array:
    """Return log(e^a + e^b + e^c), −∞ if all are."""
    largest = jnp.maximum(jnp.maximum(a, b), c)
    finite = jnp.where(largest > -jnp.inf, largest, 0)
    return finite + jnp.log(jnp.exp(a - finite) + jnp.exp(b - finite) + jnp.exp(c - finite))


def _without_largest(x: Array) -> tuple[Array, Array]:
    """Return x minus the largest of each row, and this largest, 0 if all are −∞."""
    largest = x.max(axis=1, keepdims=True)
    largest = jnp.where(largest > -jnp.inf, largest, 0)
    return x - largest, largest


# From a path to its labels


def ctc_least_steps(
    labels: Int[ArrayLike, "S m"], label_lengths: Int[ArrayLike, " m"]
) -> Int[Array, " m"]:
    """Return the least T with P > 0: the number of labels + the number of equal neighbours.

    A shorter sequence cannot be trained with these labels: its cost is infinite.

    >>> ctc_least_steps(jnp.array([[3, 3], [3, 4], [5, -1]]), jnp.array([3, 2])).tolist()
    [4, 2]
    """
    labels, label_lengths = jnp.asarray(labels), jnp.asarray(label_lengths)
    if labels.shape[0] < 2:
        return label_lengths
    later = jnp.arange(1, labels.shape[0], dtype=label_lengths.dtype)[:, None]
    repeats = (labels[1:] == labels[:-1]) & (later < label_lengths[None])
    return label_lengths + repeats.sum(axis=0, dtype=label_lengths.dtype)


def ctc_collapse(path: Any, *, blank: Any = 0) -> list:
    """Return the symbols that differ from the one before, without the blanks.

    The path is one sequence: an array or list of class numbers, or a text with its own blank.

    >>> ctc_collapse(jnp.array([0, 3, 3, 0, 3, 5, 5]))
    [3, 3, 5]
    """
    symbols = path.tolist() if hasattr(path, "tolist") else list(path)
    if any(isinstance(symbol, list) for symbol in symbols):
        expected = "one path (T,)"
        hint = "a column: ctc_collapse(paths[:, i])"
        raise ShapeError("ctc_collapse(path)", expected, "several", hint)
    before = [None, *symbols[:-1]]
    pairs = zip(before, symbols, strict=True) if symbols else ()
    return [s for previous, s in pairs if s != previous and s != blank]


def ctc_greedy(
    Z: Float[ArrayLike, "T C m"], lengths: Int[ArrayLike, " m"] | None = None, *, blank: int = 0
) -> list[list[int]]:
    """Return the labels of each sequence: the most likely class of each step, collapsed.

    >>> Z = jnp.array([[0.0, 2.0], [0.0, 2.0], [1.0, 0.0], [0.0, 2.0]])[:, :, None]
    >>> ctc_greedy(Z), ctc_greedy(Z, jnp.array([2]))
    ([[1, 1]], [[1]])
    """
    Z = jnp.asarray(Z)
    paths: Any = Z.argmax(axis=1).T.tolist()
    stops = [Z.shape[0]] * Z.shape[2] if lengths is None else jnp.asarray(lengths).tolist()
    return [ctc_collapse(path[:n], blank=blank) for path, n in zip(paths, stops, strict=True)]
