"""Change the learning rate or λ of a model during training: the notes' panda approach.

Notes: "Hyperparameters tuning in practice: Pandas vs. Caviar" (course 2, week 3).

The callback on progress may return a change. It takes effect at the start of the next epoch and is
written to the history. Nothing is recompiled, since α and λ are inputs of the compiled program.
"""

from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import OptionError
from chainrule.optim.optimizer import with_learning_rate
from chainrule.train.step import Penalty, check_strength


class Change(NamedTuple):
    """The settings to use from the next epoch on; None leaves the setting unchanged.

    >>> Change(learning_rate=0.001).given_values
    {'learning_rate': 0.001}
    """

    learning_rate: float | None = None
    l2: float | None = None
    l1: float | None = None

    @property
    def given_values(self) -> dict[str, float]:
        """The values that are set, by name."""
        return {name: value for name, value in self._asdict().items() if value is not None}

    def then(self, later: "Change") -> "Change":
        """Combine two changes; where both set a value, the later one counts."""
        return self._replace(**later.given_values)

    def check_numbers(self) -> None:
        """Refuse invalid numbers."""
        rate = self.learning_rate
        if rate is not None and not 0 < rate < np.inf:
            raise OptionError("learning_rate", "a number greater than 0", f"{rate:g}", "0.001")
        for name in ("l2", "l1"):
            if (value := getattr(self, name)) is not None:
                check_strength(name, value)

    def check(self, penalty: Penalty | None) -> None:
        """Refuse invalid numbers, and a new λ if the training was started without that penalty."""
        self.check_numbers()
        for name in ("l2", "l1"):
            if getattr(self, name) is not None and getattr(penalty, name, None) is None:
                hint = f"starting the training with a value of {name}, however small"
                expected = f"a training run with {name}"
                raise OptionError(f"a change of {name}", expected, "none", hint)

    def applied(self, state: Any, penalty: Penalty | None) -> tuple[Any, Penalty | None]:
        """Return the optimiser's state and the penalty with the new values."""
        if self.learning_rate is not None:
            state = with_learning_rate(state, self.learning_rate)
        for name in ("l2", "l1"):
            if (value := getattr(self, name)) is not None:
                old = getattr(penalty, name)
                new: Any = np.asarray(value, old.dtype)
                penalty = penalty._replace(**{name: new}) if penalty else None
        return state, penalty
