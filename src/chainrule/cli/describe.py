"""The command `chainrule describe`, which shows the layers of a run and what they detect.

With --devices, it shows the devices of the machine, and how convolutions are computed on them.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.cli.options import JSON
from chainrule.cli.output import say, say_json, write
from chainrule.errors import OptionError
from chainrule.runs import shared_options
from chainrule.runs.options import option

if TYPE_CHECKING:
    from chainrule.runs.run import Run


def describe(
    run: str | None = option(None, "The folder of a saved run.", "Data", "RUN", positional=True),
    trace: bool = shared_options.switch(
        "Show the forward and backward propagation of a few examples, step by step.",
        "Output",
        "--trace",
    ),
    examples: int = option(
        3, "Number of examples to show (only with --trace).", "Output", "N", minimum=1, example="3"
    ),
    features: bool = shared_options.switch(
        "Plot the filters of the first layer of a convolutional network and, for channels of each "
        "layer, the image patches that activate them most.",
        "Output",
        "--features",
    ),
    out: str | None = shared_options.new_folder(
        "Folder to which the plots of --features are written.", "RUN-features", writes=True
    ),
    devices: bool = shared_options.switch(
        "Show the devices, and how convolutions are computed on them; RUN is not needed.",
        "Output",
        "--devices",
    ),
    as_json: bool = JSON,
) -> None:
    """Show the layers of a run with their formulas and shapes, its training, and its results.

    Example: chainrule describe runs/digits-1 --trace
    """
    if devices:
        show_devices(as_json=as_json)
        return
    if run is None:
        hint = "chainrule runs, to list the runs, or --devices"
        raise OptionError("chainrule describe", "a RUN", "none", hint)
    from chainrule.cli import messages
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.inspection.run_plots import signal_table
    from chainrule.inspection.summary import summarize
    from chainrule.runs.folder import load
    from chainrule.runs.run import Run

    enable_compilation_cache()
    if features or out is not None:
        draw_features(load(run, "train"), out, as_json=as_json)
        return
    if trace:
        show_steps(load(run, "train"), examples, as_json=as_json)
        return
    model = load(run)
    cost = model.preprocessor.cost if isinstance(model, Run) else None
    summary = summarize(model.network, cost_name=cost)
    if as_json:
        line = {"run": str(model.path), **_kind_or_columns(model), "network": summary.to_dict()}
        line |= {"inputs": messages.scale_of(model).removeprefix("inputs: ")}
        line |= {"probabilities": messages.probabilities_of(model)}
        line |= {"recipe": model.recipe.to_dict(), "results": model.results}
        say_json(line | {"facts": model.facts})
        return
    say(summary.text(messages.columns()))
    say(messages.columns_of(model) + f"\n{messages.scale_of(model)}")
    if text := messages.probabilities_of(model):
        say(text)
    say(messages.origin(model))
    say(messages.format_curves(model.history))
    if model.history.signals:
        say(f"\n{signal_table(model.history)}")
    say(messages.results_of(model))


def _kind_or_columns(model: Any) -> dict[str, Any]:
    """Return the columns of a run of `chainrule train`, if it has any, or the kind of the run."""
    if model.kind != "train":
        return {"kind": model.kind}
    columns = model.preprocessor.columns
    return {} if columns is None else {"columns": columns.to_records()}


def show_devices(*, as_json: bool) -> None:
    """Print the devices, and how convolutions are computed on them."""
    from chainrule.host.machine import describe_devices

    found = describe_devices()
    if as_json:
        say_json(found)
    else:
        say(text(found))


def show_steps(model: "Run", count: int, *, as_json: bool) -> None:
    """Print the forward and backward pass of the first examples of the run's data."""
    import jax
    import numpy as np

    from chainrule.data.sequences import cut_to_longest
    from chainrule.data.streaming import is_streamed
    from chainrule.inspection.trace import show_trace, trace_to_dict
    from chainrule.layers.trace import trace
    from chainrule.runs.defaults import COSTS
    from chainrule.runs.gradients import run_examples
    from chainrule.train.step import columns

    part = run_examples(model, count)
    rows = part.X[:count]
    rows = np.asarray(rows) if is_streamed(rows) else cut_to_longest(rows)
    X, Y = (jax.device_put(jax.tree.map(np.asarray, columns(a))) for a in (rows, part.Y[:count]))
    steps = trace(model.network, X, Y, COSTS[model.preprocessor.cost])
    if as_json:
        say_json(trace_to_dict(steps))
    else:
        say(show_trace(steps))


def draw_features(model: "Run", out: str | None, *, as_json: bool) -> None:
    """Plot the filters of layer 1, and the image patches that activate the channels of each layer.

    The files are written next to the folder of the run, whose manifest lists all of its files.
    """
    from chainrule.host.files import describe_error
    from chainrule.inspection.feature_plots import plot_features
    from chainrule.inspection.features import layers_that_see

    layers_that_see(model.network.parts())  # refuses a network without any, before data is read
    source = model.read(model.recipe.source, split="train")
    pictures, found = plot_features(model, source)
    folder = Path(out or f"{model.path}-features")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = describe_error(error)
        raise OptionError(
            "--out", "a folder that can be created", reason, "another folder"
        ) from None
    for name, picture in pictures.items():
        write(picture, str(folder / name), "--out")
    if as_json:
        say_json({"folder": str(folder), "layers": [one.to_dict() for one in found]})
        return
    for one in found:
        silent = f", {one.silent} of them inactive" if one.silent else ""
        size = f"{one.field.size}×{one.field.size} pixels"
        seen = f"receptive field {size}, {one.n_C} channels{silent}"
        say(f"{folder}/layer{one.l}.png  {one.title}: {seen}")


def text(found: dict[str, Any]) -> str:
    """Return the description of the devices as lines of text."""
    kernel, half = found["kernel"], found["bfloat16"]
    return "\n".join(
        [
            f"backend: {found['backend']}, with jax {found['jax']}",
            *(f"  {device}" for device in found["devices"]),
            f"processors: {found['cores']} usable",
            f"convolutions in float32: {kernel['convolution']}; {kernel['why']}",
            f"convolutions in other types: {kernel['otherwise']}",
            f"bfloat16: {half}",
        ]
    )
