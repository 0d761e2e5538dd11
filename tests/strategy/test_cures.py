"""What the notes advise, fitted to what a run does already."""

from dataclasses import replace

import numpy as np

from chainrule.strategy.cures import Does, agreeing, best_is_late, cures, searched, still_learns
from chainrule.strategy.findings import BIAS, DEV_OVERFITTING, MISMATCH, VARIANCE
from chainrule.train.history import Epoch, History
from chainrule.train.recipe import Recipe
from tests.strategy.hand_made import line, made


def history(*costs, best=None):
    epochs = [Epoch(i, cost, 1.0, 0.1) for i, cost in enumerate(costs, 1)]
    return History(epochs, best_epoch=best, stopped="epochs")


def test_of_numbers_that_were_typed_in_the_notes_list_is_said():
    assert cures(BIAS) == (
        "a bigger network",
        "train longer",
        "a better optimiser: --optimizer adam",
        "another architecture or other hyperparameters: chainrule tune",
    )
    assert [cure.split(":")[0] for cure in cures(VARIANCE)] == [
        "more training data",
        "L2",
        "dropout",
        "augmentation",
        "a smaller network",
        "another architecture or other hyperparameters",
    ]
    assert cures(MISMATCH)[0].startswith("error analysis")
    assert cures(DEV_OVERFITTING)[0] == "a bigger dev set"


def test_a_network_that_is_held_back_is_let_go_first():
    does = Does(hidden=(32, 16), l2=100.0, keep_prob=0.5, epochs=60, ended=True, adam=True)
    first, second, *_ = cures(BIAS, does)
    assert first == "less regularisation: --l2 10 --keep-prob 1"
    assert second == "a bigger network: --hidden 64,32"
    assert not any("longer" in cure or "optimiser" in cure for cure in cures(BIAS, does))


def test_what_the_ladder_tried_is_not_advised_again():
    tried = frozenset(("l2", "hidden"))
    does = Does((64,), l2=1.8, epochs=60, ended=False, adam=True, pictures=False, searched=tried)
    assert cures(VARIANCE, does) == (
        "more training data",
        "dropout: --keep-prob 0.8",
        "early stopping: --early-stopping",
        "another architecture or other hyperparameters: chainrule tune",
    )
    assert cures(BIAS, does) == (
        "train longer: --epochs 240",
        "features that tell more: what people look at to know the answer",
        "another architecture or other hyperparameters: chainrule tune",
    )
    does = replace(does, searched=tried | {"keep_prob"}, keep_prob=0.7)
    assert not any("dropout" in cure for cure in cures(VARIANCE, does))
    assert not any("less" in cure for cure in cures(BIAS, does))


def test_what_the_ladder_tried():
    run, _ = made(([[1.0]], [[0.0]]), train=line(*range(20), y=np.arange(20) % 2))
    assert searched(run) == frozenset()
    climbed = replace(run, facts={"ladder": [{"hidden": []}]})
    assert searched(climbed) == Does.of(climbed).searched == {"l2", "hidden"}


def test_what_one_step_does_no_other_undoes():
    does = Does((64,), l2=1.8, ended=True, adam=True, pictures=False)
    variance, bias = cures(VARIANCE, does), cures(BIAS, does)
    assert variance[1] == "L2: --l2 18"
    assert bias[0] == "less regularisation: --l2 0.18"
    steps = agreeing(agreeing((), variance, 2), bias, 1)
    assert steps == ("more training data", "L2: --l2 18", bias[-1])
    assert agreeing(agreeing((), bias, 2), variance, 1) == (*bias[:2], "more training data")


def test_a_training_that_was_not_done_is_gone_on_with_first():
    does = Does(hidden=(), epochs=3, unfinished=True, ended=False)
    first, second, *_ = cures(BIAS, does)
    assert first == "train longer: --epochs 12"
    assert second == "a bigger network: --hidden 64,32"


def test_what_is_done_already_is_made_stronger():
    said = cures(VARIANCE, Does(hidden=(64, 4), l2=1.0, keep_prob=0.8, ended=True, pictures=False))
    assert said[1:4] == (
        "L2: --l2 10",
        "dropout: --keep-prob 0.6",
        "a smaller network: --hidden 32",
    )
    assert not any("early" in cure or "augment" in cure for cure in said)


def test_a_line_is_not_made_smaller():
    said = cures(VARIANCE, Does(hidden=()))
    assert not any("dropout" in cure or "smaller" in cure for cure in said)


def test_layers_that_were_taken_over_keep_their_size():
    for retrain, more, fewer in (
        ("last", "more of the layers trained: --retrain all", None),
        ("2", "more of the layers trained: --retrain all", "--retrain last"),
        ("all", "a bigger network: without --from, or from a bigger one", "--retrain last"),
    ):
        does = Does(hidden=(64, 32), retrain=retrain)
        assert more in cures(BIAS, does)
        said = " ".join(cures(VARIANCE, does))
        assert "--hidden" not in said + " ".join(cures(BIAS, does))
        assert ("--retrain" in said) == (fewer is not None)
        assert (fewer or "") in said


def test_whether_it_still_learns():
    falling, flat = [1 / i for i in range(1, 21)], [1.0] * 20
    assert still_learns(history(*falling))
    assert not still_learns(history(*flat))
    assert not still_learns(history(*falling, best=7))  # on dev it was better before
    assert still_learns(history(1.0, 1.0))
    assert best_is_late(history(*flat, best=20))


def test_of_a_network_of_images_the_next_of_its_kind_or_another_width():
    variance, bias = (cures(name, Does(network="lenet", width=0.5)) for name in (VARIANCE, BIAS))
    assert bias[0] == "a bigger network: --network convnet"
    assert "dropout: --keep-prob 0.8" in variance
    assert "augmentation: --augment auto" in variance
    assert "a smaller network: --width 0.25" in variance
    does = Does(network="resnet56", augments=True)
    assert cures(BIAS, does)[:2] == (
        "a bigger network: --width 2",
        "less augmentation: --augment none",
    )
    said = cures(VARIANCE, does)
    assert "a smaller network: --network resnet44" in said
    assert not [cure for cure in said if cure.startswith(("dropout", "augmentation"))]


def test_what_the_rungs_for_pictures_tried_is_not_advised_again():
    run, _ = made(
        (np.ones((1, 1)), np.zeros((1, 1))), train=line(0, 1, 0, 1, y=["a", "b", "a", "b"])
    )
    run.facts["ladder"] = {"rungs": [0]}
    named = replace(run, recipe=Recipe("photos", network="lenet"))
    assert searched(named) == {"hidden", "augment"}
    does = Does(network="lenet", searched=searched(named))
    words = [cure.split(":")[0] for cure in cures(VARIANCE, does)]
    assert words[:3] == ["more training data", "L2", "dropout"]
    assert not {"augmentation", "a smaller network"} & set(words)
