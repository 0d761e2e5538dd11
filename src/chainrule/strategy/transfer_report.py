"""The report of a transfer: which layers are trained and why, and the notes' three conditions.

Notes: "Transfer learning" (course 3, week 2). It makes sense from task A to task B when

    1. both have the same kind of input
    2. there are more data for A than for B
    3. A's low-level features help with B
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from chainrule.strategy.transfer_trials import NOTHING, RAW

FAR = 1.0  # largest mean shift of the inputs, in standard deviations
SPREAD = 3.0  # largest ratio of the spreads
CLOSE = 0.1  # dev costs that differ by a smaller share are too close to compare


@dataclass(frozen=True)
class Condition:
    """One of the three conditions of transfer learning.

    holds     whether it holds, None if that is not known
    words     the evidence in words; numbers: in numbers
    doubt     the warning where it does not hold
    """

    name: str
    holds: bool | None
    words: str
    doubt: str
    numbers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TransferReport:
    """The report of a transfer.

    base        the run; base_data: the data on which it was trained
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
        share = f"{trained:,} of {total:,} parameters"
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
    words = f"{old:,} examples for the base, {new:,} here"
    return Condition(name, old > new, words, doubt, {"old": float(old), "new": float(new)})


def useful_features(trials: dict[str, dict[str, float]], chosen: str, L: int) -> Condition:
    """Check the third condition: whether the base beats training from scratch and raw inputs."""
    name, doubt = "its low-level features help", "the dev cost is lower without it"
    if not {chosen, NOTHING, RAW} <= trials.keys():
        words = "not tested: there is no dev set, or it would take too long"
        return Condition(name, None, words, doubt)
    costs = {which: scores["cost"] for which, scores in trials.items()}
    words = (
        f"dev cost {costs[chosen]:.3g} after training {title(chosen, L)}, "
        f"{costs[NOTHING]:.3g} {title(NOTHING, L)}, {costs[RAW]:.3g} for {title(RAW, L)}"
    )
    here, without = costs[chosen], min(costs[RAW], costs[NOTHING])
    if abs(here - without) <= CLOSE * without:
        return Condition(name, None, f"{words}: too close to tell", doubt, costs)
    return Condition(name, here < without, words, doubt, costs)
