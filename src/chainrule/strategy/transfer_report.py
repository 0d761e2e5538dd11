"""The report of a transfer: which layers are trained and why, and the notes' three conditions.

Notes: "Transfer learning" (course 3, week 2). It makes sense from task A to task B when

    1. both have the same kind of input
    2. there are more data for A than for B
    3. A's low-level features help with B

The layers to train are chosen by a rule of thumb, and by trials on the dev set ("Pandas vs.
caviar", course 2, week 3):

    few examples      only the last layer, the others frozen
    more examples     the last two layers
    many              all layers, starting from the pretrained weights (fine-tuning)

The rule of thumb allows PER_EXAMPLE trained parameters per training example. The trials compare
the three choices on the dev set, with at most MOST_TRIAL_ROWS training examples, and two baselines
that transfer has to beat: the same network from scratch, and a regression on the raw inputs.

Networks are compared by the metric of the goal, with the standard error of the difference on the
same examples of the dev set: a lower cost does not mean that more predictions are correct. Among
choices whose metrics cannot be told apart, the one with the lowest dev cost is taken.
"""

import warnings
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from math import inf, nan
from typing import Any, NamedTuple

import numpy as np

from chainrule.data.batches import steps_per_epoch
from chainrule.data.split import duplicates_across
from chainrule.data.streaming import is_streamed, sample_rows
from chainrule.errors import ChainruleError, NotFiniteError, OptionError
from chainrule.formatting import count_of
from chainrule.models.conv_network import multiplications, walk
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.optimizer import Optimizer
from chainrule.optim.transforms import layerwise
from chainrule.runs.prepare import Data, Prepared, patience_of, prepare_network
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.run import Run, load_run_data
from chainrule.search.objective import outcome_of
from chainrule.search.trials import FAILED, INTERRUPTED, Outcome
from chainrule.strategy.goal import Goal, goal_for
from chainrule.strategy.threshold import gain_at_best_thresholds, with_best_threshold
from chainrule.strategy.transfer_layers import (
    RATE,
    Network,
    activations,
    cut,
    depth,
    distance,
    parameters_of_last,
    rates,
)
from chainrule.strategy.uncertainty import DEVIATIONS_95, Gain
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.outputs import network_outputs
from chainrule.types import Params

PER_EXAMPLE = 100
MOST_TRIAL_ROWS = 2000
OPERATIONS = 2e12
"""The maximum number of operations of a trial; more would take minutes on a small machine."""

NOTHING, RAW = "from nothing", "raw inputs"


class Trial(NamedTuple):
    """A trial: its outcome, and the outputs Z (m, n_L) of its network on the dev set."""

    outcome: Outcome
    Z: np.ndarray | None = None


@dataclass(frozen=True)
class Comparison:
    """The trials, and the examples of the dev set on which they are compared by the goal."""

    trials: dict[str, Trial]
    goal: Goal
    preprocessor: Preprocessor
    dev: Examples

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """The outcome of each trial."""
        return {name: one.outcome for name, one in self.trials.items()}

    @property
    def outputs(self) -> dict[str, np.ndarray]:
        """The outputs of each trial that did not fail."""
        return {name: one.Z for name, one in self.trials.items() if one.Z is not None}

    def scores(self) -> dict[str, dict[str, float]]:
        """Return the dev cost and the goal's metric of each trial that did not fail."""
        return {name: self._scores(name, Z) for name, Z in self.outputs.items()}

    def gain(self, new: str, old: str) -> Gain:
        """Return how much better one trial is than another, and the standard error."""
        Z = self.outputs
        return gain_at_best_thresholds(self.goal, self.preprocessor, Z[new], Z[old], self.dev)

    def worse_choices(self) -> frozenset[str]:
        """Return the choices of layers that are significantly worse than another choice."""
        names = [name for name in self.outputs if name not in (NOTHING, RAW)]
        return frozenset(
            name for name in names if any(is_better(self.gain(one, name)) for one in names)
        )

    def _scores(self, name: str, Z: np.ndarray) -> dict[str, float]:
        Y, weights = self.dev.Y, self.dev.weights
        preprocessor = with_best_threshold(self.goal, self.preprocessor, Z, Y, weights)
        metric = self.goal.metric
        value = self.goal.scores(preprocessor, Z, Y, weights).get(metric, nan)
        return {"cost": self.trials[name].outcome.dev_cost, metric: value}


def is_better(gain: Gain) -> bool:
    """Return whether a gain exceeds its 95 % confidence interval."""
    return gain.gain > DEVIATIONS_95 * gain.standard_error


