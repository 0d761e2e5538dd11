"""The task of `chainrule verify`: from images of people to an embedding that tells people apart.

    source    a folder with a folder of images for each identity, or one with train, dev and test;
              or a .npz file of X and identities; see `vision/verification/identities.py`

If there is no dev or test set, one fifth of the identities is set aside for each, so that the
scores are measured on people whom the network has not seen.
"""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Required

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.data.decoding import FULL
from chainrule.errors import DataError, DataWarning, OptionError
from chainrule.formatting import count_of
from chainrule.host.reading import AtLeast0
from chainrule.inspection.plots import cost_curve
from chainrule.inspection.report.task_report import report
from chainrule.runs.prepare import HELD_OUT, split_off
from chainrule.vision.estimator import Fitted
from chainrule.vision.parts import as_channels, check_once
from chainrule.vision.recipe import VerifyRecipe
from chainrule.vision.task import ReadOptions, VisionJob, VisionModel, VisionTask
from chainrule.vision.verification.identities import check_apart, read_identities
from chainrule.vision.verification.scores import (
    WAYS,
    draw_mistaken_pairs,
    mistakes_of,
    pairs_of,
    plot_roc,
    roc,
)
from chainrule.vision.verification.training import (
    IdentitySplit,
    distance_of,
    sample_identities,
    split_identities,
)
from chainrule.vision.verification.verifier import Verifier


class FittedVerifier(Fitted):
    """The attributes of a fitted `Verifier` that are saved."""

    threshold_: Required[AtLeast0]
    likeness_: Required[list[float] | None]
    identities_: Required[list[str | int | float | bool]]


class Verify(VisionTask):
    """The task of verification: see `VisionTask` in `vision/task.py`."""

    title = "verifier"
    recipe = VerifyRecipe
    model = Verifier
    fitted = FittedVerifier
    main = "equal_error_rate"
    errors = ("equal_error_rate",)
    words: ClassVar = {
        "equal_error_rate": "equal error rate",
        "auc": "area under ROC",
        "accuracy": "accuracy of pairs",
        **{f"one_shot_{k}": f"{k}-way one-shot" for k in WAYS},
    }
    captions: ClassVar = {
        "roc.png": "ROC curve: the share of pairs of one person that are accepted against the "
        "share of pairs of two people that are accepted, as the threshold rises. The point is at "
        "the threshold that was chosen, and the ring where both error rates are equal.",
        "pairs.png": "The worst mistakes: two people who are taken for one, and pairs of one "
        "person that are not recognised. For each two people the worst pair is shown.",
    }

    def check_fitted(self, model: Any, names: tuple[str, ...]) -> None:
        """Refuse a saved model whose attributes contradict its network."""
        learned, n = model.likeness_, model.network_.n_L
        if learned is not None and (len(learned) != n + 1 or not np.isfinite(learned).all()):
            expected = f"{n + 1} finite numbers of the pair classifier"
            raise DataError("the fitted model", expected, f"{len(learned)} numbers")

    def open(self, recipe: VerifyRecipe) -> VisionJob:
        """Read the images and their identities, and split them by identity."""
        how: dict[str, Any] = {"skip_unreadable": recipe.skip_unreadable}
        found = read_identities(recipe.source, image_size=recipe.image_size, **how)
        train = in_channels(replace(found, parts={}))
        parts = {"train": train, **found.parts}
        for part in HELD_OUT:
            given = getattr(recipe, part)
            check_once(recipe, part, parts)
            if given not in (None, "none"):
                like = {**how, **_size_for(given, train), "white": train.white or FULL}
                parts[part] = read_identities(given, part=part, **like)
            if part in parts:
                parts[part] = in_channels(replace(parts[part], parts={}), train.X.shape[1:])
        check_apart(recipe.source, parts)
        return VisionJob(recipe, split_people(recipe, parts))

    def arrays(self, part: Dataset) -> tuple[Any, Any]:
        """Return the images and their identities."""
        return part.X, part.y

    def predict(self, model: Verifier, X: Any) -> np.ndarray:
        """Return the embeddings (m, n) of the images, each of length one."""
        return model.embed(X)

    def evaluate(self, model: Verifier, X: Any, y: Any) -> dict[str, Any]:
        """Return m, the number of identities, and the error rates over all pairs of images."""
        found = model.scores(X, y)
        one_shot, ways = found.pop("one_shot", None), found.pop("ways", None)
        more = {} if ways is None else {f"one_shot_{ways}": one_shot}
        return {"m": len(X), "identities": count_identities(y), **found, **more}

    def read(self, model: VisionModel, source: str, how: ReadOptions) -> Dataset:
        """Read images of identities in the network's size; warn of those in the training set."""
        if how.labels is not None:
            hint = "leaving it out, since the folders give the names of the people"
            raise OptionError("--labels", "images of identities", how.labels, hint)
        shape, skip = model.network.shape, how.skip_unreadable
        size: dict[str, Any] = {} if source.lower().endswith(".npz") else {"image_size": shape[:2]}
        size |= {"white": model.model.white_}
        found = read_identities(source, part=how.split, skip_unreadable=skip, **size)
        known = np.asarray(model.model.identities_, str)
        both = np.intersect1d(np.asarray(found.y).astype(str), known)
        if len(both):
            message = (
                f"{source}: {len(both)} of {count_identities(found.y)} identities are in the "
                f"training set, such as {both[0]}; these are easier to tell apart"
            )
            warnings.warn(message, DataWarning, stacklevel=2)
        return in_channels(replace(found, parts={}), shape)

    def describe_data(self, job: VisionJob) -> str:
        """Return the sizes of the data and of its sets, as text."""
        size = "×".join(map(str, job.parts["train"].X.shape[1:]))
        lines = [f"{job.recipe.source}: images of {size}"]
        for name, part in job.parts.items():
            lines.append(
                f"  {name:5} {len(part):>6,} {'image' if len(part) == 1 else 'images'} of "
                f"{count_of(count_identities(part.y), 'identity')}"
            )
        return "\n".join(lines)

    def files(self, model: VisionModel, job: VisionJob) -> dict[str, bytes]:
        """Return the cost curve, the ROC curves of dev and test, the mistakes, and the report."""
        shown = {k: v for k, v in job.parts.items() if k in HELD_OUT} or dict(job.parts)
        drawn = plot_pairs(model.model, shown, job.result_set)
        plots = {"cost.png": cost_curve(model.history), **drawn}
        return {**plots, "report.html": report(model, plots)}


