"""chainrule/search/workers.py: each candidate is trained once, by any worker, in rounds."""

import threading

import numpy as np
import pytest
from optuna.trial import TrialState

from chainrule.search.trials import DONE, FAILED, PRUNED, finished_candidates, ranked
from chainrule.search.workers import Worker, work
from tests.search.problem import SPACE, Pretended, plan, study_in


def search(folder, planned, objective=None, look=lambda: False):
    """Run a worker until the plan is done; return whether it stopped earlier."""
    study = study_in(folder)
    with Worker(study, folder, beats=False) as worker:
        return work(study, planned, objective or Pretended(), worker, look)


def found(folder):
    return finished_candidates(study_in(folder), SPACE)


def test_candidates_are_what_the_space_draws(tmp_path):
    assert search(tmp_path, plan(6)) is False
    candidates = found(tmp_path)
    assert [c.number for c in candidates] == list(range(6))
    for c in candidates:
        assert c.values == pytest.approx(SPACE.sample(0, c.number))
        expected = (np.log10(c.values["learning_rate"]) + 2) ** 2
        assert c.outcome.dev_cost == pytest.approx(expected)


def test_a_stored_outcome_is_complete(tmp_path):
    search(tmp_path, plan(1))
    [c] = found(tmp_path)
    assert (c.outcome.state, c.done) == (DONE, True)
    assert c.outcome.scores["dev"]["accuracy"] == 0.5
    assert c.outcome.curve["epoch"] == [1, 2]


def test_more_trials_continue_a_shorter_search(tmp_path):
    search(tmp_path, plan(3))
    search(tmp_path, plan(5))
    (tmp_path / "all").mkdir()
    search(tmp_path / "all", plan(5))
    assert [c.values for c in found(tmp_path)] == [c.values for c in found(tmp_path / "all")]
    assert search(tmp_path, plan(0)) is False
    assert len(found(tmp_path)) == 5


@pytest.mark.parametrize("sampler", ["random", "coarse_to_fine"])
def test_any_number_of_workers_finds_the_same(tmp_path, sampler):
    for name, count in (("one", 1), ("three", 3)):
        (tmp_path / name).mkdir()
        study_in(tmp_path / name)
        workers = [
            threading.Thread(target=search, args=(tmp_path / name, plan(10, sampler)))
            for _ in range(count)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    one, three = found(tmp_path / "one"), found(tmp_path / "three")
    assert [c.values for c in one] == [c.values for c in three]
    assert (
        len(study_in(tmp_path / "three").get_trials()) <= 12
    )  # one trial each that was claimed too late


def test_coarse_to_fine_comes_nearer(tmp_path):
    search(tmp_path, plan(24, "coarse_to_fine", round_size=8))
    costs = [c.outcome.dev_cost for c in found(tmp_path)]
    assert np.mean(costs[16:]) < np.mean(costs[:8]) / 10


def test_an_interrupted_candidate_is_trained_again(tmp_path):
    objective = Pretended(interrupt_at=3)
    assert search(tmp_path, plan(4), objective) is True
    waiting = study_in(tmp_path).get_trials()[2]
    assert waiting.state == TrialState.WAITING
    assert search(tmp_path, plan(4)) is False
    assert [c.values for c in found(tmp_path)][2] == pytest.approx(SPACE.sample(0, 2))
    assert len(found(tmp_path)) == 4


def test_the_look_callback_can_end_the_search(tmp_path):
    looks = iter([False, False, True])
    assert search(tmp_path, plan(9), look=lambda: next(looks)) is True
    assert len(found(tmp_path)) == 2


def test_a_candidate_that_fails_is_ranked_last(tmp_path):
    search(tmp_path, plan(120))
    candidates = found(tmp_path)
    failed = [c for c in candidates if c.outcome.state == FAILED]
    assert failed
    assert {c.outcome.why for c in failed} == {"not finite"}
    assert all(c.values["learning_rate"] > 0.9 for c in failed)
    assert ranked(candidates)[-len(failed) :] == failed


@pytest.mark.parametrize("pruner", ["median", "halving", "hyperband"])
def test_losing_candidates_are_ended_early(tmp_path, pruner):
    search(tmp_path, plan(16, pruner=pruner))
    candidates = found(tmp_path)
    ended = [c for c in candidates if c.outcome.state == PRUNED]
    done = [c for c in candidates if c.done]
    assert ended
    assert done
    assert ended[0].outcome.why.startswith("after ")
    costs = [[c.outcome.dev_cost for c in some] for some in (done, ended)]
    assert np.median(costs[0]) < np.median(costs[1])
    assert ranked(candidates)[0].done


def test_a_worker_considered_ended_changes_nothing(tmp_path):
    """Another worker has finished its candidate meanwhile; its own result comes too late."""
    late, other = study_in(tmp_path), study_in(tmp_path)

    class Slow(Pretended):
        def __call__(self, recipe, report):
            if not self.calls:
                other.tell(0, 5.0)
            return super().__call__(recipe, report)

    with Worker(late, tmp_path, beats=False) as worker:
        work(late, plan(2, pruner="median"), Slow(), worker)
    assert found(tmp_path)[0].outcome.dev_cost == 5.0
    assert len(found(tmp_path)) == 2


@pytest.mark.parametrize("sampler", ["tpe", "qmc"])
def test_optunas_samplers_give_the_same_after_an_interruption(tmp_path, sampler):
    for name, parts in (("whole", [14]), ("parts", [5, 11, 14])):
        (tmp_path / name).mkdir()
        for trials in parts:
            search(tmp_path / name, plan(trials, sampler))
    whole, parts = found(tmp_path / "whole"), found(tmp_path / "parts")
    assert [c.values for c in whole] == [c.values for c in parts]
