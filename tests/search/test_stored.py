"""chainrule/search/trials.py and samplers.py: the form in which optuna stores a candidate."""

import optuna
import pytest

from chainrule.errors import MissingExtraError, OptionError
from chainrule.search import samplers
from chainrule.search.samplers import RandomSampler, Region, check_names, optunas_sampler
from chainrule.search.space import Space
from chainrule.search.trials import from_optuna, suggest, to_optuna, values_of

SPACE = Space.parse(
    [
        "learning_rate=log(1e-4, 1)",
        "keep_prob=uniform(0.5, 1)",
        "beta=one_minus_log(0.9, 0.999)",
        "units=integers(8, 128)",
        "layers=integers(1, 3, log)",
        "hidden=choices(none, (64, 32), 8)",
        "l2=log(1e-4, 1) if layers > 1",
    ]
)


@pytest.fixture
def study():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study()


@pytest.mark.parametrize("number", range(8))
def test_optuna_stores_what_was_drawn(study, number):
    study.sampler = RandomSampler(SPACE, 3, number, Region.whole(SPACE))
    trial = study.ask()
    drawn = suggest(trial, SPACE)
    expected = SPACE.sample(3, number)
    assert drawn.pop("hidden") == expected.pop("hidden")
    assert drawn == pytest.approx(expected)
    repeated = suggest(trial, SPACE)  # as when another worker continues the trial
    assert repeated == values_of(trial.params, SPACE)
    assert repeated.items() >= drawn.items()


def test_beta_is_stored_as_one_minus_beta(study):
    trial = study.ask()
    suggest(trial, SPACE)
    assert 0.001 <= trial.params["1 - beta"] <= 0.1
    assert trial.distributions["1 - beta"].log


@pytest.mark.parametrize("name", list(SPACE.dimensions))
def test_conversion_to_optuna_and_back(name):
    dimension = SPACE.dimensions[name]
    for u in (0, 0.3, 1):
        value = dimension.at(u)
        restored = from_optuna(dimension, to_optuna(dimension, value))
        assert restored == (pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize("name", ["tpe", "qmc"])
def test_optunas_samplers_draw_what_is_in_the_space(study, name):
    drawn = []
    for number in range(14):
        study.sampler = optunas_sampler(name, 0, number)
        trial = study.ask()
        values = suggest(trial, SPACE)
        assert ("l2" in values) == (values["layers"] > 1)
        drawn.append(values["learning_rate"])
        study.tell(trial, values["learning_rate"])
    assert len(set(drawn)) == 14
    if name == "tpe":
        assert min(drawn[10:]) < 1e-2  # the sampler has learned that small values are better


def test_an_unknown_name_is_refused():
    with pytest.raises(OptionError, match=r"--sampler: expected one of 6 choices; got 'tpo'"):
        check_names("tpo", "none")
    with pytest.raises(OptionError, match=r"--pruner: expected one of 4 choices; got 'medan'"):
        check_names("tpe", "medan")


def test_a_sampler_whose_package_is_missing(monkeypatch):
    monkeypatch.setitem(samplers.NEEDS, "tpe", "no_such_package")
    with pytest.raises(MissingExtraError) as error:
        check_names("tpe", "none")
    assert str(error.value) == (
        "--sampler tpe: expected the package no_such_package; got an installation without it.\n"
        "Try pip install no_such_package, or --sampler tpe."
    )
