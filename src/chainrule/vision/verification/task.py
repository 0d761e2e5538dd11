"""Verification as a system: from pictures of people to an embedding that tells strangers apart.

    source    a folder with a folder of pictures for each identity, or one with train, dev and test
              in it; or a .npz file of X and identities; `vision/verification/identities.py`

Without dev or test parts of their own whole identities are split off, a fifth for each.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.errors import DataError, DataWarning, OptionError, check_choice
from chainrule.inspection.plots import cost_curve
from chainrule.models.zoo import EMBEDDINGS
from chainrule.vision.parts import HELD_OUT, as_channels, check_once
from chainrule.vision.recipe import VisionRecipe
from chainrule.vision.task import Opened, System
from chainrule.vision.verification.identities import check_apart, read_identities
from chainrule.vision.verification.scores import (
    WAYS,
    draw_mistaken_pairs,
    mistakes_of,
    pairs_of,
    plot_roc,
    roc,
)
from chainrule.vision.verification.training import distance_of, sample_identities, split_identities
from chainrule.vision.verification.verifier import SIMILARITIES, Verifier


@dataclass(frozen=True)
class VerifyRecipe(VisionRecipe):
    """network … similarity: see `Verifier`; skip_unreadable: leave out what cannot be read."""

    network: str | None = None
    n: int | None = None
    mirrored: bool | None = None
    margin: float | None = None
    people: int | None = None
    photos: int | None = None
    similarity: str | None = None
    skip_unreadable: bool = False

    kind: ClassVar[str] = "verify"
    chosen: ClassVar[tuple[str, ...]] = (
        *("augment", "width", "epochs", "learning_rate"),
        *("network", "n", "mirrored", "margin", "people", "photos", "similarity"),
    )

    def __post_init__(self):
        """Refuse what means nothing, before anything is read."""
        super().__post_init__()
        self.check_least("n", 1, "a whole number from 1 on")
        for name in ("people", "photos"):
            self.check_least(name, 2, "a whole number from 2 on")
        if self.network is not None:
            check_choice("--network", self.network, EMBEDDINGS)
        if self.similarity is not None:
            check_choice("--similarity", self.similarity, SIMILARITIES)
        if self.margin is not None and not 0 < self.margin < 4:
            expected = "a number above 0 and below 4, the largest squared distance"
            raise OptionError("--margin", expected, f"{self.margin:g}", "--margin 0.2")

    @property
    def options(self) -> dict[str, Any]:
        """What is said of the model; without a dev part nobody is set aside."""
        return super().options | ({"dev_share": 0.0} if self.dev == "none" else {})


class Verify:
    """The kind: see `Kind` in `vision/task.py`."""

    name = "verify"
    title = "verifier"
    recipe = VerifyRecipe
    model = Verifier
    fitted = ("threshold_", "likeness_", "identities_")
    main = "equal_error_rate"
    words: ClassVar = {
        "equal_error_rate": "equal error rate",
        "auc": "area under ROC",
        "accuracy": "accuracy of pairs",
        **{f"one_shot_{k}": f"{k}-way one-shot" for k in WAYS},
    }
    captions: ClassVar = {
        "roc.png": "How many pairs of one person are recognised, and how many of two people are "
        "let in, as the threshold rises. The point is at the threshold that was chosen, the ring "
        "where both errors are equally frequent.",
        "pairs.png": "The worst mistakes: two people who are taken for one, and pairs of one "
        "person that are not recognised. Of each two people the worst pair.",
    }

    def open(self, recipe: VerifyRecipe) -> Opened:
        """Pictures and whose each is, and who of them trains."""
        how: dict[str, Any] = {"skip_unreadable": recipe.skip_unreadable}
        found = read_identities(recipe.source, image_size=recipe.image_size, **how)
        train = in_channels(replace(found, parts={}))
        parts = {"train": train, **found.parts}
        for part in HELD_OUT:
            said = getattr(recipe, part)
            check_once(recipe, part, parts)
            if said not in (None, "none"):
                parts[part] = read_identities(said, part=part, **_size_for(said, train), **how)
            if part in parts:
                parts[part] = in_channels(replace(parts[part], parts={}), train.X.shape[1:])
        check_apart(recipe.source, parts)
        return Opened(recipe, _split_off(recipe, parts))

    def fit(self, model: Verifier, opened: Opened, **how: Any) -> Any:
        """Train on the identities of "train", and choose by those of "dev"."""
        train, dev = opened.parts["train"], opened.parts.get("dev")
        more = () if dev is None else (dev.X, dev.y)
        model.fit(train.X, train.y, *more, **how)

    def measure(self, model: Verifier, part: Dataset) -> dict[str, Any]:
        """m, how many identities, and the errors of their pairs."""
        found = model.scores(part.X, part.y)
        one_shot, ways = found.pop("one_shot", None), found.pop("ways", None)
        more = {} if ways is None else {f"one_shot_{ways}": one_shot}
        return {"m": len(part), "identities": identities_in(part), **found, **more}

    def data_words(self, opened: Opened) -> str:
        """How many pictures of how many, in which parts."""
        size = "×".join(map(str, opened.parts["train"].X.shape[1:]))
        lines = [f"{opened.recipe.source}: pictures of {size}"]
        for name, part in opened.parts.items():
            lines.append(
                f"  {name:5} {len(part):>6,} pictures of {identities_in(part):,} identities"
            )
        return "\n".join(lines)

    def pictures(self, system: System, opened: Opened) -> dict[str, bytes]:
        """The cost, the ROC of those that were not trained on, and who is mistaken for whom."""
        shown = {k: v for k, v in opened.parts.items() if k in HELD_OUT} or dict(opened.parts)
        drawn = drawn_of(system.model, shown, opened.judged)
        return {"cost.png": cost_curve(system.history), **drawn}


KIND = Verify()


def drawn_of(model: Verifier, parts: Mapping[str, Dataset], judged: str) -> dict[str, bytes]:
    """roc.png of these parts, and pairs.png of the one that is judged, where it has mistakes."""
    distance = distance_of(model.likeness_)
    some = {name: part.rows(sample_identities(np.asarray(part.y))) for name, part in parts.items()}
    E = {name: model.embed(part.X) for name, part in some.items()}
    curves = {
        name: roc(pairs_of(E[name], np.asarray(part.y), distance)) for name, part in some.items()
    }
    files = {"roc.png": plot_roc(curves, model.threshold_)}
    part = some[judged]
    wrong = mistakes_of(E[judged], np.asarray(part.y), model.threshold_, distance)
    if wrong.accepted or wrong.rejected:
        names = [str(name) for name in np.asarray(part.y)]
        files["pairs.png"] = draw_mistaken_pairs(wrong, part.X, names, judged)
    return files


def read_strangers(
    system: System, source: str, *, part: str = "test", skip_unreadable: bool = False
) -> Dataset:
    """Pictures of identities, as the network takes them; those it was trained on are told of."""
    shape = system.network.shape
    how = {} if source.lower().endswith(".npz") else {"image_size": shape[:2]}
    found = read_identities(source, part=part, skip_unreadable=skip_unreadable, **how)
    met = np.intersect1d(np.asarray(found.y).astype(str), np.asarray(system.model.identities_, str))
    if len(met):
        said = f"{len(met)} of {identities_in(found)} were trained on, such as {met[0]}"
        easier = f"{source}: {said}: it is easier to tell those apart"
        warnings.warn(easier, DataWarning, stacklevel=2)
    return in_channels(replace(found, parts={}), shape)


def identities_in(part: Dataset) -> int:
    """How many there are."""
    return len(np.unique(np.asarray(part.y)))


def in_channels(source: Dataset, shape: tuple[int, ...] | None = None) -> Dataset:
    """Images (m, n_H, n_W, n_C) in memory, grey or not as `shape` has it; of its size."""
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
    """The size of training, for what is read from files of pictures."""
    return {} if source.lower().endswith(".npz") else {"image_size": train.X.shape[1:3]}


def _split_off(recipe: VerifyRecipe, parts: dict[str, Dataset]) -> dict[str, Dataset]:
    """The parts that are there; for those that are not, whole identities of the training part."""
    dev, test = (part not in parts and getattr(recipe, part) != "none" for part in HELD_OUT)
    if dev or test:
        train = parts["train"]
        codes = np.unique(np.asarray(train.y), return_inverse=True)[1]
        shares = {"dev": 0.2 if dev else 0, "test": 0.2 if test else 0}
        try:
            cut = split_identities(codes, seed=recipe.seed, **shares)
        except DataError as error:
            hint = "more identities, --test none, or --dev none too"
            raise DataError(recipe.source, error.expected, error.got, hint) from None
        made = {name: train.rows(rows) for name, rows in cut._asdict().items() if len(rows)}
        parts = parts | made
    return {name: parts[name] for name in ("train", *HELD_OUT) if name in parts}
