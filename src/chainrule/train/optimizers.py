"""The optimiser of a recipe or an estimator: its rule, its learning rate and its decay.

    inverse_time        α = α0 / (1 + k · epoch)
    exponential         α = α0 · k^epoch
    square_root         α = α0 · k / √(epoch + 1)
    staircase           α = α0 · k^⌊epoch / n⌋
    20:0.01,40:0.001    by hand: α is 0.01 after 20 epochs and 0.001 after 40

k is the decay rate, n the epochs between two steps of the staircase; epochs count from 0.
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
"""The kinds with α = α0 · k^…, which would increase if k were above 1."""
DECAY_EPOCHS = 10


@dataclass(frozen=True)
class Descent:
    """The settings of the optimiser, as in a recipe; None is chainrule's choice, or none.

    beta          β of momentum, β1 of Adam, β2 of RMSprop
    decay_rate    k in the formulas above, which may be an array
    decay_epochs  n of the staircase
    clip_norm     the norm to which a gradient with a larger norm is scaled down
    """

    optimizer: str = "adam"
    learning_rate: Any = None
    beta: Any = None
    decay: str | None = None
    decay_rate: Any = None
    decay_epochs: int | None = None
    clip_norm: Any = None

    def check(self, option: str = "", *, rate: str = "0.001") -> None:
        """Refuse invalid settings; `option` is a prefix of each name in messages, such as "--"."""

        def spell(name: str) -> str:
            return option + (name.replace("_", "-") if option else name)

        check_choice(spell("optimizer"), self.optimizer, OPTIMIZERS)
        for name, above, below, words, hint in (
            ("learning_rate", 0, np.inf, "a number greater than 0", rate),
            ("beta", -1e-300, 1, "a number of at least 0 and less than 1", "0.9"),
            ("decay_rate", 0, np.inf, "a number greater than 0", "0.95"),
            ("clip_norm", 0, np.inf, "a number greater than 0", "1"),
        ):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and above < value < below):
                raise OptionError(spell(name), words, f"{value!r}", hint)
        n = self.decay_epochs
        if n is not None and not (isinstance(n, int) and n is not True and n > 0):
            raise OptionError(spell("decay_epochs"), "a whole number of at least 1", f"{n!r}", "10")
        self._check_decay(spell)
        if self.beta is not None and self.optimizer not in BETAS:
            hint = f"{spell('optimizer')} momentum"
            raise OptionError(spell("beta"), "an optimiser with a β", self.optimizer, hint)

        if self.decay in FALLING and self.decay_rate is not None and self.decay_rate > 1:
            expected = f"a number of at most 1 for {self.decay}, so that the rate decreases"
            raise OptionError(spell("decay_rate"), expected, f"{self.decay_rate!r}", "0.95")

    def _check_decay(self, spell: Any) -> None:
        kind = self.decay
        if isinstance(kind, str) and ":" in kind:
            by_hand(kind, spell("decay"))
        elif kind is not None and kind not in DECAYS:
            expected = "a kind of decay, or a schedule by hand as EPOCH:RATE,EPOCH:RATE"
            raise OptionError(spell("decay"), expected, repr(kind), did_you_mean(kind, DECAYS))
        for name, kinds in (("decay_rate", DECAYS), ("decay_epochs", ["staircase"])):
            if getattr(self, name) is not None and kind not in kinds:
                expected = f"a {spell('decay')} that uses it"
                hint = f"{spell('decay')} {next(iter(kinds))}"
                raise OptionError(spell(name), expected, kind or "none", hint)

    def make(self, steps_per_epoch: int) -> Optimizer:
        """Return the optimiser; a change of α, β or k does not recompile the program."""
        rate = LEARNING_RATES[self.optimizer] if self.learning_rate is None else self.learning_rate
        momenta = {} if self.beta is None else {BETAS[self.optimizer]: self.beta}
        optimizer = OPTIMIZERS[self.optimizer](self._schedule(rate, steps_per_epoch), **momenta)
        return optimizer if self.clip_norm is None else clip_by_norm(optimizer, self.clip_norm)

    def _schedule(self, rate: Any, steps_per_epoch: int) -> Any:
        """Return α, or the schedule of α."""
        if self.decay is None:
            return rate
        if ":" in self.decay:
            return piecewise_constant([(0, rate), *by_hand(self.decay)], steps_per_epoch)
        k = DECAY_RATES[self.decay] if self.decay_rate is None else self.decay_rate
        if self.decay == "staircase":
            return staircase_decay(rate, self.decay_epochs or DECAY_EPOCHS, k, steps_per_epoch)
        return DECAYS[self.decay](rate, k, steps_per_epoch)


def by_hand(text: str, where: str = "decay") -> list[tuple[int, float]]:
    """Parse learning rates by hand, each with the number of epochs after which it applies.

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
        expected = "EPOCH:RATE,EPOCH:RATE with increasing epochs of at least 1 and rates above 0"
        raise OptionError(where, expected, repr(text), "20:0.01,40:0.001")
    return pairs


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
