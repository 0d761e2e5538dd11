"""Tests of chainrule/kernels/native.py: its checks, with and without the native wheel."""

import importlib
import platform
import sys

import jax
import jax.numpy as jnp
import pytest

from chainrule.errors import ChainruleError, ShapeError
from chainrule.kernels import native
from chainrule.kernels.native import Geometry


@pytest.fixture
def fresh(monkeypatch):
    """Clear the cached native module before and after the test."""
    monkeypatch.delenv("CHAINRULE_KERNEL", raising=False)
    native._loaded.cache_clear()
    yield monkeypatch
    native._loaded.cache_clear()


def test_output_sizes_by_hand():
    g = Geometry.of((2, 5, 6, 3), (3, 3, 3, 8), s=2, pads=(1, 1))
    assert g.result == (2, 3, 3, 8)  # ⌊(5 + 2 − 3)/2⌋ + 1 and ⌊(6 + 2 − 3)/2⌋ + 1
    even = Geometry.of((1, 4, 4, 6), (2, 2, 1, 6), s=1, pads=(0, 1), groups=6)
    assert even.result == (1, 4, 4, 6)


def test_turned_off_by_the_environment(fresh):
    fresh.setenv("CHAINRULE_KERNEL", "xla")
    assert not native.available()
    assert native.reason() == "turned off by CHAINRULE_KERNEL=xla"


def test_not_used_on_a_gpu(fresh):
    fresh.setattr(jax, "default_backend", lambda: "gpu")
    assert not native.available()
    assert native.reason() == "the backend is gpu, not cpu"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModuleNotFoundError("no"), "chainrule-native is not installed: `make native` builds it"),
        (ImportError("libdnnl.so.2"), "chainrule-native cannot be loaded: libdnnl.so.2"),
    ],
)
def test_the_reason_why_it_is_unavailable(fresh, error, words):
    def missing(name):
        raise error

    fresh.setattr(importlib, "import_module", missing)
    assert not native.available()
    assert native.reason() == words
    with pytest.raises(ChainruleError, match="expected the native kernels; got chainrule-native"):
        native.native()


@pytest.mark.parametrize(
    ("machine", "backend", "said"),
    [
        (("linux", "x86_64"), "cpu", True),
        (("linux", "aarch64"), "cpu", False),
        (("darwin", "x86_64"), "cpu", False),
        (("linux", "x86_64"), "gpu", False),
    ],
)
def test_how_to_get_the_kernels_is_said_where_there_are_any(fresh, machine, backend, said):
    def missing(name):
        raise ModuleNotFoundError(name)

    fresh.setattr(importlib, "import_module", missing)
    fresh.setattr(sys, "platform", machine[0])
    fresh.setattr(platform, "machine", lambda: machine[1])
    fresh.setattr(jax, "default_backend", lambda: backend)
    words = (
        "note: convolutions are about twice as fast with the native kernels, which "
        "`make native` builds"
    )
    assert native.advice() == (words if said else None)
    fresh.setenv("CHAINRULE_KERNEL", "xla")  # then it was the user's choice
    assert native.advice() is None


def test_a_module_of_another_version_is_not_used(fresh):
    fresh.setattr(importlib, "import_module", lambda name: object())
    assert not native.available()
    assert "has another version" in native.reason()


@pytest.mark.parametrize(
    ("images", "filters", "settings", "words"),
    [
        ((2, 5, 5), (3, 3, 3, 8), {}, r"A_prev with four axes; got \(2, 5, 5\)"),
        ((2, 5, 5, 3), (3, 3, 8), {}, r"W with four axes; got \(3, 3, 8\)"),
        ((2, 5, 5, 4), (3, 3, 3, 8), {}, "3 channels, as in the filters; got 4 channels"),
        ((2, 5, 5, 4), (3, 3, 2, 7), {"groups": 2}, "a number of filters divisible by 2; got 7"),
        ((2, 2, 5, 3), (3, 3, 3, 8), {}, "no larger than the padded image, 2; got f = 3"),
        ((2, 5, 5, 3), (3, 3, 3, 8), {"s": 0}, "s and groups of at least 1, .*; got s = 0"),
        (
            (2, 5, 5, 3),
            (3, 3, 3, 8),
            {"pads": (-1, 0)},
            r"pads of at least 0; got s = 1, pads = \(",
        ),
        (
            (2, 5, 5, 0),
            (3, 3, 0, 8),
            {},
            r"non-empty images and filters; got shapes \(2, 5, 5, 0\) and",
        ),
    ],
)
def test_refuses_impossible_sizes(images, filters, settings, words):
    with pytest.raises(ShapeError, match=words):
        Geometry.of(images, filters, **{"s": 1, "pads": (0, 0), **settings})


@pytest.mark.parametrize(
    "call",
    [
        lambda A, W, dZ: native.conv_forward(A[0], W, None, s=1, pads=(0, 0)),
        lambda A, W, dZ: native.conv_forward(A, W, jnp.zeros(8), s=1, pads=(0, 0)),
        lambda A, W, dZ: native.conv_input_gradient(
            dZ, W, n_H_prev=9, n_W_prev=5, s=1, pads=(0, 0)
        ),
        lambda A, W, dZ: native.conv_filter_gradient(A, dZ, f_H=2, f_W=2, s=1, pads=(0, 0)),
        lambda A, W, dZ: native.conv_filter_gradient(A, dZ[0], f_H=3, f_W=3, s=1, pads=(0, 0)),
    ],
)
def test_refuses_arrays_that_do_not_match(call):
    with pytest.raises(ShapeError, match="expected"):
        call(jnp.zeros((2, 5, 5, 3)), jnp.zeros((3, 3, 3, 8)), jnp.zeros((2, 3, 3, 8)))
