"""chainrule/train/loader.py: streamed data trains to the same result bit for bit."""

import itertools
import threading

import jax
import numpy as np
import pytest

from chainrule.blocks.costs import logistic_cost
from chainrule.data.scaling import Normalizer
from chainrule.data.streaming import Streamed, scaled_rows
from chainrule.errors import DataError, NotFiniteError
from chainrule.host.randomness import key_from_seed
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.train.changes import Change
from chainrule.train.checkpoint import Checkpoints
from chainrule.train.epochs import Pixels, Rows, outputs_of
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.outputs import bytes_of_row, chunk_rows, network_outputs, prefetch_rows
from tests.data.test_streaming import store
from tests.train.problem import assert_same

pytestmark = pytest.mark.usefixtures("float32_world")
PIXELS = np.random.default_rng(0).integers(0, 256, (70, 4, 5), dtype=np.uint8)
Y = (PIXELS[:, :, :2].mean(axis=(1, 2), keepdims=False) > 127).astype(np.float32)[:, None]
WEIGHTS = (np.arange(70) % 19 % 4 + 1 - 4 * (np.arange(70) == 7)).astype(
    np.float32
)  # one weight is 0
NETWORK = DeepNetwork((20, 4, 1), keep_prob=0.8, batch_norm=True, key=key_from_seed(0))
OPTIMIZER = adam(0.02)


@pytest.fixture(autouse=True)
def short_calls_and_chunks(monkeypatch):
    """Use chunks of 2 steps and one call per step."""
    monkeypatch.setattr("chainrule.train.loader.CHUNK_BYTES", 2 * 16 * 20)
    monkeypatch.setattr("chainrule.train.fit.FIRST_STEPS", 1)
    monkeypatch.setattr("chainrule.train.fit.SECONDS_PER_CALL", 0.0)


def part(rows: slice, kind: str = "pixels", *, streamed: bool, weights: bool = True) -> Examples:
    """Return scaled images, in memory or in a file."""
    inputs = Normalizer.learn(kind, PIXELS)
    if streamed:
        X = scaled_rows(Streamed(store(PIXELS))[rows], inputs)
    else:
        X = inputs.apply(PIXELS[rows]).reshape(-1, 20)
    return Examples(X, Y[rows], WEIGHTS[rows] if weights else None)


def train(train: Examples, dev: Examples | None = None, **options):
    """Train 3 epochs of 4 steps with 13, 12, 12 and 12 examples."""
    options = {"epochs": 3, "batch_size": 16, "signals": True} | options
    return fit(NETWORK, OPTIMIZER, logistic_cost, train, dev, **options)


TRAIN, DEV = slice(0, 50), slice(50, 70)


@pytest.mark.parametrize("kind", ["pixels", "standard"])
def test_streaming_gives_the_same_result_as_memory_bit_for_bit(kind):
    one, other = (train(part(TRAIN, kind, streamed=streamed)) for streamed in (False, True))
    assert_same(one.network, other.network)
    assert one.history.costs == pytest.approx(other.history.costs, rel=1e-6)
    for a, b in zip(one.history.signals, other.history.signals, strict=True):
        assert a["epoch"] == b["epoch"]
        for layer, same in zip(a["signal"], b["signal"], strict=True):
            assert layer == pytest.approx(same, rel=1e-5)


@pytest.mark.parametrize("streamed", [(True, True), (True, False), (False, True)])
def test_streaming_with_a_dev_set_gives_the_same_result(streamed):
    one = train(part(TRAIN, streamed=False), part(DEV, streamed=False))
    other = train(*(part(rows, streamed=s) for rows, s in zip((TRAIN, DEV), streamed, strict=True)))
    assert_same(one.network, other.network)
    assert one.history.best_epoch == other.history.best_epoch
    for a, b in zip(one.history.epochs, other.history.epochs, strict=True):
        assert a.epoch == b.epoch
        expected = (b.cost, b.dev_cost, b.metric)
        assert (a.cost, a.dev_cost, a.metric) == pytest.approx(expected, rel=1e-6)


def test_patience_stops_at_the_same_epoch():
    ended = []
    for streamed in (False, True):
        parts = (part(rows, streamed=streamed) for rows in (TRAIN, DEV))
        history = train(*parts, epochs=60, patience=2).history
        ended.append((history.stopped, history.best_epoch, len(history.epochs)))
    assert ended[0] == ended[1]
    assert ended[0][0] == "patience"


def test_steps_that_use_the_whole_set():
    one, other = (
        train(part(TRAIN, streamed=streamed, weights=False), batch_size=50)
        for streamed in (False, True)
    )
    assert_same(one.network, other.network)


