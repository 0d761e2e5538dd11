"""Options as people write them, and what they mean; a wrong one is said in the design's form."""

import os
from pathlib import Path
from typing import Any

import typer

from chainrule.errors import OptionError

NUMBER_WORDS = {int: "a whole number", float: "a number"}


def option(words: str, metavar: str, *names: str) -> Any:
    """An optional text option with its help."""
    return typer.Option(None, *names, help=words, metavar=metavar, show_default=False)


def hidden_units(text: str | None) -> tuple[int, ...] | None:
    """Units of the hidden layers.

    >>> hidden_units("64,32"), hidden_units("none")
    ((64, 32), ())
    """
    if text is None:
        return None
    if text.strip().lower() == "none":
        return ()
    hint = "units per hidden layer, such as 64,32, or none for logistic regression"
    return tuple(number("--hidden", part, int, hint) for part in text.split(","))


def batch_size(text: str | None) -> int | None:
    """Examples a step sees; "all" is the whole set."""
    if text is None:
        return None
    if text.strip().lower() == "all":
        return 0
    size = number("--batch-size", text, int, "64, or all")
    if size < 1:
        raise OptionError("--batch-size", "1 or more, or all", text, "64, or all")
    return size


def keep_prob_of(text: str | None) -> float | tuple[float, ...] | None:
    """One for all hidden layers, or one for each.

    >>> keep_prob_of("0.8"), keep_prob_of("0.8,1")
    (0.8, (0.8, 1.0))
    """
    if text is None:
        return None
    hint = "0.8, or one for each hidden layer, such as 0.8,1"
    first, *others = (number("--keep-prob", part, float, hint) for part in text.split(","))
    return (first, *others) if others else first


def image_size(text: str | None) -> tuple[int, int] | None:
    """Height and width.

    >>> image_size("64x48")
    (64, 48)
    """
    if text is None:
        return None
    parts = text.lower().split("x")
    sizes = [number("--image-size", part, int, "64x64") for part in parts]
    if len(sizes) not in (1, 2) or min(sizes) < 1:
        raise OptionError("--image-size", "HEIGHTxWIDTH, each 1 or more", text, "64x64")
    return sizes[0], sizes[-1]


def number(
    option: str, text: str | None, kind: type, hint: str, *, least: int | None = None
) -> Any:
    """The number that is written, or None."""
    if text is None:
        return None
    try:
        value = kind(text.strip())
    except ValueError:
        raise OptionError(option, NUMBER_WORDS[kind], repr(text.strip()), hint) from None
    if least is not None and value < least:
        raise OptionError(option, f"{NUMBER_WORDS[kind]} from {least} on", str(value), hint)
    return value


def checkpoint_seconds(text: str | None) -> float:
    """Seconds between two checkpoints; 0 is after every call, about four a second.

    >>> checkpoint_seconds(None), checkpoint_seconds("0.5")
    (60.0, 0.5)
    """
    every = 60.0 if text is None else number("--checkpoint-every", text, float, "60")
    if not 0 <= every < float("inf"):
        raise OptionError("--checkpoint-every", "seconds, 0 or more", f"{every:g}", "60")
    return every


def as_written(name: str, value: Any) -> str:
    """An entry of a recipe in the words of the command line; files without their folders.

    >>> as_written("hidden", (64, 32)), as_written("batch_size", 0), as_written("dev", "d/dev.csv")
    ('64,32', 'all', 'dev.csv')
    """
    if value is None:
        return "-"
    if name in ("source", "dev", "test", "extra", "base"):
        return Path(value).name
    if name == "hidden":
        return ",".join(map(str, value)) or "none"
    if name == "keep_prob" and isinstance(value, tuple | list):
        return ",".join(map(str, value))
    if name == "image_size":
        return "x".join(map(str, value))
    if name == "batch_size":
        return str(value or "all")
    return str(value).lower() if isinstance(value, bool) else str(value)


def use_threads(text: str | None) -> None:
    """Have everything run on so many processors; must come before JAX is imported."""
    count = number("--threads", text, int, "1", least=1)
    if count is None:
        return
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    os.environ["NPROC"] = os.environ["OMP_NUM_THREADS"] = str(count)
    if allowed:
        os.sched_setaffinity(0, allowed[:count])


def run_folder(out: str | None, source: str) -> Path:
    """Where the run is written: --out, or the next free runs/NAME-N."""
    from chainrule.runs.folder import claim_next

    name = Path(source.rstrip("/")).name.split(".")[0] or "run"
    return claim_next(Path("runs"), name) if out is None else Path(out)
