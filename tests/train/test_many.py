"""chainrule/train/many.py"""

import os
import signal

import jax
import numpy as np
import optax
import pytest

from chainrule.blocks.costs import logistic_cost, squared_cost
from chainrule.data.batches import epoch_order
from chainrule.errors import ChainruleError, DataError, NotFiniteError, OptionError
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.optim.schedules import inverse_time_decay
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.many import Candidate, fit_many
from chainrule.train.penalty import Penalty
from chainrule.train.stack import stack
from tests.compilations import compilations
from tests.train.problem import DEV, TRAIN, assert_same, network, notes_cost, notes_step, weights
from tests.train.test_fit import contrary

X, Y = TRAIN.X.T, TRAIN.Y.T
RATES = (0.1, 0.5, 2.0)


def descents(rates=RATES) -> list[Candidate]:
    return [Candidate(network(), gradient_descent(rate)) for rate in rates]


def train(candidates=None, *, cost=logistic_cost, train=TRAIN, dev=DEV, epochs=6, **options):
    candidates = descents() if candidates is None else candidates
    return fit_many(candidates, cost, train, dev, epochs=epochs, **options)


def alone(candidate: Candidate, *, cost=logistic_cost, dev=DEV, epochs=6, **options):
    start, optimizer, penalty, seed = candidate
    options = {"penalty": penalty, "seed": seed} | options
    return fit(start, optimizer, cost, TRAIN, dev, epochs=epochs, **options)


def assert_close(one, other) -> None:
    """The same arrays up to rounding."""
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def assert_as(one, other) -> None:
    """The same network and the same history, up to rounding."""
    assert_close(one.network, other.network)
    lines = [[list(line.values()) for line in each.history.lines()] for each in (one, other)]
    for a, b in zip(*lines, strict=True):
        np.testing.assert_allclose(np.delete(a, 3), np.delete(b, 3), rtol=1e-9)  # but the seconds
    ends = [(each.history.stopped, each.history.best_epoch) for each in (one, other)]
    assert ends[0] == ends[1]


# By hand: every candidate takes the notes' steps


def test_each_candidate_descends_with_its_own_rate():
    for rate, done in zip(RATES, train(epochs=3, batch_size=8, seed=7), strict=True):
        theta = weights(network())
        for epoch in done.history.epochs:
            J = []
            for rows in epoch_order(20, 8, seed=7, epoch=epoch.epoch - 1):
                rows = rows[rows < 20]
                J.append(notes_cost(theta, X[:, rows], Y[:, rows]) * len(rows))
                theta = notes_step(theta, X[:, rows], Y[:, rows], rate)
            assert epoch.cost == pytest.approx(sum(J) / 20, rel=1e-10)
            assert epoch.dev_cost == pytest.approx(notes_cost(theta, DEV.X.T, DEV.Y.T), rel=1e-10)
        assert [e.epoch for e in done.history.epochs] == [1, 2, 3]


# Properties: as the same candidate trained alone by `fit`

USUAL = {"rate": 0.05, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8, "decay": 0.5, "l2": 0.3}
USUAL |= {"l1": 0.1, "keep_prob": 0.8, "start": 1, "seed": 0}
OTHERS = {"rate": 0.2, "beta1": 0.5, "beta2": 0.8, "epsilon": 1e-2, "decay": 4.0, "l2": 3.0}
OTHERS |= {"l1": 2.0, "keep_prob": 0.5, "start": 2, "seed": 3}


def candidate(**other) -> Candidate:
    """A network with all that can differ: batch norm, dropout, a penalty, a schedule."""
    h = USUAL | other
    start = DeepNetwork(
        (4, 3, 1),
        activation="tanh",
        keep_prob=(h["keep_prob"],),
        batch_norm=True,
        key=jax.random.key(h["start"]),
        dtype=float,
    )
    rate = inverse_time_decay(h["rate"], h["decay"], steps_per_epoch=3)
    optimizer = adam(rate, h["beta1"], h["beta2"], h["epsilon"])
    return Candidate(start, optimizer, Penalty(h["l2"], h["l1"], 20), h["seed"])


@pytest.fixture(scope="module")
def together():
    """Candidates that each differ from the usual one in one thing, trained at once."""
    different = {name: candidate(**{name: value}) for name, value in OTHERS.items()}
    candidates = {"nothing": candidate(), **different}
    done = train(list(candidates.values()), batch_size=8)
    return {name: (candidates[name], one) for name, one in zip(candidates, done, strict=True)}


