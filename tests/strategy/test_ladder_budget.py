"""chainrule/strategy/ladder.py: what the ladder costs, and which of its networks is kept."""

import json
from dataclasses import replace

import numpy as np
import pytest

from chainrule.cli import messages
from chainrule.errors import DataWarning, OptionError
from chainrule.layers.layer import named_arrays
from chainrule.models.ensemble import Ensemble
from chainrule.runs import job
from chainrule.runs.prepare import prepare_data, prepare_network
from chainrule.runs.recipe import Recipe
from chainrule.runs.unfinished import Unfinished, sealed
from chainrule.search.objective import operations_of
from chainrule.strategy import comparison, ladder, ladder_candidates, train_model
from chainrule.strategy.comparison import comparison_for
from chainrule.strategy.goal import goal_for
from chainrule.strategy.ladder import (
    Candidate,
    Estimate,
    is_worse,
    keep_better,
    run_ladder,
)
from chainrule.strategy.ladder_candidates import (
    COMPILATION,
    operations_of_epoch,
    operations_of_group,
    operations_to_compile,
    operations_used,
    padded_operations_of_epoch,
    plan_named_rung,
    plan_rung,
    train_rung,
)
from chainrule.strategy.train_model import LadderResult, make_plan, open_data
from chainrule.train.history import Epoch, History
from tests.strategy.hand_made import line, made
from tests.strategy.labels import NUMBERS
from tests.train.pictures import SMALL, pictures

pytestmark = pytest.mark.usefixtures("float32_world")


@pytest.fixture(scope="module", autouse=True)
def short():
    """Search few candidates of narrow networks, and compare them on the dev set."""
    patch = pytest.MonkeyPatch()
    patch.setattr(comparison, "SMALL", 0)
    patch.setattr(ladder_candidates, "WIDTHS", (8,))
    patch.setattr(ladder_candidates, "MOST", 2)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def circle(tmp_path_factory):
    """Data that one hidden layer can separate, and none cannot."""
    X = np.random.default_rng(0).normal(size=(300, 2))
    file = tmp_path_factory.mktemp("circle") / "circle.npz"
    np.savez(file, X=X, y=(np.linalg.norm(X, axis=1) > 1.2).astype(int))
    return Recipe(str(file), test="none", epochs=60, normalize="standard", members=1)


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """Images in two classes, read and split."""
    recipe = Recipe(pictures(tmp_path_factory.mktemp("halves"), m=100), test="none")
    return recipe, prepare_data(recipe)


# ---- the estimate, by hand


def test_operations_of_a_group_with_halving(circle):
    """Of four candidates, two end after 4 of 32 epochs and one after 8."""
    data = prepare_data(circle)
    one = prepare_network(replace(circle, hidden=(8,), epochs=32), data)
    epochs = 4 * 4 + 2 * 4 + 1 * 24
    assert operations_of_group([one] * 4) == operations_of(one) * epochs / 32
    assert operations_of_group([one]) == operations_of(one)
    assert operations_to_compile(one) == 3 * COMPILATION


def test_the_estimate_of_a_rung_is_that_of_all_its_groups(circle, monkeypatch):
    data = prepare_data(circle)
    monkeypatch.setattr(ladder_candidates, "WIDTHS", (4, 8))
    plan = plan_rung(circle, data, ())
    assert plan.name == "4 and 8"
    assert [len(group) for group in plan.groups] == [2, 2]
    assert plan.compilation == 2 * 3 * COMPILATION
    assert plan.operations == plan.compilation + sum(map(operations_of_group, plan.groups))
    monkeypatch.setattr(ladder_candidates, "ROWS", 100)
    sampled = plan_rung(circle, data, ())
    whole = operations_of(prepare_network(replace(circle, hidden=(8,)), data))
    groups = sum(map(operations_of_group, sampled.groups))
    assert sampled.operations == sampled.compilation + groups + whole


