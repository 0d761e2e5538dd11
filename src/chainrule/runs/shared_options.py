"""Declarations of the options that several recipes and commands have in common.

    argument           a required argument, such as SOURCE or RUN
    switch             an option that is off unless it is given
    choice             an option with a few valid values, which its help lists
    number             an option whose value is a number, or chosen by chainrule
    positive           a number greater than 0
    count              an option whose value is a whole number, or chosen by chainrule
    separate_set       --dev, --test: where the examples of a set are
    column             --target, --weight, …: a column of a table
    folder             --images, --masks: where they are
    image_size         --image-size
    skip_unreadable    --skip-unreadable
    augment            --augment
    width              --width
    epochs             --epochs
    seed               --seed
    output             --output, -o: a file or folder to write
    new_folder         --out: a new folder for all results of a command

Each function declares one option. Its arguments are what differs between the recipes and commands;
`more` are further attributes of `Option`.
"""

from collections.abc import Sequence
from dataclasses import MISSING
from typing import Any

from chainrule.choices import AUGMENTATIONS
from chainrule.runs.options import option, read_image_size, spell_image_size


def argument(help: str, metavar: str, **more: Any) -> Any:
    """Declare a required argument of a command."""
    return option(MISSING, help, "Data", metavar, positional=True, **more)


def switch(help: str, panel: str, flag: str) -> Any:
    """Declare an option that is off unless its flag is given."""
    return option(False, help, panel, flags=flag)


def choice(
    default: str | None, choices: Sequence[str], help: str, panel: str = "Data", **more: Any
) -> Any:
    """Declare an option with a few valid values, which stand for it in the help."""
    return option(default, help, panel, "|".join(choices), choices=choices, **more)


def number(help: str, panel: str, default: str, *, example: str = "", **bounds: float) -> Any:
    """Declare a number; `default` is a text, and `example` a valid value if the default is none.

    `bounds` are those of `Option`.
    """
    example = example or default
    return option(None, help, panel, "NUMBER", example=example, default_text=default, **bounds)


def positive(help: str, panel: str, default: str, *, example: str = "") -> Any:
    """Declare a number greater than 0; `default` and `example` are as in `number`."""
    return number(help, panel, default, example=example, above=0)


def count(help: str, panel: str, default: str, *, example: str = "", minimum: int = 1) -> Any:
    """Declare a whole number; `default` and `example` are as in `number`."""
    example = example or default
    return option(None, help, panel, "N", minimum=minimum, example=example, default_text=default)


def separate_set(help: str, metavar: str, **more: Any) -> Any:
    """Declare where the dev or test set is, if it is not split off SOURCE."""
    return option(
        None,
        help,
        "Data",
        metavar,
        suggestions=("none",),
        default_text="split off SOURCE",
        **more,
    )


def column(help: str, **more: Any) -> Any:
    """Declare the name of a column of a table."""
    return option(None, help, "Data", "COLUMN", **more)


def folder(help: str, default: str, **more: Any) -> Any:
    """Declare a folder of the images or their masks; `default` is a text."""
    return option(None, help, "Data", "FOLDER", default_text=default, **more)


def image_size(default_text: str, **more: Any) -> Any:
    """Declare the height and width to which images are resized."""
    return option(
        None,
        "Resize all images to this height and width.",
        "Images",
        "HxW",
        minimum=1,
        parse=read_image_size,
        spell=spell_image_size,
        default_text=default_text,
        **more,
    )


def skip_unreadable(default: bool | None = False, **more: Any) -> Any:
    """Declare whether images that cannot be read are left out."""
    help = "Leave out images that cannot be read, and report how many."
    return option(default, help, "Images", flags="--skip-unreadable", **more)


def augment(images: str, crop: int, default: str) -> Any:
    """Declare the augmentation of the training images, with the pixels of a crop as an example."""
    return option(
        None,
        f"Random changes to {images}: {', '.join(AUGMENTATIONS)}; or auto, or none.",
        "Images",
        f"mirror,crop={crop}|auto|none",
        suggestions=("auto", "none", *AUGMENTATIONS),
        default_text=default,
    )


def width(layers: str = "every layer.", *, default: str, example: str = "0.5") -> Any:
    """Declare the factor for the number of channels of the layers."""
    help = f"Factor that multiplies the number of channels of {layers}"
    return positive(help, "Model", default, example=example)


def epochs(help: str, default: str) -> Any:
    """Declare the number of epochs; `default` is a text."""
    return count(help, "Training", default, example="100")


def seed(help: str, panel: str = "Training", **more: Any) -> Any:
    """Declare the seed of everything that is random."""
    return option(0, help, panel, "N", minimum=0, example="0", **more)


def output(help: str, metavar: str = "FILE", default: str | None = None, **more: Any) -> Any:
    """Declare the file or folder that a command writes."""
    return option(default, help, "Output", metavar, flags=("--output", "-o"), writes=True, **more)


def new_folder(help: str, default: str, **more: Any) -> Any:
    """Declare the folder that a command creates for its results."""
    return option(None, help, "Output", "FOLDER", default_text=default, **more)
