"""chainrule verify, as a user meets it."""

import json
import shutil

import numpy as np
import pytest

from tests.cli.command import chainrule
from tests.vision.people import folder_of, pixels

QUICK = ("--width", 0.25, "--embedding-size", 8, "--epochs", 3, "--augment", "none")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What `chainrule verify train` said, and the folder where it was called."""
    folder = tmp_path_factory.mktemp("verify")
    folder_of(folder / "people", 20)
    said = chainrule(folder, "verify", "train", "people", *QUICK, "--out", "run")
    folder_of(folder / "strangers", 6, first=50, seed=5)
    return said, folder


@pytest.fixture
def here(trained, tmp_path):
    """A folder of one's own: the run, strangers, and a gallery of two of them."""
    for name in ("run", "strangers"):
        shutil.copytree(trained[1] / name, tmp_path / name)
    for name in ("p50", "p51"):
        pictures = [f"strangers/{name}/{i}.png" for i in (0, 1)]
        said = chainrule(tmp_path, "verify", "enrol", "run", "known.gallery", name, *pictures)
        assert said.code == 0, said.err
    return tmp_path


def test_it_trains_measures_and_saves(trained):
    said, _ = trained
    assert said.code == 0, said.err
    assert said.out.startswith("people: images of 6×6×1\n  train     48 images of 12 identities\n")
    assert "3 epochs done" in said.out
    assert "images  equal error rate  area under ROC  accuracy of pairs  5-way one-s" in said.out
    assert said.out.endswith(
        "report.html, roc.png, weights.safetensors\nopen run/report.html in a browser\n"
        "next: chainrule verify enrol run people.gallery NAME IMAGES\n"
    )


def test_a_line_of_json(tmp_path):
    X, whose = pixels(8, 4)
    np.savez(tmp_path / "people.npz", X=X, identities=whose)
    none = ("--dev", "none", "--test", "none")
    line = json.loads(
        chainrule(tmp_path, "verify", "train", "people.npz", *QUICK, *none, "--json").out
    )
    assert line["run"] == "runs/people-1"
    assert (line["train"]["m"], line["train"]["identities"], line["epochs"]) == (32, 8, 3)
    assert 0 <= line["train"]["equal_error_rate"] <= 1
    assert {"dev", "test"}.isdisjoint(line)


def test_a_run_that_is_done_says_its_results(trained):
    _, folder = trained
    said = chainrule(folder, "verify", "train", "--resume", "run")
    assert said.code == 0
    assert said.out.startswith("run is complete\n\n         images  equal error rate")


def test_describe_and_runs(trained):
    _, folder = trained
    said = chainrule(folder, "describe", "run")
    assert said.out.startswith("embedding(6×6×1 -> 8)\n")
    assert (
        "chainrule verify train people --augment none --width 0.25 --epochs 3 --embedding-size 8"
        in said.out
    )
    assert json.loads(chainrule(folder, "describe", "run", "--json").out)["kind"] == "verify"
    assert "run" in chainrule(folder, "runs", ".").out


def test_evaluate(trained, tmp_path):
    _, folder = trained
    words = ("verify", "evaluate", "run")
    said = chainrule(folder, *words, "strangers", "-o", tmp_path / "mistakes")
    assert said.out.startswith("             images  equal error rate")
    assert "strangers      24" in said.out
    assert "note" not in said.err
    assert sorted(file.name for file in (tmp_path / "mistakes").iterdir()) == [
        "pairs.png",
        "roc.png",
    ]
    line = json.loads(chainrule(folder, *words, "strangers", "--json").out)
    assert (line["m"], line["identities"]) == (24, 6)
    met = chainrule(folder, *words, "people", "--json")
    assert "note: people: 12 of 20 identities are in the training set, such as p" in met.err


def test_who_is_known(here):
    said = chainrule(here, "verify", "gallery", "known.gallery")
    first, second, *_ = said.out.splitlines()
    assert first == "known.gallery: 2 people, compared by embedding(6×6×1 -> 8)"
    assert second.startswith("two images show the same person if D ≤ ")
    assert said.out.endswith("  p50\n  p51\n")
    line = json.loads(chainrule(here, "verify", "gallery", "known.gallery", "--json").out)
    assert (line["gallery"], line["names"]) == ("known.gallery", ["p50", "p51"])
    run = json.loads((here / "run" / "recipe.json").read_text())
    assert line["threshold"] == run["fitted"]["threshold_"]


def test_all_of_a_folder(here):
    line = json.loads(
        chainrule(
            here, "verify", "enrol", "run", "all.gallery", "--people", "strangers", "--json"
        ).out
    )
    assert line["names"] == [f"p5{i}" for i in range(6)]


