"""The common part of all tasks with a folder of their own: from their data to a saved model.

TaskJob      a recipe and its data, read and split: `train` trains and saves the model
train_task   train and save a model, from Python
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from chainrule.data.split import duplicate_notes, duplicates_across, report_split
from chainrule.errors import DataError, check_choice, or_warn
from chainrule.formatting import count_of
from chainrule.runs.folder import SavedRun, check_free, kinds_in, save, task_of
from chainrule.runs.job import ProgressCallback, begin
from chainrule.runs.unfinished import Unfinished
from chainrule.train.changes import Change
from chainrule.train.checkpoint import EVERY

Results = dict[str, dict[str, Any]]
"""For each set: m, the main score, further scores, and lists with one number per class."""


@dataclass(frozen=True, eq=False)
class TaskJob(ABC):
    """A training run whose data has been read: its recipe, and its sets by name.

    Each set has its examples `X`, whose rows are compared across the sets, and the `digest` of its
    source.
    """

    recipe: Any
    parts: Mapping[str, Any]

    @property
    def task(self) -> Any:
        """The task of the recipe."""
        return task_of(self.recipe.kind)

    @property
    def digests(self) -> dict[str, str]:
        """The sha256 of each set."""
        return {name: part.digest for name, part in self.parts.items()}

    @property
    def facts(self) -> dict[str, Any]:
        """Return nothing: the recipe is enough to resume the training."""
        return {}

    @cached_property
    def duplicates(self) -> dict[tuple[str, str], int]:
        """For each pair of sets, the number of examples of the second that are also in the first.

        Sets that are parts of one example, such as of a long text, have none in common.
        """
        return duplicates_across({name: part.X for name, part in self.parts.items()})

    @property
    def facts_of_data(self) -> dict[str, Any]:
        """The sha256 and the size of each set, and how many examples two sets share."""
        sizes = {name: len(part) for name, part in self.parts.items()}
        shared = [[*pair, n] for pair, n in self.duplicates.items() if n]
        return {"digests": self.digests, "sizes": sizes, "duplicates": shared}

    @property
    def description(self) -> str:
        """The sizes of the data and of its sets, and notes on examples that two sets share."""
        notes = [f"  {note}" for note in duplicate_notes(self.duplicates, self.task.example)]
        return "\n".join([self.task.describe_data(self), *notes])

    @property
    def result_set(self) -> str:
        """The name of the set whose results are reported."""
        return report_split(self.parts)

    @property
    @abstractmethod
    def epochs(self) -> int:
        """The number of epochs of the training."""

    @abstractmethod
    def fit(
        self,
        unfinished: Unfinished | None = None,
        on_progress: ProgressCallback | None = None,
        *,
        every: float = EVERY,
        change: Change | None = None,
    ) -> Any:
        """Train, with checkpoints in the folder `unfinished` if there is one; evaluate every set.

        `change` is applied first, and then what `chainrule change` requests.
        """

    def save(self, model: Any, unfinished: Unfinished) -> Any:
        """Save the model with its plots and its report, and delete the folder of the training."""
        files = or_warn("its plots and its report", lambda: self.task.files(model, self), {})
        return save(model, unfinished.run, files, unfinished=unfinished)

    def train(self, unfinished: Unfinished) -> Any:
        """Train with checkpoints, evaluate every set, and save the model."""
        return self.save(self.fit(unfinished), unfinished)


def train_task(
    package: str, kind: str, source: str | os.PathLike, out: str | os.PathLike, **options: Any
) -> SavedRun:
    """Train a model of a kind whose task is in `package`, and save it in the new folder `out`.

    Raises OptionError or DataError before anything is written or trained.
    """
    check_choice(f"the kind of {package} task", kind, kinds_in(package))
    task = task_of(kind)
    recipe = task.recipe.from_dict({"source": os.fspath(source), **options})
    check_free(Path(out))
    job = task.open(recipe)
    with begin(job, Path(out)) as unfinished:
        return job.train(unfinished)


def check_results(task: Any, results: Results, classes: int) -> None:
    """Refuse a list of scores without a score for each class, and scores that sets do not share."""
    for name in task.words:
        lists = [part for part in results.values() if isinstance(part.get(name), list)]
        for part in results.values() if lists else ():
            if not isinstance(part.get(name), list):
                expected = "one number, or one for each class, in the results of every set"
                raise DataError(f"the results, {name}", expected, "both")
        sizes = {
            len(v) if isinstance(v := part[name], list) else 0
            for part in results.values()
            if name in part
        }
        if sizes - {0} and sizes != {classes}:
            expected = f"{count_of(classes, 'number')}, one for each class"
            raise DataError(f"the results, {name}", expected, f"{max(sizes)}")
