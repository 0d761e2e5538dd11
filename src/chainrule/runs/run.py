"""A trained network with its preprocessor, which takes users' data and returns their labels.

Run             the result of `chainrule train`: it predicts and evaluates
Evaluation      the outputs of its network for a labelled set, and the scores computed from them
load_run_data   reload the data of a saved run, split as it was split when the run was trained
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.data.labels import one_hot_as_classes, with_known_labels
from chainrule.data.load import is_absent
from chainrule.data.split import duplicates_across
from chainrule.errors import DataError, OptionError, RunError
from chainrule.formatting import count_of
from chainrule.host.reading import Count, convert
from chainrule.layers.layer import Layer, count_parameters, named_arrays
from chainrule.models.ensemble import Ensemble
from chainrule.runs.defaults import COSTS, METRICS, calibrates
from chainrule.runs.metrics import members_calibration
from chainrule.runs.networks import network_settings
from chainrule.runs.prepare import Data, examples, naming_dataset, read_and_split, read_like
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.recipe import Recipe
from chainrule.runs.scores import per_class, scores
from chainrule.train.examples import Examples
from chainrule.train.history import History
from chainrule.train.members import MemberRows
from chainrule.train.outputs import (
    all_outputs,
    disagreement,
    member_outputs,
    network_outputs,
    score,
)
from chainrule.train.step import SequenceRow

PROBED = 5
"""The steps of the sequences on which a saved network is compared with the one in memory."""


class SavedContents(NamedTuple):
    """The contents of the folder of a run: recipe.json, the network, all arrays, the history."""

    saved: dict[str, Any]
    network: Any  # a Layer
    arrays: dict[str, np.ndarray]
    history: History
    path: Path


class Predictions(NamedTuple):
    """The predicted labels (m,), as they were written, or numbers, and p(class) (m, C) or None.

    disagreement   that of the members of an ensemble, (m,) or (m, k), or None
    """

    labels: np.ndarray
    probabilities: np.ndarray | None
    disagreement: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The outputs Z (m, n_L) of a network for a labelled set, and the scores computed from them."""

    preprocessor: Preprocessor
    Z: np.ndarray
    part: Examples

    @property
    def scores(self) -> dict[str, float]:
        """The number of examples m, the cost, accuracy or r2, and further scores for the task."""
        Y, weights = self.part.Y, self.part.weights
        cost, metric = COSTS[self.preprocessor.cost], METRICS[self.preprocessor.metric]
        J, _ = score(self.Z, Y, weights, cost, metric)
        return {"m": len(self.Z), "cost": J, **scores(self.preprocessor, self.Z, Y, weights)}

    @property
    def classes(self) -> dict[str, dict[str, float]]:
        """The number of examples, precision, recall and F1 of each class; empty for regression."""
        return per_class(self.preprocessor, self.Z, self.part.Y, self.part.weights)


