"""Check that no row of the dev or the test set changes a trained weight or a normaliser.

    python -m tests.validation.honesty [trials]

A trial takes one of the data sets of `honesty_data.py`, changes one, a few or all rows of its dev
or its test set, trains again from the files, and compares, bit for bit:

    always              the preprocessor: columns, normalisers, classes
                        the path: θ and the optimiser's state after the last step; the cost and the
                        gradient norm of each epoch
    a test row          the network that is kept, and the dev cost of each epoch
    a dev row           the network that is kept, if the same epoch is the best: the dev set is
                        there to choose the epoch, and may choose another one of the same path

Labels of a single file that chainrule splits do not change, because the split is stratified by
class: other labels would give another split. Labels change where each set has its own file, where
the target is a number, and after the split (`relabelled`). If a change is refused with an error,
nothing is trained.
"""

import shutil
import sys
import tempfile
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from chainrule.errors import ChainruleError
from chainrule.runs.defaults import COSTS, METRICS
from chainrule.runs.prepare import (
    Prepared,
    prepare,
    prepare_network,
    preprocess_sets,
    read_and_split,
)
from chainrule.runs.recipe import Recipe
from chainrule.train.fit import fit
from tests.validation.honesty_data import CASES, Case, some

TRIALS = 270
"""Some changes are refused with an error; more than 200 are trained on."""
PARTS = ("dev", "test")


class Trace(NamedTuple):
    """The results of a training that are compared, as bytes and numbers."""

    preprocessor: Any
    path: Any
    dev_costs: list[float]
    best_epoch: int | None
    kept: Any


class LastStep:
    """A replacement of Checkpoints that keeps the state after the last step."""

    due, recipe = True, "none"

    def write(self, step: int, tree: Any, words: dict[str, Any]) -> None:
        """Keep the content of a checkpoint."""
        progress, _ = tree
        self.progress = jax.tree.map(np.asarray, (progress.network, progress.state))

    def newest(self, like: Any) -> None:
        """Return no checkpoint, so that the training starts from the beginning."""


def trained(prepared: Prepared) -> Trace:
    """Train, and return the results that are compared."""
    last = LastStep()
    preprocessor, parts = prepared.preprocessor, prepared.parts
    fitted = fit(
        prepared.network,
        prepared.optimizer,
        COSTS[preprocessor.cost],
        parts["train"],
        parts["dev"],
        epochs=prepared.epochs,
        batch_size=prepared.batch_size,
        metric=METRICS[preprocessor.metric],
        patience=prepared.patience,
        penalty=prepared.penalty(),
        seed=prepared.recipe.seed,
        checkpoints=last,  # pyright: ignore
    )
    history = fitted.history
    epochs = [(epoch.cost, epoch.gradient_norm) for epoch in history.epochs]
    rows = bits([parts["train"].X, parts["train"].Y, parts["train"].weights])
    return Trace(
        (preprocessor.to_dict(), bits(preprocessor.arrays()), rows),
        (epochs, bits(last.progress)),
        history.dev_costs,
        history.best_epoch,
        bits(fitted.network),
    )


def bits(tree: Any) -> list[tuple[str, tuple[int, ...], bytes]]:
    """Return the type, shape and bytes of every array."""
    arrays = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
    return [(str(array.dtype), array.shape, array.tobytes()) for array in arrays]


def differences(before: Trace, after: Trace, part: str) -> list[str]:
    """Return the names of the results that have changed and must not."""
    wrong = [
        name for name in ("preprocessor", "path") if getattr(before, name) != getattr(after, name)
    ]
    if part == "test":
        wrong += [name for name in ("dev_costs", "best_epoch") if differs(before, after, name)]
    if before.best_epoch == after.best_epoch and before.kept != after.kept:
        wrong.append("kept")
    return wrong


def differs(before: Trace, after: Trace, name: str) -> bool:
    """Return whether this result has changed."""
    return getattr(before, name) != getattr(after, name)


class Bench:
    """The data sets, each trained on once without a change."""

    def __init__(self, folder: Path):
        self.folder, self.known = folder, {}

    def sound(self, case: Case) -> tuple[Path, Prepared, Trace]:
        """Return the folder of a data set's files, its preparation, and its training."""
        if case.name not in self.known:
            folder = self.folder / f"case {len(self.known)}"
            folder.mkdir()
            prepared = prepare(case.write(folder))
            self.known[case.name] = folder, prepared, trained(prepared)
        return self.known[case.name]

    def trial(self, case: Case, part: str, rng: np.random.Generator) -> tuple[str, str]:
        """Return what was changed, and the outcome: "same", "refused" or what differs."""
        folder, prepared, before = self.sound(case)
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        what = case.change(copy, prepared.sources[part].where, part, rng)
        try:
            after = trained(prepare(moved(prepared.recipe, folder, copy)))
        except ChainruleError:
            return what, "refused"
        return what, ", ".join(differences(before, after, part)) or "same"

    def relabelled(self, case: Case, part: str, rng: np.random.Generator) -> tuple[str, str]:
        """Change labels after the split; return what was changed, and the outcome."""
        _, prepared, before = self.sound(case)
        sources, labels = read_and_split(prepared.recipe)
        y = np.array(sources[part].y)
        rows = some(np.arange(len(y)), rng)
        y[rows] = rng.permutation(sources["train"].y)[: len(rows)]
        sources[part] = replace(sources[part], y=y)
        data = preprocess_sets(sources, labels, prepared.recipe.normalize)
        after = trained(prepare_network(prepared.recipe, data))
        outcome = ", ".join(differences(before, after, part)) or "same"
        return f"labels of {len(rows)} rows, after the split", outcome


def moved(recipe: Recipe, folder: Path, copy: Path) -> Recipe:
    """Return the recipe with its files in another folder."""
    names = [name for name in ("source", "extra", *PARTS) if getattr(recipe, name) is not None]
    there = {name: str(copy / Path(getattr(recipe, name)).relative_to(folder)) for name in names}
    return replace(recipe, **there)


def run(trials: int, folder: Path, seed: int = 0, cases=CASES) -> list[tuple[str, str, str, str]]:
    """Return the data set, the changed set, the change and the outcome of each trial."""
    bench, rng, found = Bench(folder), np.random.default_rng(seed), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the changed values are unusual on purpose
        for i in range(trials):
            case, part = cases[i % len(cases)], PARTS[i // len(cases) % 2]
            way = bench.relabelled if rng.random() < 0.1 else bench.trial
            found.append((case.name, part, *way(case, part, rng)))
    return found


def report(found: list[tuple[str, str, str, str]]) -> str:
    """Return a table with a line for each data set, and every leak."""
    lines = [f"{'':54}{'same':>8}{'refused':>9}{'leaked':>8}"]
    outcomes = Counter((case, outcome) for case, _, _, outcome in found)
    for name in dict.fromkeys(case for case, *_ in found):
        same, refused = outcomes[name, "same"], outcomes[name, "refused"]
        total = sum(n for (case, _), n in outcomes.items() if case == name)
        lines.append(f"{name:54}{same:8}{refused:9}{total - same - refused:8}")
    refused = sum(n for (_, outcome), n in outcomes.items() if outcome == "refused")
    lines.append(f"{len(found)} trials, {len(found) - refused} of them trained")
    leaks = [trial for trial in found if trial[3] not in ("same", "refused")]
    lines += [f"LEAK in {case}, {part}: {what}: {wrong}" for case, part, what, wrong in leaks]
    return "\n".join(lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as there:
        print(report(run(int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS, Path(there))))
