"""Options declared once: their defaults, their ranges, and whose they are."""

import dataclasses
import importlib
import inspect
from typing import Annotated

import pytest

from cyclegan_tf import InputError, System
from cyclegan_tf.commands.train import _parameters, check_flags, system_asked, train_function
from cyclegan_tf.recipes import SYSTEMS
from cyclegan_tf.recipes.option import Option, declared
from cyclegan_tf.recipes.recipe import Recipe
from cyclegan_tf.runs.options import (
    DataOptions,
    TrainingOptions,
    declared_options,
    options_of,
    resolve,
)
from cyclegan_tf.runs.train import _schedule


@pytest.fixture
def another_system(monkeypatch):
    def build(image_shape, *, kl_weight: Annotated[float, Option("Weight of KL", least=0)] = 0.1):
        raise NotImplementedError

    monkeypatch.setitem(
        SYSTEMS, "other", Recipe(build, "another system", "its paper", {"own": {"epochs": 7}})
    )


def test_a_rate_that_stays_falls_in_no_epoch(another_system, monkeypatch):
    constant = dataclasses.replace(SYSTEMS["other"], constant_rate=True)
    monkeypatch.setitem(SYSTEMS, "other", constant)
    options = resolve("scenes", system="other")
    assert (options.training.epochs, options.training.decay_epochs) == (7, 0)
    assert resolve("scenes", system="other", decay_epochs=0) == options
    with pytest.raises(InputError, match=r"^other updates some .* or give 0\. Received: 3$"):
        resolve("scenes", system="other", decay_epochs=3)
    # No schedule: its optimizers do not count all steps.
    resumed = {"epoch": 3, "pairs": 2, "batch_size": 1, "iterations": 1}
    assert _schedule(options, resumed, elements=None) == 2e-4
    help_of = {each.name: each.annotation for each in _parameters("other")}
    assert help_of["decay_epochs"].__metadata__[0].help.endswith("(default: 0).")


# Of how many options the class has an argument too.
SHARED = {
    "cyclegan": 8,
    "pix2pix": 4,
    "unit": 6,
    "cut": 7,
    "discogan": 4,
    "dualgan": 6,
    "cogan": 2,
    "bigan": 2,
    "simgan": 5,
    "featuregan": 8,
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_defaults_of_the_recipe_are_those_of_the_class(system):
    module = importlib.import_module(f"cyclegan_tf.systems.{system}")
    (of_system,) = (
        each
        for each in vars(module).values()
        if inspect.isclass(each) and issubclass(each, System) and each.__module__ == module.__name__
    )
    of_class = inspect.signature(of_system).parameters
    options = declared(SYSTEMS[system].build)
    networks = {"generator"}  # an option that chooses one, an argument that is one
    shared = (options.keys() & of_class.keys()) - networks
    assert len(shared) == SHARED[system]
    for name in shared:
        assert options[name].default == of_class[name].default


@pytest.mark.parametrize("system", ["cyclegan", "cut", "cogan", "simgan", "featuregan"])
def test_a_system_of_domains_with_equal_channels_says_so(system):
    shapes = {"a": (16, 16, 1), "b": (16, 16, 3)}
    sentence = r"images of both domains .*Received: image_shape=\{'a': \(16, 16, 1\), 'b'"
    with pytest.raises(ValueError, match=sentence):
        SYSTEMS[system].build(shapes, base_filters=2)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"epochs": "5"}, r"^epochs must be int\. Received: '5'$"),
        ({"flip": 1}, r"^flip must be bool\. Received: 1$"),
        ({"epochs": True}, r"^epochs must be int\. Received: True$"),
        ({"load_size": 30.5}, r"^load_size must be int or None\. Received: 30\.5$"),
        ({"lambda_a": [1]}, r"^lambda_a must be float or int\. Received: \[1\]$"),
    ],
)
def test_a_value_of_another_type_is_refused(given, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        resolve("folder", **given)
    options = resolve("folder").changed(**given)
    (tmp_path / "options.json").write_text(options.as_json())
    with pytest.raises(InputError, match=r"does not hold the options of a run .* must be "):
        options_of(tmp_path)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_name_belongs_to_one_section(system):
    sections = [declared(each) for each in (DataOptions, SYSTEMS[system].build, TrainingOptions)]
    names = [name for section in sections for name in section]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("system", SYSTEMS)
def test_options_come_back_from_their_file(system, tmp_path):
    options = resolve("scenes", system=system, image_size=24, epochs=3)
    (tmp_path / "options.json").write_text(options.as_json())
    assert options_of(tmp_path) == options


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_command_has_each_option(system):
    parameters = inspect.signature(train_function(system)).parameters
    assert set(declared_options(system)) < set(parameters)


def test_an_option_of_another_system_says_whose_it_is(another_system):
    with pytest.raises(InputError, match=r"--kl-weight is an option of other, not of cyclegan\."):
        resolve("scenes", kl_weight=1.0)
    with pytest.raises(InputError, match=r"--kl-weight is an option of other, not of cyclegan\."):
        check_flags(["cyclegan-tf", "train", "scenes", "--kl-weight=1"])
    whose = r"--lambda-identity is an option of cyclegan, not of other\."
    with pytest.raises(InputError, match=whose):
        check_flags(["cyclegan-tf", "train", "x", "--system", "other", "--lambda-identity", "1"])
    check_flags(["cyclegan-tf", "train", "--system", "other", "--kl-weight", "1", "--epochs", "2"])


def test_the_system_is_known_before_the_command_line_is_parsed(another_system):
    assert system_asked(["train", "x", "--system", "other"]) == "other"
    assert system_asked(["train", "x", "--system", "cyclegan", "--system=other"]) == "other"
    assert system_asked(["train", "x", "--system"]) == "cyclegan"
    with pytest.raises(InputError, match=r"one of cyclegan, .*, other\. Received: 'n'"):
        system_asked(["train", "x", "--system", "n"])
    options = resolve("scenes", system="other", kl_weight=0.5)
    assert (options.model, options.training.epochs) == ({"kl_weight": 0.5}, 7)
