"""chainrule/train/health.py: problems diagnosed from the history of a training."""

import pytest

from chainrule.train.health import REMEDIES, Verdict, last_epochs, verdicts
from chainrule.train.history import Epoch, History

SOUND = {"A": 1.0, "dA": 1e-3, "W": 5.0, "dW": 0.1, "update": 1e-3}
FALLING = [1.0, 0.5, 0.3, 0.2, 0.15, 0.12, 0.11, 0.105, 0.102, 0.101]


def history(costs=FALLING, *layers, stopped="epochs"):
    """Return the history of a training with these costs and this signal at the end."""
    epochs = [Epoch(i, cost, 1.0, float(i)) for i, cost in enumerate(costs, 1)]
    signals = [{"epoch": len(costs), "signal": [SOUND | layer for layer in layers]}]
    return History(epochs, stopped=stopped, signals=signals if layers else [])


def names(*arguments, **options):
    return [verdict.name for verdict in verdicts(history(*arguments, **options))]


def test_no_verdict_for_a_healthy_training():
    assert names() == []
    assert names(FALLING, {}, {}, {}) == []
    assert names([1.0, 2.0], {}, {}) == []  # too short to decide


CASES = {
    "vanishing": [(FALLING, {"dA": 1e-7}, {}), (FALLING, {"A": 1.0}, {"A": 1e-4})],
    "exploding": [(FALLING, {"dA": 2.0}, {"dA": 1e-3}), (FALLING, {"A": 1.0}, {"A": 2e3})],
    "dead": [(FALLING, {"dead": 0.6}, {})],
    "saturated": [(FALLING, {}, {"saturated": 0.5})],
    "learning rate too high": [
        ([1.0, 0.9, 1.1, 1.2, 1.3, 1.4],),
        ([1.0, 5.0, 0.9, 0.8, 0.7, 0.6],),
        ([1.0, 0.5, 0.8, 0.5, 0.8, 0.5, 0.8, 0.5],),
    ],
    "learning rate too low": [
        ([1.0 - 0.001 * i for i in range(20)], {"update": 1e-6}, {"update": 1e-5})
    ],
}


@pytest.mark.parametrize(("name", "case"), [(n, c) for n, cases in CASES.items() for c in cases])
def test_each_problem_has_its_name(name, case):
    assert names(*case) == [name]


@pytest.mark.parametrize(
    "case",
    [
        (FALLING, {"dA": 2e-6}, {}),
        (FALLING, {"dA": 0.9}, {"dA": 1e-3}),
        (FALLING, {"dead": 0.4, "saturated": 0.4}, {}),
        ([1.0, 0.5, 0.55, 0.4, 0.44, 0.3, 0.33, 0.2],),
        ([1e-3, 1e-6, 5e-6, 1e-6, 5e-6, 1e-6, 5e-6],),  # jumps, but at a cost of almost 0
        ([-1.0, -1.05, -1.1, -1.15, -1.2, -1.25],),  # a custom cost, which falls
        ([0.0] * 9, {"update": 0.0}),
        (
            [1.0 - 0.001 * i for i in range(20)],
            {"update": 1e-3},
            {},
        ),  # slow, but with updates of normal size
        (
            FALLING,
            {"update": 1e-6},
            {"update": 1e-6},
        ),  # tiny steps at the end of a converged training
    ],
)
def test_no_verdict_below_the_limits(case):
    assert names(*case) == []


def test_early_stopping_is_no_sign_of_a_low_rate():
    case = [1.0 - 0.001 * i for i in range(20)], {"update": 1e-6}, {"update": 1e-6}
    assert names(*case, stopped="patience") == []


@pytest.mark.parametrize(("best", "found"), [(5, []), (20, ["learning rate too low"])])
def test_a_rate_is_not_too_low_where_dev_was_best_long_ago(best, found):
    """A decaying rate ends in tiny steps; more or larger ones would only overfit."""
    slow = history([1.0 - 0.001 * i for i in range(20)], {"update": 1e-6}, {"update": 1e-6})
    slow.best_epoch = best
    assert [verdict.name for verdict in verdicts(slow)] == found


@pytest.mark.parametrize(("early", "found"), [(1e-3, []), (1e-5, ["learning rate too low"])])
def test_steps_are_measured_before_a_cosine_has_ended(early, found):
    """The last step of a cosine is 0, which says nothing about the rate with which it began."""
    slow = history([1.0 - 0.001 * i for i in range(20)], {"update": 0.0})
    slow.signals.insert(0, {"epoch": 8, "signal": [SOUND | {"update": early}]})
    assert [verdict.name for verdict in verdicts(slow)] == found


