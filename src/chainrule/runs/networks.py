"""Build the network of a recipe: fully connected, for sequences, or one of the zoo for images.

    build              returns the initial network for the preprocessed data
    network_settings   returns the settings of a network that its run stores
    rebuild_network    returns a network with these settings, without the trained arrays
    restore_network    returns a saved network with its arrays, after checking both
    augmented          adds a first layer that augments the images of each step (`Augment`)

A network for images takes flattened rows as columns and reshapes them to images itself (`Images`).

Convert images in scikit-learn's form, as rows or as an array, for a convolutional network.

rows_of               converts images (m, n_H, n_W) or (m, n_H, n_W, n_C) to rows (m, n_x)
resolve_image_shape   returns (n_H, n_W, n_C), as given or inferred from the images
check_image_shape     refuses images whose shape differs from that of the training images
as_images             converts an array of images to (m, n_H, n_W, n_C)
learn_pixel_scale     returns how the training images are scaled, which belongs to the model
scaled_pixels         converts pixels of any type to float32 in the scale of the model
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NotRequired, Required, TypedDict, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from chainrule.choices import CUSTOM
from chainrule.data.augmentation import read_augmentation
from chainrule.data.scaling import are_fractions, value_range, white_level
from chainrule.errors import ChainruleError, DataError, OptionError, ShapeError
from chainrule.formatting import count_of
from chainrule.host.randomness import key_from_seed, seed_of_member
from chainrule.host.reading import Positive, Share, convert
from chainrule.layers.allocation import only_shapes
from chainrule.layers.augment import Augment, augment_for
from chainrule.layers.branches import Branches
from chainrule.layers.flatten import Images
from chainrule.layers.initializers import zeros
from chainrule.layers.layer import Layer, named_arrays, replace_arrays
from chainrule.layers.residual import Residual
from chainrule.models.conv_network import ConvNetwork, Shape
from chainrule.models.deep_network import INITIALIZERS, DeepNetwork
from chainrule.models.ensemble import Ensemble
from chainrule.models.language_model import LanguageModel
from chainrule.models.sequence_network import SequenceNetwork
from chainrule.models.translator import Translator
from chainrule.models.zoo import build as build_named
from chainrule.runs.initial_weights import scale_weights, with_initial_weights
from chainrule.runs.preprocessing import Preprocessor, picture_shape, square
from chainrule.runs.recipe import Recipe
from chainrule.types import Key

DEEPEST = 2**16 - 1
LOOKED_AT = 1000
"""The number of images from which the colour directions of PCA augmentation are computed."""


def build(recipe: Recipe, preprocessor: Preprocessor, X: np.ndarray) -> Layer:
    """Build the initial network; X (m, n_x), the training rows, are used for PCA colour shift."""
    if recipe.member_count > 1:
        seeds = [seed_of_member(recipe.seed, k) for k in range(recipe.member_count)]
        members = (replace(recipe, members=1, seed=seed) for seed in seeds)
        return Ensemble.of([build(one, preprocessor, X) for one in members], preprocessor.cost)
    network = _initial(recipe, preprocessor, X)
    if recipe.init_scale is not None:
        network = scale_weights(network, recipe.init_scale)
    if recipe.initial_weights is not None:
        network = with_initial_weights(network, recipe.initial_weights)
    return network


def _initial(recipe: Recipe, preprocessor: Preprocessor, X: np.ndarray) -> Layer:
    """Build the network with newly drawn weights."""
    n_L, key = preprocessor.labels.n_outputs, key_from_seed(recipe.seed)
    if recipe.reads_sequences:
        return SequenceNetwork(
            str(recipe.network),
            preprocessor.n_x,
            n_L,
            hidden=recipe.hidden_sizes,
            tokens=preprocessor.vocabulary is not None,
            bidirectional=recipe.bidirectional,
            keep_prob=cast(float, recipe.keep_prob),
            key=key,
        )
    if recipe.network is None:
        return fully_connected(recipe, preprocessor.n_x, n_L)
    shape = image_shape(recipe.network, preprocessor)
    options = given_network_options(recipe)
    try:
        network = build_named(recipe.network, shape, n_L, key=key, options=options)
    except ChainruleError as error:
        raise error.inside("--layers") if recipe.layers is not None else error from None
    try:
        return augmented(network, recipe.augment or "none", X)
    except OptionError as error:  # a crop that is too large for the images
        raise error.inside("--augment") from None


def fully_connected(recipe: Recipe, n_x: int, n_L: int) -> DeepNetwork:
    """Build the fully connected network of a recipe for this number of inputs and outputs."""
    return DeepNetwork(
        (n_x, *recipe.hidden_sizes, n_L),
        activation=recipe.activation,
        initializer=recipe.init,
        keep_prob=recipe.keep_prob,
        batch_norm=recipe.batch_norm,
        key=key_from_seed(recipe.seed),
    )


def given_network_options(recipe: Any) -> dict[str, Any]:
    """Return the non-default network options of a recipe or estimator, without augmentation."""
    defaults = Recipe("")
    names = ("layers", "width", "precision", "activation", "batch_norm", "keep_prob")
    options = {name: getattr(recipe, name, getattr(defaults, name)) for name in names}
    given = {name: value for name, value in options.items() if value != getattr(defaults, name)}
    return given | ({} if recipe.init is None else {"initializer": INITIALIZERS[recipe.init]})


def image_shape(name: str, preprocessor: Preprocessor) -> Shape:
    """Return the shape (n_H, n_W, n_C) of the images, and refuse data without images."""
    shape = picture_shape(preprocessor)
    if shape is None:
        got = f"rows of {count_of(preprocessor.n_numbers, 'number')}"
        if preprocessor.columns is not None:
            got = f"a table of {count_of(len(preprocessor.columns.columns), 'column')}"
        option = "--layers" if name == CUSTOM else f"--network {name}"
        left_out = option.partition(" ")[0]
        hint = f"--hidden 64,32, or leaving out {left_out}, which leaves the choice to chainrule"
        raise OptionError(option, "images", got, hint)
    n_H, n_W, *n_C = shape
    return n_H, n_W, n_C[0] if n_C else 1


def augmented(network: ConvNetwork, augment: str, X: np.ndarray) -> ConvNetwork:
    """Return the network with the augmentation `augment` in place of any that it has.

    For PCA augmentation the directions in which colours vary are computed from some of the rows X.
    """
    network, augmentation = (
        _without_augmentation(network),
        read_augmentation(augment, network.shape),
    )
    if not augmentation.strengths:
        return network
    images = np.zeros((1, *network.shape), np.float32)
    if augmentation.pca:
        images = np.asarray(X[:LOOKED_AT]).reshape(-1, *network.shape)
    first = (augment_for(images, augmentation),)
    return network.changed(first=first, options={"augment": str(augmentation)})


def network_settings(network: Any) -> dict[str, Any]:
    """Return plain data for JSON from which the network, without its arrays, can be rebuilt."""
    return {"name": type(network).__name__, **network.settings}


def rebuild_network(model: Mapping[str, Any], *, key: Key | None = None) -> Layer:
    """Build the network with these settings; its arrays are filled in later, or drawn by `key`."""
    settings = {name: value for name, value in model.items() if name != "name"}
    key = key_from_seed(0) if key is None else key
    if "members" in settings:
        count, cost = settings.pop("members"), settings.pop("cost")
        member = rebuild_network(settings, key=key)
        stacked = jax.tree.map(lambda x: jnp.broadcast_to(x, (count, *x.shape)), member)
        return Ensemble(stacked, cost)
    if "sequence" in settings:
        return SequenceNetwork(settings.pop("sequence"), **settings, key=key)
    if "language" in settings:
        return LanguageModel(settings.pop("language"), **settings, key=key)
    if "translator" in settings:
        return Translator(settings.pop("translator"), **settings, key=key)
    if "network" not in settings:
        return DeepNetwork(**settings, initializer=zeros, key=key)
    name, shape, n_L = (settings.pop(part) for part in ("network", "shape", "n_L"))
    augment = settings.pop("augment", None)
    network = build_named(name, tuple(shape), n_L, key=key, options=settings)
    if augment is None:
        return network
    layer = Augment(read_augmentation(augment), directions=_empty_directions(augment, shape[2]))
    return network.changed(first=(layer,), options={"augment": augment})


class DenseSettings(TypedDict):
    """The stored settings of a fully connected network."""

    sizes: list[Positive]
    activation: str
    keep_prob: list[Share] | Share | None
    batch_norm: bool
    members: NotRequired[Positive]
    cost: NotRequired[str]


class SequenceSettings(TypedDict):
    """The stored settings of a network for sequences."""

    sequence: str
    n_x: Positive
    n_L: Positive
    hidden: list[Positive]
    tokens: bool
    bidirectional: bool
    keep_prob: Share
    members: NotRequired[Positive]
    cost: NotRequired[str]


class LanguageSettings(TypedDict):
    """The stored settings of a network that predicts the next token."""

    language: str
    V: Positive
    hidden: list[Positive]
    embedding_size: Positive
    keep_prob: Share
    context: Positive


class TranslatorSettings(TypedDict):
    """The stored settings of a translator."""

    translator: str
    n_x: Positive
    n_L: Positive
    hidden: list[Positive]
    embedding_size: Positive
    keep_prob: Share


class ImageSettings(TypedDict, total=False):
    """The stored settings of a network for images; the options are those that were set."""

    network: Required[str]
    shape: Required[tuple[Positive, Positive, Positive]]
    n_L: Required[Positive]
    anchors: list[tuple[float, float]]
    activation: str
    augment: str
    batch_norm: bool
    depth: Positive
    keep_prob: Share
    layers: str
    mirrored: bool
    padding: str
    pool: str
    precision: str
    width: float
    zero_gamma: bool


LARGEST = 2**16
"""The largest number in the settings of a network that has fewer parameters than this."""


def restore_network(
    model: Mapping[str, Any], arrays: Mapping[str, np.ndarray], others: Collection[str] = ()
) -> Layer:
    """Return the network with these stored settings and arrays, named as in its run.

    Raises a ChainruleError, before memory is allocated for the network, unless the arrays are
    exactly those of the network, of its types, and finite. `others` are the names of arrays that
    the file contains besides.
    """
    kinds = {"sequence": SequenceSettings, "language": LanguageSettings}
    kinds |= {"translator": TranslatorSettings, "network": ImageSettings}
    kind = next((kinds[name] for name in kinds if name in model), DenseSettings)
    convert(model, kind, "the network")
    _check_numbers(model, sum(x.size for x in arrays.values()))
    try:
        with only_shapes():
            shapes = eqx.filter_eval_shape(rebuild_network, model)
    except (TypeError, ArithmeticError, LookupError, MemoryError) as reason:
        raise _invalid_settings(str(reason)) from None
    except ValueError as reason:
        raise (
            reason if isinstance(reason, ChainruleError) else _invalid_settings(str(reason))
        ) from None
    expected = named_arrays(shapes)
    for name in sorted(arrays.keys() - expected.keys() - set(others)):
        raise DataError(f"the array {name}", f"an array of {shapes.title}", "an unknown name")
    network = replace_arrays(shapes, arrays)
    for name, x in expected.items():
        _check_values(f"the array {name}", arrays[name], np.dtype(x.dtype))
    return network


def _invalid_settings(reason: str) -> DataError:
    got = reason.strip().splitlines()[0] if reason.strip() else "settings of no network"
    return DataError("the network", "the settings of a network", got)


def _check_numbers(model: Mapping[str, Any], size: int) -> None:
    """Refuse sizes that are larger than the number of parameters, before any array is made."""
    for text in re.findall(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", json.dumps(model)):
        if float(text) > max(size, LARGEST):
            expected = f"sizes that fit the {count_of(size, 'stored number')}"
            raise DataError("the network", expected, text[:20])


def _check_values(where: str, x: np.ndarray, dtype: np.dtype) -> None:
    """Refuse an array of another type than the network's, and numbers that are not finite."""
    if x.dtype.kind != dtype.kind:
        raise DataError(where, f"numbers of the type {dtype}", str(x.dtype))
    if not np.isfinite(x).all():
        raise DataError(where, "finite numbers", "nan or infinity")


