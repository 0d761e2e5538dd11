"""One model, watched and changed while it trains: the notes' panda.

Notes: "Hyperparameters tuning in practice: Pandas vs. Caviar" (course 2, week 3).

Whoever watches a training may hand back a change. It takes effect with the next epoch, without a
new compilation, since α and λ are data of the compiled program; and it is written to the history.
"""

from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import OptionError
from chainrule.optim.optimizer import with_learning_rate
from chainrule.train.penalty import Penalty, check_strength


class Change(NamedTuple):
    """What is to be different from the next epoch on; None stays as it is.

    >>> Change(learning_rate=0.001).said
    {'learning_rate': 0.001}
    """

    learning_rate: float | None = None
    l2: float | None = None
    l1: float | None = None

    @property
    def said(self) -> dict[str, float]:
        """What is not None."""
        return {name: value for name, value in self._asdict().items() if value is not None}

    def then(self, later: "Change") -> "Change":
        """Both; the later word counts."""
        return self._replace(**later.said)

    def check_numbers(self) -> None:
        """Refuse what means nothing."""
        rate = self.learning_rate
        if rate is not None and not 0 < rate < np.inf:
            raise OptionError("learning_rate", "a number above 0", f"{rate:g}", "0.001")
        for name in ("l2", "l1"):
            if (value := getattr(self, name)) is not None:
                check_strength(name, value)

    def check(self, penalty: Penalty | None) -> None:
        """The same, and a λ that the compiled program has no place for."""
        self.check_numbers()
        for name in ("l2", "l1"):
            if getattr(self, name) is not None and getattr(penalty, name, None) is None:
                hint = f"a training that begins with its own {name}, however small"
                raise OptionError(f"a change of {name}", f"a training with {name}", "none", hint)

    def applied(self, state: Any, penalty: Penalty | None) -> tuple[Any, Penalty | None]:
        """The optimiser's state and the penalty with the new numbers."""
        if self.learning_rate is not None:
            state = with_learning_rate(state, self.learning_rate)
        for name in ("l2", "l1"):
            if (value := getattr(self, name)) is not None:
                old = getattr(penalty, name)
                new: Any = np.asarray(value, old.dtype)
                penalty = penalty._replace(**{name: new}) if penalty else None
        return state, penalty
