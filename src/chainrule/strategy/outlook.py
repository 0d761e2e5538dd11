"""What the errors at several sizes say of a size that is twice as large, with intervals.

    e (P,)   mean dev error at each of P sizes, over rows and seeds
    C (P,P)  its covariance: (1/n) that of the rows' errors, which all sizes share,
             and on the diagonal the spread of the seeds over their number

An interval is the middle 95 % of what is found when e is drawn anew from a normal distribution of
this mean and covariance, and the law fitted to each draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from chainrule.strategy.power_law import fit_power_law
from chainrule.strategy.shares import Z, wilson

DRAWS = 400
LEAST = 1e-9
MATTERS = 0.1
"""A tenth less error is worth more data, or a larger network."""
SURELY = 0.03
"""It is believed where the gain is hardly less than this share."""
HARDLY = 0.05
"""And not worth it where the gain is hardly more than this."""


class Measured(NamedTuple):
    """Errors at P sizes: `shown` is train, dev, low, high; e and C as above, squares for RMSE."""

    shown: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    e: np.ndarray
    C: np.ndarray
    percent: bool


@dataclass(frozen=True)
class Outlook:
    """The error now and at twice the size, the gain between them, and whether it pays.

    pays  "yes": a tenth of the error or more; "no": hardly a twentieth; else "unsure"
    """

    what: str
    size: str
    now: float
    then: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    pays: str

    def words(self, percent: bool) -> str:
        """In a sentence or two."""
        if self.now == 0:
            return f"{self.what}: the dev part holds no error that could fall."
        name = "error" if percent else "RMSE"
        bring = f"{self.what} ({self.size}) would bring the dev {name}"
        ends = interval(self.low, self.high)
        said = f"{bring} from {self.now:.3g} to about {self.then:.3g} {ends}."
        return f"{said}\n{VERDICTS[self.what, self.pays]}"


TWICE, WIDER = "Twice the data", "A network twice as wide"
VERDICTS = {
    (TWICE, "yes"): "More data would pay.",
    (TWICE, "no"): "More data of this kind would hardly pay.",
    (TWICE, "unsure"): "Whether more data would pay, these sizes cannot tell.",
    (WIDER, "yes"): "A larger network would pay.",
    (WIDER, "no"): "A wider network would hardly pay.",
    (WIDER, "unsure"): "Whether a wider network would pay, this dev part cannot tell.",
}


def measured(
    places: Sequence[tuple[list[float], list[np.ndarray]]],
    weights: np.ndarray | None,
    percent: bool,
) -> Measured:
    """From the errors at each place: for each seed the train error and that of each dev row."""
    train = np.array([np.mean(train) for train, _ in places])
    by_seed = np.array([dev for _, dev in places])  # (P, seeds, n)
    w = np.ones(by_seed.shape[2]) if weights is None else weights.astype(np.float64)
    w = w / w.sum()
    means = by_seed @ w
    e, K = means.mean(axis=1), means.shape[1]
    off = (by_seed.mean(axis=1) - e[:, None]) * w
    C = off @ off.T + np.diag((spread(means) * e) ** 2 / K)
    low, high = ends_of(e, C, 1 / float(w @ w), percent)
    if percent:
        return Measured((train, e, low, high), e, C, percent)
    return Measured((np.sqrt(train), np.sqrt(e), low, high), e, C, percent)


def spread(means: np.ndarray) -> float:
    """The standard deviation of seeds, as a share of the error; one for all sizes (P, seeds)."""
    wrong = means[means.mean(axis=1) > 0]
    if means.shape[1] < 2 or not len(wrong):
        return 0.0
    return float(np.sqrt(np.mean(wrong.var(axis=1, ddof=1) / wrong.mean(axis=1) ** 2)))


def ends_of(e, C, n: float, percent: bool) -> tuple[np.ndarray, np.ndarray]:
    """The interval of each dev error: Wilson's for shares, of as many rows as the noise says."""
    variance = np.diag(C)
    if not percent:
        reach = Z * np.sqrt(variance)
        return np.sqrt(np.maximum(e - reach, 0)), np.sqrt(e + reach)
    pairs = []
    for p, v in zip(e, variance, strict=True):
        worth = min(n, p * (1 - p) / v) if v > 0 else n
        pairs.append(wilson(float(p), worth))
    low, high = np.array(pairs).T
    return low, high


def drawn(found: Measured) -> np.ndarray:
    """Errors (DRAWS, P) as they might have come out; roots of squares where they are RMSE."""
    rng = np.random.default_rng(0)
    draws = np.maximum(rng.multivariate_normal(found.e, found.C, DRAWS, method="eigh"), 0)
    return draws if found.percent else np.sqrt(draws)


def twice(found: Measured, sizes: Sequence[int]) -> Outlook:
    """What twice the largest training set would bring: the law says to which share it falls."""
    m, e, draws = np.array(sizes, float), found.shown[1], drawn(found)
    noise = np.maximum(draws.std(axis=0), max(LEAST, 0.02 * float(e.max())))
    falls = []
    for rows in (e[None], draws):
        law = fit_power_law(m, rows, noise)
        falls.append(law.at(2 * m[-1]) / np.maximum(law.at(m[-1]), LEAST))
    now, thens = float(e[-1]), draws[:, -1] * falls[1]
    size = f"{2 * sizes[-1]:,} examples"
    return outlook(TWICE, size, now, now * float(falls[0][0]), thens, draws[:, -1] - thens)


def wider(found: Measured, widths: Sequence[float]) -> Outlook | None:
    """What twice the width brings, measured; None where it or the width as it is was not."""
    if not {1.0, 2.0} <= set(widths):
        return None
    one, two = widths.index(1.0), widths.index(2.0)
    draws, e = drawn(found), found.shown[1]
    gains = draws[:, one] - draws[:, two]
    return outlook(WIDER, "measured", float(e[one]), float(e[two]), draws[:, two], gains)


def outlook(what: str, size: str, now: float, then: float, thens, gains) -> Outlook:
    """With the middle 95 % of the draws, and what they say."""
    low, high = np.percentile(thens, (2.5, 97.5))
    gain_low, gain_high = np.percentile(gains, (2.5, 97.5))
    pays = "unsure"
    if now > 0 and gain_high < HARDLY * now:
        pays = "no"
    elif now > 0 and gain_low >= SURELY * now and now - then >= MATTERS * now:
        pays = "yes"
    ends = (float(low), float(high)), (float(gain_low), float(gain_high))
    return Outlook(what, size, now, then, *ends[0], now - then, *ends[1], pays)


def interval(low: float, high: float) -> str:
    """Both ends with as many decimals as the upper one needs for two digits.

    >>> interval(0.0641, 0.0777), interval(47.3, 67.9), interval(0, 0)
    ('(0.064 to 0.078)', '(47 to 68)', '(0.00 to 0.00)')
    """
    decimals = int(np.clip(1 - np.floor(np.log10(high)), 0, 4)) if high > 0 else 2
    return f"({low:.{decimals}f} to {high:.{decimals}f})"
