"""Tests of chainrule/__init__.py."""

import subprocess
import sys
from importlib import import_module

import pytest

import chainrule

HEAVY = ["jax", "numpy", "sklearn", "pandas", "equinox", "matplotlib", "optuna"]


@pytest.mark.parametrize("name", chainrule.__all__)
def test_every_public_name_exists(name):
    assert getattr(chainrule, name) is not None
    assert name in dir(chainrule)


def test_a_name_comes_from_the_file_that_defines_it():
    assert chainrule.adam is import_module("chainrule.optim.adam").adam


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="module 'chainrule' has no attribute 'sgd'"):
        _ = chainrule.sgd


def test_importing_it_loads_nothing_heavy():
    loaded = f"import sys, chainrule; print([name for name in {HEAVY} if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
