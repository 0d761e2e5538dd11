"""chainrule/search/objective.py: training at once equals training one at a time."""

from dataclasses import replace

import numpy as np
import pytest

from chainrule.runs.recipe import Recipe
from chainrule.search import objective as together
from chainrule.search.objective import (
    Objective,
    compatibility_key,
    never_end,
    operations_of,
    saves_time,
)
from chainrule.search.space import Space
from chainrule.search.trials import (
    DONE,
    FAILED,
    INTERRUPTED,
    PRUNED,
    Outcome,
    finished_candidates,
    ranked,
)
from chainrule.search.workers import Worker, work
from tests.search.problem import Pretended, plan, study_in

BASE = Recipe("iris", hidden=(4,), epochs=6, batch_size=32)
SPACE = Space.parse(
    [
        "learning_rate=log(1e-3, 3e-2)",
        "l2=log(1e-3, 1)",
        "beta=one_minus_log(0.8, 0.99)",
        "keep_prob=uniform(0.7, 0.99)",
    ]
)
pytestmark = pytest.mark.usefixtures("float32_world")


@pytest.fixture(autouse=True)
def compiled(monkeypatch):
    """Make compiling free, so that training at once always saves time."""
    monkeypatch.setattr(together, "COMPILATION", 0)


def recipes(count: int) -> list[Recipe]:
    return [replace(BASE, **SPACE.sample(0, number)) for number in range(count)]


def all_of(objective, some, **how) -> list[Outcome]:
    found: dict[int, Outcome] = {}
    for outcomes in objective.together(some, **how):
        found |= outcomes
    return [found[place] for place in range(len(some))]


@pytest.fixture(scope="module")
def objective():
    return Objective(BASE)


def test_training_at_once_equals_training_one_at_a_time(objective):
    some = recipes(4)
    at_once, in_turn = all_of(objective, some), [objective(recipe, never_end) for recipe in some]
    for one, other in zip(at_once, in_turn, strict=True):
        assert one.state == other.state == DONE
        assert one.dev_cost == pytest.approx(other.dev_cost, rel=1e-4)
        assert one.scores["train"]["cost"] == pytest.approx(other.scores["train"]["cost"], rel=1e-4)
        np.testing.assert_allclose(one.curve["dev_cost"], other.curve["dev_cost"], rtol=1e-3)


def test_training_at_once_over_folds():
    objective, some = Objective(BASE, folds=2), recipes(2)
    at_once, in_turn = all_of(objective, some), [objective(recipe, never_end) for recipe in some]
    for one, other in zip(at_once, in_turn, strict=True):
        assert one.dev_cost == pytest.approx(other.dev_cost, rel=1e-4)
        assert one.scores["dev"]["m"] == 60


def test_compatible_candidates(objective):
    """Compatible candidates may differ in numbers, but not in what determines the program."""

    def kind(**values):
        return compatibility_key(objective.prepared(replace(BASE, **values))[0])

    same = kind(learning_rate=0.1, l2=0.5, beta=0.8)
    assert same == kind(learning_rate=0.2, l2=0.1, beta=0.9)
    for other in (
        {"hidden": (5,)},
        {"activation": "tanh"},
        {"optimizer": "momentum"},
        {"batch_size": 16},
        {"epochs": 7},
        {"keep_prob": 0.5},
        {"batch_norm": True},
        {"normalize": "none"},
        {"decay": "exponential"},
    ):
        assert kind(**other) != same, other


def test_each_group_is_yielded_when_it_is_done(objective):
    some = [replace(r, activation=a) for r, a in zip(recipes(4), ["relu", "tanh"] * 2, strict=True)]
    assert [sorted(found) for found in objective.together(some)] == [[0, 2], [1, 3]]


def test_failures_do_not_affect_other_candidates(objective):
    bad = [replace(BASE, learning_rate=1e30), replace(BASE, hidden=(10**8, 10**8))]
    found = all_of(objective, [*recipes(2), *bad])
    assert [outcome.state for outcome in found] == [DONE, DONE, FAILED, FAILED]
    assert "not finite" in found[2].why
    assert "expected at most" in found[3].why


def test_the_worse_half_ends(objective):
    some = [replace(BASE, learning_rate=rate) for rate in (1e-4, 1e-3, 1e-2, 5e-2)]
    found = all_of(objective, some, halve=True)
    assert [outcome.state for outcome in found].count(PRUNED) == 3
    assert found[3].state == DONE
    assert found[0].why == "after epoch 1 of 6"
    assert found[0].dev_cost == min(found[0].curve["dev_cost"])