def has_images(network: Layer) -> bool:
    """Return whether the network takes images."""
    return any(isinstance(part, Images) for part in network.parts()[:1])


def in_float32(network: Layer) -> Layer:
    """Return the network with all computations in float32."""
    return network.changed(precision="float32") if isinstance(network, ConvNetwork) else network


def values_of(network: Layer, n_x: int) -> int:
    """Return the number of activations of all layers for one example, from shapes alone."""
    shapes = _output_shapes(network.parts(), jax.ShapeDtypeStruct((n_x, 1), np.float32))
    return sum((int(np.prod(shape)) for _, shape in shapes), start=n_x)


def products_of(network: Layer, n_x: int) -> int:
    """Return the number of multiplications for predicting one example."""
    shapes = _output_shapes(network.parts(), jax.ShapeDtypeStruct((n_x, 1), np.float32))
    positions = ((part, shape[1] * shape[2] if len(shape) == 4 else 1) for part, shape in shapes)
    return sum(int(np.size(part.W)) * count for part, count in positions if hasattr(part, "W"))


def _output_shapes(parts: Sequence[Layer], A: Any) -> Iterator[tuple[Any, tuple[int, ...]]]:
    """Yield each layer, also inside blocks, with the shape of its output for one example."""
    for part in parts:
        if isinstance(part, Residual):
            yield from _output_shapes(part.main.parts(), A)
        if isinstance(part, Branches):
            for side in part.branches:
                yield from _output_shapes(side.parts(), A)
        A = jax.eval_shape(lambda part, A_prev: part(A_prev), part, A)
        yield part, A.shape


