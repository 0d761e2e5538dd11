"""chainrule/train/members.py"""

import numpy as np
import pytest

from chainrule.blocks.costs import logistic_cost, squared_cost
from chainrule.data.split import split
from chainrule.errors import DataError, NotFiniteError, OptionError, RunError
from chainrule.host.randomness import seed_of_member
from chainrule.models.ensemble import Ensemble
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.train.checkpoint import Checkpoints
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.history import Epoch, History
from chainrule.train.many import Candidate, fit_many
from chainrule.train.members import MemberRows, fit_members, fit_network, mean_history
from chainrule.train.step import Penalty
from tests.train.candidates import assert_close
from tests.train.problem import DEV, TRAIN, assert_same, network
from tests.train.test_fit import contrary

WEIGHTED = Examples(TRAIN.X, TRAIN.Y, np.linspace(0.5, 2.0, 20))


def ensemble(count: int) -> Ensemble:
    return Ensemble.of([network(seed_of_member(3, k)) for k in range(count)], "logistic")


def own_rows(count: int) -> list[MemberRows]:
    """Return a split of the 20 examples for each member."""
    cuts = [split(20, classes=TRAIN.Y, seed=seed_of_member(3, k), test=False) for k in range(count)]
    return [MemberRows(cut.train, cut.dev) for cut in cuts]


def train(count: int, *, dev=DEV, train=WEIGHTED, epochs=5, rate=0.05, cost=logistic_cost, **more):
    options = {"seed": 3, "batch_size": 8} | more
    return fit_members(ensemble(count), adam(rate), cost, train, dev, epochs=epochs, **options)


def alone(k: int, *, train=WEIGHTED, dev=DEV, epochs=5, **options):
    seed = seed_of_member(3, k)
    options = {"seed": seed, "batch_size": 8} | options
    return fit(network(seed), adam(0.05), logistic_cost, train, dev, epochs=epochs, **options)


# Properties: every member is trained as if alone, whatever the number of members


def test_member_0_has_the_seed_itself_and_no_two_are_equal():
    assert seed_of_member(3, 0) == 3
    assert len({seed_of_member(seed, k) for seed in range(20) for k in range(100)}) == 2000


def test_a_member_is_the_same_whatever_the_number_of_members():
    one, three, five = (train(count).network for count in (1, 3, 5))
    for k in range(3):
        assert_same(ensemble(3).member(k), ensemble(5).member(k))
        assert_close(three.member(k), five.member(k))
    assert_close(one.member(0), five.member(0))


def test_members_train_as_if_alone():
    found = train(3)
    for k in range(3):
        assert_close(found.network.member(k), alone(k).network)


def test_members_with_their_own_rows_train_as_if_alone():
    rows = own_rows(3)
    for batch_size in (6, None):
        found = train(3, dev=None, rows=rows, batch_size=batch_size)
        for k, (some, others) in enumerate(rows):
            sets = {"train": WEIGHTED.take(some), "dev": WEIGHTED.take(others)}
            one = alone(k, **sets, batch_size=batch_size)
            assert_close(found.network.member(k), one.network)
            last, record = one.history.epochs[-1], found.history.members[k]
            assert record["dev_cost"] == pytest.approx(last.dev_cost, rel=1e-9)
            assert record["best_epoch"] == one.history.best_epoch


def test_members_without_a_dev_set():
    found = train(2, dev=None)
    for k in range(2):
        assert_close(found.network.member(k), alone(k, dev=None).network)
    assert found.history.best_epoch is None
    assert found.history.dev_costs == []


def test_each_member_has_its_own_patience():
    options = {"dev": contrary(), "epochs": 60, "patience": 3}
    found = train(3, **options)
    ones = [alone(k, **options) for k in range(3)]
    for k, one in enumerate(ones):
        assert_close(found.network.member(k), one.network)
        record = found.history.members[k]
        assert (record["epoch"], record["stopped"]) == (len(one.history.epochs), "patience")
    assert len({len(one.history.epochs) for one in ones}) > 1
    assert found.history.stopped == "patience"


def test_a_penalty_and_the_state_of_each_member():
    penalties = [Penalty(2.0, None, 20), Penalty(0.5, None, 10)]
    found = train(2, penalty=penalties)
    for k in range(2):
        one = alone(k, penalty=penalties[k])
        assert_close(found.network.member(k), one.network)
        assert_close(found.state[k], one.state)


def test_a_network_that_is_no_ensemble_is_trained_by_fit():
    arguments = (adam(0.05), logistic_cost, WEIGHTED, DEV)
    options = {"epochs": 5, "batch_size": 8, "seed": 3}
    assert_same(fit_network(network(3), *arguments, **options).network, alone(0).network)
    assert_same(fit_network(ensemble(2), *arguments, **options).network, train(2).network)


# The history


