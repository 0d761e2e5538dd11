"""Gradient checking of a trained (or fresh) network on examples of its own data.

Notes: "Gradient checking" (course 2, week 1).
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from chainrule.errors import ChainruleError
from chainrule.gradcheck import GradientReport, check_parameters
from chainrule.layers.layer import Layer, count_parameters, named_arrays, split_parameters
from chainrule.models.conv_network import ConvNetwork
from chainrule.randomness import key_from_seed
from chainrule.train.examples import Examples
from chainrule.train.networks import in_float32, products_of, values_of
from chainrule.train.prepare import examples, read_like
from chainrule.train.run import Run

FEWEST, MOST_EXAMPLES = 4, 64
MOST_VALUES = 2**18
QUICK = 4e10  # operations: about two seconds


def check_network(
    network: Layer, cost: Callable, part: Examples, *, samples: int = 200
) -> GradientReport:
    """Every W[l] and b[l]: is its gradient the slope of J on (at most 64 of) these examples?

    Of pictures, whose layers give very many numbers, a few are enough.

    As training goes: batch norm by this batch, dropout with one mask that stays the same.
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
    """Entries of each W and b, 3 to 200, for a check that does not keep a user waiting.

    An entry takes J at four places, and J two operations a parameter, place of it in a picture and
    example; ten times as long where a product is one of a convolution in float64.
    """
    operations, quick = 2 * MOST_EXAMPLES * count_parameters(network), QUICK
    if isinstance(network, ConvNetwork):
        n_x = int(np.prod(network.shape))
        operations, quick = 2 * examples_for(network, n_x) * products_of(network, n_x), QUICK / 10
    entries = quick / (4 * operations)
    return max(3, min(200, int(entries / len(named_arrays(network)))))


def examples_for(network: Layer, n_x: int) -> int:
    """So many examples as make `MOST_VALUES` numbers on their way: 4 to 64."""
    if not isinstance(network, ConvNetwork):
        return MOST_EXAMPLES
    return max(FEWEST, min(MOST_EXAMPLES, MOST_VALUES // values_of(network, n_x)))


def run_examples(run: Run, count: int, source: str | None = None) -> Examples:
    """Some examples of `source`, or of the run's own data, or made-up ones where that is gone."""
    try:
        rows = read_like(run.recipe, run.door.shape, source or run.recipe.source, part="train")
    except ChainruleError:
        if source is not None:
            raise
        return made_up(run)
    rows = rows.rows(np.random.default_rng(0).permutation(len(rows))[:count])
    return examples(run.door, rows)


def made_up(run: Run) -> Examples:
    """Normal inputs and random labels: a gradient is right or wrong on any numbers."""
    random = np.random.default_rng(0)
    X = random.standard_normal((MOST_EXAMPLES, run.door.n_x)).astype(np.float32)
    n_L = run.door.labels.n_outputs
    if run.door.cost == "softmax":
        return Examples(X, np.eye(n_L, dtype=np.float32)[random.integers(n_L, size=len(X))])
    if run.door.cost == "logistic":
        return Examples(X, random.integers(2, size=(len(X), 1)).astype(np.float32))
    return Examples(X, random.standard_normal((len(X), n_L)).astype(np.float32))
