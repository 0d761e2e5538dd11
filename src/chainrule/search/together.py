"""Train compatible candidates at once in one compiled program, the caviar approach.

Notes: "Hyperparameter tuning in practice: pandas vs. caviar" (course 2, week 3).

Candidates are compatible if they have the same layers, update rule, batch size and epochs. They
may differ in numbers: learning rate, β, decay, λ, keep_prob, initial weights. Each result is that
of training the candidate alone, up to rounding.
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


def compatibility_key(prepared: Prepared) -> Hashable:
    """Return a key that is equal for candidates that can be trained at once."""
    optimizer = prepared.optimizer
    tree = prepared.network, optimizer.init(split_parameters(prepared.network)[0])
    leaves, structure = jax.tree.flatten(tree)
    arrays = tuple((np.shape(leaf), str(jax.numpy.result_type(leaf))) for leaf in leaves)
    options = prepared.batch_size, prepared.epochs, prepared.patience, prepared.recipe.normalize
    return structure, arrays, optimizer.update, *options


def saves_time(group: Sequence[Prepared]) -> bool:
    """Return whether training the group at once saves more time than compiling its program takes.

    Training at once takes about half as long; trained one at a time, the candidates share a
    program. Convolutions use the whole processor, so they are faster one at a time.
    """
    if has_images(group[0].network):
        return False
    return len(group) > 1 and sum(map(operations_of, group)) / 2 > COMPILATION


def measure_together(group: Sequence[Prepared], *, halve: bool) -> list[Outcome]:
    """Return the outcomes of compatible candidates; `halve` ends the worse half at each stage."""
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
    """Train compatible candidates on the data of the first.

    `halve_at` and `watch` are those of `fit_many`.
    """
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
    """Return roughly how many operations a training takes, including the overhead of each step."""
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
