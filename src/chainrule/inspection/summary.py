"""A network as a table: the formula, shapes, parameters and memory of each layer.

Notes: "Getting your matrix dimensions right" (course 1, week 4).

    W[l] (n_l, n_prev)   b[l] (n_l, 1)   Z[l], A[l] (n_l, m);   dV has the shape of V

The cache holds the arrays that the forward pass keeps for the backward pass: A[0] … A[L], each
counted once, since the A of one layer is the A_prev of the next. Shapes come from an abstract
evaluation of the network, without numbers. Products are the multiplications (MACs) for one example,
see `models/conv_network.py`.

For a network on images, the table has the sizes, parameters and multiplications of each layer;
notes: "CNN example" (course 4, week 1), "MobileNet" (course 4, week 2), "U-Net" (week 3). A
residual block has two lines. Each level of a U-Net has a line: its convolutions on the way down, ⇒
for the skip connection, and its convolutions on the way up.

The multiplications are those of `models/conv_network.py` for one image. The text below the table
compares the cost of each depthwise convolution and the 1 by 1 convolution after it with that of a
plain convolution of the same sizes: the ratio is 1/n_C' + 1/f².
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any

import jax
import numpy as np

from chainrule.errors import ShapeError, check_choice
from chainrule.formatting import aligned, count_of, format_bytes
from chainrule.inspection.formulas import Place, array_names, one_line, places
from chainrule.layers.branches import Branches
from chainrule.layers.conv import Conv2D, ConvTranspose2D, DepthwiseConv2D
from chainrule.layers.face_embedding import Mirrored
from chainrule.layers.flatten import Images
from chainrule.layers.layer import Layer, count_parameters, named_arrays, split_parameters
from chainrule.layers.residual import Residual
from chainrule.layers.skip import Padded, Skip
from chainrule.layers.steps import Steps
from chainrule.models.conv_network import Pair, multiplications, separable_pairs, walk
from chainrule.models.ensemble import Ensemble
from chainrule.models.language_model import LanguageModel
from chainrule.models.sequence_network import SequenceNetwork
from chainrule.models.translator import DECODERS, Translator
from chainrule.train.step import SequenceRow, batch_like


def image_table(rows: Sequence[Sequence[str]], totals: Sequence[str]) -> list[str]:
    """Return a row of l, formula, A[l], parameters and MACs for each layer, a rule, and the totals.

    MACs are multiply-accumulate operations: the multiplications for one image.
    """
    head = ["l", "formula", "A[l]", "parameters", "MACs"]
    first, *body, last = aligned([head, *rows, ["", "total", "", *totals]], right=[3, 4])
    rule = "─" * max(map(len, (first, *body, last)))
    return [first, rule, *body, rule, last]


def block(layer: Layer) -> str:
    """Describe the convolutions of a residual block, of branches, of a U-Net or of a `Mirrored`.

    For example "1×1 64 → 3×3 64 /2 → 1×1 256; shortcut 1×1"; "" for any other layer.
    """
    if isinstance(layer, Padded):
        return "\n".join(_levels(layer.main.parts()))
    if isinstance(layer, Mirrored):
        return _row(layer.main.parts())
    if isinstance(layer, Branches):
        return "\n".join(filter(None, (_row(side.parts()) for side in layer.branches)))
    if not isinstance(layer, Residual):
        return ""
    shortcut = "; shortcut 1×1" if layer.shortcut else ""
    return f"{_row(layer.main.parts())}{shortcut}"


def _levels(parts: Sequence[Layer], size: int = 1) -> list[str]:
    """Return a line for each level of a U-Net, whose images are 1/size as high and wide."""
    side = f"1/{size}".ljust(6)
    at = next((i for i, one in enumerate(parts) if isinstance(one, Skip)), None)
    if at is None:
        return [f"{side}{_row(parts)}"]
    skip, below = parts[at], size * 2
    assert isinstance(skip, Skip)
    line = f"{side}{_row(parts[:at])} ⇒ {_row(parts[at + 1 :])}"
    return [line, *_levels(skip.main.parts(), below)]


def _row(parts: Sequence[Layer]) -> str:
    """Return the convolutions among the layers on one line, such as "3×3 64 → 3×3 64"."""
    kinds = (Conv2D, DepthwiseConv2D, ConvTranspose2D)
    return " → ".join(_convolution_text(one) for one in parts if isinstance(one, kinds))


def _convolution_text(layer: Conv2D | DepthwiseConv2D | ConvTranspose2D) -> str:
    f, n_C = layer.W.shape[0], layer.W.shape[-1]
    kind = {DepthwiseConv2D: "depthwise ", ConvTranspose2D: "transposed "}.get(type(layer), "")
    return f"{kind}{f}×{f} {n_C}{f' /{layer.s}' if layer.s > 1 else ''}"


def separable(pairs: Sequence[Pair]) -> str:
    """Compare the cost of depthwise separable and plain convolutions; "" if there are none."""
    if not pairs:
        return ""
    cost, plain = sum(pair.multiplications for pair in pairs), sum(pair.plain for pair in pairs)
    ratios = [f"{ratio:.3f}" for ratio in sorted(pair.ratio for pair in pairs)]
    ends = dict.fromkeys((ratios[0], ratios[-1]))
    each = f"ranges from {' to '.join(ends)}" if len(ends) > 1 else f"is {ratios[0]}"
    return (
        f"{count_of(len(pairs), 'depthwise separable convolution')}: {cost:,} multiplications "
        "instead of\n"
        f"{plain:,} with plain convolutions, a ratio of {cost / plain:.3f}; "
        f"1/n_C' + 1/f² {each}"
    )


OUTPUTS = {"logistic": "sigmoid", "softmax": "softmax", "squared": "", "absolute": ""}
"""The output activation of each cost; "" if Z[L] is the prediction itself."""

Shape = tuple[int | str, ...]

COLUMNS = 2
"""Up to this many kinds of arrays, such as W and b, have a column each."""


@dataclass(frozen=True)
class LayerSummary:
    """One layer: its number l, its formulas, the shapes of its arrays and of A[l].

    `arrays` are its parameters; `remembered` are arrays that are not learned, such as the averages
    of batch norm. `block` lists the convolutions of a residual block or a U-Net; `products` counts
    the multiplications for one example.
    """

    number: int
    title: str
    formulas: tuple[str, ...]
    arrays: dict[str, tuple[int, ...]]
    remembered: dict[str, tuple[int, ...]]
    A: Shape
    parameters: int
    cache_bytes: int
    products: int = 0
    block: str = ""


@dataclass(frozen=True)
class Summary:
    """The input as layer 0, the layers, and the totals.

    If m is None, the shapes show the letter m, and the cache is that of one example. `separable`
    is a text on the cost of depthwise separable convolutions, if the network has any. The layers
    of an ensemble are those of one of its `members`, and the totals are those of all members.
    """

    title: str
    m: int | None
    layers: tuple[LayerSummary, ...]
    parameters: int
    parameter_bytes: int
    cache_bytes: int
    products: int = 0
    separable: str = ""
    members: int = 1

    @property
    def images(self) -> bool:
        """Return whether the input or an intermediate A[l] consists of images."""
        return any(len(layer.A) == 4 for layer in self.layers)

    @property
    def sequences(self) -> bool:
        """Return whether the input consists of sequences."""
        return "T" in self.layers[0].A

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain data for JSON."""
        return asdict(self)

    def text(self, width: int | None = None) -> str:
        """Return the summary as a table that fits the width.

        A table that is too wide loses its cache column, or becomes a paragraph for each layer. A
        network on images with many kinds of arrays has a table of its own: `inspection/summary.py`.
        """
        images = self.images and len(_kinds(self)) > COLUMNS
        table = _image_table(self) if images else _table(self)
        if width is not None and not images and len(table[0]) > width:
            table = _table(self, cache=False)
        if width is not None and max(map(len, table)) > width:
            table = _paragraphs(self)
        footer = ["", self.separable] if self.separable else []
        return "\n".join([*_head(self), "", *table, *footer])


