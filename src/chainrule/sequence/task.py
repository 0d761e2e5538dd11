"""The common part of generation and translation: from a recipe to a saved model.

SequenceJob            a recipe and its texts, read and split: `train` trains and saves the model
SequenceModel          a trained model, how it was made, and its results
SequenceTask           what differs between the tasks; each `sequence/*/task.py` has one
train_sequence_model   train and save a model, from Python
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypedDict, cast

from chainrule.data.batches import steps_per_epoch
from chainrule.host.reading import convert
from chainrule.inspection.report.html import Html
from chainrule.layers.layer import Layer, count_parameters, named_arrays
from chainrule.optim.optimizer import Optimizer
from chainrule.runs.defaults import OptimizerSettings
from chainrule.runs.folder import task_of
from chainrule.runs.job import ProgressCallback, close, fit_options
from chainrule.runs.networks import network_settings
from chainrule.runs.run import SavedContents
from chainrule.runs.task import Results, TaskJob, check_results, train_task
from chainrule.runs.unfinished import Unfinished
from chainrule.sequence.recipe import SequenceRecipe
from chainrule.train.changes import Change
from chainrule.train.checkpoint import EVERY
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.history import History


class Tokenizer(Protocol):
    """An object that converts texts to ids and back, and is saved with its run."""

    @property
    def description(self) -> str:
        """How the network reads a text, such as "texts as sequences of 65 characters"."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        ...


@dataclass(frozen=True, eq=False)
class SequenceModel(ABC):
    """A trained model of `chainrule generate` or `translate`.

    network     the trained network, from ids to the Z of every step
    tokenizer   converts texts to ids and back
    recipe      the settings with which it was trained
    history     the record of each epoch
    results     for each set: m, and its scores
    facts       facts about the data, the versions and the machine
    path        the folder in which it was saved or from which it was loaded
    """

    network: Any  # a Layer
    tokenizer: Any
    recipe: Any
    history: History
    results: Results
    facts: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    names: ClassVar[tuple[str, ...]] = ()
    """The names of the classes of which there are scores: none."""

    @property
    def kind(self) -> str:
        """The command that trained this model."""
        return self.recipe.kind

    @property
    def task(self) -> "SequenceTask":
        """The task of this model."""
        return task_of(self.kind)

    @property
    def parameters(self) -> int:
        """The number of trained parameters."""
        return count_parameters(self.network)

    @property
    @abstractmethod
    def input_row(self) -> Any:
        """The form of one row of the network's input, a `SequenceRow` or an `InputsRow`."""

    @abstractmethod
    def predict(self, X: Any) -> Any:
        """Return what the model makes of texts X."""

    @abstractmethod
    def evaluate(self, X: Any, y: Any = None) -> dict[str, Any]:
        """Return m and the scores on texts X, and on their translations y if the task has any."""

    def read(self, source: str, *, split: str = "test") -> Any:
        """Read texts in the form of the training data, for `task.evaluate`.

        Raises DataError if they do not fit.
        """
        return self.task.read(self, source, split)

    @classmethod
    def restore(cls, contents: SavedContents) -> Self:
        """Return the model with what its folder contains."""
        saved, network, _, history, path = contents
        convert(saved, SavedEntries, "the run")
        task: SequenceTask = task_of(saved["kind"])
        tokenizer = task.tokenizer(saved["tokenizer"])
        task.check_network(network, tokenizer)
        recipe = task.recipe.from_saved(saved["recipe"])
        check_results(task, saved["results"], 0)
        return cls(network, tokenizer, recipe, history, saved["results"], saved["facts"], path)

    def settings(self) -> dict[str, Any]:
        """Return the entries of recipe.json that only a model on texts has."""
        return {"model": network_settings(self.network), "tokenizer": self.tokenizer.to_dict()}

    def arrays(self) -> dict[str, Any]:
        """Return the parameters, the content of weights.safetensors."""
        return named_arrays(self.network)


class SavedEntries(TypedDict):
    """The entries of recipe.json that only a model on texts has."""

    tokenizer: dict[str, Any]
    results: dict[str, dict[str, float | None]]


