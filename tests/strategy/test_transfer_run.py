"""chainrule/strategy/train_model.py"""

import numpy as np
import pytest

from chainrule.errors import RunError
from chainrule.runs import job
from chainrule.runs.folder import load
from chainrule.runs.recipe import Recipe
from chainrule.strategy import transfer_report
from chainrule.strategy.train_model import make_plan, open_data, transfer
from tests.strategy.transfers import OPTIONS, base, run_on, task

pytestmark = pytest.mark.filterwarnings("ignore:transfer from:chainrule.errors.DataWarning")
ROWS = np.random.default_rng(5).standard_normal((7, 4))


@pytest.fixture(autouse=True)
def nothing_is_tried(monkeypatch):
    """Skip the trials on dev, which take most of the time and have their own tests."""
    monkeypatch.setattr(transfer_report, "OPERATIONS", 0)


def test_the_run_is_the_same_in_memory_saved_and_from_a_path(tmp_path):
    source = task(tmp_path, "new", 60, 3)
    start = base(True)
    in_memory = transfer(start, source, retrain="last", **OPTIONS).predict_proba(ROWS)
    saved = transfer(start.path, source, out=tmp_path / "run", retrain="last", **OPTIONS)
    assert saved.path == tmp_path / "run"
    np.testing.assert_array_equal(saved.predict_proba(ROWS), in_memory)
    np.testing.assert_array_equal(load(tmp_path / "run").predict_proba(ROWS), in_memory)


def test_an_interrupted_transfer_can_be_resumed(tmp_path):
    source, options = task(tmp_path, "new", 60, 3), {**OPTIONS, "retrain": "last", "epochs": 6}
    whole = transfer(base(), source, **options)

    def stop(history, share):
        if share > 0.2:
            raise KeyboardInterrupt

    opened = open_data(Recipe(source, base=str(base().path), **options))
    with job.begin(opened, tmp_path / "run") as unfinished, pytest.raises(KeyboardInterrupt):
        job.train_prepared(make_plan(opened).training, stop, unfinished=unfinished, every=0)
    resumed = job.resume(tmp_path / "run")
    np.testing.assert_array_equal(resumed.predict_proba(ROWS), whole.predict_proba(ROWS))
    assert resumed.facts["transfer"]["retrain"] == "last"


# Words


def test_a_saved_transfer_needs_a_saved_base(tmp_path):
    old = run_on(task(tmp_path, "old", 60, 2))
    with pytest.raises(RunError) as error:
        transfer(old, task(tmp_path, "new", 60, 3), out=tmp_path / "run")
    assert str(error.value) == (
        "transfer(out=…): expected a saved base run; got a run in memory.\n"
        "Try save(run, folder) first."
    )
