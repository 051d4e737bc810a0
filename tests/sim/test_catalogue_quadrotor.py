"""The quadrotor's scenarios, flown as `test_catalogue.py` says; a file of their own, for they are many."""

import pytest

from healing_runtime.language import source

from . import tables
from .hangar import ROOT

LANDINGS = "quadrotor"


@pytest.mark.parametrize("name", tables.of(tables.FAILING, LANDINGS))
def test_the_given_controller_breaks_its_promise(hangar, name):
    hangar.check_failing(name)


@pytest.mark.parametrize("name", tables.of(tables.SOUND, LANDINGS))
def test_what_the_given_controller_survives_it_survives_with_its_neighbours(hangar, name):
    hangar.check_sound(name, 2)


@pytest.mark.parametrize("name", tables.of(tables.WITNESS, LANDINGS))
def test_a_witness_keeps_every_promise_with_a_clear_margin(hangar, name):
    hangar.check_witness(name, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", tables.of(tables.WITNESS, LANDINGS))
def test_a_witness_passes_the_gates_neighbourhood(hangar, name):
    print(f"{name}: {hangar.check_neighbourhood(name)} of 96")


def test_the_weak_rotor_flies_the_controller_of_the_good_landing(hangar):
    good, weak = (hangar.scenario(f"quadrotor/{n}") for n in ("landing", "landing_rotor_weak"))
    assert weak.controller == good.controller
    fault = weak.faults[0]
    assert fault.kind == "rotor_efficiency"
    assert fault.parameters["value"] <= 0.8
    assert fault.start_step == 3 * weak.physics_hz


def test_other_params_in_the_executable_are_the_same_as_another_source(hangar):
    """Witnesses share one executable: its flight is, bit for bit, that of the text with these PARAMS."""
    name = "quadrotor/landing_rotor_weaker"
    path, changed = tables.WITNESS[name]
    scenario = hangar.scenario(name)
    parsed = source.parse((ROOT / path).read_text(), name="witness", path=path)
    text = source.with_params(parsed, {**parsed.params, **changed})
    rebuilt = hangar.build(scenario, text, path)
    other = hangar.fly_with(rebuilt, scenario)
    assert other.digest == hangar.fly(scenario, path, changed).digest != hangar.fly(scenario, path).digest
