"""What `chainrule diagnose` trains for where it is asked: learning curves, parts drawn alike."""

from pathlib import Path
from typing import Any

from chainrule.cli.output import write
from chainrule.errors import OptionError


def further(run: str | None, *, curves: bool, alike: bool, output: str | None) -> dict[str, Any]:
    """The records that are asked for, by their names in JSON; each has `text` and `to_dict`."""
    check(run, curves=curves, alike=alike, output=output)
    if run is None or not (curves or alike):
        return {}
    from chainrule.strategy.alike import alike as compared
    from chainrule.strategy.alike import pairs_to_compare
    from chainrule.strategy.learning_curves import learning_curves
    from chainrule.train.again import data_of
    from chainrule.train.store import load

    model = load(run)
    data, found = data_of(model), {}
    if curves:
        found["learning_curves"] = learning_curves(model, data)
    if output is not None:
        from chainrule.inspection.learning_curves import picture_of_learning_curves

        picture = picture_of_learning_curves(found["learning_curves"], Path(run).name)
        write(picture, output)
    for first, second in pairs_to_compare(data) if alike else ():
        found[f"alike, {first} and {second}"] = compared(model, data, first, second)
    return found


def check(run: str | None, *, curves: bool, alike: bool, output: str | None) -> None:
    """Refuse what has no run to train again, and a picture of nothing."""
    if run is None and (curves or alike):
        where = "--curves" if curves else "--alike"
        raise OptionError(where, "a RUN to train again", "errors alone", "chainrule runs")
    if output is not None and not curves:
        expected = "--curves beside it, of which it is the picture"
        raise OptionError("--output", expected, "none", "--curves")
    if output is not None and Path(output).suffix.lower() != ".png":
        hint = f"{Path(output).stem}.png"
        raise OptionError("--output", "a name that ends in .png", output, hint)
