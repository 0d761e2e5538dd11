"""report.html of a vision system: how good it is, what it sees, how it was trained.

What is said of vision systems: tables of their results, and the command that repeats one.

What to do next with a vision system: its bias and its variance, and the cures of the larger.

Notes: "Bias / Variance", "Basic Recipe for Machine Learning" (course 2, week 1).

    error       1 − the score that counts; of an equal error rate itself
    bias        the error on train: nothing says here how well people do
    variance    how much larger it is on dev
    to dev      how much larger it is on test than on dev: what choosing by dev has flattered
"""

import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from chainrule.formatting import aligned
from chainrule.inspection.report.content import (
    ENDINGS,
    cost_chart,
    count,
    made_with,
    network_table,
    number,
    used,
)
from chainrule.inspection.report.html import Html, element, picture, table, together
from chainrule.inspection.report.html import page as page_of
from chainrule.train.health import verdicts
from chainrule.vision.recipe import VisionRecipe
from chainrule.vision.store import load_system
from chainrule.vision.task import Results, System, kind_of


def result_words(kind: str, results: Results, names: tuple[str, ...]) -> str:
    """A line for each part, then one for each class of the part that speaks for the system."""
    words = kind_of(kind).words
    single = _keys(results, words, lists=False)
    rows = [["", "pictures", *(words[key] for key in single)]]
    for part, found in results.items():
        rows.append([part, f"{found['m']:,}", *(in_digits(found.get(key)) for key in single)])
    lines = ["", *(f"  {line}" for line in aligned(rows, right=range(1, len(rows[0]))))]
    by_class = _keys(results, words, lists=True)
    if by_class:
        part = judged(results)
        rows = [[f"on {part}", *(words[key] for key in by_class)]]
        columns = (results[part][key] for key in by_class)
        for name, *values in zip(names, *columns, strict=True):
            rows.append([name, *map(in_digits, values)])
        lines += ["", *(f"  {line}" for line in aligned(rows, right=range(1, len(rows[0]))))]
    return "\n".join(lines)


def judged(results: Results) -> str:
    """The part that speaks for the system."""
    return next((name for name in ("test", "dev", "train") if name in results), next(iter(results)))


def in_digits(value: float | None) -> str:
    """Four decimals; "-" for what there is not."""
    return "-" if value is None or math.isnan(value) else f"{value:.4f}"


def command(recipe: VisionRecipe) -> str:
    """The command that trains it again."""
    usual = type(recipe)("")
    said = {k: v for k, v in recipe.to_dict().items() if k not in ("kind", "source")}
    words = ["chainrule", recipe.kind, "train", recipe.source]
    for name, value in said.items():
        if value == getattr(usual, name):
            continue
        option = "--" + {"base": "from"}.get(name, name).replace("_", "-")
        if isinstance(value, bool):
            words.append(option if value else option.replace("--", "--no-", 1))
        elif isinstance(value, tuple):
            words += [option, "x".join(map(str, value))]
        else:
            words += [option, f"{value:g}" if isinstance(value, float) else str(value)]
    return shlex.join(words)


def _keys(results: Results, words: Any, *, lists: bool) -> list[str]:
    """The scores that are there, in the order of their words."""
    there = {k: v for found in results.values() for k, v in found.items()}
    return [key for key in words if key in there and isinstance(there[key], list) == lists]


ERRORS = ("equal_error_rate",)
"""Scores that are errors already."""

SMALL = 0.02
"""A gap that is not worth a word."""

CURES = {
    "bias": (
        "a wider network: --width",
        "more passes: --epochs",
        "larger pictures, where what counts is small: --image-size",
    ),
    "variance": (
        "more pictures, above all of what is mistaken",
        "stronger changes to them: --augment",
        "a narrower network: --width",
    ),
    "to dev": ("more dev pictures, or fewer comparisons on them",),
}
NAMES = {
    "bias": "the error on train",
    "variance": "more on dev than on train",
    "to dev": "more on test than on dev",
}


class Advice(NamedTuple):
    """The gaps by name, in the order of NAMES, and what to do about the largest."""

    gaps: dict[str, float]
    largest: str | None
    cures: tuple[str, ...]

    def text(self) -> str:
        """A few lines; nothing where no part but train was measured."""
        said = " · ".join(f"{NAMES[name]} {gap:.3f}" for name, gap in self.gaps.items())
        if self.largest is None:
            return f"  {said}: nothing stands out"
        lines = [f"  {said}", f"largest is {self.largest}; do next:"]
        return "\n".join([*lines, *(f"  {i}. {one}" for i, one in enumerate(self.cures, 1))])


def advice(kind: str, results: Results) -> Advice | None:
    """From the results of the parts; None without a dev part, or where a score is missing."""
    main = kind_of(kind).main
    scores = {part: found.get(main) for part, found in results.items()}
    errors = {
        part: score if main in ERRORS else 1 - score
        for part, score in scores.items()
        if score is not None
    }
    if not {"train", "dev"} <= errors.keys():
        return None
    gaps = {"bias": errors["train"], "variance": errors["dev"] - errors["train"]}
    if "test" in errors:
        gaps["to dev"] = errors["test"] - errors["dev"]
    largest = max(gaps, key=lambda name: gaps[name])
    if gaps[largest] <= SMALL:
        return Advice(gaps, None, ())
    return Advice(gaps, largest, CURES[largest])


