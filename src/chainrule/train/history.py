"""The history of a training run: its epochs, changes made during it, and signal measurements."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any, NotRequired, TypedDict

from chainrule.errors import DataError
from chainrule.host.reading import Count, Positive, convert, read_json


@dataclass(frozen=True)
class Epoch:
    """The record of one epoch, counted from 1.

    `cost` is J before each step, averaged over the epoch, without penalties; `dev_cost` and
    `metric` (accuracy or R²) are measured on the dev set after the epoch; `gradient_norm` is ‖dθ‖
    of the last step; `seconds` counts from the start of training.
    """

    epoch: int
    cost: float
    gradient_norm: float
    seconds: float
    dev_cost: float | None = None
    metric: float | None = None


@dataclass
class History:
    """The epochs, the best of them, and why training stopped.

    `changes` holds what was changed during training, each with the first epoch it applied to;
    `signals` the size of activations and gradients in each layer, after some of the epochs. In the
    history of an ensemble, epochs are means over the members, and `members` holds the last record
    of each.
    `stopped` is "epochs" (all done), "patience" (the dev cost no longer improves), or
    "interrupted" (Ctrl-C).
    """

    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int | None = None
    stopped: str = ""
    changes: list[dict[str, Any]] = field(default_factory=list)
    signals: list[dict[str, Any]] = field(default_factory=list)
    members: list[dict[str, Any]] = field(default_factory=list)

    @property
    def costs(self) -> list[float]:
        """The cost of each epoch."""
        return [epoch.cost for epoch in self.epochs]

    @property
    def dev_costs(self) -> list[float]:
        """The dev cost after each epoch, where there is a dev set."""
        return [epoch.dev_cost for epoch in self.epochs if epoch.dev_cost is not None]

    def add_epochs(
        self, records: Any, *, done: int, count: int, now: float, has_dev: bool = True
    ) -> None:
        """Append `count` epochs to the `done` epochs that are already in the history.

        `records` holds an array for each recorded quantity. `now` is the time since the training
        began; the time since the last epoch is divided evenly among the new ones.
        """
        since = self.epochs[-1].seconds if self.epochs else 0.0
        for i in range(count):
            self.epochs.append(
                Epoch(
                    epoch=done + i + 1,
                    cost=float(records.cost[i]),
                    gradient_norm=float(records.gradient_norm[i]),
                    seconds=round(since + (now - since) * (i + 1) / count, 6),
                    dev_cost=float(records.dev_cost[i]) if has_dev else None,
                    metric=float(records.metric[i]) if has_dev else None,
                )
            )

    def lines(self) -> list[dict[str, Any]]:
        """Return all records as plain data for JSON, in chronological order."""
        epochs = [{k: v for k, v in asdict(e).items() if v is not None} for e in self.epochs]
        order = [*self.changes, *epochs, *self.signals, *self.members]  # the order within an epoch
        return sorted(order, key=lambda line: line["epoch"])

    @classmethod
    def from_lines(
        cls, lines: Iterable[Any], best_epoch: int | None = None, stopped: str = ""
    ) -> "History":
        """Restore a history from what `lines` returned, the best epoch, and why training stopped.

        Raises DataError, which names the line, if it is not the history of a training run.
        """
        history = cls(best_epoch=best_epoch, stopped=stopped)
        for number, line in enumerate(lines, 1):
            history._restore(line, f"line {number}")
        last = len(history.epochs)
        if best_epoch is not None and not 1 <= best_epoch <= last:
            expected = f"a best epoch from 1 to {last}"
            raise DataError("the history", expected, f"{best_epoch}")
        return history

    def _restore(self, line: Any, where: str) -> None:
        """Append a line that `lines` returned."""
        if not isinstance(line, dict):
            raise DataError(where, "the record of an epoch", type(line).__name__)
        if "change" in line:
            convert(line, ChangeLine, where)
            self.changes.append(line)
        elif "signal" in line:
            layers = len(convert(line, SignalLine, where)["signal"])
            before = len(self.signals[0]["signal"]) if self.signals else layers
            if layers != before:
                raise DataError(where, f"the signal of {before} layers, as before", f"{layers}")
            self.signals.append(line)
        elif "member" in line:
            self._restore_member(line, where)
        else:
            epoch = convert(line, Epoch, where)
            if epoch.epoch != len(self.epochs) + 1:
                expected = f"epoch {len(self.epochs) + 1}"
                raise DataError(where, expected, f"epoch {epoch.epoch}")
            if not isfinite(epoch.cost):  # which ends a training with an error
                raise DataError(where, "a finite cost", f"{epoch.cost}")
            self.epochs.append(epoch)

    def _restore_member(self, line: Any, where: str) -> None:
        """Add the last record of a member; those of others may be earlier or later in time."""
        member = convert(line, MemberLine, where)["member"]
        if member in (known["member"] for known in self.members):
            raise DataError(where, "one record of each member", f"another one of member {member}")
        self.members = sorted([*self.members, line], key=lambda known: known["member"])

    def text(self) -> str:
        """Return the history as text with one JSON object per line."""
        return "".join(json.dumps(line) + "\n" for line in self.lines())

    @classmethod
    def from_text(cls, text: bytes, best_epoch: int | None = None, stopped: str = "") -> "History":
        """Restore a history from its `text`; the other arguments are those of `from_lines`."""
        lines = text.removesuffix(b"\n").split(b"\n") if text else []
        found = (
            read_json(line, f"line {number}", finite=False) for number, line in enumerate(lines, 1)
        )
        return cls.from_lines(found, best_epoch, stopped)


class ChangeLine(TypedDict):
    """The record of a change, with the first epoch it applied to."""

    epoch: Positive
    change: dict[str, float]


class MemberLine(TypedDict):
    """The last record of a member of an ensemble, its best epoch, and why its training stopped."""

    epoch: Positive
    member: Positive
    cost: float
    stopped: str
    best_epoch: NotRequired[Positive]
    dev_cost: NotRequired[float]
    metric: NotRequired[float]


class LayerSignal(TypedDict):
    """The size of the activations and gradients of a layer, and of W if it has one."""

    A: float
    dA: float
    W: NotRequired[float]
    dW: NotRequired[float]
    update: NotRequired[float]
    dead: NotRequired[float]
    saturated: NotRequired[float]


class SignalLine(TypedDict):
    """The record of the signal in each layer, after an epoch."""

    epoch: Count
    signal: list[LayerSignal]
