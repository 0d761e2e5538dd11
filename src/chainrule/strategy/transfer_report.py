"""What a transfer found: which layers train and why, and the notes' three conditions.

Notes: "Transfer learning" (course 3, week 2). It makes sense from task A to task B when

    1. both have the same kind of input
    2. there are more data for A than for B
    3. A's low-level features help with B
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from chainrule.strategy.transfer_trials import NOTHING, RAW

FAR = 1.0  # deviations, the mean over the inputs
SPREAD = 3.0  # times as wide, or as narrow
CLOSE = 0.1  # of a dev cost, which nobody can tell apart


@dataclass(frozen=True)
class Condition:
    """One of the three: whether it holds (None: nobody can tell), in words, in numbers.

    `doubt` is what is warned of where it does not hold.
    """

    name: str
    holds: bool | None
    words: str
    doubt: str
    numbers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TransferReport:
    """What a transfer found.

    base        the run, and the data that it was trained on
    retrain     "last", "all", or how many of the last layers train
    layers, trained    how many layers there are, and how many train
    parameters  of the trained layers, and of all
    examples    of the new training part
    rate        r: the learning rate of old layers that train is r · α
    rule        what the rule of thumb says
    conditions  the notes' three
    trials      per choice: its dev cost and metric
    why         this choice
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
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "TransferReport":
        """What `to_dict` gave, also after JSON."""
        conditions = tuple(Condition(**one) for one in saved["conditions"])
        first, last = saved["parameters"]
        return cls(**{**saved, "conditions": conditions, "parameters": (first, last)})

    def text(self) -> str:
        """For a terminal."""
        marks = {True: "yes", False: "no", None: "not known"}
        lines = [f"transfer from {self.base} ({self.base_data})", f"  {self._layers()}: {self.why}"]
        for number, one in enumerate(self.conditions, 1):
            lines.append(f"  {number}. {one.name}: {marks[one.holds]}; {one.words}")
        return "\n".join([*lines, *self._table()])

    def _layers(self) -> str:
        trained, total = self.parameters
        share = f"{trained:,} of {total:,} parameters"
        if self.trained == self.layers:
            return f"all {self.layers} layers train, the old ones at {self.rate:g} α ({share})"
        which = "the last layer trains" if self.trained == 1 else f"the last {self.trained} train"
        slower = "" if self.trained == 1 else f", the old ones at {self.rate:g} α"
        return f"{which}, {self.layers - self.trained} frozen{slower} ({share})"

    def _table(self) -> list[str]:
        if not self.trials:
            return []
        metric = next(name for name in next(iter(self.trials.values())) if name != "cost")
        lines = [f"  {'tried on dev':34} {'cost':>8} {metric:>9}"]
        for name, scores in self.trials.items():
            cost, value = scores["cost"], scores[metric]
            lines.append(f"    {title(name, self.layers):32} {cost:8.4f} {value:9.4f}")
        return lines


def title(name: str, L: int) -> str:
    """A choice in words."""
    words = {"last": "the last layer", "all": f"all {L} layers", NOTHING: NOTHING}
    return words.get(name) or (f"a regression on the {RAW}" if name == RAW else f"the last {name}")


def same_input(mean_shift: float | None, spread: float | None, far: str = "") -> Condition:
    """The first condition: how far the new inputs lie from those of the base."""
    name, doubt = "the same kind of input", "its inputs lie far from those of the new task"
    if mean_shift is None or spread is None:
        words = "the base's data is gone, so its inputs cannot be compared"
        return Condition(name, None, words, doubt)
    near = mean_shift <= FAR and 1 / SPREAD <= spread <= SPREAD
    words = (
        f"the means lie {mean_shift:.2g} of the base's deviations off, "
        f"the spread is {spread:.2g} times the base's{far}"
    )
    return Condition(name, near, words, doubt, {"shift": mean_shift, "spread": spread})


def more_data(old: int | None, new: int) -> Condition:
    """The second condition."""
    name, doubt = "more data behind the old task", "it has seen fewer examples than there are here"
    if old is None:
        return Condition(name, None, "how many examples are behind the weights is not said", doubt)
    words = f"{old:,} examples behind the base, {new:,} here"
    return Condition(name, old > new, words, doubt, {"old": float(old), "new": float(new)})


def useful_features(trials: dict[str, dict[str, float]], chosen: str, L: int) -> Condition:
    """The third: what was learned before against nothing and against the raw inputs, on dev."""
    name, doubt = "its low features help", "without it dev cost is lower"
    if not {chosen, NOTHING, RAW} <= trials.keys():
        words = "not tried: there is no dev part, or it would take too long"
        return Condition(name, None, words, doubt)
    costs = {which: scores["cost"] for which, scores in trials.items()}
    words = (
        f"dev cost {costs[chosen]:.3g} where {title(chosen, L)} trained, "
        f"{costs[NOTHING]:.3g} {NOTHING}, {costs[RAW]:.3g} of a regression on the {RAW}"
    )
    here, without = costs[chosen], min(costs[RAW], costs[NOTHING])
    if abs(here - without) <= CLOSE * without:
        return Condition(name, None, f"{words}: too close to tell", doubt, costs)
    return Condition(name, here < without, words, doubt, costs)
