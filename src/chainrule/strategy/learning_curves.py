"""Learning curves: how much more data, or a larger network, would reduce the error.

Notes: "Why is deep learning taking off?" (course 1, week 1); "Bias and variance", "Basic recipe for
machine learning" (course 2, week 1).

    examples   10, 20, 35, 60 and 100 % of the training set, each containing the one before
    width      the hidden layers at ¼, ½, 1 and 2 times their units, on the whole training set;
               for a convolutional network all its channels

There are several seeds at each size; a seed selects the examples, the initial weights and the
order. The dev errors over the sizes are fitted by error(m) = a + b m^(−c), which predicts the error
with twice the data. Twice the width is measured and compared with the original width on the same
dev rows.

The confidence intervals reflect the choice of the dev rows (the same for all sizes, so they are
resampled together) and the seeds. Early stopping uses the dev set, so its errors are slightly
optimistic, equally at every size.

Everything else is as in the run: the recipe, the batch size, the dev set and the preprocessor. A
run that was transferred from another one is trained from scratch. The preprocessor is not
fitted again on fewer examples: every point uses μ and σ of the whole training set, which changes
little and keeps the inputs the same at every size.

With full-batch training, a smaller training set is padded to the full size with its own examples,
weighted so that each counts once: the gradient is the same, and all sizes share one compiled
program.

The power law is bounded, and its fit is robust to outliers:

    error(m) = a + b m^(−c)        a ≥ 0,  b ≥ 0,  0.05 ≤ c ≤ 2

For each c of a grid, a and b are fitted by weighted least squares (weights from the standard
errors) within their bounds, and the c with the lowest loss is chosen. The loss is Huber's: the
pull of a point does not grow beyond `BEND` standard errors (small sets are often far off, where
the network has hardly learned anything).

The error at twice the size is predicted from

    e (P,)   mean dev error at each of P sizes, over rows and seeds
    C (P,P)  its covariance: (1/n) that of the errors of the rows, which all sizes share,
             plus, on the diagonal, the variance over the seeds divided by their number

An interval is the middle 95 % of the predictions when e is drawn many times from a normal
distribution with this mean and covariance and the power law is fitted to each draw.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from chainrule.data.split import encode_classes
from chainrule.errors import DataError, RunError
from chainrule.formatting import aligned
from chainrule.layers.layer import Layer
from chainrule.models.deep_network import DeepNetwork
from chainrule.models.ensemble import Ensemble
from chainrule.models.sequence_network import SequenceNetwork
from chainrule.runs.defaults import COSTS, METRICS
from chainrule.runs.prepare import Data, labels_of_set, prepare_network, without_decay
from chainrule.runs.recipe import Recipe
from chainrule.runs.run import Run
from chainrule.strategy.uncertainty import DEVIATIONS_95, wilson
from chainrule.train.examples import Examples
from chainrule.train.members import fit_network
from chainrule.train.outputs import network_outputs
from chainrule.train.step import make_penalty


def trained_on(run: Run, data: Data, rows: np.ndarray, recipe: Recipe) -> Layer:
    """Train a network by this recipe on these rows of the training set."""
    sources = {**data.sources, "train": data.sources["train"].rows(rows)}
    prepared = prepare_network(recipe, data._replace(sources=sources))
    part = prepared.weighted("train")
    weights = None if part.weights is None else part.weights[rows]
    some = Examples(part.X[rows], part.Y[rows], weights)
    whole = prepared.batch_size == len(rows)
    m = len(rows) if weights is None else float(weights.sum())
    return fit_network(
        prepared.network,
        prepared.optimizer,
        COSTS[run.preprocessor.cost],
        filled(some, len(part.X)) if whole else some,
        prepared.weighted("dev"),
        epochs=prepared.epochs,
        batch_size=len(part.X) if whole else prepared.batch_size,
        metric=METRICS[run.preprocessor.metric],
        patience=prepared.patience,
        penalty=make_penalty(recipe.l2, recipe.l1, m, always=True),
        seed=recipe.seed,
    ).network


def recipe_of(run: Run, data: Data) -> Recipe:
    """Return the run's recipe with every default that depends on the training set's size fixed."""
    batch_size, m = run.facts["batch_size"], len(data.sources["train"])
    prepared = prepare_network(run.recipe, data)
    return replace(
        without_decay(run.recipe, prepared.epochs),
        hidden=run.recipe.hidden if run.recipe.network else hidden_of(run),
        batch_size=0 if batch_size == m else batch_size,
        early_stopping=prepared.patience is not None,
    )


def sizes_of(run: Run, widths: Sequence[float]) -> dict[str, dict[str, Any]]:
    """Return the entries of a recipe for each width, by the name of the width.

    A width multiplies the units of the hidden layers, or the channels of a convolutional network.
    """
    if run.recipe.layers is not None:
        return {}
    if run.recipe.schedule == "images":
        now = run.recipe.width or 1.0
        return {f"{now * times:g}": {"width": now * times} for times in widths}
    hidden = hidden_of(run)
    made = (scaled(hidden, times) for times in widths) if hidden else ()
    return {",".join(map(str, units)): {"hidden": units} for units in made}


def scaled(hidden: tuple[int, ...], times: float) -> tuple[int, ...]:
    """Multiply the units of each layer, keeping at least one.

    >>> scaled((64, 3), 0.25)
    (16, 1)
    """
    return tuple(max(1, round(n * times)) for n in hidden)


def hidden_of(run: Run) -> tuple[int, ...]:
    """Return the units of the hidden layers; () for a convolutional network."""
    network = run.network.member(0) if isinstance(run.network, Ensemble) else run.network
    if isinstance(network, SequenceNetwork):
        return network.hidden
    return network.sizes[1:-1] if isinstance(network, DeepNetwork) else ()


def filled(part: Examples, m: int) -> Examples:
    """Repeat the examples until there are m rows, weighted so that each counts once in total.

    >>> filled(Examples(np.eye(2), np.eye(2)), 5).weights.round(2).tolist()
    [0.33, 0.5, 0.33, 0.5, 0.33]
    """
    s = len(part.X)
    if s == m:
        return part
    index = np.resize(np.arange(s), m)
    weights = np.ones(s) if part.weights is None else part.weights
    return Examples(part.X[index], part.Y[index], (weights / np.bincount(index))[index])


def nested(data: Data, *, classes: bool, seed: int = 0) -> np.ndarray:
    """Order the training rows with weight so that every prefix is a sample of them all.

    Every prefix is stratified by class; with groups, the rows of a group stay together instead.
    """
    source, weights = data.sources["train"], data.parts["train"].weights
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(source) if weights is None else np.flatnonzero(weights))
    if source.groups is not None:
        groups = encode_classes(source.groups)[rows]
        return rows[np.argsort(rng.permutation(groups.max() + 1)[groups], kind="stable")]
    if not classes:
        return rows
    codes = encode_classes(labels_of_set(source))[rows]
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    rank = np.empty(len(rows))
    rank[order] = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows[np.argsort((rank + rng.random(len(rows))) / counts[codes], kind="stable")]


def errors_of(network: Layer, run: Run, data: Data, part: str) -> np.ndarray:
    """Return the error of each example (m,): 1 for a wrong class, or the squared error."""
    answers = run.preprocessor.answers(network_outputs(network, data.parts[part].X))
    true = labels_of_set(data.sources[part])
    if run.preprocessor.labels.task == "classification":
        return (answers != true).astype(float)
    off = np.asarray(answers, np.float64).reshape(len(true), -1) - true.reshape(len(true), -1)
    return (off**2).sum(axis=1)


EXPONENTS = np.geomspace(0.05, 2, 40)
BEND = 1.5
ROUNDS = 4


class PowerLaw(NamedTuple):
    """The parameters a, b and c of a power law a + b m^(−c), or arrays of them for several laws."""

    a: Any
    b: Any
    c: Any

    def at(self, m: float) -> Any:
        """Return the error at m examples.

        >>> PowerLaw(0.1, 2.0, 0.5).at(100)
        0.30000000000000004
        """
        return self.a + self.b * m**-self.c


def fit_power_law(m: np.ndarray, errors: np.ndarray, noise: np.ndarray) -> PowerLaw:
    """Fit a law to each row of errors (R, P), measured at m (P,) with standard errors (P,).

    >>> m = np.array([100, 200, 400, 800])
    >>> law = fit_power_law(m, 0.1 + 2 / np.sqrt(m)[None], np.full(4, 0.01))
    >>> law.at(1600).round(2)
    array([0.15])
    """
    x = (m / m.max())[None] ** -EXPONENTS[:, None]  # (C, P); b is rescaled at the end
    y = errors[:, None]  # (R, 1, P)
    weights = np.broadcast_to(noise**-2.0, (len(errors), *x.shape))
    for _ in range(ROUNDS):
        off = _off(x, y, *_bounded_line(x, y, weights)) / noise
        weights = noise**-2.0 * np.minimum(1, BEND / np.maximum(off, BEND))
    a, b = _bounded_line(x, y, weights)
    off = _off(x, y, a, b) / noise
    loss = np.where(off <= BEND, off**2 / 2, BEND * (off - BEND / 2)).sum(axis=-1)
    best = loss.argmin(axis=1)
    rows, c = np.arange(len(errors)), EXPONENTS[best]
    return PowerLaw(a[rows, best], b[rows, best] * m.max() ** c, c)


def _off(x, y, a, b) -> np.ndarray:
    """Return the distance of each point from the fitted line."""
    return np.abs(y - a[..., None] - b[..., None] * x)


def _bounded_line(x, y, w) -> tuple[np.ndarray, np.ndarray]:
    """Return the a ≥ 0 and b ≥ 0 that minimise Σ w (y − a − b x)²."""
    S0, S1, S2 = w.sum(-1), (w * x).sum(-1), (w * x**2).sum(-1)
    T0, T1 = (w * y).sum(-1), (w * x * y).sum(-1)
    b = (S0 * T1 - S1 * T0) / (S0 * S2 - S1**2)
    a = (T0 - b * S1) / S0
    a = np.where(b < 0, T0 / S0, np.maximum(a, 0))
    return a, np.where(b < 0, 0, np.where(a > 0, b, T1 / S2))


DRAWS = 400
LEAST = 1e-9
MATTERS = 0.1
"""Twice the size is worthwhile only if it reduces the error by at least this share."""
MATTERS_AT_LEAST = 0.03
"""It is worthwhile only if the lower end of the gain's interval is at least this share."""
HARDLY = 0.05
"""Twice the size is not worthwhile if the upper end of the gain's interval is below this share."""


