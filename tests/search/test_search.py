"""chainrule/search/search.py and search/workers.py: whole searches, workers that are killed."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chainrule.errors import OptionError, RunError
from chainrule.runs.folder import load
from chainrule.search import search as search_module
from chainrule.search import workers as processes
from chainrule.search.search import keep_best, resume, run, tune
from chainrule.search.study import begin
from chainrule.search.trials import finished_candidates
from tests.search.killed import ended, start, work_on
from tests.search.problem import SPACE, study_in

LINES = ["learning_rate=log(1e-3, 1)", "l2=log(1e-3, 1)"]
QUICK = {"hidden": (4,), "epochs": 4, "space": LINES}
pytestmark = pytest.mark.usefixtures("float32_world")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """Return a search of five candidates."""
    import jax

    folder = tmp_path_factory.mktemp("search")
    with jax.enable_x64(False):
        return tune("iris", trials=5, out=folder / "s", **QUICK)


def values(search):
    return [candidate.values for candidate in search.candidates]


# The best


def test_the_best_is_a_run_like_any_other(tuned):
    run = load(tuned.search.folder / "best")
    best = tuned.candidates[0]
    assert run.recipe.learning_rate == best.values["learning_rate"]
    assert run.results["dev"]["cost"] == pytest.approx(best.outcome.dev_cost, rel=1e-5)
    assert set(run.results) == {"train", "dev", "test"}
    assert run.facts["search"] == {
        "folder": "s",
        "candidate": best.number + 1,
        "dev_cost": best.outcome.dev_cost,
    }
    costs = [c.outcome.dev_cost for c in tuned.candidates]
    assert costs == sorted(costs)


def test_a_better_candidate_replaces_the_best_run(tuned, tmp_path):
    search = begin("iris", trials=1, out=tmp_path / "s", **QUICK)
    run(search)
    first, weights = keep_best(search), tmp_path / "s" / "best" / "weights.safetensors"
    kept = weights.stat().st_ino
    keep_best(search)
    assert weights.stat().st_ino == kept  # the saved run is loaded
    better = resume(tmp_path / "s", trials=5).run
    assert first is not None
    assert better is not None
    assert first.recipe != better.recipe == tuned.run.recipe
    assert load(tmp_path / "s" / "best").recipe == better.recipe
    assert sorted(p.name for p in (tmp_path / "s").glob("best*")) == ["best", "best.lock"]


def test_nothing_is_saved_without_a_done_candidate(tmp_path):
    lines = ["learning_rate=log(1e29, 1e30)"]
    found = tune("iris", trials=2, out=tmp_path / "s", hidden=(4,), epochs=4, space=lines)
    assert found.run is None
    assert [c.outcome.state for c in found.candidates] == ["failed", "failed"]


# Gone on with


def test_more_candidates_are_those_of_one_long_search(tuned, tmp_path):
    search = begin("iris", trials=2, out=tmp_path / "s", **QUICK)
    run(search)
    received = []
    resumed = resume(tmp_path / "s", trials=5, on_result=received.append)
    assert values(resumed.search) == values(tuned.search)
    assert [c.number for c in received] == [2, 3, 4]
    assert resumed.run is not None
    assert resumed.run.recipe == tuned.run.recipe
    looked = resume(tmp_path / "s", trials=0)
    assert [c.number for c in looked.candidates] == [c.number for c in resumed.candidates]


@pytest.mark.parametrize("workers", [0, True, "2"])
def test_an_invalid_number_of_workers_is_refused(tuned, workers):
    with pytest.raises(OptionError) as error:
        run(tuned.search, workers=workers)
    expected = (
        f"--workers: expected a whole number of at least 1; got {workers!r}.\nTry --workers 2."
    )
    assert str(error.value) == expected


# Several processes


def test_two_processes_find_what_one_finds(tuned, tmp_path):
    received = []
    found = tune(
        "iris", trials=5, out=tmp_path / "s", workers=2, on_result=received.append, **QUICK
    )
    assert values(found.search) == values(tuned.search)
    assert sorted(c.number for c in received) == [0, 1, 2, 3, 4]
    assert list((tmp_path / "s" / "workers").iterdir()) == []
    costs = [[c.outcome.dev_cost for c in f.search.candidates] for f in (found, tuned)]
    assert costs[0] == pytest.approx(costs[1], rel=1e-4)


def test_the_error_of_a_worker_is_raised(tmp_path):
    frame = pd.DataFrame({"a": np.arange(40.0), "y": [0, 1] * 20})
    frame.to_csv(tmp_path / "t.csv", index=False)
    search = begin(str(tmp_path / "t.csv"), target="y", trials=2, out=tmp_path / "s", **QUICK)
    frame.assign(a=1.0 + np.arange(40)).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(RunError) as error:
        processes.run_processes(search, 2)
    assert str(error.value) == (
        f"{tmp_path / 's'}: expected the data that the search was started with; "
        "got different data.\n"
        "Try a new search, because costs on different data cannot be compared."
    )


def test_workers_that_are_all_killed(tmp_path, monkeypatch):
    search = begin("iris", trials=2, out=tmp_path / "s", **QUICK)
    dead = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    monkeypatch.setattr(processes, "COMMAND", dead)
    with pytest.raises(RunError) as error:
        processes.run_processes(search, 1)
    assert str(error.value) == (
        "the workers: expected at least one running worker; got none: ended by signal 9.\n"
        f"Try chainrule tune --resume {tmp_path / 's'}; no finished candidate is lost."
    )


def test_repeated_kills_do_not_change_the_result(tmp_path):
    """One of two processes at a time is killed at random; the last two are not killed."""
    study_in(tmp_path)
    random = np.random.default_rng(0)
    at_work = [start(work_on, tmp_path, 16) for _ in range(2)]
    for _ in range(8):
        time.sleep(0.1 + random.random() * 0.3)
        victim = at_work.pop(0)
        victim.kill()
        victim.join()
        at_work.append(start(work_on, tmp_path, 16))
    assert [ended(process) for process in at_work] == [0, 0]
    (tmp_path / "alone").mkdir()
    work_on(tmp_path / "alone", 16)
    killed, alone = (
        finished_candidates(study_in(p), SPACE) for p in (tmp_path, tmp_path / "alone")
    )
    assert [c.number for c in killed] == list(range(16))
    assert [c.values for c in killed] == [c.values for c in alone]
    assert [c.outcome.dev_cost for c in killed] == [c.outcome.dev_cost for c in alone]


def test_workers_end_with_the_process_that_started_them(tmp_path):
    """A killed process cannot stop its workers; they notice that it has ended."""
    begin("iris", trials=10**6, out=tmp_path / "s", **QUICK)
    program = (
        "import sys; from chainrule.search.search import resume; resume(sys.argv[1], workers=2)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "s")])
    workers = tmp_path / "s" / "workers"
    until = time.monotonic() + 60
    while len(list(workers.glob("[0-9a-f]" * 12))) < 2 and time.monotonic() < until:
        time.sleep(0.1)
    parent.kill()
    parent.wait()
    until = time.monotonic() + 60
    while list(workers.glob("[0-9a-f]" * 12)) and time.monotonic() < until:
        time.sleep(0.1)
    assert list(workers.glob("[0-9a-f]" * 12)) == []  # the workers have removed their locks


def test_the_saved_run_stays_if_it_cannot_be_replaced(tmp_path, monkeypatch):
    best = tmp_path / "best"
    best.mkdir()
    (best / "mine").touch()
    rename = Path.rename

    def fails(path, target):
        if path.name == "best.new":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(path, target)

    monkeypatch.setattr(search_module, "save", lambda run, folder, pictures: folder.mkdir())
    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(RunError, match="best: expected a writable folder; got the system error"):
        search_module._swap(None, best, {})
    assert [file.name for file in best.iterdir()] == ["mine"]


def test_a_folder_that_cannot_be_made(tmp_path, monkeypatch):
    def fails(path, **how):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "mkdir", fails)
    with pytest.raises(RunError, match="new: expected a writable folder; got a full disk"):
        begin("iris", out=tmp_path / "new", **QUICK)
