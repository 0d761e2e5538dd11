"""The measurements as tables: on the screen, and as docs/benchmarks.md."""

import os
import platform
from datetime import date
from importlib.metadata import version
from pathlib import Path
from textwrap import fill

from benchmarks.cases import Case
from benchmarks.targets import Target

PAGE = Path("docs/benchmarks.md")
COMMAND = "python -m benchmarks.run --write"
LIBRARIES = ("jax", "jaxlib", "torch", "flax", "optax", "scikit-learn", "numpy")

TITLE = """# Benchmarks

Written by the program itself: `{command}`, on {day}, in {minutes:.0f} minutes.

{machine}

Everything was measured in one run, the contenders in turn, round after round; the figures are
medians. "×" is how many times the time of `chainrule fit` (or of chainrule) it takes.
"""

STEPS = """## An Adam step

![How many times as long as chainrule's fit](pictures/benchmarks.png)

A training of about {length:g} seconds, divided by its steps. *chainrule fit* is
`chainrule.train.fit.fit`, from arrays of the host to the trained network: shuffling, records,
start and all. *chainrule loop* is one call of `run_steps`, on a table of rows drawn before, as
*plain JAX* has it: the same network by hand, `lax.scan` over the steps, donated. scikit-learn draws
its order itself and makes one logistic output of two classes; the others have it drawn before.
"""

FITS = """## A whole fit in a process that has fitted before

64 and 32 hidden units, batch 64, 100 epochs, no early stopping: `NetworkClassifier` and
`NetworkRegressor` beside `MLPClassifier` and `MLPRegressor`.
"""

PROCESSES = """## A whole process

Python starts, imports, reads digits, fits 64-64-32-10 (batch 64, 100 epochs) and ends. PyTorch and
Flax have as many made-up examples ready and compile what they compile.
"""


def page(steps, fits, processes, targets: list[Target], *, length: float, took: float) -> str:
    """The whole page."""
    head = TITLE.format(
        command=COMMAND,
        day=date.today().isoformat(),
        minutes=max(1, took / 60),
        machine=fill(machine(), 100),
    )
    parts = [
        head,
        "## Targets\n",
        target_table(targets),
        STEPS.format(length=length),
        step_table(steps),
        FITS,
        fit_table(fits),
        PROCESSES,
        process_table(processes),
    ]
    return "\n".join(parts)


def machine() -> str:
    """The machine and the libraries, in a sentence."""
    system = f"{platform.system()}, {platform.machine()}, {os.cpu_count()} cores, {processor()}"
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"Machine: {system}. Python {platform.python_version()}, {libraries}; float32, threads as "
        "each library sets them."
    )


def processor() -> str:
    """As the kernel names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def step_table(steps: dict[Case, dict[str, float]]) -> str:
    """A row per network, a column per contender."""
    names = list(next(iter(steps.values())))
    rows = [
        [case.title, *(f"{in_words(s)} ({s / t['chainrule fit']:.2f} ×)" for s in t.values())]
        for case, t in steps.items()
    ]
    return table(["network", *names], rows)


def fit_table(fits: dict[str, dict[str, float]]) -> str:
    """A row per data set."""
    rows = [
        [data, *(in_words(s) for s in t.values()), f"{t['scikit-learn'] / t['chainrule']:.2f} ×"]
        for data, t in fits.items()
    ]
    return table(["data", *next(iter(fits.values())), "scikit-learn / chainrule"], rows)


def process_table(processes: dict[str, float]) -> str:
    """A row per process."""
    return table(["process", "time"], [[name, in_words(s)] for name, s in processes.items()])


def target_table(targets: list[Target]) -> str:
    """A row per promise."""
    rows = [
        [t.what, f"{t.value:.2f}", f"{t.sign} {t.bound:g}", "yes" if t.met else "**no**"]
        for t in targets
    ]
    return table(["what", "measured", "target", "met"], rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table of Markdown, its columns as wide as they must be."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "".join(
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |\n"
        for line in lines
    )


def in_words(seconds: float) -> str:
    """Three digits and a unit.

    >>> in_words(8.53e-6)
    '8.53 µs'
    """
    for unit, size in (("s", 1), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
