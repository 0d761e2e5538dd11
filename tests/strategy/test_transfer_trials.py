"""chainrule/strategy/transfer_report.py"""

import jax
import numpy as np
import pytest

from chainrule.errors import DataWarning
from chainrule.models.deep_network import DeepNetwork
from chainrule.runs.prepare import prepare_network
from chainrule.search.trials import DONE, FAILED, Outcome
from chainrule.strategy import transfer_report
from chainrule.strategy.transfer_report import (
    NOTHING,
    RAW,
    TransferReport,
    best_choice,
    by_size,
    choices,
    input_shift,
    layers_of,
    name_of,
)
from tests.strategy.transfers import base, finished, ready, run_on, task

NETWORK = DeepNetwork((4, 6, 5, 3), key=jax.random.key(0))  # 18, 53, 83 parameters from the end


def outcomes(**costs: float) -> dict[str, Outcome]:
    return {name: Outcome(DONE, cost) for name, cost in costs.items()}


def test_the_rule_of_thumb_by_hand(monkeypatch):
    monkeypatch.setattr(transfer_report, "PER_EXAMPLE", 1)
    assert [by_size(NETWORK, m) for m in (1, 18, 52, 53, 82, 83, 1000)] == [1, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("sizes", "ks"), [((4, 3), [1]), ((4, 5, 3), [1, 2]), ((4, 5, 5, 5, 5, 3), [1, 2, 5])]
)
def test_the_choices_are_the_last_the_last_two_and_all(sizes, ks):
    assert choices(DeepNetwork(sizes, key=jax.random.key(0))) == ks


def test_names_of_choices_are_values_of_the_option():
    for L in (2, 3, 5):
        for k in range(1, L + 1):
            assert layers_of(name_of(k, L), L) == k
    assert (name_of(1, 3), name_of(2, 3), name_of(3, 3)) == ("last", "2", "all")


def test_the_lowest_dev_cost_is_chosen():
    results = outcomes(last=0.3, **{"2": 0.2}, all=0.25) | {"from nothing": Outcome(DONE, 0.1)}
    assert best_choice(results, NETWORK, m=100) == 2
    assert best_choice(results, NETWORK, m=10**6) == 3  # more examples than in the trials
    assert best_choice(outcomes(last=0.1) | {"all": Outcome(FAILED)}, NETWORK, m=100) == 1
    assert best_choice({}, NETWORK, m=10**6) == 3
    assert best_choice(results, NETWORK, m=100, worse={"2"}) == 3


def test_random_weights_do_not_help(tmp_path):
    """The first layer maps all inputs to a single unit at random."""
    old = run_on(task(tmp_path, "old", 900, 3), hidden=(1, 5), epochs=1, learning_rate=1e-9)
    with pytest.warns(DataWarning, match="the predictions on the dev set are better without it"):
        start = ready(task(tmp_path, "new", 600, 3, seed=9), old, retrain="last", epochs=60)
    _, _, features = start.report.conditions
    assert features.holds is False
    assert features.numbers["last"] < features.numbers[NOTHING] - 0.1


def test_features_help_where_the_task_is_the_same(tmp_path):
    """The base was trained on many examples of the same task, of which there are few here."""
    old = run_on(task(tmp_path, "old", 500, 2), epochs=100, decay="none")
    source = task(tmp_path, "new", 60, 2, seed=9)
    start = ready(source, old, retrain="last", epochs=100, decay="none")
    trials = start.report.trials
    assert set(trials) == {"last", NOTHING, RAW}
    assert trials["last"]["cost"] < trials[NOTHING]["cost"]
    same, more, _ = start.report.conditions
    assert (same.holds, more.holds) == (True, True)
    assert more.numbers == {"old": 300.0, "new": 36.0}
    run = finished(start)
    assert run.results["dev"]["cost"] == pytest.approx(trials["last"]["cost"], rel=1e-5)


def test_layers_are_chosen_by_the_lowest_dev_cost(tmp_path):
    start = ready(task(tmp_path, "new", 60, 3), base(), epochs=60)
    costs = {name: start.report.trials[name]["cost"] for name in ("last", "2", "all")}
    assert start.report.retrain == min(costs, key=lambda name: costs[name])
    assert start.report.why.startswith("the lowest dev cost of the trials")
    assert TransferReport.from_dict(start.report.to_dict()) == start.report


def test_a_trial_has_a_limit_of_rows(tmp_path):
    start = ready(task(tmp_path, "new", 60, 3), base(), dev="none")
    whole = start.prepared
    parts = {"train": whole.parts["train"], "dev": whole.parts["train"]}
    sources = {"train": whole.sources["train"], "dev": whole.sources["train"]}
    data = whole.data._replace(parts=parts, sources=sources)
    few = transfer_report.sample(prepare_network(whole.recipe, data), rows=20)
    assert [len(part.X) for part in few.parts.values()] == [20, 20]
    rows = {tuple(row) for row in whole.parts["train"].X}
    assert {tuple(row) for row in few.parts["train"].X} <= rows
    np.testing.assert_array_equal(few.sources["train"].y.shape, (20,))


def test_the_shift_of_the_inputs(tmp_path):
    old = run_on(task(tmp_path, "old", 500, 2), epochs=1)
    same = np.random.default_rng(3).standard_normal((200, 4))
    shift, spread, _ = input_shift(old, old.preprocessor.rows(same))
    assert shift < 0.2
    assert spread == pytest.approx(1, abs=0.1)
    shift, spread, _ = input_shift(old, old.preprocessor.rows(3 * same + 10))
    assert shift == pytest.approx(10, rel=0.1)
    assert spread == pytest.approx(3, rel=0.1)


def test_without_the_base_s_data_its_inputs_are_not_compared(tmp_path):
    source = task(tmp_path, "old", 60, 2)
    old = run_on(source, normalize="none", epochs=1)
    (tmp_path / "old.npz").unlink()
    assert input_shift(old, np.zeros((3, 4))) == (None, None, "")