def test_larger_networks_take_more(objective):
    def operations(**values):
        return operations_of(objective.prepared(replace(BASE, **values))[0])

    assert operations(hidden=(64, 64)) > operations(hidden=(8,)) > operations(hidden=(8,), epochs=2)
    assert objective.operations(replace(BASE, hidden=(10**8, 10**8))) == 0


def test_time_is_saved_if_training_takes_longer_than_compiling(objective, monkeypatch):
    [one] = objective.prepared(BASE)
    monkeypatch.setattr(together, "COMPILATION", operations_of(one))
    assert [saves_time([one] * count) for count in (1, 2, 3)] == [False, False, True]
    in_turn = list(objective.together(recipes(2)))
    assert [list(found) for found in in_turn] == [[0], [1]]


# In the loop


def at_once(folder, objective, trials=6, look=lambda: False, **how):
    study = study_in(folder)
    planned = plan(trials, **how)._replace(space=SPACE, together=True)
    with Worker(study, folder, beats=False) as worker:
        return work(study, planned, objective, worker, look)


def found(folder):
    return finished_candidates(study_in(folder), SPACE)


def test_a_search_at_once_equals_a_search_one_at_a_time(objective, tmp_path):
    for name, joined in (("once", True), ("turn", False)):
        (tmp_path / name).mkdir()
        study = study_in(tmp_path / name)
        planned = plan(6, "coarse_to_fine")._replace(space=SPACE, together=joined)
        with Worker(study, tmp_path / name, beats=False) as worker:
            assert work(study, planned, objective, worker) is False
    once, turn = found(tmp_path / "once"), found(tmp_path / "turn")
    for one, other in zip(once, turn, strict=True):
        assert one.values == pytest.approx(other.values)
        assert one.outcome.dev_cost == pytest.approx(other.outcome.dev_cost, rel=1e-4)


def test_halving_in_a_search(objective, tmp_path):
    at_once(tmp_path, objective, pruner="halving")
    states = [c.outcome.state for c in found(tmp_path)]
    assert (states.count(DONE), states.count(PRUNED)) == (2, 4)  # six epochs, two stages
    assert all(np.isfinite(c.outcome.dev_cost) for c in found(tmp_path))
    assert ranked(found(tmp_path))[0].done


class Batches(Pretended):
    """A simulated objective that trains in groups of three; it is interrupted in the second."""

    def __init__(self, interrupt: bool = False, operations: float = 1.0):
        super().__init__()
        self.interrupt, self.each, self.sizes = interrupt, operations, []

    def operations(self, recipe):
        return self.each

    def together(self, recipes, *, halve):
        self.sizes.append(len(recipes))
        for first in range(0, len(recipes), 3):
            ended = Outcome(INTERRUPTED) if self.interrupt and first else Outcome(DONE, 1.0)
            yield {place: ended for place in range(first, min(first + 3, len(recipes)))}


def test_an_interrupted_batch_keeps_its_finished_candidates(tmp_path):
    objective = Batches(interrupt=True)
    assert at_once(tmp_path, objective, trials=8) is True
    assert [c.number for c in found(tmp_path)] == [0, 1, 2]
    assert at_once(tmp_path, Batches(), trials=8) is False
    assert [c.number for c in found(tmp_path)] == list(range(8))
    assert found(tmp_path)[5].values == pytest.approx(SPACE.sample(0, 5))


def test_the_look_callback_ends_the_search_between_groups(tmp_path):
    looks = iter([False, True, True])
    assert at_once(tmp_path, Batches(), trials=8, look=lambda: next(looks)) is True
    assert len(found(tmp_path)) == 3


def test_a_batch_is_a_minutes_work_and_a_round_at_most(tmp_path):
    for name, objective, how, sizes in (
        ("small", Batches(), {}, [10]),
        ("large", Batches(operations=4e12), {}, [3, 3, 3, 1]),
        ("round", Batches(), {"sampler": "coarse_to_fine"}, [4, 4, 2]),
    ):
        (tmp_path / name).mkdir()
        at_once(tmp_path / name, objective, trials=10, **how)
        assert objective.sizes == sizes


def test_two_workers_share_the_candidates(tmp_path):
    with Worker(study_in(tmp_path), tmp_path, beats=False):
        objective = Batches()
        at_once(tmp_path, objective, trials=8)
    assert objective.sizes == [4, 2, 1, 1]
