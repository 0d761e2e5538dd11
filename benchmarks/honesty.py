"""Honesty: no dev or test row ever changes a trained weight or a normaliser, bit for bit.

    python -m benchmarks.honesty [trials]

A trial takes one of the worlds of `honesty_worlds.py`, changes one, a few or all rows of its dev or
test part, trains again from the files, and compares:

    always              the door: columns, normalisers, classes
                        the path: θ and the optimiser's state after the last step; the cost and the
                        gradient norm of each epoch
    a test row          the network that is kept, and the dev cost of each epoch
    a dev row           the network that is kept, where the same epoch is the best: a dev part is
                        there to choose it, and may choose another of those on the same path

What "change" cannot mean: in one file that is split by us, classes are shared out over the parts,
so another label there is another split. Labels change in files of their own, in a target of
numbers, and behind the split (`relabelled`). A change may be refused: then nothing is trained.
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

from benchmarks.honesty_worlds import WORLDS, World, some
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

TRIALS = 270
"""Some are refused: more than 200 are trained."""
PARTS = ("dev", "test")


class Trace(NamedTuple):
    """All that a training has left, as bytes and numbers."""

    preprocessor: Any
    path: Any
    dev_costs: list[float]
    best_epoch: int | None
    kept: Any


class LastStep:
    """In the place of checkpoints: keeps what the training is after its last step."""

    due = True

    def write(self, step: int, tree: Any, words: dict[str, Any]) -> None:
        """What a checkpoint would hold."""
        progress, _ = tree
        self.progress = jax.tree.map(np.asarray, (progress.network, progress.state))

    def newest(self, like: Any) -> None:
        """Nothing to go on from."""


def trained(prepared: Prepared) -> Trace:
    """Train, and keep what there is to compare."""
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
    """Type, shape and bytes of every array."""
    arrays = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
    return [(str(array.dtype), array.shape, array.tobytes()) for array in arrays]


def differences(before: Trace, after: Trace, part: str) -> list[str]:
    """What is not as it was, though it should be."""
    wrong = [name for name in ("door", "path") if getattr(before, name) != getattr(after, name)]
    if part == "test":
        wrong += [name for name in ("dev_costs", "best_epoch") if before_after(before, after, name)]
    if before.best_epoch == after.best_epoch and before.kept != after.kept:
        wrong.append("kept")
    return wrong


def before_after(before: Trace, after: Trace, name: str) -> bool:
    """Whether this is another."""
    return getattr(before, name) != getattr(after, name)


class Bench:
    """The worlds, each trained once on the data as they are."""

    def __init__(self, folder: Path):
        self.folder, self.known = folder, {}

    def sound(self, world: World) -> tuple[Path, Prepared, Trace]:
        """Its files, and what is trained on them."""
        if world.name not in self.known:
            folder = self.folder / f"world {len(self.known)}"
            folder.mkdir()
            prepared = prepare(world.write(folder))
            self.known[world.name] = folder, prepared, trained(prepared)
        return self.known[world.name]

    def trial(self, world: World, part: str, rng: np.random.Generator) -> tuple[str, str]:
        """What was changed, and the outcome: "same", "refused", or what leaked."""
        folder, prepared, before = self.sound(world)
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        what = world.change(copy, prepared.sources[part].where, part, rng)
        try:
            after = trained(prepare(moved(prepared.recipe, folder, copy)))
        except ChainruleError:
            return what, "refused"
        return what, ", ".join(differences(before, after, part)) or "same"

    def relabelled(self, world: World, part: str, rng: np.random.Generator) -> tuple[str, str]:
        """Labels changed behind the split, whatever the source."""
        _, prepared, before = self.sound(world)
        sources, labels = read_and_split(prepared.recipe)
        y = np.array(sources[part].y)
        rows = some(np.arange(len(y)), rng)
        y[rows] = rng.permutation(sources["train"].y)[: len(rows)]
        sources[part] = replace(sources[part], y=y)
        data = preprocess_sets(sources, labels, prepared.recipe.normalize)
        after = trained(prepare_network(prepared.recipe, data))
        outcome = ", ".join(differences(before, after, part)) or "same"
        return f"labels of {len(rows)} rows, behind the split", outcome


def moved(recipe: Recipe, folder: Path, copy: Path) -> Recipe:
    """The recipe, for files that lie elsewhere."""
    names = [name for name in ("source", "extra", *PARTS) if getattr(recipe, name) is not None]
    there = {name: str(copy / Path(getattr(recipe, name)).relative_to(folder)) for name in names}
    return replace(recipe, **there)


def run(trials: int, folder: Path, seed: int = 0, worlds=WORLDS) -> list[tuple[str, str, str, str]]:
    """Of each trial: the world, the part, what was changed, and the outcome."""
    bench, rng, found = Bench(folder), np.random.default_rng(seed), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd data are said, and this is odd data
        for i in range(trials):
            world, part = worlds[i % len(worlds)], PARTS[i // len(worlds) % 2]
            way = bench.relabelled if rng.random() < 0.1 else bench.trial
            found.append((world.name, part, *way(world, part, rng)))
    return found


def report(found: list[tuple[str, str, str, str]]) -> str:
    """A line for each world, and every leak."""
    lines = [f"{'':30}{'same':>8}{'refused':>9}{'leaked':>8}"]
    outcomes = Counter((world, outcome) for world, _, _, outcome in found)
    for name in dict.fromkeys(world for world, *_ in found):
        same, refused = outcomes[name, "same"], outcomes[name, "refused"]
        total = sum(n for (world, _), n in outcomes.items() if world == name)
        lines.append(f"{name:30}{same:8}{refused:9}{total - same - refused:8}")
    refused = sum(n for (_, outcome), n in outcomes.items() if outcome == "refused")
    lines.append(f"{len(found)} trials, {len(found) - refused} of them trained")
    leaks = [trial for trial in found if trial[3] not in ("same", "refused")]
    lines += [f"LEAK in {world}, {part}: {what}: {wrong}" for world, part, what, wrong in leaks]
    return "\n".join(lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as there:
        print(report(run(int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS, Path(there))))
