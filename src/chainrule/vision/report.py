"""report.html of a vision system: how good it is, what it sees, how it was trained."""

from collections.abc import Mapping
from pathlib import Path

from chainrule.inspection.report_html import Html, element, picture, table, together
from chainrule.inspection.report_page import page as page_of
from chainrule.inspection.report_parts import (
    ENDINGS,
    cost_chart,
    made_with,
    network_table,
    used,
)
from chainrule.inspection.report_told import count, number
from chainrule.train.verdicts import verdicts
from chainrule.vision.advice import NAMES, advice
from chainrule.vision.kinds import kind_of
from chainrule.vision.store import load_system
from chainrule.vision.system import System
from chainrule.vision.words import command, in_digits, judged


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
