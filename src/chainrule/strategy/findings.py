"""The elements of a diagnosis: the error of a set, and a problem that was looked for.

size    of a gap: how much worse the second set is; of a leak or of wrong labels: their share
found   whether the confidence interval excludes 0 and the size matters
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Unit = Literal["share", "rmse", "number", "none"]


@dataclass(frozen=True)
class PartError:
    """The error of a set with its 95 % confidence interval.

    m is the number of examples; where it is not known (None) the interval is a point.
    """

    name: str
    m: int | None
    error: float
    low: float
    high: float


@dataclass(frozen=True)
class Finding:
    """A problem that was looked for: its size with a 95 % confidence interval, and the remedies.

    name    the problem, such as "variance" or "leak"
    unit    of size, low and high: "share" in 0 … 1, "rmse" or "number" in units, or "none"
    found   whether the problem is there, as far as these examples show
    words   a sentence that describes the evidence
    cures   remedies, in the order of the course notes; flags are those of `chainrule train`
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
        """Return plain data for JSON."""
        return asdict(self)

    @property
    def sizes(self) -> str:
        """Return the size with its confidence interval as text."""
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
    """Format an error: shares in per cent, without a minus sign before a zero.

    >>> amount(0.0815, "share"), amount(-0.0001, "share"), amount(54.321, "rmse")
    ('8.2 %', '0.0 %', '54.32')
    """
    if unit == "share":
        return f"{100 * value:.1f} %".replace("-0.0 ", "0.0 ").replace("-", "−")
    return f"{value:.4g}".replace("-", "−")
