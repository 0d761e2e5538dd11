"""chainrule/vision/verification/task.py: from pictures of people to a system on disk."""

import shutil

import numpy as np
import pytest

from chainrule import load, resume, train_vision_model
from chainrule.errors import ChainruleError, RunError
from chainrule.inspection.report.content import command
from chainrule.runs import folder as run_folder
from chainrule.vision.verification.task import TASK, VerifyRecipe
from tests.vision.people import folder_of, pixels

pytestmark = pytest.mark.usefixtures("float32_world")
OPTIONS = {
    "width": 0.25,
    "embedding_size": 8,
    "epochs": 3,
    "augment": "crop=1",
    "similarity": "logistic",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run, and what a kill leaves that meets its training just before it is saved."""
    folder = tmp_path_factory.mktemp("verify")
    source = folder_of(folder / "people", 20)
    compare = run_folder._compare

    def keep(*systems):
        for name in ("killed", "other"):
            shutil.copytree(folder / "run.partial", folder / f"{name}.partial")
        compare(*systems)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_folder, "_compare", keep)
        system = train_vision_model("verify", source, out=folder / "run", **OPTIONS)
    return system, folder


def test_what_is_saved_is_what_is_loaded(whole):
    system, _ = whole
    again = load(system.path)
    X, whose = pixels(6, 3, seed=2)
    np.testing.assert_array_equal(
        system.model.distances(X[:5], X[5:10]), again.model.distances(X[:5], X[5:10])
    )
    assert again.model.scores(X, whose) == system.model.scores(X, whose)
    assert (again.recipe, again.results) == (system.recipe, system.results)
    assert again.model.threshold_ == system.model.threshold_
    assert again.model.get_params() == system.model.get_params()
    assert len(again.model.likeness_) == 9
    assert len(again.model.identities_) == 12


def test_whole_people_in_each_part(whole):
    system, folder = whole
    assert system.facts["sizes"] == {"train": 48, "dev": 16, "test": 16}
    assert [system.results[part]["identities"] for part in ("train", "dev", "test")] == [12, 4, 4]
    assert {"equal_error_rate", "auc", "accuracy", "one_shot_5"} <= system.results["train"].keys()
    assert "one_shot_5" not in system.results["test"]  # there are four
    parts = TASK.open(system.recipe).parts
    names = [set(parts[part].y) for part in ("train", "dev", "test")]
    assert set.union(*names) == {f"p{i:02d}" for i in range(20)}
    assert sum(map(len, names)) == 20
    assert sorted(names[0]) == list(system.model.identities_)
    other = TASK.open(VerifyRecipe(str(folder / "people"), seed=1))
    assert set(other.parts["test"].y) != names[2]


def test_an_interrupted_one_ends_as_if_nothing_had_happened(whole):
    system, folder = whole
    again = resume(folder / "killed")
    weights = [run / "weights.safetensors" for run in (system.path, again.path)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert again.results == system.results
    np.testing.assert_array_equal(again.model.likeness_, system.model.likeness_)


def test_data_that_has_changed_is_not_gone_on_with(whole):
    _, folder = whole
    shutil.copy(folder / "people" / "p00" / "0.png", folder / "people" / "p00" / "9.png")
    with pytest.raises(
        RunError, match="expected the data on which the training began; got different"
    ):
        resume(folder / "other")
    (folder / "people" / "p00" / "9.png").unlink()


def test_the_page_and_its_pictures(whole):
    system, _ = whole
    page = (system.path / "report.html").read_text()
    assert "<h1>equal error rate " in page
    for words in ("area under ROC", "5-way one-shot", "The worst mistakes", "The point is at the"):
        assert words in page
    assert {"roc.png", "pairs.png", "cost.png"} <= {file.name for file in system.path.iterdir()}


def test_the_command_that_repeats_it(whole):
    system, folder = whole
    assert command(system.recipe) == (
        f"chainrule verify train {folder}/people --augment crop=1 --width 0.25 --epochs 3 "
        "--embedding-size 8 --similarity logistic"
    )
    assert command(VerifyRecipe("a", skip_unreadable=True)).endswith("train a --skip-unreadable")


def parts_of(source, **options):
    opened = TASK.open(VerifyRecipe(str(source), **options))
    return {name: sorted(set(part.y)) for name, part in opened.parts.items()}


def test_parts_of_their_own(tmp_path):
    source = folder_of(tmp_path / "people", 6)
    more = folder_of(tmp_path / "more" / "test", 2, first=50).parent
    folder_of(tmp_path / "more" / "train", 2, first=60)
    none = parts_of(source, dev="none", test="none")
    assert none == {"train": [f"p{i:02d}" for i in range(6)]}
    found = parts_of(source, dev="none", test=str(more))
    assert (len(found["train"]), found["test"]) == (6, ["p50", "p51"])
    found = parts_of(source, test=str(more))
    assert (len(found["train"]), len(found["dev"]), found["test"]) == (4, 2, ["p50", "p51"])
    assert parts_of(more, dev="none") == {"train": ["p60", "p61"], "test": ["p50", "p51"]}


def test_sizes_and_colours_are_those_of_training(tmp_path):
    X, whose = pixels(6, 2)
    colour = np.repeat(X[..., None], 3, axis=3)
    np.savez(tmp_path / "colour.npz", X=colour, identities=whose)
    folder_of(tmp_path / "grey", 2, first=50)
    how = {"dev": "none", "test": str(tmp_path / "grey")}
    opened = TASK.open(VerifyRecipe(str(tmp_path / "colour.npz"), **how))
    assert [part.X.shape for part in opened.parts.values()] == [(12, 6, 6, 3), (8, 6, 6, 3)]
    opened = TASK.open(
        VerifyRecipe(str(tmp_path / "grey"), image_size=(4, 5), dev="none", test="none")
    )
    assert opened.parts["train"].X.shape == (8, 4, 5, 1)
    np.savez(tmp_path / "large.npz", X=np.zeros((4, 8, 8)), identities=[1, 1, 2, 2])
    with pytest.raises(ChainruleError) as error:
        TASK.open(VerifyRecipe(str(tmp_path / "colour.npz"), test=str(tmp_path / "large.npz")))
    assert str(error.value) == (
        f"{tmp_path / 'large.npz'}: expected images of 6×6, as in training; got 8×8.\n"
        "Try arrays of that size."
    )


def test_nobody_is_set_aside_where_there_is_no_dev():
    assert VerifyRecipe("a", dev="none").options == {"dev_share": 0.0, "random_state": 0}
    assert VerifyRecipe("a", augment="none", embedding_size=8).options == {
        "augment": None,
        "embedding_size": 8,
        "random_state": 0,
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"embedding_size": 0},
            "--embedding-size: expected a whole number of at least 1; got 0.\nTry 64.",
        ),
        (
            {"people_per_batch": 1},
            "--people-per-batch: expected a whole number of at least 2; got 1.\nTry 16.",
        ),
        (
            {"photos_per_person": 1},
            "--photos-per-person: expected a whole number of at least 2; got 1.",
        ),
        ({"margin": 4.0}, "--margin: expected a number greater than 0 and less than 4; got 4.0."),
        ({"network": "lenet"}, "--network: expected one of 2 choices; got 'lenet'."),
        ({"similarity": "cosine"}, "--similarity: expected one of 2 choices; got 'cosine'."),
    ],
)
def test_recipes_that_are_refused(options, words):
    with pytest.raises(ChainruleError) as caught:
        VerifyRecipe("people", **options)
    assert str(caught.value).startswith(words)
