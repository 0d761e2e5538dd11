"""The recipe of a training run: the options of `chainrule train`, declared with their defaults.

A recipe is plain data. It is stored in the run, and `chainrule train --recipe FILE` trains with it
again. The command line and its help, the checks, the search spaces and the reference page are
generated from the declarations: see `chainrule.runs.options`. To add an option, add its field here
and the code that uses it.

The checks at the end of the file refuse options that cannot be combined, before any data is read.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from chainrule.choices import (
    ACTIVATIONS,
    COLUMN_RULES,
    CUSTOM,
    DECAYS,
    INITIALIZERS,
    NETWORKS,
    NORMALIZATIONS,
    OPTIMIZERS,
    PRECISIONS,
    RECURRENT,
    RULES,
    SEQUENCE_NETWORKS,
    SUMMARY,
    TASKS,
)
from chainrule.errors import ChainruleError, OptionError, check_choice, check_number
from chainrule.formatting import count_of
from chainrule.runs import shared_options
from chainrule.runs.options import (
    AUTO,
    alternatives,
    check_options,
    joined,
    option,
    options_of,
    read_names,
    read_number,
    read_numbers,
    restore,
)

if TYPE_CHECKING:
    from chainrule.data.columns import ColumnOptions
    from chainrule.runs.defaults import OptimizerSettings

HIDDEN = (64, 32)
"""The number of units of each hidden layer if they are not set and the ladder is not run."""
HIDDEN_OF_SEQUENCES = (64,)
"""The number of units of each layer of a network for sequences, if they are not set."""
MOST_MEMBERS = 100
"""The largest number of members of an ensemble."""
BALANCED = "balanced"
"""The value of --class-weight that gives all classes the same total weight."""
SETTLED = {"width": None, "activation": "relu", "batch_norm": False, "keep_prob": 1.0}
"""The options whose values some networks determine themselves, with their defaults."""
RENAMED: dict[str, str] = {}
"""Earlier names of options, and their current names."""


def read_hidden(where: str, text: str) -> tuple[int, ...]:
    """Convert the typed text to the number of units of each hidden layer.

    >>> read_hidden("--hidden", "64,32"), read_hidden("--hidden", "none")
    ((64, 32), ())
    """
    if text.strip().lower() == "none":
        return ()
    hint = "units per hidden layer, such as 64,32, or none for logistic regression"
    return read_numbers(where, text, int, hint)


def read_batch_size(where: str, text: str) -> int:
    """Convert the typed text to a batch size; 0 stands for the whole training set.

    >>> read_batch_size("--batch-size", "64"), read_batch_size("--batch-size", "all")
    (64, 0)
    """
    if text.strip().lower() == "all":
        return 0
    size = read_number(where, text, int, "64, or all")
    if size < 1:
        raise OptionError(where, "a whole number of at least 1, or all", text, "64, or all")
    return size


def read_keep_prob(where: str, text: str) -> float | tuple[float, ...]:
    """Convert the typed text to one probability for all hidden layers, or one for each layer.

    >>> read_keep_prob("--keep-prob", "0.8"), read_keep_prob("--keep-prob", "0.8,1")
    (0.8, (0.8, 1.0))
    """
    hint = "0.8, or one for each hidden layer, such as 0.8,1"
    first, *others = read_numbers(where, text, float, hint)
    return (first, *others) if others else first


def read_class_weight(where: str, text: str) -> dict[str, float] | None:
    """Convert the typed text to the weight of each named class; None if they are balanced.

    >>> read_class_weight("--class-weight", "yes:5,no:0.5")
    {'yes': 5.0, 'no': 0.5}
    """
    if text == BALANCED:
        return None
    hint = "balanced, or yes:5,no:1"
    found: dict[str, float] = {}
    for part in text.split(","):
        name, colon, weight = part.rpartition(":")
        if not colon or name in found:
            expected = "balanced, or each class once with its weight, as CLASS:WEIGHT"
            raise OptionError(where, expected, repr(text), hint)
        found[name] = read_number(where, weight, float, hint)
        check_number(where, found[name], above=0, hint=hint)
    return found


def spell_keep_prob(keep_prob: float | Sequence[float]) -> str:
    """Return one or more probabilities as text, as they are typed at the command line."""
    return joined(keep_prob if isinstance(keep_prob, Sequence) else [keep_prob])


def _penalty(help: str) -> Any:
    """Declare the strength of a penalty on the weights."""
    return option(0.0, help, "Regularisation", "NUMBER", minimum=0, example="0.1")


@dataclass(frozen=True)
class Recipe:
    """The data, the network and the settings of a training run.

    An option that is None was not set: chainrule chooses its value.
    """

    source: str = option(
        MISSING,
        "A built-in data set (digits, iris, wine, breast_cancer, diabetes, moons or circles), "
        "a .csv, .parquet, .npz, .npy, .mat, .h5 or IDX file, or a folder of images.",
        "Data",
        "SOURCE",
        positional=True,
        searchable=False,
    )
    target: str | None = shared_options.column(
        "Name of the column to predict, or of several columns, separated by commas; required for "
        "tables.",
        searchable=False,
    )
    group: str | None = shared_options.column(
        "Name of the column that assigns each row to a group; all rows of a group are put into the "
        "same set.",
        searchable=False,
    )
    time: str | None = shared_options.column(
        "Name of the column with the time of each row; the latest rows become the dev and test "
        "sets. With --sequence, it orders the steps of each sequence.",
        searchable=False,
    )
    sequence: str | None = shared_options.column(
        "Name of the column that identifies the sequence of each row, if every row of SOURCE is "
        "one step of a sequence; --time names the column that orders the steps.",
        searchable=False,
    )
    text: str | None = shared_options.column(
        "Name of the column with a short text, which is read as a sequence of characters.",
        searchable=False,
    )
    weight: str | None = shared_options.column(
        "Name of the column with the weights of the examples.",
        default_text="all examples have the same weight",
        searchable=False,
    )
    drop: str | tuple[str, ...] | None = shared_options.columns(
        "Names of the columns that are left out.", searchable=False
    )
    key: str | tuple[str, ...] | None = shared_options.columns(
        "Names of the columns that identify a row: they are copied into predictions and lists of "
        "mistakes, and are never inputs.",
        searchable=False,
    )
    category: str | tuple[str, ...] | None = shared_options.columns(
        "Names of the columns that are read as categories, such as postcodes.", searchable=False
    )
    number: str | tuple[str, ...] | None = shared_options.columns(
        "Names of the columns that are read as numbers; other words in them count as missing "
        "values.",
        searchable=False,
    )
    date: str | tuple[str, ...] | None = shared_options.columns(
        "Names of the columns that are read as dates, also if they are numbers such as 20240131 or "
        "seconds since 1970.",
        searchable=False,
    )
    strict: bool = option(
        False,
        "Refuse cells that are not what their column holds, such as a word among numbers; "
        "otherwise, they count as missing values.",
        "Data",
        searchable=False,
    )
    column_rules: int = option(
        COLUMN_RULES[-1],
        "Version of the rules by which columns without such an option are read.",
        "Data",
        "N",
        choices=COLUMN_RULES,
        searchable=False,
        listed=False,
    )
    images: str | None = option(
        None,
        "Name of the column that contains the paths of the images, if SOURCE is a table.",
        "Images",
        "COLUMN",
        default_text="recognised automatically",
        searchable=False,
    )
    image_size: tuple[int, int] | None = shared_options.image_size(
        "their own size if all images have the same size, otherwise 64x64",
        example="64x64",
        searchable=False,
    )
    skip_unreadable: bool | None = shared_options.skip_unreadable(
        None, default_text="an unreadable image is an error", searchable=False
    )
    dev: str | None = shared_options.separate_set(
        "Separate file with the dev (validation) set; none trains without a dev set, whose rows "
        "then belong to the training set. A test set is still split from SOURCE unless --test none "
        "is given as well.",
        "FILE|none",
        searchable=False,
    )
    test: str | None = shared_options.separate_set(
        "Separate file with the test set; none trains without a test set, whose rows then belong "
        "to the training set. A dev set is still split from SOURCE unless --dev none is given as "
        "well.",
        "FILE|none",
        searchable=False,
    )
    group_duplicates: bool = option(
        False,
        "Put rows with equal inputs into the same set, so that no row of the dev or test set "
        "occurs in the training set.",
        "Data",
        searchable=False,
    )
    extra: str | None = option(
        None,
        "File with additional training data from a different distribution, which is never put "
        "into the dev or test set.",
        "Data",
        "FILE",
        searchable=False,
    )
    train_dev: bool | None = option(
        None,
        "Create a train-dev set, which has the distribution of the training set but is not used "
        "for training.",
        "Data",
        default_text="only with --extra",
        searchable=False,
    )
    task: str | None = shared_options.choice(
        None,
        TASKS,
        "Type of the task: classification predicts classes, regression predicts numbers.",
        default_text="inferred from the target",
        searchable=False,
    )
    goal: str | None = option(
        None,
        "Metric to optimise, with optional conditions on other metrics, such as "
        '"accuracy with recall >= 0.9".',
        "Training",
        "GOAL",
        default_text="accuracy, or R² for regression",
        searchable=False,
    )
    reference: float | None = option(
        None,
        "Human-level error or lowest possible (Bayes) error, with which the diagnosis compares the "
        "errors of the network.",
        "Training",
        "NUMBER",
        minimum=0,
        example="0.05, an error rate of 5 %",
        searchable=False,
    )
    base: str | None = option(
        None,
        "Start from the layers of this run or from these pretrained weights (transfer learning).",
        "Model",
        "RUN|FILE",
        flags="--from",
        searchable=False,
    )
    retrain: str | None = option(
        None,
        "Layers to train (only with --from): last for the last layer, 2 for the last two layers "
        "(and so on), or all.",
        "Model",
        "last|2|all",
        suggestions=("last", "all"),
        default_text="chosen from the number of examples and the dev cost",
        searchable=False,
    )
    hidden: tuple[int, ...] | None = option(
        None,
        "Number of units of each hidden layer, such as 64,32; none for logistic, softmax or linear "
        "regression.",
        "Model",
        "64,32|none",
        minimum=1,
        example="64,32",
        parse=read_hidden,
        spell=lambda hidden: joined(hidden) or "none",
        suggestions=("none",),
        default_text="chosen automatically unless --network is given",
    )
    network: str | None = option(
        None,
        "Network for images, such as lenet, convnet, resnet18, resnet20 or mobilenet_v2; custom is "
        "the network that --layers lists. For sequences: rnn, lstm, gru, transformer, conv1d, or "
        "summary, which is logistic regression on statistics of the steps.",
        "Model",
        "NAME",
        choices=(*NETWORKS, *SEQUENCE_NETWORKS, CUSTOM),
        default_text="chosen automatically unless --hidden or --layers is given",
    )
    layers: str | None = option(
        None,
        "Layers of a convolutional network, separated by commas, such as "
        '"conv 8 4x4 same, relu, max_pool 8, conv 16 2x2 same, relu, max_pool 4, flatten, dense '
        '6"; docs/networks.md lists all of them.',
        "Model",
        "LAYERS",
        default_text="the layers of --network",
        searchable=False,
    )
    budget: float = option(
        10.0,
        "Maximum time in minutes for choosing the network automatically, estimated from the "
        "number of operations. The smallest network is always trained.",
        "Model",
        "MINUTES",
        above=0,
        searchable=False,
    )
    bidirectional: bool = option(
        False,
        "Let the recurrent layers run in both directions (only with --network rnn, lstm or gru).",
        "Model",
    )
    width: float | None = shared_options.width(" (only with --network).", default="1")
    augment: str | None = shared_options.augment(
        "the training images (only with --network)", 4, "none"
    )
    precision: str | None = shared_options.choice(
        None,
        PRECISIONS,
        "Floating-point type of the computations during training (only with --network).",
        "Training",
        default_text="float32",
    )
    activation: str = option(
        "relu",
        f"Activation function of the hidden layers: {alternatives(ACTIVATIONS)}.",
        "Model",
        "NAME",
        choices=ACTIVATIONS,
    )
    init: str | None = option(
        None,
        f"Method of initialising the weights: {alternatives(INITIALIZERS)}.",
        "Model",
        "NAME",
        choices=INITIALIZERS,
        default_text="he, xavier or lecun, whichever suits the activation function",
    )
    init_scale: float | None = shared_options.positive(
        "Factor by which the initial weights W are multiplied; for example, --init small with a "
        "factor of 1000 draws W from 10 · N(0, 1).",
        "Model",
        "1",
        example="10",
    )
    initial_weights: str | None = option(
        None,
        "File .npz or .safetensors with the initial weights, named W1, b1, W2, b2, … as in the "
        "course notes; the weights.safetensors of a run is such a file.",
        "Model",
        "FILE",
        default_text="drawn at random with --seed",
        searchable=False,
    )
    optimizer: str = option(
        "adam",
        f"Optimisation algorithm: {alternatives(OPTIMIZERS)}.",
        "Training",
        "NAME",
        choices=OPTIMIZERS,
    )
    learning_rate: float | None = shared_options.positive(
        "Initial learning rate α.",
        "Training",
        "0.002 for adam, 0.001 for rmsprop, 0.1 otherwise",
        example="0.001",
    )
    beta: float | None = shared_options.number(
        "Decay rate of the optimiser's moving averages: β of momentum, β1 of adam, β2 of rmsprop.",
        "Training",
        "0.9",
        minimum=0,
        below=1,
    )
    beta2: float | None = shared_options.number(
        "Decay rate β2 of adam's moving average of the squared gradients.",
        "Training",
        "0.999",
        minimum=0,
        below=1,
    )
    epsilon: float | None = shared_options.positive(
        "Number ε that adam and rmsprop add to the square root by which they divide.",
        "Training",
        "1e-08",
    )
    decay: str | None = option(
        None,
        f"Decay of the learning rate: {alternatives(DECAYS)}; or a list of EPOCH:RATE, such as "
        "20:0.01,40:0.001, which sets the learning rate from each of these epochs on; or none.",
        "Training",
        "NAME|EPOCH:RATE,…",
        suggestions=(*DECAYS, "none"),
        default_text="cosine; exponential with --network",
    )
    decay_rate: float | None = shared_options.positive(
        "Parameter k of the learning rate decay that --decay selects.",
        "Training",
        "depends on the kind of decay",
        example="0.95",
    )
    decay_epochs: int | None = shared_options.count(
        "Number of epochs between two reductions of the learning rate by --decay.",
        "Training",
        "10 for a staircase decay, 1 otherwise",
        example="10",
    )
    warm_up: float | None = shared_options.number(
        "Share of all steps in which the learning rate rises linearly at first, with --decay "
        "cosine.",
        "Training",
        "0",
        example="0.05",
        minimum=0,
        below=1,
    )
    clip_norm: float | None = shared_options.positive(
        "Maximum norm of the gradient; a gradient with a larger norm is scaled down to this norm.",
        "Training",
        "no clipping",
        example="1",
    )
    batch_size: int | None = option(
        None,
        "Number of examples in each mini-batch; all puts the whole training set into every batch.",
        "Training",
        "N|all",
        minimum=0,
        example="64",
        parse=read_batch_size,
        spell=lambda size: str(size or "all"),
        suggestions=("all",),
        default_text="depends on the number of examples",
    )
    short_last_batch: bool = option(
        False,
        "Fill every mini-batch and put the examples that remain into a smaller last one, as in the "
        "course notes; otherwise, the sizes of the batches differ by at most one.",
        "Training",
        searchable=False,
    )
    l2: float = _penalty("Strength λ of L2 regularisation, which adds λ/(2m) Σ‖W‖² to the cost.")
    l1: float = _penalty("Strength λ of L1 regularisation, which adds λ/m Σ|W| to the cost.")
    keep_prob: float | tuple[float, ...] = option(
        1.0,
        "Dropout: probability of keeping a hidden unit; either one number for all hidden layers, "
        "or one number for each.",
        "Regularisation",
        "NUMBER|0.8,1",
        above=0,
        maximum=1,
        example="0.8",
        parse=read_keep_prob,
        spell=spell_keep_prob,
    )
    batch_norm: bool = option(False, "Use batch normalisation in the hidden layers.", "Model")
    class_weight: str | None = option(
        None,
        "Weights of the classes in the cost, which multiply the weights of the examples in "
        "training: balanced gives all classes the same total weight, and yes:5,no:1 weights each "
        "example of a class by that number; scores are not weighted by them.",
        "Training",
        "balanced|CLASS:W,…",
        suggestions=("balanced",),
        default_text="all classes have the weight 1",
        searchable=False,
    )
    epochs: int | None = shared_options.epochs(
        "Maximum number of epochs (passes over the training set).",
        "depends on the number of examples",
    )
    early_stopping: bool | None = option(
        None,
        "Stop training when the cost on the dev set no longer decreases.",
        "Regularisation",
        default_text="with a dev set; with --network, only from 500 training examples on",
    )
    normalize: str | None = option(
        None,
        "Scaling of the inputs: standard (mean 0 and variance 1), robust (median 0 and "
        "interquartile range 1, and extreme values are clipped smoothly), piecewise (robust, and "
        "the piecewise-linear encoding of each number by quantile bins beside it), pixels "
        "(division by 255), none, or auto.",
        "Data",
        "NAME",
        choices=(AUTO, *NORMALIZATIONS),
        default_text="auto: pixels for images, otherwise chosen on held-out rows",
    )
    members: int | None = option(
        None,
        "Number of networks in an ensemble: each is trained from its own initial weights and with "
        "its own order of the examples, and their predictions are averaged (not with --network or "
        "--from). With --dev none, each holds out its own fifth of the rows to stop early.",
        "Model",
        "K",
        default_text="1 with --hidden; otherwise chosen by comparing networks",
        minimum=1,
        example="5",
        searchable=False,
    )
    seed: int = shared_options.seed(
        "Random seed for the split, the initial weights and the order of the examples.",
        searchable=False,
    )

    defaults: int = option(
        RULES[-1],
        "Version of the rules by which options of the training schedule that are not set are "
        "chosen.",
        "Training",
        "N",
        choices=RULES,
        searchable=False,
        listed=False,
    )

    def __post_init__(self):
        """Refuse invalid options before any data is read."""
        if self.layers is not None and self.network is None:
            object.__setattr__(self, "network", CUSTOM)
        check_options(self)
        if self.normalize == AUTO:  # as if the option were left out
            object.__setattr__(self, "normalize", None)
        self.descent.check("--")
        if self.class_weight is not None:
            read_class_weight("--class-weight", self.class_weight)
        check_initial_weights(self)
        check_network_options(self)
        check_members(self)
        self._check_keep_prob()
        self._check_group_duplicates()
        if self.retrain is not None and self.base is None:
            hint = "--from RUN, or leaving --retrain out"
            raise OptionError("--retrain", "a run whose layers are reused", "none", hint)

    @property
    def divides_at_random(self) -> bool:
        """Whether rows may be held out at random: they have no time and no groups.

        Runs of earlier versions never held out other rows than those of the dev set.
        """
        dependent = self.time or self.group or self.extra or self.group_duplicates
        return self.defaults == RULES[-1] and not dependent

    @property
    def member_count(self) -> int:
        """The number of members of the ensemble; 1 for a single network."""
        return 1 if self.members is None else self.members

    def _check_keep_prob(self) -> None:
        """Refuse a list whose length is not the number of hidden layers."""
        count = len(self.hidden_sizes) if self.network is None else 1
        if isinstance(self.keep_prob, tuple | list) and len(self.keep_prob) != count:
            hint = (
                f"{count_of(count, 'number')}, with 1 for a layer that keeps all units"
                if count
                else "1"
            )
            expected = f"one number, or {count}, one for each hidden layer"
            got = f"{len(self.keep_prob)}: {list(self.keep_prob)}"
            raise OptionError("--keep-prob", expected, got, hint)

    def _check_group_duplicates(self) -> None:
        """Refuse to group duplicates in a split by time, or where nothing is split."""
        if not self.group_duplicates:
            return
        if self.time is not None:
            expected = "a random split, without --time"
            hint = "leaving out one of these options"
            raise OptionError("--group-duplicates", expected, f"--time {self.time}", hint)
        if self.dev is not None and self.test is not None:
            expected = "a dev or test set that is split from SOURCE"
            got = f"--dev {self.dev} and --test {self.test}"
            raise OptionError("--group-duplicates", expected, got, "leaving out one of them")

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "Recipe":
        """Restore a recipe from the data that `to_dict` returned."""
        return restore(cls, saved, RENAMED)

    @classmethod
    def from_saved(cls, saved: Mapping[str, Any]) -> "Recipe":
        """Restore the recipe of a saved run, which may have been written by an earlier version."""
        return cls.from_dict(with_first_rules(saved))

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """The number of units of each hidden layer, if the ladder is not run.

        The tuple is empty if `network` names an architecture for images.
        """
        if self.reads_sequences:
            return () if self.network == SUMMARY else self.hidden or HIDDEN_OF_SEQUENCES
        if self.network is not None:
            return ()
        return HIDDEN if self.hidden is None else self.hidden

    @property
    def reads_sequences(self) -> bool:
        """Whether the network is one for sequences."""
        return self.network in SEQUENCE_NETWORKS

    @property
    def schedule(self) -> str:
        """The kind of network on which the rules of the training schedule depend."""
        if self.reads_sequences:
            return "sequences"
        return "rows" if self.network is None else "images"

    @property
    def column_options(self) -> "ColumnOptions":
        """The columns of a table whose reading an option determines."""
        from chainrule.data.columns import ColumnOptions

        names = {"drop": self.drop, "key": self.key, "category": self.category}
        names |= {"number": self.number, "date": self.date}
        given = {
            name: read_names(_flag(name), value) if isinstance(value, str) else tuple(value)
            for name, value in names.items()
            if value is not None
        }
        return ColumnOptions(**given, strict=self.strict, rules=self.column_rules)

    @property
    def is_named(self) -> bool:
        """Whether the recipe specifies the network, so that the ladder does not choose it."""
        return self.hidden is not None or self.network is not None

    @property
    def descent(self) -> "OptimizerSettings":
        """The settings of the optimiser."""
        from chainrule.runs.defaults import OptimizerSettings

        names = [one.name for one in fields(OptimizerSettings)]
        return OptimizerSettings(**{name: getattr(self, name) for name in names})


def with_first_rules(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return the saved recipe of a run with the first rules, if an earlier version wrote it.

    The learning rate of such a run was constant unless its recipe sets a decay.
    """
    found = {"column_rules": COLUMN_RULES[0], "defaults": RULES[0], "members": 1, **saved}
    on_rows = "defaults" not in saved and found.get("hidden") is not None
    if on_rows and found.get("decay") is None:
        found["decay"] = "none"
    return found


