"""The run and the records that a report shows, and the format of its numbers and names."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.strategy.goal import Goal, goal_for
from chainrule.train.prepare import Data
from chainrule.train.run import Run


class ReportContext(NamedTuple):
    """A run and the records computed from it; a record that is None has no section in the report.

    data          the run's data sets, if they are still available
    ladder        the steps of the ladder, in order
    diagnosis     where the error comes from, and what to do next
    mistakes      the worst mistakes
    saliencies    (n, n_H, n_W) their saliency maps, if the examples are images
    importances   the importance of each input
    pictures      plots that the report embeds: PNG files by name
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
        """Return the goal of the run; by default the best accuracy or R²."""
        return goal_for(self.run.recipe.goal, self.run.door)

    @property
    def metric(self) -> str:
        """Return the metric of the goal, or accuracy or R² if it was not measured."""
        metric = self.goal.metric
        return metric if metric in self.run.results[self.result_set] else self.run.door.metric

    @property
    def result_set(self) -> str:
        """Return the name of the set whose result is the headline: test, else dev, else train."""
        return next(name for name in ("test", "dev", "train") if name in self.run.results)

    @property
    def example_set(self) -> str:
        """Return the name of the set whose examples are shown: dev, so that test stays unseen."""
        return next(name for name in ("dev", "test", "train") if name in self.run.results)


def number(value: Any, most: int = 4) -> str:
    """Return a number in readable form; None is "", and other values are converted to text.

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
    """Return a share in per cent.

    >>> share(0.97222), share(1.0)
    ('97.2 %', '100.0 %')
    """
    return f"{100 * value:.1f} %"


def metric_text(name: str, value: float) -> str:
    """Return a metric with its name for a headline.

    >>> metric_text("accuracy", 0.972), metric_text("r2", 0.46), metric_text("f1", 0.9)
    ('97.2 % accuracy', 'R² 0.460', 'F1 0.900')
    """
    if name == "accuracy":
        return f"{share(value)} accuracy"
    return f"{metric_name(name)} {value:.3f}"


def set_name(name: str) -> str:
    """Return the usual name of a set of examples.

    >>> set_name("train"), set_name("dev")
    ('training set', 'dev set')
    """
    return "training set" if name == "train" else f"{name} set"


def metric_name(name: str) -> str:
    """Return the usual name of a metric.

    >>> metric_name("r2"), metric_name("macro_f1"), metric_name("rmse")
    ('R²', 'macro F1', 'RMSE')
    """
    names = {"r2": "R²", "f1": "F1", "rmse": "RMSE", "mae": "MAE", "auc": "AUC"}
    names |= {"roc": "ROC", "pr": "PR", "brier": "Brier"}
    return " ".join(names.get(word, word) for word in re.split("[_ ]", name))


def count(n: int, what: str) -> str:
    """Return a number with its noun in the singular or plural.

    >>> count(1, "row"), count(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def listed(names: Sequence[object], most: int = 6) -> str:
    """Return the first names, and how many more there are.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    shown = ", ".join(map(str, names[:most]))
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown


def sentence(words: str) -> str:
    """Return a text with its first letter in upper case.

    >>> sentence("more training data"), sentence("L2: --l2 3.5")
    ('More training data', 'L2: --l2 3.5')
    """
    return words[:1].upper() + words[1:]
