"""chainrule/strategy/remedies.py: the remedies of the notes, adapted to the settings of a run."""

from dataclasses import replace

import numpy as np

from chainrule.runs.recipe import Recipe
from chainrule.strategy.findings import BIAS, DEV_OVERFITTING, MISMATCH, VARIANCE, Finding
from chainrule.strategy.remedies import (
    RunSettings,
    best_is_late,
    compatible_steps,
    remedies,
    searched_by_ladder,
    still_learns,
    training_problems,
    with_consistent_remedies,
)
from chainrule.train.history import Epoch, History
from tests.strategy.hand_made import line, made


def history(*costs, best=None):
    epochs = [Epoch(i, cost, 1.0, 0.1) for i, cost in enumerate(costs, 1)]
    return History(epochs, best_epoch=best, stopped="epochs")


def test_an_unknown_run_gets_the_list_of_the_notes():
    assert remedies(BIAS) == (
        "a bigger network",
        "train longer",
        "a better optimiser: --optimizer adam",
        "another architecture or other hyperparameters: chainrule tune",
    )
    assert [remedy.split(":")[0] for remedy in remedies(VARIANCE)] == [
        "more training data",
        "L2",
        "dropout",
        "augmentation",
        "a smaller network",
        "another architecture or other hyperparameters",
    ]
    assert remedies(MISMATCH)[0].startswith("error analysis")
    assert remedies(DEV_OVERFITTING)[0] == "a bigger dev set"


def test_less_regularisation_is_the_first_remedy_for_bias():
    settings = RunSettings(
        hidden=(32, 16), l2=100.0, keep_prob=0.5, epochs=60, ended=True, adam=True
    )
    first, second, *_ = remedies(BIAS, settings)
    assert first == "less regularisation: --l2 10 --keep-prob 1"
    assert second == "a bigger network: --hidden 64,32"
    assert not any(
        "longer" in remedy or "optimiser" in remedy for remedy in remedies(BIAS, settings)
    )


def test_settings_searched_by_the_ladder_are_not_suggested():
    tried = frozenset(("l2", "hidden"))
    settings = RunSettings(
        (64,), l2=1.8, epochs=60, ended=False, adam=True, images=False, searched=tried
    )
    assert remedies(VARIANCE, settings) == (
        "more training data",
        "dropout: --keep-prob 0.8",
        "early stopping: --early-stopping",
        "another architecture or other hyperparameters: chainrule tune",
    )
    assert remedies(BIAS, settings) == (
        "train longer: --epochs 240",
        "more informative features: what people look at to find the answer",
        "another architecture or other hyperparameters: chainrule tune",
    )
    settings = replace(settings, searched=tried | {"keep_prob"}, keep_prob=0.7)
    assert not any("dropout" in remedy for remedy in remedies(VARIANCE, settings))
    assert not any("less" in remedy for remedy in remedies(BIAS, settings))


def test_settings_searched_by_the_ladder():
    run, _ = made(([[1.0]], [[0.0]]), train=line(*range(20), y=np.arange(20) % 2))
    assert searched_by_ladder(run) == frozenset()
    with_ladder = replace(run, facts={"ladder": [{"hidden": []}]})
    assert (
        searched_by_ladder(with_ladder) == RunSettings.of(with_ladder).searched == {"l2", "hidden"}
    )


def test_steps_do_not_counteract_each_other():
    settings = RunSettings((64,), l2=1.8, ended=True, adam=True, images=False)
    variance, bias = remedies(VARIANCE, settings), remedies(BIAS, settings)
    assert variance[1] == "L2: --l2 18"
    assert bias[0] == "less regularisation: --l2 0.18"
    steps = compatible_steps(compatible_steps((), variance, 2), bias, 1)
    assert steps == ("more training data", "L2: --l2 18", bias[-1])
    assert compatible_steps(compatible_steps((), bias, 2), variance, 1) == (
        *bias[:2],
        "more training data",
    )


def test_an_unfinished_training_is_continued_first():
    settings = RunSettings(hidden=(), epochs=3, unfinished=True, ended=False)
    first, second, *_ = remedies(BIAS, settings)
    assert first == "train longer: --epochs 12"
    assert second == "a bigger network: --hidden 64,32"


def test_regularisation_in_use_is_made_stronger():
    suggested = remedies(
        VARIANCE, RunSettings(hidden=(64, 4), l2=1.0, keep_prob=0.8, ended=True, images=False)
    )
    assert suggested[1:4] == (
        "L2: --l2 10",
        "dropout: --keep-prob 0.6",
        "a smaller network: --hidden 32",
    )
    assert not any("early" in remedy or "augment" in remedy for remedy in suggested)


def test_a_network_without_hidden_layers_is_not_made_smaller():
    suggested = remedies(VARIANCE, RunSettings(hidden=()))
    assert not any("dropout" in remedy or "smaller" in remedy for remedy in suggested)


def test_layers_from_another_run_keep_their_size():
    for retrain, more, fewer in (
        ("last", "train more layers: --retrain all", None),
        ("2", "train more layers: --retrain all", "--retrain last"),
        ("all", "a bigger network: without --from, or --from a bigger one", "--retrain last"),
    ):
        settings = RunSettings(hidden=(64, 32), retrain=retrain)
        assert more in remedies(BIAS, settings)
        suggested = " ".join(remedies(VARIANCE, settings))
        assert "--hidden" not in suggested + " ".join(remedies(BIAS, settings))
        assert ("--retrain" in suggested) == (fewer is not None)
        assert (fewer or "") in suggested


