"""For how long a recipe trains: the batch, the epochs, when it ends early, how its rate falls.

What a recipe does not say depends on the number of examples m, and on whether a convolutional
network is trained: its steps are long, so there are fewer of them, and its rate falls.
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
    """Of m examples, where nothing is said; `images` for a convolutional network."""
    return IMAGES_BATCH if images else default_batch_size(m)


def usual_epochs(
    m: int, batch_size: int, cost: str, hidden: Sequence[int], *, images: bool, guarded: bool
) -> int:
    """As many as m examples bear; more where a dev part or a slow optimiser guards the end."""
    a_pass = steps_per_epoch(m, batch_size)
    if images:
        return images_epochs(a_pass)
    return default_epochs(a_pass, STEPS if guarded else steps_without_dev(m, cost, hidden))


def usual_patience(m: int, batch_size: int, *, images: bool) -> int:
    """Epochs without improvement after which training ends."""
    return IMAGES_PATIENCE if images else default_patience(steps_per_epoch(m, batch_size))


def usual_decay(epochs: int) -> dict[str, Any]:
    """How the rate of a convolutional network falls."""
    return {"decay": "exponential", "decay_rate": images_decay_rate(epochs)}


def batch_size_of(recipe: Recipe, m: int) -> int:
    """As the recipe says (0 is the whole set), or the usual."""
    usual = usual_batch_size(m, images=recipe.network is not None)
    return min(m if recipe.batch_size == 0 else recipe.batch_size or usual, m)


def epochs_of(recipe: Recipe, m: int, batch_size: int, cost: str, *, has_dev: bool) -> int:
    """As the recipe says, or as many as m examples bear."""
    if recipe.epochs is not None:
        return recipe.epochs
    guarded = has_dev or recipe.optimizer not in FAST
    images = recipe.network is not None
    return usual_epochs(m, batch_size, cost, recipe.layers, images=images, guarded=guarded)


def patience_of(recipe: Recipe, m: int, batch_size: int, *, has_dev: bool) -> int | None:
    """Epochs without improvement after which training ends, or None: never."""
    if recipe.early_stopping and not has_dev:
        hint = "leaving out --early-stopping, or --dev none"
        raise OptionError("--early-stopping", "a dev set to watch", "none", hint)
    wanted = m >= EARLY_STOPPING_FROM if recipe.early_stopping is None else recipe.early_stopping
    if not (wanted and has_dev):
        return None
    return usual_patience(m, batch_size, images=recipe.network is not None)


def with_decay(recipe: Recipe, m: int, batch_size: int) -> Recipe:
    """A convolutional network learns with a rate that falls, where nothing else was said."""
    if recipe.network is None or recipe.decay is not None:
        return recipe
    n = recipe.epochs or images_epochs(steps_per_epoch(m, batch_size))
    return replace(recipe, **usual_decay(n))


def without_decay(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe as it was before `with_decay`: for another number of epochs it is another k."""
    said = {"decay": recipe.decay, "decay_rate": recipe.decay_rate}
    usual = said == usual_decay(epochs)
    if recipe.network is None or not usual:
        return recipe
    return replace(recipe, decay=None, decay_rate=None)
