"""The common part of detection, segmentation and verification: from a recipe to a saved model.

VisionJob            a recipe and its data, read and split: `train` trains and saves the model
VisionModel          a trained model, how it was made, and its results
VisionTask           what differs between the three tasks; each `vision/*/task.py` has one
train_vision_model   train and save a model, from Python
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypedDict, cast, get_type_hints

import numpy as np

from chainrule.data.decoding import FULL
from chainrule.errors import DataError
from chainrule.formatting import count_of
from chainrule.host.reading import convert
from chainrule.inspection.report.html import Html
from chainrule.layers.layer import count_parameters, named_arrays
from chainrule.models.conv_network import ConvNetwork
from chainrule.runs.folder import task_of
from chainrule.runs.job import ProgressCallback, close, fit_options
from chainrule.runs.networks import network_settings
from chainrule.runs.options import check_parameters
from chainrule.runs.run import SavedContents
from chainrule.runs.task import Results, TaskJob, check_results, train_task
from chainrule.runs.unfinished import Unfinished
from chainrule.train.changes import Change
from chainrule.train.checkpoint import EVERY
from chainrule.train.history import History
from chainrule.vision.estimator import Fitted
from chainrule.vision.recipe import VisionRecipe, current_names


@dataclass(frozen=True, eq=False)
class VisionModel:
    """A trained model of `chainrule detect`, `segment` or `verify`.

    kind      "detect", "segment" or "verify"
    model     the fitted estimator: a `Detector`, a `Segmenter` or a `Verifier`
    names     the names of the classes
    recipe    the settings with which it was trained
    results   for each set: m, and its scores
    facts     facts about the data, the versions and the machine
    path      the folder in which it was saved or from which it was loaded
    """

    kind: str
    model: Any
    names: tuple[str, ...]
    recipe: VisionRecipe
    results: Results
    facts: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @property
    def task(self) -> "VisionTask":
        """The vision task of this model."""
        return task_of(self.kind)

    @property
    def network(self) -> ConvNetwork:
        """The trained network, which takes images (m, n_H, n_W, n_C)."""
        return self.model.network_

    @property
    def history(self) -> History:
        """The record of each epoch."""
        return self.model.history_

    @property
    def parameters(self) -> int:
        """The number of trained parameters."""
        return count_parameters(self.network)

    @property
    def input_row(self) -> tuple[int, ...]:
        """The shape (n_H, n_W, n_C) of one image."""
        return self.network.shape

    def predict(self, X: Any) -> Any:
        """Return the objects, the masks (m, n_H, n_W) or the embeddings (m, n) of images X.

        X is (m, n_H, n_W[, n_C]), of the size that the network takes: pixels in the range of the
        training images in any type, or numbers from 0 to 1. Raises ShapeError for images of another
        size.
        """
        return self.task.predict(self.model, X)

    def evaluate(self, X: Any, y: Any) -> dict[str, Any]:
        """Return m and the scores on labelled images.

        X is as in `predict`; y holds the objects, the masks or the identities, as the estimator's
        `fit` takes them.
        """
        return self.task.evaluate(self.model, X, y)

    def read(
        self,
        source: str,
        *,
        split: str = "test",
        labels: str | None = None,
        skip_unreadable: bool = False,
    ) -> Any:
        """Read labelled images in the form of the training data, for `evaluate`.

        `labels` is the folder of the images (detection) or of the masks (segmentation) if they are
        not in their usual place. Raises DataError if they do not fit.
        """
        return self.task.read(self, source, ReadOptions(split, labels, skip_unreadable))

    @classmethod
    def restore(cls, contents: SavedContents) -> "VisionModel":
        """Return the model with what its folder contains."""
        saved, network, _, history, path = contents
        convert(saved, SavedEntries, "the run")
        task: VisionTask = task_of(saved["kind"])
        model = _restored_estimator(task, current_names(saved["options"]))
        model.network_, model.history_ = network, history
        convert(saved["fitted"], task.fitted, "the fitted model")
        for name in names_of(task.fitted) & saved["fitted"].keys():
            setattr(model, name, saved["fitted"][name])
        recipe, names = task.recipe.from_saved(saved["recipe"]), tuple(saved["names"])
        task.check_fitted(model, names)
        check_results(task, saved["results"], len(names))
        return cls(task.recipe.kind, model, names, recipe, saved["results"], saved["facts"], path)

    def settings(self) -> dict[str, Any]:
        """Return the entries of recipe.json that only a vision model has."""
        names = sorted(names_of(self.task.fitted))
        fitted = {name: _plain(getattr(self.model, name)) for name in names}
        return {
            "model": network_settings(self.network),
            "options": self.model.get_params(),
            "fitted": fitted,
            "names": list(self.names),
        }

    def arrays(self) -> dict[str, Any]:
        """Return the parameters, the content of weights.safetensors."""
        return named_arrays(self.network)


class SavedEntries(TypedDict):
    """The entries of recipe.json that only a vision model has."""

    options: dict[str, Any]
    fitted: dict[str, Any]
    names: list[str]
    results: dict[str, dict[str, float | list[float | None] | None]]


def names_of(fitted: type[Fitted]) -> set[str]:
    """Return the names of the attributes that are saved."""
    return {*get_type_hints(fitted)}


def _restored_estimator(task: "VisionTask", options: Mapping[str, Any]) -> Any:
    """Return the estimator with the parameters that were stored, after checking them."""
    known = signature(task.model).parameters
    for name in options.keys() - known.keys():
        raise DataError("the options", f"a parameter of {task.model.__name__}", repr(name))
    model = task.model(**options)
    check_parameters(model, task.recipe)
    return model


class ReadOptions(NamedTuple):
    """Options for reading a set of labelled images.

    split             the split to read, if there are several
    labels            the folder of the images (detection) or of the masks (segmentation), or None
    skip_unreadable   leave out images that cannot be read, instead of raising an error
    """

    split: str = "test"
    labels: str | None = None
    skip_unreadable: bool = False


class ImageSet(Protocol):
    """A set of images and their labels."""

    @property
    def digest(self) -> str: ...

    @property
    def white(self) -> int | None: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, eq=False)
class VisionJob(TaskJob):
    """A training run whose images have been read: its sets, and the names of the classes."""

    names: tuple[str, ...] = ()

    @property
    def epochs(self) -> int:
        """The number of epochs of the training."""
        return self.task.estimator(self).epochs_for(len(self.parts["train"]))

    def fit(
        self,
        unfinished: Unfinished | None = None,
        on_progress: ProgressCallback | None = None,
        *,
        every: float = EVERY,
        change: Change | None = None,
    ) -> VisionModel:
        """Train, with checkpoints in the folder `unfinished` if there is one; evaluate every set.

        `change` is applied first, and then what `chainrule change` requests.
        """
        task, model = self.task, self.task.estimator(self)
        model.white_ = self.parts["train"].white or FULL
        sets = [self.parts[name] for name in ("train", "dev") if name in self.parts]
        model.fit(
            *(array for one in sets for array in task.arrays(one)),
            **task.fit_options(self),
            **fit_options(unfinished, on_progress, every=every, change=change),
        )
        if unfinished is not None:
            close(unfinished.folder, model.history_)
        results = {
            name: task.evaluate(model, *task.arrays(part)) for name, part in self.parts.items()
        }
        facts = self.facts_of_data
        return VisionModel(self.recipe.kind, model, self.names, self.recipe, results, facts)


class VisionTask(Protocol):
    """The interface of a vision task: the steps in which the three tasks differ."""

    title: str
    example: str = "image"
    """What the results count: images."""

    recipe: type[VisionRecipe]
    trained: type[VisionModel] = VisionModel
    model: type
    """The estimator; its `epochs_for(m)` is the number of epochs that `fit` runs on m images."""

    fitted: type[Fitted]
    """The attributes of a fitted estimator that are saved beside its network, with their types."""

    main: str
    """The main score, a key of the results."""

    errors: ClassVar[tuple[str, ...]] = ()
    """The scores that are errors themselves."""

    best_is_known: ClassVar[bool] = True
    """Whether a perfect model has no error."""

    words: ClassVar[Mapping[str, str]]
    """The names of the scores; a score that is a list has a number for each class."""

    captions: ClassVar[Mapping[str, str]]
    """The captions of the plots in the report, by file name."""

    remedies: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "bias": (
            "a wider network: --width",
            "more epochs: --epochs",
            "larger images, if small details matter: --image-size",
        ),
        "variance": (
            "more images, above all of the kind that is predicted wrongly",
            "stronger augmentation: --augment",
            "a narrower network: --width",
        ),
        "overfitting to dev": ("more dev images, or fewer comparisons on them",),
    }
    """What to try against each of the gaps between the sets."""

    def open(self, recipe: Any) -> VisionJob:
        """Read the data; raises DataError or OptionError if it does not fit the recipe."""
        ...

    def estimator(self, job: VisionJob) -> Any:
        """Return the estimator with the options of the recipe, not fitted yet."""
        return self.model(**job.recipe.options)

    def fit_options(self, job: VisionJob) -> dict[str, Any]:
        """Return the additional arguments of the estimator's `fit`."""
        return {}

    def arrays(self, part: Any) -> tuple[Any, Any]:
        """Return the images and the labels of a set, as the estimator takes them."""
        return part.X, part.Y

    def check_fitted(self, model: Any, names: tuple[str, ...]) -> None:
        """Refuse a saved model whose attributes contradict its network or the class names."""
        n_L = model.network_.n_L
        if not len(names) == model.n_classes_ == n_L:
            expected = f"{count_of(n_L, 'class')}, as the network has"
            got = f"{model.n_classes_} and {count_of(len(names), 'name')}"
            raise DataError("the fitted model", expected, got)

    def predict(self, model: Any, X: Any) -> Any:
        """Return the estimator's predictions for images."""
        return model.predict(X)

    def evaluate(self, model: Any, X: Any, y: Any) -> dict[str, Any]:
        """Return m and the scores of the estimator on labelled images."""
        ...

    def read(self, model: VisionModel, source: str, how: ReadOptions) -> Any:
        """Read a set of labelled images in the form of the training data."""
        ...

    def sections(self, model: VisionModel) -> dict[str, tuple[str, Html | None]]:
        """Return further sections of the report, by key: their titles and contents."""
        return {}

    def describe_data(self, job: VisionJob) -> str:
        """Return the sizes of the data and of its sets, as text."""
        ...

    def files(self, model: VisionModel, job: VisionJob) -> dict[str, bytes]:
        """Return the plots and the report, by file name."""
        ...


def train_vision_model(
    kind: str, source: str | os.PathLike, *, out: str | os.PathLike, **options: Any
) -> VisionModel:
    """Train a model on a file or folder, and save it in the new folder `out`.

    `kind` is "detect", "segment" or "verify", and `options` are the options of that command, as in
    `DetectRecipe`, `SegmentRecipe` and `VerifyRecipe`. `resume(out)` continues the training after
    an interruption. Raises OptionError or DataError before anything is written or trained.
    """
    return cast(VisionModel, train_task("vision", kind, source, out, **options))


def _plain(value: Any) -> Any:
    """Convert NumPy values to plain data for JSON."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
