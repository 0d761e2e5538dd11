"""The commands `chainrule verify …`, for face verification and galleries of known people."""

from typing import Any

from chainrule.cli import tasks, vision
from chainrule.cli.options import JSON, RUN, SKIP_UNREADABLE, App
from chainrule.cli.output import say, say_json
from chainrule.errors import OptionError
from chainrule.formatting import one_line
from chainrule.runs import shared_options
from chainrule.runs.options import option
from chainrule.vision.recipe import VerifyRecipe

app = App(
    help="Recognise people: train and evaluate a network, and use galleries of known people.",
    no_args_is_help=True,
)
GALLERY = shared_options.argument("The file of a gallery of known people.", "GALLERY")
NAME = shared_options.argument("The name of a person in the gallery.", "NAME")
PICTURES = shared_options.argument(
    "Images to compare with the gallery, or folders of such images.", "IMAGE…"
)

TRAIN = """Train a network for face verification on SOURCE, evaluate it, and save it as a run.

The network computes embeddings, which are close together if two images show the same person. It is
evaluated on people who do not occur in the training set.

Example: chainrule verify train people
"""
EVALUATE = """Evaluate how well a run recognises the people of SOURCE.

The scores are the equal error rate, the area under the ROC curve, the accuracy for pairs of images,
and the one-shot accuracy.

Example: chainrule verify evaluate runs/people-1 strangers -o mistakes
"""

app.command()(tasks.train_command(VerifyRecipe, TRAIN))
app.command("evaluate")(
    vision.evaluate_command(
        VerifyRecipe,
        EVALUATE,
        source=shared_options.argument(
            "Images of people, in one of the formats of chainrule verify train.", "SOURCE"
        ),
        output=shared_options.output(
            "New or empty folder to which the plots roc.png and pairs.png are written.", "FOLDER"
        ),
        skip_unreadable=SKIP_UNREADABLE,
    )
)


@app.command()
def enrol(
    run: str = RUN,
    gallery: str = shared_options.argument(
        "The file of the gallery, which is created if it does not exist.", "GALLERY"
    ),
    name: str | None = option(
        None,
        "Name of the person; if the gallery already contains this person, the images are replaced.",
        "Data",
        "NAME",
        positional=True,
    ),
    pictures: list[str] | None = option(
        None, "Images of the person, or folders of such images.", "Data", "IMAGE…", positional=True
    ),
    people: str | None = option(
        None, "Folder that contains a sub-folder of images for each person.", "Data", "FOLDER"
    ),
    as_json: bool = JSON,
) -> None:
    """Add people to GALLERY: one person, with a name and images, or everybody in a folder.

    Example: chainrule verify enrol runs/people-1 people.gallery ada ada1.png ada2.png
    """
    if (people is None) == (not pictures):
        expected, got = "NAME IMAGE…, or --people FOLDER", "both" if people else "neither"
        hint = f"chainrule verify enrol {run} {gallery} --people FOLDER"
        raise OptionError("chainrule verify enrol", expected, got, hint)
    if people is not None and name is not None:
        hint = "leaving it out, since the folders give the names"
        raise OptionError("chainrule verify enrol", "no NAME with --people", repr(name), hint)
    from chainrule.vision.verification import gallery as gallery_file

    known = gallery_file.people_in(people) if people else {str(name): pictures or []}
    _print_people(gallery, gallery_file.enrol(run, gallery, known), as_json=as_json)


@app.command()
def check(
    gallery: str = GALLERY,
    name: str = NAME,
    pictures: list[str] = PICTURES,
    as_json: bool = JSON,
) -> None:
    """Decide whether each image shows the person NAME.

    The answer is yes if the distance D between the embeddings of the image and of the person is at
    most the threshold of the gallery. The answer, D and the threshold are printed.

    Example: chainrule verify check people.gallery ada door.png
    """
    from chainrule.vision.verification import gallery as gallery_file

    found, seen = gallery_file.check(gallery, name, pictures)
    if as_json:
        lines = [{"file": str(one.file), "same": one.answer.name is not None} for one in seen]
        lines = [line | {"D": one.answer.D} for line, one in zip(lines, seen, strict=True)]
        _print_json(gallery, found, {"name": name, "answers": lines})
        return
    for one in seen:
        same = "yes" if one.answer.name is not None else "no"
        say(f"{same:4} {_comparison(one.answer.D, found.threshold)}  {one.file}")


@app.command()
def identify(gallery: str = GALLERY, pictures: list[str] = PICTURES, as_json: bool = JSON) -> None:
    """Identify the person in GALLERY whom each image shows, if any.

    Example: chainrule verify identify people.gallery door.png
    """
    from chainrule.vision.verification import gallery as gallery_file

    found, seen = gallery_file.identify(gallery, pictures)
    if as_json:
        _print_json(gallery, found, {"answers": [one.to_dict() for one in seen]})
        return
    width = max(6, *(len(one.answer.name or "") for one in seen))
    for one in seen:
        answer = one.answer
        near = "" if answer.name else f"  nearest {one_line(answer.nearest)}"
        compared = _comparison(answer.D, found.threshold)
        say(f"{one_line(answer.name or 'nobody'):{width}}  {compared}  {one.file}{near}")


@app.command()
def forget(gallery: str = GALLERY, name: str = NAME, as_json: bool = JSON) -> None:
    """Remove a person from GALLERY.

    Example: chainrule verify forget people.gallery ada
    """
    from chainrule.vision.verification import gallery as gallery_file

    _print_people(gallery, gallery_file.forget(gallery, name), as_json=as_json)


@app.command("gallery")
def list_gallery(gallery: str = GALLERY, as_json: bool = JSON) -> None:
    """List the people in GALLERY, and print its threshold and the name of its network.

    Example: chainrule verify gallery people.gallery
    """
    from chainrule.vision.verification.gallery import load_gallery

    _print_people(gallery, load_gallery(gallery), as_json=as_json)


def _comparison(D: float, threshold: float) -> str:
    """Return the comparison of the distance D with the threshold, such as "D = 0.213 ≤ 0.400"."""
    return f"D = {D:.3f} {'≤' if threshold >= D else '>'} {threshold:.3f}"


def _print_people(path: str, gallery: Any, *, as_json: bool) -> None:
    if as_json:
        _print_json(path, gallery, {"names": list(gallery.names)})
        return
    people = "1 person" if len(gallery.names) == 1 else f"{len(gallery.names):,} people"
    say(f"{path}: {people}, compared by {gallery.network.title}")
    say(f"two images show the same person if D ≤ {gallery.threshold:.3f}")
    for name in gallery.names:
        say(f"  {one_line(name)}")


def _print_json(path: str, gallery: Any, answers: dict[str, Any]) -> None:
    say_json({"gallery": path, "threshold": gallery.threshold, **answers})
