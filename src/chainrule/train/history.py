"""What happened while a network was trained: its epochs, changes of its course, its signal."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Epoch:
    """One epoch: its number from 1, the mean cost of its steps, the dev set after it.

    `cost` is J before each step, averaged over the epoch, without penalties; `metric` is accuracy
    or R² on the dev set; `gradient_norm` is ‖dθ‖ of its last step; `seconds` since training began.
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

    `changes` says what was changed while it trained, each with the first epoch it was true for;
    `signals` how large everything was on its way through the layers, after some of the epochs.
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

    def lines(self) -> list[dict[str, Any]]:
        """All of it as JSON writes it, in the order of time."""
        epochs = [{k: v for k, v in asdict(e).items() if v is not None} for e in self.epochs]
        order = [*self.changes, *epochs, *self.signals]  # within an epoch
        return sorted(order, key=lambda line: line["epoch"])

    @classmethod
    def from_lines(cls, lines: Iterable[dict[str, Any]]) -> "History":
        """What `lines` gave."""
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
        """One JSON object a line."""
        return "".join(json.dumps(line) + "\n" for line in self.lines())

    @classmethod
    def read(cls, path: Path) -> "History":
        """The file of this text."""
        return cls.from_lines(json.loads(line) for line in path.read_text().splitlines())
