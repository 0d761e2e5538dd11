"""chainrule/strategy/ladder.py: from logistic regression up, while it improves."""

import json
from copy import copy
from dataclasses import replace

import numpy as np
import pytest

from chainrule.errors import DataWarning, OptionError
from chainrule.layers.layer import named_arrays
from chainrule.models.ensemble import Ensemble
from chainrule.runs.job import train_prepared
from chainrule.runs.prepare import prepare_data, prepare_network
from chainrule.runs.recipe import Recipe
from chainrule.runs.unfinished import Unfinished
from chainrule.search.objective import operations_of
from chainrule.strategy import comparison, ladder, ladder_candidates
from chainrule.strategy.comparison import Comparison
from chainrule.strategy.goal import goal_for
from chainrule.strategy.ladder import Judge, LadderRun, Step, compare, judge_for, run_ladder
from chainrule.strategy.train_model import (
    LadderResult,
    make_plan,
    open_data,
    train_model,
    with_best_encoding,
)
from chainrule.train.examples import Examples
from chainrule.train.outputs import network_outputs
from tests.strategy.labels import TWO
from tests.train.sources import classes

pytestmark = pytest.mark.usefixtures("float32_world")


@pytest.fixture(scope="module", autouse=True)
def short():
    """Search few candidates of narrow networks, for few epochs."""
    patch = pytest.MonkeyPatch()
    patch.setattr(ladder_candidates, "WIDTHS", (8,))
    patch.setattr(ladder_candidates, "MOST", 3)
    yield
    patch.undo()


QUICK = {"normalize": "standard", "learning_rate": 0.05}


@pytest.fixture
def on_dev(monkeypatch):
    """Compare networks on the dev set, as for larger tables."""
    monkeypatch.setattr(comparison, "SMALL", 0)


def judge_on_dev(recipe: Recipe, data) -> Judge:
    """Return what compares networks on the dev set."""
    return Judge(goal_for(recipe.goal, data.preprocessor), data, Comparison(data.parts["dev"]))


@pytest.fixture(scope="module")
def circle(tmp_path_factory):
    """Data that is not linearly separable, but that one hidden layer can separate."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    file = tmp_path_factory.mktemp("circle") / "circle.npz"
    np.savez(file, X=X, y=(np.linalg.norm(X, axis=1) > 1.2).astype(int))
    return str(file)


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """Data on which a linear classifier is as good as any."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 2))
    y = X[:, 0] + X[:, 1] + rng.normal(size=300) > 0
    file = tmp_path_factory.mktemp("line") / "line.npz"
    np.savez(file, X=X, y=y.astype(int))
    return str(file)


# ---- by hand


def test_the_architectures_of_a_rung():
    assert list(ladder_candidates.architectures(5, None)) == [()]
    assert list(ladder_candidates.architectures(784, ())) == [(64,), (256,)]
    assert list(ladder_candidates.architectures(5, (64, 32))) == [(64, 32, 16)]
    assert list(ladder_candidates.architectures(5, (8,))) == [(8, 8)]


def test_candidates_differ_and_keep_given_settings():
    drawn = [ladder_candidates.draw(Recipe("digits", hidden=(8,)), i, 64) for i in range(6)]
    assert len({one.l2 for one in drawn}) == len({one.learning_rate for one in drawn}) == 6
    assert all(0.03 <= one.l2 <= 30 and one.keep_prob == 1 for one in drawn)
    given = Recipe("digits", hidden=(8,), l2=0.7, learning_rate=0.01, keep_prob=0.9)
    assert {ladder_candidates.draw(given, i, 784) for i in range(6)} == {given}
    images = [ladder_candidates.draw(Recipe("digits", hidden=(8, 4)), i, 784) for i in range(4)]
    assert [one.keep_prob for one in images] == [(1.0, 1.0), (0.7, 0.7)] * 2


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Step(0.02, 0.01), "better"),
        (Step(0.01, 0.01), "no significant gain"),
        (Step(-0.01, 0.01), "no significant gain"),
        (Step(-0.02, 0.01), "worse"),
        (Step(-0.02, 0.01, -0.5), "closer to the conditions"),
        (Step(0.02, 0.01, 0.5), "further from the conditions"),
        (Step(0.0, 0.01, lower_loss=True), "lower log loss"),
        (Step(0.02, 0.01, 0.5, lower_loss=True), "further from the conditions"),
        (None, "baseline"),
    ],
)
def test_the_verdict_of_a_step(step, words):
    assert ladder.verdict_of_step(step) == words


