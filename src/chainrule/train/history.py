"""The history of a training run: its epochs, changes made during it, and signal measurements."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


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
    `signals` the size of activations and gradients in each layer, after some of the epochs.
    `stopped` is "epochs" (all done), "patience" (the dev cost no longer improves), or
    "interrupted" (Ctrl-C).
    """

    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int | None = None
    stopped: str = ""
    changes: list[dict[str, Any]] = field(default_factory=list)
    signals: list[dict[str, Any]] = field(default_factory=list)

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
        order = [*self.changes, *epochs, *self.signals]  # the order within an epoch
        return sorted(order, key=lambda line: line["epoch"])

    @classmethod
    def from_lines(cls, lines: Iterable[dict[str, Any]]) -> "History":
        """Restore a history from what `lines` returned."""
        history = cls()
        for line in lines:
            if "change" in line:
                history.changes.append(line)
            elif "signal" in line:
                history.signals.append(line)
            else:
                history.epochs.append(Epoch(**line))
        return history

    def text(self) -> str:
        """Return the history as text with one JSON object per line."""
        return "".join(json.dumps(line) + "\n" for line in self.lines())

    @classmethod
    def read(cls, path: Path) -> "History":
        """Read a history from the file that holds its `text`."""
        return cls.from_lines(json.loads(line) for line in path.read_text().splitlines())
