"""Find probable label errors: examples whose label disagrees with networks not trained on them.

Notes: "Cleaning up incorrectly labeled data" (course 3, week 2). Random label errors in the
training set do little harm; systematic ones are learned. In dev and test they make it harder to
compare networks: correct both sets by the same rule, if label errors are a large share of the
mistakes.

    found       the likeliest class, by cross-fitted networks, is not the label
    order       by the cost −log p(label), the highest first

The list is a suggestion, so inspect the rows. How many labels are wrong, and whether the errors are
random or systematic, is estimated from the confident joint of Northcutt, Jiang and Chuang,
Confident Learning (2021):

    t_j        mean probability of class j over the examples labelled j
    Q_ij       examples labelled i whose likeliest class of those with p ≥ t is j
    wrong      Σ_{i≠j} n_i Q_ij / Σ_j Q_ij
    random     the cells i ≠ j are proportional to the number of examples of class j (χ² test)

Where two classes look alike, a network is also confident in wrong predictions, which are counted
as if the labels were wrong. Such counts are concentrated in a few cells, while random label errors
are spread over all of them. The lower bound of the estimate is therefore what is spread over all
cells. With two classes the cases cannot be distinguished: all labels that were counted may be
correct, of classes that overlap.

By cross-fitting, each example is predicted with networks that were not trained on it:

    fold k is predicted by the mean probabilities of a few networks,
        trained on all other folds but one, which is used for early stopping

No network that predicts an example has seen its label. The networks of a fold are trained
together, and all folds have the same size, so they share one compiled program (`fit_many`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from chainrule.data.batches import default_batch_size, steps_per_epoch
from chainrule.data.csv_cells import write_csv
from chainrule.data.dataset import Dataset
from chainrule.data.streaming import stack_rows
from chainrule.errors import OptionError
from chainrule.formatting import aligned, count_of
from chainrule.host.randomness import key_from_seed
from chainrule.layers.layer import Layer
from chainrule.models.deep_network import DeepNetwork
from chainrule.models.sequence_network import SequenceNetwork
from chainrule.optim.adam import adam
from chainrule.runs.defaults import CONSTANT_RATE, COSTS, OPTIMIZERS, RULES, default_epochs
from chainrule.runs.prepare import Data, labels_of_set
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.recipe import HIDDEN
from chainrule.runs.run import Run
from chainrule.search.objective import fold_rows
from chainrule.strategy.error_analysis import evaluate_examples
from chainrule.strategy.uncertainty import wilson
from chainrule.train.examples import Examples
from chainrule.train.many import Candidate, fit_many
from chainrule.train.outputs import network_outputs

DRAWS, MANY = 2000, 10**4
RARE, FEW = 0.01, 10


@dataclass(frozen=True)
class Pair:
    """A pair of classes with more apparent label errors between them than chance explains.

    count, by_chance   how many examples labelled `given` look like `instead`, and how many are
                       expected by chance
    """

    given: Any
    instead: Any
    count: int
    by_chance: float


@dataclass(frozen=True)
class Noise:
    """The estimated share of wrong labels, and their kind.

    share, low, high   the share of all examples, and its 95 % confidence interval
    kind               "none", "few" (too few to tell), "random", "systematic", or "both";
                       "unknown" where networks learn nothing from the data; "either" with two
                       classes, which may just overlap
    p                  the p value of the hypothesis that the errors are random
    pairs              the pairs of classes with more errors than chance explains
    """

    share: float
    low: float
    high: float
    kind: str
    p: float
    pairs: tuple[Pair, ...]


def confident_joint(likely: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Q (C, C), and for each example the class it is confidently in, or −1."""
    C = likely.shape[1]
    counts = np.bincount(codes, minlength=C)
    own = likely[np.arange(len(codes)), codes]
    threshold = np.bincount(codes, weights=own, minlength=C) / np.maximum(counts, 1)
    above = np.where((likely >= threshold) & (counts > 0), likely, -1.0)
    confident = np.where(above.max(axis=1) >= 0, above.argmax(axis=1), -1)
    Q = np.zeros((C, C))
    np.add.at(Q, (codes[confident >= 0], confident[confident >= 0]), 1)
    return Q, confident