@dataclass(frozen=True, eq=False)
class Run:
    """The result of a training run.

    network        the trained network: columns in, Z[L] out
    preprocessor   converts users' rows to network inputs, and network outputs to labels
    recipe         the settings with which it was trained
    history        the record of each epoch
    results        for each set: m, cost, accuracy or r2, and further scores for the task
    facts          facts about the data, the split, the versions and the machine
    path           the folder in which it was saved or from which it was loaded
    """

    network: Layer
    preprocessor: Preprocessor
    recipe: Recipe
    history: History
    results: dict[str, dict[str, float]]
    facts: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @property
    def kind(self) -> str:
        """The command that trained this run."""
        return "train"

    @property
    def parameters(self) -> int:
        """The number of trained parameters."""
        return count_parameters(self.network)

    @property
    def classes(self) -> tuple:
        """The classes, as they were written."""
        return self.preprocessor.labels.classes

    @property
    def input_row(self) -> Any:
        """The form of one row of the network's input: its shape, or that of a sequence."""
        if self.preprocessor.vocabulary is not None:
            return SequenceRow((PROBED,), np.dtype(np.int32))
        if self.preprocessor.takes_sequences:
            return SequenceRow((PROBED, self.preprocessor.n_x), np.dtype(np.float32))
        return (self.preprocessor.n_x,)

    def read(
        self,
        source: str,
        *,
        target: str | None = None,
        split: str = "test",
        labelled: bool = True,
        skip_unreadable: bool | None = None,
        strict: bool = False,
    ) -> Dataset:
        """Read a file, a folder or a built-in data set in the form of the training data.

        The columns have the same roles as in training, and images are resized. `split` is
        the set to take from a source that is already split. Raises DataError if it does not fit;
        with `strict`, also for a cell of a table that is not what its column holds.
        """
        rows = read_like(
            self.recipe,
            self.preprocessor.shape,
            source,
            target=target,
            part=split,
            texts=self.preprocessor.texts(self.recipe.target),
            labelled=labelled,
            skip_unreadable=skip_unreadable,
            white=self.preprocessor.white,
            step_names=self.preprocessor.step_names,
        )
        if strict or self.recipe.strict:
            with naming_dataset(rows):
                self.preprocessor.check_cells(rows.X)
        return one_hot_as_classes(rows) if self.classes else rows

    def predictions(self, X: Any) -> Predictions:
        """Return the labels, probabilities and disagreement for a table, an array or images."""
        Z, Z_k = all_outputs(self.network, self.preprocessor.rows(X))
        probabilities = self.preprocessor.probabilities(Z) if self.classes else None
        return Predictions(self.preprocessor.answers(Z), probabilities, self._disagreement(Z_k))

    def disagreement(self, X: Any) -> np.ndarray | None:
        """Return how much the members of an ensemble disagree about each row; None for one network.

        It is the standard deviation of their probabilities of the predicted class, or of their
        predictions: (m,), or (m, k) for several targets.
        """
        return self.disagreement_on(self.preprocessor.rows(X))

    def disagreement_on(self, rows: np.ndarray) -> np.ndarray | None:
        """Return the disagreement about rows that are already the inputs of the network."""
        if not isinstance(self.network, Ensemble):
            return None
        return self._disagreement(member_outputs(self.network, rows))

    def _disagreement(self, Z_k: np.ndarray) -> np.ndarray | None:
        if not isinstance(self.network, Ensemble):
            return None
        spread = disagreement(Z_k, self.preprocessor.cost, self.preprocessor.temperature)
        if not self.classes:
            spread = spread * self.preprocessor.outputs.scale
        return spread[:, 0] if spread.ndim == 2 and spread.shape[1] == 1 else spread

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels, as they were written, or numbers for a table, an array or images."""
        return self.preprocessor.answers(network_outputs(self.network, self.preprocessor.rows(X)))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class (m, C), in the order of `classes`."""
        if self.preprocessor.labels.task == "regression":
            raise OptionError(
                "predict_proba", "a classification network", "a regression network", "predict"
            )
        return self.preprocessor.probabilities(
            network_outputs(self.network, self.preprocessor.rows(X))
        )

    def evaluation(self, rows: Dataset) -> Evaluation:
        """Run the network once on a labelled set from `read`, for all scores and each class.

        Rows whose label did not occur in training are left out, with a warning.
        """
        rows = with_known_labels(rows, self.preprocessor.labels)
        return evaluation(self.network, self.preprocessor, examples(self.preprocessor, rows))

    def evaluate(self, X: Any, y: Any, weights: np.ndarray | None = None) -> dict[str, float]:
        """Return m, cost, accuracy or r2, and further scores on labelled rows."""
        targets = self.preprocessor.targets(np.asarray(y))
        part = Examples(self.preprocessor.rows(X), targets, weights)
        return evaluate(self.network, self.preprocessor, part)

    @classmethod
    def restore(cls, contents: SavedContents) -> "Run":
        """Return the run with what its folder contains."""
        saved, network, arrays, history, path = contents
        convert(saved, SavedEntries, "the run")
        convert(saved["results"], dict[str, dict[str, float | None]], "the results")
        preprocessor = Preprocessor.from_saved(saved["door"], arrays)
        _check_sizes(network, preprocessor)
        for part, found in saved["results"].items():
            if preprocessor.metric not in found:
                raise DataError(f"the results on {part}", f"the {preprocessor.metric}", "none")
        recipe = Recipe.from_saved(saved["recipe"])
        return cls(network, preprocessor, recipe, history, saved["results"], saved["facts"], path)

    def settings(self) -> dict[str, Any]:
        """Return the entries of recipe.json that only a run of `chainrule train` has."""
        return {"model": network_settings(self.network), "door": self.preprocessor.to_dict()}

    def arrays(self) -> dict[str, Any]:
        """Return the content of weights.safetensors: the parameters, and the scales of inputs."""
        return named_arrays(self.network) | self.preprocessor.arrays()


