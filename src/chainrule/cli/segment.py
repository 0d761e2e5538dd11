"""chainrule segment: a class for every pixel, from pictures with masks to masks of new pictures."""

import json
from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli import vision
from chainrule.cli.options import checkpoint_seconds, image_size, number, option, use_threads

app = typer.Typer(
    help="A class for every pixel of a picture (U-Net).",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
JSON = typer.Option(False, "--json", help="End with one line of JSON.")


@app.command()
def train(
    source: Annotated[
        str | None,
        typer.Argument(
            help="A folder with images and masks in it, also in train, dev and test; or a .npz "
            "file of X and Y.",
            show_default=False,
        ),
    ] = None,
    masks: str | None = option("Where the masks are, if not in SOURCE/masks.", "FOLDER"),
    classes: str | None = option(
        "The names, and the values or colours of masks; SOURCE/classes.txt.", "FILE"
    ),
    ignored: str | None = option("Pixels of no class: their name, or value; 255.", "NAME|N"),
    dev: str | None = option("A dev part of its own, or none.", "SOURCE|none"),
    test: str | None = option("A test part of its own, or none.", "SOURCE|none"),
    image_size_: str | None = option(
        "Pictures are brought to this size; of most, the longer side 128.", "HxW", "--image-size"
    ),
    depth: str | None = option("How often U-Net halves its images; 4.", "N"),
    width: str | None = option("All channels (64 and on), times this; 0.25.", "NUMBER"),
    keep_prob: str | None = option("Of the channels at the bottom; 1.", "NUMBER", "--keep-prob"),
    class_weight: str | None = option(
        "Rare classes count more, or not.", "balanced|none", "--class-weight"
    ),
    augment: str | None = option(
        "Change the pictures of each step and their masks, or none.", "mirror,crop=8|…"
    ),
    epochs: str | None = option("Passes over the training part.", "N"),
    batch_size: str | None = option("Pictures per step; 16.", "N", "--batch-size"),
    learning_rate: str | None = option("α of Adam; 0.002.", "NUMBER", "--learning-rate"),
    seed: str | None = option("Of the split, the first weights, the order, the changes.", "N"),
    out: str | None = option("The run's folder, a new one; runs/NAME-N if left out.", "DIR"),
    resume: str | None = option("Go on with a training that was interrupted.", "RUN"),
    checkpoint_every: str | None = option("Seconds between checkpoints; 60.", "SECONDS"),
    threads: str | None = option("Processors to use.", "N"),
    json_: bool = JSON,
) -> None:
    """Train a U-Net on SOURCE, measure it, and save the run.

    Example: chainrule segment train street --classes colours.txt --ignored void
    """
    given = {
        "source": source,
        "masks": masks,
        "classes": classes,
        "ignored": ignored,
        "dev": dev,
        "test": test,
        "image_size": image_size(image_size_),
        "depth": number("--depth", depth, int, "4"),
        "width": number("--width", width, float, "0.25"),
        "keep_prob": number("--keep-prob", keep_prob, float, "0.8"),
        "class_weight": class_weight,
        "augment": augment,
        "epochs": number("--epochs", epochs, int, "100"),
        "batch_size": number("--batch-size", batch_size, int, "16"),
        "learning_rate": number("--learning-rate", learning_rate, float, "0.002"),
        "seed": number("--seed", seed, int, "0"),
    }
    use_threads(threads)
    every = checkpoint_seconds(checkpoint_every)
    vision.train("segment", given, out, resume, every, as_json=json_)


@app.command()
def evaluate(
    run: Annotated[str, typer.Argument(help="The folder of a run.")],
    source: Annotated[str, typer.Argument(help="Pictures with masks, as for train.")],
    masks: str | None = option("Where the masks are, if not in SOURCE/masks.", "FOLDER"),
    part: Annotated[
        str, typer.Option(help="train, dev or test, of a source that has them.")
    ] = "test",
    threads: str | None = option("Processors to use.", "N"),
    json_: bool = JSON,
) -> None:
    """Measure a U-Net on SOURCE: mean IoU, pixel accuracy, and the IoU of each class.

    Example: chainrule segment evaluate runs/street-1 more
    """
    use_threads(threads)
    from chainrule.vision.report import result_words
    from chainrule.vision.segmentation.task import classes_of, read_alike
    from chainrule.vision.task import kind_of

    system = vision.opened(run, "segment")
    found = read_alike(source, part, classes_of(system), system.network.shape, masks=masks)
    results = {Path(source).name: kind_of("segment").measure(system.model, found)}
    words = result_words("segment", results, system.names)
    typer.echo(json.dumps(next(iter(results.values()))) if json_ else words.lstrip("\n"))


@app.command()
def predict(
    run: Annotated[str, typer.Argument(help="The folder of a run.")],
    source: Annotated[str, typer.Argument(help="A picture, or a folder of pictures.")],
    output: str | None = option("A folder, new or empty: masks and overlays.", "FOLDER", "-o"),
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out pictures that cannot be read.")
    ] = False,
    threads: str | None = option("Processors to use.", "N"),
    json_: bool = JSON,
) -> None:
    """Say of each pixel what it belongs to: masks and overlays, and the share of each class.

    Example: chainrule segment predict runs/street-1 photos -o said
    """
    use_threads(threads)
    from chainrule.cli.output import write_folder
    from chainrule.vision.segmentation.task import as_csv, files_of, segmented

    system = vision.opened(run, "segment")
    found = list(segmented(system, source, skip_unreadable=skip_unreadable))
    if output is not None:
        write_folder(files_of(found, system), output)
    lines = [one.to_dict() for one in found]
    typer.echo(json.dumps(lines) if json_ else as_csv(found), nl=json_)
