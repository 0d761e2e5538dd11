"""Labels that may be wrong: examples that networks which never saw them take for something else.

Notes: "Cleaning up incorrectly labeled data" (course 3, week 2). Random mistakes in the training
part do little harm; systematic ones are learned. In dev and test they blur which network is better:
mend both alike, and only where they are a good share of the mistakes.

    suspect     the likeliest class, by cross-fitted networks, is not the label
    order       by the cost −log p(label), the highest first

How many of them are wrong is in `label_noise.py`. The order is a proposal; look at the rows.
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
from chainrule.strategy.judged import judge
from chainrule.strategy.label_noise import Noise, confident_joint, noise_of
from chainrule.strategy.shares import wilson
from chainrule.strategy.table import aligned
from chainrule.train.examples import Examples
from chainrule.train.prepare import Data, labelled
from chainrule.train.run import Run

SHOWN = 20


@dataclass(frozen=True)
class Suspect:
    """An example and its label; how likely that is, and how likely what is thought `instead`."""

    place: int | str
    part: str
    index: int
    given: Any
    instead: Any
    sure: float
    p_given: float


@dataclass(frozen=True)
class PartNoise:
    """What wrong labels do to a part: the run's mistakes, and those where a label is suspect.

    `doubtful` are confidently taken for another class; None of the run where there is no run.
    """

    m: int
    doubtful: int
    mistakes: int | None = None
    doubtful_mistakes: int | None = None


@dataclass(frozen=True)
class Suspects:
    """All of them, the most suspect first; how many labels are wrong, and what that does.

    agree   the share of the labels that cross-fitted networks say too
    """

    source: str
    place_name: str
    m: int
    agree: float
    noise: Noise
    parts: dict[str, PartNoise]
    listed: tuple[Suspect, ...]

    @property
    def either(self) -> bool:
        """With two classes: wrong labels and classes that overlap cannot be told apart."""
        return self.noise.kind == "either"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def text(self, most: int = SHOWN) -> str:
        """The count, what it means, and a table of the first of them."""
        lines = [[self.place_name, "part", "label", "taken for", "sure", "p(label)"]]
        for one in self.listed[:most]:
            words = map(str, (one.place, one.part, one.given, one.instead))
            lines.append([*words, f"{one.sure:.3f}", f"{one.p_given:.1e}"])
        table = ["", *aligned(lines, [0, 4, 5])] if self.listed else []
        more = len(self.listed) - most
        rest = [f"… and {more:,} more"] if more > 0 else []
        return "\n".join([*self._counted(), *self._parts(), *table, *rest])

    def _counted(self) -> list[str]:
        noise = self.noise
        by = f"networks that did not see them agree with {self.agree:.1%} of {self.m:,} labels"
        if noise.kind == "unknown":
            return [f"{by} of {self.source}, {WORDS['unknown']}"]
        n, low, high = (round(x * self.m) for x in (noise.share, noise.low, noise.high))
        of = f"of {self.m:,} labels of {self.source}"
        look = "are wrong or in between" if self.either else "look wrong"
        said = [f"about {n:,} {of} {look} ({noise.share:.1%}; between {low:,} and {high:,})", by]
        if noise.kind != "none":
            said.append(WORDS[noise.kind])
        for pair in noise.pairs[:3]:
            chance = f"by chance {pair.by_chance:.1f}"
            said.append(
                f"  {pair.count:,} labelled {pair.given} look like {pair.instead}; {chance}"
            )
        return said

    def _parts(self) -> list[str]:
        said = []
        have = "are among them: wrong or in between" if self.either else "have a doubtful label"
        for name, part in self.parts.items():
            if part.mistakes and part.doubtful_mistakes is not None and name != "train":
                share = part.doubtful_mistakes / part.mistakes
                said.append(
                    f"{name}: {part.doubtful_mistakes:,} of {part.mistakes:,} mistakes {have} "
                    f"({share:.0%})"
                )
        doubtful = sum(p.doubtful_mistakes or 0 for n, p in self.parts.items() if n != "train")
        if doubtful:
            said.append(
                "  labels of dev and test are mended alike, by the same rule, or not at all"
            )
        return said

    def csv(self) -> str:
        """A header, and a line for each."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow([self.place_name, "part", "label", "taken for", "sure", "p(label)"])
        for one in self.listed:
            said = (one.place, one.part, one.given, one.instead)
            table.writerow([*said, f"{one.sure:.6f}", f"{one.p_given:.6g}"])
        return text.getvalue()


WORDS = {
    "unknown": "not surely more than one class for all would: nothing can be said of them",
    "either": (
        "with two classes, wrong labels and classes that overlap cannot be told apart here; "
        "chainrule diagnose RUN looks at the clear ones alone"
    ),
    "few": "too few to tell whether by chance or by rule",
    "random": "they are spread as chance would spread them: in training such labels do little harm",
    "systematic": (
        "they sit in a few pairs of classes: labels wrong by rule, which a network learns, "
        "or classes that look alike"
    ),
    "both": (
        "some are spread as by chance; others sit in a few pairs of classes, "
        "wrong by rule or classes that look alike"
    ),
}


def suspects(data: Data, run: Run | None = None, *, seed: int = 0) -> Suspects:
    """Every label of all parts, judged by networks that saw neither it nor its group.

    With the run of these data also what the doubtful labels are of its mistakes.
    """
    labels, sources = data.door.labels, data.sources
    if labels.task == "regression":
        hint = "chainrule errors without it: the largest errors"
        raise OptionError("--suspects", "a target of classes", "one of numbers", hint)
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
        listed.append(Suspect(at, part, i, given, instead, sure, p_given))
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
    """The rows of all parts, one after the other."""
    X = stacked([part.X for part in data.parts.values()])
    Y = np.concatenate([part.Y for part in data.parts.values()])
    if all(part.weights is None for part in data.parts.values()):
        return Examples(X, Y)
    weights = [np.ones(len(X)) if w is None else w for X, _, w in data.parts.values()]
    return Examples(X, Y, np.concatenate(weights))


def _groups(sources: Mapping[str, Source]) -> np.ndarray | None:
    """The group of each row; of a part without groups each row is one of its own."""
    if all(source.groups is None for source in sources.values()):
        return None
    named = [
        [f"{part} {i}" for i in range(len(source))]
        if source.groups is None
        else [f"group {group}" for group in source.groups]
        for part, source in sources.items()
    ]
    return np.array([name for part in named for name in part])


def _parts_of(data: Data, run: Run | None, doubtful: np.ndarray) -> dict[str, PartNoise]:
    """Part by part: doubtful labels, and how many of the run's mistakes have one."""
    found, start = {}, 0
    for name, source in data.sources.items():
        here = doubtful[start : start + len(source)]
        start += len(source)
        of_run = ()
        if run is not None:
            wrong = judge(run, data, name).error > 0
            of_run = (int(wrong.sum()), int((wrong & here).sum()))
        found[name] = PartNoise(len(source), int(here.sum()), *of_run)
    return found