def augments(recipe: Recipe) -> bool:
    """Return whether the images are augmented in training."""
    return recipe.augment not in (None, "none")


def check_network_options(recipe: Recipe) -> None:
    """Refuse options that the chosen network excludes, or that need a network for images."""
    _check_augment(recipe.augment)
    if recipe.bidirectional and recipe.network not in RECURRENT:
        expected, got = f"--network {alternatives(RECURRENT)}", recipe.network or "none"
        raise OptionError("--bidirectional", expected, got, "--network gru")
    if recipe.sequence is not None and recipe.time is None:
        hint = "--time with the name of the column that orders the steps"
        raise OptionError("--sequence", "--time as well", "no --time", hint)
    if recipe.network is None:
        _check_without(recipe)
    else:
        _check_with(recipe)


def check_initial_weights(recipe: Recipe) -> None:
    """Refuse initial weights that would not be used, or that do not belong to a given network."""
    for name in ("init_scale", "initial_weights"):
        if getattr(recipe, name) is not None and recipe.base is not None:
            hint = f"leaving {_flag(name)} out"
            expected, got = "only one source of initial weights", f"also --from {recipe.base}"
            raise OptionError(_flag(name), expected, got, hint)
    if recipe.initial_weights is None:
        return
    if not recipe.is_named:
        expected = "the network of these weights, given by --hidden, --network or --layers"
        raise OptionError("--initial-weights", expected, "no network", "--hidden 64,32")
    for name in ("init", "init_scale"):
        if getattr(recipe, name) is not None:
            expected = f"either --initial-weights or {_flag(name)}"
            raise OptionError("--initial-weights", expected, "both", f"leaving {_flag(name)} out")


