"""chainrule/strategy/train_model.py: training, and resuming it after interruptions."""

import os

import numpy as np
import pytest

from chainrule.errors import DataWarning, RunError
from chainrule.runs import job
from chainrule.runs.encodings import Choice
from chainrule.runs.job import request
from chainrule.runs.recipe import Recipe
from chainrule.runs.unfinished import Unfinished
from chainrule.strategy import train_model
from chainrule.train.changes import Change
from tests.train.interrupted import few_calls, gone_on, moments, said, small, trained

pytestmark = pytest.mark.usefixtures("float32_world")


class Killed(BaseException):
    """An exception that no code catches."""


@pytest.fixture
def made(tmp_path):
    return small(tmp_path)


@pytest.fixture
def interrupted(made, tmp_path):
    """The folder of an interrupted training run after step 3."""

    def kill(history, share):
        if share > 0.4:
            raise Killed

    with few_calls(), pytest.raises(Killed):
        trained(made, tmp_path / "run", kill)
    return tmp_path


# Properties


def test_killed_at_any_moment(made, tmp_path):
    """Kill it before and after each sync, rename, new folder and removed file."""
    place, copies = tmp_path / "place", tmp_path / "copies"
    place.mkdir()
    with few_calls(), moments(place, copies):
        trained(made, place / "run")
    whole = said(place / "run")
    last_steps = set()
    for moment in sorted(copies.iterdir()):
        run = moment / "run"
        last_steps.add(len(os.listdir(moment)))
        gone_on(made, run)
        assert said(run) == whole, moment.name
        assert os.listdir(moment) == ["run"], moment.name
    assert len(os.listdir(copies)) > 60
    assert last_steps == {0, 1, 2}  # nothing yet; one of RUN.partial and RUN; both


def test_a_run_that_is_done_is_loaded(made, tmp_path):
    run = trained(made, tmp_path / "run")
    for name in ("run", "run.partial"):
        again = job.resume(tmp_path / name)
        assert again.results == run.results
        assert again.path == tmp_path / "run"


def test_a_change_stands_in_the_resumed_training_too(made, tmp_path):
    """A change made in epoch 2 is repeated when the training is killed later and resumed."""

    def on_progress(kill):
        def ask(history, share):
            if share == 0.5 and not history.changes:
                request(tmp_path / name, Change(learning_rate=0.5, l2=9.0))
            if kill and history.changes:
                raise Killed

        return ask

    name = "whole"
    with few_calls():
        trained(made, tmp_path / "whole", on_progress(kill=False))
        name = "killed"
        with pytest.raises(Killed):
            trained(made, tmp_path / "killed", on_progress(kill=True))
    job.resume(tmp_path / "killed")
    assert said(tmp_path / "killed") == said(tmp_path / "whole")
    changes = said(tmp_path / "killed")[2]
    assert changes == [{"epoch": 2, "change": {"learning_rate": 0.5, "l2": 9.0}}]


def test_a_change_on_resuming_is_true_from_the_next_epoch_on(interrupted):
    opened, unfinished = job.reopen(interrupted / "run")
    with unfinished:
        change = Change(learning_rate=0.5)
        run = job.train_prepared(opened.prepared, unfinished=unfinished, change=change)
    assert run.history.changes == [{"epoch": 2, "change": {"learning_rate": 0.5}}]


@pytest.mark.parametrize("hidden", [(3,), None])
def test_the_costs_of_the_encodings_are_kept(tmp_path, monkeypatch, hidden):
    """When the training is resumed, the recipe already names the encoding."""
    costs = {"standard": 0.5, "robust": 0.25}

    def choose(recipe, data):
        return None if recipe.normalize else Choice("robust", costs)

    monkeypatch.setattr(train_model, "choose_for", choose)
    recipe = Recipe("iris", hidden=hidden, epochs=2, members=1)
    opened = train_model.open_data(recipe)
    with job.begin(opened, tmp_path / "run") as unfinished:
        train_model.make_plan(opened, unfinished)
        unfinished.lock.release()
        resumed = job.resume(tmp_path / "run")
    assert resumed.facts["encoding"] == costs
    assert resumed.recipe.normalize == "robust"


# The damaged