def test_is_it_this_person(here):
    seen = ["strangers/p50/0.png", "strangers/p51/0.png"]
    said = chainrule(here, "verify", "check", "known.gallery", "p50", *seen, "--json")
    line = json.loads(said.out)
    own, other = line["answers"]
    assert (line["name"], own["file"], own["same"]) == ("p50", seen[0], True)
    assert own["D"] <= line["threshold"]
    assert other["same"] == (other["D"] <= line["threshold"])
    assert own["D"] < other["D"]
    words = chainrule(here, "verify", "check", "known.gallery", "p50", *seen).out.splitlines()
    assert words[0] == f"yes  D = {own['D']:.3f} ≤ {line['threshold']:.3f}  {seen[0]}"
    assert words[1].startswith("yes" if other["same"] else "no ")


def test_who_is_it_or_nobody(here):
    seen = [f"strangers/{name}" for name in ("p51", "p52", "p53", "p54", "p55")]
    line = json.loads(chainrule(here, "verify", "identify", "known.gallery", *seen, "--json").out)
    answers = line["answers"]
    assert len(answers) == 20  # all of the folders
    assert answers[0] | {"D": 0} == {
        **{"file": "strangers/p51/0.png", "name": "p51", "nearest": "p51", "D": 0},
    }
    nobody = [one for one in answers if one["name"] is None]
    assert nobody
    assert all(one["D"] > line["threshold"] for one in nobody)
    said = chainrule(here, "verify", "identify", "known.gallery", *seen).out.splitlines()
    first = nobody[0]
    assert said[answers.index(first)] == (
        f"nobody  D = {first['D']:.3f} > {line['threshold']:.3f}  {first['file']}"
        f"  nearest {first['nearest']}"
    )
    assert said[0].startswith("p51     D = ")


def test_somebody_is_forgotten(here):
    assert chainrule(here, "verify", "forget", "known.gallery", "p50").out.endswith("\n  p51\n")
    line = json.loads(chainrule(here, "verify", "gallery", "known.gallery", "--json").out)
    assert line["names"] == ["p51"]


# What is refused: one message with the file, exit code 2, nothing written or changed


def test_one_picture_of_somebody(tmp_path, refused):
    folder_of(tmp_path / "people", 8)
    folder_of(tmp_path / "people", 1, each=1, first=30)
    assert refused("verify", "train", "people", *QUICK) == (
        "people/p30: expected at least 2 images of each identity; got only one.\n"
        "Try adding a second image, or removing the folder.\n"
    )


def test_somebody_in_two_parts(tmp_path, refused):
    folder_of(tmp_path / "people", 8)
    folder_of(tmp_path / "test", 3, first=6)
    assert refused("verify", "train", "people", "--test", "test", *QUICK) == (
        "people: expected each identity in one set only; got p06, p07 in train and in test.\n"
        "Try moving all images of an identity to one set.\n"
    )


def test_too_few_people(tmp_path, refused):
    folder_of(tmp_path / "people", 4)
    assert refused("verify", "train", "people", *QUICK) == (
        "people: expected at least 2 for training, besides 2 for dev and 2 for test; got 4 in "
        "all.\n"
        "Try more identities, --test none, or --dev none too.\n"
    )


def test_files_that_are_cut_short(tmp_path, refused):
    folder = folder_of(tmp_path / "people", 8)
    picture = folder / "p03" / "1.png"
    picture.write_bytes(picture.read_bytes()[:-30])
    assert refused("verify", "train", "people", *QUICK).startswith(
        "people/p03/1.png: expected a complete image; got a truncated or damaged file"
    )
    X, whose = pixels(8, 4)
    np.savez(tmp_path / "people.npz", X=X, identities=whose)
    (tmp_path / "people.npz").write_bytes((tmp_path / "people.npz").read_bytes()[:-60])
    assert refused("verify", "train", "people.npz", *QUICK).startswith(
        "people.npz: expected a complete .npz file, as written by np.savez; got a truncated"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "chainrule verify train: expected a SOURCE; got none.\nTry chainrule verify train"),
        (
            ("nobody",),
            (
                "nobody: expected a file, a folder or the name of a built-in data set; got no "
                "such file."
            ),
        ),
        (
            ("people", "--embedding-size", "few"),
            "--embedding-size: expected a whole number; got 'few'.\nTry 64.",
        ),
        (
            ("people", "--people-per-batch", "1"),
            "--people-per-batch: expected a whole number of at least 2; got 1.",
        ),
        (("people", "--similarity", "cosine"), "--similarity: expected one of 2 choices; got"),
        (("people", "--stride", "8"), "chainrule verify train: expected one of its options; got"),
        (
            ("--resume", "run", "--margin", "1"),
            "--resume: expected no option besides",
        ),
        (("--resume", "run"), "run.partial: expected an interrupted training run; got none."),
    ],
)
def test_options_that_are_refused(refused, words, message):
    assert refused("verify", "train", *words).startswith(message)


def unchanged(refused, here, *words):
    """The message of a command that must be refused; the gallery stays as it is."""
    before = (here / "known.gallery").read_bytes()
    message = refused("verify", *words)
    assert (here / "known.gallery").read_bytes() == before
    return message


