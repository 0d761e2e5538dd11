"""chainrule/runs/defaults.py: a recipe's optimiser, and the α of each epoch."""

from math import sqrt

import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import OptionError
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.optim.momentum import momentum
from chainrule.optim.rmsprop import rmsprop
from chainrule.optim.transforms import clip_by_norm
from chainrule.runs.defaults import OptimizerSettings, parse_rates_by_hand
from chainrule.runs.recipe import Recipe
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from tests.compilations import compilations

M, STEPS = 6, 3
ROWS = Examples(np.ones((M, 1)), np.ones((M, 1)))
START = DeepNetwork.from_weights([([[0.0]], [[0.0]])])


def output(Z, Y, weights):
    """A cost whose derivative is 1 everywhere, so that a step of gradient descent has length α."""
    return jnp.mean(Z)


def rates(descent: OptimizerSettings, epochs: int) -> list[float]:
    """Return α of each epoch, from how far b has moved."""
    way = [0.0]
    for n in range(1, epochs + 1):
        optimizer = descent.make(STEPS, n)
        done = fit(START, optimizer, output, ROWS, epochs=n, batch_size=2, metric=output)
        way.append(-float(done.network.layers.layers[0].b[0, 0]))
    return (np.diff(way) / STEPS).tolist()


def descent(**options) -> OptimizerSettings:
    return OptimizerSettings(**{"optimizer": "gradient_descent", "learning_rate": 0.8, **options})


# By hand


DECAYS = {
    "none": (descent(), [0.8] * 5),
    "inverse_time": (
        descent(decay="inverse_time", decay_rate=1),
        [0.8, 0.8 / 2, 0.8 / 3, 0.8 / 4, 0.8 / 5],
    ),
    "exponential": (descent(decay="exponential", decay_rate=0.5), [0.8, 0.4, 0.2, 0.1, 0.05]),
    "square_root": (
        descent(decay="square_root"),
        [0.8, 0.8 / sqrt(2), 0.8 / sqrt(3), 0.4, 0.8 / sqrt(5)],
    ),
    "staircase": (descent(decay="staircase", decay_epochs=2), [0.8, 0.8, 0.4, 0.4, 0.2]),
    "inverse_time every 2": (
        descent(decay="inverse_time", decay_rate=1, decay_epochs=2),
        [0.8, 0.8, 0.4, 0.4, 0.8 / 3],
    ),
    "exponential every 3": (
        descent(decay="exponential", decay_rate=0.5, decay_epochs=3),
        [0.8, 0.8, 0.8, 0.4, 0.4],
    ),
    "square_root every 2": (
        descent(decay="square_root", decay_epochs=2),
        [0.8, 0.8, 0.8 / sqrt(2), 0.8 / sqrt(2), 0.8 / sqrt(3)],
    ),
    "by hand": (descent(decay="1:0.5,3:0.1"), [0.8, 0.5, 0.5, 0.1, 0.1]),
    "said to be none": (descent(decay="none"), [0.8] * 5),
}


@pytest.mark.parametrize("epochs", [1, 7])
def test_a_cosine_ends_with_the_epochs(epochs):
    rate = adam_state(descent(optimizer="adam", decay="cosine"), epochs).learning_rate
    T = STEPS * epochs
    assert float(rate(0)) == 0.8
    assert float(rate(T - 1)) == pytest.approx(0.4 * (1 + np.cos(np.pi * (T - 1) / T)))
    assert float(rate(T)) == pytest.approx(0, abs=1e-15)


def test_a_cosine_may_begin_with_a_warm_up():
    rate = adam_state(descent(optimizer="adam", decay="cosine", warm_up=0.5), 2).learning_rate
    assert float(rate(0)) == pytest.approx(0.8 / 4)  # three of six steps
    assert float(rate(3)) == pytest.approx(0.4)


def adam_state(settings: OptimizerSettings, epochs: int):
    """Return the state of the optimiser before the first step of a training of STEPS per epoch."""
    return settings.make(STEPS, epochs).init(jnp.zeros(2))


@pytest.mark.parametrize(("decay", "alphas"), DECAYS.values(), ids=DECAYS.keys())
def test_the_rate_of_each_epoch(decay, alphas):
    np.testing.assert_allclose(rates(decay, 5), alphas, rtol=1e-9)


def test_rates_by_default():
    usual = {
        "inverse_time": 0.8 / 1.1,
        "exponential": 0.8 * 0.95,
        "square_root": 0.8 / sqrt(2),
        "staircase": 0.8,
    }
    for kind, second in usual.items():
        assert rates(descent(decay=kind), 2)[1] == pytest.approx(second), kind


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (OptimizerSettings(), adam(0.002)),
        (OptimizerSettings("adam", 0.01, beta=0.8), adam(0.01, beta1=0.8)),
        (OptimizerSettings("adam", 0.01, beta2=0.9), adam(0.01, beta2=0.9)),
        (OptimizerSettings("adam", 0.01, epsilon=0.5), adam(0.01, epsilon=0.5)),
        (OptimizerSettings("rmsprop", 0.01, epsilon=0.5), rmsprop(0.01, epsilon=0.5)),
        (OptimizerSettings("momentum"), momentum(0.1)),
        (OptimizerSettings("momentum", 0.01, beta=0.5), momentum(0.01, beta1=0.5)),
        (OptimizerSettings("rmsprop"), rmsprop(0.001)),
        (OptimizerSettings("rmsprop", 0.01, beta=0.99), rmsprop(0.01, beta2=0.99)),
        (OptimizerSettings("gradient_descent"), gradient_descent(0.1)),
        (OptimizerSettings("momentum", clip_norm=0.5), clip_by_norm(momentum(0.1), 0.5)),
    ],
    ids=lambda value: str(value) if isinstance(value, OptimizerSettings) else "",
)
def test_each_name_gives_its_optimiser(said, meant):
    theta, slope = [np.zeros(2)], [np.array([1.0, -2.0])]
    ours, same = (o.update(slope, o.init(theta), theta)[0] for o in (said.make(1, 1), meant))
    np.testing.assert_array_equal(ours[0], same[0])


