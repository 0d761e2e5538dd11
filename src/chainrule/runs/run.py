"""A trained model with its preprocessor, which takes users' data and returns their labels.

Reload the data of a saved run and split it as it was split when the run was trained.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.load import is_absent
from chainrule.data.split import duplicates_across
from chainrule.errors import OptionError, RunError
from chainrule.layers.layer import Layer, count_parameters
from chainrule.runs.defaults import COSTS, METRICS
from chainrule.runs.prepare import Data, Prepared, examples, read_and_split
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.recipe import Recipe
from chainrule.runs.scores import scores
from chainrule.train.checkpoint import Checkpoints
from chainrule.train.examples import Examples
from chainrule.train.fit import Fit, fit
from chainrule.train.history import History
from chainrule.train.outputs import network_outputs, score


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
    preprocessor: Preprocessor
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
        return self.preprocessor.answers(network_outputs(self.network, self.preprocessor.rows(X)))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class (m, C), in the order of `classes`."""
        if self.preprocessor.labels.task == "regression":
            raise OptionError(
                "predict_proba", "a classification network", "one for regression", "predict"
            )
        return self.preprocessor.probabilities(
            network_outputs(self.network, self.preprocessor.rows(X))
        )

    @property
    def classes(self) -> tuple:
        """The classes, as they were written."""
        return self.preprocessor.labels.classes

    def evaluate(self, X: Any, y: Any, weights: np.ndarray | None = None) -> dict[str, float]:
        """Return m, cost, accuracy or r2, and further scores on labelled rows."""
        part = Examples(
            self.preprocessor.rows(X), self.preprocessor.targets(np.asarray(y)), weights
        )
        return evaluate(self.network, self.preprocessor, part)


def train_prepared(
    prepared: Prepared,
    on_progress: Callable | None = None,
    *,
    checkpoints: Checkpoints | None = None,
) -> Run:
    """Train what `prepare` returned, and evaluate every set.

    `on_progress`, which may return a change of α or λ, and `checkpoints` are as in `fit`.
    """
    preprocessor, parts = prepared.preprocessor, prepared.parts
    changing = on_progress is not None
    fitted = fit_prepared(
        prepared, on_progress, changing=changing, checkpoints=checkpoints, signals=True
    )
    results = {name: evaluate(fitted.network, preprocessor, part) for name, part in parts.items()}
    source = prepared.sources["train"]
    facts = {
        "data": {"name": source.name, "digest": source.digest},
        "digests": prepared.digests,
        "sizes": {name: len(part) for name, part in prepared.sources.items()},
        "duplicates": [[*pair, n] for pair, n in prepared.duplicates.items() if n],
        "batch_size": prepared.batch_size,
    }
    return Run(fitted.network, preprocessor, prepared.recipe, fitted.history, results, facts)


def fit_prepared(
    prepared: Prepared,
    on_progress: Callable | None = None,
    *,
    changing: bool = False,
    checkpoints: Checkpoints | None = None,
    signals: bool = False,
) -> Fit:
    """Call `fit` with what `prepare` returned; with `changing` λ can be raised during training."""
    preprocessor, parts = prepared.preprocessor, prepared.parts
    return fit(
        prepared.network,
        prepared.optimizer,
        COSTS[preprocessor.cost],
        parts["train"],
        parts.get("dev"),
        epochs=prepared.epochs,
        batch_size=prepared.batch_size,
        metric=METRICS[preprocessor.metric],
        patience=prepared.patience,
        penalty=prepared.penalty(always=changing),
        seed=prepared.recipe.seed,
        on_progress=on_progress,
        checkpoints=checkpoints,
        signals=signals,
    )


def evaluate(network: Layer, preprocessor: Preprocessor, part: Examples) -> dict[str, float]:
    """Return m, cost, accuracy or r2, and further scores of a set."""
    Z = network_outputs(network, part.X)
    J, _ = score(Z, part.Y, part.weights, COSTS[preprocessor.cost], METRICS[preprocessor.metric])
    return {"m": len(Z), "cost": J, **scores(preprocessor, Z, part.Y, part.weights)}


def reevaluate(run: Run, parts: Mapping[str, Examples]) -> Run:
    """Return the run with new results of these sets, after its threshold was changed."""
    results = {name: evaluate(run.network, run.preprocessor, part) for name, part in parts.items()}
    return replace(run, results=results)


def at(run: Run, path: Path) -> Run:
    """Return the run with the path of its folder."""
    return replace(run, path=path)


def load_run_data(run: Run) -> Data:
    """Return the run's training, dev and test sets, raw and preprocessed as in training.

    Raises RunError if the data is missing or has changed since the run was trained.
    """
    _check_there(run)
    sources, _ = read_and_split(run.recipe)
    digests = {name: part.digest for name, part in sources.items()}
    if digests != run.facts["digests"]:
        changed = [name for name in digests if digests[name] != run.facts["digests"].get(name)]
        names = ", ".join(f"{name} ({sources[name].name})" for name in changed)
        got = f"different data in {names}" if names else "fewer sets"
        expected = f"the data that {run.path or 'the run'} was trained on"
        raise RunError("the data", expected, got, "the original file, or train a new run")
    parts = {name: examples(run.preprocessor, part) for name, part in sources.items()}
    duplicates = duplicates_across({name: part.X for name, part in sources.items()})
    return Data(sources, parts, run.preprocessor, duplicates)


def _check_there(run: Run) -> None:
    """Refuse files that were moved or deleted, before a similar name is resolved instead."""
    recipe = run.recipe
    for name in (recipe.source, recipe.dev, recipe.test, recipe.extra):
        if name not in (None, "none") and is_absent(name):
            hint = "restoring the file"
            if not Path(name).is_absolute():
                hint += ", or running from the folder in which the run was trained"
            expected = f"{name}, on which the run was trained"
            raise RunError(f"the data of {run.path or 'the run'}", expected, "no such file", hint)