def test_the_operations_of_narrow_convolutions(halves):
    """A convolution from 1 to 2 channels takes as long as one from 16 to 16."""
    recipe, data = halves
    one = prepare_network(replace(recipe, **SMALL), data)
    m = len(data.parts["train"].X)
    first, second, dense = 8 * 8 * 9 * 2, 4 * 4 * 9 * 2 * 4, 2 * 2 * 4 * 8 + 8
    assert operations_of_epoch(one) == 6.0 * (first + second + dense) * m
    padded = 8 * 8 * 9 * 16 * 16 + 4 * 4 * 9 * 16 * 16 + dense
    assert padded_operations_of_epoch(one) == pytest.approx(6.0 * padded * m)


def test_only_the_epochs_that_were_trained_count(circle):
    data = prepare_data(circle)
    plan = plan_rung(circle, data, ())
    found = train_rung(plan)
    each = operations_of(found[0].prepared) / 60
    epochs = sum(len(one.history.epochs) for one in found)
    assert epochs < 2 * 60  # one of two candidates was halved
    assert operations_used(plan, found, found[0]) == pytest.approx(plan.compilation + epochs * each)
    assert operations_used(plan, found, found[0]) <= plan.operations
    again = found[0]._replace(network=found[1].network)  # trained once more, on all rows
    more = operations_used(plan, found, again) - operations_used(plan, found, found[0])
    assert more == pytest.approx(len(found[0].history.epochs) * each)


def test_a_rung_with_little_left_gets_fewer_candidates(circle, monkeypatch):
    monkeypatch.setattr(ladder_candidates, "MOST", 6)
    data = prepare_data(circle)
    (whole,), (few,) = plan_rung(circle, data, ()).groups, plan_rung(circle, data, (), 1.0).groups
    assert (len(whole), len(few)) == (6, 2)


def test_candidates_for_images_share_what_is_left(halves, monkeypatch):
    recipe, data = halves

    def small(recipe, data, below):
        for augment in (None, "auto"):
            yield replace(recipe, hidden=None, **SMALL | {"epochs": 40, "augment": augment})

    monkeypatch.setattr(ladder_candidates, "candidates", small)
    below = replace(recipe, hidden=())
    made = prepare_network(replace(recipe, **SMALL), data)
    once, compilation = padded_operations_of_epoch(made), operations_to_compile(made)
    whole = plan_named_rung(recipe, data, below)
    assert whole is not None
    assert [one.epochs for (one,) in whole.groups] == [40, 40]
    assert whole.operations == pytest.approx(2 * (40 * once + compilation))
    assert whole.shortened == ()
    few = plan_named_rung(recipe, data, below, 2 * (compilation + 3.5 * once))
    assert few is not None
    assert [one.epochs for (one,) in few.groups] == [3, 3]
    assert few.shortened == (
        "convnet is trained for 3 instead of 40 epochs",
        "convnet, augmented is trained for 3 instead of 40 epochs",
    )
    none = plan_named_rung(recipe, data, below, 2 * (compilation + 0.5 * once))
    assert none is not None
    assert none.groups == none.shortened == ()
    assert none.operations == pytest.approx(2 * (compilation + once))


def test_the_estimate_on_folds_is_that_of_one_width_on_all_folds(circle, monkeypatch):
    data = prepare_data(circle)
    monkeypatch.setattr(ladder_candidates, "WIDTHS", (4, 8))
    monkeypatch.setattr(comparison, "SMALL", 300)
    folds = comparison_for(circle, data, on_folds=True)
    assert folds is not None
    plan = plan_rung(circle, data, (), comparison=folds)
    ((first, second),) = plan.groups
    assert (plan.name, first.recipe.hidden, second.recipe.hidden) == ("8", (8,), (8,))
    assert (plan.comparison, len(folds.folds)) == (folds, 10)
    assert plan.compilation == 3 * COMPILATION
    assert plan.operations == plan.compilation + 10 * 2 * operations_of(first)
    assert (first.epochs, first.batch_size, first.patience) == (60, 128, None)
    best = train_rung(plan)[0]
    assert operations_used(plan, [best], best) == plan.operations


# ---- the budget


