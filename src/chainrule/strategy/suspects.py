"""Find probable label errors: examples whose label disagrees with networks not trained on them.

Notes: "Cleaning up incorrectly labeled data" (course 3, week 2). Random label errors in the
training set do little harm; systematic ones are learned. In dev and test they make it harder to
compare networks: correct both sets by the same rule, if label errors are a large share of the
mistakes.

    suspect     the likeliest class, by cross-fitted networks, is not the label
    order       by the cost −log p(label), the highest first

`label_noise.py` estimates how many labels are wrong. The list is a suggestion: inspect the rows.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from chainrule.data.source import Source
from chainrule.data.streamed import stacked
from chainrule.errors import OptionError
from chainrule.strategy.cross_fit import FOLDS, cross_fitted
from chainrule.strategy.judged import evaluate_examples
from chainrule.strategy.label_noise import Noise, confident_joint, noise_of
from chainrule.strategy.shares import wilson
from chainrule.strategy.table import aligned
from chainrule.train.examples import Examples
from chainrule.train.prepare import Data, labelled
from chainrule.train.run import Run

SHOWN = 20


@dataclass(frozen=True)
class ProbableLabelError:
    """An example with a probable label error.

    place, part, index   where it is in the data set, its set, and its index there
    given, p_given       its label, and the probability of that
    instead, sure        the predicted class, and the probability of that
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
class Suspects:
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
        by = f"networks not trained on them agree with {self.agree:.1%} of {self.m:,} labels"
        if noise.kind == "unknown":
            return [f"{by} of {self.source}, {EXPLANATIONS['unknown']}"]
        n, low, high = (round(x * self.m) for x in (noise.share, noise.low, noise.high))
        of = f"of {self.m:,} labels of {self.source}"
        look = "are wrong or ambiguous" if self.either else "are probably wrong"
        interval = f"95 % interval {low:,} to {high:,}"
        lines = [f"about {n:,} {of} {look} ({noise.share:.1%}; {interval})", by]
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
                    f"{name}: {part.doubtful_mistakes:,} of {part.mistakes:,} mistakes {have} "
                    f"({share:.0%})"
                )
        to_correct = sum(p.doubtful_mistakes or 0 for n, p in self.parts.items() if n != "train")
        if to_correct:
            lines.append("  correct the labels of dev and test by the same rule, or not at all")
        return lines

    def csv(self) -> str:
        """Return a CSV table with a header and a line for each label error."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow([self.place_name, "part", "label", "taken for", "sure", "p(label)"])
        for one in self.listed:
            cells = (one.place, one.part, one.given, one.instead)
            table.writerow([*cells, f"{one.sure:.6f}", f"{one.p_given:.6g}"])
        return text.getvalue()


EXPLANATIONS = {
    "unknown": (
        "not significantly more than always guessing the most frequent class would: "
        "wrong labels cannot be detected"
    ),
    "either": (
        "with two classes, wrong labels and overlapping classes cannot be distinguished here; "
        "chainrule diagnose RUN considers only the clear-cut examples"
    ),
    "few": "they are too few to tell whether they are random or systematic",
    "random": "they are spread at random: such labels do little harm in training",
    "systematic": (
        "they are concentrated in a few pairs of classes: systematic errors, which a network "
        "learns, or classes that look alike"
    ),
    "both": (
        "some are spread at random; others are concentrated in a few pairs of classes: "
        "systematic errors, or classes that look alike"
    ),
}


def suspects(data: Data, run: Run | None = None, *, seed: int = 0) -> Suspects:
    """Check every label of all sets with networks that saw neither it nor its group.

    With the run of these data, the mistakes of the run with a doubtful label are counted too.
    """
    labels, sources = data.door.labels, data.sources
    if labels.task == "regression":
        hint = "chainrule errors without --suspects, which lists the largest errors"
        raise OptionError("--suspects", "a target of classes", "a target of numbers", hint)
    y = np.concatenate([labelled(source) for source in sources.values()])
    if len(y) < 2 * FOLDS:
        raise OptionError("--suspects", f"at least {2 * FOLDS} examples", str(len(y)), "more data")
    rows = _all(data)
    likely = cross_fitted(rows, y, data.door, groups=_groups(sources), seed=seed)
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
    return Suspects(
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
    X = stacked([part.X for part in data.parts.values()])
    Y = np.concatenate([part.Y for part in data.parts.values()])
    if all(part.weights is None for part in data.parts.values()):
        return Examples(X, Y)
    weights = [np.ones(len(X)) if w is None else w for X, _, w in data.parts.values()]
    return Examples(X, Y, np.concatenate(weights))


def _groups(sources: Mapping[str, Source]) -> np.ndarray | None:
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
    """Count the doubtful labels of each set, and the mistakes of the run that have one."""
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
