"""chainrule change: another learning rate or λ for a training that is running."""

import typer

from chainrule.cli.options import number, option
from chainrule.errors import OptionError


def change(
    run: str = typer.Argument(help="The run that is being trained.", show_default=False),
    learning_rate: str | None = option("α, from the next epoch on.", "NUMBER"),
    l2: str | None = option("λ, from the next epoch on.", "NUMBER"),
) -> None:
    """Change a training while it runs; it takes effect with the next epoch, and is written down.

    Example: chainrule change runs/digits-1 --learning-rate 0.0005
    """
    from chainrule.train.changes import Change
    from chainrule.train.partial import run_of
    from chainrule.train.requests import request

    asked = Change(
        number("--learning-rate", learning_rate, float, "0.001"), number("--l2", l2, float, "0.1")
    )
    if not asked.said:
        hint = f"chainrule change {run} --learning-rate 0.0005"
        raise OptionError("chainrule change", "--learning-rate or --l2", "neither", hint)
    request(run_of(run), asked)
    said = ", ".join(f"{name} {value:g}" for name, value in asked.said.items())
    typer.echo(f"{run}: {said} from the next epoch on")