def test_whether_it_still_learns():
    falling, flat = [1 / i for i in range(1, 21)], [1.0] * 20
    assert still_learns(history(*falling))
    assert not still_learns(history(*flat))
    assert not still_learns(history(*falling, best=7))  # on dev it was better before
    assert still_learns(history(1.0, 1.0))
    assert best_is_late(history(*flat, best=20))


def test_bigger_and_smaller_convolutional_networks():
    variance, bias = (
        remedies(name, RunSettings(network="lenet", width=0.5)) for name in (VARIANCE, BIAS)
    )
    assert bias[0] == "a bigger network: --network convnet"
    assert "dropout: --keep-prob 0.8" in variance
    assert "augmentation: --augment auto" in variance
    assert "a smaller network: --width 0.25" in variance
    settings = RunSettings(network="resnet56", augments=True)
    assert remedies(BIAS, settings)[:2] == (
        "a bigger network: --width 2",
        "less augmentation: --augment none",
    )
    suggested = remedies(VARIANCE, settings)
    assert "a smaller network: --network resnet44" in suggested
    assert not [remedy for remedy in suggested if remedy.startswith(("dropout", "augmentation"))]


def test_settings_searched_by_the_image_rungs_are_not_suggested():
    run, _ = made(
        (np.ones((1, 1)), np.zeros((1, 1))), train=line(0, 1, 0, 1, y=["a", "b", "a", "b"])
    )
    run.facts["ladder"] = {"rungs": [0]}
    on_images = replace(run, recipe=Recipe("photos", network="lenet"))
    assert searched_by_ladder(on_images) == {"hidden", "augment"}
    settings = RunSettings(network="lenet", searched=searched_by_ladder(on_images))
    words = [remedy.split(":")[0] for remedy in remedies(VARIANCE, settings)]
    assert words[:3] == ["more training data", "L2", "dropout"]
    assert not {"augmentation", "a smaller network"} & set(words)


# Problems that exclude each other

SIGNAL = {"A": 1.0, "dA": 1e-3, "W": 5.0, "dW": 0.1, "update": 1e-6}
UNDERFITS = [Finding(BIAS, 0.4, 0.3, 0.5, "share", True, "")]


def problems(costs, start, end, **settings):
    """Return the training problems of a run with this signal at the start and at the end."""
    run, _ = made(([[1.0]], [[0.0]]), train=line(*range(20), y=np.arange(20) % 2))
    found = history(*costs)
    signals = ((0, start), (len(costs), end))
    found.signals = [{"epoch": n, "signal": [SIGNAL | layer for layer in s]} for n, s in signals]
    recipe = Recipe("made", hidden=(8,), **settings)
    return training_problems(replace(run, recipe=recipe, history=found), UNDERFITS)


def test_the_learning_rate_is_changed_in_one_direction():
    """The advice was --learning-rate 0.00067 and, one line below, 0.006."""
    slow = [1.0 - 0.001 * i for i in range(20)]
    (dead,) = problems(slow, [{}, {}], [{"dead": 0.9}, {}])
    assert dead.cures == (
        "a smaller learning rate, another seed, he initialisation, leaky_relu, or batch_norm: "
        "--learning-rate 0.00067 --batch-norm",
    )
    (low,) = problems(slow, [{}, {}], [{}, {}])
    assert low.cures == ("three times the learning rate, or more epochs: --learning-rate 0.006",)
    steep = [{"update": 0.5}, {}]
    names = [one.name for one in problems(slow, steep, [{"dead": 0.9}, {}])]
    assert names == ["learning rate too high", "dead"]


def test_no_rate_revives_units_that_were_dead_from_the_start():
    (dead,) = problems([1.0, 0.9, 0.8], [{"dead": 0.9}, {}], [{"dead": 0.9}, {}], seed=4)
    assert dead.cures == (
        "another seed, he initialisation, leaky_relu, or batch_norm: --seed 5 --batch-norm",
    )


def test_options_in_use_are_not_suggested_for_a_training_problem():
    ends = [{"dead": 0.9}, {}]
    (dead,) = problems([1.0, 0.9, 0.8], ends, ends, batch_norm=True)
    assert dead.cures[0].endswith("batch_norm: --seed 1")
    vanishing = [{"dA": 1e-7}, {"update": 1e-3}]
    (found,) = problems([1.0, 0.9, 0.8], vanishing, vanishing)
    assert found.cures[0].endswith(": --batch-norm")  # relu is in use
    (found,) = problems([1.0, 0.9, 0.8], vanishing, vanishing, activation="tanh")
    assert found.cures[0].endswith(": --activation relu --batch-norm")


def test_an_option_is_not_set_to_two_values():
    low, high = "lower: --learning-rate 0.001", "higher: --learning-rate 0.01"
    assert compatible_steps((low,), (high, "clip: --clip-norm 1"), 2) == (
        low,
        "clip: --clip-norm 1",
    )
    assert compatible_steps((low,), ("the same and more: --learning-rate 0.001 --l2 1",), 1)[1:]


def test_remedies_of_later_problems_agree_with_those_of_the_first():
    def finding(name, *steps, found=True):
        return Finding(name, 0.1, 0.1, 0.1, "share", found, "", steps)

    first = finding(VARIANCE, "more training data", "L2: --l2 18")
    second = finding(BIAS, "less regularisation: --l2 0.18", "another architecture")
    absent = finding(MISMATCH, "L2: --l2 3", found=False)
    kept = with_consistent_remedies([first, second, absent])
    assert [one.cures for one in kept] == [first.cures, ("another architecture",), absent.cures]
    opposite = finding(BIAS, "less regularisation: --l2 0.18")
    assert [one.cures for one in with_consistent_remedies([first, opposite])] == [first.cures, ()]
