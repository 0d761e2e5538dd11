"""Write the report of a transfer: which layers are trained, why, and whether it makes sense.

Notes: "Transfer learning" (course 3, week 2).
"""

import warnings
from typing import Any

import numpy as np

from chainrule.data.duplicates import duplicates_across
from chainrule.data.streamed import is_streamed, sampled
from chainrule.errors import ChainruleError
from chainrule.search.tried import Outcome
from chainrule.strategy.transfer_door import distance
from chainrule.strategy.transfer_layers import RATE, depth, parameters_of_last
from chainrule.strategy.transfer_report import (
    TransferReport,
    more_data,
    same_input,
    title,
    useful_features,
)
from chainrule.strategy.transfer_trials import (
    MOST_TRIED,
    NOTHING,
    PER_EXAMPLE,
    RAW,
    by_size,
    choices,
    name_of,
)
from chainrule.train.again import data_of
from chainrule.train.prepare import Prepared
from chainrule.train.run import Run

ROWS = 2000
"""The number of the base's rows with which the inputs are compared."""


def best_choice(outcomes: dict[str, Outcome], network: Any, m: int) -> int:
    """Return how many layers to train: by the lowest dev cost, or without trials by rule of thumb.

    After trials on a sample of the examples, the rule of thumb may add layers, since more examples
    allow more layers.
    """
    L, rule = depth(network), by_size(network, m)
    costs = {
        k: outcomes[name_of(k, L)].dev_cost for k in choices(network) if name_of(k, L) in outcomes
    }
    if not costs:
        return rule
    best = min(costs, key=lambda k: costs[k])
    return best if m <= MOST_TRIED else max(best, rule)


def make_report(whole: Prepared, base: Run, k: int, outcomes: dict[str, Outcome]) -> TransferReport:
    """Build the report from the outcomes of the trials and a comparison of the inputs."""
    network: Any = whole.network
    L, m = depth(network), len(whole.parts["train"].X)
    name, rule = name_of(k, L), name_of(by_size(network, m), L)
    reported = ("cost", whole.door.metric)
    costs = {
        which: {score: one.scores["dev"][score] for score in reported}
        for which, one in outcomes.items()
        if one.scores
    }
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
        why=_why(name, rule, costs, m, L),
        conditions=(
            same_input(shift, spread, far),
            more_data(None if old is None else int(old), m),
            useful_features(costs, name, L),
        ),
        trials=costs,
    )


def _why(name: str, rule: str, costs: dict[str, dict[str, float]], m: int, L: int) -> str:
    """Explain the choice of layers."""
    by_choice = {
        which: scores["cost"] for which, scores in costs.items() if which not in (NOTHING, RAW)
    }
    thumb = f"by rule of thumb {m:,} examples suffice to train {title(rule, L)}"
    if len(by_choice) > 1 and name == min(by_choice, key=lambda one: by_choice[one]):
        return f"the lowest dev cost of the trials; {thumb}"
    if name == rule:
        return f"{thumb} (at most {PER_EXAMPLE} parameters per example)"
    return f"as given; {thumb}"


def input_shift(base: Run, X: np.ndarray) -> tuple[float | None, float | None, str]:
    """Compare the new inputs with the base's: the mean shift, the ratio of spreads, the farthest.

    The shift is in standard deviations of the base. A standardised table has mean 0 and deviation
    1 there; otherwise the base's data is read, if it is still available.
    """
    if base.door.inputs.kind == "standard" and base.door.columns is not None:
        old = {"mean": np.zeros(X.shape[1]), "deviation": np.ones(X.shape[1])}
    else:
        try:
            rows = data_of(base).parts["train"].X
        except (ChainruleError, OSError):
            return None, None, ""
        rows = sampled(rows[:: max(1, len(rows) // ROWS)])
        old = {"mean": rows.mean(axis=0), "deviation": rows.std(axis=0)}
    shift, spread = distance(old, sampled(X) if is_streamed(X) else X)
    farthest = int(shift.argmax())
    has_names = base.door.columns is not None
    largest = f"; the largest shift is {base.door.names[farthest]!r} with {shift[farthest]:.2g}"
    return float(shift.mean()), spread, largest if has_names else ""


def rows_seen_by_base(base: Run, whole: Prepared) -> dict[str, int]:
    """Count the rows of dev and test on which the base was trained; none if its data is gone."""
    try:
        with warnings.catch_warnings(action="ignore"):  # already shown when the base was trained
            old = data_of(base).parts["train"].X
    except (ChainruleError, OSError):
        return {}
    held_out = {name: part.X for name, part in whole.parts.items() if name in ("dev", "test")}
    seen = {name: duplicates_across({"": old, name: X})["", name] for name, X in held_out.items()}
    return {name: n for name, n in seen.items() if n}
