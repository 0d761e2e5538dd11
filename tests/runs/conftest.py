"""Runs that the tests of this folder share: each is trained once."""

import jax
import pytest

from chainrule.runs.job import train_prepared
from chainrule.runs.run import Run
from tests.train.sources import KINDS, prepared


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> dict[str, Run]:
    """A trained run of each kind of data set, in float32 as for users."""
    folder = tmp_path_factory.mktemp("sources")
    with jax.enable_x64(False):
        return {kind: train_prepared(prepared(kind, folder)) for kind in KINDS}


@pytest.fixture(params=list(KINDS))
def run(request, runs, float32_world) -> Run:
    """Each of the trained runs in turn."""
    return runs[request.param]
