"""chainrule verify: who is who, from pictures of people to a gallery that knows some of them."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.cli import vision
from chainrule.cli.options import checkpoint_seconds, image_size, number, option, use_threads
from chainrule.errors import OptionError

app = typer.Typer(
    help="Who is who: an embedding that tells people apart, and galleries of those who are known.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
JSON = typer.Option(False, "--json", help="End with one line of JSON.")
GALLERY = Annotated[str, typer.Argument(help="The file of the gallery.")]
PICTURES = Annotated[list[str], typer.Argument(help="Pictures, or folders of pictures.")]
SKIP = typer.Option(False, "--skip-unreadable", help="Leave out pictures that cannot be read.")


@app.command()
def train(
    source: Annotated[
        str | None,
        typer.Argument(
            help="A folder with a folder of pictures for each identity, also in train, dev and "
            "test; or a .npz file of X and identities.",
            show_default=False,
        ),
    ] = None,
    dev: str | None = option("Dev identities of their own, or none.", "SOURCE|none"),
    test: str | None = option("Test identities of their own, or none.", "SOURCE|none"),
    image_size_: str | None = option(
        "Pictures are brought to this size; 64x64 if they differ.", "HxW", "--image-size"
    ),
    network: str | None = option("embedding, or embedding_resnet20.", "NAME"),
    n: str | None = option("How many numbers an embedding has; 64.", "N", "--n"),
    width: str | None = option("All channels, times this; 0.5.", "NUMBER"),
    mirrored: Annotated[
        bool,
        typer.Option("--mirrored", help="A picture and its mirror image are the same: for faces."),
    ] = False,
    margin: str | None = option("α of the triplet cost; 0.2.", "NUMBER"),
    people: str | None = option("Identities that a step sees; 16.", "N"),
    photos: str | None = option("Pictures of each of them; 4.", "N"),
    similarity: str | None = option(
        "distance, or logistic: learned from pairs.", "distance|logistic"
    ),
    augment: str | None = option("Change the pictures of each step, or none.", "mirror,crop=8|…"),
    epochs: str | None = option("Passes over the training part.", "N"),
    learning_rate: str | None = option("α of Adam; 0.002.", "NUMBER", "--learning-rate"),
    seed: str | None = option("Of who is set aside, the first weights, the steps.", "N"),
    skip_unreadable: bool = SKIP,
    out: str | None = option("The run's folder, a new one; runs/NAME-N if left out.", "DIR"),
    resume: str | None = option("Go on with a training that was interrupted.", "RUN"),
    checkpoint_every: str | None = option("Seconds between checkpoints; 60.", "SECONDS"),
    threads: str | None = option("Processors to use.", "N"),
    json_: bool = JSON,
) -> None:
    """Train an embedding on SOURCE, measure it on people it has not met, and save the run.

    Example: chainrule verify train people
    """
    given = {
        "source": source,
        "dev": dev,
        "test": test,
        "image_size": image_size(image_size_),
        "network": network,
        "n": number("--n", n, int, "64"),
        "width": number("--width", width, float, "0.5"),
        "mirrored": mirrored or None,
        "margin": number("--margin", margin, float, "0.2"),
        "people": number("--people", people, int, "16"),
        "photos": number("--photos", photos, int, "4"),
        "similarity": similarity,
        "augment": augment,
        "epochs": number("--epochs", epochs, int, "40"),
        "learning_rate": number("--learning-rate", learning_rate, float, "0.002"),
        "seed": number("--seed", seed, int, "0"),
        "skip_unreadable": skip_unreadable or None,
    }
    use_threads(threads)
    every = checkpoint_seconds(checkpoint_every)
    vision.train("verify", given, out, resume, every, as_json=json_)


@app.command()
def evaluate(
    run: Annotated[str, typer.Argument(help="The folder of a run.")],
    source: Annotated[str, typer.Argument(help="Pictures of identities, as for train.")],
    part: Annotated[
        str, typer.Option(help="train, dev or test, of a source that has them.")
    ] = "test",
    output: str | None = option("A folder, new or empty, for roc.png and pairs.png.", "DIR", "-o"),
    skip_unreadable: bool = SKIP,
    threads: str | None = option("Processors to use.", "N"),
    json_: bool = JSON,
) -> None:
    """Measure a run on SOURCE: equal error rate, ROC, accuracy of pairs, one-shot accuracy.

    Example: chainrule verify evaluate runs/people-1 strangers -o mistakes
    """
    use_threads(threads)
    from chainrule.cli.output import write_folder
    from chainrule.vision.report import result_words
    from chainrule.vision.verification.task import KIND, drawn_of, read_strangers

    system = vision.opened(run, "verify")
    found = read_strangers(system, source, part=part, skip_unreadable=skip_unreadable)
    results = {Path(source).name: KIND.measure(system.model, found)}
    if output is not None:
        name = Path(source).name
        write_folder(drawn_of(system.model, {name: found}, name), output)
    words = result_words("verify", results, ())
    typer.echo(json.dumps(next(iter(results.values()))) if json_ else words.lstrip("\n"))


@app.command()
def enrol(
    run: Annotated[str, typer.Argument(help="The folder of a run.")],
    gallery: Annotated[str, typer.Argument(help="The file of the gallery, new or not.")],
    name: Annotated[
        str | None, typer.Argument(help="Who it is; a known name anew.", show_default=False)
    ] = None,
    pictures: Annotated[
        list[str] | None,
        typer.Argument(help="Pictures of one person, or folders of them.", show_default=False),
    ] = None,
    people: str | None = option("A folder with a folder of pictures for each person.", "FOLDER"),
    json_: bool = JSON,
) -> None:
    """Have GALLERY know somebody, by one picture or more: NAME PICTURE…, or all of a folder.

    Example: chainrule verify enrol runs/people-1 people.gallery ada ada1.png ada2.png
    """
    if (people is None) == (not pictures):
        expected, got = "NAME PICTURE…, or --people FOLDER", "both" if people else "neither"
        hint = f"chainrule verify enrol {run} {gallery} --people FOLDER"
        raise OptionError("chainrule verify enrol", expected, got, hint)
    if people is not None and name is not None:
        hint = "leaving it out: the folders have the names"
        raise OptionError("chainrule verify enrol", "no NAME beside --people", repr(name), hint)
    from chainrule.vision.verification import gallery as gallery_file

    known = gallery_file.people_in(people) if people else {str(name): pictures or []}
    _say_known(gallery, gallery_file.enrol(run, gallery, known), as_json=json_)


@app.command()
def check(gallery: GALLERY, name: str, pictures: PICTURES, json_: bool = JSON) -> None:
    """Are these of NAME? Yes or no for each, with D and the threshold.

    Example: chainrule verify check people.gallery ada door.png
    """
    from chainrule.vision.verification import gallery as gallery_file

    found, seen = gallery_file.check(gallery, name, pictures)
    if json_:
        lines = [{"file": str(one.file), "same": one.answer.name is not None} for one in seen]
        lines = [line | {"D": one.answer.D} for line, one in zip(lines, seen, strict=True)]
        _say_json(gallery, found, {"name": name, "answers": lines})
        return
    for one in seen:
        said = "yes" if one.answer.name is not None else "no"
        typer.echo(f"{said:4} {_against(one.answer.D, found.threshold)}  {one.file}")


@app.command()
def identify(gallery: GALLERY, pictures: PICTURES, json_: bool = JSON) -> None:
    """Who is on these? The nearest of all who are known, or nobody.

    Example: chainrule verify identify people.gallery door.png
    """
    from chainrule.vision.verification import gallery as gallery_file

    found, seen = gallery_file.identify(gallery, pictures)
    if json_:
        _say_json(gallery, found, {"answers": [one.to_dict() for one in seen]})
        return
    width = max(6, *(len(one.answer.name or "") for one in seen))
    for one in seen:
        answer = one.answer
        near = "" if answer.name else f"  nearest {answer.nearest}"
        said = _against(answer.D, found.threshold)
        typer.echo(f"{answer.name or 'nobody':{width}}  {said}  {one.file}{near}")


@app.command()
def forget(gallery: GALLERY, name: str, json_: bool = JSON) -> None:
    """Have GALLERY know NAME no longer.

    Example: chainrule verify forget people.gallery ada
    """
    from chainrule.vision.verification import gallery as gallery_file

    _say_known(gallery, gallery_file.forget(gallery, name), as_json=json_)


@app.command("gallery")
def list_gallery(gallery: GALLERY, json_: bool = JSON) -> None:
    """Who is known in GALLERY, the threshold, and the network.

    Example: chainrule verify gallery people.gallery
    """
    from chainrule.vision.verification.gallery import load_gallery

    _say_known(gallery, load_gallery(gallery), as_json=json_)


def _against(D: float, threshold: float) -> str:
    """Such as "D = 0.213 ≤ 0.400"."""
    return f"D = {D:.3f} {'≤' if threshold >= D else '>'} {threshold:.3f}"


def _say_known(path: str, gallery: Any, *, as_json: bool) -> None:
    if as_json:
        _say_json(path, gallery, {"names": list(gallery.names)})
        return
    typer.echo(f"{path}: {len(gallery.names):,} known to {gallery.network.title}")
    typer.echo(f"the same person where D ≤ {gallery.threshold:.3f}")
    for name in gallery.names:
        typer.echo(f"  {name}")


def _say_json(path: str, gallery: Any, said: dict[str, Any]) -> None:
    typer.echo(json.dumps({"gallery": path, "threshold": gallery.threshold, **said}))