# ---- properties


@pytest.mark.parametrize("rows", [300, 0], ids=["on folds", "on the dev set"])
def test_the_ladder_goes_on_while_it_improves(circle, monkeypatch, rows):
    monkeypatch.setattr(comparison, "SMALL", rows)
    reported, progress = [], []
    recipe = Recipe(circle, test="none", members=1, learning_rate=0.02)
    callbacks = {"on_rung": reported.append, "on_progress": lambda *now: progress.append(now)}
    found = run_ladder(recipe, prepare_data(recipe), **callbacks)
    assert {name for name, _ in progress} == {rung.name for rung in found.rungs}
    assert {0.0, 1.0} <= {share for _, share in progress}
    first, second, *_ = found.rungs
    assert [rung.hidden for rung in found.rungs[:2]] == [(), (8,)]
    assert first.dev < 0.8 < 0.9 < second.dev
    assert second.gain is not None
    assert second.gain == pytest.approx(second.dev - first.dev)
    assert second.verdict.startswith("better")
    assert [rung.name for rung in reported] == [rung.name for rung in found.rungs]
    *_, chosen, last = found.rungs
    assert last.verdict in ("no significant gain", "worse")
    assert chosen.verdict.endswith(", chosen")
    assert found.recipe.hidden == chosen.hidden
    assert [row["name"] for row in found.to_dict()][:2] == ["no hidden layer", "8"]
    heads, line, *_ = found.text().splitlines()
    assert line.split()[:4] == ["no", "hidden", "layer", "3"]
    assert heads.split()[3] == first.on == ("folds" if rows else "dev")
    assert found.folds == (10 if rows else 0)


def test_the_ladder_stops_at_a_rung_without_errors(tmp_path):
    """One column determines the class, so a larger network could gain nothing."""
    X = np.random.default_rng(0).normal(size=(200, 2))
    X[:, 0] += np.where(X[:, 0] > 0, 2, -2)
    np.savez(tmp_path / "sure.npz", X=X, y=(X[:, 0] > 0).astype(int))
    recipe = Recipe(str(tmp_path / "sure.npz"), dev="none", learning_rate=0.1, l2=0.0)
    found = run_ladder(recipe, prepare_data(recipe))
    assert [(rung.name, rung.dev) for rung in found.rungs] == [("no hidden layer", 1.0)]


def test_the_simplest_network_is_chosen_without_a_significant_gain(line):
    recipe = Recipe(line, learning_rate=0.05)
    found = run_ladder(recipe, prepare_data(recipe))
    assert (found.recipe.hidden, len(found.rungs)) == ((), 2)
    assert found.rungs[0].verdict == "baseline, chosen"


@pytest.mark.parametrize("rows", [300, 0], ids=["on folds", "on the dev set"])
def test_the_test_set_is_not_used(line, monkeypatch, rows):
    """The ladder is the same whatever the test set contains."""
    monkeypatch.setattr(comparison, "SMALL", rows)
    recipe = Recipe(line, learning_rate=0.05, members=1)
    data = prepare_data(recipe)
    part = data.parts["test"]
    spoilt = {**data.parts, "test": part._replace(X=part.X * np.nan, Y=1 - part.Y)}
    one, other = (run_ladder(recipe, d) for d in (data, data._replace(parts=spoilt)))
    assert one.recipe == other.recipe
    assert one.folds == (10 if rows else 0)
    seconds = [[replace(rung, seconds=0.0) for rung in found.rungs] for found in (one, other)]
    assert seconds[0] == seconds[1]