class SavedScores(TypedDict):
    """The results on a set that every message shows, beside the metric."""

    m: Count
    cost: float


SavedEntries = TypedDict(  # noqa: UP013 - the preprocessor has an earlier name in recipe.json
    "SavedEntries", {"door": dict[str, Any], "results": dict[str, SavedScores]}
)
"""The entries of recipe.json that only a run of `chainrule train` has."""


def _check_sizes(network: Any, preprocessor: Preprocessor) -> None:
    """Refuse a preprocessor that makes rows for another network, or has other classes."""
    settings = network_settings(network)
    if "sequence" in settings:
        sizes = (settings["n_x"], settings["n_L"])
    else:
        sizes = settings.get("sizes") or (int(np.prod(settings["shape"])), settings["n_L"])
    made = (preprocessor.n_x, preprocessor.n_L)
    if made != (sizes[0], sizes[-1]):
        expected = f"{count_of(sizes[0], 'input')} and {count_of(sizes[-1], 'output')}"
        got = f"{count_of(made[0], 'input')} and {count_of(made[1], 'output')}"
        raise DataError("the preprocessor", f"{expected}, as {network.title} has", got)


def evaluation(network: Layer, preprocessor: Preprocessor, part: Examples) -> Evaluation:
    """Run the network once on a set."""
    return Evaluation(preprocessor, network_outputs(network, part.X), part)


def evaluate(network: Layer, preprocessor: Preprocessor, part: Examples) -> dict[str, float]:
    """Return m, cost, accuracy or r2, and further scores of a set."""
    return evaluation(network, preprocessor, part).scores


def calibrated(run: Run, dev: Examples | None) -> Run:
    """Return the run with the temperature that calibrates its probabilities on the dev set.

    Runs of earlier versions, and runs without a dev set, keep their probabilities. The results are
    not updated: see `reevaluate`.
    """
    if dev is None or not run.classes or not calibrates(run.recipe.defaults):
        return run
    Z = network_outputs(run.network, dev.X)
    preprocessor, found = run.preprocessor.calibrated(Z, dev.Y, dev.weights)
    facts = run.facts | {"calibration": found and found._asdict()}
    return replace(run, preprocessor=preprocessor, facts=facts)


def calibrated_by_members(run: Run, part: Examples, rows: Sequence[MemberRows]) -> Run:
    """Return the run of an ensemble with the temperature learned on each member's held-out rows."""
    if not run.classes or not calibrates(run.recipe.defaults):
        return run
    held_out = [own.dev for own in rows if own.dev is not None]
    Z_k = member_outputs(run.network, part.X)
    found = members_calibration(Z_k, part.Y, part.weights, held_out, run.preprocessor.cost)
    preprocessor = replace(run.preprocessor, temperature=found.temperature if found else 1.0)
    facts = run.facts | {"calibration": found and found._asdict()}
    return replace(run, preprocessor=preprocessor, facts=facts)


def reevaluate(run: Run, parts: Mapping[str, Examples]) -> Run:
    """Evaluate the run on these sets, such as after a change of its threshold, and return it."""
    results = {name: evaluate(run.network, run.preprocessor, part) for name, part in parts.items()}
    return replace(run, results=results)


def load_run_data(run: Run) -> Data:
    """Return the run's training, dev and test sets, raw and preprocessed as in training.

    Raises RunError if the data is missing or has changed since the run was trained.
    """
    _check_there(run)
    sources, _ = read_and_split(replace(run.recipe, task=run.preprocessor.labels.task))
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
    """Raise an error that names a missing file, so that no file of a similar name is read."""
    recipe = run.recipe
    for name in (recipe.source, recipe.dev, recipe.test, recipe.extra):
        if name not in (None, "none") and is_absent(name):
            hint = "restoring the file"
            if not Path(name).is_absolute():
                hint += ", or running from the folder in which the run was trained"
            expected = f"{name}, on which the run was trained"
            raise RunError(f"the data of {run.path or 'the run'}", expected, "no such file", hint)