@dataclass(frozen=True)
class FineTuned(Prepared):
    """A prepared training run in which each array has its own learning rate."""

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
    """Return how many of the L layers are trained, from "last", "all" or a number such as "2"."""
    words = {"last": 1, "all": L}
    k = words.get(retrain) or (int(retrain) if retrain.isdecimal() else 0)
    if not 1 <= k <= L:
        hint = "last for few examples, all for many" + (", or leaving it out" if L > 1 else "")
        expected = f"last, all, or a number of layers from 1 to {L}"
        raise OptionError("--retrain", expected, repr(retrain), hint)
    return k


def name_of(k: int, L: int) -> str:
    """Return the name of the choice to train k of L layers."""
    return {1: "last", L: "all"}.get(k, str(k)) if L > 1 else "all"


def by_size(network: Network, m: int) -> int:
    """Return how many layers to train (1, 2 or all) by rule of thumb with m examples."""
    allowed = [k for k in choices(network) if parameters_of_last(network, k) <= PER_EXAMPLE * m]
    return max(allowed, default=1)


def choices(network: Network) -> list[int]:
    """Return the numbers of layers to try: 1, 2 and all, without duplicates."""
    L = depth(network)
    return sorted({1, min(2, L), L})


def trials(whole: Prepared, ks: Sequence[int]) -> Comparison | None:
    """Evaluate each choice and the two baselines on the dev set.

    Returns None without a dev set, or if the trials would take too long.
    """
    if "dev" not in whole.parts:
        return None
    few = sample(whole)
    if operations(few) > OPERATIONS:
        return None
    goal = goal_for(whole.recipe.goal, whole.preprocessor)
    return Comparison(dict(_trials(whole, few, ks)), goal, whole.preprocessor, few.parts["dev"])


def _trials(whole: Prepared, few: Prepared, ks: Sequence[int]) -> Iterator[tuple[str, Trial]]:
    network: Any = whole.network
    L = depth(network)
    for k in ks:
        yield name_of(k, L), _measured(training_of(replace(few, network=network), k))
    yield NOTHING, _measured(fine_tuned(few, 1.0))  # r = 1: same result, shared program
    plain = dict.fromkeys(("network", "layers", "width", "precision", "augment"))
    linear = replace(few.recipe, hidden=(), keep_prob=1.0, batch_norm=False, **plain)
    yield RAW, _measured(replace(few, network=prepare_network(linear, few.data).network))


def sample(whole: Prepared, rows: int = MOST_TRIAL_ROWS) -> Prepared:
    """Prepare a training run from scratch on at most `rows` examples, with early stopping."""
    names, seed = ("train", "dev"), whole.recipe.seed
    index = {name: _some(len(whole.parts[name].X), rows, seed) for name in names}
    sources = {name: whole.sources[name].rows(index[name]) for name in names}
    parts = {name: _rows(whole.parts[name], index[name]) for name in names}
    fresh = prepare_network(whole.recipe, Data(sources, parts, whole.preprocessor, {}))
    recipe = replace(whole.recipe, early_stopping=True)
    length = len(index["train"]), fresh.batch_size, fresh.epochs
    return replace(fresh, patience=patience_of(recipe, *length, has_dev=True))


def operations(prepared: Prepared) -> float:
    """Return the number of multiplications and additions that training all layers takes."""
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


def _measured(prepared: Prepared) -> Trial:
    try:
        fitted = fit(**prepared.fit_arguments())
    except NotFiniteError as error:
        return Trial(Outcome(FAILED, inf, why=str(error)))
    outcome = outcome_of(prepared, fitted.network, fitted.history)
    if outcome.state == INTERRUPTED:
        raise KeyboardInterrupt
    if outcome.state == FAILED:
        return Trial(outcome)
    return Trial(outcome, network_outputs(fitted.network, prepared.parts["dev"].X))


FAR = 1.0  # largest mean shift of the inputs, in standard deviations
SPREAD = 3.0  # largest ratio of the spreads
ENOUGH = 30  # examples of the dev set, fewer of which cannot show which network is better


