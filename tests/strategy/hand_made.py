"""Runs with given weights, on small data sets."""

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.data.labels import Labels
from chainrule.models.deep_network import DeepNetwork
from chainrule.runs.prepare import Data, examples
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.recipe import Recipe
from chainrule.runs.run import Run
from chainrule.train.history import History


def made(*weights, normalize="none", **sources):
    """Build a run with these (W, b), and its data; the first data set fits the preprocessor."""
    first = next(iter(sources.values()))
    labels = Labels.learn(first.y)
    preprocessor = Preprocessor.learn(first.X, labels.encode(first.y), labels, normalize)
    parts = {name: examples(preprocessor, source) for name, source in sources.items()}
    network = DeepNetwork.from_weights([tuple(np.float32(a) for a in pair) for pair in weights])
    run = Run(network, preprocessor, Recipe("made"), History(), {}, {})
    return run, Data(sources, parts, preprocessor, {})


def line(*x, y, **more):
    """Build a data set of one column, with labels."""
    return Dataset("line", np.array(x, float)[:, None], np.array(y), **more)