TASK = Verify()


def plot_pairs(model: Verifier, parts: Mapping[str, Dataset], inspected: str) -> dict[str, bytes]:
    """Return roc.png for these sets, and pairs.png for the inspected set if it has mistakes."""
    distance = distance_of(model.likeness_)
    some = {name: part.rows(sample_identities(np.asarray(part.y))) for name, part in parts.items()}
    E = {name: model.embed(part.X) for name, part in some.items()}
    curves = {
        name: roc(pairs_of(E[name], np.asarray(part.y), distance)) for name, part in some.items()
    }
    files = {"roc.png": plot_roc(curves, model.threshold_)}
    part = some[inspected]
    wrong = mistakes_of(E[inspected], np.asarray(part.y), model.threshold_, distance)
    if wrong.accepted or wrong.rejected:
        names = [str(name) for name in np.asarray(part.y)]
        files["pairs.png"] = draw_mistaken_pairs(wrong, part.X, names, inspected)
    return files


def count_identities(y: Any) -> int:
    """Return the number of different identities."""
    return len(np.unique(np.asarray(y)))


def in_channels(source: Dataset, shape: tuple[int, ...] | None = None) -> Dataset:
    """Return the set with its images (m, n_H, n_W, n_C) in memory, with the channels of `shape`.

    Raises DataError if the images have another size than `shape`.
    """
    X = np.asarray(source.X)
    X = X[..., None] if X.ndim == 3 else X
    if shape is None:
        return replace(source, X=X)
    if X.shape[1:3] != shape[:2]:
        expected, got = ("×".join(map(str, sides)) for sides in (shape[:2], X.shape[1:3]))
        hint = "arrays of that size"
        raise DataError(source.name, f"images of {expected}, as in training", got, hint)
    return replace(source, X=as_channels(X, shape[2]))


def _size_for(source: str, train: Dataset) -> dict[str, Any]:
    """Return the image size used in training, as an argument for reading image files."""
    return {} if source.lower().endswith(".npz") else {"image_size": train.X.shape[1:3]}


def split_people(recipe: VerifyRecipe, parts: dict[str, Dataset]) -> dict[str, Dataset]:
    """Split missing dev and test sets off by whole identities."""
    codes = np.unique(np.asarray(parts["train"].y), return_inverse=True)[1]

    def cut(*, dev: bool, test: bool) -> IdentitySplit:
        if not (dev or test):
            nobody = np.empty(0, int)
            return IdentitySplit(np.arange(len(codes)), nobody, nobody)
        shares = {"dev": 0.2 if dev else 0, "test": 0.2 if test else 0}
        try:
            return split_identities(codes, seed=recipe.seed, **shares)
        except DataError as error:
            hint = "more identities, --test none, or --dev none too"
            raise DataError(recipe.source, error.expected, error.got, hint) from None

    return split_off(parts, recipe, cut)
