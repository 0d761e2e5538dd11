"""chainrule/search/trials.py: ranks, curves and means."""

from math import inf

from chainrule.search.trials import (
    DONE,
    FAILED,
    PRUNED,
    CandidateNotifier,
    CandidateResult,
    Outcome,
    best_of,
    mean_of,
    ranked,
    thinned,
)


def candidate(number: int, state: str, cost: float = inf) -> CandidateResult:
    return CandidateResult(number, {}, Outcome(state, cost))


def test_the_best_first_then_those_ended_early_then_those_that_failed():
    candidates = [
        candidate(0, FAILED),
        candidate(1, PRUNED, 0.1),
        candidate(2, DONE, 0.3),
        candidate(3, DONE, 0.2),
        candidate(4, PRUNED, 0.05),
        candidate(5, DONE, 0.2),
    ]
    assert [c.number for c in ranked(candidates)] == [3, 5, 2, 4, 1, 0]
    best = best_of(candidates)
    assert best is not None
    assert best.number == 3


def test_no_best_candidate_without_a_done_candidate():
    assert best_of([candidate(0, PRUNED, 0.1), candidate(1, FAILED)]) is None


def test_a_long_curve_is_reduced_to_a_hundred_points():
    curve = {"epoch": list(range(1, 1001)), "cost": [1 / 3] * 1000}
    points = thinned(curve)
    assert len(points["epoch"]) == len(points["cost"]) == 100
    assert (points["epoch"][0], points["epoch"][-1], points["cost"][0]) == (1, 1000, 0.33333)
    assert thinned({"epoch": [1], "cost": [2.0]}) == {"epoch": [1], "cost": [2.0]}
    assert thinned({}) == {}


def test_the_mean_over_folds_ends_with_the_shortest():
    folds = [
        Outcome(DONE, 1.0, {"dev": {"m": 4, "cost": 1.0}}, {"epoch": [1, 2], "dev_cost": [3, 1]}),
        Outcome(DONE, 3.0, {"dev": {"m": 6, "cost": 3.0}}, {"epoch": [1], "dev_cost": [5]}),
    ]
    mean = mean_of(folds)
    assert (mean.dev_cost, mean.scores) == (2.0, {"dev": {"m": 5, "cost": 2.0}})
    assert mean.curve == {"epoch": [1], "dev_cost": [4]}


def test_each_candidate_is_reported_once():
    candidates, received = [candidate(0, DONE, 1)], []
    notifier = CandidateNotifier(lambda: candidates, received.append)
    notifier.notify()
    candidates.append(candidate(1, DONE, 2))
    notifier.notify()
    notifier.notify()
    assert [c.number for c in received] == [1]  # the first had finished before
