"""A vision system: what training leaves behind, and what every kind of system can do.

Opened    the data of a recipe, ready: its parts, and the names of the classes
Kind      detect, segment or verify: how its data are read, its model trained and measured
System    a trained model, how it was made, and how good it is

The kinds of systems, by name; each is loaded when it is needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from chainrule.errors import check_choice
from chainrule.layers.layer import count_parameters
from chainrule.models.conv_network import ConvNetwork
from chainrule.train.history import History
from chainrule.vision.recipe import VisionRecipe


class Part(Protocol):
    """Pictures and what is marked in them."""

    @property
    def digest(self) -> str: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Opened:
    """The data of a recipe: "train", and "dev" and "test" where they are; names of the classes."""

    recipe: VisionRecipe
    parts: Mapping[str, Any]
    names: tuple[str, ...] = ()

    @property
    def digests(self) -> dict[str, str]:
        """sha256 of each part."""
        return {name: part.digest for name, part in self.parts.items()}

    @property
    def judged(self) -> str:
        """The part that speaks for how good a model is."""
        return next(name for name in ("test", "dev", "train") if name in self.parts)


Results = dict[str, dict[str, Any]]
"""Of each part: m, the score that counts, further ones, and lists of one number a class."""


@dataclass(frozen=True, eq=False)
class System:
    """A trained system.

    kind      "detect", "segment" or "verify"
    model     the fitted estimator: `Detector`, `Segmenter` or `Verifier`
    names     those of the classes
    recipe    how it was made
    results   per part: m, and its scores
    facts     about the data, the versions and the machine
    path      the folder it was saved in or loaded from
    """

    kind: str
    model: Any
    names: tuple[str, ...]
    recipe: VisionRecipe
    results: Results
    facts: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @property
    def network(self) -> ConvNetwork:
        """Images in."""
        return self.model.network_

    @property
    def history(self) -> History:
        """A line per epoch."""
        return self.model.history_

    @property
    def parameters(self) -> int:
        """How many numbers were trained."""
        return count_parameters(self.network)


class Kind(Protocol):
    """What differs between the systems; each of `vision/task.py` is one."""

    name: str
    title: str
    recipe: type[VisionRecipe]
    model: type
    """Its estimator; `epochs_for(m)` says how many passes over m pictures its `fit` makes."""

    fitted: tuple[str, ...]
    """What the model knows after training beside its network: numbers, kept in recipe.json."""

    main: str
    """The score that counts, a key of the results."""

    words: Mapping[str, str]
    """The scores in words; those that are lists have a number for each class."""

    captions: Mapping[str, str]
    """What its pictures show, by the names of their files."""

    def open(self, recipe: Any) -> Opened:
        """Read its data; raises DataError or OptionError where they are wrong."""
        ...

    def fit(self, model: Any, opened: Opened, **how: Any) -> Any:
        """Train the model on the parts; `how` is for `chainrule.train.fit.fit`."""
        ...

    def measure(self, model: Any, part: Any) -> dict[str, Any]:
        """m, and the scores of one part."""
        ...

    def data_words(self, opened: Opened) -> str:
        """The data and its split, for people."""
        ...

    def pictures(self, system: System, opened: Opened) -> dict[str, bytes]:
        """PNG files by name, of the part that speaks for it."""
        ...


KINDS = {
    "detect": "chainrule.vision.detection.task",
    "segment": "chainrule.vision.segmentation.task",
    "verify": "chainrule.vision.verification.task",
}


def kind_of(name: str) -> Kind:
    """The kind of this name."""
    check_choice("the kind of system", name, KINDS)
    module: Any = import_module(KINDS[name])
    return module.KIND
