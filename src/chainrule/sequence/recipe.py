"""The recipes of the tasks on texts: all options of their `train` commands, each declared once.

SequenceRecipe    the options of all tasks: the data, and the settings of the training
GenerateRecipe    the options of `chainrule generate train`
TranslateRecipe   the options of `chainrule translate train`

If an option is None, the default of the task is used. The recipes are declared here, and not in the
folders of their tasks, because `--help` is generated from them and must start fast: this file
imports neither NumPy nor JAX.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

from chainrule.choices import LANGUAGE_MODELS, TEXT_UNITS, TOKEN_UNITS, TRANSLATORS
from chainrule.errors import OptionError
from chainrule.runs import shared_options
from chainrule.runs.options import (
    alternatives,
    check_options,
    joined,
    option,
    read_numbers,
    restore,
)

BEAM, ALPHA = 5, 0.6
"""The beginnings that a beam search keeps, and the power of the length in its score."""


def read_sizes(where: str, text: str) -> tuple[int, ...]:
    """Convert the typed list of sizes to whole numbers.

    >>> read_sizes("--hidden", "512,512")
    (512, 512)
    """
    return read_numbers(where, text, int, "512,512")


@dataclass(frozen=True)
class SequenceRecipe:
    """The options that all tasks on texts share."""

    source: str = shared_options.argument("The text file.", "FILE")
    dev: str | None = shared_options.separate_set(
        "Separate file with the dev (validation) set; none trains without a dev set.", "FILE|none"
    )
    test: str | None = shared_options.separate_set(
        "Separate file with the test set; none trains without a test set.", "FILE|none"
    )
    hidden: tuple[int, ...] | None = option(
        None,
        "Number of units in each layer, separated by commas.",
        "Model",
        "512,512",
        minimum=1,
        example="512,512",
        parse=read_sizes,
        spell=joined,
        default_text="depends on the network",
    )
    embedding_size: int | None = shared_options.count(
        "Number of components of the vector (embedding) of a token.", "Model", "64"
    )
    keep_prob: float | None = shared_options.number(
        "Dropout: probability of keeping a unit of each layer.",
        "Regularisation",
        "depends on the network",
        example="0.8",
        above=0,
        maximum=1,
    )
    epochs: int | None = shared_options.epochs(
        "Number of epochs (passes over the training set).", "depends on the size of the data"
    )
    batch_size: int | None = shared_options.count(
        "Number of sequences in each mini-batch.", "Training", "64"
    )
    learning_rate: float | None = shared_options.positive(
        "Initial learning rate α of Adam, which decays like a cosine.",
        "Training",
        "depends on the network",
        example="0.004",
    )
    seed: int = shared_options.seed(
        "Random seed for the split, the initial weights, dropout and the order of the sequences."
    )

    kind: ClassVar[str]

    def __post_init__(self):
        """Refuse invalid options before any data is read."""
        check_options(self)
        if getattr(self, "network", None) == "transformer" and self.hidden:
            _check_equal(self.hidden, self.embedding_size)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain data for JSON, with the kind of task."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Self:
        """Restore a recipe from plain data, in which None means that an option was not set."""
        return restore(cls, {k: v for k, v in saved.items() if k != "kind"}, {})

    @classmethod
    def from_saved(cls, saved: Mapping[str, Any]) -> Self:
        """Restore the recipe of a saved run."""
        return cls.from_dict(saved)


def _check_equal(hidden: tuple[int, ...], embedding_size: int | None) -> None:
    """Refuse layers of a transformer with different numbers of units, or another embedding."""
    if len({*hidden, embedding_size or hidden[0]}) > 1:
        expected = "equally many units in every layer of a transformer and in its embedding"
        got, hint = joined(hidden), joined(hidden[:1] * len(hidden))
        if embedding_size:
            got += f" and an embedding of {embedding_size}"
            hint += ", without --embedding-size"
        raise OptionError("--hidden", expected, got, hint)


@dataclass(frozen=True)
class GenerateRecipe(SequenceRecipe):
    """The options of `chainrule generate train`."""

    source: str = shared_options.argument("The text from which the model learns.", "FILE")
    lines: bool = shared_options.switch(
        "Each line of FILE is a text of its own, such as a name; by default, the whole file is one "
        "text.",
        "Data",
        "--lines",
    )
    unit: str = shared_options.choice(
        "characters",
        TEXT_UNITS,
        "What the model reads and writes: the characters of a text in UTF-8, or the bytes of any "
        "file.",
    )
    network: str | None = option(
        None,
        f"Network that predicts the next character: {alternatives(LANGUAGE_MODELS)}.",
        "Model",
        "NAME",
        choices=LANGUAGE_MODELS,
        default_text="lstm",
    )
    batch_size: int | None = shared_options.count(
        "Number of windows of the text, or of lines, in each mini-batch.", "Training", "32"
    )
    context: int | None = shared_options.count(
        "Number of characters before a character from which the network learns to predict it; a "
        "transformer sees no more than these, a recurrent network carries its state on.",
        "Model",
        "64; the longest line with --lines",
        example="64",
        minimum=2,
    )

    kind: ClassVar[str] = "generate"


@dataclass(frozen=True)
class TranslateRecipe(SequenceRecipe):
    """The options of `chainrule translate train`."""

    source: str = shared_options.argument(
        "A text file with a source, a tab and its target on each line.", "PAIRS"
    )
    unit: str = shared_options.choice(
        "characters",
        TOKEN_UNITS,
        "What the model reads and writes: the characters of a text, or the words between spaces.",
    )
    target_unit: str | None = shared_options.choice(
        None,
        TOKEN_UNITS,
        "What the model writes, if that is not what it reads.",
        default_text="as --unit",
    )
    network: str | None = option(
        None,
        f"Network that translates: {alternatives(TRANSLATORS)}.",
        "Model",
        "NAME",
        choices=TRANSLATORS,
        default_text="attention",
    )

    kind: ClassVar[str] = "translate"

    def __post_init__(self):
        """Refuse invalid options before any data is read."""
        super().__post_init__()
        odd = [n for n in self.hidden or () if n % 2]
        if odd and self.network != "transformer":
            expected = "even numbers, half of the units for each direction of the encoder"
            raise OptionError("--hidden", expected, joined(self.hidden or ()), f"{odd[0] + 1}")
