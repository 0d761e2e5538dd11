"""chainrule/strategy/ladder.py: from logistic regression up, while it improves."""

from dataclasses import replace

import numpy as np
import pytest

from chainrule.errors import DataWarning, OptionError
from chainrule.layers.layer import named_arrays
from chainrule.runs.prepare import prepare_data, prepare_network
from chainrule.runs.recipe import Recipe
from chainrule.runs.unfinished import Unfinished
from chainrule.strategy import ladder, ladder_candidates
from chainrule.strategy.goal import goal_for
from chainrule.strategy.ladder import Step, pick, run_ladder
from chainrule.strategy.train_model import make_plan, open_data, train_model
from chainrule.train.outputs import network_outputs
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


def test_the_ladder_goes_on_while_it_improves(circle):
    reported, progress = [], []
    recipe = Recipe(circle, test="none")
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
    assert found.text().splitlines()[1].split()[:4] == ["no", "hidden", "layer", "3"]


def test_the_ladder_stops_at_a_rung_without_errors(tmp_path):
    """One column determines the class, so a larger network could gain nothing."""
    X = np.random.default_rng(0).normal(size=(200, 2))
    X[:, 0] += np.where(X[:, 0] > 0, 2, -2)
    np.savez(tmp_path / "sure.npz", X=X, y=(X[:, 0] > 0).astype(int))
    recipe = Recipe(str(tmp_path / "sure.npz"), epochs=60)
    found = run_ladder(recipe, prepare_data(recipe))
    assert [(rung.name, rung.dev) for rung in found.rungs] == [("no hidden layer", 1.0)]


def test_the_simplest_network_is_chosen_without_a_significant_gain(line):
    recipe = Recipe(line)
    found = run_ladder(recipe, prepare_data(recipe))
    assert (found.recipe.hidden, len(found.rungs)) == ((), 2)
    assert found.rungs[0].verdict == "baseline, chosen"


def test_the_test_set_is_not_used(line):
    """The ladder is the same whatever the test set contains."""
    recipe = Recipe(line)
    data = prepare_data(recipe)
    part = data.parts["test"]
    spoilt = {**data.parts, "test": part._replace(X=part.X * np.nan, Y=1 - part.Y)}
    one, other = (run_ladder(recipe, d) for d in (data, data._replace(parts=spoilt)))
    assert one.recipe == other.recipe
    seconds = [[replace(rung, seconds=0.0) for rung in found.rungs] for found in (one, other)]
    assert seconds[0] == seconds[1]


def test_candidates_are_compared_on_a_sample_and_the_best_is_trained_on_all(line, monkeypatch):
    monkeypatch.setattr(ladder_candidates, "ROWS", 100)
    recipe = Recipe(line, hidden=(), epochs=3)
    data = prepare_data(recipe)
    few = ladder_candidates.sample(data, seed=0)
    assert [len(part.X) for part in few.parts.values()] == [100, 60, 60]
    ones = [np.mean(d.parts["train"].Y) for d in (data, few)]
    assert ones[0] == pytest.approx(ones[1], abs=0.01)
    found = ladder_candidates.search_rung(recipe, data, None)
    best = ladder_candidates.on_all_rows(
        pick(found, recipe, goal_for(None, data.preprocessor), data), data
    )
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
    assert pick([lost, sound], Recipe(line), goal_for(None, data.preprocessor), data) is sound


def test_a_goal_decides_between_candidates(line):
    recipe = Recipe(line, goal="recall", hidden=())
    data = prepare_data(recipe)
    found = ladder_candidates.search_rung(recipe, data, None)
    goal = goal_for(recipe.goal, data.preprocessor)
    dev = data.parts["dev"]

    def recall(one):
        Z = network_outputs(one.network, dev.X)
        return goal.scores(data.preprocessor, Z, dev.Y)["recall"]

    assert recall(pick(found, recipe, goal, data)) == max(map(recall, found))


# ---- the training that follows


def test_a_run_records_its_ladder_and_the_chosen_network(circle, tmp_path):
    run = train_model(circle, out=tmp_path / "run", epochs=120)
    (chosen,) = [rung for rung in run.facts["ladder"] if "chosen" in rung["verdict"]]
    assert run.recipe.hidden == tuple(chosen["hidden"]) != ()
    assert "ladder.json" not in {file.name for file in (tmp_path / "run").iterdir()}
    repeated = train_model(**run.recipe.to_dict())
    assert "ladder" not in repeated.facts
    for name, array in named_arrays(run.network).items():
        np.testing.assert_array_equal(array, named_arrays(repeated.network)[name])


def test_a_saved_ladder_is_not_repeated(line, tmp_path, monkeypatch):
    opened = open_data(Recipe(line, epochs=3))
    with Unfinished.begin(tmp_path / "run", opened.recipe.to_dict(), opened.digests) as unfinished:
        first = make_plan(opened, unfinished)
        monkeypatch.setattr("chainrule.strategy.train_model.run_ladder", None)
        reloaded = make_plan(opened, unfinished)
        assert reloaded.prepared.recipe == first.prepared.recipe
        file = tmp_path / "run.partial" / "ladder.json"
        file.write_bytes(file.read_bytes().replace(b"0.", b"9."))
        with pytest.warns(DataWarning, match="or belongs to another training; the ladder is run"):
            assert unfinished.ladder() is None


def test_without_a_dev_set_the_default_network_is_trained(tmp_path):
    opened = open_data(Recipe(**classes(tmp_path), dev="none"))
    assert make_plan(opened).prepared.recipe.hidden == (64, 32)


# ---- words


def test_the_ladder_needs_a_dev_set(tmp_path):
    recipe = Recipe(**classes(tmp_path), dev="none")
    with pytest.raises(OptionError) as error:
        run_ladder(recipe, prepare_data(recipe))
    assert str(error.value) == (
        "choosing the network: expected a dev set to compare networks on; got none.\n"
        "Try leaving out --dev none, or --hidden 64,32."
    )
