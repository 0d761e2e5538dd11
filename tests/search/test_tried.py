"""chainrule/search/tried.py: ranks, curves and means."""

from math import inf

from chainrule.search.tried import (
    DONE,
    FAILED,
    PRUNED,
    Outcome,
    Told,
    Tried,
    best_of,
    mean_of,
    ranked,
    thinned,
)


def candidate(number: int, state: str, cost: float = inf) -> Tried:
    return Tried(number, {}, Outcome(state, cost))


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


def test_where_none_is_done_none_is_the_best():
    assert best_of([candidate(0, PRUNED, 0.1), candidate(1, FAILED)]) is None


def test_a_long_curve_keeps_a_hundred_points_and_its_ends():
    curve = {"epoch": list(range(1, 1001)), "cost": [1 / 3] * 1000}
    kept = thinned(curve)
    assert len(kept["epoch"]) == len(kept["cost"]) == 100
    assert (kept["epoch"][0], kept["epoch"][-1], kept["cost"][0]) == (1, 1000, 0.33333)
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


def test_each_is_told_once():
    there, heard = [candidate(0, DONE, 1)], []
    told = Told(lambda: there, heard.append)
    told.tell()
    there.append(candidate(1, DONE, 2))
    told.tell()
    told.tell()
    assert [c.number for c in heard] == [1]  # the first was there before