@dataclass(frozen=True, eq=False)
class SequenceJob(TaskJob):
    """A training run whose texts have been read: its sets, and the tokenizer made from them."""

    tokenizer: Any

    @property
    def epochs(self) -> int:
        """The number of epochs of the training."""
        return self.task.training(self)["epochs"]

    def fit(
        self,
        unfinished: Unfinished | None = None,
        on_progress: ProgressCallback | None = None,
        *,
        every: float = EVERY,
        change: Change | None = None,
    ) -> SequenceModel:
        """Train, with checkpoints in the folder `unfinished` if there is one; evaluate every set.

        `change` is applied first, and then what `chainrule change` requests.
        """
        task: SequenceTask = self.task
        sets = {name: task.examples(self, name) for name in ("train", "dev") if name in self.parts}
        fitted = fit(
            task.network(self),
            train=sets["train"],
            dev=sets.get("dev"),
            **task.training(self),
            **fit_options(unfinished, on_progress, every=every, change=change),
        )
        if unfinished is not None:
            close(unfinished.folder, fitted.history)
        how = (fitted.network, self.tokenizer, self.recipe, fitted.history)
        model = task.trained(*how, {}, self.facts_of_data)
        parts = {**self.parts, "train": task.excerpt(self.parts["train"])}
        results = {name: task.evaluate(model, part) for name, part in parts.items()}
        return replace(model, results=results)


class SequenceTask(Protocol):
    """The interface of a task on texts: the steps in which the tasks differ."""

    title: str
    example: str
    """What the results count, such as "character"."""

    recipe: type[SequenceRecipe]
    trained: type[SequenceModel]

    main: str
    """The main score, a key of the results."""

    errors: ClassVar[tuple[str, ...]] = ()
    """The scores that are errors themselves: less is better."""

    best_is_known: ClassVar[bool] = True
    """Whether a perfect model has no error; a text has an entropy that is not known."""

    words: ClassVar[Mapping[str, str]]
    """The names of the scores."""

    captions: ClassVar[Mapping[str, str]] = {}
    """The captions of the plots in the report, by file name."""

    remedies: ClassVar[Mapping[str, tuple[str, ...]]]
    """What to try against "bias", "variance" and "overfitting to dev"."""

    def open(self, recipe: Any) -> SequenceJob:
        """Read the data; raises DataError or OptionError if it does not fit the recipe."""
        ...

    def tokenizer(self, saved: Mapping[str, Any]) -> Tokenizer:
        """Restore a tokenizer from what its `to_dict` returned; raises DataError."""
        ...

    def check_network(self, network: Layer, tokenizer: Any) -> None:
        """Refuse a saved network with another number of ids than the tokenizer."""
        ...

    def network(self, job: SequenceJob) -> Layer:
        """Return the initial network."""
        ...

    def examples(self, job: SequenceJob, name: str) -> Examples:
        """Return the examples of the set "train" or "dev", as the engine takes them."""
        ...

    def training(self, job: SequenceJob) -> dict[str, Any]:
        """Return the arguments of `fit` that the recipe decides: cost, optimizer, epochs, …"""
        ...

    def excerpt(self, part: Any) -> Any:
        """Return the part of the training set on which the model is evaluated, by default all."""
        return part

    def evaluate(self, model: Any, part: Any) -> dict[str, Any]:
        """Return m and the scores of the model on a set."""
        ...

    def sections(self, model: Any) -> dict[str, tuple[str, Html | None]]:
        """Return further sections of the report, by key: their titles and contents."""
        return {}

    def read(self, model: Any, source: str, split: str) -> Any:
        """Read a set in the form of the training data."""
        ...

    def describe_data(self, job: SequenceJob) -> str:
        """Return the sizes of the data and of its sets, as text."""
        ...

    def files(self, model: Any, job: SequenceJob) -> dict[str, bytes]:
        """Return the plots and the report, by file name."""
        ...


WARM_UP = 0.02
"""The share of the steps in which the learning rate rises to α."""


def adam_with_cosine(
    learning_rate: float, m: int, batch_size: int, epochs: int, *, clip_norm: float | None = None
) -> Optimizer:
    """Return Adam whose learning rate decays like a cosine over all steps of the training."""
    settings = OptimizerSettings(
        learning_rate=learning_rate, decay="cosine", warm_up=WARM_UP, clip_norm=clip_norm
    )
    return settings.make(steps_per_epoch(m, min(batch_size, m)), epochs)


def train_sequence_model(
    kind: str, source: str | os.PathLike, *, out: str | os.PathLike, **options: Any
) -> SequenceModel:
    """Train a model on a text file, and save it in the new folder `out`.

    `kind` is "generate" or "translate", and `options` are the options of that command, as in
    `GenerateRecipe` and `TranslateRecipe`. `resume(out)` continues the training after an
    interruption. Raises OptionError or DataError before anything is written or trained.
    """
    return cast(SequenceModel, train_task("sequence", kind, source, out, **options))