def summarize(
    network: Layer,
    *,
    m: int | None = None,
    cost_name: str | None = None,
    example: Sequence[int] | None = None,
) -> Summary:
    """Summarise a network for m examples.

    `cost_name` (logistic, softmax, squared, absolute) determines the activation after Z[L].
    `example` is the shape of one example, (n_x,) or (n_H, n_W, n_C), by default that of layer 1. Of
    a network for sequences the number of steps is shown as T, and the cache is that of one step.
    """
    if cost_name is not None:
        check_choice("summarize(cost_name=…)", cost_name, OUTPUTS)
    if isinstance(network, Ensemble):
        return _of_members(network, m=m, cost_name=cost_name, example=example)
    parts = network.parts()
    if isinstance(network, Translator):
        parts = (*network.encoder, network.decoder)
    layer_places = places(parts)
    numbers = [place.l for place in layer_places]
    if isinstance(network, SequenceNetwork | LanguageModel | Translator):
        numbered = np.int32 if network.tokens else np.float32
        step = () if network.tokens else (getattr(network, "n_x", 1),)
        sizes: Any = SequenceRow((1, *step), np.dtype(numbered))
    else:
        sizes = tuple(example or _example(network))
    (X, X_bytes), *outputs = _shapes(parts, numbers, sizes, m)
    products, pairs = [0] * len(parts), []
    if not isinstance(sizes, SequenceRow):
        products = [multiplications(layer, before) for layer, before, _ in walk(parts, sizes)]
        pairs = separable_pairs(parts, sizes)
    rows = [LayerSummary(0, "input", ("A[0] = X",), {}, {}, X, 0, X_bytes)]
    for place, (A, size), count in zip(layer_places, outputs, products, strict=True):
        layer, lines = place.layer, (one_line(place),)
        arrays, remembered = (_array_shapes(half) for half in split_parameters(layer))
        rows.append(
            LayerSummary(
                number=place.l,
                title=layer.title,
                formulas=lines + _prediction(place, cost_name)
                if place is layer_places[-1]
                else lines,
                arrays=arrays,
                remembered=remembered,
                A=A,
                parameters=count_parameters(layer),
                cache_bytes=size,
                products=count,
                block=block(layer),
            )
        )
    return Summary(
        title=network.title,
        m=m,
        layers=tuple(rows),
        parameters=count_parameters(network),
        parameter_bytes=sum(x.nbytes for x in jax.tree.leaves(split_parameters(network)[0])),
        cache_bytes=sum(row.cache_bytes for row in rows),
        products=sum(products),
        separable=separable(pairs),
    )