def test_the_test_set_does_not_decide_how_numbers_are_encoded(line, monkeypatch):
    monkeypatch.setattr("chainrule.runs.encodings.STEPS", 20)
    recipe = Recipe(line)
    data = prepare_data(recipe)
    part, source = data.parts["test"], data.sources["test"]
    spoilt = data._replace(
        parts={**data.parts, "test": part._replace(X=part.X * np.nan, Y=1 - part.Y)},
        sources={**data.sources, "test": replace(source, X=1e6 + source.X, y=1 - source.y)},
    )
    (one, _, costs), (other, _, of_spoilt) = (with_best_encoding(recipe, d) for d in (data, spoilt))
    assert one == other
    assert costs == of_spoilt
    assert list(costs) == ["standard", "robust", "piecewise"]
    assert one.normalize == min(costs, key=lambda name: costs[name])


def test_candidates_are_compared_on_a_sample_and_the_best_is_trained_on_all(line, monkeypatch):
    monkeypatch.setattr(ladder_candidates, "ROWS", 100)
    recipe = Recipe(line, hidden=(), epochs=3)
    data = prepare_data(recipe)
    few = ladder_candidates.sample(data, seed=0)
    assert [len(part.X) for part in few.parts.values()] == [100, 60, 60]
    ones = [np.mean(d.parts["train"].Y) for d in (data, few)]
    assert ones[0] == pytest.approx(ones[1], abs=0.01)
    found = ladder_candidates.search_rung(recipe, data, None)
    best = ladder_candidates.on_all_rows(judge_on_dev(recipe, data).pick(found, recipe), data)
    assert len(best.prepared.parts["train"].X) == 180
    assert best.prepared.recipe in [one.prepared.recipe for one in found]


def test_a_diverged_candidate_is_not_chosen(line):
    """Its first epochs may be the best, but training it alone would end in an error."""
    data = prepare_data(Recipe(line))
    options = {"l2": 0.1, "optimizer": "gradient_descent", "epochs": 20}
    rates = (0.1, 1e30)
    group = [
        prepare_network(Recipe(line, hidden=(8,), learning_rate=rate, **options), data)
        for rate in rates
    ]
    sound, lost = ladder_candidates.train_group(group)
    assert np.isfinite(sound.dev_cost)
    assert lost.dev_cost == np.inf
    recipe = Recipe(line)
    assert judge_on_dev(recipe, data).pick([lost, sound], recipe) is sound


def test_a_goal_decides_between_candidates(line):
    recipe = Recipe(line, goal="recall", hidden=())
    data = prepare_data(recipe)
    found = ladder_candidates.search_rung(recipe, data, None)
    judge = judge_on_dev(recipe, data)
    dev = data.parts["dev"]

    def recall(one):
        Z = network_outputs(one.network, dev.X)
        return judge.goal.scores(data.preprocessor, Z, dev.Y)["recall"]

    assert recall(judge.pick(found, recipe)) == max(map(recall, found))


# ---- the last rung


def test_a_lower_log_loss_suffices_for_members_if_the_accuracy_falls_within_its_error():
    """Of 40 examples, the old network misses two; the new one is surer, and misses three others."""
    y = np.arange(40)[:, None] % 2
    part = Examples(y.astype(np.float32), y.astype(np.float32))
    sign = np.float32(2 * y - 1)
    old, new, worse = 0.5 * sign, 3 * sign, 3 * sign
    old[-2:], new[1:4], worse[-6:] = -0.1 * sign[-2:], -0.1 * sign[1:4], -0.1 * sign[-6:]
    goal = goal_for(None, TWO)

    def step(one, other, **options):
        return compare(goal, TWO, [one], [other], [part], **options)

    assert step(new, old).gain == pytest.approx(-1 / 40)
    assert step(new, old).standard_error > 2 / 40
    assert [step(new, old, several=several).up for several in (False, True)] == [False, True]
    assert step(worse, old, several=True).gain < -step(worse, old).standard_error
    assert not step(worse, old, several=True).up  # its accuracy falls by more
    assert not step(old, old, several=True).up
    assert not step(old, new, several=True).up  # its log loss rises


@pytest.fixture(scope="module")
def begun(circle):
    """A ladder on folds that has found one hidden layer, and not yet tried several networks."""
    patch = pytest.MonkeyPatch()
    patch.setattr(comparison, "STEPS", 60)
    patch.setattr(ladder, "HIGHEST", 1)
    recipe = Recipe(circle, **QUICK)
    judge = judge_for(recipe, prepare_data(recipe))
    state = LadderRun(recipe, judge, ladder.ignore, None, ladder.ignore)
    while state.next_rung():
        pass
    patch.undo()
    assert state.best is not None
    assert state.best.prepared.recipe.hidden == (8,)
    return state


