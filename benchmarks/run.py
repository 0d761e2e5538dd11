"""Measure everything, print the tables; with --write also docs/benchmarks.md and its picture."""

import argparse
import time

from benchmarks.cases import CASES
from benchmarks.fits import warm_fits
from benchmarks.picture import PICTURE, draw
from benchmarks.processes import process_seconds
from benchmarks.report import PAGE, page, write_page
from benchmarks.steps import step_seconds
from benchmarks.targets import all_targets
from benchmarks.timing import noise


def main() -> None:
    """The whole run: about ten minutes on two quiet cores."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE} and {PICTURE}")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each (5)")
    parser.add_argument("--length", type=float, default=1.0, help="seconds of each (1.0)")
    options = parser.parse_args()
    spread = noise()
    began = time.perf_counter()
    steps = {}
    for case in CASES:
        say(f"an Adam step of {case.title}", began)
        steps[case] = step_seconds(case, length=options.length, rounds=options.rounds)
    say("whole fits", began)
    fits = warm_fits(options.rounds)
    say("whole processes", began)
    processes = process_seconds(options.rounds)
    targets = all_targets(steps, fits, processes)
    took = time.perf_counter() - began
    text = page(steps, fits, processes, targets, length=options.length, took=took)
    print(text)
    if options.write and write_page(PAGE, text, spread):
        draw(steps)


def say(what: str, began: float) -> None:
    """Where the run is."""
    print(f"{time.perf_counter() - began:4.0f} s  {what}", flush=True)


if __name__ == "__main__":
    main()
