"""What is searched over where nothing is said: in the notes' order of importance.

Notes: "Tuning process" (course 2, week 3): first α; then the hidden units and the mini-batch size;
then the number of layers. λ of L2 comes last; its own part of the notes tunes it like the others.
Of a network of images α, augmentation, λ, and keep_prob where it has dropout.
"""

from collections.abc import Collection

from chainrule.data.batches import WHOLE_SET
from chainrule.models.zoo import options_of
from chainrule.search.dimensions import Choices, Dimension, Integers, Log
from chainrule.search.space import Space
from chainrule.train.prepare import Prepared

RATES = {"adam": Log(1e-4, 0.1), "rmsprop": Log(1e-4, 0.1)}
RATE = Log(1e-4, 1)
"""Of gradient descent and momentum; the notes' own range."""

UNITS, MANY_UNITS = Choices((8, 16, 32, 64, 128)), Choices((16, 32, 64, 128, 256))
MANY_INPUTS = 200
BATCH_SIZES, OF_FEW = Choices((64, 128, 256, 512)), Choices((64, "all"))
LAYERS = Integers(1, 3)
OF_IMAGES: dict[str, Dimension] = {
    "learning_rate": Log(3e-4, 1e-2),
    "augment": Choices(("none", "auto")),
    "l2": Log(1e-3, 10),
}
"""Of a convolutional network, whose layers are as its paper has them."""
OF_DROPOUT = Choices((0.5, 0.8, 1.0))
"""Of those that have hidden layers in columns."""


def default_space(prepared: Prepared, said: Collection[str] = ()) -> Space:
    """For this data; what was `said` is not searched over.

    Units and batches are powers of two: candidates that share them share one compiled program.
    """
    m, recipe = len(prepared.sources["train"]), prepared.recipe
    if recipe.network is not None:
        dropout = {"keep_prob": OF_DROPOUT} if "keep_prob" in options_of(recipe.network) else {}
        images = OF_IMAGES | dropout
        return Space({name: one for name, one in images.items() if name not in said})
    space: dict[str, Dimension] = {"learning_rate": RATES.get(recipe.optimizer, RATE)}
    if "hidden" not in said:
        space["units"] = MANY_UNITS if prepared.door.n_x >= MANY_INPUTS else UNITS
    space["batch_size"] = OF_FEW if m <= WHOLE_SET else BATCH_SIZES
    if "hidden" not in said:
        space["layers"] = LAYERS
    space["l2"] = Log(1e-3, 10)
    return Space({name: dimension for name, dimension in space.items() if name not in said})
