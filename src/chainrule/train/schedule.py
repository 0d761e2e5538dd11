"""The training schedule: batch size, epochs, early stopping, and learning rate decay.

Options that the recipe leaves open depend on the number of examples m and on the kind of network: a
convolutional network takes fewer steps, since they are slow, with a decaying learning rate.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chainrule.data.batches import default_batch_size, steps_per_epoch
from chainrule.errors import OptionError
from chainrule.train.defaults import (
    EARLY_STOPPING_FROM,
    FAST,
    IMAGES_BATCH,
    IMAGES_PATIENCE,
    STEPS,
    default_epochs,
    default_patience,
    images_decay_rate,
    images_epochs,
    steps_without_dev,
)
from chainrule.train.recipe import Recipe


def usual_batch_size(m: int, *, images: bool) -> int:
    """Return the default batch size for m examples; `images` for a convolutional network."""
    return IMAGES_BATCH if images else default_batch_size(m)


def usual_epochs(
    m: int, batch_size: int, cost: str, hidden: Sequence[int], *, images: bool, guarded: bool
) -> int:
    """Return the default epochs; fewer unless a dev set or a slow optimiser limits overfitting."""
    steps = steps_per_epoch(m, batch_size)
    if images:
        return images_epochs(steps)
    return default_epochs(steps, STEPS if guarded else steps_without_dev(m, cost, hidden))


def usual_patience(m: int, batch_size: int, *, images: bool) -> int:
    """Return the default number of epochs without improvement after which training stops."""
    return IMAGES_PATIENCE if images else default_patience(steps_per_epoch(m, batch_size))


def usual_decay(epochs: int) -> dict[str, Any]:
    """Return the default learning rate decay of a convolutional network."""
    return {"decay": "exponential", "decay_rate": images_decay_rate(epochs)}


def batch_size_of(recipe: Recipe, m: int) -> int:
    """Return the batch size of the recipe (0 is the whole set), or the default."""
    usual = usual_batch_size(m, images=recipe.network is not None)
    return min(m if recipe.batch_size == 0 else recipe.batch_size or usual, m)


def epochs_of(recipe: Recipe, m: int, batch_size: int, cost: str, *, has_dev: bool) -> int:
    """Return the epochs of the recipe, or the default for m examples."""
    if recipe.epochs is not None:
        return recipe.epochs
    guarded = has_dev or recipe.optimizer not in FAST
    images = recipe.network is not None
    return usual_epochs(m, batch_size, cost, recipe.layers, images=images, guarded=guarded)


def patience_of(recipe: Recipe, m: int, batch_size: int, *, has_dev: bool) -> int | None:
    """Return the epochs without improvement after which training stops; None for never."""
    if recipe.early_stopping and not has_dev:
        hint = "leaving out --early-stopping or --dev none"
        raise OptionError("--early-stopping", "a dev set", "none", hint)
    wanted = m >= EARLY_STOPPING_FROM if recipe.early_stopping is None else recipe.early_stopping
    if not (wanted and has_dev):
        return None
    return usual_patience(m, batch_size, images=recipe.network is not None)


def with_decay(recipe: Recipe, m: int, batch_size: int) -> Recipe:
    """Add the default decay to the recipe of a convolutional network, unless it sets one."""
    if recipe.network is None or recipe.decay is not None:
        return recipe
    n = recipe.epochs or images_epochs(steps_per_epoch(m, batch_size))
    return replace(recipe, **usual_decay(n))


def without_decay(recipe: Recipe, epochs: int) -> Recipe:
    """Remove a decay that `with_decay` added, since k depends on the number of epochs."""
    decay = {"decay": recipe.decay, "decay_rate": recipe.decay_rate}
    is_default = decay == usual_decay(epochs)
    if recipe.network is None or not is_default:
        return recipe
    return replace(recipe, decay=None, decay_rate=None)
