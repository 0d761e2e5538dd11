"""The network that a recipe names: hidden layers in columns, or one of the zoo for images.

    build        the network at its start, for what comes through the door
    described    the settings that a run keeps of it
    rebuilt      the same layers from the settings that a run keeps, to be filled with its arrays
    augmented    with a first layer that changes the pictures of each step (`Augment`)

A network of images takes the door's rows as columns and makes images of them itself (`Images`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from chainrule.data.augmentation import read_augmentation
from chainrule.errors import OptionError
from chainrule.layers.augment import Augment, augment_for
from chainrule.layers.flatten import Images
from chainrule.layers.initializers import zeros
from chainrule.layers.layer import Layer
from chainrule.layers.residual import Residual
from chainrule.models.conv_network import ConvNetwork, Shape
from chainrule.models.deep_network import INITIALIZERS, DeepNetwork
from chainrule.models.zoo import build as build_named
from chainrule.randomness import key_from_seed
from chainrule.train.door import Door
from chainrule.train.pixels import picture_shape
from chainrule.train.recipe import Recipe
from chainrule.types import Key

LOOKED_AT = 1000
"""Pictures whose colours tell the directions of the PCA kind of augmentation."""


def build(recipe: Recipe, door: Door, X: np.ndarray) -> Layer:
    """The network at its start; X (m, n_x) are the training part's rows, looked at for colours."""
    n_L, key = door.labels.n_outputs, key_from_seed(recipe.seed)
    if recipe.network is None:
        return DeepNetwork(
            (door.n_x, *recipe.layers, n_L),
            activation=recipe.activation,
            initializer=recipe.init,
            keep_prob=recipe.keep_prob,
            batch_norm=recipe.batch_norm,
            key=key,
        )
    shape = image_shape(recipe.network, door)
    network = build_named(recipe.network, shape, n_L, key=key, options=options_said(recipe))
    try:
        return augmented(network, recipe.augment or "none", X)
    except OptionError as error:  # a crop that leaves nothing of them
        raise error.inside("--augment") from None


def options_said(recipe: Any) -> dict[str, Any]:
    """What the recipe, or an estimator, says of a network of the zoo, but for augmentation."""
    usual = Recipe("")
    names = ("width", "precision", "activation", "batch_norm", "keep_prob")
    said = {name: getattr(recipe, name, getattr(usual, name)) for name in names}
    made = {name: value for name, value in said.items() if value != getattr(usual, name)}
    return made | ({} if recipe.init is None else {"initializer": INITIALIZERS[recipe.init]})


def image_shape(name: str, door: Door) -> Shape:
    """(n_H, n_W, n_C) of the pictures that come through this door; refused where there are none."""
    shape = picture_shape(door)
    if shape is None:
        got = f"rows of {door.n_x:,} numbers"
        if door.columns is not None:
            got = f"a table of {len(door.columns.columns)} columns"
        hint = "--hidden 64,32, or leaving out --network: the ladder"
        raise OptionError(f"--network {name}", "pictures", got, hint)
    n_H, n_W, *n_C = shape
    return n_H, n_W, n_C[0] if n_C else 1


def augmented(network: ConvNetwork, augment: str, X: np.ndarray) -> ConvNetwork:
    """The network with what `augment` says, and nothing else, done to the pictures of training.

    Some of the rows X tell in which directions colours vary, where that is asked for.
    """
    network, augmentation = _plain(network), read_augmentation(augment, network.shape)
    if not augmentation.strengths:
        return network
    images = np.zeros((1, *network.shape), np.float32)
    if augmentation.pca:
        images = np.asarray(X[:LOOKED_AT]).reshape(-1, *network.shape)
    first = (augment_for(images, augmentation),)
    return network.changed(first=first, options={"augment": str(augmentation)})


def described(network: Any) -> dict[str, Any]:
    """What it takes to build the network again, but for its arrays; for JSON."""
    return {"name": type(network).__name__, **network.settings}


def rebuilt(model: Mapping[str, Any], *, key: Key | None = None) -> Layer:
    """The network of these settings, its arrays still to be filled in; or drawn with a key."""
    settings = {name: value for name, value in model.items() if name != "name"}
    key = key_from_seed(0) if key is None else key
    if "network" not in settings:
        return DeepNetwork(**settings, initializer=zeros, key=key)
    name, shape, n_L = (settings.pop(part) for part in ("network", "shape", "n_L"))
    augment = settings.pop("augment", None)
    network = build_named(name, tuple(shape), n_L, key=key, options=settings)
    if augment is None:
        return network
    layer = Augment(read_augmentation(augment), directions=_unknown(augment, shape[2]))
    return network.changed(first=(layer,), options={"augment": augment})


def has_images(network: Layer) -> bool:
    """Whether it takes images."""
    return any(isinstance(part, Images) for part in network.parts()[:1])


def in_float32(network: Layer) -> Layer:
    """The same network, computing without rounding to a lower precision."""
    return network.changed(precision="float32") if isinstance(network, ConvNetwork) else network


def values_of(network: Layer, n_x: int) -> int:
    """Numbers that all the layers give for one example; shapes alone are worked out."""
    made = _made(network.parts(), jax.ShapeDtypeStruct((n_x, 1), np.float32))
    return sum((int(np.prod(shape)) for _, shape in made), start=n_x)


def products_of(network: Layer, n_x: int) -> int:
    """Products that a prediction takes for one example: each weight once at each place."""
    made = _made(network.parts(), jax.ShapeDtypeStruct((n_x, 1), np.float32))
    places = ((part, shape[1] * shape[2] if len(shape) == 4 else 1) for part, shape in made)
    return sum(int(np.size(part.W)) * count for part, count in places if hasattr(part, "W"))


def _made(parts: Sequence[Layer], A: Any) -> Iterator[tuple[Any, tuple[int, ...]]]:
    """Each layer, and the shape of what it gives for one example; inside blocks too."""
    for part in parts:
        if isinstance(part, Residual):
            yield from _made(part.main.parts(), A)
        A = jax.eval_shape(lambda part, A_prev: part(A_prev), part, A)
        yield part, A.shape


def _plain(network: ConvNetwork) -> ConvNetwork:
    """Without augmentation."""
    return ConvNetwork(
        [part for part in network.parts()[1:] if not isinstance(part, Augment)],
        name=network.name,
        shape=network.shape,
        n_L=network.n_L,
        options={name: value for name, value in network.options if name != "augment"},
        precision=network.precision,
    )


def _unknown(augment: str, n_C: int) -> np.ndarray | None:
    """A place for directions that the run's arrays fill."""
    return np.zeros((n_C, n_C), np.float32) if read_augmentation(augment).pca else None