def check_members(recipe: Recipe) -> None:
    """Refuse an ensemble of networks that are not trained together from random weights."""
    check_member_count("--members", recipe.member_count)
    if recipe.member_count == 1:
        return
    for name in ("network", "base", "initial_weights"):
        if getattr(recipe, name) is not None and not (name == "network" and recipe.reads_sequences):
            option = "layers" if name == "network" and recipe.layers is not None else name
            expected = f"1 with {_flag(option)}"
            hint = "leaving one of them out: an ensemble consists of fully connected networks"
            if name != "network":
                hint = "leaving one of them out: members begin with different weights"
            raise OptionError("--members", expected, f"{recipe.members}", hint)


def check_member_count(where: str, members: int) -> None:
    """Refuse an ensemble of too many members."""
    if members > MOST_MEMBERS:
        raise OptionError(where, f"at most {MOST_MEMBERS} members", f"{members}", "5")


def check_estimator_network(estimator: Any) -> None:
    """Refuse an unknown network, and parameters of an estimator that its network excludes."""
    network = estimator.network
    if network is not None:
        check_choice("network", network, (*NETWORKS, *SEQUENCE_NETWORKS))
    if network in SEQUENCE_NETWORKS:
        _check_estimator_for_sequences(estimator)
    elif network is not None:
        _check_estimator_for_images(estimator)
    if estimator.members != AUTO:
        check_member_count("members", estimator.members)
    if estimator.bidirectional and network not in RECURRENT:
        expected = "rnn, lstm or gru as the argument network"
        raise OptionError("bidirectional", expected, f"{network}", 'network="gru"')
    for name in ("width", "augment", "image_shape"):
        if getattr(estimator, name) is not None and network not in NETWORKS:
            expected = "the argument network to name an image network"
            raise OptionError(name, expected, "none", 'network="convnet"')
    _check_augment(estimator.augment, "augment")