@dataclass(frozen=True)
class Condition:
    """One of the three conditions of transfer learning.

    holds     whether it holds, None if that is not known
    words     the evidence in words; numbers: the evidence as numbers
    doubt     the warning that is issued if it does not hold
    """

    name: str
    holds: bool | None
    words: str
    doubt: str
    numbers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TransferReport:
    """The report of a transfer.

    base        the run whose layers are reused; base_data: the data on which it was trained
    retrain     "last", "all", or how many of the last layers are trained
    layers      the number of layers; trained: how many of them are trained
    parameters  the number of parameters of the trained layers, and of all
    examples    the number of new training examples
    rate        r: the learning rate of pretrained layers that are trained is r · α
    rule        the choice by rule of thumb
    why         the reason for the choice
    conditions  the three conditions of the course notes
    trials      for each trial its dev cost and metric
    """

    base: str
    base_data: str
    retrain: str
    layers: int
    trained: int
    parameters: tuple[int, int]
    examples: int
    rate: float
    rule: str
    why: str
    conditions: tuple[Condition, ...]
    trials: dict[str, dict[str, float]]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "TransferReport":
        """Rebuild a report from `to_dict`, also after a round trip through JSON."""
        conditions = tuple(Condition(**one) for one in saved["conditions"])
        first, last = saved["parameters"]
        return cls(**{**saved, "conditions": conditions, "parameters": (first, last)})

    def text(self) -> str:
        """Return the report as text for a terminal."""
        marks = {True: "yes", False: "no", None: "not known"}
        lines = [f"transfer from {self.base} ({self.base_data})", f"  {self._layers()}: {self.why}"]
        for number, one in enumerate(self.conditions, 1):
            lines.append(f"  {number}. {one.name}: {marks[one.holds]}; {one.words}")
        return "\n".join([*lines, *self._table()])

    def _layers(self) -> str:
        trained, total = self.parameters
        share = f"{trained:,} of {count_of(total, 'parameter')}"
        if self.trained == self.layers:
            slower = f"the pretrained ones at {self.rate:g} α"
            return f"all {self.layers} layers are trained, {slower} ({share})"
        one = self.trained == 1
        which = "the last layer is trained" if one else f"the last {self.trained} are trained"
        slower = "" if one else f", the pretrained ones at {self.rate:g} α"
        return f"{which}, {self.layers - self.trained} frozen{slower} ({share})"

    def _table(self) -> list[str]:
        if not self.trials:
            return []
        metric = next(name for name in next(iter(self.trials.values())) if name != "cost")
        lines = [f"  {'trials on dev':34} {'cost':>8} {metric:>9}"]
        for name, scores in self.trials.items():
            cost, value = scores["cost"], scores[metric]
            lines.append(f"    {title(name, self.layers):32} {cost:8.4f} {value:9.4f}")
        return lines


def title(name: str, L: int) -> str:
    """Describe a trial in words."""
    titles = {"last": "the last layer", "all": f"all {L} layers", NOTHING: "from scratch"}
    return titles.get(name) or (f"a regression on the {RAW}" if name == RAW else f"the last {name}")


def same_input(mean_shift: float | None, spread: float | None, far: str = "") -> Condition:
    """Check the first condition: how much the new inputs differ from those of the base."""
    name, doubt = "the same kind of input", "its inputs differ strongly from those of the new task"
    if mean_shift is None or spread is None:
        words = "the base's data is not available, so its inputs cannot be compared"
        return Condition(name, None, words, doubt)
    near = mean_shift <= FAR and 1 / SPREAD <= spread <= SPREAD
    words = (
        f"the means differ by {mean_shift:.2g} of the base's standard deviations, "
        f"the spread is {spread:.2g} times the base's{far}"
    )
    return Condition(name, near, words, doubt, {"shift": mean_shift, "spread": spread})


def more_data(old: int | None, new: int) -> Condition:
    """Check the second condition: whether the base was trained on more examples."""
    name = "more data for the base task"
    doubt = "it was trained on fewer examples than the new task has"
    if old is None:
        words = "it is not known on how many examples the weights were trained"
        return Condition(name, None, words, doubt)
    words = f"{count_of(old, 'example')} for the base, {new:,} here"
    return Condition(name, old > new, words, doubt, {"old": float(old), "new": float(new)})


def useful_features(compared: Comparison | None, chosen: str, L: int) -> Condition:
    """Check the third condition: whether the base beats training from scratch and raw inputs.

    It holds if the goal's metric on the dev set is significantly better than that of both, and does
    not hold if it is significantly worse than that of one of them.
    """
    name, baselines = "its low-level features help", (NOTHING, RAW)
    doubt = "the predictions on the dev set are better without it"
    if compared is None or not {chosen, *baselines} <= compared.outputs.keys():
        words = "not tested: there is no dev set, or it would take too long"
        return Condition(name, None, words, doubt)
    metric, m = compared.goal.metric, len(compared.dev.X)
    values = {which: scores[metric] for which, scores in compared.scores().items()}
    words = (
        f"dev {metric} {values[chosen]:.3g} after training {title(chosen, L)}, "
        f"{values[NOTHING]:.3g} {title(NOTHING, L)}, {values[RAW]:.3g} for {title(RAW, L)}"
    )
    if m < ENOUGH:
        words = f"{words}: too few examples to tell ({m})"
        return Condition(name, None, words, doubt, values)
    if any(is_better(compared.gain(other, chosen)) for other in baselines):
        return Condition(name, False, words, doubt, values)
    if all(is_better(compared.gain(chosen, other)) for other in baselines):
        return Condition(name, True, words, doubt, values)
    words = f"{words}: too close to tell on {m:,} examples"
    return Condition(name, None, words, doubt, values)


