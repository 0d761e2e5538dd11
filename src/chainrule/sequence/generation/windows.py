"""From the ids of texts to examples: what a step sees, and what it predicts.

X[t] = y[t−1] and Y[t] = y[t], from the ids y[−1], y[0], … of a text, where y[−1] is its start.

    training     One text is cut into windows of `context` steps, which `RandomShift` moves in each
                 step of the training: the window that begins at k · context begins at
                 k · context + o, with o uniform in 0 … context − 1, so that every character is
                 predicted from every position in the window. Lines are examples as they are.
    evaluation   A text that is longer than a window is cut into overlapping ones, and of each only
                 the steps are counted that no earlier window has counted, so that all have context
                 before them. Each character is counted once.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from chainrule.data.batches import padded
from chainrule.data.sequences import Sequences, cut_to_longest
from chainrule.errors import DataError
from chainrule.layers.steps import Steps
from chainrule.models.language_model import LanguageModel
from chainrule.train.examples import Examples
from chainrule.train.outputs import chunk_rows
from chainrule.train.step import Batch, columns, row_of
from chainrule.types import Key

AT_ONCE = 2**9
"""The most windows that are evaluated at once."""


class RandomShift(NamedTuple):
    """An `Augmenter` that reads each window of `ids` at a random place near its own.

    The values of X are the places in `ids` of the window's steps, from which it reads the ids.
    """

    ids: Int[np.ndarray | Array, " n"]

    def __call__(self, batch: Batch, *, key: Key) -> Batch:
        """Return the ids of the windows, moved by up to a window each."""
        places = batch.X.values
        T, m = places.shape
        shift = jax.random.randint(key, (1, m), 0, T, np.int32)
        last = len(self.ids) - 1 - T + jnp.arange(T, dtype=np.int32)[:, None]
        places = jnp.minimum(places + shift, last)
        return batch._replace(X=Steps(self.ids[places], batch.X.lengths), Y=self.ids[places + 1])


def training_windows(ids: np.ndarray, context: int) -> tuple[Examples, RandomShift]:
    """Return the windows of one text, and what reads their ids in each step of the training.

    >>> train, shift = training_windows(np.arange(10, dtype=np.int32), 3)
    >>> train.X.values.tolist()
    [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    """
    starts = np.arange(0, len(ids) - context, context, dtype=np.int32)
    places = starts[:, None] + np.arange(context, dtype=np.int32)
    X = Sequences(places, np.full(len(places), context, np.int32))
    return Examples(X, ids[places + 1]), RandomShift(ids)


def line_examples(ids: Sequences) -> Examples:
    """Return lines as examples, of which each step predicts the next id."""
    lengths = (ids.lengths - 1).astype(np.int32)
    real = np.arange(ids.shape[1] - 1) < lengths[:, None]
    X = np.where(real, ids.values[:, :-1], 0).astype(np.int32)
    return Examples(Sequences(X, lengths), np.where(real, ids.values[:, 1:], -1))


class Windows(NamedTuple):
    """Windows of texts: their examples, and the text to which each belongs."""

    examples: Examples
    text: np.ndarray


def evaluation_windows(
    texts: Iterable[tuple[np.ndarray, int]], longest: int, context: int
) -> Windows:
    """Return the windows of texts, each given by its ids and the first of them that is predicted.

    A window has up to `longest` steps; at least `context` of them are before every step that is
    counted, except at the beginning of a text.

    >>> found = evaluation_windows([(np.arange(9), 1)], 4, 2)
    >>> found.examples.Y.tolist()
    [[1, 2, 3, 4], [-1, -1, 5, 6], [-1, -1, 7, 8]]
    """
    X, Y, whose = [], [], []
    for i, (ids, first) in enumerate(texts):
        labels = np.where(np.arange(len(ids)) >= first, ids, -1)
        for start, end, counted in _pieces(len(ids) - 1, longest, context):
            X.append(ids[start:end])
            own = labels[start + 1 : end + 1].copy()
            own[: counted - start] = -1
            Y.append(own)
            whose.append(i)
    found = Sequences.of(X, np.int32)
    labels = np.full(found.shape, -1, np.int32)
    for row, own in zip(labels, Y, strict=True):
        row[: len(own)] = own
    return Windows(Examples(found, labels), np.array(whose, np.intp))


def _pieces(T: int, longest: int, context: int) -> Iterator[tuple[int, int, int]]:
    """Yield the start and the end of each window of T steps, and the first step that it counts."""
    end = counted = 0
    while end < T:
        end = min(T, max(longest, counted + longest - context))
        yield max(0, end - longest), end, counted
        counted = end


class Predicted(NamedTuple):
    """For each step log p(Y), and whether Y is the most likely id; 0 and False without a label."""

    log_p: np.ndarray  # (m, T)
    right: np.ndarray  # (m, T)


def predictions(network: LanguageModel, part: Examples) -> Predicted:
    """Return what the network predicts, a number of windows at a time."""
    if not len(part.X):
        return Predicted(np.zeros((0, 1), np.float32), np.zeros((0, 1), bool))
    X, Y = cut_to_longest(part.X), part.Y
    Y = Y[:, : X.shape[1]]
    size = min(AT_ONCE, chunk_rows(network, row_of(X)), padded(len(X)))
    found = []
    for start in range(0, len(X), size):
        rows = slice(start, start + size)
        more = size - len(X[rows])
        ids = np.pad(X.values[rows], ((0, more), (0, 0)))
        lengths = np.pad(X.lengths[rows], (0, more))
        labels = np.pad(Y[rows], ((0, more), (0, 0)), constant_values=-1)
        made = jax.device_get(_predictions(network, columns(Sequences(ids, lengths)), labels.T))
        found.append([part.T[: size - more] for part in made])
    return Predicted(*(np.concatenate(part) for part in zip(*found, strict=True)))


@jax.jit
def _predictions(
    network: LanguageModel, X: Steps, Y: Int[Array, "T m"]
) -> tuple[Float[Array, "T m"], Array]:
    Z = network(X)
    log_p = jax.nn.log_softmax(Z, axis=1)
    chosen = jnp.take_along_axis(log_p, jnp.maximum(Y, 0)[:, None], axis=1)[:, 0]
    real = Y >= 0
    return jnp.where(real, chosen, 0), real & (Z.argmax(axis=1).astype(np.int32) == Y)


def scores(predicted: Predicted, labels: np.ndarray) -> dict[str, float]:
    """Return m, the cost in nats and in bits a character, the perplexity, and the accuracy.

        cost = −(1/m) Σ log p(y[t] | y[0], …, y[t−1]);  bits = cost / log 2;  perplexity = e^cost

    The sums are those over all characters that are predicted, of all texts. Raises DataError if
    there are none.
    """
    m = int((labels >= 0).sum())
    if m == 0:
        raise DataError("the texts", "at least one character", "none", "another text")
    cost = float(-predicted.log_p.sum(dtype=np.float64) / m)
    accuracy = float(predicted.right.sum() / m)
    bits, perplexity = cost / np.log(2), np.exp(cost)
    return {
        "m": m,
        "cost": cost,
        "bits": float(bits),
        "perplexity": float(perplexity),
        "accuracy": accuracy,
    }
