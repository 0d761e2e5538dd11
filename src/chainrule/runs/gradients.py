"""Gradient checking of a network, trained or newly initialised, on examples of its data.

Notes: "Gradient checking" (course 2, week 1).
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from chainrule.data.sequences import Sequences, cut_to_longest, sequences_in
from chainrule.errors import ChainruleError
from chainrule.gradcheck import GradientReport, check_parameters
from chainrule.host.randomness import key_from_seed
from chainrule.layers.layer import Layer, count_parameters, named_arrays, split_parameters
from chainrule.models.conv_network import ConvNetwork
from chainrule.runs.networks import in_float32, products_of, values_of
from chainrule.runs.prepare import examples, read_like
from chainrule.runs.run import Run
from chainrule.train.examples import Examples
from chainrule.train.step import columns

FEWEST, MOST_EXAMPLES = 4, 64
MOST_VALUES = 2**18
MADE_UP_STEPS = 8
QUICK = 4e10  # operations that take about two seconds


def check_network(
    network: Layer, cost: Callable, part: Examples, *, samples: int = 200
) -> GradientReport:
    """Compare the gradient of every W[l] and b[l] with the numerical slope of J.

    At most 64 examples are used, and fewer images where the layers have many activations. The
    network runs as in training: batch norm uses this batch, dropout one fixed mask.
    """
    theta, rest = split_parameters(in_float32(network))
    key = key_from_seed(0)
    rows, labels = part.X, np.asarray(part.Y)
    count = MOST_EXAMPLES if sequences_in(rows) else examples_for(network, np.prod(rows.shape[1:]))
    rows, labels = cut_to_longest(rows[:count]), labels[:count]
    with jax.enable_x64(True):
        X = columns(jax.tree.map(lambda x: jnp.asarray(_in_float64(x)), rows))
        Y = columns(jnp.asarray(labels if labels.dtype.kind == "i" else _in_float64(labels)))
        floats, whole = eqx.partition(rest, eqx.is_inexact_array)
        rest = eqx.combine(jax.tree.map(lambda x: jnp.asarray(x, np.float64), floats), whole)

        def J(theta):
            Z, _ = eqx.combine(theta, rest).train(X, key=key)
            return cost(Z, Y)

        return check_parameters(J, theta, names=tuple(named_arrays(theta)), samples=samples)


def _in_float64(x: np.ndarray) -> np.ndarray:
    """Return numbers in float64; lengths and token ids stay whole."""
    return x if x.dtype == np.int32 else np.asarray(x, np.float64)


def quick_samples(network: Layer, steps: int = 1) -> int:
    """Return how many entries of each W and b, 3 to 200, can be checked in about two seconds.

    Each entry needs four evaluations of J. One evaluation takes two operations per parameter and
    example, per position for a filter, and per step for a network on sequences; float64
    convolutions are ten times slower.
    """
    operations, quick = 2 * MOST_EXAMPLES * count_parameters(network) * steps, QUICK
    if steps > 1:
        quick /= 20  # a recurrent step is a small product, and each waits for the one before
    if isinstance(network, ConvNetwork):
        n_x = int(np.prod(network.shape))
        operations, quick = 2 * examples_for(network, n_x) * products_of(network, n_x), QUICK / 10
    entries = quick / (4 * operations)
    return max(3, min(200, int(entries / len(named_arrays(network)))))


def examples_for(network: Layer, n_x: int) -> int:
    """Return the number of examples, 4 to 64, whose activations stay below `MOST_VALUES`."""
    if not isinstance(network, ConvNetwork):
        return MOST_EXAMPLES
    return max(FEWEST, min(MOST_EXAMPLES, MOST_VALUES // values_of(network, n_x)))


def run_examples(run: Run, count: int, source: str | None = None) -> Examples:
    """Return examples of `source` or of the run's data, or random examples if it is missing."""
    try:
        rows = read_like(
            run.recipe,
            run.preprocessor.shape,
            source or run.recipe.source,
            part="train",
            texts=run.preprocessor.texts(run.recipe.target),
            white=run.preprocessor.white,
            step_names=run.preprocessor.step_names,
        )
    except ChainruleError:
        if source is not None:
            raise
        return made_up(run)
    rows = rows.rows(np.random.default_rng(0).permutation(len(rows))[:count])
    return examples(run.preprocessor, rows)


def made_up(run: Run) -> Examples:
    """Return random inputs with random labels, since a gradient can be checked on any numbers."""
    random = np.random.default_rng(0)
    X: Any = random.standard_normal((MOST_EXAMPLES, run.preprocessor.n_x)).astype(np.float32)
    if run.preprocessor.takes_sequences:
        lengths = random.integers(1, MADE_UP_STEPS + 1, MOST_EXAMPLES).astype(np.int32)
        ids = random.integers(run.preprocessor.n_x, size=(MOST_EXAMPLES, MADE_UP_STEPS))
        numbers = random.standard_normal((*ids.shape, run.preprocessor.n_x))
        tokens = run.preprocessor.vocabulary is not None
        values = ids.astype(np.int32) if tokens else numbers.astype(np.float32)
        X = Sequences(values, lengths)
    n_L = run.preprocessor.labels.n_outputs
    if run.preprocessor.cost == "softmax":
        return Examples(X, np.eye(n_L, dtype=np.float32)[random.integers(n_L, size=len(X))])
    if run.preprocessor.cost == "logistic":
        return Examples(X, random.integers(2, size=(len(X), 1)).astype(np.float32))
    return Examples(X, random.standard_normal((len(X), n_L)).astype(np.float32))
