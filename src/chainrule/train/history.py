"""What happened while a network was trained: a line per epoch."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path


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

    `stopped` is "epochs" (all done), "patience" (the dev cost no longer improves), or
    "interrupted" (Ctrl-C).
    """

    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int | None = None
    stopped: str = ""

    @property
    def costs(self) -> list[float]:
        """The cost of each epoch."""
        return [epoch.cost for epoch in self.epochs]

    @property
    def dev_costs(self) -> list[float]:
        """The dev cost after each epoch, where there is a dev set."""
        return [epoch.dev_cost for epoch in self.epochs if epoch.dev_cost is not None]

    def write(self, path: Path) -> None:
        """One JSON object a line."""
        lines = (
            json.dumps({k: v for k, v in asdict(e).items() if v is not None}) for e in self.epochs
        )
        path.write_text("".join(line + "\n" for line in lines))

    @classmethod
    def read(cls, path: Path) -> "History":
        """What `write` wrote."""
        return cls([Epoch(**json.loads(line)) for line in path.read_text().splitlines()])