def with_members(begun: LadderRun, outputs, monkeypatch) -> ladder.Ladder:
    """Finish the ladder as if several networks had these outputs for the held-out rows."""
    state = copy(begun)
    state.rungs = list(begun.rungs)

    def several(best, comparison, on_progress):
        assert comparison is state.judge.comparison
        return best._replace(held_out=outputs, members=5)

    monkeypatch.setattr(ladder, "ensemble_on_folds", several)
    state.add_members()
    return state.result()


def signs(begun: LadderRun) -> list[np.ndarray]:
    """Return 1 for the held-out examples of the class, and -1 for the others."""
    return [2 * part.Y - 1 for part in begun.judge.comparison.held_out]


def test_several_networks_are_chosen_if_they_are_better(begun, monkeypatch):
    found = with_members(begun, [5 * sign for sign in signs(begun)], monkeypatch)
    *_, before, last = found.rungs
    assert (last.name, last.members, last.verdict) == ("5 × 8", 5, "better, chosen")
    assert last.dev == 1.0
    assert last.gain == pytest.approx(1.0 - before.dev)
    assert last.parameters == 5 * before.parameters
    assert (found.recipe.members, found.recipe.hidden) == (5, (8,))
    assert (last.tried, last.on, last.estimate) == (1, "folds", None)


def test_several_networks_are_chosen_for_a_lower_log_loss(begun, monkeypatch):
    """The same classes are predicted, but more surely where they are right."""
    pairs = zip(begun.best.held_out, signs(begun), strict=True)
    outputs = [np.where(Z * sign > 0, 3 * Z, Z) for Z, sign in pairs]
    found = with_members(begun, outputs, monkeypatch)
    assert found.rungs[-1].verdict == "lower log loss, chosen"
    assert (found.rungs[-1].gain, found.recipe.members) == (0.0, 5)


def test_one_network_is_chosen_if_several_are_as_good(begun, monkeypatch):
    found = with_members(begun, begun.best.held_out, monkeypatch)
    *_, chosen, last = found.rungs
    assert last.verdict == "no significant gain"
    assert (chosen.name, chosen.verdict) == ("8", "better, chosen")
    assert found.recipe.members == 1


def test_several_networks_are_not_tried_where_they_cannot_gain(begun, circle, monkeypatch):
    """Neither without a hidden layer, nor beyond the budget, nor if the user gave their number."""
    monkeypatch.setattr(ladder, "ensemble_on_folds", None)
    best = begun.best

    def members(**changes):
        state = copy(begun)
        for name, value in changes.items():
            setattr(state, name, value)
        state.add_members()
        return state.result().recipe.members

    linear = replace(best.prepared, recipe=replace(best.prepared.recipe, hidden=()))
    assert members(best=best._replace(prepared=linear)) == 1
    assert members(left=49 * operations_of(best.prepared)) == 1  # five networks on ten folds
    perfect = [*begun.rungs[:-1], replace(begun.rungs[-1], dev=1.0)]
    assert members(rungs=perfect) == 1
    given = LadderRun(Recipe(circle, members=3), begun.judge, *[ladder.ignore] * 3)
    given.rungs, given.best = begun.rungs, best
    given.add_members()
    assert given.result().recipe.members == 3


def test_the_outputs_of_several_networks_are_averaged(begun):
    best, on = begun.best, begun.judge.comparison
    prepared = replace(best.prepared, epochs=3)
    best = ladder_candidates.train_group([prepared], comparison=on)[0]
    found = ladder_candidates.ensemble_on_folds(best, on)
    more = comparison.train_on_folds([prepared], on, members=range(1, 5))
    outputs = [best.held_out, *(one.held_out for one in more)]
    probabilities = [[1 / (1 + np.exp(-Z)) for Z in of_member] for of_member in outputs]
    for r in range(2):
        mean = np.mean([of_member[r] for of_member in probabilities], axis=0)
        np.testing.assert_allclose(1 / (1 + np.exp(-found.held_out[r])), mean, atol=1e-5)
    Y = np.concatenate([part.Y for part in on.held_out])
    p = np.concatenate([1 / (1 + np.exp(-Z)) for Z in found.held_out])
    cost = -np.log(np.where(Y > 0.5, p, 1 - p)).mean()
    assert found.dev_cost == pytest.approx(cost, rel=1e-4)
    assert (found.members, found.network) == (5, best.network)