def page(system: System, pictures: Mapping[str, bytes]) -> bytes:
    """The page, with those pictures that the kind has words for."""
    sections = {
        "next": ("What to do next", _next(system)),
        "results": ("Results", _results(system)),
        "pictures": ("What it sees", _pictures(system, pictures)),
        "training": ("Training", _training(system)),
        "shapes": ("The network", network_table(system.network, None)),
        "repeat": ("To repeat it", _repeat(system)),
    }
    there = {key: (title, inside) for key, (title, inside) in sections.items() if inside}
    return page_of(f"{system.recipe.source}: {_headline(system)}", _header(system), there)


def page_again(path: str | Path) -> tuple[bytes, str]:
    """The page of a saved system made anew, with the pictures that lie there; what is missing."""
    system = load_system(path)
    names = kind_of(system.kind).captions
    files = {name: Path(path) / name for name in names}
    return page(system, {k: file.read_bytes() for k, file in files.items() if file.exists()}), ""


def _headline(system: System) -> str:
    own, part = kind_of(system.kind), judged(system.results)
    return f"{own.words[own.main]} {in_digits(system.results[part].get(own.main))} on {part}"


def _header(system: System) -> Html:
    own, part = kind_of(system.kind), judged(system.results)
    m = int(system.results[part]["m"])
    seen = "which it was trained on" if part == "train" else "which it had not seen"
    said = f"The {own.title} {system.network.title}, measured on {count(m, f'{part} picture')}, "
    shown = {
        f"{own.words[own.main]} on {name}": in_digits(found.get(own.main))
        for name, found in system.results.items()
    }
    shown["parameters"] = number(system.parameters)
    if system.history.epochs:
        shown["seconds of training"] = f"{system.history.epochs[-1].seconds:.1f}"
    pairs = [element("div", element("dt", k), element("dd", v)) for k, v in shown.items()]
    return element(
        "header",
        element("p", f"{system.recipe.source} · trained with chainrule", class_="eyebrow"),
        element("h1", _headline(system)),
        element("p", f"{said}{seen}.", class_="sentence"),
        element("dl", *pairs, class_="figures"),
    )


def _results(system: System) -> Html:
    """A column for each part; then a line for each class."""
    own, results = kind_of(system.kind), system.results
    there = {key for found in results.values() for key in found}
    lists = {key for found in results.values() for key in found if isinstance(found[key], list)}
    keys = [key for key in own.words if key in there - lists]
    rows: list[list[object]] = [["pictures", *(number(found["m"]) for found in results.values())]]
    for key in keys:
        rows.append([own.words[key], *(in_digits(found.get(key)) for found in results.values())])
    marked = [1 + keys.index(own.main)]
    body = table("What was measured in each part", ["", *map(used, results)], rows, marked=marked)
    classes = [_by_class(system, key) for key in own.words if key in lists]
    return together([body, *classes])


def _by_class(system: System, key: str) -> Html:
    own = kind_of(system.kind)
    columns = (found[key] for found in system.results.values())
    rows = [
        [name, *map(in_digits, values)]
        for name, *values in zip(system.names, *columns, strict=True)
    ]
    return table(f"{own.words[key]} of each class", ["class", *map(used, system.results)], rows)


def _next(system: System) -> Html | None:
    """Bias, variance, and the cures of the larger."""
    found = advice(system.kind, system.results)
    if found is None:
        return None
    rows = [[NAMES[name], f"{gap:.3f}"] for name, gap in found.gaps.items()]
    gaps = table("How much is missing", ["", "of the score"], rows)
    cures = [element("li", one) for one in found.cures]
    said = f"Largest is {found.largest}. Do next:" if cures else "Nothing stands out."
    return together([gaps, element("p", said), element("ol", *cures) if cures else None])


def _pictures(system: System, pictures: Mapping[str, bytes]) -> Html | None:
    captions = kind_of(system.kind).captions
    shown = [
        element("figure", picture(pictures[name], words, class_="card"), element("p", words))
        for name, words in captions.items()
        if name in pictures
    ]
    return together(shown) if shown else None


def _training(system: System) -> Html | None:
    history = system.history
    if not history.epochs:
        return None
    ended = ENDINGS.get(history.stopped, "It trained for")
    seconds = f"{history.epochs[-1].seconds:.1f} s"
    said = f"{ended} {count(len(history.epochs), 'epoch')}, in {seconds}."
    bad = [element("li", f"{one}", class_="caution") for one in verdicts(history)]
    warned = element("ul", *bad) if bad else None
    return together([element("p", said), cost_chart(history), warned])


def _repeat(system: System) -> Html:
    digests = system.facts.get("digests", {})
    files = [[name, element("code", one)] for name, one in digests.items()]
    sums = table("sha256 of the data", ["part", "sha256"], files, words=(0, 1)) if files else None
    line = element("pre", element("code", command(system.recipe)))
    return together([line, element("p", made_with(system.facts)), sums])