def _check_estimator_for_images(estimator: Any) -> None:
    """Refuse parameters that a network for images does not have, or sets itself."""
    network, options = estimator.network, {name: getattr(estimator, name) for name in SETTLED}
    if not isinstance(estimator.hidden, str) and tuple(estimator.hidden) != HIDDEN:
        hint = "leaving one of them out"
        raise OptionError("hidden", f'either hidden or network="{network}"', "both", hint)
    _check_fixed_options(network, options, lambda name: name, f'network="{network}"')
    if estimator.normalize not in (AUTO, "pixels"):
        expected = f'"auto" with network="{network}", which divides pixels by their range'
        raise OptionError("normalize", expected, repr(estimator.normalize), "leaving it out")
    if estimator.members not in (AUTO, 1):
        expected = f'1 with network="{network}"'
        hint = "leaving one of them out: an ensemble consists of fully connected networks"
        raise OptionError("members", expected, f"{estimator.members}", hint)


def _check_estimator_for_sequences(estimator: Any) -> None:
    """Refuse parameters that a network for sequences does not have."""
    given = f'network="{estimator.network}"'
    for name, usual in (("activation", "relu"), ("batch_norm", False), ("init", None)):
        value = getattr(estimator, name)
        if value != usual:
            hint = f"leaving {name} out"
            raise OptionError(name, f"no value with {given}", f"{value!r}", hint)
    if estimator.network == SUMMARY and not isinstance(estimator.hidden, str):
        raise OptionError("hidden", f'"auto" with {given}', f"{estimator.hidden}", 'network="gru"')
    if estimator.normalize not in (AUTO, "standard", "robust", "none"):
        expected = f'"standard", "robust" or "none" with {given}'
        raise OptionError("normalize", expected, repr(estimator.normalize), "leaving it out")