def test_the_first_rung_always_runs_and_the_others_within_the_budget(circle):
    events = []
    recipe = replace(circle, budget=1e-6)
    found = run_ladder(
        recipe, prepare_data(recipe), on_rung=events.append, on_estimate=events.append
    )
    assert [rung.name for rung in found.rungs] == ["no hidden layer"]
    first, rung, second = events
    assert (first.name, first.trained, rung.estimate) == ("no hidden layer", True, first.minutes)
    assert (second.name, second.trained) == ("8", False)
    assert found.left_out == (second,)
    assert found.recipe.budget == 1e-6


def test_a_rung_that_does_not_fit_after_the_first_is_left_out(circle):
    data = prepare_data(circle)
    whole = run_ladder(circle, data)
    assert whole.left_out == ()
    minutes = [rung.estimate or 0.0 for rung in whole.rungs]
    assert min(minutes) > 0
    tight = run_ladder(replace(circle, budget=minutes[0] + 0.5 * minutes[1]), data)
    assert [rung.name for rung in tight.rungs] == [whole.rungs[0].name]
    assert [one.name for one in tight.left_out] == [whole.rungs[1].name]


def test_the_ladder_does_not_depend_on_the_clock(circle, monkeypatch):
    """A machine a million times slower finds the same networks."""
    data = prepare_data(circle)
    first = run_ladder(circle, data)
    real = ladder.time.perf_counter
    monkeypatch.setattr(ladder.time, "perf_counter", lambda: 1e6 * real())
    slow = run_ladder(circle, data)
    assert [replace(one, seconds=0.0) for one in slow.rungs] == [
        replace(one, seconds=0.0) for one in first.rungs
    ]
    assert slow.recipe == first.recipe


def test_the_budget_is_an_option_of_the_recipe():
    assert Recipe("digits").budget == 10
    assert Recipe.from_dict(Recipe("digits", budget=2.5).to_dict()).budget == 2.5
    saved = {k: v for k, v in Recipe("digits").to_dict().items() if k != "budget"}
    assert Recipe.from_dict(saved) == Recipe("digits")
    with pytest.raises(OptionError) as error:
        Recipe("digits", budget=0)
    assert str(error.value).startswith("--budget: expected a number greater than 0")


# ---- the network that is kept


def candidate_of(run, *weights, rows=20) -> Candidate:
    other, _ = made(*weights, train=line(*range(20), y=np.arange(20) >= 10))
    history = History([Epoch(1, 0.5, 1.0, 0.1, 0.4, 0.9)], best_epoch=1, stopped="epochs")
    recipe = replace(run.recipe, hidden=(), epochs=23)
    return Candidate(recipe, other.network, history, 5, rows)


def a_run(w: float, b: float, **recipe):
    """Return a run that calls x positive where w x + b > 0, and its data; x > 9.5 is positive."""
    part = line(*range(20), y=np.arange(20) >= 10)
    run, data = made(([[w]], [[b]]), train=part, dev=part)
    return replace(run, recipe=Recipe("made", **recipe), facts={"sizes": {"train": 20}}), data


GOOD, POOR = ([[1.0]], [[-9.5]]), ([[1.0]], [[-4.5]])


def test_the_better_network_of_the_ladder_is_kept():
    run, data = a_run(1.0, -4.5)  # five errors
    candidate = candidate_of(run, GOOD)
    kept = keep_better(run, candidate, data)
    assert kept.network is candidate.network
    assert (kept.recipe, kept.history) == (candidate.recipe, candidate.history)
    assert (kept.results["dev"]["accuracy"], kept.results["train"]["accuracy"]) == (1.0, 1.0)
    assert kept.facts["ladder_result"] == {
        "kept": "candidate",
        "metric": "accuracy",
        "candidate": 1.0,
        "retrained": 0.75,
        "rows": 20,
        "members": 1,
    }
    assert kept.facts["sizes"] == {"train": 20}


@pytest.mark.parametrize("candidate", [POOR, GOOD], ids=["worse", "as good"])
def test_a_network_that_is_at_least_as_good_is_kept(candidate):
    run, data = a_run(1.0, -9.5)
    kept = keep_better(run, candidate_of(run, candidate), data)
    assert (kept.network, kept.recipe, kept.history) == (run.network, run.recipe, run.history)
    assert kept.facts["ladder_result"]["kept"] == "retrained"