# Properties


def test_other_numbers_compile_nothing():
    rates(descent(decay="staircase", clip_norm=3.0), 1)
    with compilations() as compiled:
        other = {"decay_rate": 0.1, "decay_epochs": 1, "clip_norm": 1.0, "learning_rate": 0.1}
        rates(descent(decay="staircase", **other), 2)
    assert compiled == []


# Error messages

WORDS = {
    ("optimizer", "momentun"): (
        "--optimizer: expected one of 4 choices; got 'momentun'.\nTry momentum (did you mean "
        "that?); the choices are adam, momentum, rmsprop, gradient_descent."
    ),
    ("learning_rate", -1): "--learning-rate: expected a number greater than 0; got -1.\nTry 0.001.",
    ("beta", 1): "--beta: expected a number of at least 0 and less than 1; got 1.\nTry 0.9.",
    ("beta", -0.1): "--beta: expected a number of at least 0 and less than 1; got -0.1.\nTry 0.9.",
    ("beta2", 1): "--beta2: expected a number of at least 0 and less than 1; got 1.\nTry 0.999.",
    ("epsilon", 0): "--epsilon: expected a number greater than 0; got 0.\nTry 1e-08.",
    ("decay_rate", 0): "--decay-rate: expected a number greater than 0; got 0.\nTry 0.95.",
    ("clip_norm", "1"): "--clip-norm: expected a number greater than 0; got '1'.\nTry 1.",
    (
        "decay_epochs",
        1.5,
    ): "--decay-epochs: expected a whole number of at least 1; got 1.5.\nTry 10.",
    ("decay_epochs", 0): "--decay-epochs: expected a whole number of at least 1; got 0.\nTry 10.",
    ("decay", "exponentiel"): (
        "--decay: expected the name of a decay method, or an explicit schedule in the form "
        "EPOCH:RATE,EPOCH:RATE; got 'exponentiel'."
        "\nTry exponential (did you mean that?); the choices are inverse_time, exponential, "
        "square_root, staircase, cosine."
    ),
    ("decay", 3): (
        "--decay: expected the name of a decay method, or an explicit schedule in the form "
        "EPOCH:RATE,EPOCH:RATE; got 3."
        "\nTry one of inverse_time, exponential, square_root, staircase, cosine."
    ),
    ("decay", "20:0.1,10:0.2"): (
        "--decay: expected EPOCH:RATE,EPOCH:RATE with increasing epochs of at least 1 and rates "
        "above 0; got '20:0.1,10:0.2'.\nTry 20:0.01,40:0.001."
    ),
}


@pytest.mark.parametrize(("name", "value"), WORDS, ids=str)
def test_invalid_settings_are_refused(name, value):
    with pytest.raises(OptionError) as error:
        Recipe("iris", **{name: value})
    assert str(error.value) == WORDS[name, value]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"optimizer": "gradient_descent", "beta": 0.9},
            "beta: expected an optimiser with a β; got gradient_descent.\n"
            "Try optimizer adam or optimizer momentum or optimizer rmsprop.",
        ),
        (
            {"optimizer": "rmsprop", "beta2": 0.9},
            "beta2: expected an optimiser with a second β; got rmsprop.\nTry optimizer adam.",
        ),
        (
            {"optimizer": "momentum", "epsilon": 1e-6},
            "epsilon: expected an optimiser with an ε; got momentum.\n"
            "Try optimizer adam or optimizer rmsprop.",
        ),
        (
            {"decay_rate": 0.5},
            "decay_rate: expected a decay that uses it; got none.\nTry decay inverse_time.",
        ),
        (
            {"decay": "1:0.1", "decay_epochs": 3},
            "decay_epochs: expected a decay that uses it; got 1:0.1.\nTry decay inverse_time.",
        ),
        (
            {"decay": "1:0.1", "decay_rate": 0.5},
            "decay_rate: expected a decay that uses it; got 1:0.1.\nTry decay inverse_time.",
        ),
        (
            {"decay": "exponential", "decay_rate": 2.0},
            "decay_rate: expected a number of at most 1 for exponential, so that the rate "
            "decreases; got 2.0.\nTry 0.95.",
        ),
    ],
    ids=[
        "beta",
        "beta2",
        "epsilon",
        "rate alone",
        "epochs by hand",
        "rate by hand",
        "a rate that rises",
    ],
)
def test_settings_that_cannot_be_combined_are_refused(options, words):
    with pytest.raises(OptionError) as error:
        OptimizerSettings(**options).check()
    assert str(error.value) == words


@pytest.mark.parametrize("text", ["0:0.1", "a:0.1", "1:0.1,", "1:0.1:2", "2:0.1,2:0.2", "1:-1"])
def test_invalid_rates_by_hand_are_refused(text):
    with pytest.raises(OptionError, match="expected EPOCH:RATE,EPOCH:RATE with increasing epochs"):
        parse_rates_by_hand(text)
