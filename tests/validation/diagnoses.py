"""Measure how often the diagnosis is right, on 225 runs with a known problem.

`python -m tests.validation.diagnoses [runs of each kind] [seed]` prints a line for each kind.
A diagnosis is right when the problem that was put in is found, and found first:

    bias, variance, mismatch    the first finding is that gap
    both                        the first two findings are bias and variance, in either order
    leak, wrong labels          the first finding is that problem
    dead units                  the first finding is "dead"
    bad rate                    the first finding is the learning rate, too high or too low
    sound                       nothing is found; false alarms are counted separately

Further findings do not count: they are often true as well, since a network with dead units also
has a bias. The reference is the Bayes error of the distribution that the examples are drawn from.
"""

import sys
from collections import Counter
from time import perf_counter

from threadpoolctl import threadpool_limits

from chainrule.strategy.diagnosis import Diagnosis, diagnose
from chainrule.strategy.findings import BIAS, LEAK, MISMATCH, VARIANCE, WRONG_LABELS
from tests.validation.known_runs import MAKERS, MadeRun, made_runs

FIRST = {
    "bias": BIAS,
    "variance": VARIANCE,
    "mismatch": MISMATCH,
    "leak": LEAK,
    "wrong labels": WRONG_LABELS,
    "dead units": "dead",
}
TARGET = 0.95
EACH = 25


def diagnosed(made: MadeRun) -> Diagnosis:
    """Diagnose a run, with the Bayes error as the reference."""
    return diagnose(made.run, made.data, reference=made.reference)


def verdict(made: MadeRun, diagnosis: Diagnosis) -> str:
    """Return the first finding, or "both" if bias and variance are the first two."""
    found = [one.name for one in diagnosis.found]
    if made.truth == "both" and {*found[:2]} == {BIAS, VARIANCE}:
        return "both"
    return found[0] if found else "sound"


def is_right(made: MadeRun, finding: str) -> bool:
    """Return whether this first finding is right, by the table above."""
    if made.truth == "bad rate":
        return finding == f"learning rate {made.how}"
    return finding == FIRST.get(made.truth, made.truth)


def main(each: int = EACH, seed: int = 0) -> int:
    """Print the findings for each problem; return 1 if too few are right, else 0."""
    start, table, right, misses = perf_counter(), Counter(), Counter(), []
    for made in made_runs(each, seed):
        diagnosis = diagnosed(made)
        finding = verdict(made, diagnosis)
        table[made.truth, finding] += 1
        right[made.truth] += is_right(made, finding)
        if not is_right(made, finding):
            misses.append(f"{made.truth} ({made.how}):\n{diagnosis.text()}\n")
    for truth in MAKERS:
        found = ", ".join(f"{name} {n}" for (of, name), n in table.most_common() if of == truth)
        print(f"{truth:13} {right[truth]:3} of {each} right    found: {found}")
    problems = [truth for truth in MAKERS if truth != "sound"]
    share = sum(right[truth] for truth in problems) / (each * len(problems))
    print(f"\n{share:.1%} right, in {perf_counter() - start:.0f} s")
    if "-v" in sys.argv:
        print("\n".join(misses))
    return int(share < TARGET)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    with threadpool_limits(1):  # matrices this small are slower on several busy cores
        raise SystemExit(main(*numbers))