ROWS = 2000
"""The number of the base's rows with which the inputs are compared."""


def best_choice(
    outcomes: Mapping[str, Outcome], network: Any, m: int, worse: Container[str] = ()
) -> int:
    """Return how many layers to train: by the lowest dev cost, or without trials by rule of thumb.

    Choices that are significantly `worse` by the metric of the goal are left out. After trials on a
    sample of the examples, the rule of thumb may add layers, since more examples allow more layers.
    """
    L, rule = depth(network), by_size(network, m)
    costs = {
        k: outcomes[name].dev_cost
        for k in choices(network)
        if (name := name_of(k, L)) in outcomes and name not in worse
    }
    if not costs:
        return rule
    best = min(costs, key=lambda k: costs[k])
    return best if m <= MOST_TRIAL_ROWS else max(best, rule)


def make_report(whole: Prepared, base: Run, k: int, compared: Comparison | None) -> TransferReport:
    """Build the report from the trials and a comparison of the inputs."""
    network: Any = whole.network
    L, m = depth(network), len(whole.parts["train"].X)
    name, rule = name_of(k, L), name_of(by_size(network, m), L)
    found = {} if compared is None else compared.scores()
    worse = frozenset() if compared is None else compared.worse_choices()
    shift, spread, far = input_shift(base, whole.parts["train"].X)
    old = base.facts.get("sizes", {}).get("train") or base.results.get("train", {}).get("m")
    return TransferReport(
        base=str(whole.recipe.base),
        base_data=str(base.facts.get("data", {}).get("name", "")),
        retrain=name,
        layers=L,
        trained=k,
        parameters=(parameters_of_last(network, k), parameters_of_last(network, L)),
        examples=m,
        rate=RATE,
        rule=rule,
        why=_why(name, rule, {k: v for k, v in found.items() if k not in worse}, m, L),
        conditions=(
            same_input(shift, spread, far),
            more_data(None if old is None else int(old), m),
            useful_features(compared, name, L),
        ),
        trials=found,
    )


def _why(name: str, rule: str, costs: dict[str, dict[str, float]], m: int, L: int) -> str:
    """Explain in words why these layers are trained."""
    by_choice = {
        which: scores["cost"] for which, scores in costs.items() if which not in (NOTHING, RAW)
    }
    thumb = f"by rule of thumb {count_of(m, 'example')} suffice to train {title(rule, L)}"
    if len(by_choice) > 1 and name == min(by_choice, key=lambda one: by_choice[one]):
        return f"the lowest dev cost of the trials; {thumb}"
    if name == rule:
        return f"{thumb} (at most {PER_EXAMPLE} parameters per example)"
    return f"as given; {thumb}"


def input_shift(base: Run, X: np.ndarray) -> tuple[float | None, float | None, str]:
    """Compare the new inputs with the base's: mean shift, ratio of deviations, the largest shift.

    The shift is in standard deviations of the base. A standardised table has mean 0 and deviation
    1 there; otherwise the base's data is read, if it is still available.
    """
    if base.preprocessor.inputs.kind == "standard" and base.preprocessor.columns is not None:
        old = {"mean": np.zeros(X.shape[1]), "deviation": np.ones(X.shape[1])}
    else:
        try:
            rows = load_run_data(base).parts["train"].X
        except (ChainruleError, OSError):
            return None, None, ""
        rows = sample_rows(rows[:: max(1, len(rows) // ROWS)])
        old = {"mean": rows.mean(axis=0), "deviation": rows.std(axis=0)}
    shift, spread = distance(old, sample_rows(X) if is_streamed(X) else X)
    farthest = int(shift.argmax())
    has_names = base.preprocessor.columns is not None
    name = base.preprocessor.input_names[farthest]
    largest = f"; the largest shift is {name!r} with {shift[farthest]:.2g}"
    return float(shift.mean()), spread, largest if has_names else ""


def rows_seen_by_base(base: Run, whole: Prepared) -> dict[str, int]:
    """Count the dev and test rows on which the base was trained; 0 if its data is not available."""
    try:
        with warnings.catch_warnings(action="ignore"):  # already shown when the base was trained
            old = load_run_data(base).parts["train"].X
    except (ChainruleError, OSError):
        return {}
    held_out = {name: part.X for name, part in whole.parts.items() if name in ("dev", "test")}
    seen = {name: duplicates_across({"": old, name: X})["", name] for name, X in held_out.items()}
    return {name: n for name, n in seen.items() if n}
