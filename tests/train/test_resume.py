"""Training resumed from a checkpoint equals training that was never interrupted."""

import itertools
from dataclasses import asdict

import jax
import numpy as np
import pytest

from chainrule.blocks.costs import logistic_cost
from chainrule.errors import NotFiniteError, RunError
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.optim.schedules import exponential_decay
from chainrule.optim.transforms import clip_by_norm
from chainrule.train import checkpoint
from chainrule.train.changes import Change
from chainrule.train.checkpoint import Checkpoints
from chainrule.train.fit import fit
from chainrule.train.step import make_penalty
from tests.compilations import compilations
from tests.train.problem import DEV, TRAIN, assert_same, examples, train

OPTIMIZER = clip_by_norm(adam(exponential_decay(0.05, 0.9, steps_per_epoch=3)), 1.0)
CHANGE = Change(learning_rate=0.02, l2=3.0)


@pytest.fixture(autouse=True)
def a_step_at_a_time(monkeypatch):
    """Write a checkpoint after each step."""
    monkeypatch.setattr("chainrule.train.fit.FIRST_STEPS", 1)
    monkeypatch.setattr("chainrule.train.fit.SECONDS_PER_CALL", 0.0)


class Killed(BaseException):
    """An exception that nothing catches."""


def train_all(checkpoints=None, *, change_at=None, kill_at=None, patience=None):
    """A training with every option, 4 epochs of 3 steps, killed after a number of calls."""
    network = DeepNetwork(
        (4, 3, 1), keep_prob=0.8, batch_norm=True, key=jax.random.key(1), dtype=float
    )
    calls = itertools.count()

    def on_progress(history, share):
        if next(calls) == kill_at:
            raise Killed
        epoch = len(history.epochs)
        return CHANGE if epoch == change_at and not history.changes else None

    return fit(
        network,
        OPTIMIZER,
        logistic_cost,
        TRAIN,
        DEV,
        epochs=4,
        batch_size=8,
        patience=patience,
        penalty=make_penalty(1.0, 0.0, 20),
        on_progress=on_progress,
        checkpoints=checkpoints,
        signals=True,
    )


def content_of(history) -> tuple:
    """Return the content of a history without the seconds."""
    epochs = [asdict(epoch) | {"seconds": 0} for epoch in history.epochs]
    return epochs, history.best_epoch, history.stopped, history.changes, history.signals


@pytest.mark.parametrize("change_at", [None, 1, 3], ids=lambda epoch: f"change {epoch}")
def test_a_training_killed_after_any_call_is_resumed(tmp_path, change_at):
    unbroken = train_all(change_at=change_at)
    for kill_at in range(1, 13, 1 if change_at is None else 3):
        checkpoints = Checkpoints(tmp_path / str(kill_at), every=0)
        with pytest.raises(Killed):
            train_all(checkpoints, change_at=change_at, kill_at=kill_at)
        resumed = train_all(checkpoints, change_at=change_at)
        assert_same((resumed.network, resumed.state), (unbroken.network, unbroken.state))
        assert content_of(resumed.history) == content_of(unbroken.history)


def test_a_training_killed_repeatedly_is_resumed(tmp_path):
    checkpoints = Checkpoints(tmp_path, every=0)
    for _ in range(11):
        with pytest.raises(Killed):
            train_all(checkpoints, kill_at=1)
    assert_same(train_all(checkpoints).network, train_all().network)


def test_seconds_continue_after_resuming(tmp_path):
    checkpoints = Checkpoints(tmp_path, every=0)
    with pytest.raises(Killed):
        train_all(checkpoints, kill_at=7)
    seconds = [epoch.seconds for epoch in train_all(checkpoints).history.epochs]
    assert seconds == sorted(seconds)


def test_a_training_ended_by_patience_stays_ended(tmp_path):
    checkpoints = Checkpoints(tmp_path, every=0)
    ended = train(rate=0.0, epochs=9, patience=2, checkpoints=checkpoints)
    assert ended.history.stopped == "patience"
    resumed = train(rate=0.0, epochs=9, patience=2, checkpoints=checkpoints)
    assert content_of(resumed.history) == content_of(ended.history)


def test_a_training_ended_by_ctrl_c_continues(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, every=1e9)
    with monkeypatch.context() as patch:
        patch.setattr("chainrule.train.fit.interruptible", interrupted_at_once)
        assert train(checkpoints=checkpoints).history.stopped == "interrupted"
    resumed = train(checkpoints=checkpoints)
    assert resumed.history.stopped == "epochs"
    assert_same(resumed.network, train().network)


def test_a_step_that_is_not_finite_is_explained_from_the_checkpoint(tmp_path):
    """Step 6 explodes; the training is killed after step 5, so that step 6 comes first."""

    def kill(history, share):
        if share > 0.17:
            raise Killed

    checkpoints = Checkpoints(tmp_path, every=0)
    with pytest.raises(Killed):
        train(rate=1e308, epochs=9, batch_size=8, checkpoints=checkpoints, on_progress=kill)
    said = []
    for folder in (checkpoints, None):
        with pytest.raises(NotFiniteError) as error:
            train(rate=1e308, epochs=9, batch_size=8, checkpoints=folder)
        said.append(str(error.value))
    assert said[0] == said[1]
    assert said[0].startswith("training step 6, Z[2] of layer 2")


