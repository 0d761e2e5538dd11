"""chainrule/train/loader.py: the identities of each step, and resuming a training."""

import itertools
from collections import Counter

import numpy as np
import pytest

from chainrule.data.streaming import Streamed, scaled_rows
from chainrule.errors import DataError, OptionError, RunError, ShapeError
from chainrule.host.randomness import key_from_seed
from chainrule.models.zoo import build
from chainrule.optim.adam import adam
from chainrule.train.checkpoint import Checkpoints
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.loader import ByIdentity, Order
from chainrule.vision.verification.training import TripletCost, nearest_is_same
from tests.train.faces import people
from tests.train.problem import assert_same

WHOSE = np.array([5, 9, 5, 9, 5, 7, 7, 9, 9, 7, 7, 9])  # 3 of 5, 5 of 9, 4 of 7


def test_every_step_has_the_given_people_and_photos():
    draw = ByIdentity(people=2, photos=2).of(WHOSE)
    assert (draw.batch_size, draw.rounds, draw.steps_per_epoch) == (4, 2, 4)
    for step in draw.epoch(seed=0, epoch=0):
        counts = Counter(WHOSE[step].tolist())
        assert sorted(counts.values()) == [2, 2]
        assert len(set(step.tolist())) == 4


def test_an_epoch_uses_every_photo_if_all_have_equally_many():
    draw = ByIdentity(people=4, photos=3).of(np.arange(4).repeat(6))
    assert sorted(draw.epoch(seed=0, epoch=0).ravel()) == list(range(24))


def test_a_person_with_many_photos_makes_no_epoch_longer():
    draw = ByIdentity(people=2, photos=4).of(np.repeat([0, 1, 2, 3], [200, 4, 4, 4]))
    assert draw.steps_per_epoch == 2 * 14  # 212 photos, 16 per round
    shown = np.concatenate([draw.epoch(seed=0, epoch=e).ravel() for e in range(60)])
    assert set(shown) == set(range(212))


def test_every_person_is_used_once_per_round():
    draw = ByIdentity(people=2, photos=2).of(np.arange(4).repeat(2))
    assert sorted(draw.epoch(seed=0, epoch=5).ravel()) == list(range(8))


def test_a_person_with_fewer_photos_leaves_padding():
    draw = ByIdentity(people=9, photos=4).of(WHOSE)
    assert draw.people == 3  # there are no more photos
    for step in draw.epoch(seed=0, epoch=0):
        step = step.reshape(3, 4)
        assert [(line == 12).sum() for line in step if WHOSE[line[0]] == 5] == [1]
        assert (step == 12).sum() == 1


def test_steps_depend_on_epoch_and_seed_alone():
    draw = ByIdentity(people=2, photos=2).of(WHOSE)
    first, repeated = (draw.epoch(seed=0, epoch=1) for _ in range(2))
    np.testing.assert_array_equal(first, repeated)
    assert not np.array_equal(first, draw.epoch(seed=0, epoch=2))
    assert not np.array_equal(first, draw.epoch(seed=1, epoch=1))