def test_the_goal_decides_which_network_is_kept():
    """One network is right more often, but each has a recall of 1 at its best threshold."""
    run, data = a_run(1.0, -12.5, goal="recall")
    kept = keep_better(run, candidate_of(run, ([[0.0]], [[1.0]])), data)
    assert kept.facts["ladder_result"]["metric"] == "recall"
    assert kept.network is run.network
    run, data = a_run(-1.0, 9.5, goal="roc_auc")
    assert keep_better(run, candidate_of(run, POOR), data).network is not run.network


def made_with(*weights):
    part = line(*range(20), y=np.arange(20) >= 10)
    return made(*weights, train=part, dev=part)[0]


ONE_ERROR = ([[0.1]], [[-0.85]])


@pytest.mark.parametrize(
    ("weights", "kept"),
    [
        (GOOD, "retrained"),  # no error
        (ONE_ERROR, "candidate"),  # the same
        (([[0.01]], [[-0.085]]), "candidate"),  # the same classes, and a higher log loss
        (([[0.5]], [[-4.25]]), "retrained"),  # the same classes, and a lower log loss
        (POOR, "candidate"),  # five errors
    ],
)
def test_several_networks_are_kept_only_if_they_are_better(weights, kept):
    """The candidate makes one error of twenty."""
    run, data = a_run(1.0, -4.5)
    members = replace(
        run,
        network=Ensemble.of([made_with(weights).network] * 2, "logistic"),
        recipe=replace(run.recipe, members=2),
    )
    found = keep_better(members, candidate_of(run, ONE_ERROR), data)
    result = found.facts["ladder_result"]
    assert (result["kept"], result["members"], result["candidate"]) == (kept, 2, 0.95)
    assert isinstance(found.network, Ensemble) == (kept == "retrained")
    assert found.recipe.member_count == (2 if kept == "retrained" else 1)
    if kept == "candidate":
        retrained = result["retrained"]
        assert messages.format_kept(found) == (
            "\nthe network that won on the ladder is kept: its dev accuracy is 0.9500, compared "
            f"with {retrained:.4f} for 2 such networks"
        )


def test_conditions_on_time_do_not_decide_which_network_is_kept(monkeypatch):
    monkeypatch.setattr("chainrule.strategy.threshold.prediction_ms", None)
    run, data = a_run(1.0, -4.5, goal="accuracy with prediction under 1 ms")
    assert keep_better(run, candidate_of(run, GOOD), data).network is not run.network


def test_an_interrupted_training_stays_interrupted():
    run, data = a_run(1.0, -4.5)
    run = replace(run, history=History(stopped="interrupted"))
    kept = keep_better(run, candidate_of(run, GOOD), data)
    assert kept.results["dev"]["accuracy"] == 1.0
    assert kept.history.stopped == "interrupted"


def test_differences_of_rounding_do_not_decide():
    goal = goal_for("r2", NUMBERS)
    assert not is_worse(goal, {"r2": 0.9}, {"r2": 0.900001})
    assert is_worse(goal, {"r2": 0.9}, {"r2": 0.9001})
    rmse = replace(goal, metric="rmse")
    assert not is_worse(rmse, {"rmse": 1000.001}, {"rmse": 1000.0})
    assert is_worse(rmse, {"rmse": 1001.0}, {"rmse": 1000.0})


# ---- the training that follows


@pytest.fixture
def spoilt(monkeypatch):
    """Let the training after the ladder end after two epochs."""
    whole = job.train_prepared

    def briefly(prepared, *arguments, **options):
        return whole(replace(prepared, epochs=2), *arguments, **options)

    monkeypatch.setattr(train_model, "train_prepared", briefly)


