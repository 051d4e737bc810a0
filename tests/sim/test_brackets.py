"""What the scenario files say of where the sound landing stops surviving, flown: it bears this and fails at that.

The bracket is the second comment line of a file, and the page of the catalogue is made of it. A magnitude takes the
place of the number in the scenario's fault, or of the scenario's gravity; all else is as written. Borne is what the
gate accepts: every promise kept, and with its least margin.
"""

import dataclasses
import re

import numpy as np
import pytest

from healing_runtime import workspace

from .hangar import ROOT, accepted

HOME = workspace.open(ROOT)
NUMBER = r"(-?\d+(?:\.\d+)?)"
BRACKET = re.compile(rf"# landing_pid (?:bears {NUMBER} and )?(?:bears this; it )?fails at (?:{NUMBER}|hover speed)")
NOT_MAGNITUDES = {"rotor", "signal", "signals", "over_s", "floor", "radius_m", "centre_m", "memory_s", "rate_degps"}
WEIGHT_N = 0.027 * 9.80665
PROPORTIONAL = {"quadrotor/landing_positions_noisy": 1}
"""Two faults that grow together: which of them the numbers are of."""


def bracket(name):
    """(borne or None where it is the scenario itself or there is none, failing), as written."""
    text = (ROOT / f"scenarios/{name}.yaml").read_text()  # not resolved: this is asked of every file for the names
    found = next((m for line in text.splitlines() if (m := BRACKET.match(line))), None)
    return found and tuple(float(n or 1.0) if place else n and float(n) for place, n in enumerate(found.groups()))


NAMES = [name for name in HOME.scenario_names("quadrotor") if bracket(name)]
SAMPLE = [f"quadrotor/landing_{n}" for n in ("altimeter_high", "velocity_delay", "payload_survived")]


def with_magnitude(scenario, magnitude):
    """The scenario with the magnitude in place of its own."""
    if not scenario.faults:
        return dataclasses.replace(scenario, environment={**scenario.environment, "gravity_mps2": magnitude})
    leading = scenario.faults[PROPORTIONAL.get(scenario.name, 0)]
    ((_, own),) = magnitudes(leading).items()
    own = own if own.any() else own + 1.0
    unit = WEIGHT_N if leading.kind == "side_force" else 1.0
    faults = []
    for fault in scenario.faults:
        if fault.kind == leading.kind:
            ((key, value),) = magnitudes(fault).items()
            value = magnitude * unit * np.abs(value if value.any() else value + 1.0) / np.abs(own).max()
            fault = dataclasses.replace(fault, parameters={**fault.parameters, key: value.tolist()})
        faults.append(fault)
    return dataclasses.replace(scenario, faults=tuple(faults))


def magnitudes(fault):
    return {k: np.asarray(v, float) for k, v in fault.parameters.items() if k not in NOT_MAGNITUDES}


def check(hangar, name):
    borne, failing = bracket(name)
    scenario, given = hangar.scenario(name), "controllers/quadrotor/landing_pid.py"
    assert f"controllers/{scenario.controller}.py" == given

    def survives(magnitude):
        flown = with_magnitude(scenario, magnitude)
        return accepted(flown, hangar.fly(flown, given))

    if borne is not None:
        assert survives(borne), f"it fails at {borne:g}"
    assert not survives(failing), f"it bears {failing:g}"


@pytest.mark.parametrize("name", SAMPLE)
def test_a_bracket_is_where_its_scenario_says(hangar, name):
    check(hangar, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_bracket_is_where_its_scenario_says(hangar, name):
    check(hangar, name)


def test_every_file_that_says_where_is_read():
    says = [n for n in HOME.scenario_names("quadrotor") if "fails at" in HOME.scenario(n).text]
    assert says == NAMES and len(NAMES) > 50
