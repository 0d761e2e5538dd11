"""For how long a recipe trains: the batch, the epochs, when it ends early, how its rate falls.

What a recipe does not say depends on the number of examples m, and on whether a convolutional
network is trained: its steps are long, so there are fewer of them, and its rate falls.
"""

from dataclasses import replace

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


def batch_size_of(recipe: Recipe, m: int) -> int:
    """As the recipe says (0 is the whole set), or the usual."""
    usual = default_batch_size(m) if recipe.network is None else IMAGES_BATCH
    return min(m if recipe.batch_size == 0 else recipe.batch_size or usual, m)


def epochs_of(recipe: Recipe, m: int, batch_size: int, cost: str, *, has_dev: bool) -> int:
    """As the recipe says, or as many as m examples bear."""
    if recipe.epochs is not None:
        return recipe.epochs
    if recipe.network is not None:
        return images_epochs(steps_per_epoch(m, batch_size))
    guarded = has_dev or recipe.optimizer not in FAST
    steps = STEPS if guarded else steps_without_dev(m, cost, recipe.layers)
    return default_epochs(steps_per_epoch(m, batch_size), steps)


def patience_of(recipe: Recipe, m: int, batch_size: int, *, has_dev: bool) -> int | None:
    """Epochs without improvement after which training ends, or None: never."""
    if recipe.early_stopping and not has_dev:
        hint = "leaving out --early-stopping, or --dev none"
        raise OptionError("--early-stopping", "a dev set to watch", "none", hint)
    wanted = m >= EARLY_STOPPING_FROM if recipe.early_stopping is None else recipe.early_stopping
    if not (wanted and has_dev):
        return None
    named = recipe.network is not None
    return IMAGES_PATIENCE if named else default_patience(steps_per_epoch(m, batch_size))


def with_decay(recipe: Recipe, m: int, batch_size: int) -> Recipe:
    """A convolutional network learns with a rate that falls, where nothing else was said."""
    if recipe.network is None or recipe.decay is not None:
        return recipe
    n = recipe.epochs or images_epochs(steps_per_epoch(m, batch_size))
    return replace(recipe, decay="exponential", decay_rate=images_decay_rate(n))


def without_decay(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe as it was before `with_decay`: for another number of epochs it is another k."""
    usual = recipe.decay == "exponential" and recipe.decay_rate == images_decay_rate(epochs)
    if recipe.network is None or not usual:
        return recipe
    return replace(recipe, decay=None, decay_rate=None)
