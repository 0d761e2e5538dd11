"""Choose which layers to train: by a rule of thumb, and by trials on the dev set.

Notes: "Transfer learning" (course 3, week 2); "Pandas vs. caviar" (course 2, week 3).

    few examples      only the last layer, the others frozen
    more examples     the last two layers
    many              all layers, starting from the pretrained weights (fine-tuning)

The rule of thumb allows PER_EXAMPLE trained parameters per training example. The trials compare
the three choices on the dev set, with at most MOST_TRIED training examples, and two baselines that
transfer has to beat: the same network from scratch, and a regression on the raw inputs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from math import inf
from typing import Any

import numpy as np

from chainrule.data.batches import steps_per_epoch
from chainrule.errors import NotFiniteError, OptionError
from chainrule.models.deep_network import DeepNetwork
from chainrule.models.volumes import multiplications, walk
from chainrule.optim.layerwise import layerwise
from chainrule.optim.optimizer import Optimizer
from chainrule.search.measure import measure
from chainrule.search.tried import FAILED, INTERRUPTED, Outcome
from chainrule.strategy.transfer_layers import (
    RATE,
    Network,
    activations,
    cut,
    depth,
    parameters_of_last,
    rates,
)
from chainrule.train.examples import Examples
from chainrule.train.prepare import Data, Prepared, prepare_network
from chainrule.train.schedule import patience_of
from chainrule.types import Params

PER_EXAMPLE = 100
MOST_TRIED = 2000
OPERATIONS = 2e12
"""The most operations of a trial; more would take minutes on a small machine."""

NOTHING, RAW = "from nothing", "raw inputs"


@dataclass(frozen=True)
class FineTuned(Prepared):
    """A training in which each array has its own learning rate."""

    factors: Params

    @property
    def optimizer(self) -> Optimizer:
        """Return the recipe's optimiser with a learning rate factor for each array."""
        return layerwise(super().optimizer, self.factors)


def training_of(whole: Prepared, k: int) -> Prepared:
    """Prepare the training of the last k layers, on the outputs of the frozen ones."""
    network: Any = whole.network
    frozen, head = cut(network, k)
    parts = activations(frozen, whole.parts) if frozen.layers else whole.parts
    head_only = replace(whole, network=head, parts=parts)
    return head_only if k == 1 else fine_tuned(head_only)


def fine_tuned(prepared: Prepared, rate: float = RATE) -> FineTuned:
    """Set the learning rate of all layers but the last to r · α."""
    network: Any = prepared.network
    same = {field.name: getattr(prepared, field.name) for field in fields(prepared)}
    return FineTuned(**same, factors=rates(network, rate))


def layers_of(retrain: str, L: int) -> int:
    """Return how many of L layers are trained, from "last", "all" or a number such as "2"."""
    words = {"last": 1, "all": L}
    k = words.get(retrain) or (int(retrain) if retrain.isdecimal() else 0)
    if not 1 <= k <= L:
        hint = "last for few examples, all for many" + (", or leaving it out" if L > 1 else "")
        expected = f"last, all, or a number of layers from 1 to {L}"
        raise OptionError("--retrain", expected, repr(retrain), hint)
    return k


def name_of(k: int, L: int) -> str:
    """Return the name of a choice of k layers out of L."""
    return {1: "last", L: "all"}.get(k, str(k)) if L > 1 else "all"


def by_size(network: Network, m: int) -> int:
    """Return how many layers to train (1, 2 or all) by rule of thumb with m examples."""
    allowed = [k for k in choices(network) if parameters_of_last(network, k) <= PER_EXAMPLE * m]
    return max(allowed, default=1)


def choices(network: Network) -> list[int]:
    """Return the choices: 1, 2 and all layers, without repeats."""
    L = depth(network)
    return sorted({1, min(2, L), L})


def trials(whole: Prepared, ks: Sequence[int]) -> dict[str, Outcome]:
    """Evaluate each choice and the two baselines on dev; nothing without a dev set."""
    if "dev" not in whole.parts:
        return {}
    few = sample(whole)
    return {} if operations(few) > OPERATIONS else dict(_outcomes(whole, few, ks))


def _outcomes(whole: Prepared, few: Prepared, ks: Sequence[int]) -> Iterator[tuple[str, Outcome]]:
    network: Any = whole.network
    L = depth(network)
    for k in ks:
        yield name_of(k, L), _measured(training_of(replace(few, network=network), k))
    yield NOTHING, _measured(fine_tuned(few, 1.0))  # r = 1: same result, shared program
    plain = {"network": None, "width": None, "precision": None, "augment": None}
    linear = replace(few.recipe, hidden=(), keep_prob=1.0, batch_norm=False, **plain)
    yield RAW, _measured(replace(few, network=prepare_network(linear, few.data).network))


def sample(whole: Prepared, rows: int = MOST_TRIED) -> Prepared:
    """Prepare a training from scratch on at most `rows` examples, with early stopping."""
    names, seed = ("train", "dev"), whole.recipe.seed
    index = {name: _some(len(whole.parts[name].X), rows, seed) for name in names}
    sources = {name: whole.sources[name].rows(index[name]) for name in names}
    parts = {name: _rows(whole.parts[name], index[name]) for name in names}
    fresh = prepare_network(whole.recipe, Data(sources, parts, whole.door, {}))
    recipe = replace(whole.recipe, early_stopping=True)
    m, has_dev = len(index["train"]), True
    return replace(fresh, patience=patience_of(recipe, m, fresh.batch_size, has_dev=has_dev))


def operations(prepared: Prepared) -> float:
    """Return the multiplications and additions of a whole training of all layers."""
    network: Any = prepared.network
    steps = prepared.epochs * steps_per_epoch(len(prepared.parts["train"].X), prepared.batch_size)
    return 6.0 * products(network) * prepared.batch_size * steps


def products(network: Network) -> int:
    """Return the multiplications of a forward pass of one example."""
    if isinstance(network, DeepNetwork):
        return parameters_of_last(network, depth(network))
    return sum(
        multiplications(part, sizes) for part, sizes, _ in walk(network.parts(), network.shape)
    )


def _some(m: int, rows: int, seed: int) -> np.ndarray:
    """Return the indices of all rows, or of a random sample of them."""
    if m <= rows:
        return np.arange(m)
    return np.sort(np.random.default_rng((seed, m)).choice(m, rows, replace=False))


def _rows(part: Examples, index: np.ndarray) -> Examples:
    weights = None if part.weights is None else part.weights[index]
    return Examples(part.X[index], part.Y[index], weights)


def _measured(prepared: Prepared) -> Outcome:
    try:
        outcome = measure(prepared, lambda percent, cost: False)
    except NotFiniteError as error:
        return Outcome(FAILED, inf, why=str(error))
    if outcome.state == INTERRUPTED:
        raise KeyboardInterrupt
    return outcome
