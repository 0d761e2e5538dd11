"""What the notes advise against each trouble, in their order, fitted to what the run already does.

Notes: "Improving your model performance" (course 3, week 1), "Addressing data mismatch" (course 3,
week 2), "Basic recipe for machine learning" (course 2, week 1).

    avoidable bias   a bigger network; longer, or a better optimiser; another architecture
    variance         more data; regularisation (L2, dropout, augmentation); another architecture
    data mismatch    look at what differs; training data more like the dev set, also synthetic
    dev overfitting  a bigger dev set

What a run does already is left out or turned: with λ > 0 a bias asks for less of it, first of all.
What the ladder searched (λ, the hidden layers, dropout from many inputs on; of pictures the network
and its augmentation) is not advised again, and what one step does no other undoes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from chainrule.models.zoo import options_of
from chainrule.strategy.findings import (
    BIAS,
    DEV_OVERFITTING,
    LEAK,
    MISMATCH,
    VARIANCE,
    WRONG_LABELS,
)
from chainrule.strategy.rungs import MANY_INPUTS
from chainrule.strategy.sizes import bigger, bigger_network, smaller, smaller_network
from chainrule.train.history import History
from chainrule.train.network_options import augments
from chainrule.train.run import Run

WON = 0.02
"""Of the cost, still won in the last tenth of the epochs: more of them would help."""
FEATURES = "features that tell more: what people look at to know the answer"
ANOTHER = "another architecture or other hyperparameters: chainrule tune"
LOOSER = (
    "less regularisation",
    "less augmentation",
    "a bigger network",
    "train longer",
    "more of the layers trained",
)
TIGHTER = (
    "L2",
    "dropout",
    "augmentation: --",
    "a smaller network",
    "early stopping",
    "fewer of the layers trained",
)


@dataclass(frozen=True)
class Does:
    """What a run does already; the defaults are of numbers typed in, of which nothing is known.

    unfinished  the cost still fell at the end
    ended       dev was at its best before the end, so that more epochs bring nothing
    retrain     which layers of another run it trains, where it took some over (transfer)
    searched    what the ladder tried: "l2", "hidden", "keep_prob", "augment"
    network     one of the zoo by its name; width, by which its channels are multiplied
    augments    its pictures are changed at each step
    """

    hidden: tuple[int, ...] | None = None
    l2: float = 0.0
    l1: float = 0.0
    keep_prob: float = 1.0
    epochs: int | None = None
    unfinished: bool | None = None
    ended: bool | None = None
    adam: bool = False
    pictures: bool = True
    retrain: str | None = None
    searched: frozenset[str] = frozenset()
    network: str | None = None
    augments: bool = False
    width: float = 1.0

    @property
    def drops(self) -> bool:
        """Whether it has units that dropout can leave out."""
        if self.network is not None:
            return "keep_prob" in options_of(self.network)
        return self.hidden != ()

    @classmethod
    def of(cls, run: Run) -> "Does":
        """From its recipe and its history."""
        recipe, history = run.recipe, run.history
        keep = recipe.keep_prob
        return cls(
            recipe.layers if recipe.network is None else None,
            recipe.l2,
            recipe.l1,
            min(keep, default=1.0) if isinstance(keep, tuple) else keep,
            len(history.epochs),
            history.stopped != "patience" and still_learns(history),
            history.stopped == "patience" or not best_is_late(history),
            recipe.optimizer == "adam",
            len(run.door.shape) > 1,
            recipe.retrain,
            searched(run),
            recipe.network,
            augments(recipe),
            recipe.width or 1.0,
        )


def searched(run: Run) -> frozenset[str]:
    """What the ladder tried, where it was climbed."""
    if not run.facts.get("ladder"):
        return frozenset()
    if run.recipe.network is not None:
        return frozenset(("hidden", "augment"))
    return frozenset(("l2", "hidden", *(("keep_prob",) if run.door.n_x >= MANY_INPUTS else ())))


def still_learns(history: History) -> bool:
    """Whether the last tenth of the epochs still won a share of the cost, and was the best on dev.

    Fewer than ten epochs are too few to have learned all there is.
    """
    costs = history.costs
    if len(costs) < 10:
        return True
    return best_is_late(history) and costs[-1] < (1 - WON) * costs[-len(costs) // 10 - 1]


def best_is_late(history: History) -> bool:
    """Whether dev was still getting better at the end, or there was none."""
    return history.best_epoch is None or history.best_epoch > 0.9 * len(history.epochs)


UNKNOWN = Does()


def cures(name: str, does: Does = UNKNOWN) -> tuple[str, ...]:
    """In the order in which to try them; the first ones are what this run can do at once."""
    return tuple(cure for cure in CURES[name](does) if cure)


def agreeing(chosen: tuple[str, ...], offered: Iterable[str], most: int) -> tuple[str, ...]:
    """The chosen steps and up to `most` of those offered: none twice, none that another undoes."""
    full = len(chosen) + most
    for step in offered:
        undone = any(pull(step) * pull(one) < 0 for one in chosen)
        if len(chosen) < full and step not in chosen and not undone:
            chosen = (*chosen, step)
    return chosen


def pull(step: str) -> int:
    """1 where it lets a network follow its examples more closely, −1 where less, or 0.

    >>> pull("L2: --l2 18"), pull("less regularisation: --l2 0.18"), pull("more training data")
    (-1, 1, 0)
    """
    return step.startswith(LOOSER) - step.startswith(TIGHTER)


def _bias(does: Does) -> tuple[str, ...]:
    longer = "" if does.ended else f"train longer{_flag('epochs', _times(does.epochs, 4))}"
    optimiser = "" if does.adam else "a better optimiser: --optimizer adam"
    loosens = does.augments and "augment" not in does.searched
    first = ("" if "l2" in does.searched else _less(does), longer if does.unfinished else "")
    rest = (
        _more_room(does),
        "less augmentation: --augment none" if loosens else "",
        "" if does.unfinished else longer,
        optimiser,
        FEATURES if does.searched and not does.pictures else "",
        ANOTHER,
    )
    return (*first, *rest)


def _variance(does: Does) -> tuple[str, ...]:
    dropout = does.drops and "keep_prob" not in does.searched
    return (
        "more training data",
        "" if "l2" in does.searched else f"L2: --l2 {10 * does.l2 or 1:.2g}",
        f"dropout: --keep-prob {_lower(does.keep_prob):g}" if dropout else "",
        _augmentation(does),
        _less_room(does) if does.hidden != () else "",
        "early stopping: --early-stopping" if does.ended is False else "",
        ANOTHER,
    )


def _mismatch(does: Does) -> tuple[str, ...]:
    return (
        "error analysis: chainrule errors RUN, and see in what dev differs from the training data",
        "more training data like the dev set",
        "synthesis: the same noise, light or blur laid over the training data",
    )


def _dev_overfitting(does: Does) -> tuple[str, ...]:
    return (
        "a bigger dev set",
        "fewer choices made by the dev set: other hyperparameters and seeds, each looked at on dev",
    )


def _leak(does: Does) -> tuple[str, ...]:
    return (
        "leaving out what tells the answer, and training again: "
        "until then no error of this run means anything",
    )


def _wrong_labels(does: Does) -> tuple[str, ...]:
    return (
        "a look at the suspects: chainrule errors RUN --suspects",
        "labels put right in dev and test in the same way, right answers looked at too",
        *(cure for cure in _variance(does) if cure.startswith(("L2", "early"))),
    )


CURES: dict[str, Callable[[Does], tuple[str, ...]]] = {
    BIAS: _bias,
    VARIANCE: _variance,
    MISMATCH: _mismatch,
    DEV_OVERFITTING: _dev_overfitting,
    LEAK: _leak,
    WRONG_LABELS: _wrong_labels,
}


def _less(does: Does) -> str:
    """Less regularisation, where there is some."""
    flags = [
        f"--{name} {strength / 10:.2g}"
        for name, strength in (("l2", does.l2), ("l1", does.l1))
        if strength
    ]
    flags += ["--keep-prob 1"] if does.keep_prob < 1 else []
    return f"less regularisation: {' '.join(flags)}" if flags else ""


def _augmentation(does: Does) -> str:
    """What makes more of few pictures; only a network of images does so."""
    if does.network is None:
        return "augmentation: pictures turned, cut or mirrored" if does.pictures else ""
    return "" if does.augments or "augment" in does.searched else "augmentation: --augment auto"


def _more_room(does: Does) -> str:
    """A bigger network; layers that were taken over have their size, but more of them can train."""
    if "hidden" in does.searched:
        return ""
    if does.retrain is None and does.network is not None:
        return f"a bigger network{_flag(*bigger_network(does.network, does.width))}"
    if does.retrain is None:
        return f"a bigger network{_flag('hidden', bigger(does.hidden))}"
    if does.retrain == "all":
        return "a bigger network: without --from, or from a bigger one"
    return "more of the layers trained: --retrain all"


def _less_room(does: Does) -> str:
    """A smaller network, or fewer of the layers that were taken over."""
    if "hidden" in does.searched:
        return ""
    if does.retrain is None and does.network is not None:
        return f"a smaller network{_flag(*smaller_network(does.network, does.width))}"
    if does.retrain is None:
        return f"a smaller network{_flag('hidden', smaller(does.hidden))}"
    return "" if does.retrain == "last" else "fewer of the layers trained: --retrain last"


def _lower(keep_prob: float) -> float:
    """Twice as many units left out, half of them at most."""
    return max(0.5, 0.8 if keep_prob == 1 else 2 * keep_prob - 1)


def _flag(name: str, value: str) -> str:
    return f": --{name} {value}" if value else ""


def _times(epochs: int | None, factor: int) -> str:
    return "" if epochs is None else str(factor * epochs)
