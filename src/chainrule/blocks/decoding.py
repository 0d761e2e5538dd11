"""Decoding: from the probabilities of the next word to a sentence, and scores of the sentence.

Notes: "Sampling novel sequences" (course 5, week 1); "Beam search", "Refinements to beam search"
and "Bleu score" (course 5, week 3).

    beam_search     log_prob = Σ log P(y[t] | x, y[0], …, y[t−1])
                    score = log_prob / length^alpha
    sample          y[t] is drawn from softmax(log_p / temperature)
    draw            the first index whose cumulative p exceeds u
    bleu            p_n = Σ matches of n-grams / Σ n-grams of the hypotheses
                    brevity_penalty = min(1, exp(1 − reference length / hypothesis length))
                    score = brevity_penalty · exp((1/n) Σ log p_n)
    edit_distance   the least number of insertions, deletions and substitutions

A network is given as a function of one step, step(state, id) -> (log_p, state): log_p (V,) or
(V, 1) are the logarithms of the probabilities of the next id, given the last id and a state of one
sequence (of a recurrent network, or the keys and values of a transformer). The first step gets the
id `start`; if it is None, it gets `end`, so that one id separates sequences. What is decoded, such
as a sentence to be translated, is part of the state: `vmap` over the state decodes a batch.

Beam search extends the `width` most likely beginnings by one id and keeps the `width` most likely
results. A result that has ended leaves the beam and remains a candidate for the answer, which is
the candidate with the highest score; so does one with `longest` ids that has not ended. The length
contains the end. The search stops when no beginning can become better than the best candidate,
which assumes log_p ≤ 0 and alpha ≥ 0. Width 1 is greedy search; with a width as large as the number
of beginnings the search is exhaustive.

The search is compiled for each function `step`: pass the same function for every sentence, not a
new lambda. `jax.tree_util.Partial(function, network)` passes the arrays of a network, so that other
weights do not compile it again.

>>> table = jnp.log(jnp.array([[0.1, 0.9], [0.6, 0.4]]))  # the rows are the last id; 0 ends
>>> def step(state, id):
...     return table[id], state
>>> ids, log_prob, score = beam_search(step, (), width=2, end=0, longest=4, alpha=0.0)
>>> ids.tolist(), round(float(jnp.exp(log_prob)), 2)
([1, 0, 0, 0], 0.54)
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from math import exp, log
from numbers import Integral
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int, Num

from chainrule.errors import DataError, check_integer
from chainrule.types import Key

Step = Callable[[Any, Any], tuple[Any, Any]]
"""step(state, id) -> (log_p (V,), state)."""

# Beam search


class Hypothesis(NamedTuple):
    """The best sequence: its ids (longest,), filled with `end`, its log-probability and score."""

    ids: Int[Array, " longest"]
    log_prob: Float[Array, ""]
    score: Float[Array, ""]


class Beam(NamedTuple):
    """The beginnings, with log_prob −∞ where there is none, and the best complete hypothesis."""

    t: Int[Array, ""]
    state: Any
    ids: Int[Array, "width longest"]
    log_prob: Float[Array, " width"]
    best: Hypothesis


def beam_search(
    step: Step,
    state: Any,
    *,
    width: int,
    end: int,
    longest: int,
    alpha: float | Float[Array, ""] = 0.7,
    start: int | None = None,
) -> Hypothesis:
    """Return (ids, log_prob, score) of the best sequence, score = log_prob / length^alpha.

    ids (longest,) contain the end and are filled with it. alpha = 0 compares probabilities, alpha =
    1 the mean of log P over the ids; the notes recommend 0.7.
    """
    check_integer("beam_search(width=…)", width, hint="10")
    check_integer("beam_search(longest=…)", longest, hint="30")
    function, arrays = _split(step)
    state = jax.tree.map(jnp.asarray, state)
    end, first = int(end), int(end if start is None else start)
    return _beam_search(
        arrays, state, alpha, function=function, width=width, end=end, longest=longest, start=first
    )


@partial(jax.jit, static_argnames=("function", "width", "end", "longest", "start"), inline=True)
def _beam_search(
    arrays: tuple, state: Any, alpha: Any, *, function, width: int, end: int, longest: int, start
) -> Hypothesis:
    step = _join(function, arrays)
    log_p, _ = jax.eval_shape(step, state, jnp.int32(start))
    dtype, V = log_p.dtype, log_p.size
    alpha = jnp.asarray(alpha).astype(dtype)

    def normalized(log_prob: Array, length: Any) -> Array:
        return log_prob / jnp.asarray(length).astype(dtype) ** alpha

    def goes_on(beam: Beam) -> Array:
        reachable = normalized(beam.log_prob.max(), longest)
        return (beam.t < longest) & (reachable > beam.best.score)

    def extend(beam: Beam) -> Beam:
        before = jax.lax.dynamic_index_in_dim(beam.ids, beam.t - 1, 1, keepdims=False)
        last = jnp.where(beam.t == 0, jnp.int32(start), before)
        log_p, state = jax.vmap(step)(beam.state, last)
        candidates = (beam.log_prob[:, None] + log_p.reshape(width, V)).reshape(width * V)
        log_prob, index = jax.lax.top_k(candidates, width)
        parent, id = index // V, (index % V).astype(jnp.int32)
        ids = jax.lax.dynamic_update_index_in_dim(beam.ids[parent], id, beam.t, 1)
        complete = (id == end) | (beam.t + 1 == longest)
        scores = jnp.where(complete, normalized(log_prob, beam.t + 1), -jnp.inf)
        i = scores.argmax()
        new = Hypothesis(ids[i], log_prob[i], scores[i])
        better = new.score > beam.best.score
        best = jax.tree.map(lambda a, b: jnp.where(better, a, b), new, beam.best)
        going = jnp.where(complete, -jnp.inf, log_prob)
        state = jax.tree.map(lambda leaf: leaf[parent], state)
        return Beam(beam.t + 1, state, ids, going, best)

    no_ids = jnp.full((width, longest), end, jnp.int32)
    nothing = jnp.asarray(-jnp.inf, dtype)
    alone = jnp.where(jnp.arange(width) == 0, 0, -jnp.inf).astype(dtype)
    copies = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (width, *leaf.shape)), state)
    beam = Beam(jnp.int32(0), copies, no_ids, alone, Hypothesis(no_ids[0], nothing, nothing))
    return jax.lax.while_loop(goes_on, extend, beam).best


# Sampling


def sample(
    step: Step,
    state: Any,
    *,
    key: Key,
    end: int,
    longest: int,
    temperature: float | Float[Array, ""] = 1.0,
    start: int | None = None,
) -> Int[Array, " longest"]:
    """Return ids (longest,), y[t] drawn from softmax(log_p / temperature), filled with the end.

    A temperature below 1 prefers likely ids, and 0 takes the most likely one.
    """
    check_integer("sample(longest=…)", longest, hint="30")
    function, arrays = _split(step)
    state = jax.tree.map(jnp.asarray, state)
    end, first = int(end), int(end if start is None else start)
    return _sample(
        arrays, state, temperature, key, function=function, end=end, longest=longest, start=first
    )


@partial(jax.jit, static_argnames=("function", "end", "longest", "start"), inline=True)
def _sample(
    arrays: tuple,
    state: Any,
    temperature: Any,
    key: Key,
    *,
    function,
    end: int,
    longest: int,
    start,
) -> Array:
    step = _join(function, arrays)

    def goes_on(carry):
        t, _, last, _ = carry
        return (t < longest) & ((t == 0) | (last != end))

    def extend(carry):
        t, state, last, ids = carry
        log_p, state = step(state, last)
        log_p = log_p.reshape(-1)
        heat = jnp.maximum(jnp.asarray(temperature).astype(log_p.dtype), 1e-30)
        u = jax.random.uniform(jax.random.fold_in(key, t), (), log_p.dtype)
        id = draw(jax.nn.softmax((log_p - log_p.max()) / heat), u)
        return t + 1, state, id, ids.at[t].set(id)

    no_ids = jnp.full(longest, end, jnp.int32)
    *_, ids = jax.lax.while_loop(goes_on, extend, (jnp.int32(0), state, jnp.int32(start), no_ids))
    return ids


def draw(p: Float[ArrayLike, " V *m"], u: Num[ArrayLike, "*m"]) -> Int[Array, "*m"]:
    """Return the first index whose cumulative p exceeds u, which is uniform between 0 and 1.

    An index with p = 0 is never returned, also where rounding makes the sum of p smaller than u.

    >>> draw(jnp.array([0.1, 0.7, 0.2]), 0.75).tolist()
    1
    """
    p, u = jnp.asarray(p), jnp.asarray(u)
    possible = p > 0
    exceeds = (jnp.cumsum(p, axis=0) > u[None]) & possible
    last = p.shape[0] - 1 - possible[::-1].argmax(axis=0)
    return jnp.where(exceeds.any(axis=0), exceeds.argmax(axis=0), last).astype(jnp.int32)


def _split(step: Step) -> tuple[Any, tuple]:
    """Split a step into a hashable part, which is compiled in, and its arrays."""
    leaves, structure = jax.tree.flatten(step)
    is_array = tuple(hasattr(leaf, "shape") and hasattr(leaf, "dtype") for leaf in leaves)
    fixed = tuple(None if array else leaf for leaf, array in zip(leaves, is_array, strict=True))
    arrays = tuple(leaf for leaf, array in zip(leaves, is_array, strict=True) if array)
    return (structure, fixed, is_array), arrays


def _join(function: Any, arrays: tuple) -> Step:
    structure, fixed, is_array = function
    rest = iter(arrays)
    leaves = [next(rest) if array else leaf for leaf, array in zip(fixed, is_array, strict=True)]
    return jax.tree.unflatten(structure, leaves)


# Comparison with references

Tokens = Sequence[Hashable] | Int[ArrayLike, " length"]
"""A list of words or ids, or an array of ids."""


class Bleu(NamedTuple):
    """The Bleu score from 0 to 1, p_1 … p_n, and the brevity penalty."""

    score: float
    precisions: list[float]
    brevity_penalty: float


def bleu(
    hypotheses: Sequence[Tokens],
    references: Sequence[Tokens] | Sequence[Sequence[Tokens]],
    *,
    n: int = 4,
) -> Bleu:
    """Return score = brevity_penalty · exp((1/n) Σ log p_n) of a corpus, without smoothing.

    A hypothesis is a list of tokens; it has one reference, a list of tokens, or several, a list of
    these. An n-gram matches as often as it occurs in the reference that contains it most often.
    Matches, n-grams and lengths are added up over the corpus before anything is divided, and the
    reference length is that of the reference with the length nearest to the hypothesis, the shorter
    of two. Without any match of n words, p_n is 0 and so is the score.

    >>> bleu([["the", "cat", "the", "cat"]], [[["the", "cat", "is", "here"]]], n=2)
    Bleu(score=0.408248290463863, precisions=[0.5, 0.3333333333333333], brevity_penalty=1.0)
    """
    check_integer("bleu(n=…)", n, hint="4")
    if len(hypotheses) != len(references):
        expected = f"as many as the {len(hypotheses)} hypotheses"
        raise DataError("bleu(references)", expected, str(len(references)))
    matches, totals = [0] * n, [0] * n
    length = reference_length = 0
    for hypothesis, given in zip(hypotheses, references, strict=True):
        words, several = _tokens("hypotheses", hypothesis), _references(given)
        length += len(words)
        sizes = [len(reference) for reference in several]
        reference_length += min(sizes, key=lambda size: (abs(size - len(words)), size))
        for k in range(n):
            counts = _n_grams(words, k + 1)
            allowed: Counter = Counter()
            for reference in several:
                allowed |= _n_grams(reference, k + 1)
            matches[k] += (counts & allowed).total()
            totals[k] += counts.total()
    precisions = [m / total if total else 0.0 for m, total in zip(matches, totals, strict=True)]
    penalty = min(1.0, exp(1 - reference_length / length)) if length else 0.0
    mean = sum(map(log, precisions)) / n if all(precisions) else 0.0
    return Bleu(penalty * exp(mean) if all(precisions) else 0.0, precisions, penalty)


def edit_distance(a: Tokens, b: Tokens) -> int:
    """Return the least number of insertions, deletions and substitutions that turn a into b.

    Divided by the length of b, the reference, it is the word error rate of speech recognition.

    >>> edit_distance("kitten", "sitting")
    3
    """
    words, reference = _plain(a), _plain(b)
    row = list(range(len(reference) + 1))
    for i, x in enumerate(words, start=1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(reference, start=1):
            substituted = diagonal + (x != y)
            diagonal = row[j]
            row[j] = min(substituted, diagonal + 1, row[j - 1] + 1)
    return row[-1]


def _n_grams(words: Sequence[Hashable], n: int) -> Counter:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def _references(given: Any) -> list[Sequence[Hashable]]:
    """Return the references of a hypothesis: one list of tokens, or a list of several."""
    given = _plain(given)
    if isinstance(given, str) or not given or isinstance(given[0], str | bytes | Integral):
        return [_tokens("references", given)]
    return [_tokens("references", reference) for reference in given]


def _tokens(name: str, words: Any) -> Sequence[Hashable]:
    """Return a list of tokens; a text is refused, since its tokens would be its characters."""
    if isinstance(words, str):
        hint = "text.split()"
        raise DataError(f"bleu({name})", "lists of tokens", f"the text {words!r}", hint)
    return _plain(words)


def _plain(words: Any) -> Any:
    """Return the numbers of an array as a list, since the elements of an array are not hashable."""
    return words.tolist() if hasattr(words, "tolist") else words