def _check_augment(text: str | None, where: str = "--augment") -> None:
    if text in (None, AUTO):
        return
    from chainrule.data.augmentation import read_augmentation

    try:
        read_augmentation(text)
    except ChainruleError as error:
        raise error.inside(where) from None


def _check_with(recipe: Recipe) -> None:
    option = f"--network {recipe.network}" if recipe.layers is None else "--layers"
    hint = "leaving one of them out"
    if recipe.reads_sequences:
        _check_with_sequences(recipe, option)
        return
    if recipe.hidden is not None:
        raise OptionError("--hidden", f"either --hidden or {option}", "both", hint)
    if recipe.layers is not None and recipe.network != CUSTOM:
        expected = "either --layers or --network"
        raise OptionError("--layers", expected, f"both, with --network {recipe.network}", hint)
    if recipe.network == CUSTOM:
        _check_layers(recipe.layers)
    if recipe.normalize in ("robust", "piecewise"):
        expected = f"standard, pixels or none with {option}, which is for images"
        raise OptionError("--normalize", expected, recipe.normalize, "leaving --normalize out")
    options = {name: getattr(recipe, name) for name in SETTLED}
    _check_fixed_options(str(recipe.network), options, _flag, option)


def _check_with_sequences(recipe: Recipe, option: str) -> None:
    """Refuse options that a network for sequences does not have."""
    if recipe.layers is not None:
        expected, hint = "either --layers or --network", "leaving one of them out"
        raise OptionError("--layers", expected, f"both, with {option}", hint)
    if recipe.network == SUMMARY and recipe.hidden is not None:
        hint = "--network gru"
        raise OptionError("--hidden", f"no layers with {option}", joined(recipe.hidden), hint)
    defaults = Recipe("")
    for name in ("width", "augment", "precision", "activation", "batch_norm", "init"):
        value = getattr(recipe, name)
        if value != getattr(defaults, name):
            expected = f"no value with {option}"
            raise OptionError(_flag(name), expected, f"{value}", f"leaving {_flag(name)} out")
    if isinstance(recipe.keep_prob, tuple | list):
        got = f"{list(recipe.keep_prob)}"
        raise OptionError("--keep-prob", "one number for all layers", got, "0.8")
    if recipe.normalize not in (None, "standard", "robust", "none"):
        expected = f"standard, robust or none with {option}"
        raise OptionError("--normalize", expected, recipe.normalize, "leaving --normalize out")


