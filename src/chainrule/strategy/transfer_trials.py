"""Which layers to train: by the rule of thumb, and by trying it on the dev set.

Notes: "Transfer learning" (course 3, week 2); "Pandas vs. caviar" (course 2, week 3).

    few examples      the last layer alone, the others frozen
    more of them      the last two
    many              all layers: what was trained before is where they start (fine-tuning)

The rule takes as many layers as the examples bear: at most PER_EXAMPLE parameters for each. Tried
on the dev set, with at most MOST_TRIED examples, is each of the three, and beside them what
transfer has to beat: the same network from nothing, and a regression on the raw inputs.
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
"""Of a trial, at most; more would take minutes on a small machine."""

NOTHING, RAW = "from nothing", "raw inputs"


@dataclass(frozen=True)
class FineTuned(Prepared):
    """A training in which each array has a learning rate of its own."""

    factors: Params

    @property
    def optimizer(self) -> Optimizer:
        """The recipe's, with these factors."""
        return layerwise(super().optimizer, self.factors)


def training_of(whole: Prepared, k: int) -> Prepared:
    """What is trained where the last k layers are: these alone, on what the frozen ones give."""
    network: Any = whole.network
    frozen, head = cut(network, k)
    parts = activations(frozen, whole.parts) if frozen.layers else whole.parts
    head_only = replace(whole, network=head, parts=parts)
    return head_only if k == 1 else fine_tuned(head_only)


def fine_tuned(prepared: Prepared, rate: float = RATE) -> FineTuned:
    """With r · α as the learning rate of all layers but the last."""
    network: Any = prepared.network
    same = {field.name: getattr(prepared, field.name) for field in fields(prepared)}
    return FineTuned(**same, factors=rates(network, rate))


def layers_of(retrain: str, L: int) -> int:
    """How many layers train, of L: what "last", "all" and "2" mean."""
    named = {"last": 1, "all": L}
    k = named.get(retrain) or (int(retrain) if retrain.isdecimal() else 0)
    if not 1 <= k <= L:
        hint = "last for few examples, all for many" + (", or leaving it out" if L > 1 else "")
        expected = f"last, all, or how many of the last layers, 1 to {L}"
        raise OptionError("--retrain", expected, repr(retrain), hint)
    return k


def name_of(k: int, L: int) -> str:
    """The word for k layers of L."""
    return {1: "last", L: "all"}.get(k, str(k)) if L > 1 else "all"


def by_size(network: Network, m: int) -> int:
    """The rule of thumb: 1, 2 or all layers, as many as m examples bear."""
    bearable = [k for k in choices(network) if parameters_of_last(network, k) <= PER_EXAMPLE * m]
    return max(bearable, default=1)


def choices(network: Network) -> list[int]:
    """1, 2 and all, each once."""
    L = depth(network)
    return sorted({1, min(2, L), L})


def trials(whole: Prepared, ks: Sequence[int]) -> dict[str, Outcome]:
    """What each choice gives on dev, and what it has to beat; nothing without a dev part."""
    if "dev" not in whole.parts:
        return {}
    few = sample(whole)
    return {} if operations(few) > OPERATIONS else dict(_outcomes(whole, few, ks))


def _outcomes(whole: Prepared, few: Prepared, ks: Sequence[int]) -> Iterator[tuple[str, Outcome]]:
    network: Any = whole.network
    L = depth(network)
    for k in ks:
        yield name_of(k, L), _measured(training_of(replace(few, network=network), k))
    yield NOTHING, _measured(fine_tuned(few, 1.0))  # r = 1 changes no bit, and shares the program
    plain = {"network": None, "width": None, "precision": None, "augment": None}
    linear = replace(few.recipe, hidden=(), keep_prob=1.0, batch_norm=False, **plain)
    yield RAW, _measured(replace(few, network=prepare_network(linear, few.data).network))


def sample(whole: Prepared, rows: int = MOST_TRIED) -> Prepared:
    """A training from nothing on so many examples at most, ended when dev no longer improves."""
    names, seed = ("train", "dev"), whole.recipe.seed
    index = {name: _some(len(whole.parts[name].X), rows, seed) for name in names}
    sources = {name: whole.sources[name].rows(index[name]) for name in names}
    parts = {name: _rows(whole.parts[name], index[name]) for name in names}
    fresh = prepare_network(whole.recipe, Data(sources, parts, whole.door, {}))
    recipe = replace(whole.recipe, early_stopping=True)
    m, has_dev = len(index["train"]), True
    return replace(fresh, patience=patience_of(recipe, m, fresh.batch_size, has_dev=has_dev))


def operations(prepared: Prepared) -> float:
    """Multiplications and additions of a whole training of all layers."""
    network: Any = prepared.network
    steps = prepared.epochs * steps_per_epoch(len(prepared.parts["train"].X), prepared.batch_size)
    return 6.0 * products(network) * prepared.batch_size * steps


def products(network: Network) -> int:
    """Multiplications of one example on its way forward."""
    if isinstance(network, DeepNetwork):
        return parameters_of_last(network, depth(network))
    return sum(
        multiplications(part, sizes) for part, sizes, _ in walk(network.parts(), network.shape)
    )


def _some(m: int, rows: int, seed: int) -> np.ndarray:
    """All row numbers, or so many of them."""
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