def test_a_name_that_nobody_has(here, refused):
    said = (
        "known.gallery, the gallery: expected the name of a known person; got 'p5'.\n"
        "Try p51 (did you mean that?); the choices are p50, p51.\n"
    )
    assert unchanged(refused, here, "forget", "known.gallery", "p5") == said
    assert unchanged(refused, here, "check", "known.gallery", "p5", "strangers/p50") == said


def test_pictures_that_cannot_be_read(here, refused):
    picture = here / "strangers" / "p53" / "2.png"
    picture.write_bytes(picture.read_bytes()[:-30])
    words = "strangers/p53/2.png: expected a complete image; got a truncated"
    for command in (
        ("enrol", "run", "known.gallery", "--people", "strangers"),
        ("enrol", "run", "known.gallery", "eve", "strangers/p53/1.png", picture.relative_to(here)),
        ("identify", "known.gallery", "strangers/p53"),
        ("check", "known.gallery", "p50", "strangers/p53"),
    ):
        assert unchanged(refused, here, *command).startswith(words)
    said = unchanged(refused, here, "identify", "known.gallery", "none.png")
    assert said.startswith(
        "none.png: expected an image, or a folder of images; got no such file or folder."
    )
    said = refused("verify", "enrol", "run", "new.gallery", "eve", "none.png")
    assert said.startswith("none.png: ")


def test_a_gallery_that_is_damaged_or_none(here, refused):
    content = (here / "known.gallery").read_bytes()
    (here / "known.gallery").write_bytes(content[:-1])
    words = "known.gallery: expected the content that was saved; got a different sha256.\n"
    for command in (
        ("gallery", "known.gallery"),
        ("identify", "known.gallery", "strangers/p50"),
        ("forget", "known.gallery", "p50"),
        ("enrol", "run", "known.gallery", "eve", "strangers/p52"),
    ):
        assert unchanged(refused, here, *command).startswith(words)
    assert refused("verify", "gallery", "none.gallery") == (
        "none.gallery: expected a file; got no such file.\nTry the name of an existing file.\n"
    )
    said = refused("verify", "gallery", "strangers/p50/0.png")
    assert said.startswith(
        "strangers/p50/0.png: expected a gallery in format 1; got content that is not a gallery"
    )


def test_a_gallery_of_another_network(here, refused, tmp_path):
    X, whose = pixels(8, 4)
    np.savez(tmp_path / "people.npz", X=X, identities=whose)
    none = ("--dev", "none", "--test", "none", "--seed", 1)
    chainrule(here, "verify", "train", "people.npz", *QUICK, *none, "--out", "other")
    said = unchanged(refused, here, "enrol", "other", "known.gallery", "eve", "strangers/p52")
    assert said == (
        "known.gallery: expected a gallery made with the network of other; "
        "got a gallery made with a different network.\n"
        "Try a new file for other, or the run with which the gallery was created.\n"
    )


def test_other_words_that_are_refused(here, refused):
    enrol = ("enrol", "run", "known.gallery")
    assert unchanged(refused, here, *enrol) == (
        "chainrule verify enrol: expected NAME IMAGE…, or --people FOLDER; got neither.\n"
        "Try chainrule verify enrol run known.gallery --people FOLDER.\n"
    )
    both = unchanged(refused, here, *enrol, "eve", "a.png", "--people", "strangers")
    assert "; got both.\n" in both
    name = unchanged(refused, here, *enrol, "eve", "--people", "strangers")
    assert name.startswith("chainrule verify enrol: expected no NAME with --people; got 'eve'.")
    blank = unchanged(refused, here, *enrol, " ", "strangers/p50")
    assert blank.startswith("known.gallery, enrol(name, …): expected a name; got ' '.")
    single = unchanged(refused, here, *enrol, "--people", "strangers/p50")
    assert single.startswith("strangers/p50: expected a folder with one subfolder per person; got")
    (here / "strangers" / "p59").mkdir()
    empty = unchanged(refused, here, *enrol, "--people", "strangers")
    assert empty.startswith("strangers/p59: expected images of the person; got none.")
    assert refused("verify", "evaluate", "nowhere", "strangers").startswith(
        "nowhere: expected the folder of a run; got no such folder."
    )
    assert refused("verify", "who", "a").startswith(
        "chainrule verify: expected one of its commands; got 'who'."
    )
    assert refused("predict", "run", "strangers") == (
        "run: expected a run that predicts labels, boxes or masks; got a run of chainrule verify.\n"
        "Try chainrule verify enrol run people.gallery NAME IMAGES, then identify.\n"
    )


def test_nobody_is_left(here, refused):
    for name in ("p50", "p51"):
        chainrule(here, "verify", "forget", "known.gallery", name)
    said = unchanged(refused, here, "identify", "known.gallery", "strangers/p50")
    assert said.startswith(
        "known.gallery, the gallery: expected at least one known person; got none"
    )
