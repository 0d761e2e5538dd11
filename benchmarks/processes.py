"""Whole processes: import, data, compilation, fit, exit. And `chainrule --help`.

The first process of chainrule starts with an empty compilation cache. Later processes find the
cache filled, as on a machine where chainrule has run before.
"""

import os
import subprocess
import sys
import tempfile
from functools import partial

from benchmarks.timing import in_turn

HELP = "from chainrule.cli.main import main; main()"


def process(*arguments: str, cache: str) -> None:
    """Python with these arguments; ours keeps its compiled programs in `cache`."""
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    subprocess.run(
        [sys.executable, *arguments],
        env=environment | {"CHAINRULE_CACHE": cache},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def first_process() -> None:
    """A fit of ours that compiles everything."""
    with tempfile.TemporaryDirectory() as empty:
        process("-m", "benchmarks.fits", "chainrule", cache=empty)


def process_seconds(rounds: int) -> dict[str, float]:
    """The median seconds of each process."""
    with tempfile.TemporaryDirectory() as cache:
        fit = partial(process, "-m", "benchmarks.fits", cache=cache)
        names = {
            "chainrule, later processes": partial(fit, "chainrule"),
            "scikit-learn": partial(fit, "scikit_learn"),
            "PyTorch": partial(fit, "pytorch"),
            "Flax + Optax": partial(fit, "flax_optax"),
            "chainrule --help": partial(process, "-c", HELP, "--help", cache=cache),
        }
        for run in names.values():  # fills the cache of ours, and the system's cache of files
            run()
        first = "chainrule, first process (empty compilation cache)"
        return in_turn({first: first_process, **names}, rounds)