@pytest.mark.parametrize("name", [name for name in OTHERS if name != "seed"])
def test_as_alone_whatever_differs(together, name):
    one, done = together[name]
    assert_as(done, alone(one, batch_size=8))
    usual = together["nothing"][1].history.costs
    assert abs(np.subtract(done.history.costs, usual)).max() > 1e-6


def test_the_seed_of_a_candidate_is_that_of_its_masks_and_the_order_is_common(together):
    one, done = together["seed"]
    assert done.history.costs != together["nothing"][1].history.costs
    assert done.history.costs != alone(one, batch_size=8).history.costs  # another order there
    own_order = train([one], batch_size=8, seed=one.seed)[0]
    assert_as(own_order, alone(one, batch_size=8))


def test_nothing_is_compiled_twice(together):
    train([candidate(), candidate()], batch_size=8)
    with compilations() as compiled:
        train([candidate(**OTHERS), candidate(rate=0.7)], batch_size=8, seed=4, patience=3)
        train(list(one for one, _ in together.values()), batch_size=8, epochs=9)
    assert compiled == []


def test_float32_stays_so_in_every_thread(float32_world):
    candidates = [
        Candidate(DeepNetwork((4, 3, 1), key=jax.random.key(i)), adam(0.01)) for i in range(4)
    ]
    done = train(candidates)
    with compilations() as compiled:
        train(candidates)
    assert compiled == []
    for one in done:
        assert all(w.dtype == np.float32 for w in jax.tree.leaves(one.network))


def test_takes_an_optimiser_of_optax():
    noisy = optax.chain(optax.add_noise(0.1, 0.5, key=5), optax.sgd(0.2))
    with jax.numpy_dtype_promotion("standard"):  # which optax counts on
        done = train([Candidate(network(), noisy)] * 2)
        assert_as(done[1], alone(Candidate(network(), noisy)))


@pytest.mark.parametrize("patience", [1, 2, 4])
def test_each_has_its_own_patience(patience):
    options = {"dev": contrary(), "batch_size": 8, "epochs": 60, "patience": patience}
    done = train(**options)
    for one, candidate in zip(done, descents(), strict=True):
        assert_as(one, alone(candidate, **options))
    assert len({len(one.history.epochs) for one in done}) > 1


def test_patience_that_runs_out_with_the_last_epoch():
    still = descents((0.0,))  # never better than after its first epoch
    done = train(still, epochs=3, patience=2)[0]
    assert done.history.stopped == "epochs"
    assert_as(done, alone(still[0], epochs=3, patience=2))


def test_what_happens_after_patience_has_run_out_counts_no_more(monkeypatch):
    monkeypatch.setattr("chainrule.train.many_crew.lanes", lambda: 1)
    monkeypatch.setattr("chainrule.train.many_group.FIRST_STEPS", 10**6)  # all in one call
    options = {"cost": squared_cost, "epochs": 600, "patience": 3}
    growing, fine = descents((5.0, 0.01))
    assert train([growing], cost=squared_cost, epochs=600)[0].bad_step
    assert_as(train([growing, fine], **options)[0], alone(growing, **options))


def test_patience_of_more_than_all_epochs():
    done = train(epochs=3, patience=10**12)
    assert [one.history.stopped for one in done] == ["epochs"] * 3


def test_who_is_not_finite_is_dropped_and_the_others_go_on():
    candidates = descents((0.01, 1e200, 0.02))
    options = {"cost": squared_cost, "batch_size": 8}
    fine, bad, also_fine = train(candidates, **options)
    assert_as(fine, alone(candidates[0], **options))
    assert_as(also_fine, alone(candidates[2], **options))
    with pytest.raises(NotFiniteError, match=f"training step {bad.bad_step}, "):
        alone(candidates[1], **options)
    assert (bad.history.stopped, bad.history.epochs) == ("not finite", [])
    assert_same(bad.network, network())
    assert fine.bad_step is None


def test_parameters_that_are_not_finite_are_seen_at_the_end_of_the_epoch():
    large = Examples(TRAIN.X, 1000 * TRAIN.Y)  # the cost is finite, the update is not
    steep, shallow = descents((1e307, 1e-6))
    bad, fine = train([steep, shallow], train=large, cost=squared_cost)
    with pytest.raises(NotFiniteError, match="training step 1, the updated"):
        fit(steep.network, steep.optimizer, squared_cost, large, DEV, epochs=6)
    assert (bad.bad_step, fine.bad_step) == (1, None)


