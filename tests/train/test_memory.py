"""Tests of chainrule/train/memory.py, and of what is refused before it is allocated."""

import time

import jax
import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from chainrule.blocks.costs import softmax_cost
from chainrule.errors import DataError
from chainrule.estimators import NetworkClassifier
from chainrule.host import machine
from chainrule.host.randomness import key_from_seed
from chainrule.layers.dense import Dense
from chainrule.models.deep_network import DeepNetwork
from chainrule.models.unet import unet
from chainrule.models.zoo import build
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.train.examples import Examples, on_device
from chainrule.train.fit import fit
from chainrule.train.memory import training_bytes
from chainrule.train.outputs import bytes_kept_per_row, network_outputs

pytestmark = pytest.mark.usefixtures("float32_world")

KEY = key_from_seed(0)
X, Y = np.ones((6, 4), np.float32), np.eye(2, dtype=np.float32)[[0, 1, 0, 1, 0, 1]]


def rows(m: int, *shape: int) -> np.ndarray:
    """Return any number of equal rows, which take no memory."""
    return as_strided(np.ones(1, np.float32), (m, *shape), (0,) * (1 + len(shape)))


# ---- by hand


def test_the_bytes_of_a_training():
    """4-3-2 has 23 parameters; a row has 3 + 2 outputs of products."""
    network = DeepNetwork((4, 3, 2), key=KEY)
    assert bytes_kept_per_row(network, (4,)) == 4 * 5
    options = {"row": (4,), "batch_size": 10}
    step = 2 * 10 * 4 * 5
    plain = training_bytes(network, gradient_descent(0.1), has_dev=False, **options)
    assert plain == 2 * (4 * 23 + 8) + step  # the state: α and t
    with_dev = training_bytes(network, gradient_descent(0.1), has_dev=True, **options)
    assert with_dev - plain == 2 * 4 * 23
    more = training_bytes(network, adam(0.1), has_dev=False, **options) - plain
    assert 2 * 2 * 4 * 23 <= more < 2 * 2 * 4 * 23 + 50  # both averages, and a few numbers


def test_the_convolutions_of_an_image_are_counted():
    network = unet((8, 8, 3), 2, key=KEY, depth=1, width=0.0625)
    assert bytes_kept_per_row(network, (8, 8, 3)) >= 4 * 8 * 8 * (4 + 4 + 2)


# ---- refused, at once

ABSURD = {
    "DeepNetwork": lambda: DeepNetwork((10**6, 10**6, 2), key=KEY),
    "one layer": lambda: Dense(10**6, 10**6, key=KEY),
    "hidden": lambda: NetworkClassifier((10**6, 10**6)).fit(X, Y[:, 0]),
    "width": lambda: build("resnet20", (32, 32, 3), 2, key=KEY, options={"width": 1000}),
    "image size": lambda: build("lenet", (10**5, 10**5, 3), 2, key=KEY),
    "U-Net": lambda: unet((8, 8, 3), 2, key=KEY, width=10_000),
    "batch": lambda: fit(
        DeepNetwork((4, 1000, 2), key=KEY),
        adam(0.1),
        softmax_cost,
        Examples(rows(10**7, 4), rows(10**7, 2)),
        epochs=1,
        batch_size=10**7,
    ),
    "images": lambda: fit(
        unet((8192, 8192, 1), 2, key=KEY, depth=1),
        adam(0.1),
        softmax_cost,
        Examples(rows(2, 8192, 8192, 1), rows(2, 8192, 8192)),
        epochs=1,
    ),
    "predictions": lambda: network_outputs(DeepNetwork((4, 1000), key=KEY), rows(10**9, 4)),
}


@pytest.mark.parametrize("case", ABSURD)
def test_what_does_not_fit_is_refused_at_once(case, monkeypatch):
    """On a machine with 2 GB, whatever this one has."""
    monkeypatch.setattr(machine, "available_bytes", lambda: 2 * 10**9)
    began = time.perf_counter()
    with pytest.raises(DataError, match=r"at most 2\.00 GB, the free memory; got .*GB\.\nTry"):
        ABSURD[case]()
    assert time.perf_counter() - began < 10  # 0.3 s on an idle machine


def test_data_that_does_not_fit_on_the_device_is_refused(monkeypatch):
    monkeypatch.setattr(machine, "available_bytes", lambda: 100)
    with pytest.raises(DataError) as error:
        on_device(Examples(X, Y, np.ones(6, np.float32)), 6)
    assert str(error.value) == (
        "training: expected at most 100 bytes, the free memory; got 144 bytes.\n"
        "Try fewer examples, smaller images, or fewer columns."
    )


def test_a_large_network_that_fits_is_built_as_usual(monkeypatch):
    expected = build("lenet", (32, 32, 1), 2, key=KEY)
    monkeypatch.setattr("chainrule.layers.allocation.LARGE", 1000)
    found = build("lenet", (32, 32, 1), 2, key=KEY)
    assert found.title == expected.title
    for one, other in zip(found.parts(), expected.parts(), strict=True):
        for name in ("W", "b"):
            np.testing.assert_array_equal(getattr(one, name, 0), getattr(other, name, 0))


# ---- memory that runs out in spite of the estimate


@pytest.mark.parametrize(
    "reason", [MemoryError(), "RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes.\nMore"]
)
def test_memory_that_runs_out_is_one_error(reason):
    error = reason if isinstance(reason, MemoryError) else jax.errors.JaxRuntimeError(reason)
    with pytest.raises(DataError) as found, machine.memory_errors("training", "less"):
        raise error
    got = "RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes"
    got = "less than is needed" if isinstance(reason, MemoryError) else got
    assert str(found.value) == f"training: expected enough free memory; got {got}.\nTry less."


def test_other_errors_of_the_runtime_are_passed_on():
    with pytest.raises(jax.errors.JaxRuntimeError), machine.memory_errors("training", "less"):
        raise jax.errors.JaxRuntimeError("INTERNAL: broken")
