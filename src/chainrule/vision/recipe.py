"""What a user can say about the training of a vision system; None means what chainrule chooses.

VisionRecipe    what all kinds have; `detect.py`, `segment.py` and `verify.py` add their own
to_dict         plain data, with the kind: it is written into the run
from_dict       read back, each entry of the type that its field names
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self, get_args

from chainrule.errors import OptionError, did_you_mean

WORDS: dict[type, str] = {int: "a whole number", float: "a number", str: "text", bool: "yes or no"}


@dataclass(frozen=True)
class VisionRecipe:
    """source, dev, test: files or folders; dev and test also "none".

    image_size      (n_H, n_W) that pictures are brought to
    augment         changes to the pictures of each step, "none" for none
    width           all channels of the network, times this
    epochs … seed   of the training
    """

    source: str
    dev: str | None = None
    test: str | None = None
    image_size: tuple[int, int] | None = None
    augment: str | None = None
    width: float | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    seed: int = 0

    kind: ClassVar[str]
    chosen: ClassVar[tuple[str, ...]] = (
        "augment",
        "width",
        "epochs",
        "batch_size",
        "learning_rate",
    )
    """Entries that are handed to the model under the same name, where they are said."""

    def __post_init__(self):
        """Refuse what means nothing, before anything is read."""
        for name in ("epochs", "batch_size"):
            self.check_least(name, 1, "a whole number from 1 on")
        self.check_least("seed", 0, "a whole number from 0 on")
        for name in ("width", "learning_rate"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                option = "--" + name.replace("_", "-")
                raise OptionError(option, "a number above 0", f"{value:g}", f"{option} 0.5")
        if self.image_size is not None and min(self.image_size) < 1:
            got = "x".join(map(str, self.image_size))
            raise OptionError("--image-size", "HEIGHTxWIDTH, each 1 or more", got, "120x160")

    def check_least(self, name: str, least: float, words: str) -> None:
        """Refuse a number below `least`."""
        value = getattr(self, name)
        if value is not None and value < least:
            option = "--" + name.replace("_", "-")
            raise OptionError(option, words, f"{value:g}", f"{option} {max(least, 1):g}")

    @property
    def options(self) -> dict[str, Any]:
        """What is said of the model, for its class."""
        said = {name: getattr(self, name) for name in self.chosen}
        said = {name: value for name, value in said.items() if value is not None}
        if said.get("augment") == "none":
            said["augment"] = None
        return said | {"random_state": self.seed}

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """The recipe that `to_dict` wrote, or that a command line makes; None was not said."""
        known = {field.name: field for field in fields(cls)}
        said = {k: v for k, v in saved.items() if v is not None and k != "kind"}
        unknown = sorted(said.keys() - known.keys())
        if unknown:
            hint = did_you_mean(unknown[0], sorted(known))
            raise OptionError("the recipe", "entries that a recipe has", repr(unknown[0]), hint)
        for name, value in said.items():
            said[name] = _typed(name, value, known[name].type)
        return cls(**said)


def _typed(name: str, value: Any, type_: Any) -> Any:
    """A value of the type that the field names, such as int | None."""
    kind = next((one for one in get_args(type_) if one in WORDS), type_)
    if kind not in WORDS:
        whole = isinstance(value, list | tuple) and all(type(n) is int for n in value)
        if not whole or len(value) != 2:
            raise _wrong(name, "a list of two whole numbers", value)
        return tuple(value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise _wrong(name, WORDS[kind], value)
    return value


def _wrong(name: str, words: str, value: Any) -> OptionError:
    hint = "the recipe.json of a run, as it was written"
    return OptionError(f"the recipe, {name}", words, repr(value), hint)