def test_the_history_is_the_mean_of_the_members():
    def history(*costs: tuple[float, float], stopped="patience") -> History:
        epochs = [Epoch(i, J, 1.0, 2.0 * i, dev, J / 2) for i, (J, dev) in enumerate(costs, 1)]
        return History(epochs, len(epochs), stopped)

    long = history((4.0, 3.0), (2.0, 1.0), (1.0, 2.0))
    short = history((2.0, 2.0), (1.0, 1.5), stopped="epochs")
    mean = mean_history([long, short])
    assert mean.costs == [3.0, 1.5, 1.0]  # the short one keeps its 1.0
    assert mean.dev_costs == [2.5, 1.25, 1.75]
    assert [epoch.metric for epoch in mean.epochs] == [1.5, 0.75, 0.5]
    assert (mean.best_epoch, mean.stopped) == (2, "epochs")
    assert mean_history([]).epochs == []


def test_the_records_of_the_members_are_saved_and_restored():
    history = train(2).history
    assert [record["member"] for record in history.members] == [1, 2]
    again = History.from_text(history.text().encode(), history.best_epoch, history.stopped)
    assert again == history
    twice = history.text() + history.text().splitlines()[-1] + "\n"
    with pytest.raises(DataError, match="expected one record of each member; got another one of m"):
        History.from_text(twice.encode())


def test_a_member_that_ends_before_an_earlier_one_is_saved_and_restored():
    """The lines of a history are in the order of time, so that of member 2 is before member 1's."""
    history = train(2).history
    history.members = [one | {"epoch": e} for e, one in zip((3, 2), history.members, strict=True)]
    again = History.from_text(history.text().encode(), history.best_epoch, history.stopped)
    assert again == history


# Checkpoints


@pytest.mark.parametrize("own", [False, True], ids=["shared rows", "own rows"])
def test_a_resumed_training_repeats_the_unbroken_one_bit_for_bit(tmp_path, monkeypatch, own):
    monkeypatch.setattr("chainrule.train.fit.SECONDS_PER_CALL", 0.0)
    monkeypatch.setattr("chainrule.train.many.SECONDS_PER_CALL", 0.01)
    options = {"epochs": 40, "patience": 8, "batch_size": 6}
    options |= {"dev": None, "rows": own_rows(3)} if own else {"dev": contrary()}
    whole = train(3, **options)

    class Killed(Exception):
        pass

    checkpoints, written = Checkpoints(tmp_path, every=0), []
    write = checkpoints.write

    def write_and_die(*arguments):
        write(*arguments)
        written.append(arguments)
        if len(written) == 3:
            raise Killed

    checkpoints.write = write_and_die
    with pytest.raises(Killed):
        train(3, **options, checkpoints=checkpoints)
    assert list(tmp_path.glob("*.checkpoint"))
    monkeypatch.setattr("chainrule.train.many.lanes", lambda: 1)  # the groups are those saved
    again = train(3, **options, checkpoints=tmp_path)
    assert_same(again.network, whole.network)
    for state, other in zip(again.state, whole.state, strict=True):
        assert_same(state, other)
    drop = {"seconds"}
    for line, other in zip(again.history.lines(), whole.history.lines(), strict=True):
        assert {k: v for k, v in line.items() if k not in drop} == {
            k: v for k, v in other.items() if k not in drop
        }


def test_a_checkpoint_of_another_training_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.train.fit.SECONDS_PER_CALL", 0.0)
    monkeypatch.setattr("chainrule.train.many.SECONDS_PER_CALL", 0.001)
    train(2, epochs=300, checkpoints=Checkpoints(tmp_path, every=0))
    assert list(tmp_path.glob("*.checkpoint"))
    for other in ({"rate": 0.06}, {"seed": 4}, {"train": TRAIN}, {"epochs": 301}):
        with pytest.raises(RunError, match="expected a checkpoint of this training run"):
            train(2, **{"epochs": 300} | other, checkpoints=tmp_path)


# Messages


def test_a_member_that_is_not_finite_is_named():
    rates = [gradient_descent(rate) for rate in (0.01, 1e200)]
    with pytest.raises(NotFiniteError, match=r"^member 2, training step "):
        fit_members(ensemble(2), rates, squared_cost, TRAIN, DEV, epochs=5, batch_size=8)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([np.arange(3), np.arange(4)], "expected equally many row numbers for each candidate"),
        ([np.arange(3), None], "expected equally many row numbers for each candidate"),
        ([np.arange(20), np.arange(1, 21)], "expected row numbers from 0 to 19; got others"),
    ],
)
def test_invalid_rows_are_refused(rows, message):
    candidates = [Candidate(network(), adam(0.1), rows=some) for some in rows]
    with pytest.raises(OptionError, match=message):
        fit_many(candidates, logistic_cost, TRAIN, DEV, epochs=1)


def test_rows_of_weight_0_are_refused_with_own_rows():
    weights = np.ones(20)
    weights[4] = 0
    candidates = [Candidate(network(), adam(0.1), rows=np.arange(19))]
    with pytest.raises(DataError, match="weights: expected weights above 0 for candidates with"):
        fit_many(candidates, logistic_cost, TRAIN._replace(weights=weights), DEV, epochs=1)