def _of_members(ensemble: Ensemble, **options: Any) -> Summary:
    """Return the summary of a member, with the totals of all members."""
    one, K = summarize(ensemble.member(0), **options), ensemble.count
    names = ("parameters", "parameter_bytes", "cache_bytes", "products")
    totals = {name: K * getattr(one, name) for name in names}
    return replace(one, title=ensemble.title, members=K, **totals)


def _prediction(last: Place, cost_name: str | None) -> tuple[str, ...]:
    """Return the formula of the output activation that belongs to the cost."""
    if cost_name is None:
        return ()
    g, prediction = OUTPUTS[cost_name], f"A[{last.l}]" if last.gives_Z else "Ŷ"
    return (f"{prediction} = {f'{g}({last.A})' if g else last.A}",)


def _array_shapes(layer: Layer) -> dict[str, tuple[int, ...]]:
    arrays = zip(array_names(layer), jax.tree.leaves(layer), strict=True)
    return {name: array.shape for name, array in arrays}


def _example(network: Layer) -> tuple[int, ...]:
    """Return the shape of one example: the image shape, or the number of columns of the first W."""
    first = next(iter(network.parts()), None)
    return first.shape if isinstance(first, Images) else (_n_x(network),)


def _n_x(network: Layer) -> int:
    """Return the number of columns of the first W."""
    W = next((x for name, x in named_arrays(network).items() if name.startswith("W")), None)
    if W is None or W.ndim != 2:
        raise ShapeError(
            f"summarize({network.title})",
            "a first layer with W (n_l, n_x), which gives the number of inputs",
            "no W" if W is None else f"W {W.shape}",
            "example=(n_x,), or example=(n_H, n_W, n_C) for images",
        )
    return W.shape[1]


def _shapes(
    parts: Sequence[Layer], numbers: Sequence[int], row: Any, m: int | None
) -> list[tuple[Shape, int]]:
    """Return the shape and the bytes of A[0] and of the output of each layer.

    The shapes are computed for two numbers of examples, and of steps, which shows which axis is m,
    and which is T.
    """
    two, three = (_abstract_outputs(parts, numbers, row, count) for count in SIZES)
    found = []
    for a, b in zip(two, three, strict=True):
        axes = [AXES.get((i, j), "") for i, j in zip(a.shape, b.shape, strict=True)]
        known: Mapping[str, int] = {"m": m or 1, "T": 1}
        sizes = [known.get(axis, int(n)) for axis, n in zip(axes, a.shape, strict=True)]
        pairs = zip(axes, sizes, strict=True)
        shape = tuple("T" if axis == "T" else "m" if axis and m is None else n for axis, n in pairs)
        found.append((shape, a.dtype.itemsize * prod(sizes)))
    return found


SIZES = (2, 7), (3, 11)
"""The numbers of examples and of steps for which shapes are computed."""
AXES = {(2, 3): "m", (7, 11): "T"}


def _abstract_outputs(parts, numbers, row, sizes) -> list[Any]:
    arrays, (m, T) = jax.tree.leaves(parts), sizes
    if isinstance(row, SequenceRow):
        row = row._replace(shape=(T, *row.shape[1:]))
    A: Any = batch_like(row, m, arrays[0].dtype if arrays else np.float32)
    X, outputs = A, [A.values if isinstance(A, Steps) else A]
    for layer, l in zip(parts, numbers, strict=True):
        A = (A, X) if isinstance(layer, DECODERS) else A  # which takes the target as well
        try:
            A = jax.eval_shape(lambda layer, A_prev: layer(A_prev), layer, A)
        except ShapeError as error:
            raise error.inside(f"layer {l}") from None
        outputs.append(A.values if isinstance(A, Steps) else A)
    return outputs


