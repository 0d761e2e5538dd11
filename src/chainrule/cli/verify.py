"""chainrule verify: face verification, from photos of people to galleries that recognise them."""

import json
from typing import Any

import typer

from chainrule.cli import vision
from chainrule.cli.options import JSON, RUN, SKIP_UNREADABLE, App
from chainrule.errors import OptionError
from chainrule.runs import shared_options
from chainrule.runs.options import option
from chainrule.vision.recipe import VerifyRecipe

app = App(
    help="Face verification: an embedding that tells people apart, and galleries of known people.",
    no_args_is_help=True,
)
GALLERY = shared_options.argument("The file of the gallery.", "GALLERY")
NAME = shared_options.argument("The name of a person in the gallery.", "NAME")
PICTURES = shared_options.argument("Images, or folders of images.", "IMAGE…")

TRAIN = """Train an embedding on SOURCE, evaluate it on unseen people, and save the run.

Example: chainrule verify train people
"""
EVALUATE = """Evaluate a run on SOURCE: equal error rate, ROC, accuracy of pairs, one-shot accuracy.

Example: chainrule verify evaluate runs/people-1 strangers -o mistakes
"""

app.command()(vision.train_command(VerifyRecipe, TRAIN))
app.command("evaluate")(
    vision.evaluate_command(
        VerifyRecipe,
        EVALUATE,
        source=shared_options.argument("Images of identities, as for train.", "SOURCE"),
        output=shared_options.output("New or empty folder for roc.png and pairs.png.", "FOLDER"),
        skip_unreadable=SKIP_UNREADABLE,
    )
)


@app.command()
def enrol(
    run: str = RUN,
    gallery: str = shared_options.argument(
        "The file of the gallery; it is created if needed.", "GALLERY"
    ),
    name: str | None = option(
        None,
        "Name of the person; the images of a known person are replaced.",
        "Data",
        "NAME",
        positional=True,
    ),
    pictures: list[str] | None = option(
        None, "Images of the person, or folders of them.", "Data", "IMAGE…", positional=True
    ),
    people: str | None = option(
        None, "Folder with a sub-folder of images for each person.", "Data", "FOLDER"
    ),
    as_json: bool = JSON,
) -> None:
    """Add a person to GALLERY, by NAME and one or more images, or all people of a folder.

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
    """Decide whether each image shows NAME: yes or no, with D and the threshold.

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
        typer.echo(f"{same:4} {_comparison(one.answer.D, found.threshold)}  {one.file}")


@app.command()
def identify(gallery: str = GALLERY, pictures: list[str] = PICTURES, as_json: bool = JSON) -> None:
    """Find the person of GALLERY that each image shows, or nobody.

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
        near = "" if answer.name else f"  nearest {answer.nearest}"
        compared = _comparison(answer.D, found.threshold)
        typer.echo(f"{answer.name or 'nobody':{width}}  {compared}  {one.file}{near}")


@app.command()
def forget(gallery: str = GALLERY, name: str = NAME, as_json: bool = JSON) -> None:
    """Remove a person from GALLERY.

    Example: chainrule verify forget people.gallery ada
    """
    from chainrule.vision.verification import gallery as gallery_file

    _print_people(gallery, gallery_file.forget(gallery, name), as_json=as_json)


@app.command("gallery")
def list_gallery(gallery: str = GALLERY, as_json: bool = JSON) -> None:
    """List the people of GALLERY, with the threshold and the network.

    Example: chainrule verify gallery people.gallery
    """
    from chainrule.vision.verification.gallery import load_gallery

    _print_people(gallery, load_gallery(gallery), as_json=as_json)


def _comparison(D: float, threshold: float) -> str:
    """Return D and the threshold, such as "D = 0.213 ≤ 0.400"."""
    return f"D = {D:.3f} {'≤' if threshold >= D else '>'} {threshold:.3f}"


def _print_people(path: str, gallery: Any, *, as_json: bool) -> None:
    if as_json:
        _print_json(path, gallery, {"names": list(gallery.names)})
        return
    people = "1 person" if len(gallery.names) == 1 else f"{len(gallery.names):,} people"
    typer.echo(f"{path}: {people}, compared by {gallery.network.title}")
    typer.echo(f"two images show the same person if D ≤ {gallery.threshold:.3f}")
    for name in gallery.names:
        typer.echo(f"  {name}")


def _print_json(path: str, gallery: Any, answers: dict[str, Any]) -> None:
    typer.echo(json.dumps({"gallery": path, "threshold": gallery.threshold, **answers}))
