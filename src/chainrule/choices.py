"""The valid values of options, in a file that imports nothing so that `--help` is instant.

The tables that map these names to functions are defined where the functions are used;
`tests/test_choices.py` compares their keys with the tuples of this file.
"""

TASKS = ("classification", "regression")
COLUMN_RULES = (1, 2)
"""Versions of the rules by which the columns of a table are read; the last is the current one."""
NORMALIZATIONS = ("standard", "robust", "piecewise", "pixels", "none")

ACTIVATIONS = ("relu", "leaky_relu", "tanh", "sigmoid", "identity")
INITIALIZERS = ("he", "xavier", "lecun", "small", "zeros")
PRECISIONS = ("float32", "bfloat16")
OPTIMIZERS = ("adam", "momentum", "rmsprop", "gradient_descent")
DECAYS = ("inverse_time", "exponential", "square_root", "staircase", "cosine")
RULES = (1, 2)
"""The versions of the rules that choose those options of the training schedule that are not set."""

NETWORKS = (
    *("lenet", "convnet"),
    *("resnet18", "resnet34", "resnet50", "resnet20", "resnet32", "resnet44", "resnet56"),
    *("plain18", "plain34", "plain20", "plain32", "plain44", "plain56"),
    *("mobilenet_v1", "mobilenet_v2"),
)
"""Networks for the classification of images, and for regression on them."""
SUMMARY = "summary"
RECURRENT = ("rnn", "lstm", "gru")
SEQUENCE_NETWORKS = (SUMMARY, *RECURRENT, "transformer", "conv1d")
"""Networks for sequences of numbers or of characters."""
LANGUAGE_MODELS = ("lstm", "gru", "transformer")
"""Networks that predict the next character of a text."""
TRANSLATORS = ("attention", "transformer")
"""Networks from one sequence of tokens to another."""
TEXT_UNITS = ("characters", "bytes")
"""What a language model reads and writes."""
TOKEN_UNITS = ("characters", "words")
"""What a translator reads and writes: the characters of a text, or the words between spaces."""
CUSTOM = "custom"
"""The network for images whose layers are listed by the option --layers."""
EMBEDDINGS = ("embedding", "embedding_resnet20")
"""Networks that map an image of a face to a vector of length one."""
BACKBONES = ("small", "resnet18", "mobilenet_v2")
"""The convolutional part of an object detector."""
STRIDES = (4, 8, 16, 32)
"""Sides of a grid cell of an object detector, in pixels."""
BOX_CHECKS = ("clip", "strict")
"""How annotated boxes are handled that leave their image slightly or have no area."""
SIMILARITIES = ("distance", "logistic")

AUGMENTATIONS = (
    *("mirror", "crop", "rotation", "shear", "zoom", "warp", "contrast", "brightness"),
    *("colour", "pca", "noise"),
)
"""Random changes to training images; each takes a strength, such as crop=4."""

SPLITS = ("train", "dev", "test")
SAMPLERS = ("random", "coarse_to_fine", "tpe", "qmc", "gp", "cmaes")
PRUNERS = ("none", "median", "halving", "hyperband")
SAMPLES = ("worst", "random")
"""How the mistakes of a run that are listed are selected."""
