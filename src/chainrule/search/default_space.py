"""The default search space: the hyperparameters in the notes' order of importance.

Notes: "Tuning process" (course 2, week 3): first α; then the hidden units and the mini-batch size;
then the number of layers. λ of L2 regularisation comes last. For a network on images: α,
augmentation, λ, and keep_prob if it has dropout.
"""

from collections.abc import Collection

from chainrule.data.batches import WHOLE_SET
from chainrule.models.zoo import options_of
from chainrule.search.dimensions import Choices, Dimension, Integers, Log
from chainrule.search.space import Space
from chainrule.train.prepare import Prepared

RATES = {"adam": Log(1e-4, 0.1), "rmsprop": Log(1e-4, 0.1)}
RATE = Log(1e-4, 1)
"""The range of α for gradient descent and momentum, as in the notes."""

UNITS, MANY_UNITS = Choices((8, 16, 32, 64, 128)), Choices((16, 32, 64, 128, 256))
MANY_INPUTS = 200
BATCH_SIZES, SMALL_SET_BATCH_SIZES = Choices((64, 128, 256, 512)), Choices((64, "all"))
LAYERS = Integers(1, 3)
IMAGE_SPACE: dict[str, Dimension] = {
    "learning_rate": Log(3e-4, 1e-2),
    "augment": Choices(("none", "auto")),
    "l2": Log(1e-3, 10),
}
"""The space of a convolutional network, whose layers are fixed."""
KEEP_PROB = Choices((0.5, 0.8, 1.0))
"""The values of keep_prob for convolutional networks with dropout."""


def default_space(prepared: Prepared, options: Collection[str] = ()) -> Space:
    """Return the search space for prepared data, without the options that were set.

    Units and batch sizes are powers of two, because candidates that share them also share a
    compiled program.
    """
    m, recipe = len(prepared.sources["train"]), prepared.recipe
    if recipe.network is not None:
        dropout = {"keep_prob": KEEP_PROB} if "keep_prob" in options_of(recipe.network) else {}
        images = IMAGE_SPACE | dropout
        return Space({name: one for name, one in images.items() if name not in options})
    space: dict[str, Dimension] = {"learning_rate": RATES.get(recipe.optimizer, RATE)}
    if "hidden" not in options:
        space["units"] = MANY_UNITS if prepared.door.n_x >= MANY_INPUTS else UNITS
    space["batch_size"] = SMALL_SET_BATCH_SIZES if m <= WHOLE_SET else BATCH_SIZES
    if "hidden" not in options:
        space["layers"] = LAYERS
    space["l2"] = Log(1e-3, 10)
    return Space({name: dimension for name, dimension in space.items() if name not in options})
