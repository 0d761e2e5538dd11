"""Runs with given weights, on small data sets."""

import numpy as np

from chainrule.data.labels import Labels
from chainrule.data.source import Source
from chainrule.models.deep_network import DeepNetwork
from chainrule.train.door import Door
from chainrule.train.history import History
from chainrule.train.prepare import Data, examples
from chainrule.train.recipe import Recipe
from chainrule.train.run import Run


def made(*weights, normalize="none", **sources):
    """Build a run with these (W, b), and its data; the first data set fits the preprocessor."""
    first = next(iter(sources.values()))
    labels = Labels.learn(first.y)
    door = Door.learn(first.X, labels.encode(first.y), labels, normalize)
    parts = {name: examples(door, source) for name, source in sources.items()}
    network = DeepNetwork.from_weights([tuple(np.float32(a) for a in pair) for pair in weights])
    run = Run(network, door, Recipe("made"), History(), {}, {})
    return run, Data(sources, parts, door, {})


def line(*x, y, **more):
    """Build a data set of one column, with labels."""
    return Source("line", np.array(x, float)[:, None], np.array(y), **more)