def _check_layers(layers: str | None) -> None:
    """Refuse --network custom without --layers, and a list of layers that is not valid."""
    from chainrule.models.custom import read_layers

    if layers is None:
        hint = '--layers "conv 8 3x3, relu, max_pool 2, flatten, dense 10"'
        raise OptionError(f"--network {CUSTOM}", "the layers, given by --layers", "none", hint)
    try:
        read_layers(layers)
    except ChainruleError as error:
        raise error.inside("--layers") from None


def _check_fixed_options(
    network: str, options: Mapping[str, Any], spelling: Callable[[str], str], network_option: str
) -> None:
    """Refuse options that the network determines itself, and lists with a number for each layer."""
    from chainrule.models import zoo

    known = zoo.options_of(network)
    for name, value in options.items():
        if value != SETTLED[name] and (name not in known or isinstance(value, list | tuple)):
            expected = f"no value with {network_option}, which sets it itself"
            if name in known:
                expected = "one number for all layers"
            option = spelling(name)
            raise OptionError(option, expected, f"{value}", f"leaving {option} out")


def _flag(name: str) -> str:
    return options_of(Recipe)[name].flag


def _check_without(recipe: Recipe) -> None:
    for name in ("width", "augment", "precision"):
        if getattr(recipe, name) is not None and recipe.base is None:
            expected, hint = "--network with the name of an image network", "--network convnet"
            raise OptionError(f"--{name}", expected, "none", hint)
