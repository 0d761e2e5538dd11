"""chainrule: a deep-learning library built from the notes of the deep learning specialization.

The public names are imported when they are first used, so that `import chainrule` is instant.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "DeepNetwork": "chainrule.models.deep_network",
    "Dense": "chainrule.layers.dense",
    "BatchNorm": "chainrule.layers.batch_norm",
    "Dropout": "chainrule.layers.dropout",
    "Sequential": "chainrule.layers.sequential",
    "Conv2D": "chainrule.layers.conv",
    "DepthwiseConv2D": "chainrule.layers.conv",
    "ConvTranspose2D": "chainrule.layers.conv",
    "MaxPool": "chainrule.layers.pool",
    "AveragePool": "chainrule.layers.pool",
    "GlobalAveragePool": "chainrule.layers.pool",
    "Flatten": "chainrule.layers.flatten",
    "SpaceToDepth": "chainrule.layers.flatten",
    "Branches": "chainrule.layers.branches",
    "Residual": "chainrule.layers.residual",
    "Projection": "chainrule.layers.residual",
    "Augment": "chainrule.layers.augment",
    "ConvNetwork": "chainrule.models.conv_network",
    "custom_network": "chainrule.models.custom",
    "build": "chainrule.models.zoo",
    "gradient_check": "chainrule.gradcheck",
    "gradient_descent": "chainrule.optim.gradient_descent",
    "momentum": "chainrule.optim.momentum",
    "rmsprop": "chainrule.optim.rmsprop",
    "adam": "chainrule.optim.adam",
    "clip_by_norm": "chainrule.optim.transforms",
    "clip_by_value": "chainrule.optim.transforms",
    "inverse_time_decay": "chainrule.optim.schedules",
    "exponential_decay": "chainrule.optim.schedules",
    "square_root_decay": "chainrule.optim.schedules",
    "staircase_decay": "chainrule.optim.schedules",
    "piecewise_constant": "chainrule.optim.schedules",
    "weighted_averages": "chainrule.optim.averages",
    "minimize": "chainrule.optim.minimize",
    "fit": "chainrule.train.fit",
    "random_mini_batches": "chainrule.data.batches",
    "fit_many": "chainrule.train.many",
    "Candidate": "chainrule.train.many",
    "Examples": "chainrule.train.examples",
    "History": "chainrule.train.history",
    "Change": "chainrule.train.changes",
    "Checkpoints": "chainrule.train.checkpoint",
    "train_model": "chainrule.strategy.train_model",
    "resume": "chainrule.runs.job",
    "transfer": "chainrule.strategy.train_model",
    "load_published": "chainrule.models.pretrained",
    "Run": "chainrule.runs.run",
    "predictor": "chainrule.train.outputs",
    "run_ladder": "chainrule.strategy.ladder",
    "diagnose": "chainrule.strategy.diagnosis",
    "learning_curves": "chainrule.strategy.learning_curves",
    "compare_distributions": "chainrule.strategy.distribution_shift",
    "find_mistakes": "chainrule.strategy.error_analysis",
    "find_label_errors": "chainrule.strategy.label_errors",
    "importance": "chainrule.strategy.explain",
    "synthesize": "chainrule.data.synthesis",
    "load_run_data": "chainrule.runs.run",
    "report": "chainrule.inspection.report.report",
    "tune": "chainrule.search.search",
    "Space": "chainrule.search.space",
    "save": "chainrule.runs.folder",
    "load": "chainrule.runs.folder",
    "train_vision_model": "chainrule.vision.task",
    "VisionModel": "chainrule.vision.task",
    "train_sequence_model": "chainrule.sequence.task",
    "SequenceModel": "chainrule.sequence.task",
    "check_parameters": "chainrule.gradcheck",
    "trace": "chainrule.layers.trace",
    "show_trace": "chainrule.inspection.trace",
    "summarize": "chainrule.inspection.summary",
    "Detector": "chainrule.vision.detection.detector",
    "Segmenter": "chainrule.vision.segmentation.segmenter",
    "Verifier": "chainrule.vision.verification.verifier",
    "NetworkClassifier": "chainrule.estimators",
    "NetworkRegressor": "chainrule.estimators",
    "NumericEncoder": "chainrule.numeric_encoder",
    "ChainruleError": "chainrule.errors",
}

__all__ = [*_HOMES, "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'chainrule' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
