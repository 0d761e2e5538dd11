"""A trained model with its preprocessor, which takes users' data and returns their labels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import OptionError
from chainrule.layers.layer import Layer, count_parameters
from chainrule.train.checkpoint import Checkpoints
from chainrule.train.defaults import COSTS, METRICS
from chainrule.train.door import Door
from chainrule.train.examples import Examples
from chainrule.train.fit import Fit, fit
from chainrule.train.history import History
from chainrule.train.outputs import network_outputs, score
from chainrule.train.prepare import Prepared
from chainrule.train.recipe import Recipe
from chainrule.train.scores import scores


@dataclass(frozen=True, eq=False)
class Run:
    """The result of a training.

    network   the trained network: columns in, Z[L] out
    door      the preprocessor, from users' rows to the network's columns and back
    recipe    the settings with which it was trained
    history   the record of each epoch
    results   for each set: m, cost, accuracy or r2, and further scores for the task
    facts     facts about the data, the split, the versions and the machine
    path      the folder in which it was saved or from which it was loaded
    """

    network: Layer
    door: Door
    recipe: Recipe
    history: History
    results: dict[str, dict[str, float]]
    facts: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @property
    def parameters(self) -> int:
        """The number of trained parameters."""
        return count_parameters(self.network)

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels, as they were written, or numbers for a table, an array or images."""
        return self.door.answers(network_outputs(self.network, self.door.rows(X)))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class (m, C), in the order of `classes`."""
        if self.door.labels.task == "regression":
            raise OptionError(
                "predict_proba", "a classification network", "one for regression", "predict"
            )
        return self.door.probabilities(network_outputs(self.network, self.door.rows(X)))

    @property
    def classes(self) -> tuple:
        """The classes, as they were written."""
        return self.door.labels.classes

    def evaluate(self, X: Any, y: Any, weights: np.ndarray | None = None) -> dict[str, float]:
        """Return m, cost, accuracy or r2, and further scores on labelled rows."""
        part = Examples(self.door.rows(X), self.door.targets(np.asarray(y)), weights)
        return evaluate(self.network, self.door, part)


def train_prepared(
    prepared: Prepared,
    watch: Callable | None = None,
    *,
    checkpoints: Checkpoints | None = None,
) -> Run:
    """Train what `prepare` returned, and evaluate every set.

    `watch`, which may return a change of α or λ, and `checkpoints` are as in `fit`.
    """
    door, parts = prepared.door, prepared.parts
    changing = watch is not None
    fitted = fit_prepared(prepared, watch, changing=changing, checkpoints=checkpoints, signals=True)
    results = {name: evaluate(fitted.network, door, part) for name, part in parts.items()}
    source = prepared.sources["train"]
    facts = {
        "data": {"name": source.name, "digest": source.digest},
        "digests": prepared.digests,
        "sizes": {name: len(part) for name, part in prepared.sources.items()},
        "duplicates": [[*pair, n] for pair, n in prepared.duplicates.items() if n],
        "batch_size": prepared.batch_size,
    }
    return Run(fitted.network, door, prepared.recipe, fitted.history, results, facts)


def fit_prepared(
    prepared: Prepared,
    watch: Callable | None = None,
    *,
    changing: bool = False,
    checkpoints: Checkpoints | None = None,
    signals: bool = False,
) -> Fit:
    """Call `fit` with what `prepare` returned; with `changing` λ can be raised during training."""
    door, parts = prepared.door, prepared.parts
    return fit(
        prepared.network,
        prepared.optimizer,
        COSTS[door.cost],
        parts["train"],
        parts.get("dev"),
        epochs=prepared.epochs,
        batch_size=prepared.batch_size,
        metric=METRICS[door.metric],
        patience=prepared.patience,
        penalty=prepared.penalty(always=changing),
        seed=prepared.recipe.seed,
        watch=watch,
        checkpoints=checkpoints,
        signals=signals,
    )


def evaluate(network: Layer, door: Door, part: Examples) -> dict[str, float]:
    """Return m, cost, accuracy or r2, and further scores of a set."""
    Z = network_outputs(network, part.X)
    J, _ = score(Z, part.Y, part.weights, COSTS[door.cost], METRICS[door.metric])
    return {"m": len(Z), "cost": J, **scores(door, Z, part.Y, part.weights)}


def remeasured(run: Run, parts: Mapping[str, Examples]) -> Run:
    """Return the run with new results of these sets, after its threshold was changed."""
    results = {name: evaluate(run.network, run.door, part) for name, part in parts.items()}
    return replace(run, results=results)


def at(run: Run, path: Path) -> Run:
    """Return the run with the path of its folder."""
    return replace(run, path=path)