class Errors(NamedTuple):
    """The errors measured at P sizes of the training set or of the network.

    shown     the train errors, the dev errors and the ends of their intervals, (P,) each
    e, C      as in the module's docstring; computed from the squared errors if the unit is RMSE
    percent   whether the errors are shares
    """

    shown: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    e: np.ndarray
    C: np.ndarray
    percent: bool


@dataclass(frozen=True)
class Outlook:
    """The error now and at twice the size, the gain, and whether that gain is worthwhile.

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
    """Summarise the errors at each size of the training set or of the network.

    `places` has, for each size, the training errors and the errors of the dev rows, by seed.
    """
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
    """Return the relative standard deviation of errors (P, seeds) over seeds, pooled over sizes."""
    wrong = means[means.mean(axis=1) > 0]
    if means.shape[1] < 2 or not len(wrong):
        return 0.0
    return float(np.sqrt(np.mean(wrong.var(axis=1, ddof=1) / wrong.mean(axis=1) ** 2)))


def ends_of(e, C, n: float, percent: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval of each dev error; for shares Wilson's, with an effective sample size."""
    variance = np.diag(C)
    if not percent:
        reach = DEVIATIONS_95 * np.sqrt(variance)
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
    """Predict the error with twice the largest training set, by extrapolating the power law."""
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
    """Return the measured effect of doubling the width; None unless widths 1 and 2 were trained."""
    if not {1.0, 2.0} <= set(widths):
        return None
    one, two = widths.index(1.0), widths.index(2.0)
    draws, e = drawn(found), found.shown[1]
    gains = draws[:, one] - draws[:, two]
    return outlook(WIDER, "measured", float(e[one]), float(e[two]), draws[:, two], gains)


