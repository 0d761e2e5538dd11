"""Gradient checking of a network, trained or newly initialised, on examples of its data.

Notes: "Gradient checking" (course 2, week 1).
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from chainrule.errors import ChainruleError
from chainrule.gradcheck import GradientReport, check_parameters
from chainrule.host.randomness import key_from_seed
from chainrule.layers.layer import Layer, count_parameters, named_arrays, split_parameters
from chainrule.models.conv_network import ConvNetwork
from chainrule.runs.networks import in_float32, products_of, values_of
from chainrule.runs.prepare import examples, read_like
from chainrule.runs.run import Run
from chainrule.train.examples import Examples

FEWEST, MOST_EXAMPLES = 4, 64
MOST_VALUES = 2**18
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
    count = examples_for(network, int(np.prod(part.X.shape[1:])))
    X, Y = (np.asarray(a[:count], np.float64).T for a in (part.X, part.Y))
    with jax.enable_x64(True):
        X, Y = jnp.asarray(X), jnp.asarray(Y)
        floats, whole = eqx.partition(rest, eqx.is_inexact_array)
        rest = eqx.combine(jax.tree.map(lambda x: jnp.asarray(x, X.dtype), floats), whole)

        def J(theta):
            Z, _ = eqx.combine(theta, rest).train(X, key=key)
            return cost(Z, Y)

        return check_parameters(J, theta, names=tuple(named_arrays(theta)), samples=samples)


def quick_samples(network: Layer) -> int:
    """Return how many entries of each W and b, 3 to 200, can be checked in about two seconds.

    Each entry needs four evaluations of J. One evaluation takes two operations per parameter and
    example, and per position for a filter; float64 convolutions are ten times slower.
    """
    operations, quick = 2 * MOST_EXAMPLES * count_parameters(network), QUICK
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
    X = random.standard_normal((MOST_EXAMPLES, run.preprocessor.n_x)).astype(np.float32)
    n_L = run.preprocessor.labels.n_outputs
    if run.preprocessor.cost == "softmax":
        return Examples(X, np.eye(n_L, dtype=np.float32)[random.integers(n_L, size=len(X))])
    if run.preprocessor.cost == "logistic":
        return Examples(X, random.integers(2, size=(len(X), 1)).astype(np.float32))
    return Examples(X, random.standard_normal((len(X), n_L)).astype(np.float32))
