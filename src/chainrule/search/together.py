"""Candidates of one kind, trained at once in one compiled program: caviar.

Notes: "Hyperparameter tuning in practice: pandas vs. caviar" (course 2, week 3).

Of one kind are candidates with the same layers, update rule, batches and epochs. What they differ
in are numbers: learning rate, β, decay, λ, keep_prob, first weights. Each comes out as if it had
been trained alone, up to rounding.
"""

from collections.abc import Callable, Hashable, Sequence

import jax
import numpy as np

from chainrule.data.batches import steps_per_epoch
from chainrule.layers.layer import split_parameters
from chainrule.search.measure import curve_of, outcome_of
from chainrule.search.tried import FAILED, PRUNED, Outcome
from chainrule.train.defaults import COSTS, METRICS
from chainrule.train.many import Candidate, Trained, fit_many, halving_epochs
from chainrule.train.many_room import COMPILATION, STEP, operations_of_model
from chainrule.train.networks import has_images
from chainrule.train.prepare import Prepared


def kind_of(prepared: Prepared) -> Hashable:
    """What candidates that are trained at once have in common."""
    optimizer = prepared.optimizer
    tree = prepared.network, optimizer.init(split_parameters(prepared.network)[0])
    leaves, structure = jax.tree.flatten(tree)
    arrays = tuple((np.shape(leaf), str(jax.numpy.result_type(leaf))) for leaf in leaves)
    said = prepared.batch_size, prepared.epochs, prepared.patience, prepared.recipe.normalize
    return structure, arrays, optimizer.update, *said


def pays(group: Sequence[Prepared]) -> bool:
    """Whether training them at once saves more than compiling their common program takes.

    At once they take about half as long; each in turn shares the program of one. Convolutions fill
    the processor alone: several at once take longer than one after the other.
    """
    if has_images(group[0].network):
        return False
    return len(group) > 1 and sum(map(operations_of, group)) / 2 > COMPILATION


def measure_together(group: Sequence[Prepared], *, halve: bool) -> list[Outcome]:
    """What became of candidates of one kind; with `halve` the worse half ends, again and again."""
    first = group[0]
    halve_at = halving_epochs(first.epochs, len(group)) if halve else ()
    trained = train_together(group, patience=first.patience, halve_at=halve_at)
    return [_outcome(*pair) for pair in zip(group, trained, strict=True)]


def train_together(
    group: Sequence[Prepared],
    *,
    patience: int | None,
    halve_at: Sequence[int] = (),
    watch: Callable | None = None,
) -> list[Trained]:
    """Candidates of one kind on the data of the first; `halve_at` and `watch` as in `fit_many`."""
    first = group[0]
    return fit_many(
        [Candidate(p.network, p.optimizer, p.penalty(), p.recipe.seed) for p in group],
        COSTS[first.door.cost],
        first.parts["train"],
        first.parts["dev"],
        epochs=first.epochs,
        batch_size=first.batch_size,
        metric=METRICS[first.door.metric],
        patience=patience,
        seed=first.recipe.seed,
        halve_at=halve_at,
        watch=watch,
    )


def operations_of(prepared: Prepared) -> float:
    """About how many a whole training takes; what a step takes in any case is counted as some."""
    steps = prepared.epochs * steps_per_epoch(len(prepared.parts["train"].X), prepared.batch_size)
    return steps * (operations_of_model(prepared.network, prepared.batch_size) + STEP)


def _outcome(prepared: Prepared, trained: Trained) -> Outcome:
    history = trained.history
    if history.stopped == "not finite":
        return Outcome(FAILED, curve=curve_of(history), why=f"step {trained.bad_step}: not finite")
    if history.stopped == "halved":
        why = f"after epoch {len(history.epochs)} of {prepared.epochs}"
        return Outcome(PRUNED, min(history.dev_costs), {}, curve_of(history), why=why)
    return outcome_of(prepared, trained.network, history)
