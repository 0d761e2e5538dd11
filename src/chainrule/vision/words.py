"""What is said of vision systems: tables of their results, and the command that repeats one."""

import math
import shlex
from typing import Any

from chainrule.strategy.table import aligned
from chainrule.vision.kinds import kind_of
from chainrule.vision.recipe import VisionRecipe
from chainrule.vision.system import Results


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
