"""Are the verdicts right? `python -m benchmarks.verdicts` diagnoses 200 made runs with known truth.

A verdict is right when what was put in is found, and found first:

    bias, variance, mismatch    the first finding is that gap
    both                        the first two findings are bias and variance, in either order
    leak, wrong labels          the first finding is it
    dead units                  the first finding is dead
    bad rate                    the first finding is the learning rate, too high or too low
    sound                       nothing is found (these are counted apart: false alarms)

What is found beyond that is often true as well (a network with dead units has a bias) and counts
for nothing. The reference is the Bayes error of the made world.
"""

import sys
from collections import Counter
from time import perf_counter

from threadpoolctl import threadpool_limits

from benchmarks.made_runs import MAKERS, MadeRun, made_runs
from chainrule.strategy.diagnosis import Diagnosis, diagnose
from chainrule.strategy.findings import BIAS, LEAK, MISMATCH, VARIANCE, WRONG_LABELS

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
    """With the least error there can be as the reference."""
    return diagnose(made.run, made.data, reference=made.reference)


def verdict(made: MadeRun, diagnosis: Diagnosis) -> str:
    """What is said first, in the words of the truth; two gaps where both were to be found."""
    found = [one.name for one in diagnosis.found]
    if made.truth == "both" and {*found[:2]} == {BIAS, VARIANCE}:
        return "both"
    return found[0] if found else "sound"


def is_right(made: MadeRun, said: str) -> bool:
    """As the table above has it."""
    if made.truth == "bad rate":
        return said == f"learning rate {made.how}"
    return said == FIRST.get(made.truth, made.truth)


def main(each: int = EACH, seed: int = 0) -> int:
    """Print what was said of each truth; 1 where too few are right."""
    start, table, right, misses = perf_counter(), Counter(), Counter(), []
    for made in made_runs(each, seed):
        diagnosis = diagnosed(made)
        said = verdict(made, diagnosis)
        table[made.truth, said] += 1
        right[made.truth] += is_right(made, said)
        if not is_right(made, said):
            misses.append(f"{made.truth} ({made.how}):\n{diagnosis.text()}\n")
    for truth in MAKERS:
        said = ", ".join(f"{name} {n}" for (of, name), n in table.most_common() if of == truth)
        print(f"{truth:13} {right[truth]:3} of {each} right    said: {said}")
    troubles = [truth for truth in MAKERS if truth != "sound"]
    share = sum(right[truth] for truth in troubles) / (each * len(troubles))
    print(f"\n{share:.1%} right, in {perf_counter() - start:.0f} s")
    if "-v" in sys.argv:
        print("\n".join(misses))
    return int(share < TARGET)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    with threadpool_limits(1):  # so small matrices are slower on several cores that others use
        raise SystemExit(main(*numbers))