def _without_augmentation(network: ConvNetwork) -> ConvNetwork:
    """Return the network without augmentation."""
    return ConvNetwork(
        [part for part in network.parts()[1:] if not isinstance(part, Augment)],
        name=network.name,
        shape=network.shape,
        n_L=network.n_L,
        options={name: value for name, value in network.options if name != "augment"},
        precision=network.precision,
    )


def _empty_directions(augment: str, n_C: int) -> np.ndarray | None:
    """Return a placeholder for PCA directions, which the run's arrays fill."""
    return np.zeros((n_C, n_C), np.float32) if read_augmentation(augment).pca else None


FRACTIONS, BINARY, AS_GIVEN = "fractions", "binary", "as given"
PixelScale = float | str | None
"""The way in which a model scales pixels.

    255, 1023, …   pixels x become x / scale; fractions up to 1 stay as they are
    "fractions"    trained on fractions from 0 to 1; bytes and pixels up to 255 become x / 255
    "binary"       trained on 0 and 1 only; pixels up to 255 become x / 255
    "as given"     trained on other whole numbers, such as 0 to 16; nothing is divided
    None           trained on other fractions, such as standardised ones, or by an earlier version:
                   bytes become x / 255, and all other numbers stay as they are
"""
BRIGHT = 128
"""Numbers that are not bytes are regarded as pixels if the largest of them is at least this."""