def noise_of(Q: np.ndarray, codes: np.ndarray, classes: tuple, seed: int = 0) -> Noise:
    """Estimate the label noise from the confident joint."""
    m, counts = len(codes), np.bincount(codes, minlength=len(Q))
    joint = Q / np.maximum(Q.sum(axis=1, keepdims=True), 1) * counts[:, None]
    share = float((joint.sum() - np.trace(joint)) / m)
    low, high = wilson(share, m)
    others = ~np.eye(len(Q), dtype=bool)
    observed = Q[others]
    chance = np.broadcast_to(Q.sum(axis=0), Q.shape)[others]
    p = chi_square(observed, chance, seed)
    beyond, rate = beyond_chance(observed, chance)
    spread = float(rate * chance.sum() / m) if len(Q) > 2 else 0.0
    low = min(low, wilson(min(1.0, spread), m)[0])
    rows, columns = np.nonzero(others)
    order = np.flatnonzero(beyond)[np.argsort(-observed[beyond], kind="stable")]
    cells = [(classes[int(rows[i])], classes[int(columns[i])], int(observed[i])) for i in order]
    expected = (rate * chance[order]).tolist()
    pairs = tuple(Pair(*cell, at) for cell, at in zip(cells, expected, strict=True))
    return Noise(share, low, high, _kind(observed, beyond, rate * chance, p), p, pairs)


def chi_square(observed: np.ndarray, chance: np.ndarray, seed: int = 0) -> float:
    """Return the p value of a χ² test that the cells follow `chance`, by simulation.

    The χ² distribution needs an expected count of five in each cell; these hold one or two.
    """
    total = int(observed.sum())
    if total == 0:
        return 1.0
    expected = np.maximum(chance, 1e-12) / np.maximum(chance, 1e-12).sum() * total

    def statistic(cells: np.ndarray) -> float:
        return float(((cells - expected) ** 2 / expected).sum())

    rng, draws = np.random.default_rng(seed), DRAWS if len(observed) <= MANY else DRAWS // 10
    drawn = (statistic(rng.multinomial(total, expected / total)) for _ in range(draws))
    return (1 + sum(map(statistic(observed).__le__, drawn))) / (1 + draws)


def beyond_chance(observed: np.ndarray, chance: np.ndarray) -> tuple[np.ndarray, float]:
    """Return which cells exceed the count expected by chance, and count / chance in the others.

    The cell with the largest excess is tested against the rest by a binomial test and removed,
    until the excess is not significant.
    """
    beyond = np.zeros(len(observed), bool)
    while True:
        left = ~beyond
        n, chances = observed[left].sum(), max(chance[left].sum(), 1e-12)
        more = np.where(left, observed - n / chances * chance, -np.inf)
        fullest = int(np.argmax(more))
        share = float(chance[fullest]) / chances
        if at_least(int(observed[fullest]), int(n), share) * len(observed) >= RARE:
            return beyond, float(n / chances)
        beyond[fullest] = True


