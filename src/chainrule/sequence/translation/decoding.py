"""Translate texts with a trained network, and compare the translations with their references.

    translations   the best translation of each text, by beam search
    scores         m, exact match, token error rate, BLEU
    cost           −log p of a token of the targets, the mean over all tokens
    attention      how much each token of a target takes of each token of its source

Notes: "Beam search", "Refinements to beam search", "Bleu score" and "Attention model" (course 5,
week 3).

    exact match       the share of translations that equal one of their references
    token error rate  Σ edit distance to the nearest reference / Σ length of this reference
    BLEU              that of all translations together, see `blocks/decoding.py`

Texts are translated in the order of their lengths, a number of them at once, padded to a power of
two, so that a few compiled programs serve any texts.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from chainrule.blocks.decoding import bleu, edit_distance
from chainrule.data.batches import padded
from chainrule.data.sequences import Inputs, Sequences, cut_to_longest
from chainrule.host.machine import check_memory, memory_errors
from chainrule.models.translator import Translator, translate
from chainrule.sequence.recipe import ALPHA, BEAM
from chainrule.sequence.translation.pairs import PairTokens
from chainrule.train.examples import Examples
from chainrule.train.outputs import bytes_of_row, chunk_rows
from chainrule.train.step import InputsRow, SequenceRow, columns, row_of

AT_ONCE = 128
"""The most texts that are translated at once, and the most pairs whose cost is computed at once."""
FEWEST_STEPS = 8
WHERE, HINT = "the translations", "shorter texts, or a smaller --beam"


class Translation(NamedTuple):
    """A translated text, its log-probability, and its score in the beam search."""

    text: str
    log_prob: float
    score: float


def translations(
    network: Translator,
    tokens: PairTokens,
    texts: Sequence[str],
    *,
    beam: int = BEAM,
    alpha: float = ALPHA,
) -> list[Translation]:
    """Return the translation of each text with the highest score log p / length^alpha.

    `beam` is the number of beginnings that are kept. Raises DataError if memory is too small.
    """
    found: dict[int, Translation] = {}
    for rows, source in _chunks(network, tokens, texts, beam):
        with memory_errors(WHERE, HINT):
            how: dict[str, Any] = {"width": beam, "longest": tokens.longest}
            best = jax.device_get(translate(network, source, alpha=np.float32(alpha), **how))
        for i, ids, log_prob, score in zip(rows, *best, strict=False):
            found[int(i)] = Translation(tokens.target.text(ids), float(log_prob), float(score))
    return [found[i] for i in range(len(texts))]


def _chunks(
    network: Translator, tokens: PairTokens, texts: Sequence[str], beam: int
) -> Iterator[tuple[np.ndarray, Any]]:
    """Yield row numbers of texts of similar length, and their ids as the network takes them."""
    sources = tokens.sources(texts)
    of_target = SequenceRow((tokens.longest,), np.dtype(np.int32))
    order = np.argsort(sources.lengths, kind="stable")
    while len(order):
        T = _power_of_two(int(sources.lengths[order[0]]))
        fitting = order[sources.lengths[order] <= T]
        row = InputsRow((SequenceRow((T,), np.dtype(np.int32)), of_target))
        bytes_each = 2 * beam * bytes_of_row(network, row)
        check_memory(WHERE, bytes_each, HINT)
        at_once = min(AT_ONCE, _power_of_two(len(fitting)), max(1, 2**28 // bytes_each))
        for start in range(0, len(fitting), at_once):
            rows = fitting[start : start + at_once]
            filled = np.resize(rows, at_once)
            values = np.zeros((at_once, T), np.int32)
            some = sources.values[filled, :T]
            values[:, : some.shape[1]] = some
            yield rows, columns(Sequences(values, sources.lengths[filled]))
        order = order[len(fitting) :]


def _power_of_two(n: int) -> int:
    return max(FEWEST_STEPS, 1 << (n - 1).bit_length())


def scores(
    tokens: PairTokens, predicted: Sequence[str], references: Sequence[Sequence[str]]
) -> dict[str, float]:
    """Return the exact match, the token error rate and BLEU of translations.

    Each has one reference or several. The tokens are those of the target.
    """
    split = tokens.target.split
    hypotheses = [split(text) for text in predicted]
    allowed = [[split(text) for text in some] for some in references]
    nearest = [
        min((edit_distance(words, one), len(one)) for one in some)
        for words, some in zip(hypotheses, allowed, strict=True)
    ]
    distances, lengths = np.array(nearest).T
    return {
        "exact_match": float((distances == 0).mean()),
        "error_rate": float(distances.sum() / lengths.sum()),
        "bleu": bleu(hypotheses, allowed).score,
    }


def cost(network: Translator, part: Examples) -> float:
    """Return J, the mean of −log p over all tokens of the targets and their ends."""
    size = min(AT_ONCE, chunk_rows(network, row_of(part.X)), padded(len(part.X)))
    order = np.argsort(part.X.parts[0].lengths, kind="stable")
    total, count = 0.0, int((part.Y >= 0).sum())
    for start in range(0, len(order), size):
        rows = np.resize(order[start : start + size], size)
        X = _in_powers_of_two(cut_to_longest(part.X[rows]))
        Y = np.full((size, X.parts[1].shape[1]), -1, np.int32)
        own = part.Y[rows][:, : Y.shape[1]]
        Y[: len(order) - start, : own.shape[1]] = own[: len(order) - start]
        total += float(_sum_of_losses(network, columns(X), Y.T))
    return total / count


def _in_powers_of_two(X: Any) -> Any:
    return Inputs(tuple(part.cut(_power_of_two(part.shape[1])) for part in X.parts))


@jax.jit
def _sum_of_losses(network: Translator, X: Any, Y: Int[Array, "T m"]) -> Float[Array, ""]:
    log_p = jax.nn.log_softmax(network(X), axis=1)
    chosen = jnp.take_along_axis(log_p, jnp.maximum(Y, 0)[:, None], axis=1)[:, 0]
    return -jnp.where(Y >= 0, chosen, 0).sum()


class Attention(NamedTuple):
    """The tokens of a source and of its target, with its end, and the weights (T_y, T_x)."""

    source: list[str]
    target: list[str]
    weights: np.ndarray


def attention(network: Translator, tokens: PairTokens, source: str, target: str) -> Attention:
    """Return how much each token of the target takes of each token of the source."""
    X = _in_powers_of_two(tokens.examples([(source, target)]).X)
    words, names = tokens.source.split(source), [*tokens.target.split(target), "end"]
    weights = np.asarray(_weights(network, columns(X)))[: len(names), : len(words), 0]
    return Attention(words, names, weights)


@jax.jit
def _weights(network: Translator, X: Any) -> Float[Array, "T_y T_x m"]:
    return network.weights(X)