class interrupted_at_once:
    """Press Ctrl-C in the first call."""

    def __enter__(self):
        return lambda: True

    def __exit__(self, *_):
        pass


def test_resuming_compiles_nothing(tmp_path):
    train_all()
    with compilations() as compiled:
        checkpoints = Checkpoints(tmp_path, every=0)
        with pytest.raises(Killed):
            train_all(checkpoints, kill_at=5)
        train_all(checkpoints)
    assert compiled == []


def test_checkpoints_change_no_bit(tmp_path):
    one, other = train_all(), train_all(Checkpoints(tmp_path, every=0))
    assert_same(one.network, other.network)
    assert not np.array_equal(one.history.costs, train().history.costs)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 4}, "a training run with batch_size = 4; got batch_size = 8"),
        ({"seed": 1}, "a training run with seed = 1; got seed = 0"),
        ({"train": examples(21, seed=0)}, "a training run with examples = 21; got examples = 20"),
        (
            {"epochs": 1},
            "from epoch 1 or earlier; got a checkpoint from epoch 2.\nTry epochs=2 or more",
        ),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path, options, words):
    """Its steps would use other examples; with fewer epochs it would never end."""
    train(epochs=2, batch_size=8, checkpoints=Checkpoints(tmp_path, every=0))
    with pytest.raises(RunError) as caught:
        train(**{"epochs": 2, "batch_size": 8, "checkpoints": Checkpoints(tmp_path)} | options)
    assert words in str(caught.value)


OTHERS = {
    "another learning rate": {"rate": 0.25},
    "other data": {"train": examples(20, seed=3)},
    "another λ": {"penalty": make_penalty(2.0, 0.0, 20)},
}


@pytest.mark.parametrize("options", OTHERS.values(), ids=OTHERS.keys())
def test_a_checkpoint_of_a_training_with_other_settings_is_refused(tmp_path, options):
    train(epochs=2, penalty=make_penalty(1.0, 0.0, 20), checkpoints=Checkpoints(tmp_path, every=0))
    with pytest.raises(RunError) as caught:
        train(
            **{"epochs": 3, "penalty": make_penalty(1.0, 0.0, 20), "checkpoints": tmp_path}
            | options
        )
    assert str(caught.value) == (
        f"{tmp_path}: expected a checkpoint of this training run; got one of another training "
        "run.\n"
        "Try the data and the settings with which the training began, or a new folder."
    )


def test_a_checkpoint_after_a_change_continues(tmp_path):
    """The change is in the checkpoint; the settings are those with which the training began."""
    changes = [Change(learning_rate=0.125)]
    train(
        epochs=2,
        checkpoints=Checkpoints(tmp_path, every=0),
        on_progress=lambda *_: changes.pop() if changes else None,
    )
    fitted = train(epochs=3, checkpoints=Checkpoints(tmp_path, every=0))
    assert fitted.history.changes == [{"epoch": 1, "change": {"learning_rate": 0.125}}]
    assert float(fitted.state.learning_rate) == 0.125


def test_a_checkpoint_of_an_earlier_version_continues(tmp_path, monkeypatch):
    change_words(monkeypatch, lambda words: words.pop("training"))
    train(epochs=2, checkpoints=Checkpoints(tmp_path, every=0))
    assert len(train(epochs=3, rate=0.25, checkpoints=tmp_path).history.epochs) == 3


def test_a_checkpoint_of_a_training_with_another_recipe_is_refused(tmp_path):
    train(epochs=2, checkpoints=Checkpoints(tmp_path, 0, recipe="one"))
    with pytest.raises(RunError, match="got one of another training run"):
        train(epochs=3, checkpoints=Checkpoints(tmp_path, 0, recipe="other"))


WORDS = {
    "no order": ("order", None),
    "a best epoch": ("best_epoch", 9),
    "lines": ("lines", [5]),
    "the time": ("seconds", "long"),
    "a reason": ("stopped", "tired"),
}


@pytest.mark.parametrize(("name", "value"), WORDS.values(), ids=WORDS.keys())
def test_a_checkpoint_with_the_right_checksum_and_another_content(
    tmp_path, monkeypatch, name, value
):
    change_words(
        monkeypatch,
        lambda words: words.pop(name) if value is None else words.update({name: value}),
    )
    train(epochs=2, checkpoints=Checkpoints(tmp_path, every=0))
    with pytest.raises(RunError, match=f"^{tmp_path}"):
        train(epochs=3, checkpoints=tmp_path)


def change_words(monkeypatch, change):
    """Change what is stored in each checkpoint beside the arrays."""
    whole = checkpoint.to_bytes

    def changed(tree, words):
        words = dict(words)
        change(words)
        return whole(tree, words)

    monkeypatch.setattr(checkpoint, "to_bytes", changed)
