"""Load the base of a transfer: a run, or published weights.

Notes: "Transfer learning" (course 4, week 2): download the weights, and start from there.

Published weights are loaded as a run that was not trained here: its preprocessor scales pixels as
in the original training, and nothing is known about its data.
"""

from pathlib import Path

import numpy as np

from chainrule.data.labels import Labels
from chainrule.data.normalize import Normalizer
from chainrule.models.published import load_published
from chainrule.train.door import Door
from chainrule.train.history import History
from chainrule.train.recipe import Recipe
from chainrule.train.run import Run
from chainrule.train.store import load

SUFFIX = ".safetensors"
PIXEL = 255.0


def load_base(recipe: Recipe) -> Run:
    """Load the run of `--from`, or a file of safetensors for images of the recipe's size."""
    name = str(recipe.base)
    if not is_published(name):
        return load(name)
    published = load_published(name, image_size=recipe.image_size)
    n_H, n_W, n_C = published.network.shape
    scale = Normalizer("standard", PIXEL * published.mean, PIXEL * published.std)
    names = published.classes or tuple(f"class {i}" for i in range(published.network.n_L))
    labels = Labels("classification", names, names, published.network.n_L)
    outputs = Normalizer("none", np.zeros(()), np.ones(()))
    door = Door(None, scale, labels, outputs, (n_H, n_W, n_C) if n_C > 1 else (n_H, n_W))
    facts = {"data": {"name": f"published weights, {published.network.name}"}}
    return Run(published.network, door, Recipe(name), History(), {}, facts, Path(name))


def is_published(name: str) -> bool:
    """Return whether the name is a file of published weights and not a run.

    >>> is_published("resnet18.safetensors"), is_published("runs/digits-1")
    (True, False)
    """
    return name.lower().endswith(SUFFIX)