def test_at_each_rung_the_worse_half_ends():
    candidates = descents((0.01, 0.5, 0.02, 2.0, 0.1))
    whole = train(candidates, batch_size=8)
    done = train(candidates, batch_size=8, halve_at=(2, 4))
    assert [len(one.history.epochs) for one in done] == [2, 6, 2, 6, 4]
    ended = [one.history.stopped for one in done]
    assert ended == ["halved", "epochs", "halved", "epochs", "halved"]
    for i in (1, 3):
        assert_as(done[i], whole[i])
    for i, epochs in ((0, 2), (4, 4)):
        assert_close(done[i].network, alone(candidates[i], batch_size=8, epochs=epochs).network)


WAYS = {
    "a model at a time": {"many_room.CACHE": 1},
    "on one core": {"many_crew.lanes": lambda: 1},
    "on three": {"many_crew.lanes": lambda: 3},
    "closing ranks": {"many_room.COMPILATION": 0.0, "many_crew.lanes": lambda: 1},
    "a step at a time": {"many_group.FIRST_STEPS": 1, "many_group.SECONDS_PER_CALL": 0.0},
}


@pytest.mark.parametrize("ways", WAYS.values(), ids=WAYS.keys())
def test_how_they_are_grouped_changes_nothing(monkeypatch, ways):
    options = {"dev": contrary(), "batch_size": 8, "epochs": 30, "patience": 3, "halve_at": (4,)}
    candidates = descents((0.1, 0.5, 2.0, 0.3, 1.0, 3.0))
    usual = train(candidates, **options)
    for name, value in ways.items():
        monkeypatch.setattr(f"chainrule.train.{name}", value)
    for one, other in zip(train(candidates, **options), usual, strict=True):
        assert_as(one, other)


def test_the_same_seed_gives_the_same_bits():
    one, again = (train(batch_size=8, seed=5) for _ in range(2))
    for a, b in zip(one, again, strict=True):
        assert_same(a.network, b.network)
        assert a.history.costs == b.history.costs


def test_the_clock_changes_no_bit(monkeypatch):
    monkeypatch.setattr("chainrule.train.many_room.COMPILATION", 0.0)  # so that ranks are closed
    monkeypatch.setattr("chainrule.train.many_crew.lanes", lambda: 1)
    options = {"dev": contrary(), "batch_size": 8, "epochs": 30, "patience": 3}
    candidates = descents((0.1, 0.5, 2.0, 0.3, 1.0, 3.0))
    sizes = []

    def counted(trees):
        sizes.append(len(trees))
        return stack(trees)

    monkeypatch.setattr("chainrule.train.many_group.stack", counted)
    usual = train(candidates, **options)
    assert sizes[-1] < sizes[0]
    monkeypatch.setattr("chainrule.train.many_group.FIRST_STEPS", 1)
    monkeypatch.setattr("chainrule.train.many_group.SECONDS_PER_CALL", 0.0)
    for one, other in zip(train(candidates, **options), usual, strict=True):
        assert_same(one.network, other.network)
        assert one.history.costs == other.history.costs


def test_the_networks_that_come_in_stay_as_they_were():
    candidates = descents()
    before = [[array.copy() for array in weights(one.network)] for one in candidates]
    train(candidates)
    for arrays, one in zip(before, candidates, strict=True):
        for array, now in zip(arrays, weights(one.network), strict=True):
            np.testing.assert_array_equal(now, array)


def test_one_without_a_penalty_beside_one_with():
    given = [None, Penalty(2.0, None, 20), Penalty(0.0, 3.0, 20)]
    meant = [Penalty(0.0, 0.0, 1), Penalty(2.0, 0.0, 20), Penalty(0.0, 3.0, 20)]
    plain = Candidate(network(), gradient_descent(0.5))
    done = train([plain._replace(penalty=penalty) for penalty in given])
    for one, penalty in zip(done, meant, strict=True):
        assert_as(one, alone(plain._replace(penalty=penalty)))


def test_whoever_watches_is_told_how_much_is_done():
    seen = []
    train(halve_at=(2,), watch=lambda histories, done: seen.append((len(histories), done)))
    assert seen[-1] == (3, 1.0)
    assert all(count == 3 and 0 <= done <= 1 for count, done in seen)


def slow(monkeypatch):
    monkeypatch.setattr("chainrule.train.many_group.SECONDS_PER_CALL", 0.0)
    monkeypatch.setattr("chainrule.train.many_crew.SECONDS_PER_CALL", 0.01)


