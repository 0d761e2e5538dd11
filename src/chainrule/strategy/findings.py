"""What a diagnosis is made of: the error of a part, and one thing that was looked for.

size    of a gap: by how much the later part is worse; of a leak, of wrong labels: their share
found   the interval excludes 0 and the size matters
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Unit = Literal["share", "rmse", "number", "none"]


@dataclass(frozen=True)
class PartError:
    """The error of a part, and the interval that holds the true one in 95 of 100 samples.

    m is None where nobody said how many examples it was counted in: the interval is then a point.
    """

    name: str
    m: int | None
    error: float
    low: float
    high: float


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for: its size, how sure that is, and what the notes advise.

    name    what it is called: see `GRAVITY`
    unit    of size, low and high: "share" in 0 … 1, "rmse" or "number" in units, or "none"
    found   whether it is there, as far as these examples can tell
    words   one sentence that says what was seen
    cures   what to try, in the notes' order; flags are those of `chainrule train`
    """

    name: str
    size: float
    low: float
    high: float
    unit: Unit
    found: bool
    words: str
    cures: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @property
    def sizes(self) -> str:
        """Its size with the interval, as people write it."""
        if self.unit == "none":
            return ""
        size = amount(self.size, self.unit)
        if self.low == self.high:
            return size
        return f"{size} ({amount(self.low, self.unit)} to {amount(self.high, self.unit)})"


BIAS, VARIANCE = "avoidable bias", "variance"
MISMATCH, DEV_OVERFITTING = "data mismatch", "overfitting to the dev set"
GAPS = (BIAS, VARIANCE, MISMATCH, DEV_OVERFITTING)
LEAK, WRONG_LABELS = "leak", "wrong labels"


def amount(value: float, unit: Unit) -> str:
    """An error as people write it: shares in per cent, without a minus before a zero.

    >>> amount(0.0815, "share"), amount(-0.0001, "share"), amount(54.321, "rmse")
    ('8.2 %', '0.0 %', '54.32')
    """
    if unit == "share":
        return f"{100 * value:.1f} %".replace("-0.0 ", "0.0 ").replace("-", "−")
    return f"{value:.4g}".replace("-", "−")