def test_people_are_combined_differently_each_round():
    draw = ByIdentity(people=2, photos=2).of(np.arange(6).repeat(2))
    steps = np.concatenate([draw.epoch(seed=0, epoch=e) for e in range(10)])
    met = {who for step in steps for who in step // 2 if 0 in step // 2}
    assert len(met) > 3


def test_its_words_identify_the_identities():
    draws = [ByIdentity(2, 2).of(np.array(some)) for some in ([0, 0, 1, 1], [0, 1, 0, 1])]
    first, second = (draw.words() for draw in draws)
    assert (first["people"], first["photos"]) == (2, 2)
    assert first["identities"] != second["identities"]


def test_steps_can_be_requested_in_any_pieces():
    draw = ByIdentity(people=2, photos=2).of(WHOSE)
    whole = np.concatenate([draw.epoch(seed=3, epoch=epoch) for epoch in range(3)])
    order = Order(12, 4, 3, draw=draw)
    assert not Order(12, 12, 3, draw=draw).whole
    for first, n in ((0, 1), (0, 12), (5, 6)):
        np.testing.assert_array_equal(order.table(first, n)[:n], whole[first : first + n])


X, FACES = people(6, 5)


def train(X=X, dev=True, **options):
    """Train 3 epochs of 4 steps."""
    how = {"augment": "crop=1", "width": 1 / 16, "keep_prob": 0.8}
    network = build("embedding", (6, 6, 1), 4, key=key_from_seed(0), options=how)
    Y = FACES.reshape(-1, 1)
    known, strangers = slice(0, 20), slice(20, 30)
    options = {"epochs": 3, "order": ByIdentity(2, 3), "metric": nearest_is_same} | options
    dev = Examples(X[strangers], Y[strangers]) if dev else None
    return fit(network, adam(0.01), TripletCost(), Examples(X[known], Y[known]), dev, **options)


@pytest.fixture
def _a_step_at_a_time(monkeypatch):
    monkeypatch.setattr("chainrule.train.fit.FIRST_STEPS", 1)
    monkeypatch.setattr("chainrule.train.fit.SECONDS_PER_CALL", 0.0)


class Killed(BaseException):
    """An exception that nothing catches."""


@pytest.mark.usefixtures("float32_world", "_a_step_at_a_time")
@pytest.mark.parametrize("calls", [2, 5, 9])
def test_continues_from_a_checkpoint_bit_for_bit(tmp_path, calls):
    def on_progress(history, share):
        if next(counted) == calls:
            raise Killed

    def run(**how):
        return train(checkpoints=Checkpoints(tmp_path, every=0), **how)

    whole, counted = train(), itertools.count()
    with pytest.raises(Killed):
        run(on_progress=on_progress)
    repeated = run()
    assert_same(repeated.network, whole.network)
    assert repeated.history.costs == whole.history.costs
    with pytest.raises(RunError) as error:
        run(order=ByIdentity(3, 2))
    assert "a checkpoint of a training run with people = 3; got people = 2" in str(error.value)


@pytest.mark.usefixtures("float32_world", "_a_step_at_a_time")
def test_streamed_images_give_the_same_result_bit_for_bit(monkeypatch, tmp_path):
    from chainrule.data.scaling import Normalizer
    from tests.data.test_streaming import store

    monkeypatch.setattr("chainrule.train.loader.CHUNK_BYTES", 2 * 6 * 36)
    pixels = np.random.default_rng(0).integers(0, 256, (30, 6, 6), dtype=np.uint8)
    inputs = Normalizer.learn("pixels", pixels)
    streamed = scaled_rows(Streamed(store(pixels)), inputs)
    memory = inputs.apply(pixels).reshape(-1, 36)
    one, other = (train(X=some, dev=False) for some in (memory, streamed))
    assert_same(one.network, other.network)


@pytest.mark.parametrize(
    ("whose", "words"),
    [
        (
            [0, 0, 1],
            "the identities: expected at least two images of each; got a single image of 1.",
        ),
        ([0, 0, 0], "the identities: expected at least two; got 1."),
        ([0.5, 0.5, 1, 1], "the identities: expected whole numbers, one for each identity; got"),
    ],
)
def test_the_errors_about_identities(whose, words):
    with pytest.raises(DataError) as error:
        ByIdentity().of(np.array(whose))
    assert str(error.value).startswith(words)


@pytest.mark.parametrize("settings", [{"people": 1}, {"photos": 1}, {"photos": 2.5}])
def test_the_errors_about_settings(settings):
    [(name, value)] = settings.items()
    with pytest.raises(OptionError) as error:
        ByIdentity(**settings)
    assert str(error.value).startswith(
        f"ByIdentity({name}=…): expected a whole number of at least 2; got {value}."
    )


def test_the_errors_about_one_hot_rows_and_a_missing_order():
    network = build("embedding", (6, 6, 1), 4, key=key_from_seed(0), options={"width": 1 / 16})
    one_hot = Examples(X, np.eye(6)[FACES])
    with pytest.raises(ShapeError) as error:
        fit(network, adam(0.01), TripletCost(), one_hot, epochs=1, order=ByIdentity())
    assert "expected (30, 1), the identity of each image; got (30, 6)" in str(error.value)
    with pytest.raises(ShapeError) as error:
        fit(network, adam(0.01), TripletCost(), Examples(X, FACES[:, None]), epochs=1)
    assert "expected (30, 4)" in str(error.value)