def spoil(folder, count: int) -> None:
    """Cut the newest `count` checkpoints short."""
    for file in sorted(folder.glob("run.partial/checkpoints/*"), reverse=True)[:count]:
        file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("count", "words"), [(1, "from the previous one"), (2, "from the beginning")]
)
def test_damaged_checkpoints_are_reported(made, tmp_path, count, words):
    def kill(history, share):
        if share > 0.6:
            raise Killed

    with few_calls(), pytest.raises(Killed):
        trained(made, tmp_path / "run", kill)
    spoil(tmp_path, count)
    with pytest.warns(DataWarning) as notes:
        job.resume(tmp_path / "run")
    assert len(notes) == count
    assert str(notes[-1].message).endswith(f"the training continues {words}.")
    trained(made, tmp_path / "unbroken")
    assert said(tmp_path / "run") == said(tmp_path / "unbroken")


def test_another_machine_is_a_note(interrupted, monkeypatch):
    monkeypatch.setattr("chainrule.host.machine.usable_cores", lambda: 999)
    with pytest.warns(DataWarning) as notes:
        job.resume(interrupted / "run")
    assert [str(note.message) for note in notes] == [
        "the training began with different cores; it continues, but the results may not be the "
        "same bit for bit."
    ]


def test_a_recipe_that_was_changed_by_hand(interrupted):
    file = interrupted / "run.partial" / "recipe.json"
    file.write_text(file.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(RunError) as error:
        job.resume(interrupted / "run")
    assert str(error.value) == (
        f"{file}: expected the content that was saved; got damaged content.\n"
        "Try starting the training again under another name."
    )


# Words


def test_changed_data_is_refused(interrupted):
    np.savez(interrupted / "classes.npz", X=np.ones((40, 3)), y=np.arange(40) % 2)
    with pytest.warns(DataWarning, match="constant"), pytest.raises(RunError) as error:
        job.resume(interrupted / "run")
    assert str(error.value) == (
        f"{interrupted / 'run'}: expected the data on which the training began; got different data."
        f"\nTry chainrule train --recipe {interrupted / 'run.partial'}, to start anew on the "
        "current data."
    )
    assert Unfinished(interrupted / "run").lock.acquire()  # it holds nothing


def test_nothing_to_go_on_with(interrupted):
    with pytest.raises(RunError) as error:
        job.resume(interrupted / "ran")
    assert str(error.value) == (
        f"{interrupted / 'ran.partial'}: expected an interrupted training run; got none.\n"
        f"Try {interrupted / 'run'}."
    )
    with pytest.raises(RunError, match="Try chainrule train, from the start"):
        job.resume(interrupted / "elsewhere" / "run")


def test_a_second_process_is_refused(made, interrupted):
    _, unfinished = job.reopen(interrupted / "run")
    for again in (
        lambda: job.resume(interrupted / "run"),
        lambda: trained(made, unfinished.run),
    ):
        with pytest.raises(RunError) as error:
            again()
        assert str(error.value) == (
            f"{interrupted / 'run.partial'}: expected a training run that no other process has "
            "open; got one that is running.\n"
            "Try waiting for it, or another name for --out."
        )


def test_a_new_training_does_not_take_the_place_of_an_interrupted_one(made, interrupted):
    with pytest.raises(RunError) as error:
        trained(made, interrupted / "run")
    assert str(error.value) == (
        f"{interrupted / 'run.partial'}: expected a new folder; got one with an "
        f"interrupted training run.\nTry chainrule train --resume {interrupted / 'run'}, or "
        "another name for --out."
    )


def test_in_memory_and_on_disk_are_the_same_training(tmp_path, made):
    recipe = made.recipe.to_dict()
    in_memory = train_model.train_model(**recipe)
    on_disk = train_model.train_model(**recipe, out=tmp_path / "run")
    assert (in_memory.path, on_disk.path) == (None, tmp_path / "run")
    assert in_memory.results == on_disk.results


@pytest.mark.parametrize(
    ("source", "options", "expected"),
    [
        ("iris", {"hidden": (4,)}, False),
        ("iris", {}, False),
        ("digits", {"layers": "conv 4 3x3, flatten, dense 10", "normalize": "pixels"}, True),
    ],
    ids=str,
)
def test_whether_there_are_convolutions(source, options, expected):
    """Then it is said how to get the native kernels, if they are missing."""
    assert train_model.open_data(Recipe(source, **options)).convolves is expected