def test_what_wins_on_the_ladder_is_what_is_saved(circle, tmp_path, spoilt):
    run = train_model.train_model(**circle.to_dict(), out=tmp_path / "run")
    (chosen,) = [rung for rung in run.facts["ladder"] if "chosen" in rung["verdict"]]
    result = run.facts["ladder_result"]
    assert result["kept"] == "candidate"
    assert result["retrained"] < run.results["dev"]["accuracy"] == chosen["dev"]
    assert (run.recipe.hidden, run.recipe.epochs) == (tuple(chosen["hidden"]), 60)
    assert len(run.history.epochs) > 2
    assert messages.format_kept(run).startswith(
        "\nthe network that won on the ladder is kept: its dev accuracy is "
        f"{chosen['dev']:.4f}, compared with "
    )
    assert [file.name for file in tmp_path.iterdir()] == ["run"]


def test_on_a_dev_set_the_final_training_has_five_networks(circle, spoilt):
    run = train_model.train_model(**circle.to_dict() | {"members": None})
    result = run.facts["ladder_result"]
    assert (result["kept"], result["members"]) == ("candidate", 5)  # two epochs are too few
    assert {rung["members"] for rung in run.facts["ladder"]} == {1}  # none is trained on the ladder
    assert (run.recipe.member_count, isinstance(run.network, Ensemble)) == (1, False)
    assert f"compared with {result['retrained']:.4f} for 5 such networks" in messages.format_kept(
        run
    )


def test_members_of_the_user_are_kept_on_a_dev_set(circle, spoilt):
    run = train_model.train_model(**circle.to_dict() | {"members": 2})
    assert "ladder_result" not in run.facts
    assert (run.recipe.members, run.network.count) == (2, 2)
    assert {rung["parameters"] for rung in run.facts["ladder"][:2]} == {3, 33}


def test_a_resumed_training_keeps_the_same_network(circle, tmp_path, spoilt, monkeypatch):
    opened = open_data(circle)
    with Unfinished.begin(tmp_path / "run", opened.recipe.to_dict(), opened.digests) as unfinished:
        first = make_plan(opened, unfinished)
        monkeypatch.setattr(train_model, "run_ladder", None)
        reloaded = make_plan(opened, unfinished)
        ends = [
            plan.finish(train_model.train_prepared(plan.training)) for plan in (first, reloaded)
        ]
        assert ends[0].results == ends[1].results
        assert ends[0].facts["ladder_result"] == ends[1].facts["ladder_result"]
        assert (ends[0].recipe, ends[0].history) == (ends[1].recipe, ends[1].history)
        for name, array in named_arrays(ends[0].network).items():
            np.testing.assert_array_equal(array, named_arrays(ends[1].network)[name])
        weights = tmp_path / "run.partial" / "ladder.weights"
        weights.write_bytes(weights.read_bytes()[:-1])
        with pytest.warns(DataWarning, match=r"ladder\.json is damaged, or belongs to another"):
            assert LadderResult.load(unfinished) is None


def test_a_ladder_of_an_earlier_version_is_resumed_without_its_network(circle, tmp_path):
    opened = open_data(circle)
    with Unfinished.begin(tmp_path / "run", opened.recipe.to_dict(), opened.digests) as unfinished:
        make_plan(opened, unfinished)
        file = tmp_path / "run.partial" / "ladder.json"
        saved = json.loads(file.read_bytes())
        old = saved["facts"]["facts"]
        file.write_bytes(sealed(saved["recipe"], old))
        found = LadderResult.load(unfinished)
        assert found is not None
        assert (found.facts, found.candidate) == (old, None)
        run = make_plan(opened, unfinished).finish(a_run(1.0, -4.5)[0])
        assert "ladder_result" not in run.facts


# ---- words


def test_the_text_of_an_estimate():
    one = Estimate("lenet", 3.21, 9.5, (), True)
    assert messages.format_estimate(one) == "  lenet: at most about 3.2 minutes"
    short = replace(one, shortened=("lenet is trained for 23 instead of 300 epochs",))
    assert short.text == "at most about 3.2 minutes; lenet is trained for 23 instead of 300 epochs"
    out = replace(one, trained=False, minutes=12.0)
    assert out.text == (
        "left out, since it takes about 12.0 minutes, but only 9.5 minutes of the budget are left "
        "(--budget)"
    )
    assert messages.ladder_begins(10.0).endswith(
        "the budget is 10 minutes (--budget); durations are estimated for two cores"
    )
