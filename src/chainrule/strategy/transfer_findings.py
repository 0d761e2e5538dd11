"""What the numbers say of a transfer: which layers train, why, and whether it makes sense.

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
"""Of the base's data, looked at."""


def chosen(tried: dict[str, Outcome], network: Any, m: int) -> int:
    """How many layers train: where dev cost is lowest, or by the rule of thumb untried.

    What was tried on part of the examples says what these bear at least: all of them bear more.
    """
    L, rule = depth(network), by_size(network, m)
    costs = {k: tried[name_of(k, L)].dev_cost for k in choices(network) if name_of(k, L) in tried}
    if not costs:
        return rule
    best = min(costs, key=lambda k: costs[k])
    return best if m <= MOST_TRIED else max(best, rule)


def findings(whole: Prepared, base: Run, k: int, tried: dict[str, Outcome]) -> TransferReport:
    """All of it, from what was tried and from the inputs."""
    network: Any = whole.network
    L, m = depth(network), len(whole.parts["train"].X)
    name, rule = name_of(k, L), name_of(by_size(network, m), L)
    kept = ("cost", whole.door.metric)
    costs = {
        which: {score: one.scores["dev"][score] for score in kept}
        for which, one in tried.items()
        if one.scores
    }
    shift, spread, far = inputs_apart(base, whole.parts["train"].X)
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
    """In words, from the numbers alone."""
    tried = {
        which: scores["cost"] for which, scores in costs.items() if which not in (NOTHING, RAW)
    }
    thumb = f"by the rule of thumb {m:,} examples bear {title(rule, L)}"
    if len(tried) > 1 and name == min(tried, key=lambda one: tried[one]):
        return f"the lowest dev cost of what was tried; {thumb}"
    if name == rule:
        return f"{thumb}, {PER_EXAMPLE} parameters for an example at most"
    return f"as asked; {thumb}"


def inputs_apart(base: Run, X: np.ndarray) -> tuple[float | None, float | None, str]:
    """How far the new inputs lie from the base's, in its deviations, and how widely they spread.

    A standardised table has mean 0 and deviation 1 there; for all else the base's data is looked
    at, where it is still to be had.
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
    widest = int(shift.argmax())
    named = base.door.columns is not None
    far = f", farthest {base.door.names[widest]!r} with {shift[widest]:.2g}" if named else ""
    return float(shift.mean()), spread, far


def seen_before(base: Run, whole: Prepared) -> dict[str, int]:
    """How many rows of dev and test the base was trained on; nothing where its data is gone."""
    try:
        with warnings.catch_warnings(action="ignore"):  # they were said when the base was trained
            old = data_of(base).parts["train"].X
    except (ChainruleError, OSError):
        return {}
    judging = {name: part.X for name, part in whole.parts.items() if name in ("dev", "test")}
    seen = {name: duplicates_across({"": old, name: X})["", name] for name, X in judging.items()}
    return {name: n for name, n in seen.items() if n}
