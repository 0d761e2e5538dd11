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

This page was written by `{command}` on {day}, in {minutes:.0f} minutes.

{machine}

All libraries were timed alternately in one run, in several rounds; the figures are medians. The
number before "×" is the time divided by the time of `chainrule fit` (or of chainrule). A network is
described by the sizes of its layers: 20-16-8-2 has 20 inputs, hidden layers of 16 and 8 units, and
2 outputs.
"""

TARGETS = """## Targets

Most targets limit the ratio of two times: "PyTorch / chainrule fit" is the time of PyTorch divided
by the time of chainrule, for the same network and batch size. The last target is a time in seconds.
"""

STEPS = """## An Adam step

![Time of a step relative to chainrule's fit](pictures/benchmarks.png)

The table shows the time of one training step: the duration of a training run of about {length:g}
seconds, divided by the number of its steps. *chainrule fit* is `chainrule.train.fit.fit`. Its time
includes everything from arrays on the host to the trained network, such as starting, shuffling and
recording the history. *chainrule loop* is one call of `run_steps`, and *plain JAX* is the same
network written by hand, with `lax.scan` over the steps and donated buffers. scikit-learn shuffles
the examples during training and uses one logistic output for two classes; for the other libraries,
the examples are shuffled before the measurement.
"""

FITS = """## A second fit in the same process

The table compares `NetworkClassifier` and `NetworkRegressor` with scikit-learn's `MLPClassifier`
and `MLPRegressor`. All networks have 64 and 32 hidden units and are trained in batches of 64 for
100 epochs, without early stopping.
"""

PROCESSES = """## A whole process

The table shows the duration of a process that imports the library, reads digits and trains a
64-64-32-10 network (batch 64, 100 epochs). With PyTorch and Flax, the same number of generated
examples is used instead of digits. All libraries use their default settings for compilation.
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
        TARGETS,
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
        f"Machine: {system}. Versions: Python {platform.python_version()}, {libraries}. All"
        " values are float32, and each library uses its default number of threads."
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
    return table(["ratio or time", "measured", "target", "met"], rows)


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