def test_the_last_epochs_of_a_cosine_learn_little():
    constant = history(FALLING, {"update": 1e-3})
    falling = history(FALLING, {"update": 1e-6})
    falling.signals[:0] = [{**constant.signals[0], "epoch": len(FALLING) // 2}]
    assert (last_epochs(constant), last_epochs(falling)) == (
        max(1, len(FALLING) // 10),
        len(FALLING) * 2 // 5,
    )


def test_a_layer_that_is_dead_is_not_called_vanishing():
    assert names(FALLING, {"dA": 0.0}, {"dead": 1.0}) == ["dead"]


def test_the_most_serious_problem_comes_first():
    found = names([1.0, 5.0, 0.9, 0.8, 0.7, 0.6], {"dA": 1e-9}, {"dead": 1.0})
    assert found == ["learning rate too high", "dead", "vanishing"]
    assert sorted(found, key=list(REMEDIES).index) == found


# Problems that exclude each other


SLOW = [1.0 - 0.001 * i for i in range(20)]


def found(costs, *layers, start=None):
    """Return the verdicts; `start` is the signal of the layers before the first epoch."""
    made = history(costs, *layers)
    if start is not None:
        first = {"epoch": 0, "signal": [SOUND | layer for layer in start]}
        made.signals.insert(0, first)
    return verdicts(made)


def test_dead_units_are_not_answered_with_a_higher_rate():
    """Small updates follow from dead units, since hardly anything can be learned."""
    (dead,) = found(SLOW, {"dead": 0.9, "update": 1e-6}, {"update": 1e-6})
    assert dead.name == "dead"
    assert dead.remedy == (
        "a smaller learning rate, another seed, he initialisation, leaky_relu, or batch_norm"
    )


def test_units_that_were_dead_from_the_start_need_another_seed():
    dead, sound = {"dead": 0.75}, {"dead": 0.1}
    (born_dead,) = found(FALLING, dead, {}, start=[dead, {}])
    assert born_dead.remedy == "another seed, he initialisation, leaky_relu, or batch_norm"
    (died,) = found(FALLING, dead, {}, start=[sound, {}])
    assert died.remedy.startswith("a smaller learning rate, another seed")
    (slow,) = found(SLOW, dead | {"update": 1e-6}, {"update": 1e-6}, start=[dead, {}])
    assert (slow.name, slow.remedy) == ("dead", born_dead.remedy)


def test_initial_weights_are_not_both_too_large_and_too_small():
    """Saturated values make the signal vanish: larger weights would saturate more of them."""
    saturated, vanishing = found(FALLING, {"dA": 1e-7, "saturated": 0.8}, {})
    assert saturated.remedy.startswith("smaller initial weights")
    assert vanishing.remedy == "relu in place of sigmoid, or batch_norm"
    exploding, vanishing = found(FALLING, {"dA": 2.0, "A": 1.0}, {"dA": 1e-3, "A": 1e-4})
    assert "smaller initial weights" in exploding.remedy
    assert "initial weights" not in vanishing.remedy
    (alone,) = found(FALLING, {"dA": 1e-7}, {})
    assert alone.remedy.startswith("larger initial weights")


def test_an_exploding_signal_is_not_answered_with_a_higher_rate():
    names = [one.name for one in found(SLOW, {"dA": 2.0, "update": 1e-6}, {"update": 1e-6})]
    assert names == ["exploding"]


# Words


def test_the_text_of_the_verdicts():
    (verdict,) = verdicts(history(FALLING, {"dA": 1e-7}, {}))
    assert str(verdict) == (
        "vanishing: dA[1] is 1e-04 of dA[2]. Try larger initial weights (he for relu, xavier for "
        "tanh), relu in place of sigmoid, or batch_norm."
    )
    (verdict,) = verdicts(history(FALLING, {}, {"dead": 0.75}))
    assert verdict == Verdict("dead", "75% of the units of layer 2 are 0 for every example", 2)
    (verdict,) = verdicts(history(*CASES["learning rate too low"][0]))
    assert (
        verdict.words
        == "the cost still falls, from 1 to 0.981 so far, with updates of 1e-05 of W per step"
    )
    (verdict,) = verdicts(history([1.0, 5.0, 0.9, 0.8, 0.7, 0.6]))
    assert verdict.words == "the cost jumped from 1 to 5"