def learn_pixel_scale(X: Any, dtype: np.dtype) -> PixelScale:
    """Return the scale of training images; `dtype` is their type before any conversion.

    >>> pixels = np.array([[0, 7, 199]])
    >>> [learn_pixel_scale(pixels, np.dtype(t)) for t in (np.uint8, np.int64, np.uint16)]
    [255.0, 255.0, 255.0]
    >>> learn_pixel_scale(pixels / 255, np.dtype(float)), learn_pixel_scale(-pixels, np.dtype(int))
    ('fractions', 'as given')
    """
    if dtype == np.uint8:
        return 255.0
    least, most = value_range(X)
    whole = _are_whole(X)
    if least < 0 or most > DEEPEST or not np.isfinite(most):
        return AS_GIVEN if whole else None
    if are_fractions(dtype, most):
        return BINARY if whole and most <= 1 else FRACTIONS
    pixels = dtype == np.uint16 or (most >= BRIGHT and whole)
    return float(white_level(most)) if pixels else (AS_GIVEN if whole else None)


def scaled_pixels(X: np.ndarray, scale: PixelScale, name: str, dtype: np.dtype) -> np.ndarray:
    """Return pixels in float32, scaled as the model was trained; refuse pixels of another range.

    `dtype` is their type before any conversion.
    """
    divisor = _divisor(X, scale, name, dtype)
    if divisor == 1:
        return X.astype(np.float32, copy=False)
    return np.divide(X, divisor, dtype=np.float32, casting="unsafe")


