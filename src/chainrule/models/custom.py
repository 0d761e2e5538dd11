"""A convolutional network that is spelled out as a list of layers, from images to Z[L].

Notes: "One layer of a convolutional network", "CNN example" (course 4, week 1).

    conv 8 4x4 same, relu, max_pool 8, conv 16 2x2 same, relu, max_pool 4, flatten, dense 6

    conv N F [PADDING] [STRIDE]     N filters of F by F; F is 3 or 3x3
    depthwise F [PADDING] [STRIDE]  a filter of F by F for each channel
    max_pool F [PADDING] [STRIDE]   the maximum of windows of F by F
    average_pool F …                the average of windows of F by F
    global_average_pool             the average of each channel
    space_to_depth F                squares of F by F pixels become channels
    flatten                         a column for each image
    dense N                         a fully connected layer of N units
    batch_norm                      batch normalisation
    dropout P                       dropout that keeps a unit with probability P
    relu, leaky_relu, tanh, …       the activation of the layer before it

PADDING is "same", "valid" or "pad P" with P pixels on each side; STRIDE is "stride S". Unless they
are given, a convolution has same padding and stride 1, and a pooling layer valid padding and stride
F.
The last layer is dense, with one unit for each output: the cost contains the last activation. A
convolution or dense layer has no b if batch norm follows it at once, which would cancel it.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks.activations import identity, leaky_relu, relu
from chainrule.blocks.convolution import Padding, pads_of, size_after
from chainrule.choices import CUSTOM
from chainrule.errors import ChainruleError, OptionError, ShapeError, check_divides, did_you_mean
from chainrule.layers.allocation import check_size_first
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D, DepthwiseConv2D
from chainrule.layers.dropout import Dropout
from chainrule.layers.flatten import Flatten, SpaceToDepth
from chainrule.layers.initializers import Initializer, he, xavier
from chainrule.layers.layer import Layer
from chainrule.layers.pool import AveragePool, GlobalAveragePool, MaxPool
from chainrule.models.conv_network import ConvNetwork, Sizes
from chainrule.models.deep_network import ACTIVATIONS
from chainrule.models.units import Units
from chainrule.types import Key

EXAMPLES = {
    "conv": "conv 8 3x3 same stride 2",
    "depthwise": "depthwise 3x3 same",
    "max_pool": "max_pool 2",
    "average_pool": "average_pool 2",
    "global_average_pool": "global_average_pool",
    "space_to_depth": "space_to_depth 2",
    "flatten": "flatten",
    "dense": "dense 10",
    "batch_norm": "batch_norm",
    "dropout": "dropout 0.8",
}
"""An example of each kind of layer, apart from activations."""
NUMBERS = {"conv": ("N", "F"), "depthwise": ("F",), "max_pool": ("F",), "average_pool": ("F",)}
NUMBERS |= {"space_to_depth": ("F",), "dense": ("N",), "dropout": ("P",)}
"""The numbers that follow the name of a layer."""
WINDOWED = ("conv", "depthwise", "max_pool", "average_pool")
"""The layers with a padding and a stride."""
LINEAR = ("conv", "depthwise", "dense")
POOLS = {"max_pool": MaxPool, "average_pool": AveragePool}


class Item(NamedTuple):
    """A layer of the list: its position from 1, its text, its kind, its numbers, p and s."""

    position: int
    text: str
    kind: str
    n: int = 0
    f: int = 0
    keep_prob: float = 1.0
    p: Padding = "same"
    s: int = 1

    @property
    def place(self) -> str:
        """The place in messages, such as "layer 3 (max_pool 8)"."""
        return f"layer {self.position} ({self.text})"


@check_size_first
def custom_network(
    shape: Sequence[int],
    n_L: int,
    *,
    layers: str,
    key: Key,
    initializer: Initializer | None = None,
    dtype: DTypeLike = np.float32,
) -> ConvNetwork:
    """Build the network that the list `layers` spells out, for images (n_H, n_W, n_C).

    The default initialiser is the notes' choice: he if there is a (leaky) relu, otherwise xavier.
    Raises an error with the position of the layer if the list is not valid, if an image is too
    small for a layer, or if the last layer does not have n_L units.

    >>> layers = "conv 8 4x4, relu, max_pool 8, conv 16 2x2, relu, max_pool 4, flatten, dense 6"
    >>> network = custom_network((64, 64, 3), 6, layers=layers, key=jax.random.key(0))
    >>> [part.title for part in network.parts()[-2:]], network.title
    (['Flatten', 'Dense(64 -> 6)'], 'custom(64×64×3 -> 6)')
    """
    items = read_layers(layers)
    if items[-1].n != n_L:
        units = "1 unit" if n_L == 1 else f"{n_L:,} units"
        why = ", the logistic output for two classes or a number" if n_L == 1 else ""
        expected = f"{units}, as many as the network has outputs{why}"
        raise OptionError(items[-1].place, expected, str(items[-1].n), f"dense {n_L}")
    activations = {ACTIVATIONS[item.kind] for item in items if item.kind in ACTIVATIONS}
    usual = he if not activations or activations & {relu, leaky_relu} else xavier
    built = _built(items, tuple(shape), Units(key, initializer or usual, dtype))
    options = {"layers": spell_layers(items)}
    return ConvNetwork(list(built), name=CUSTOM, shape=shape, n_L=n_L, options=options)


def read_layers(text: str) -> list[Item]:
    """Parse a list of layers; refuse a list that is invalid for images of every size.

    >>> [item.kind for item in read_layers("flatten, dense 6")]
    ['flatten', 'dense']
    """
    texts = [" ".join(one.split()) for one in text.split(",")]
    items = [_read_item(position, one) for position, one in enumerate(texts, 1)]
    _check_order(items)
    return items


def spell_layers(items: Sequence[Item]) -> str:
    """Return the list of layers as text."""
    return ", ".join(item.text for item in items)


def with_outputs(layers: str, n_L: int) -> str:
    """Return the list of layers with another number of units in the last one.

    >>> with_outputs("flatten, dense 6", 2)
    'flatten, dense 2'
    """
    *others, last = read_layers(layers)
    return spell_layers([*others, last._replace(text=f"dense {n_L}")])


def _read_item(position: int, text: str) -> Item:
    """Read one layer of the list."""
    kind, *words = text.split() or [""]
    item = Item(position, text or "empty", kind.lower())
    if item.kind not in EXAMPLES and item.kind not in ACTIVATIONS:
        hint = did_you_mean(kind, [*EXAMPLES, *ACTIVATIONS])
        if item.kind == "softmax":
            hint = "leaving it out, since the last activation is part of the cost"
        raise OptionError(f"layer {position}", "the name of a layer", repr(kind), hint)
    item = item._replace(**_usual_window(item.kind))
    numbers = NUMBERS.get(item.kind, ())
    for name, word in zip_longest(numbers, words[: len(numbers)]):
        item = item._replace(**_number(item, name, word))
    item = _read_window(item, words[len(numbers) :])
    return item if item.s else item._replace(s=item.f)


def _usual_window(kind: str) -> dict[str, Any]:
    """Return the usual padding and stride; a stride of 0 stands for f."""
    return {"p": "valid", "s": 0} if kind in POOLS else {}


def _number(item: Item, name: str, word: str | None) -> dict[str, Any]:
    """Return the field of an item that is called `name` in the list of layers."""
    if name == "P":
        value = _converted(word, float)
        if value is None or not 0 < value <= 1:
            raise _wrong(item, "a probability above 0, and at most 1", word)
        return {"keep_prob": value}
    sides = word.lower().split("x") if word is not None and name == "F" else [word]
    values = {_converted(side, int) for side in sides}
    value = values.pop()
    if values and value is not None:
        raise _wrong(item, "a square of F by F, such as 3x3", word)
    if value is None or value < 1:
        what = "a number of filters or units" if name == "N" else "the side of a window"
        raise _wrong(item, f"{what} of at least 1", word)
    return {"n" if name == "N" else "f": value}


def _read_window(item: Item, words: Sequence[str]) -> Item:
    """Read the padding and the stride."""
    rest = list(words)
    while rest and item.kind in WINDOWED:
        word = rest.pop(0).lower()
        if word in ("same", "valid"):
            item = item._replace(p=word)
        elif word in ("stride", "pad"):
            value, least = _converted(rest[0], int) if rest else None, int(word == "stride")
            if value is None or value < least:
                expected = f"a whole number of at least {least} after {word!r}"
                raise _wrong(item, expected, rest[0] if rest else None)
            item = item._replace(**{"s" if word == "stride" else "p": value})
            rest.pop(0)
        else:
            raise _wrong(item, "same, valid, pad P or stride S", word)
    if rest:
        raise _wrong(item, "the end of the layer, or a comma", rest[0])
    return item


def _wrong(item: Item, expected: str, word: str | None) -> OptionError:
    got = "nothing" if word is None else repr(word)
    return OptionError(item.place, expected, got, EXAMPLES.get(item.kind, item.kind))


def _converted(word: str | None, kind: Callable) -> Any:
    """Return the word as a number, or None if it is not one."""
    try:
        return None if word is None else kind(word)
    except ValueError:
        return None


def _check_order(items: Sequence[Item]) -> None:
    """Refuse layers in an invalid order.

    An activation must follow a layer with weights or batch norm, layers on images must come before
    flatten, dense layers after it, and the last layer must be dense.
    """
    flat = False
    for before, item in zip([None, *items], items, strict=False):
        if item.kind in ACTIVATIONS and (
            before is None or before.kind not in (*LINEAR, "batch_norm")
        ):
            expected = "an activation after conv, depthwise, dense or batch_norm"
            got = "no layer before it" if before is None else f"an activation after {before.kind}"
            raise OptionError(item.place, expected, got, f"moving {item.kind}, or leaving it out")
        if item.kind == "dense" and not flat:
            raise OptionError(
                item.place,
                "flattened images, one vector for each",
                "images",
                f"flatten, {item.text}",
            )
        if flat and item.kind in (*WINDOWED, "global_average_pool", "space_to_depth", "flatten"):
            got = "flattened images, one vector for each"
            raise OptionError(item.place, "images", got, "moving this layer before flatten")
        flat = flat or item.kind == "flatten"
    last = items[-1]
    if last.kind != "dense":
        hint = f"leaving out {last.text}, which is part of the cost"
        hint = hint if last.kind in ACTIVATIONS else "adding dense 10 after it, for 10 classes"
        raise OptionError(last.place, "dense N as the last layer", last.text, hint)


def _built(items: Sequence[Item], sizes: Sizes, make: Units) -> Iterator[Layer]:
    """Yield the layers, each with the activation that follows it."""
    for item, after in zip_longest(items, items[1:]):
        if item.kind in ACTIVATIONS:
            continue
        following = "" if after is None else after.kind
        g = ACTIVATIONS.get(following, identity)
        try:
            yield _layer(item, sizes, make, g, bias=following != "batch_norm")
            sizes = _after(item, sizes)
        except ChainruleError as error:
            raise type(error)(item.place, error.expected, error.got, error.hint) from None


def _layer(item: Item, sizes: Sizes, make: Units, g: Callable, *, bias: bool) -> Layer:
    """Build one layer for an input of these sizes."""
    n_prev = sizes[-1]
    window = {"f": item.f, "s": item.s, "p": item.p}
    if item.kind == "conv":
        return Conv2D(n_prev, item.n, **window, activation=g, bias=bias, **make.start())
    if item.kind == "depthwise":
        return DepthwiseConv2D(n_prev, **window, activation=g, bias=bias, **make.start())
    if item.kind == "dense":
        return make.dense(n_prev, item.n, g, bias=bias)
    if item.kind == "batch_norm":
        images = len(sizes) == 3
        return BatchNorm(n_prev, activation=g, images=images, dtype=make.dtype)
    if item.kind == "dropout":
        return Dropout(item.keep_prob, dtype=make.dtype)
    if item.kind in POOLS:
        return POOLS[item.kind](item.f, s=item.s, p=item.p)
    if item.kind == "space_to_depth":
        return SpaceToDepth(item.f)
    return Flatten() if item.kind == "flatten" else GlobalAveragePool()


def _after(item: Item, sizes: Sizes) -> Sizes:
    """Return the sizes of the output, and refuse images that are too small for the layer."""
    if item.kind == "dense":
        return (item.n,)
    if item.kind == "flatten":
        return (int(np.prod(sizes)),)
    if item.kind == "global_average_pool":
        return (1, 1, sizes[2])
    if item.kind == "space_to_depth":
        check_divides(item.place, (1, *sizes), item.f)
        return (sizes[0] // item.f, sizes[1] // item.f, sizes[2] * item.f**2)
    if item.kind not in WINDOWED:
        return sizes
    n_H, n_W = (size_after(n, item.f, item.s, item.p) for n in sizes[:2])
    if min(n_H, n_W) < 1:
        least = item.f - sum(pads_of(item.p, item.f))
        expected = f"images of at least {least} by {least}"
        got = f"{sizes[0]} by {sizes[1]}, the output size of the layers before it"
        hint = "larger images, fewer pooling layers before it, or same padding"
        raise ShapeError(item.place, expected, got, hint)
    return (n_H, n_W, item.n or sizes[2])
