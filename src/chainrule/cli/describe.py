"""chainrule describe: what a run is, layer by layer, step by step, and what its layers detect.

chainrule describe --devices: what computes here, and how convolutions are computed.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.cli.options import number
from chainrule.errors import OptionError


def describe(
    run: Annotated[
        str | None, typer.Argument(help="The folder of a run.", show_default=False)
    ] = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="A few examples, step by step, forward and back.")
    ] = False,
    examples: Annotated[
        str, typer.Option(help="How many examples for --trace.", metavar="N")
    ] = "3",
    features: Annotated[
        bool, typer.Option("--features", help="Pictures of what its convolutions detect.")
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(help="Where --features go; beside the run if left out.", metavar="FOLDER"),
    ] = None,
    devices: Annotated[
        bool, typer.Option("--devices", help="What computes here, and how; no RUN is needed.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Show a run: layers, formulas, shapes, parameters, memory, how it was trained, its results.

    Example: chainrule describe runs/digits-1 --trace
    """
    count = number("--examples", examples, int, "3", least=1)
    if devices:
        show_devices(as_json=json_)
        return
    if run is None:
        hint = "chainrule runs, to list them, or --devices"
        raise OptionError("chainrule describe", "a RUN", "none", hint)
    from chainrule.cli import messages, vision
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.inspection.run_plots import signal_table
    from chainrule.inspection.summary import summarize
    from chainrule.runs.folder import load
    from chainrule.runs.status import vision_task_of

    enable_compilation_cache()
    if vision_task_of(run) and not (trace or features or out):
        vision.describe(run, as_json=json_)
        return
    model = load(run)
    if features or out is not None:
        draw_features(model, out, as_json=json_)
        return
    if trace:
        show(model, count, as_json=json_)
        return
    summary = summarize(model.network, cost_name=model.preprocessor.cost)
    if json_:
        typer.echo(
            json.dumps(
                {
                    "run": str(model.path),
                    "network": summary.to_dict(),
                    "recipe": model.recipe.to_dict(),
                    "results": model.results,
                    "facts": model.facts,
                }
            )
        )
        return
    typer.echo(summary.text(messages.columns()))
    typer.echo(messages.recipe(model))
    typer.echo(messages.curves(model.history))
    typer.echo(f"\n{signal_table(model.history)}" if model.history.signals else "")
    typer.echo(messages.results(model.results))


def show_devices(*, as_json: bool) -> None:
    """What computes here."""
    from chainrule.host.machine import describe_devices

    found = describe_devices()
    typer.echo(json.dumps(found) if as_json else text(found))


def show(model, count: int, *, as_json: bool) -> None:
    """The notes' two loops on the first examples of the run's data."""
    import jax
    import numpy as np

    from chainrule.inspection.trace import show_trace, trace_to_dict
    from chainrule.layers.trace import trace
    from chainrule.runs.defaults import COSTS
    from chainrule.runs.gradients import run_examples

    part = run_examples(model, count)
    X, Y = (jax.device_put(np.asarray(a[:count]).T) for a in (part.X, part.Y))
    steps = trace(model.network, X, Y, COSTS[model.preprocessor.cost])
    typer.echo(json.dumps(trace_to_dict(steps)) if as_json else show_trace(steps))


def draw_features(model, out: str | None, *, as_json: bool) -> None:
    """The first filters, and what excites each layer most in the data that the run was trained on.

    Beside the run and not in it: its files are sealed by their checksums.
    """
    from chainrule.cli.output import write
    from chainrule.inspection.feature_plots import plot_features
    from chainrule.inspection.features import layers_that_see
    from chainrule.runs.prepare import read_like

    layers_that_see(model.network.parts())  # says so where there are none, before data are read
    source = read_like(model.recipe, model.preprocessor.shape, model.recipe.source, part="train")
    pictures, found = plot_features(model, source)
    folder = Path(out or f"{model.path}-features")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OptionError("--out", "a folder that can be made", reason, "another") from None
    for name, picture in pictures.items():
        write(picture, str(folder / name), "--out")
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "layers": [one.to_dict() for one in found]}))
        return
    for one in found:
        silent = f", {one.silent} of them silent" if one.silent else ""
        seen = f"sees {one.field.size}×{one.field.size} pixels, {one.n_C} channels{silent}"
        typer.echo(f"{folder}/layer{one.l}.png  {one.title}: {seen}")


def text(found: dict[str, Any]) -> str:
    """A line for each thing to know."""
    kernel, half = found["kernel"], found["bfloat16"]
    return "\n".join(
        [
            f"backend: {found['backend']}, with jax {found['jax']}",
            *(f"  {device}" for device in found["devices"]),
            f"processors: {found['cores']} to use",
            f"convolutions in float32: {kernel['convolution']}; {kernel['why']}",
            f"convolutions in other types: {kernel['otherwise']}",
            f"bfloat16: {half}",
        ]
    )