def outlook(what: str, size: str, now: float, then: float, thens, gains) -> Outlook:
    """Build the outlook from the draws: the interval of their middle 95 %, and the conclusion."""
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
    """Format both ends of an interval, with two significant digits for the upper one.

    >>> interval(0.0641, 0.0777), interval(47.3, 67.9), interval(0, 0)
    ('(0.064 to 0.078)', '(47 to 68)', '(0.00 to 0.00)')
    """
    decimals = int(np.clip(1 - np.floor(np.log10(high)), 0, 4)) if high > 0 else 2
    return f"({low:.{decimals}f} to {high:.{decimals}f})"


SHARES = (0.1, 0.2, 0.35, 0.6, 1.0)
WIDTHS = (0.25, 0.5, 1.0, 2.0)
FEWEST = 10
"""The minimum number of examples at the smallest size."""


@dataclass(frozen=True)
class Point:
    """A size, the errors measured there, and the 95 % confidence interval of the dev error."""

    name: str
    size: float
    train: float
    dev: float
    low: float
    high: float


@dataclass(frozen=True)
class LearningCurves:
    """The errors for growing training sets and growing networks.

    unit        "share" of wrong predictions, or "rmse" in the target's units
    seeds       the number of training runs at each size
    examples    a point for each size of the training set
    more_data   the predicted effect of twice the data
    widths      a point for each width (none without hidden units)
    more_width  the measured effect of twice the width
    of_width    what the width multiplies: "hidden units", or "width" of a convolutional network
    """

    unit: str
    seeds: int
    examples: tuple[Point, ...]
    more_data: Outlook
    widths: tuple[Point, ...]
    more_width: Outlook | None
    of_width: str = "hidden units"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Return two tables and the conclusions as text for a terminal."""
        lines = [*self._table("examples", self.examples), "", self.more_data.describe(self.percent)]
        if self.more_width is not None:
            lines += ["", *self._table(self.of_width, self.widths)]
            lines += ["", self.more_width.describe(self.percent)]
        trainings = f"{self.seeds} training runs" if self.seeds > 1 else "one training run"
        return "\n".join([*lines, f"({trainings} at each size; 95 % confidence intervals)"])

    @property
    def percent(self) -> bool:
        """Return whether the errors are shares."""
        return self.unit == "share"

    def _table(self, head: str, points: tuple[Point, ...]) -> list[str]:
        error_name = "error" if self.percent else "RMSE"
        rows = [[head, f"train {error_name}", f"dev {error_name}", ""]]
        for point in points:
            numbers = [f"{error:.3g}" for error in (point.train, point.dev)]
            rows.append([point.name, *numbers, interval(point.low, point.high)])
        return aligned(rows, right=(0, 1, 2))


def learning_curves(
    run: Run,
    data: Data,
    *,
    shares: tuple[float, ...] = SHARES,
    widths: tuple[float, ...] = WIDTHS,
    seeds: int | None = None,
) -> LearningCurves:
    """Train on growing subsets of the training set, and with growing networks.

    `seeds` is the number of training runs at each size, by default three up to 2,000 examples, else
    two. Raises RunError where there is no dev set, DataError where there are too few examples.
    """
    if "dev" not in data.parts:
        hint = "a run with a dev set, trained without --dev none"
        raise RunError("the learning curves", "a dev set", "none", hint)
    bench = Bench(run, data, seeds or (3 if len(data.sources["train"]) <= 2000 else 2))
    sizes = bench.sizes(shares)
    by_size = summarize([bench.at_size(n) for n in sizes], bench.weights, bench.percent)
    points = by_width = more_width = ()
    if networks := sizes_of(run, widths):
        by_width = [bench.at_width(settings) for settings in networks.values()]
        by_width = summarize(by_width, bench.weights, bench.percent)
        points = tuple(
            point(name, _largest(settings), by_width, i)
            for i, (name, settings) in enumerate(networks.items())
        )
        more_width = wider(by_width, widths)
    return LearningCurves(
        "share" if bench.percent else "rmse",
        bench.seeds,
        tuple(point(f"{n:,}", n, by_size, i) for i, n in enumerate(sizes)),
        twice(by_size, sizes),
        points,
        more_width or None,
        "width" if run.recipe.schedule == "images" else "hidden units",
    )


class Bench:
    """A class that trains the run's recipe at other sizes and measures train and dev errors."""

    def __init__(self, run: Run, data: Data, seeds: int):
        self.run, self.data, self.seeds = run, data, seeds
        self.recipe = recipe_of(run, data)
        self.percent = run.preprocessor.labels.task == "classification"
        self.weights = data.parts["dev"].weights
        seeds_of_rows = range(run.recipe.seed, run.recipe.seed + seeds)
        self.orders = [nested(data, classes=self.percent, seed=seed) for seed in seeds_of_rows]

    def sizes(self, shares: tuple[float, ...]) -> list[int]:
        """Return the number of examples of each share, in increasing order."""
        m = len(self.orders[0])
        sizes = sorted({min(m, max(round(share * m), FEWEST)) for share in shares})
        if len(sizes) < 3:
            hint = f"a training set of {4 * FEWEST} or more examples"
            expected = "at least three sizes of the training set"
            raise DataError("the learning curves", expected, f"{len(sizes)}", hint)
        return sizes

    def at_size(self, n: int) -> tuple[list[float], list[np.ndarray]]:
        """Train on n examples; return the training error and the errors on the dev rows by seed."""
        return self._train(n, self.recipe)

    def at_width(self, settings: dict[str, Any]) -> tuple[list[float], list[np.ndarray]]:
        """Train a network of a different width on all examples; return what `at_size` returns."""
        return self._train(len(self.orders[0]), replace(self.recipe, **settings))

    def _train(self, n: int, recipe) -> tuple[list[float], list[np.ndarray]]:
        weights, train, dev = self.data.parts["train"].weights, [], []
        for k, order in enumerate(self.orders):
            rows = np.sort(order[:n])
            counts = None if weights is None else weights[rows]
            seeded = replace(recipe, seed=recipe.seed + k)
            network = trained_on(self.run, self.data, rows, seeded)
            train.append(float(np.average(self._errors(network, "train")[rows], weights=counts)))
            dev.append(self._errors(network, "dev"))
        return train, dev

    def _errors(self, network, part: str) -> np.ndarray:
        return errors_of(network, self.run, self.data, part)


def _largest(settings: dict[str, Any]) -> float:
    """Return the position of a width on the plot's axis: the units of its largest layer."""
    return float(np.max(next(iter(settings.values()))))


def point(name: str, size: float, found: Errors, i: int) -> Point:
    """Build the point of the i-th size."""
    return Point(name, float(size), *(float(v[i]) for v in found.shown))