class Killed(BaseException):
    """An exception that nothing catches."""


@pytest.mark.parametrize("calls", [1, 3, 4, 7])
def test_continues_from_a_checkpoint_bit_for_bit(tmp_path, calls):
    def on_progress(history, share):
        if next(counted) == kill_at:
            raise Killed
        epoch = len(history.epochs)
        return Change(learning_rate=0.1) if epoch == 1 and not history.changes else None

    def run():
        parts = (part(rows, streamed=True) for rows in (TRAIN, DEV))
        return train(
            *parts, on_progress=on_progress, checkpoints=Checkpoints(tmp_path / "it", every=0)
        )

    counted, kill_at = itertools.count(), calls
    with pytest.raises(Killed):
        run()
    counted, kill_at = itertools.count(), None
    resumed = run()
    (tmp_path / "it").rename(tmp_path / "before")
    whole = run()
    assert_same(resumed.network, whole.network)
    assert resumed.history.costs == whole.history.costs
    assert [e.dev_cost for e in resumed.history.epochs] == [
        e.dev_cost for e in whole.history.epochs
    ]


def test_a_step_that_is_not_finite_is_found():
    words = []
    for streamed in (False, True):
        with pytest.raises(NotFiniteError) as error:
            fit(
                DeepNetwork((20, 4, 1), key=key_from_seed(0)),
                adam(1e25),
                logistic_cost,
                part(TRAIN, streamed=streamed),
                epochs=9,
                batch_size=16,
            )
        words.append(str(error.value))
    assert words[0] == words[1]


def test_a_read_error_in_the_middle_is_raised():
    broken = store(PIXELS)
    threads = threading.active_count()
    reads = itertools.count()

    def read(index):
        if next(reads) == 3:
            raise DataError("pets/cat/1.png", "a complete image", "a truncated file")
        return PIXELS[index]

    broken.read = read
    X = scaled_rows(Streamed(broken)[TRAIN], Normalizer.learn("pixels", PIXELS))
    with pytest.raises(DataError, match=r"pets/cat/1\.png: expected a complete image"):
        train(Examples(X, Y[TRAIN]), signals=False)
    assert threading.active_count() == threads


def test_rows_are_read_one_slice_ahead():
    parts = [slice(0, 3), slice(3, 4), slice(4, 9)]
    for X in (PIXELS, Streamed(store(PIXELS))):
        for rows, expected in zip(prefetch_rows(X, parts), parts, strict=True):
            np.testing.assert_array_equal(rows, PIXELS[expected])
        assert list(prefetch_rows(X, [])) == []


# Chunks of a dev set, and of a network's outputs


def test_bytes_divided_by_255_equal_numpy():
    x = np.arange(256, dtype=np.uint8)
    numbers = jax.jit(lambda pixels: pixels.numbers())(Pixels(x))
    np.testing.assert_array_equal(numbers, np.divide(x, 255, dtype=np.float32, casting="unsafe"))


def test_the_size_of_the_largest_activation():
    assert bytes_of_row(DeepNetwork((20, 4, 1), key=key_from_seed(0)), (20,)) == 4 * 20
    assert bytes_of_row(DeepNetwork((20, 300, 1), key=key_from_seed(0)), (20,)) == 4 * 300
    assert chunk_rows(NETWORK, (20,)) == 8192


def test_outputs_are_computed_in_chunks(monkeypatch):
    rows = part(slice(0, 70), streamed=False)
    at_once = network_outputs(NETWORK, rows.X)
    monkeypatch.setattr("chainrule.train.outputs.LARGEST", 16 * 80)
    assert chunk_rows(NETWORK, (20,)) == 16
    for streamed in (False, True):
        X = part(slice(0, 70), streamed=streamed).X
        np.testing.assert_allclose(network_outputs(NETWORK, X), at_once, rtol=1e-5, atol=1e-6)
    device = Rows(rows.X, rows.Y, rows.weights)
    monkeypatch.setattr("chainrule.train.epochs.AT_ONCE", 70 * 80 - 1)
    Z = jax.jit(lambda rows: outputs_of(NETWORK, rows))(device)
    np.testing.assert_allclose(Z.T, at_once, rtol=1e-5, atol=1e-6)
    pixels = device._replace(X=Pixels(PIXELS.reshape(70, -1)))
    Z = jax.jit(lambda rows: outputs_of(NETWORK, rows))(pixels)
    np.testing.assert_allclose(Z.T, at_once, rtol=1e-5, atol=1e-6)