def _divisor(X: np.ndarray, scale: PixelScale, name: str, dtype: np.dtype) -> float:
    """Return the number by which these pixels are divided."""
    if scale == AS_GIVEN:
        return 1.0
    if scale is None or (dtype == np.uint8 and scale in (255, FRACTIONS)):
        return 255.0 if dtype == np.uint8 else 1.0
    _, most = value_range(X)
    fractions = are_fractions(dtype, most)
    if isinstance(scale, str):
        kept = fractions and (dtype.kind == "f" or scale == BINARY)
        divisor, largest = (1.0 if kept else 255.0), 255.0
    else:
        kept = fractions and dtype.kind == "f" and not _are_whole(X)
        divisor, largest = (1.0 if kept else scale), 2 * scale
    if most > largest:
        hint = "the images in the form in which the network was trained"
        expected = f"pixels from 0 to {divisor:g}, as in training"
        raise DataError(name, expected, f"values up to {most:g}", hint)
    return divisor


def _are_whole(X: np.ndarray) -> bool:
    """Return whether all numbers are whole."""
    X = np.asarray(X)
    return X.dtype.kind in "biu" or bool((np.round(X) == X).all())


def rows_of(X: Any) -> tuple[Any, tuple[int, ...] | None]:
    """Return X as rows, and the shape of one image if X was an array of images."""
    if isinstance(X, np.ndarray) and X.ndim in (3, 4):
        return X.reshape(len(X), -1), X.shape[1:]
    return X, None


def resolve_image_shape(
    given: Sequence[int] | None, seen: tuple[int, ...] | None, n_x: int
) -> Shape:
    """Return the shape of an image: the given one, that of the data, or a square of n_x numbers.

    Raises ShapeError if it does not have n_x numbers, and OptionError if it cannot be inferred.
    """
    shape = tuple(given) if given is not None else seen or square(n_x)
    hint = "image_shape=(28, 28), or (32, 32, 3) in colour"
    if shape is None:
        expected = "the height and width of the images, which cannot be inferred from the rows"
        raise OptionError("image_shape", expected, f"rows of {count_of(n_x, 'number')}", hint)
    whole = all(isinstance(n, int | np.integer) and n >= 1 for n in shape)
    if len(shape) not in (2, 3) or not whole:
        raise OptionError("image_shape", "(n_H, n_W) or (n_H, n_W, n_C)", repr(given), hint)
    if np.prod(shape) != n_x:
        sides = "×".join(map(str, shape))
        expected = f"{int(np.prod(shape)):,} numbers per row, {sides}"
        raise ShapeError("X", expected, f"{n_x:,}", "a different image_shape")
    n_H, n_W, *n_C = map(int, shape)
    return n_H, n_W, n_C[0] if n_C else 1


def check_image_shape(shape: tuple[int, ...] | None, learned: tuple[int, ...]) -> None:
    """Refuse images whose shape differs from training, such as (3, 8, 8) for (8, 8, 3)."""
    if shape is None or (*shape, 1)[:3] == (*learned, 1)[:3]:
        return
    expected, got = (f"images of {'×'.join(map(str, sides))}" for sides in (learned, shape))
    raise ShapeError(
        "X", expected, got, "images of the shape used in fit, or X[None] for one image"
    )


def as_images(
    X: Any,
    name: str,
    shape: tuple[int, ...] | None = None,
    *,
    scale: PixelScale = None,
    bytes_stay: bool = False,
) -> np.ndarray:
    """Convert to images (m, n_H, n_W, n_C) in float32, in the scale of the model.

    With `bytes_stay` bytes that are divided by 255 are left as they are, for networks that do the
    division themselves.
    """
    X = as_image_array(X, name, shape)
    if bytes_stay and X.dtype == np.uint8 and _divisor(X, scale, name, X.dtype) == 255:
        return X
    dtype = X.dtype
    X = X if dtype.kind in "biu" else X.astype(np.float32)
    if not np.isfinite(X).all():
        raise DataError(
            name, "finite numbers", "nan or infinity", "correcting or leaving out those images"
        )
    return scaled_pixels(X, scale, name, dtype)


def as_image_array(X: Any, name: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Convert to an array of images (m, n_H, n_W, n_C) of any type, and check their shape."""
    X = np.asarray(X)
    X = X[..., None] if X.ndim == 3 else X
    if X.ndim != 4 or (shape is not None and X.shape[1:] != shape):
        sizes = "n_H, n_W, n_C" if shape is None else ", ".join(map(str, shape))
        raise ShapeError(
            name, f"images (m, {sizes})", str(X.shape), "X[None] if it is a single image"
        )
    return X
