"""What a report tells of, and how its numbers are written."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.strategy.goal import Goal, goal_for
from chainrule.train.prepare import Data
from chainrule.train.run import Run


class Told(NamedTuple):
    """A run and the records made of it; what is None has no place in the report.

    data          its parts, where they are still there
    ladder        the rungs that were climbed, one after the other
    diagnosis     where the error comes from, and what to do next
    mistakes      the worst examples
    saliencies    (n, n_H, n_W) of those, where they are pictures
    importances   what each input is worth
    pictures      PNG files by name, of those that are not drawn here
    """

    run: Run
    data: Data | None = None
    ladder: Sequence[Mapping[str, Any]] = ()
    diagnosis: Any = None
    mistakes: Any = None
    saliencies: np.ndarray | None = None
    importances: Any = None
    pictures: Mapping[str, bytes] = {}

    @property
    def goal(self) -> Goal:
        """What was to be best; accuracy or R² where nobody said."""
        return goal_for(self.run.recipe.goal, self.run.door)

    @property
    def metric(self) -> str:
        """The number that counts; accuracy or R² where the goal's was not measured."""
        metric = self.goal.metric
        return metric if metric in self.run.results[self.judged] else self.run.door.metric

    @property
    def judged(self) -> str:
        """The part that the result is told of: the last one that was held out."""
        return next(name for name in ("test", "dev", "train") if name in self.run.results)

    @property
    def looked_at(self) -> str:
        """The part whose examples are looked at: dev, so that the test part stays unseen."""
        return next(name for name in ("dev", "test", "train") if name in self.run.results)


def number(value: Any, most: int = 4) -> str:
    """A number as people write it; what is none stays as it is.

    >>> number(1797), number(0.123456), number(1234.5), number(1.0), number(None), number("a")
    ('1,797', '0.1235', '1,234', '1', '', 'a')
    """
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{most}g}"


def share(value: float) -> str:
    """A share in per cent.

    >>> share(0.97222), share(1.0)
    ('97.2 %', '100.0 %')
    """
    return f"{100 * value:.1f} %"


def metric_words(name: str, value: float) -> str:
    """A metric with its name, as a headline says it.

    >>> metric_words("accuracy", 0.972), metric_words("r2", 0.46), metric_words("f1", 0.9)
    ('97.2 % right', 'R² 0.460', 'F1 0.900')
    """
    if name == "accuracy":
        return f"{share(value)} right"
    return f"{metric_name(name)} {value:.3f}"


def metric_name(name: str) -> str:
    """As people write it.

    >>> metric_name("r2"), metric_name("macro_f1"), metric_name("rmse")
    ('R²', 'macro F1', 'RMSE')
    """
    words = {"r2": "R²", "f1": "F1", "rmse": "RMSE", "mae": "MAE", "auc": "AUC"}
    words |= {"roc": "ROC", "pr": "PR", "brier": "Brier"}
    return " ".join(words.get(word, word) for word in re.split("[_ ]", name))


def count(n: int, what: str) -> str:
    """How many of them.

    >>> count(1, "row"), count(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def listed(names: Sequence[object], most: int = 6) -> str:
    """The first names, and how many more there are.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    shown = ", ".join(map(str, names[:most]))
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown


def sentence(words: str) -> str:
    """Words as a sentence begins.

    >>> sentence("more training data"), sentence("L2: --l2 3.5")
    ('More training data', 'L2: --l2 3.5')
    """
    return words[:1].upper() + words[1:]
