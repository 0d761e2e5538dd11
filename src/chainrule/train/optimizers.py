"""The optimiser that a recipe or an estimator speaks of: its rule, its rate, how that decays.

    inverse_time        α = α0 / (1 + k · epoch)
    exponential         α = α0 · k^epoch
    square_root         α = α0 · k / √(epoch + 1)
    staircase           α = α0 · k^⌊epoch / n⌋
    20:0.01,40:0.001    by hand: α after so many epochs

k is the decay's rate, n the epochs between two steps of the staircase; epochs count from 0.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.errors import OptionError, check_choice, did_you_mean
from chainrule.optim.clipping import clip_by_norm
from chainrule.optim.optimizer import Optimizer
from chainrule.optim.schedules import (
    exponential_decay,
    inverse_time_decay,
    piecewise_constant,
    square_root_decay,
    staircase_decay,
)
from chainrule.train.defaults import LEARNING_RATES, OPTIMIZERS

BETAS = {"momentum": "beta1", "rmsprop": "beta2", "adam": "beta1"}
DECAYS = {
    "inverse_time": inverse_time_decay,
    "exponential": exponential_decay,
    "square_root": square_root_decay,
    "staircase": staircase_decay,
}
DECAY_RATES = {"inverse_time": 0.1, "exponential": 0.95, "square_root": 1.0, "staircase": 0.5}
FALLING = ("exponential", "staircase")
"""Those with α = α0 · k^…, which rises where k is above 1."""
DECAY_EPOCHS = 10


@dataclass(frozen=True)
class Descent:
    """How θ moves: the words of a recipe; None is what chainrule chooses, or nothing.

    beta          β of momentum, β1 of Adam, β2 of RMSprop
    decay_rate    k above, which may be an array
    decay_epochs  n of the staircase
    clip_norm     the length to which a longer gradient is brought
    """

    optimizer: str = "adam"
    learning_rate: Any = None
    beta: Any = None
    decay: str | None = None
    decay_rate: Any = None
    decay_epochs: int | None = None
    clip_norm: Any = None

    def check(self, option: str = "", *, rate: str = "0.001") -> None:
        """Refuse what means nothing; `option` stands before each name, such as "--"."""

        def named(name: str) -> str:
            return option + (name.replace("_", "-") if option else name)

        check_choice(named("optimizer"), self.optimizer, OPTIMIZERS)
        for name, above, below, words, hint in (
            ("learning_rate", 0, np.inf, "a number above 0", rate),
            ("beta", -1e-300, 1, "a number from 0 to below 1", "0.9"),
            ("decay_rate", 0, np.inf, "a number above 0", "0.95"),
            ("clip_norm", 0, np.inf, "a number above 0", "1"),
        ):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and above < value < below):
                raise OptionError(named(name), words, f"{value!r}", hint)
        n = self.decay_epochs
        if n is not None and not (isinstance(n, int) and n is not True and n > 0):
            raise OptionError(named("decay_epochs"), "a whole number above 0", f"{n!r}", "10")
        self._check_decay(named)
        if self.beta is not None and self.optimizer not in BETAS:
            hint = f"{named('optimizer')} momentum"
            raise OptionError(named("beta"), "an optimiser with a β", self.optimizer, hint)

        if self.decay in FALLING and self.decay_rate is not None and self.decay_rate > 1:
            expected = f"a number up to 1 for {self.decay}, which multiplies by it"
            raise OptionError(named("decay_rate"), expected, f"{self.decay_rate!r}", "0.95")

    def _check_decay(self, named: Any) -> None:
        kind = self.decay
        if isinstance(kind, str) and ":" in kind:
            by_hand(kind, named("decay"))
        elif kind is not None and kind not in DECAYS:
            expected = "one of its kinds, or EPOCH:RATE,EPOCH:RATE by hand"
            raise OptionError(named("decay"), expected, repr(kind), did_you_mean(kind, DECAYS))
        for name, kinds in (("decay_rate", DECAYS), ("decay_epochs", ["staircase"])):
            if getattr(self, name) is not None and kind not in kinds:
                expected = f"a {named('decay')} that has one"
                hint = f"{named('decay')} {next(iter(kinds))}"
                raise OptionError(named(name), expected, kind or "none", hint)

    def make(self, steps_per_epoch: int) -> Optimizer:
        """The optimiser; another rate, β or λ is not another program."""
        rate = LEARNING_RATES[self.optimizer] if self.learning_rate is None else self.learning_rate
        momenta = {} if self.beta is None else {BETAS[self.optimizer]: self.beta}
        optimizer = OPTIMIZERS[self.optimizer](self._schedule(rate, steps_per_epoch), **momenta)
        return optimizer if self.clip_norm is None else clip_by_norm(optimizer, self.clip_norm)

    def _schedule(self, rate: Any, steps_per_epoch: int) -> Any:
        """α, or the schedule that gives it."""
        if self.decay is None:
            return rate
        if ":" in self.decay:
            return piecewise_constant([(0, rate), *by_hand(self.decay)], steps_per_epoch)
        k = DECAY_RATES[self.decay] if self.decay_rate is None else self.decay_rate
        if self.decay == "staircase":
            return staircase_decay(rate, self.decay_epochs or DECAY_EPOCHS, k, steps_per_epoch)
        return DECAYS[self.decay](rate, k, steps_per_epoch)


def by_hand(text: str, where: str = "decay") -> list[tuple[int, float]]:
    """Rates by hand, each with the number of epochs after which it holds.

    >>> by_hand("20:0.01,40:0.001")
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
        expected = "EPOCH:RATE,EPOCH:RATE with rising epochs from 1 on and rates above 0"
        raise OptionError(where, expected, repr(text), "20:0.01,40:0.001")
    return pairs


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