# ---- without a dev set


def test_without_a_dev_set_five_networks_have_rows_of_their_own_to_stop_early(circle, monkeypatch):
    monkeypatch.setattr(comparison, "STEPS", 60)
    monkeypatch.setattr(ladder, "HIGHEST", 1)
    monkeypatch.setattr(ladder, "ensemble_on_folds", None)  # they are not compared with one
    opened = open_data(Recipe(circle, dev="none", test="none", **QUICK))
    assert opened.prepared is None
    plan = make_plan(opened)
    prepared = replace(plan.training, epochs=3)
    assert (prepared.recipe.hidden, prepared.recipe.members) == ((8,), 5)
    assert [rung["name"] for rung in plan_rungs(plan)] == ["no hidden layer", "8"]
    held = [set(one.dev.tolist()) for one in prepared.rows]
    assert [len(rows) for rows in held] == [60] * 5
    assert set().union(*held) == set(range(300))
    for one, dev in zip(prepared.rows, held, strict=True):
        assert set(one.train.tolist()) == set(range(300)) - dev
    run = plan.finish(train_prepared(prepared))
    assert isinstance(run.network, Ensemble)
    assert [one["member"] for one in run.history.members] == [1, 2, 3, 4, 5]
    assert len({one["dev_cost"] for one in run.history.members}) == 5
    assert "ladder_result" not in run.facts


def test_with_many_rows_and_no_dev_set_a_fold_of_them_compares_the_networks(circle, monkeypatch):
    """The candidates have the usual schedule, and the chosen network is trained on all rows."""
    monkeypatch.setattr(ladder, "ONE_FOLD_ABOVE", 200)
    monkeypatch.setattr(ladder, "HIGHEST", 1)
    recipe = Recipe(circle, dev="none", test="none", **QUICK)
    opened = open_data(recipe)
    judge = judge_for(recipe, opened.data)
    assert (judge.folds, judge.comparison.folds) == (1, ())
    assert [len(judge.data.parts[name].X) for name in ("train", "dev")] == [240, 60]
    plan = make_plan(opened)
    assert {rung["on"] for rung in plan_rungs(plan)} == {"folds"}
    assert max(rung["tried"] for rung in plan_rungs(plan)) == 3 > ladder_candidates.ON_FOLDS
    assert "dev" not in plan.training.parts
    assert len(plan.training.parts["train"].X) == 300


def plan_rungs(plan) -> list[dict]:
    """Return the rungs that the run of a plan records."""
    run = plan.finish(train_prepared(replace(plan.training, epochs=1)))
    return run.facts["ladder"]


def test_without_a_dev_set_members_of_the_user_are_kept(circle, monkeypatch):
    monkeypatch.setattr(comparison, "STEPS", 60)
    monkeypatch.setattr(ladder, "HIGHEST", 1)
    opened = open_data(Recipe(circle, dev="none", test="none", members=2, **QUICK))
    plan = make_plan(opened)
    prepared = plan.prepared
    assert {rung["parameters"] for rung in plan_rungs(plan)} == {3, 33}  # of single networks
    assert (prepared.recipe.members, prepared.network.count) == (2, 2)
    assert len(prepared.rows) == 2


# ---- the training that follows


@pytest.mark.parametrize("members", [1, 2])
def test_a_run_records_its_ladder_and_the_chosen_network(circle, tmp_path, monkeypatch, members):
    monkeypatch.setattr(comparison, "STEPS", 60)
    monkeypatch.setattr(ladder, "HIGHEST", 1)
    run = train_model(circle, out=tmp_path / "run", epochs=60, members=members, **QUICK)
    (chosen,) = [rung for rung in run.facts["ladder"] if "chosen" in rung["verdict"]]
    assert run.recipe.hidden == tuple(chosen["hidden"]) == (8,)
    assert "ladder.json" not in {file.name for file in (tmp_path / "run").iterdir()}
    repeated = train_model(**run.recipe.to_dict())
    assert "ladder" not in repeated.facts
    for name, array in named_arrays(run.network).items():
        np.testing.assert_array_equal(array, named_arrays(repeated.network)[name])


