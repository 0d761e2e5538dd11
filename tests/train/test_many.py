"""chainrule/train/many.py"""

import jax
import numpy as np
import optax
import pytest

from chainrule.blocks.costs import squared_cost
from chainrule.data.batches import epoch_order
from chainrule.errors import NotFiniteError
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.optim.schedules import inverse_time_decay
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.many import Candidate
from chainrule.train.many_steps import stack
from chainrule.train.step import Penalty
from tests.compilations import compilations
from tests.train.candidates import RATES, alone, assert_as, assert_close, descents, train
from tests.train.problem import DEV, TRAIN, assert_same, network, notes_cost, notes_step, weights
from tests.train.test_fit import contrary

X, Y = TRAIN.X.T, TRAIN.Y.T


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
    """Return a network with all that can differ: batch norm, dropout, a penalty, a schedule."""
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
    """Candidates that each differ from the default in one setting, trained at once."""
    different = {name: candidate(**{name: value}) for name, value in OTHERS.items()}
    candidates = {"nothing": candidate(), **different}
    done = train(list(candidates.values()), batch_size=8)
    return {name: (candidates[name], one) for name, one in zip(candidates, done, strict=True)}


@pytest.mark.parametrize("name", [name for name in OTHERS if name != "seed"])
def test_candidates_train_as_if_alone_whatever_differs(together, name):
    one, done = together[name]
    assert_as(done, alone(one, batch_size=8))
    usual = together["nothing"][1].history.costs
    assert abs(np.subtract(done.history.costs, usual)).max() > 1e-6


def test_a_candidates_seed_is_for_its_masks_and_the_order_is_shared(together):
    one, done = together["seed"]
    assert done.history.costs != together["nothing"][1].history.costs
    assert done.history.costs != alone(one, batch_size=8).history.costs  # a different order there
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


def test_epochs_after_patience_has_run_out_do_not_count(monkeypatch):
    monkeypatch.setattr("chainrule.train.many.lanes", lambda: 1)
    monkeypatch.setattr("chainrule.train.many_steps.FIRST_STEPS", 10**6)  # all in one call
    options = {"cost": squared_cost, "epochs": 600, "patience": 3}
    growing, fine = descents((5.0, 0.01))
    assert train([growing], cost=squared_cost, epochs=600)[0].bad_step
    assert_as(train([growing, fine], **options)[0], alone(growing, **options))


def test_patience_of_more_than_all_epochs():
    done = train(epochs=3, patience=10**12)
    assert [one.history.stopped for one in done] == ["epochs"] * 3


def test_a_candidate_that_is_not_finite_is_dropped_and_others_continue():
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


def test_parameters_that_are_not_finite_are_detected_at_the_end_of_the_epoch():
    large = Examples(TRAIN.X, 1000 * TRAIN.Y)  # the cost is finite, the update is not
    steep, shallow = descents((1e307, 1e-6))
    bad, fine = train([steep, shallow], train=large, cost=squared_cost)
    with pytest.raises(NotFiniteError, match="training step 1, the updated"):
        fit(steep.network, steep.optimizer, squared_cost, large, DEV, epochs=6)
    assert (bad.bad_step, fine.bad_step) == (1, None)


def test_the_worse_half_ends_after_each_stage():
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
    "a model at a time": {"many_steps.CACHE": 1},
    "on one core": {"many.lanes": lambda: 1},
    "on three": {"many.lanes": lambda: 3},
    "closing ranks": {"many_steps.COMPILATION": 0.0, "many.lanes": lambda: 1},
    "a step at a time": {"many_steps.FIRST_STEPS": 1, "fit.SECONDS_PER_CALL": 0.0},
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


def test_the_same_seed_gives_the_same_result_bit_for_bit():
    one, repeated = (train(batch_size=8, seed=5) for _ in range(2))
    for a, b in zip(one, repeated, strict=True):
        assert_same(a.network, b.network)
        assert a.history.costs == b.history.costs


def test_the_clock_changes_no_bit(monkeypatch):
    monkeypatch.setattr("chainrule.train.many_steps.COMPILATION", 0.0)  # so that the group shrinks
    monkeypatch.setattr("chainrule.train.many.lanes", lambda: 1)
    options = {"dev": contrary(), "batch_size": 8, "epochs": 30, "patience": 3}
    candidates = descents((0.1, 0.5, 2.0, 0.3, 1.0, 3.0))
    sizes = []

    def counted(trees):
        sizes.append(len(trees))
        return stack(trees)

    monkeypatch.setattr("chainrule.train.many_steps.stack", counted)
    usual = train(candidates, **options)
    assert sizes[-1] < sizes[0]
    monkeypatch.setattr("chainrule.train.many_steps.FIRST_STEPS", 1)
    monkeypatch.setattr("chainrule.train.fit.SECONDS_PER_CALL", 0.0)
    for one, other in zip(train(candidates, **options), usual, strict=True):
        assert_same(one.network, other.network)
        assert one.history.costs == other.history.costs


def test_the_given_networks_are_not_changed():
    candidates = descents()
    before = [[array.copy() for array in weights(one.network)] for one in candidates]
    train(candidates)
    for arrays, one in zip(before, candidates, strict=True):
        for array, now in zip(arrays, weights(one.network), strict=True):
            np.testing.assert_array_equal(now, array)


def test_candidates_with_and_without_a_penalty():
    given = [None, Penalty(2.0, None, 20), Penalty(0.0, 3.0, 20)]
    meant = [Penalty(0.0, 0.0, 1), Penalty(2.0, 0.0, 20), Penalty(0.0, 3.0, 20)]
    plain = Candidate(network(), gradient_descent(0.5))
    done = train([plain._replace(penalty=penalty) for penalty in given])
    for one, penalty in zip(done, meant, strict=True):
        assert_as(one, alone(plain._replace(penalty=penalty)))
