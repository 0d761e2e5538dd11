"""chainrule/strategy/remedies.py: the remedies of the notes, adapted to the settings of a run."""

from dataclasses import replace

import numpy as np

from chainrule.runs.recipe import Recipe
from chainrule.strategy.findings import BIAS, DEV_OVERFITTING, MISMATCH, VARIANCE
from chainrule.strategy.remedies import (
    RunSettings,
    best_is_late,
    compatible_steps,
    remedies,
    searched_by_ladder,
    still_learns,
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