def test_a_saved_ladder_is_not_repeated(line, tmp_path, monkeypatch, on_dev):
    opened = open_data(Recipe(line, epochs=3, **QUICK))
    with Unfinished.begin(tmp_path / "run", opened.recipe.to_dict(), opened.digests) as unfinished:
        first = make_plan(opened, unfinished)
        monkeypatch.setattr("chainrule.strategy.train_model.run_ladder", None)
        reloaded = make_plan(opened, unfinished)
        assert reloaded.prepared.recipe == first.prepared.recipe
        file = tmp_path / "run.partial" / "ladder.json"
        file.write_bytes(file.read_bytes().replace(b"0.", b"9."))
        with pytest.warns(DataWarning, match="or belongs to another training; the ladder is run"):
            assert unfinished.ladder() is None


def test_a_saved_ladder_on_folds_is_not_repeated(line, tmp_path, monkeypatch):
    """There is no candidate to save: the networks of the folds have not seen all rows."""
    opened = open_data(Recipe(line, epochs=3, **QUICK))
    with Unfinished.begin(tmp_path / "run", opened.recipe.to_dict(), opened.digests) as unfinished:
        first = make_plan(opened, unfinished)
        saved = LadderResult.load(unfinished)
        assert saved is not None
        assert saved.candidate is None
        assert saved.facts["ladder_folds"] == 10
        assert {rung["on"] for rung in saved.facts["ladder"]} == {"folds"}
        monkeypatch.setattr("chainrule.strategy.train_model.run_ladder", None)
        reloaded = make_plan(opened, unfinished)
        assert reloaded.prepared.recipe == first.prepared.recipe
        runs = [plan.finish(train_prepared(plan.training)) for plan in (first, reloaded)]
        fresh, again = (json.dumps(run.facts["ladder"]) for run in runs)
        assert fresh == again == json.dumps(saved.facts["ladder"])
        assert runs[0].results == runs[1].results


def by_house(folder) -> Recipe:
    """Write a table whose rows are in groups, and return a recipe without a dev set."""
    numbers = enumerate(np.random.default_rng(0).normal(size=90))
    rows = [f"{x:.4f},h{i % 9},{'yes' if x > 0 else 'no'}" for i, x in numbers]
    (folder / "houses.csv").write_text("\n".join(["x,house,y", *rows]))
    return Recipe(str(folder / "houses.csv"), target="y", group="house", dev="none")


def test_where_rows_cannot_be_held_out_the_default_network_is_trained(tmp_path):
    plan = make_plan(open_data(by_house(tmp_path)))
    assert plan.prepared.recipe.hidden == (64, 32)
    assert (plan.prepared.recipe.member_count, plan.prepared.rows) == (1, ())


def test_a_run_of_an_earlier_version_without_a_dev_set_is_trained_as_it_was(tmp_path):
    """Its inputs are standardised, and it is one default network on all rows."""
    saved = Recipe(**classes(tmp_path), dev="none").to_dict()
    old = {name: value for name, value in saved.items() if name not in ("defaults", "members")}
    opened = open_data(Recipe.from_saved(old))
    assert opened.encoding_costs == {}
    assert (opened.recipe.normalize, opened.recipe.members) == (None, 1)
    prepared = make_plan(opened).prepared
    assert (prepared.recipe.hidden, prepared.rows) == ((64, 32), ())
    assert prepared.preprocessor.inputs.kind == "standard"
    whole = prepare_network(Recipe.from_saved(old | {"hidden": (4,), "members": 3}), opened.data)
    assert whole.rows == ()


# ---- words


def test_the_ladder_needs_rows_to_compare_networks_on(tmp_path):
    recipe = by_house(tmp_path)
    with pytest.raises(OptionError) as error:
        run_ladder(recipe, prepare_data(recipe))
    assert str(error.value) == (
        "choosing the network: expected a dev set to compare networks on; got none.\n"
        "Try leaving out --dev none, or --hidden 64,32."
    )
