"""chainrule/search/objective.py: outcomes equal those of `chainrule train`; failures."""

import numpy as np
import pytest

from chainrule.errors import OptionError, RunError
from chainrule.runs.recipe import Recipe
from chainrule.search.objective import Objective, ProgressReporter
from chainrule.search.trials import DONE, FAILED, PRUNED
from chainrule.train.history import Epoch, History

BASE = Recipe("iris", hidden=(4,), epochs=6)
pytestmark = pytest.mark.usefixtures("float32_world")


def never_end(percent, dev_cost):
    return False


@pytest.fixture(scope="module")
def objective():
    return Objective(BASE)


def test_the_dev_cost_is_that_of_training_alone(objective):
    from chainrule.runs.job import train_prepared
    from chainrule.runs.prepare import prepare

    recipe = Recipe("iris", hidden=(4,), epochs=6, learning_rate=0.05)
    outcome = objective(recipe, never_end)
    run = train_prepared(prepare(recipe))
    assert outcome.state == DONE
    assert outcome.dev_cost == pytest.approx(run.results["dev"]["cost"], rel=1e-5)
    assert outcome.scores["train"] == pytest.approx(run.results["train"], rel=1e-5)
    assert outcome.curve["dev_cost"] == pytest.approx(run.history.dev_costs, rel=1e-5)
    assert outcome.seconds > 0


def test_the_test_set_is_not_used(objective):
    for prepared in objective.prepared(BASE):
        assert set(prepared.parts) == set(prepared.sources) == {"train", "dev"}
    assert set(objective(BASE, never_end).scores) == {"train", "dev"}


def test_folds_exclude_the_test_set_and_are_scaled_separately():
    parts = Objective(BASE, folds=3).prepared(BASE)
    assert [len(p.parts["dev"].X) for p in parts] == [40, 40, 40]
    assert [len(p.parts["train"].X) for p in parts] == [80, 80, 80]
    for p in parts:
        np.testing.assert_allclose(p.parts["train"].X.mean(axis=0), 0, atol=1e-5)
        assert abs(p.parts["dev"].X.mean()) > 1e-4
    assert set(Objective(BASE, folds=3).digests) == {"train", "test"}


def test_the_cost_over_folds_is_their_mean():
    reports = []
    objective = Objective(BASE, folds=3)
    outcome = objective(BASE, lambda *report: reports.append(report))
    assert outcome.state == DONE
    assert [percent for percent, _ in reports] == [33, 67, 100]
    assert reports[-1][1] == pytest.approx(outcome.dev_cost)
    assert outcome.scores["dev"]["m"] == 40
    ended = objective(BASE, lambda percent, cost: percent > 50)
    assert (ended.state, ended.why) == (PRUNED, "after fold 2 of 3")
    assert ended.dev_cost == pytest.approx(reports[1][1])


def test_a_losing_candidate_is_ended_early(objective):
    outcome = objective(BASE, lambda percent, cost: percent >= 50)
    assert (outcome.state, outcome.why) == (PRUNED, "after epoch 3 of 6")
    assert outcome.dev_cost == min(outcome.curve["dev_cost"])


def test_shares_are_reported_once_each_with_the_best_so_far():
    reports = []
    reporter, history = ProgressReporter(10, lambda *report: reports.append(report)), History()
    for epoch, cost in enumerate([5, 4, 6, 3, 3, 3, 3, 3, 3, 2], start=1):
        history.epochs.append(Epoch(epoch, cost, 0, 0, dev_cost=cost))
        reporter(history, epoch / 10)
    assert reports == [(8, 5), (17, 4), (25, 4), (35, 3), (50, 3), (71, 3), (100, 2)]


def test_a_candidate_that_is_not_finite_fails_alone(objective):
    outcome = objective(Recipe("iris", hidden=(4,), epochs=6, learning_rate=1e30), never_end)
    assert outcome.state == FAILED
    assert "not finite" in outcome.why


def test_a_candidate_that_does_not_fit_fails_alone(objective):
    outcome = objective(Recipe("iris", hidden=(10**8, 10**8)), never_end)
    assert outcome.state == FAILED
    assert "expected at most" in outcome.why


def test_a_journal_that_cannot_be_written_ends_the_search(objective):
    def report(percent, dev_cost):
        raise RunError("journal.log", "a journal that can be written", "a full disk")

    with pytest.raises(RunError, match="a full disk"):
        objective(BASE, report)


def test_without_a_dev_set_there_must_be_folds():
    with pytest.raises(OptionError) as error:
        Objective(Recipe("iris", dev="none"))
    assert str(error.value) == (
        "--dev: expected a dev set to compare candidates on; got none.\n"
        "Try leaving out --dev none, or --folds 5."
    )
    assert Objective(Recipe("iris", dev="none"), folds=2)
