"""Everything public in blocks, layers, models and optim: one line each earns a dozen tests.

`test_inventory.py` runs the universal tests over the lines below, and fails where something public
has none. A line says how a thing is called and where the examples are:

    thing      the public name; `function(*inputs)` calls it
    inputs     float64 arrays, or layers, 5 examples each
    examples   the axis of the examples in each input, None where all examples share it
    output     the axis of the examples in the output, None where it is one number for all
    extreme    the input that may be as large as it likes
    alone      whether the examples do not see each other: batch norm is the exception
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from chainrule.blocks import (
    activations,
    attention,
    averaging,
    boxes,
    convolution,
    costs,
    ctc,
    decoding,
    distances,
    losses,
    normalization,
    pooling,
    regularization,
    shape,
    triplet,
    word_vectors,
)
from chainrule.blocks.batch_norm_relu import batch_norm_relu
from chainrule.blocks.block import as_block
from chainrule.blocks.conv1d import conv1d
from chainrule.blocks.depthwise import depthwise
from chainrule.blocks.dropout import dropout
from chainrule.blocks.embedding import embedding
from chainrule.blocks.feed_forward import feed_forward
from chainrule.blocks.gru import gru, gru_cell
from chainrule.blocks.linear import linear
from chainrule.blocks.lstm import lstm, lstm_cell
from chainrule.blocks.recurrent import last_step, rnn, rnn_cell
from chainrule.blocks.similarity import normalize_rows
from chainrule.blocks.transposed import transposed, transposed_size
from chainrule.data.augmentation import KINDS
from chainrule.layers import allocation, conv, folded, initializers, layer, steps, summary, trace
from chainrule.layers.attention import (
    Attention,
    Embedding,
    FeedForward,
    LayerNorm,
    MultiHeadAttention,
    PositionalEncoding,
    TransformerDecoder,
    TransformerEncoder,
)
from chainrule.layers.augment import augment_for
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.branches import Branches
from chainrule.layers.conv import Conv1D, Conv2D, ConvTranspose2D, DepthwiseConv2D
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout, check_keep_prob, drop_steps, dropout_mask
from chainrule.layers.face_embedding import Mirrored, PairClassifier, UnitLength
from chainrule.layers.flatten import Flatten, Images, SpaceToDepth
from chainrule.layers.pool import AveragePool, GlobalAveragePool, MaxPool
from chainrule.layers.recurrent import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    EachStep,
    MaxOfSteps,
    MeanOfSteps,
)
from chainrule.layers.residual import Projection, Residual
from chainrule.layers.sequential import Sequential
from chainrule.layers.skip import Padded, Skip
from chainrule.models import (
    conv_network,
    custom,
    deep_network,
    face_embedding,
    lenet,
    mobilenet,
    pretrained,
    pretrained_files,
    resnet,
    translator,
    unet,
    units,
    yolo,
    zoo,
)
from chainrule.models.deep_network import DeepNetwork
from chainrule.models.ensemble import Ensemble, MemberOutputs
from chainrule.models.language_model import LanguageModel
from chainrule.models.sequence_network import SequenceNetwork
from chainrule.optim import averages, optimizer, schedules, transforms
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.optim.minimize import minimize
from chainrule.optim.momentum import momentum
from chainrule.optim.rmsprop import rmsprop
from chainrule.optim.transforms import LayerwiseUpdate, layerwise

rng = np.random.default_rng(0)
KEY = jax.random.key(0)


def numbers(*shape: int) -> np.ndarray:
    """Normal numbers."""
    return rng.standard_normal(shape)


Z, X = numbers(3, 5), numbers(4, 5)
Y = np.eye(3)[:, [0, 2, 1, 1, 0]]
WEIGHTS = np.array([[1.0, 2.0, 0.5, 1.0, 3.0]])
IMAGES = numbers(5, 2, 3, 2)
STEP_LABELS = np.array([[1, 0, 3, 2, 0], [2, -1, 3, 1, -1], [0, -1, -1, 1, -1]], np.int32)
CTC_LABELS = (
    np.array([[1, 2, 1, 2, 2], [2, -1, 1, 2, 1]], np.int32),
    np.array([4, 2, 3, 4, 2], np.int32),
    np.array([2, 1, 2, 2, 1], np.int32),
)
PAIRS = np.array([0, 3, 3, 1, 0], np.int32), np.array([1, 0, 0, 1, 3], np.int32)
EVERY_CHANGE = ",".join(KINDS).replace("crop", "crop=1")


class Case(NamedTuple):
    """One thing, called in one way."""

    thing: Any
    function: Callable
    inputs: tuple
    examples: tuple[int | None, ...]
    output: int | None
    extreme: int = 0
    alone: bool = True

    def __str__(self):
        settings = getattr(self.function, "keywords", {})
        return " ".join([self.thing.__name__, *(f"{k}={v}" for k, v in settings.items())])


def block(thing, inputs, examples, output, **settings) -> Case:
    """A block with its settings."""
    return Case(thing, partial(thing, **settings) if settings else thing, inputs, examples, output)


def normalized(*inputs):
    """A of batch norm, without the mean and the variance."""
    return normalization.batch_norm(*inputs)[0]


def normalized_and_joined(*inputs):
    """A of batch norm with a shortcut and ReLU."""
    return batch_norm_relu(*inputs)[0]


def cost_of_steps(Z):
    """J of sequences of one to three steps."""
    return costs.sequence_softmax_cost(Z, STEP_LABELS, STEP_LABELS >= 0)


def cost_of_ctc(Z):
    """J of sequences of two to four steps and one or two labels."""
    return ctc.ctc_cost(Z, *CTC_LABELS)


def cost_of_pairs(E, Theta):
    """J of five pairs of words, with softmax."""
    return word_vectors.skip_gram_cost(E, Theta, *PAIRS)


def cost_of_sampled_pairs(E, Theta):
    """J of five pairs of words, with two negatives each."""
    return word_vectors.negative_sampling_cost(E, Theta, *PAIRS, np.stack(PAIRS[::-1]))


def cost_of_counts(E, Theta, b, b_prime, X):
    """J of the counts of five pairs of words."""
    return word_vectors.glove_cost(E, Theta, b, b_prime, *PAIRS, X)


def call(model, A_prev):
    """A from A_prev, as prediction does it."""
    return model(A_prev)


def model(made, A_prev, examples=1, output=1) -> Case:
    """A layer or a network, which is an input as well: it is differentiated too."""
    return Case(type(made), call, (made, A_prev), (None, examples), output, extreme=1)


def image_model(made, A_prev=IMAGES, output=0) -> Case:
    """One that takes images, and gives images where nothing else is said."""
    return model(made, A_prev, 0, output)


def dense(n_prev: int, n_l: int) -> Dense:
    """A Dense of float64."""
    return Dense(n_prev, n_l, activation=activations.tanh, key=KEY, dtype=float)


def filters(n_C_prev: int, n_C: int, f: int = 3, **settings) -> Conv2D:
    """A Conv2D of float64."""
    return Conv2D(n_C_prev, n_C, f=f, key=KEY, activation=activations.tanh, dtype=float, **settings)


STEPS = numbers(3, 4, 5)
LENGTHS = np.array([3, 1, 2, 3, 0])
MASK = np.tri(3, dtype=bool)[..., None] & (np.arange(3)[:, None] < LENGTHS)
OF_HEADS = (*[numbers(4, 4) for _ in range(4)], *[numbers(4, 1) for _ in range(4)])
OF_ENERGIES = (numbers(2, 6), numbers(2, 1), numbers(1, 2), numbers(1, 1))


def embedded(E, ids):
    """The embedding of ids, which are floats here."""
    return embedding(E, ids.astype(np.int32))


def of_gates(gates: int, biases: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """W and b of a recurrent block with 4 inputs and 3 units."""
    return numbers(3 * gates, 7), numbers(3 * (biases or gates), 1)


def lstm_activation(x, a_prev, c_prev, W, b):
    """A of a step of the LSTM, without its memory."""
    return lstm_cell(x, a_prev, c_prev, W, b)[0]


def lstm_activations(X, a0, c0, W, b):
    """A of the LSTM on sequences of different lengths, backwards."""
    return lstm(X, a0, c0, W, b, jax.numpy.asarray(LENGTHS), reverse=True)[0]


def last_of_sequences(A):
    """The last step of sequences of different lengths."""
    return last_step(A, jax.numpy.asarray(LENGTHS))


def attended(Q, K, V):
    """A causal attention to sequences of different lengths."""
    return attention.scaled_dot_product_attention(Q, K, V, jax.numpy.asarray(MASK))


class OfFloats(layer.Layer):
    """A layer that takes ids."""

    layer: layer.Layer

    def __call__(self, A_prev):
        """A of the ids."""
        return self.layer(A_prev.astype(np.int32))


class OfPair(layer.Layer):
    """A layer that takes a pair, which is the first two steps and the rest, or the last one."""

    layer: layer.Layer

    def __call__(self, A_prev):
        """A of the pair."""
        last = A_prev[2] if isinstance(self.layer, Attention) else A_prev[2:]
        return self.layer((A_prev[:2], last))


def step_model(made, output=2) -> Case:
    """One that takes sequences, and gives sequences where nothing else is said."""
    return model(made, STEPS, 2, output)


def pair_model(made, output=2) -> Case:
    """One that takes a pair of sequences, or a sequence and columns."""
    return Case(type(made), call, (OfPair(made), STEPS), (None, 2), output, extreme=1)


FEATURES = (numbers(3, 1), numbers(3, 1))
CHANNELS = (numbers(1, 1, 1, 2), numbers(1, 1, 1, 2))
AVERAGES = (numbers(3, 1), numbers(3, 1) ** 2)
FILTERS = (numbers(2, 2, 2, 3), numbers(1, 1, 1, 3))


BLOCKS = [
    block(linear, (X, numbers(3, 4), numbers(3, 1)), (1, None, None), 1),
    block(linear, (X, numbers(3, 4), None), (1, None, None), 1),
    block(activations.sigmoid, (Z,), (1,), 1),
    block(activations.tanh, (Z,), (1,), 1),
    block(activations.relu, (Z,), (1,), 1),
    block(activations.relu6, (Z,), (1,), 1),
    block(activations.leaky_relu, (Z,), (1,), 1),
    block(activations.identity, (Z,), (1,), 1),
    block(activations.softmax, (Z,), (1,), 1),
    block(activations.softmax, (Z.T,), (0,), 0, axis=-1),
    block(losses.logistic_loss, (Z, Y), (1, 1), 1),
    block(losses.softmax_loss, (Z, Y), (1, 1), 1),
    block(losses.squared_loss, (Z, Y), (1, 1), 1),
    block(losses.absolute_loss, (Z, Y), (1, 1), 1),
    block(costs.mean, (numbers(1, 5), WEIGHTS), (1, 1), None),
    block(costs.logistic_cost, (Z, Y, WEIGHTS), (1, 1, 1), None),
    block(costs.softmax_cost, (Z, Y, WEIGHTS), (1, 1, 1), None),
    block(costs.squared_cost, (Z, Y, WEIGHTS), (1, 1, 1), None),
    block(costs.absolute_cost, (Z, Y, WEIGHTS), (1, 1, 1), None),
    Case(costs.sequence_softmax_cost, cost_of_steps, (numbers(3, 4, 5),), (2,), None),
    Case(ctc.ctc_cost, cost_of_ctc, (numbers(4, 3, 5),), (2,), None),
    Case(word_vectors.skip_gram_cost, cost_of_pairs, (X[:, :4], X[:, 1:]), (None, None), None),
    Case(
        word_vectors.negative_sampling_cost,
        cost_of_sampled_pairs,
        (X[:, :4], X[:, 1:]),
        (None, None),
        None,
    ),
    Case(
        word_vectors.glove_cost,
        cost_of_counts,
        (X[:, :4], X[:, 1:], X[:, :1], X[:, 1:2], np.arange(5.0)),
        (None,) * 4 + (0,),
        None,
    ),
    block(word_vectors.cosine_similarity, (X, numbers(4, 5)), (1, 1), 0),
    block(averaging.mean_logistic, (numbers(2, 3, 5),), (2,), 1),
    block(averaging.mean_softmax, (numbers(2, 3, 5),), (2,), 1),
    block(averaging.mean_output, (numbers(2, 3, 5),), (2,), 1),
    block(regularization.l2_penalty, (Z, 0.5, 10.0), (1, None, None), None),
    block(regularization.l1_penalty, (Z, 0.5, 10.0), (1, None, None), None),
    block(dropout, (Z, np.eye(3, 5), 0.5), (1, 1, None), 1),
    Case(
        normalization.batch_norm,
        normalized,
        (Z, *FEATURES, WEIGHTS),
        (1, None, None, 1),
        1,
        alone=False,
    ),
    Case(
        normalization.batch_norm, normalized, (IMAGES, *CHANNELS), (0, None, None), 0, alone=False
    ),
    Case(
        batch_norm_relu,
        normalized_and_joined,
        (IMAGES, *CHANNELS, IMAGES[::-1]),
        (0, None, None, 0),
        0,
        alone=False,
    ),
    block(normalization.batch_norm_predict, (Z, *FEATURES, *AVERAGES), (1, *[None] * 4), 1),
    block(shape.image_to_vector, (IMAGES,), (0,), 1),
    block(shape.image_to_vector, (IMAGES,), (0,), 1, planes=True),
    block(shape.space_to_depth, (numbers(5, 4, 2, 3),), (0,), 0, f=2),
    block(shape.vector_to_image, (numbers(12, 5),), (1,), 0, n_H=2, n_W=3, n_C=2),
    block(normalize_rows, (numbers(5, 3),), (0,), 0),
    block(distances.squared_distances, (X, numbers(4, 3)), (1, None), 0),
    block(distances.absolute_difference, (Z, numbers(3, 5)), (1, 1), 1),
    block(triplet.margin_loss, (Z, numbers(3, 5), 0.5), (1, 1, None), 1),
    block(triplet.triplet_cost, (X, X[::-1], 2 - X, 0.5, WEIGHTS), (1, 1, 1, None, 1), None),
    block(convolution.conv2d, (IMAGES, *FILTERS), (0, None, None), 0, p="same"),
    block(convolution.conv2d, (IMAGES, FILTERS[0], None), (0, None, None), 0, s=2, p=(0, 1)),
    block(depthwise, (IMAGES, numbers(2, 2, 2), numbers(1, 1, 1, 2)), (0, None, None), 0),
    block(transposed, (IMAGES, *FILTERS), (0, None, None), 0, s=2),
    block(pooling.max_pool, (IMAGES,), (0,), 0, f=2, s=1),
    block(pooling.average_pool, (IMAGES,), (0,), 0, f=2, s=1),
    block(pooling.global_average_pool, (IMAGES,), (0,), 0),
    block(rnn_cell, (X, Z, *of_gates(1)), (1, 1, None, None), 1),
    block(rnn, (STEPS, Z, *of_gates(1)), (2, 1, None, None), 2, g="relu"),
    Case(lstm_cell, lstm_activation, (X, Z, -Z, *of_gates(4)), (1, 1, 1, None, None), 1),
    Case(lstm, lstm_activations, (STEPS, Z, -Z, *of_gates(4)), (2, 1, 1, None, None), 2),
    block(gru_cell, (X, Z, *of_gates(3)), (1, 1, None, None), 1),
    block(gru, (STEPS, Z, *of_gates(3)), (2, 1, None, None), 2),
    block(gru, (STEPS, Z, *of_gates(3, 4)), (2, 1, None, None), 2, reset="after"),
    Case(last_step, last_of_sequences, (STEPS,), (2,), 1),
    block(normalization.layer_norm, (STEPS, numbers(4, 1), numbers(4, 1)), (2, None, None), 2),
    Case(embedding, embedded, (numbers(3, 4), np.arange(10).reshape(2, 5) % 4), (None, 1), 2),
    block(conv1d, (STEPS, numbers(2, 4, 3), numbers(3, 1)), (2, None, None), 2, s=2, p=(1, 0)),
    block(
        feed_forward,
        (STEPS, numbers(6, 4), numbers(6, 1), numbers(4, 6), numbers(4, 1)),
        (2, *[None] * 4),
        2,
    ),
    block(
        attention.scaled_dot_product_attention, (STEPS, STEPS[:2], numbers(2, 3, 5)), (2, 2, 2), 2
    ),
    Case(attention.scaled_dot_product_attention, attended, (STEPS, STEPS, -STEPS), (2, 2, 2), 2),
    block(
        attention.multi_head_attention,
        (STEPS, STEPS[:2], *OF_HEADS),
        (2, 2, *[None] * 8),
        2,
        heads=2,
    ),
    block(attention.additive_attention, (STEPS, X[:2], *OF_ENERGIES), (2, 1, *[None] * 4), 1),
]
LAYERS = [
    model(dense(4, 3), X),
    model(Sequential([dense(4, 3), dense(3, 2)]), X),
    model(BatchNorm(4, activation=activations.relu, dtype=float), X),
    model(Dropout(0.8, dtype=float), X),
    model(Images((2, 3, 2)), numbers(12, 5), output=0),
    model(UnitLength(), X),
    model(PairClassifier(2, key=KEY, initializer=initializers.he, dtype=float), X),
    image_model(BatchNorm(2, images=True, dtype=float)),
    image_model(augment_for(IMAGES, EVERY_CHANGE, dtype=float)),
    image_model(filters(2, 3)),
    image_model(DepthwiseConv2D(2, key=KEY, dtype=float)),
    image_model(ConvTranspose2D(2, 3, key=KEY, dtype=float)),
    image_model(MaxPool(2)),
    image_model(AveragePool(2)),
    image_model(GlobalAveragePool()),
    image_model(Flatten(), output=1),
    image_model(SpaceToDepth(2), numbers(5, 4, 2, 3)),
    image_model(Branches(Sequential([filters(2, 3, 1)]), Sequential([filters(2, 3)]))),
    image_model(Branches(Sequential([filters(2, 3, 1)]), Sequential([]), join="concatenation")),
    image_model(Projection(2, 3, s=2, key=KEY, dtype=float)),
    image_model(Residual(Sequential([filters(2, 2)]))),
    image_model(
        Residual(Sequential([filters(2, 3, s=2)]), Projection(2, 3, s=2, key=KEY, dtype=float))
    ),
    image_model(Skip(Sequential([filters(2, 2)]))),
    image_model(Mirrored(Sequential([filters(2, 2), Flatten(), dense(12, 2)])), output=1),
    Case(
        Embedding,
        call,
        (OfFloats(Embedding(4, 3, key=KEY, dtype=float)), np.arange(10).reshape(2, 5) % 4),
        (None, 1),
        2,
        extreme=1,
    ),
    step_model(PositionalEncoding()),
    step_model(LayerNorm(4, dtype=float)),
    step_model(MultiHeadAttention(4, heads=2, causal=True, key=KEY, dtype=float)),
    step_model(FeedForward(4, 6, key=KEY, dtype=float)),
    step_model(TransformerEncoder(4, heads=2, d_ff=6, keep_prob=0.8, key=KEY, dtype=float)),
    step_model(Conv1D(4, 3, key=KEY, dtype=float)),
    step_model(RNN(4, 3, key=KEY, dtype=float)),
    step_model(LSTM(4, 3, key=KEY, dtype=float)),
    step_model(summary.SummaryStatistics(), output=1),
    step_model(GRU(4, 3, key=KEY, dtype=float)),
    step_model(
        Bidirectional(
            GRU(4, 3, key=KEY, dtype=float), GRU(4, 2, reverse=True, key=KEY, dtype=float)
        )
    ),
    step_model(EachStep(dense(4, 3))),
    model(MeanOfSteps(), STEPS, 2, 1),
    model(MaxOfSteps(), STEPS, 2, 1),
    pair_model(Attention(4, 4, 3, key=KEY, dtype=float), output=1),
    pair_model(TransformerDecoder(4, heads=2, d_ff=6, key=KEY, dtype=float)),
    image_model(Padded(Sequential([MaxPool(2), ConvTranspose2D(2, 1, key=KEY, dtype=float)]), 2)),
]
ENSEMBLE = Ensemble.of(
    [DeepNetwork((4, 3, 2), key=jax.random.key(k), dtype=float) for k in range(2)], "softmax"
)
SMALL = {"name": "small", "shape": (2, 3, 2), "n_L": 2}
MODELS = [
    Case(
        LanguageModel,
        call,
        (
            OfFloats(LanguageModel("gru", 4, hidden=(3,), key=KEY, dtype=float)),
            np.arange(10).reshape(2, 5) % 4,
        ),
        (None, 1),
        2,
        extreme=1,
    ),
    step_model(SequenceNetwork("gru", 4, 3, hidden=(3,), key=KEY, dtype=float), output=1),
    model(DeepNetwork((4, 3, 2), key=KEY, dtype=float), X),
    model(DeepNetwork((4, 3, 2), key=KEY, batch_norm=True, keep_prob=0.8, dtype=float), X),
    model(ENSEMBLE, X),
    model(MemberOutputs(ENSEMBLE), X),
    image_model(
        conv_network.ConvNetwork([filters(2, 3), Flatten(), dense(18, 2)], **SMALL), output=1
    ),
]
OPTIMIZERS = {
    "gradient_descent": gradient_descent,
    "momentum": momentum,
    "rmsprop": rmsprop,
    "adam": adam,
    "clipped": lambda rate: transforms.clip_by_norm(gradient_descent(rate), 1e9),
    "clipped_by_value": lambda rate: transforms.clip_by_value(gradient_descent(rate), 1e9),
    "decayed": lambda rate: momentum(schedules.exponential_decay(rate, 0.5)),
}

# Public, and none of these: each has a test file of its own.
TOOLS = {
    *{as_block, minimize, optimizer.Optimizer, optimizer.Schedule, optimizer.check_above_zero},
    *{optimizer.apply_updates, optimizer.as_array, optimizer.zeros_like},
    *{optimizer.rate_as_array, optimizer.rate_at, optimizer.check_beta},
    *{optimizer.with_learning_rate, optimizer.current_learning_rate},
    *{averages.weighted_average, averages.weighted_averages, averages.bias_corrected},
    *{transforms.clip_by_norm, transforms.clip, transforms.ClippedUpdate},
    *{transforms.clip_by_value, transforms.clipped, transforms.ValueClippedUpdate},
    *{layerwise, LayerwiseUpdate},
    *{schedules.inverse_time_decay, schedules.InverseTimeDecay},
    *{schedules.exponential_decay, schedules.ExponentialDecay},
    *{schedules.square_root_decay, schedules.SquareRootDecay},
    *{schedules.cosine_decay, schedules.CosineDecay},
    *{schedules.staircase_decay, schedules.StaircaseDecay},
    *{schedules.piecewise_constant, schedules.PiecewiseConstant},
    *{layer.Layer, layer.named_arrays, layer.replace_arrays, layer.layer_numbers},
    *{layer.split_parameters, layer.count_parameters, layer.penalized_arrays},
    *{dropout_mask, drop_steps, check_keep_prob, augment_for, summary.CharacterCounts},
    *{folded.folded, folded.FoldedConv, folded.FoldedResidual},
    *{trace.trace, trace.Trace, trace.LayerTrace, trace.has_formulas},
    *{trace.record_dense, trace.record_batch_norm, trace.record_dropout, trace.record_whole},
    *{trace.record_activation, trace.parameter_names, trace.record_convolution},
    *{trace.record_pool, trace.record_flatten, trace.record_images},
    *{trace.record_projection, trace.record_space_to_depth},
    *{allocation.only_shapes, allocation.needs_only_shapes, allocation.check_size_first},
    *{allocation.filled, allocation.check_size},
    *{initializers.zeros, initializers.small, initializers.lecun},
    *{initializers.xavier, initializers.he, initializers.orthogonal, initializers.fans},
    *{boxes.to_centre, boxes.to_corners, boxes.area, boxes.relative, boxes.in_pixels},
    *{boxes.iou, boxes.pairwise_iou, boxes.giou, boxes.size_iou, boxes.anchor_boxes},
    *{boxes.non_max_suppression, boxes.Kept},
    *{convolution.size_after, convolution.pads_of, transposed_size},
    *{costs.steps_softmax_cost, ctc.ctc_collapse, ctc.ctc_greedy, ctc.ctc_least_steps},
    *{decoding.beam_search, decoding.Hypothesis, decoding.Beam, decoding.sample, decoding.draw},
    *{decoding.bleu, decoding.Bleu, decoding.edit_distance},
    *{word_vectors.analogy, word_vectors.neutralize, word_vectors.equalize},
    *{word_vectors.noise_distribution, word_vectors.glove_weight},
    *{conv.block_errors_in, conv.zero_bias, conv.stride_text},
    *{steps.Steps, steps.values_of, steps.like},
    *{attention.positional_encoding, attention.padding_mask, attention.look_ahead_mask},
    *{conv_network.InPrecision, units.Units, units.Step, units.size_after_steps, units.least_size},
    *{units.scaled, units.divisible, units.check_width, units.non_defaults},
    *{
        conv_network.Pair,
        conv_network.after,
        conv_network.multiplications,
        conv_network.walk,
        conv_network.walk_into,
    },
    *{conv_network.separable_pairs, conv_network.call_layer},
    *{
        lenet.lenet,
        lenet.convnet,
        lenet.small_network,
        unet.unet,
        unet.level,
        unet.two_convolutions,
    },
    *{translator.Translator, translator.translate},
    *{translator.AttentionDecoder, translator.TransformerDecoders},
    *{resnet.resnet, resnet.residual, resnet.basic, resnet.bottleneck},
    *{face_embedding.embedding, face_embedding.embedding_resnet},
    *{yolo.yolo, yolo.small, yolo.body_of, yolo.with_body, yolo.anchors_of, yolo.check_anchors},
    *{mobilenet.mobilenet_v1, mobilenet.mobilenet_v2, mobilenet.bottleneck},
    *{custom.custom_network, custom.read_layers, custom.spell_layers, custom.with_outputs},
    custom.Item,
    *{zoo.build, zoo.rebuild, zoo.options_of, zoo.check_shape},
    *{
        pretrained.load_published,
        pretrained.Published,
        pretrained.find,
        pretrained.Architecture,
    },
    *{pretrained.fill, pretrained_files.read_files, pretrained_files.Files},
    *{pretrained.with_pixel_input},
    *{
        pretrained_files.recognise,
        pretrained_files.refuse_pickle,
        pretrained_files.Naming,
        pretrained_files.TimmConfig,
        pretrained_files.Config,
        pretrained_files.PreprocessorConfig,
        pretrained_files.Names,
        pretrained_files.resnet_names,
    },
    *{
        pretrained_files.resnet_block,
        pretrained_files.mobilenet_v2_names,
        pretrained.fetch,
        pretrained.is_name,
    },
    *{deep_network.recommended_initializer, deep_network.check_sizes, deep_network.keep_probs},
}
