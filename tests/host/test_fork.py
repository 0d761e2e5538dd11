"""Tests of check_process in chainrule/host/machine.py, which refuses some forked processes.

Each test runs in a process of its own, since JAX has been used in this one.
"""

import subprocess
import sys

import pytest

START = """
import os, signal, sys, warnings
import numpy as np
warnings.simplefilter("ignore")
from chainrule import ChainruleError, NetworkClassifier
X, y = np.random.default_rng(0).standard_normal((40, 2)), np.arange(40) % 2
model = NetworkClassifier((2,), epochs=2)

def in_child(run):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        try:
            print(run())
        except ChainruleError as error:
            print(error)
        sys.stdout.flush()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""
REFUSED = (
    "this process: expected one in which JAX can compute; "
    "got a process that was forked after JAX had been used, in which JAX would wait for ever.\n"
    'Try multiprocessing.get_context("spawn") or "forkserver", or the backend loky of joblib.\n'
)


def run(program: str, seconds: float = 60) -> str:
    """Return what a program writes that follows START; it fails if it does not end in time."""
    command = [sys.executable, "-c", START + program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_process_that_is_forked_after_jax_was_used_is_refused():
    """One that is forked before computes."""
    program = """
from chainrule import Examples, adam, fit, fit_many, predictor
from chainrule.blocks.costs import logistic_cost
from chainrule.host.compilation_cache import enable_compilation_cache
from chainrule.train.outputs import network_outputs
assert in_child(lambda: len(model.fit(X, y).predict(X))) == 0
model.fit(X, y)
network, rows = model.network_, X.astype(np.float32)
train = Examples(rows, y[:, None])
for run in (
    lambda: model.fit(X, y),
    lambda: model.partial_fit(X, y),
    lambda: model.predict(X),
    lambda: fit(network, adam(0.1), logistic_cost, train, epochs=1),
    lambda: fit_many([], logistic_cost, train, train, epochs=1),
    lambda: network_outputs(network, rows),
    lambda: predictor(network, 40)(rows.T),
    enable_compilation_cache,
):
    assert in_child(run) == 0
"""
    assert run(program) == "40\n" + 8 * REFUSED


SEARCH = """
from joblib import parallel_backend
from sklearn.model_selection import GridSearchCV
{first}
with parallel_backend({backend!r}, n_jobs=2):
    try:
        found = GridSearchCV(model, {{"epochs": [1, 2]}}, cv=2).fit(X, y)
        print(sorted(found.best_params_))
    except ValueError as error:
        print(str(error))
"""


@pytest.mark.slow
@pytest.mark.parametrize("first", ["", "model.fit(X, y)"], ids=["unused", "used"])
@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_a_grid_search_ends_with_each_backend(backend, first):
    """With processes that are forked after JAX was used, by the error above."""
    found = run(SEARCH.format(backend=backend, first=first), 120)
    if backend == "multiprocessing" and first:
        assert "All the 4 fits failed" in found
        assert REFUSED.splitlines()[0] in found
    else:
        assert found == "['epochs']\n"
