"""The default settings, and the public names of optimisers, costs and metrics.

The optimiser of a recipe or an estimator: its rule, its learning rate and its decay.

    inverse_time        α = α0 / (1 + k · ⌊epoch / n⌋)
    exponential         α = α0 · k^⌊epoch / n⌋
    square_root         α = α0 · k / √(⌊epoch / n⌋ + 1)
    staircase           α = α0 · k^⌊epoch / n⌋
    cosine              α = α0 · (1 + cos(π t / T)) / 2, where T is the number of all steps t
    20:0.01,40:0.001    an explicit schedule: α is 0.01 after 20 epochs and 0.001 after 40

k is the decay rate, and n the number of epochs between two reductions, which is 10 for a staircase
and 1 for the others unless it is set; epochs count from 0.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from chainrule.blocks.costs import logistic_cost, softmax_cost, squared_cost
from chainrule.choices import RULES as VERSIONS
from chainrule.data.batches import default_batch_size, steps_per_epoch
from chainrule.errors import OptionError, did_you_mean
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.optim.momentum import momentum
from chainrule.optim.optimizer import Optimizer
from chainrule.optim.rmsprop import rmsprop
from chainrule.optim.schedules import (
    cosine_decay,
    exponential_decay,
    inverse_time_decay,
    piecewise_constant,
    square_root_decay,
    staircase_decay,
)
from chainrule.optim.transforms import clip_by_norm
from chainrule.train.metrics import (
    accuracy,
    calibrated_logistic_cost,
    calibrated_softmax_cost,
    r2,
)


class Algorithm(NamedTuple):
    """An optimisation algorithm, its default α, and its parameters by the options that set them."""

    make: Callable[..., Optimizer]
    learning_rate: float
    parameters: Mapping[str, str] = MappingProxyType({})


OPTIMIZERS = {
    "adam": Algorithm(adam, 0.002, {"beta": "beta1", "beta2": "beta2", "epsilon": "epsilon"}),
    "momentum": Algorithm(momentum, 0.1, {"beta": "beta1"}),
    "rmsprop": Algorithm(rmsprop, 0.001, {"beta": "beta2", "epsilon": "epsilon"}),
    "gradient_descent": Algorithm(gradient_descent, 0.1),
}
FAST = ("adam", "rmsprop")
"""Optimisers that memorise noise quickly, so that without a dev set they take fewer steps."""
COSTS = {"logistic": logistic_cost, "softmax": softmax_cost, "squared": squared_cost}
JUDGES = {"logistic": calibrated_logistic_cost, "softmax": calibrated_softmax_cost}
METRICS = {"accuracy": accuracy, "r2": r2}


class Rules(NamedTuple):
    """The numbers that decide how a network on rows is trained, unless options do.

    steps           about the number of steps, on the whole training set and on mini-batches
    alone           the factor of `steps_without_dev`, which was measured with a constant α: the
                    mean of a cosine is half of its first α
    epochs          the minimum and maximum number of epochs
    patience        the minimum number of epochs without improvement after which training stops …
    patience_steps  … which take at least this number of steps …
    patience_share  … and are at least this share of all epochs
    stopping_from   the number of training examples from which a network stops early, and from
                    which one without hidden layers does
    decay           the decay of the learning rate
    """

    steps: tuple[int, int]
    alone: int
    epochs: tuple[int, int]
    patience: int
    patience_steps: int
    patience_share: float
    stopping_from: tuple[int, int]
    decay: str


CONSTANT_RATE, CURRENT = VERSIONS
"""The versions of the rules: with a constant α, as runs of earlier versions were trained; now."""
RULES = {
    CONSTANT_RATE: Rules((2000, 2000), 1, (50, 2000), 20, 50, 0.0, (500, 500), "none"),
    CURRENT: Rules((2000, 6000), 2, (100, 4000), 20, 50, 0.05, (0, 500), "cosine"),
}

MOST_WITHOUT_DEV = 2000
"""The maximum number of steps without a dev set."""

IMAGES_BATCH = 64
IMAGES_STEPS = 10_000
IMAGES_EPOCHS = (10, 300)
"""The minimum and maximum number of epochs of a convolutional network, whose steps are slow."""
IMAGES_PATIENCE = 10
IMAGES_LAST_RATE = 0.04
"""The final α as a share of the initial one; α decays exponentially, epoch by epoch."""


SEQUENCES_BATCH, SEQUENCES_MANY = (32, 64), 4000
"""The batch size of a network for sequences, and the examples above which it is the second one."""
SEQUENCES_STEPS = 6000
SEQUENCES_EPOCHS = (15, 150)


def default_epochs(steps_per_epoch: int, rules: Rules, most: int | None = None) -> int:
    """Return the number of epochs that takes about the usual number of steps, or `most` steps.

    >>> rules = RULES[CONSTANT_RATE]
    >>> [default_epochs(n, rules) for n in (1, 28, 900)], default_epochs(1, rules, most=331)
    ([2000, 71, 50], 331)
    """
    fewest, highest = rules.epochs
    steps = rules.steps[steps_per_epoch > 1] if most is None else most
    return max(fewest, min(highest, steps // steps_per_epoch))


def images_epochs(steps_per_epoch: int) -> int:
    """Return the epochs of a convolutional network: 10 to 300, for about 10,000 steps.

    >>> images_epochs(4), images_epochs(200), images_epochs(938)
    (300, 50, 10)
    """
    fewest, most = IMAGES_EPOCHS
    return max(fewest, min(most, IMAGES_STEPS // steps_per_epoch))


def images_decay_rate(epochs: int) -> float:
    """Return k, at least 0.5, so that α0 · k^epoch is 4 % of α0 in the last epoch.

    >>> images_decay_rate(11), images_decay_rate(2), images_decay_rate(1)
    (0.7248, 0.5, 1.0)
    """
    return max(0.5, round(IMAGES_LAST_RATE ** (1 / (epochs - 1)), 4)) if epochs > 1 else 1.0


def default_patience(steps_per_epoch: int, epochs: int, rules: Rules) -> int:
    """Return the number of epochs without improvement after which training stops.

    With a constant α, these are 20 epochs, or as many as take 50 steps if that is more.

    >>> [default_patience(n, 2000, RULES[CONSTANT_RATE]) for n in (1, 2, 28)]
    [50, 25, 20]
    """
    share = round(rules.patience_share * epochs)
    return max(rules.patience, rules.patience_steps // steps_per_epoch, share)


def steps_without_dev(
    m: int, cost: str, hidden: Sequence[int], *, small_outputs: bool = False
) -> int:
    """Return how many steps of Adam or RMSprop to take on m examples without a dev set.

    For classification m steps, about as many as scikit-learn takes. In regression the network would
    memorise noise in the targets, so it takes a quarter of that; a sixth if its outputs
    are small at first, so that it has no random function to unlearn, and more if its last layer is
    narrow, since a step of Adam then changes the outputs less. Without hidden layers the problem is
    convex, and the usual number of steps is taken.

    >>> steps_without_dev(331, "softmax", (64, 32)), steps_without_dev(400, "squared", (64, 32))
    (331, 100)
    """
    if not hidden:
        return MOST_WITHOUT_DEV
    if cost != "squared":
        return min(MOST_WITHOUT_DEV, max(200, m))
    if not small_outputs:
        return min(MOST_WITHOUT_DEV, max(100, m // 4))
    return min(MOST_WITHOUT_DEV, max(60, m // 6, 640 // hidden[-1]))


def default_batch_size_for(m: int, *, kind: str) -> int:
    """Return the default batch size for m examples.

    `kind` is "rows", "images" for a convolutional network, or "sequences".
    """
    if kind == "sequences":
        return SEQUENCES_BATCH[m > SEQUENCES_MANY]
    return IMAGES_BATCH if kind == "images" else default_batch_size(m)


def default_epochs_for(
    m: int,
    batch_size: int,
    cost: str,
    hidden: Sequence[int],
    *,
    kind: str,
    guarded: bool,
    small_outputs: bool = False,
    version: int = CURRENT,
) -> int:
    """Return the default number of epochs.

    `guarded` means that something else limits overfitting, such as early stopping;
    `small_outputs` that the initial network has a smaller last layer than usual.
    """
    steps, rules = steps_per_epoch(m, batch_size), RULES[version]
    if kind == "images":
        return images_epochs(steps)
    if kind == "sequences":
        fewest, most = SEQUENCES_EPOCHS
        return max(fewest, min(most, SEQUENCES_STEPS // steps))
    fewer = rules.alone * steps_without_dev(m, cost, hidden, small_outputs=small_outputs)
    return default_epochs(steps, rules, None if guarded else fewer)


def default_patience_for(
    m: int, batch_size: int, epochs: int, *, kind: str, version: int = CURRENT
) -> int:
    """Return the default number of epochs without improvement after which training stops."""
    if kind == "images":
        return IMAGES_PATIENCE
    return default_patience(steps_per_epoch(m, batch_size), epochs, RULES[version])


def stops_early(m: int, hidden: Sequence[int], *, kind: str, version: int = CURRENT) -> bool:
    """Return whether training on m examples stops early by default if there is a dev set."""
    if kind == "sequences":
        return True
    images = kind == "images"
    with_hidden, without = RULES[CONSTANT_RATE if images else version].stopping_from
    return m >= (with_hidden if images or hidden else without)


def judge_for(cost: str, *, kind: str, version: int = CURRENT) -> Callable | None:
    """Return the dev cost by which training stops early; None for the cost itself.

    For the classes of rows and of sequences it is the cost after calibration, since the
    probabilities are calibrated after training, or averaged over the members of an ensemble.
    """
    return JUDGES.get(cost) if calibrates(version) and kind != "images" else None


def calibrates(version: int) -> bool:
    """Return whether the probabilities of a run with this version of the rules are calibrated."""
    return version > CONSTANT_RATE


def default_decay_for(epochs: int, *, kind: str, version: int = CURRENT) -> dict[str, Any]:
    """Return the default learning rate decay, as options of a recipe."""
    if kind != "images":
        return {"decay": RULES[version].decay}
    return {"decay": "exponential", "decay_rate": images_decay_rate(epochs)}


DECAYS = {
    "inverse_time": inverse_time_decay,
    "exponential": exponential_decay,
    "square_root": square_root_decay,
    "staircase": staircase_decay,
    "cosine": cosine_decay,
}
NO_DECAY = "none"
DECAY_RATES = {"inverse_time": 0.1, "exponential": 0.95, "square_root": 1.0, "staircase": 0.5}
FALLING = ("exponential", "staircase")
"""The kinds of decay with α = α0 · k^…, in which α would increase if k were above 1."""
DECAY_EPOCHS = {"inverse_time": 1, "exponential": 1, "square_root": 1, "staircase": 10}
MOMENTA = {"beta": "a β", "beta2": "a second β", "epsilon": "an ε"}
"""The options that set parameters of some algorithms, with descriptions of these parameters."""


@dataclass(frozen=True)
class OptimizerSettings:
    """The settings of the optimiser, as in a recipe; None means the default, or not used.

    beta          β of momentum, β1 of Adam, β2 of RMSprop
    beta2         β2 of Adam
    epsilon       ε of Adam and RMSprop
    decay_rate    k in the formulas above, which may be an array
    decay_epochs  n in the formulas above
    warm_up       the share of all steps in which α rises linearly at first, with a cosine
    clip_norm     the norm to which a gradient with a larger norm is scaled down
    """

    optimizer: str = "adam"
    learning_rate: Any = None
    beta: Any = None
    beta2: Any = None
    epsilon: Any = None
    decay: str | None = None
    decay_rate: Any = None
    decay_epochs: int | None = None
    warm_up: float | None = None
    clip_norm: Any = None

    def check(self, option: str = "") -> None:
        """Refuse settings that do not belong together; the recipe declares the range of each.

        `option` is a prefix of each name in messages, such as "--".
        """

        def spell(name: str) -> str:
            return option + (name.replace("_", "-") if option else name)

        self._check_decay(spell)
        for name, words in MOMENTA.items():
            if getattr(self, name) is not None and name not in self._algorithm.parameters:
                suited = [one for one, known in OPTIMIZERS.items() if name in known.parameters]
                hint = " or ".join(f"{spell('optimizer')} {one}" for one in suited)
                raise OptionError(spell(name), f"an optimiser with {words}", self.optimizer, hint)
        if self.decay in FALLING and self.decay_rate is not None and self.decay_rate > 1:
            expected = f"a number of at most 1 for {self.decay}, so that the rate decreases"
            raise OptionError(spell("decay_rate"), expected, f"{self.decay_rate!r}", "0.95")

    def _check_decay(self, spell: Any) -> None:
        kind = self.decay
        if isinstance(kind, str) and ":" in kind:
            parse_rates_by_hand(kind, spell("decay"))
        elif kind not in (None, NO_DECAY, *DECAYS):
            expected = (
                "the name of a decay method, or an explicit schedule in the form "
                "EPOCH:RATE,EPOCH:RATE"
            )
            raise OptionError(spell("decay"), expected, repr(kind), did_you_mean(str(kind), DECAYS))
        if self.warm_up and kind != "cosine":
            expected, hint = f"{spell('decay')} cosine", f"{spell('decay')} cosine"
            raise OptionError(spell("warm_up"), expected, kind or "none", hint)
        for name in ("decay_rate", "decay_epochs"):
            if getattr(self, name) is not None and kind not in DECAY_RATES:
                expected = f"a {spell('decay')} that uses it"
                hint = f"{spell('decay')} {next(iter(DECAYS))}"
                raise OptionError(spell(name), expected, kind or "none", hint)

    def make(self, steps_per_epoch: int, epochs: int) -> Optimizer:
        """Return the optimiser for a training run of this length.

        A change of α, β, k or of the length does not recompile the program.
        """
        algorithm = self._algorithm
        rate = algorithm.learning_rate if self.learning_rate is None else self.learning_rate
        given = {
            parameter: value
            for name, parameter in algorithm.parameters.items()
            if (value := getattr(self, name)) is not None
        }
        optimizer = algorithm.make(self._schedule(rate, steps_per_epoch, epochs), **given)
        return optimizer if self.clip_norm is None else clip_by_norm(optimizer, self.clip_norm)

    @property
    def _algorithm(self) -> Algorithm:
        return OPTIMIZERS[self.optimizer]

    def _schedule(self, rate: Any, steps_per_epoch: int, epochs: int) -> Any:
        """Return α, or the schedule of α."""
        if self.decay in (None, NO_DECAY):
            return rate
        if self.decay == "cosine":
            steps = epochs * steps_per_epoch
            return cosine_decay(rate, steps, round((self.warm_up or 0) * steps))
        if ":" in self.decay:
            return piecewise_constant(
                [(0, rate), *parse_rates_by_hand(self.decay)], steps_per_epoch
            )
        k = DECAY_RATES[self.decay] if self.decay_rate is None else self.decay_rate
        n = self.decay_epochs or DECAY_EPOCHS[self.decay]
        if self.decay == "staircase":
            return staircase_decay(rate, n, k, steps_per_epoch)
        return DECAYS[self.decay](rate, k, n * steps_per_epoch)


def parse_rates_by_hand(text: str, where: str = "decay") -> list[tuple[int, float]]:
    """Parse an explicit schedule: learning rates, and the epochs after which they apply.

    >>> parse_rates_by_hand("20:0.01,40:0.001")
    [(20, 0.01), (40, 0.001)]
    """
    try:
        pairs = [
            (int(epoch), float(rate)) for epoch, rate in (p.split(":") for p in text.split(","))
        ]
    except ValueError:
        pairs = []
    epochs = [0, *(epoch for epoch, _ in pairs)]
    rising = all(a < b for a, b in pairwise(epochs))
    if not pairs or not rising or not all(0 < rate < np.inf for _, rate in pairs):
        expected = "EPOCH:RATE,EPOCH:RATE with increasing epochs of at least 1 and rates above 0"
        raise OptionError(where, expected, repr(text), "20:0.01,40:0.001")
    return pairs
