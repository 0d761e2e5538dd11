"""Predict the error at twice the size from the errors at several sizes, with intervals.

    e (P,)   mean dev error at each of P sizes, over rows and seeds
    C (P,P)  its covariance: (1/n) that of the errors of the rows, which all sizes share,
             plus, on the diagonal, the variance over the seeds divided by their number

An interval is the middle 95 % of the predictions when e is drawn many times from a normal
distribution with this mean and covariance and the power law is fitted to each draw.
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
"""Twice the size is worthwhile only if it reduces the error by at least this share."""
MATTERS_AT_LEAST = 0.03
"""It is worthwhile only if the lower end of the gain's interval is at least this share."""
HARDLY = 0.05
"""Twice the size is not worthwhile if the upper end of the gain's interval is below this share."""


class Errors(NamedTuple):
    """The errors at P sizes.

    shown     the train errors, the dev errors and the ends of their intervals, (P,) each
    e, C      as above; of the squared errors where the unit is RMSE
    percent   whether the errors are shares
    """

    shown: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    e: np.ndarray
    C: np.ndarray
    percent: bool


@dataclass(frozen=True)
class Outlook:
    """The error now and at twice the size, the gain, and whether it is worthwhile.

    pays  "yes": a tenth of the error or more; "no": less than a twentieth; else "unsure"
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

    def describe(self, percent: bool) -> str:
        """Return the prediction and the conclusion as text."""
        if self.now == 0:
            return f"{self.what}: the dev set has no error left to reduce."
        name = "error" if percent else "RMSE"
        change = f"{self.what} ({self.size}) would change the dev {name}"
        ends = interval(self.low, self.high)
        prediction = f"{change} from {self.now:.3g} to about {self.then:.3g} {ends}."
        return f"{prediction}\n{VERDICTS[self.what, self.pays]}"


TWICE, WIDER = "Twice the data", "A network twice as wide"
VERDICTS = {
    (TWICE, "yes"): "More data would help.",
    (TWICE, "no"): "More data of this kind would hardly help.",
    (TWICE, "unsure"): "It is not clear from these sizes whether more data would help.",
    (WIDER, "yes"): "A larger network would help.",
    (WIDER, "no"): "A wider network would hardly help.",
    (WIDER, "unsure"): "It is not clear from this dev set whether a wider network would help.",
}


def summarize(
    places: Sequence[tuple[list[float], list[np.ndarray]]],
    weights: np.ndarray | None,
    percent: bool,
) -> Errors:
    """Summarise the errors at each size: for each seed the train error and that of each dev row."""
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
        return Errors((train, e, low, high), e, C, percent)
    return Errors((np.sqrt(train), np.sqrt(e), low, high), e, C, percent)


def spread(means: np.ndarray) -> float:
    """Return the relative standard deviation over the seeds, pooled over the sizes (P, seeds)."""
    wrong = means[means.mean(axis=1) > 0]
    if means.shape[1] < 2 or not len(wrong):
        return 0.0
    return float(np.sqrt(np.mean(wrong.var(axis=1, ddof=1) / wrong.mean(axis=1) ** 2)))


def ends_of(e, C, n: float, percent: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval of each dev error; for shares Wilson's, with an effective sample size."""
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


def drawn(found: Errors) -> np.ndarray:
    """Draw errors (DRAWS, P) from their normal distribution; square roots of them for RMSE."""
    rng = np.random.default_rng(0)
    draws = np.maximum(rng.multivariate_normal(found.e, found.C, DRAWS, method="eigh"), 0)
    return draws if found.percent else np.sqrt(draws)


def twice(found: Errors, sizes: Sequence[int]) -> Outlook:
    """Predict the error with twice the largest training set, by the fall of the power law."""
    m, e, draws = np.array(sizes, float), found.shown[1], drawn(found)
    noise = np.maximum(draws.std(axis=0), max(LEAST, 0.02 * float(e.max())))
    falls = []
    for rows in (e[None], draws):
        law = fit_power_law(m, rows, noise)
        falls.append(law.at(2 * m[-1]) / np.maximum(law.at(m[-1]), LEAST))
    now, thens = float(e[-1]), draws[:, -1] * falls[1]
    size = f"{2 * sizes[-1]:,} examples"
    return outlook(TWICE, size, now, now * float(falls[0][0]), thens, draws[:, -1] - thens)


def wider(found: Errors, widths: Sequence[float]) -> Outlook | None:
    """Return the measured effect of twice the width; None unless widths 1 and 2 were trained."""
    if not {1.0, 2.0} <= set(widths):
        return None
    one, two = widths.index(1.0), widths.index(2.0)
    draws, e = drawn(found), found.shown[1]
    gains = draws[:, one] - draws[:, two]
    return outlook(WIDER, "measured", float(e[one]), float(e[two]), draws[:, two], gains)


def outlook(what: str, size: str, now: float, then: float, thens, gains) -> Outlook:
    """Build the outlook from the draws: their middle 95 % and the conclusion."""
    low, high = np.percentile(thens, (2.5, 97.5))
    gain_low, gain_high = np.percentile(gains, (2.5, 97.5))
    pays = "unsure"
    if now > 0 and gain_high < HARDLY * now:
        pays = "no"
    elif now > 0 and gain_low >= MATTERS_AT_LEAST * now and now - then >= MATTERS * now:
        pays = "yes"
    ends = (float(low), float(high)), (float(gain_low), float(gain_high))
    return Outlook(what, size, now, then, *ends[0], now - then, *ends[1], pays)


def interval(low: float, high: float) -> str:
    """Format both ends with as many decimals as the upper one needs for two digits.

    >>> interval(0.0641, 0.0777), interval(47.3, 67.9), interval(0, 0)
    ('(0.064 to 0.078)', '(47 to 68)', '(0.00 to 0.00)')
    """
    decimals = int(np.clip(1 - np.floor(np.log10(high)), 0, 4)) if high > 0 else 2
    return f"({low:.{decimals}f} to {high:.{decimals}f})"
