"""The initial weights of a training run: their scale, and weights from a file.

Notes: "Random initialization" (course 1, week 3); "Weight initialization for deep networks"
(course 2, week 1).

A file of weights holds one array for each parameter, named as in the notes: W1, b1, W2, b2, …, such
as `np.savez("weights.npz", **parameters)` writes. Arrays that are not parameters, such as the
averages of batch norm, may be missing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from chainrule.data.arrays import array_file
from chainrule.errors import DataError, OptionError, did_you_mean, in_option
from chainrule.host.machine import check_memory
from chainrule.host.reading import read_arrays
from chainrule.layers.layer import Layer, named_arrays, replace_arrays, split_parameters
from chainrule.models.pretrained_files import refuse_pickle

L = TypeVar("L", bound=Layer)
OPTION = "--initial-weights"
SCALES = ("input_", "output_")
"""The beginnings of the names of those arrays in weights.safetensors that scale inputs or outputs.
"""


def scale_weights(network: L, factor: float) -> L:
    """Return the network with each weight W multiplied by the factor; b, γ and β stay as they are.

    >>> from chainrule.layers.dense import Dense
    >>> layer = Dense(3, 2, key=jax.random.key(0))
    >>> bool((scale_weights(layer, 10).W == 10 * layer.W).all())
    True
    """
    arrays = named_arrays(network)
    scaled = {
        name: np.asarray(x) * np.asarray(factor, x.dtype)
        for name, x in arrays.items()
        if name.startswith("W")
    }
    return replace_arrays(network, arrays | scaled)


def with_initial_weights(network: L, file: str) -> L:
    """Return the network with the weights in the file; raise an error if they do not fit."""
    arrays, found = named_arrays(network), read_weights(file)
    parameters = set(named_arrays(split_parameters(network)[0]))
    found = {name: x for name, x in found.items() if not name.startswith(SCALES)}
    for name in sorted(found.keys() - arrays.keys()):
        others = [other for other in arrays if other not in found]
        hint = did_you_mean(name, others) if others else "leaving it out, or a larger network"
        expected, got = "the name of an array of the network", "an unknown name"
        raise DataError(f"{file}, {name}", expected, got, hint)
    missing = [name for name in arrays if name in parameters and name not in found]
    if missing:
        expected = f"all parameters of {network.title}"
        got = f"none for {', '.join(missing)}"
        raise DataError(file, expected, got, "adding them, or a network without these layers")
    for name, x in found.items():
        _check_array(f"{file}, {name}", x, arrays[name].shape)
    given = {name: x.astype(arrays[name].dtype) for name, x in found.items()}
    return replace_arrays(network, arrays | given)


def read_weights(file: str) -> Mapping[str, np.ndarray]:
    """Read the arrays of a .npz or .safetensors file, by name; nothing is ever unpickled."""
    path = Path(file)
    with in_option(OPTION):
        refuse_pickle(path)
    if path.suffix.lower() not in (".npz", ".safetensors"):
        hint = 'np.savez("weights.npz", W1=…, b1=…)'
        raise OptionError(OPTION, "a file .npz or .safetensors", file, hint)
    if not path.exists():
        got = f"{file}, which does not exist"
        raise OptionError(OPTION, "a file with weights", got, "checking the path")
    if path.suffix.lower() == ".safetensors":
        return read_arrays(path, file, hint="writing the file again")
    found = array_file(path)
    check_memory(file, sum(header.size for header in found.headers.values()), "fewer arrays")
    return {name: found.read(name) for name in found.headers}


def _check_array(where: str, x: Any, shape: tuple[int, ...]) -> None:
    """Refuse an array that is not numeric, not of this shape, or not finite."""
    if x.dtype.kind not in "iufb":
        raise DataError(where, "numbers", f"an array of type {x.dtype}", "an array of numbers")
    if x.shape != shape:
        hint = "a network of the sizes of the weights"
        if x.shape == shape[::-1]:
            hint = "its transpose: W is (n_l, n_prev)"
        elif x.size == np.prod(shape):
            hint = f"reshape({', '.join(map(str, shape))})"
        raise DataError(where, f"the shape {shape}", f"{x.shape}", hint)
    if not np.isfinite(x).all():
        hint = "replacing these values by finite numbers"
        raise DataError(where, "finite numbers", "nan or infinity", hint)