def test_ctrl_c_keeps_the_best_so_far(monkeypatch):
    slow(monkeypatch)
    handler, asked = signal.getsignal(signal.SIGINT), []

    def ask(histories, done):
        if not asked and min(len(history.epochs) for history in histories) >= 2:
            asked.append(os.kill(os.getpid(), signal.SIGINT))

    for one, start in zip(train(epochs=10**5, watch=ask), descents(), strict=True):
        finished = len(one.history.epochs)
        assert one.history.stopped == "interrupted"
        assert 2 <= finished < 10**5
        best = alone(start, epochs=one.history.best_epoch)
        assert_close(one.network, best.network)
    assert signal.getsignal(signal.SIGINT) is handler


def test_ctrl_c_in_the_first_epoch_keeps_what_was_learned(monkeypatch):
    class SetAfterAStep:
        asked = 0

        def is_set(self):
            self.asked += 1
            return self.asked > 2  # by the crew, before the first step, and after it

    monkeypatch.setattr("chainrule.train.many_crew.Event", SetAfterAStep)
    monkeypatch.setattr("chainrule.train.many_group.FIRST_STEPS", 1)
    done = train(descents((0.5,)), batch_size=8)[0]
    assert (done.history.stopped, done.history.best_epoch) == ("interrupted", None)
    rows = epoch_order(20, 8, seed=0, epoch=0)[0]
    rows = rows[rows < 20]
    theta = notes_step(weights(network()), X[:, rows], Y[:, rows], 0.5)
    for a, b in zip(weights(done.network), theta, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


def test_an_error_of_who_watches_ends_the_training(monkeypatch):
    slow(monkeypatch)

    def watch(histories, done):
        raise ArithmeticError("enough")

    with pytest.raises(ArithmeticError, match="enough"):
        train(epochs=10**6, watch=watch)


# Words

other_size = Candidate(DeepNetwork((4, 2, 1), key=jax.random.key(0), dtype=float), adam())
decaying = Candidate(network(), gradient_descent(inverse_time_decay(0.1, 1.0)))
WRONG = {
    "nobody": ([], {}, "fit_many: expected at least one candidate; got none."),
    "another network": (
        [Candidate(network(), adam()), other_size],
        {},
        "candidate 1, its network: expected the first one's kind, DeepNetwork(4-3-1); got another "
        "one.\nTry fit_many for each kind on its own.",
    ),
    "another optimiser": (
        [*descents((0.1,)), Candidate(network(), adam())],
        {},
        "candidate 1: expected the first one's update rule; got another.\nTry optimisers of "
        "chainrule.optim, whose numbers are data; fit_many for each kind on its own.",
    ),
    "another schedule": (
        [*descents((0.1,)), decaying],
        {},
        "candidate 1, its optimiser: expected the same schedule as the first one's, if any; got "
        "another one.\nTry fit_many for each kind on its own.",
    ),
    "epochs": (
        None,
        {"epochs": 0},
        "fit_many(epochs=…): expected a whole number, 1 or more; got 0",
    ),
    "no batch": (None, {"batch_size": True}, "fit_many(batch_size=…): expected a whole number, 1"),
    "a rung": (None, {"halve_at": (0.5,)}, "fit_many(halve_at=…): expected a whole number, 1 or"),
    "rungs": (
        None,
        {"halve_at": (3, 2)},
        "fit_many(halve_at=…): expected epochs that rise, all below 6; got [3, 2].\nTry "
        "halving_epochs(epochs, len(candidates)).",
    ),
    "a late rung": (None, {"halve_at": (6,)}, "expected epochs that rise, all below 6; got [6]"),
}


@pytest.mark.parametrize(("candidates", "options", "words"), WRONG.values(), ids=WRONG.keys())
def test_says_what_is_wrong(candidates, options, words):
    with pytest.raises(OptionError) as error:
        train(candidates, **options)
    assert words in str(error.value)


def test_says_when_they_do_not_fit_into_memory(monkeypatch):
    monkeypatch.setattr("chainrule.memory.available_bytes", lambda: 1500)
    with pytest.raises(DataError, match="fewer candidates, a smaller network") as error:
        train()
    assert str(error.value).startswith("training many candidates: expected at most 1.50 kB of")


def test_says_when_the_examples_do_not_fit():
    with pytest.raises(ChainruleError, match="the dev set, Y: expected"):
        train(dev=Examples(DEV.X, DEV.Y[:3]))