def at_least(count: int, n: int, share: float) -> float:
    """Return P(k ≥ count) of a binomial distribution with n draws and success rate `share`.

    >>> at_least(2, 2, 0.5), at_least(0, 5, 0.1)
    (0.25, 1.0)
    """
    if count <= 0 or share >= 1:
        return 1.0
    k = np.arange(count, n + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    share = max(share, 1e-300)
    terms = logs[n] - logs[k] - logs[n - k] + k * np.log(share) + (n - k) * np.log1p(-share)
    return float(round(min(1.0, np.exp(terms).sum()), 12))


def _kind(observed: np.ndarray, beyond: np.ndarray, by_chance: np.ndarray, p: float) -> str:
    if not observed.sum():
        return "none"
    if len(observed) == 2:
        return "either"
    if p >= RARE or not beyond.any():
        return "random" if observed.sum() >= FEW else "few"
    spread = observed[~beyond].sum() + by_chance[beyond].sum()
    return "both" if spread > 0.25 * observed.sum() else "systematic"


FOLDS, NETWORKS = 5, 4
UNITS = (32,)
"""The units of the GRU with which labels of sequences are checked."""
PATIENCE, PATIENCE_STEPS = 8, 50
SMALL_BATCH = 64
"""Small batches and few epochs: twenty networks are trained, and none needs to be the best."""


def cross_fitted(
    rows: Examples, y: np.ndarray, preprocessor: Preprocessor, *, groups: Any = None, seed: int = 0
) -> np.ndarray:
    """Return probabilities (m, C) from networks that saw neither the example nor its group."""
    preprocessor = replace(preprocessor, temperature=1.0)  # that of another network
    source = Dataset("the data", rows.X, y, groups=groups)
    folds = [held_out for _, held_out in fold_rows(source, FOLDS, stratify=True, seed=seed)]
    found = np.zeros((len(y), len(preprocessor.labels.classes)))
    for k, held_out in enumerate(folds):
        stopping = folds[(k + 1) % FOLDS]
        others = np.sort(
            np.concatenate([f for f in folds if f is not held_out and f is not stopping])
        )
        for network in _networks(
            _some(rows, others), _some(rows, stopping), preprocessor, seed + k
        ):
            found[held_out] += (
                preprocessor.probabilities(network_outputs(network, rows.X[held_out])) / NETWORKS
            )
    return found


def _some(rows: Examples, index: np.ndarray) -> Examples:
    weights = None if rows.weights is None else rows.weights[index]
    return Examples(rows.X[index], rows.Y[index], weights)


def _networks(train: Examples, dev: Examples, preprocessor: Preprocessor, seed: int) -> list:
    """Train a few networks that differ only in their initial weights."""
    m = len(train.X)
    batch_size = min(m, max(SMALL_BATCH, default_batch_size(m) if m > 10**4 else 0))
    steps, rules = steps_per_epoch(m, batch_size), RULES[CONSTANT_RATE]
    candidates = [
        Candidate(
            _network(preprocessor, NETWORKS * seed + i),
            adam(OPTIMIZERS["adam"].learning_rate),
        )
        for i in range(NETWORKS)
    ]
    trained = fit_many(
        candidates,
        COSTS[preprocessor.cost],
        train,
        dev,
        epochs=default_epochs(steps, rules),
        batch_size=batch_size,
        patience=max(PATIENCE, PATIENCE_STEPS // steps),
        seed=seed,
    )
    return [one.network for one in trained]


def _network(preprocessor: Preprocessor, seed: int) -> Layer:
    """Return a fully connected network, or a GRU for sequences, with newly drawn weights."""
    n_x, n_L, key = preprocessor.n_x, preprocessor.labels.n_outputs, key_from_seed(seed)
    if not preprocessor.takes_sequences:
        return DeepNetwork((n_x, *HIDDEN, n_L), key=key)
    tokens = preprocessor.vocabulary is not None
    return SequenceNetwork("gru", n_x, n_L, hidden=UNITS, tokens=tokens, key=key)


SHOWN = 20


@dataclass(frozen=True)
class ProbableLabelError:
    """An example with a probable label error.

    place, part, index   where it is in the data set, its set, and its index there
    given, p_given       its label, and the predicted probability of this label
    instead, sure        the predicted class, and the predicted probability of this class
    """

    place: int | str
    part: str
    index: int
    given: Any
    instead: Any
    sure: float
    p_given: float


@dataclass(frozen=True)
class PartNoise:
    """The label errors of a set, and their share of the mistakes of a run.

    m                    the number of examples
    doubtful             examples that are confidently predicted as another class
    mistakes             the mistakes of the run, None without a run
    doubtful_mistakes    the doubtful examples among them
    """

    m: int
    doubtful: int
    mistakes: int | None = None
    doubtful_mistakes: int | None = None


@dataclass(frozen=True)
class LabelErrors:
    """All probable label errors, the most probable first, and an estimate of their number.

    agree   the share of the labels that the cross-fitted networks agree with
    noise   the estimated share of wrong labels, and their kind
    parts   the label errors of each set
    """

    source: str
    place_name: str
    m: int
    agree: float
    noise: Noise
    parts: dict[str, PartNoise]
    listed: tuple[ProbableLabelError, ...]

    @property
    def either(self) -> bool:
        """Return whether there are two classes, so wrong labels look like overlapping classes."""
        return self.noise.kind == "either"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    def text(self, most: int = SHOWN) -> str:
        """Return the estimate, its meaning, and a table of the first `most` label errors."""
        lines = [[self.place_name, "set", "label", "predicted", "prob", "p(label)"]]
        for one in self.listed[:most]:
            cells = map(str, (one.place, one.part, one.given, one.instead))
            lines.append([*cells, f"{one.sure:.3f}", f"{one.p_given:.1e}"])
        table = ["", *aligned(lines, [0, 4, 5])] if self.listed else []
        more = len(self.listed) - most
        rest = [f"… and {more:,} more"] if more > 0 else []
        return "\n".join([*self._counted(), *self._parts(), *table, *rest])

    def _counted(self) -> list[str]:
        noise = self.noise
        agree, others = (
            f"{self.agree:.1%} of {count_of(self.m, 'label')}",
            "networks not trained on them",
        )
        if noise.kind == "unknown":
            return [f"{agree} of {self.source} agree with {others}, {EXPLANATIONS['unknown']}"]
        n, low, high = (round(x * self.m) for x in (noise.share, noise.low, noise.high))
        of = f"of {count_of(self.m, 'label')} of {self.source}"
        look = "are wrong or ambiguous" if self.either else "are probably wrong"
        interval = f"95 % interval {low:,} to {high:,}"
        lines = [f"about {n:,} {of} {look} ({noise.share:.1%}; {interval})"]
        lines.append(f"{agree} agree with the predictions of {others}")
        if noise.kind != "none":
            lines.append(EXPLANATIONS[noise.kind])
        for pair in noise.pairs[:3]:
            chance = f"{pair.by_chance:.1f} expected by chance"
            lines.append(
                f"  {pair.count:,} labelled {pair.given} look like {pair.instead}; {chance}"
            )
        return lines

    def _parts(self) -> list[str]:
        lines = []
        have = "have a wrong or ambiguous label" if self.either else "have a doubtful label"
        for name, part in self.parts.items():
            if part.mistakes and part.doubtful_mistakes is not None and name != "train":
                share = part.doubtful_mistakes / part.mistakes
                lines.append(
                    f"{name}: {part.doubtful_mistakes:,} of "
                    f"{count_of(part.mistakes, 'mistake')} {have} ({share:.0%})"
                )
        to_correct = sum(p.doubtful_mistakes or 0 for n, p in self.parts.items() if n != "train")
        if to_correct:
            lines.append("  correct the labels of dev and test by the same rule, or not at all")
        return lines

    def csv(self) -> str:
        """Return a CSV table with a header and a line for each label error."""
        rows: list[list[object]] = [
            [self.place_name, "part", "label", "taken for", "sure", "p(label)"]
        ]
        for one in self.listed:
            cells = (one.place, one.part, one.given, one.instead)
            rows.append([*cells, f"{one.sure:.6f}", f"{one.p_given:.6g}"])
        return write_csv(rows)


EXPLANATIONS = {
    "unknown": (
        "not significantly more than always guessing the most frequent class would: "
        "wrong labels cannot be detected"
    ),
    "either": (
        "with two classes, wrong labels and overlapping classes cannot be distinguished here; "
        "chainrule diagnose RUN considers only the clear-cut examples"
    ),
    "few": "the wrong labels are too few to tell whether they are random or systematic",
    "random": "the wrong labels are spread at random: such labels do little harm in training",
    "systematic": (
        "the wrong labels are concentrated in a few pairs of classes: systematic errors, which a "
        "network learns, or classes that look alike"
    ),
    "both": (
        "some wrong labels are spread at random; others are concentrated in a few pairs of "
        "classes: systematic errors, or classes that look alike"
    ),
}


def find_label_errors(data: Data, run: Run | None = None, *, seed: int = 0) -> LabelErrors:
    """Check every label of all sets with networks that saw neither it nor its group.

    With the run of these data, the mistakes of the run with a doubtful label are counted too.
    """
    labels, sources = data.preprocessor.labels, data.sources
    if labels.task == "regression":
        hint = "chainrule errors without --label-errors, which lists the largest errors"
        raise OptionError("--label-errors", "a classification target", "a numeric target", hint)
    y = np.concatenate([labels_of_set(source) for source in sources.values()])
    if len(y) < 2 * FOLDS:
        expected = f"at least {2 * FOLDS} examples"
        raise OptionError("--label-errors", expected, str(len(y)), "more data")
    rows = _all(data)
    likely = cross_fitted(rows, y, data.preprocessor, groups=_groups(sources), seed=seed)
    codes = rows.Y.argmax(axis=1) if rows.Y.shape[1] > 1 else rows.Y[:, 0].astype(int)
    Q, confident = confident_joint(likely, codes)
    doubtful = (confident >= 0) & (confident != codes)
    own, best = likely[np.arange(len(y)), codes], likely.argmax(axis=1)
    found = np.flatnonzero(best != codes)
    order = found[np.argsort(own[found], kind="stable")]
    part_of = [(name, i) for name, source in sources.items() for i in range(len(source))]
    first, agree = sources["train"], float(np.mean(best == codes))
    noise = noise_of(Q, codes, labels.classes, seed)
    if wilson(agree, len(y))[0] <= np.bincount(codes).max() / len(y):
        noise = replace(noise, low=0.0, kind="unknown")
    listed = []
    for row in order.tolist():
        part, i = part_of[row]
        at = sources[part].where[i : i + 1].tolist()[0]
        given, instead = labels.classes[codes[row]], labels.classes[best[row]]
        sure, p_given = float(likely[row, best[row]]), float(own[row])
        listed.append(ProbableLabelError(at, part, i, given, instead, sure, p_given))
    return LabelErrors(
        first.name,
        first.place_name,
        len(y),
        agree,
        noise,
        _parts_of(data, run, doubtful),
        tuple(listed),
    )


def _all(data: Data) -> Examples:
    """Concatenate the rows of all sets."""
    X = stack_rows([part.X for part in data.parts.values()])
    Y = np.concatenate([part.Y for part in data.parts.values()])
    if all(part.weights is None for part in data.parts.values()):
        return Examples(X, Y)
    weights = [np.ones(len(X)) if w is None else w for X, _, w in data.parts.values()]
    return Examples(X, Y, np.concatenate(weights))


def _groups(sources: Mapping[str, Dataset]) -> np.ndarray | None:
    """Return the group of each row; in a set without groups, each row is a group of its own."""
    if all(source.groups is None for source in sources.values()):
        return None
    names = [
        [f"{part} {i}" for i in range(len(source))]
        if source.groups is None
        else [f"group {group}" for group in source.groups]
        for part, source in sources.items()
    ]
    return np.array([name for part in names for name in part])


def _parts_of(data: Data, run: Run | None, doubtful: np.ndarray) -> dict[str, PartNoise]:
    """Count the doubtful labels of each set, and the run's mistakes that have a doubtful label."""
    found, start = {}, 0
    for name, source in data.sources.items():
        here = doubtful[start : start + len(source)]
        start += len(source)
        of_run = ()
        if run is not None:
            wrong = evaluate_examples(run, data, name).error > 0
            of_run = (int(wrong.sum()), int((wrong & here).sum()))
        found[name] = PartNoise(len(source), int(here.sum()), *of_run)
    return found
