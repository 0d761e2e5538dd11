"""What every docstring example may use without importing it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def names(doctest_namespace):
    """Give docstring examples jax, jnp and np."""
    doctest_namespace.update(jax=jax, jnp=jnp, np=np)