def _head(summary: Summary) -> list[str]:
    examples = "one example" if summary.m in (None, 1) else f"{summary.m:,} examples"
    examples = f"one step of {examples}" if summary.sequences else examples
    products = f"; {summary.products:,} MACs for one image" if summary.images else ""
    members = ""
    if summary.members > 1:
        each = summary.parameters // summary.members
        members = f" in {summary.members} members of {each:,}"
    return [
        summary.title,
        f"{count_of(summary.parameters, 'parameter')}{members}, "
        f"{format_bytes(summary.parameter_bytes)}{products}",
        f"{format_bytes(summary.cache_bytes)} of cache for {examples}: A[0] … A[L], "
        "kept for backward",
    ]


def _table(summary: Summary, *, cache: bool = True) -> list[str]:
    """Return the table: a row for each layer, and another row for a second formula.

    Each kind of array has a column, or all of them share one if there are many kinds.
    """
    names = _kinds(summary)
    few = len(names) <= COLUMNS
    columns = [f"{name}[l]" for name in names] if few else ["arrays"]
    head = ["l", "formula", *columns, "A[l]", "parameters", "cache"]
    rows = []
    for layer in summary.layers:
        first, *more = layer.formulas
        shapes = [_shape(layer.arrays[name]) if name in layer.arrays else "" for name in names]
        arrays = shapes if few else [_grouped(layer.arrays)]
        sizes = [f"{layer.parameters:,}" if layer.arrays else "", format_bytes(layer.cache_bytes)]
        rows.append([str(layer.number), first, *arrays, _shape(layer.A), *sizes])
        rows += [["", line, *[""] * (len(head) - 2)] for line in more]
    each = [total // summary.members for total in (summary.parameters, summary.cache_bytes)]
    totals = [f"{each[0]:,}", format_bytes(each[1])]
    total = "total" if summary.members == 1 else "total of a member"
    rows.append(["", total, *[""] * (len(head) - 4), *totals])
    right = [len(head) - 2, len(head) - 1]
    cells = [row if cache else row[:-1] for row in (head, *rows)]
    first, *body, totals = aligned(cells, right)
    rule = "─" * len(first)
    return [first, rule, *body, rule, totals]


def _kinds(summary: Summary) -> list[str]:
    return list(dict.fromkeys(name for layer in summary.layers for name in layer.arrays))


def _image_table(summary: Summary) -> list[str]:
    """Return the table for images; blocks and second formulas have rows of their own."""
    rows = []
    for layer in summary.layers:
        first, *more = layer.formulas
        W = f", W {_shape(layer.arrays['W'])}" if "W" in layer.arrays else ""
        counts = [f"{n:,}" if n else "" for n in (layer.parameters, layer.products)]
        rows.append([str(layer.number), first + W, _shape(layer.A), *counts])
        rows += [["", f"  {line}", "", "", ""] for line in (*layer.block.splitlines(), *more)]
    return image_table(rows, [f"{summary.parameters:,}", f"{summary.products:,}"])


def _paragraphs(summary: Summary) -> list[str]:
    """Return a paragraph for each layer, for narrow terminals and layers with many arrays."""
    lines = []
    for layer in summary.layers:
        first, *more = layer.formulas
        lines += [f"{layer.number}  {first}", *(f"   {line}" for line in more)]
        shapes = [_grouped(layer.arrays), f"A {_shape(layer.A)}"]
        lines.append("   " + "  ".join(filter(None, shapes)))
        if layer.remembered:
            lines.append(f"   not learned: {_grouped(layer.remembered)}")
        counted = f"{count_of(layer.parameters, 'parameter')}, " if layer.arrays else ""
        lines.append(f"   {counted}{format_bytes(layer.cache_bytes)} of cache")
    return lines


def _grouped(arrays: dict[str, tuple[int, ...]]) -> str:
    """Return arrays grouped by shape, such as "W (4, 3)  gamma, beta (4, 1)"; scalars have none."""
    by_shape = {}
    for name, shape in arrays.items():
        by_shape.setdefault(shape, []).append(name)
    return "  ".join(
        f"{', '.join(names)} {_shape(shape) if shape else ''}".strip()
        for shape, names in by_shape.items()
    )


def _shape(shape: Shape) -> str:
    return f"({', '.join(map(str, shape))})"
