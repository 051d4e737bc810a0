"""What a robot does not bear is brought back towards the scenario; what it bears stays as it was drawn."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from healing_runtime.core.bearing import bearing
from healing_runtime.core.perturb import draw
from healing_runtime.core.records import Distribution, FaultSpec, Perturbation, Scenario

NOMINAL = Scenario(
    name="cart/steep",
    robot="cart",
    controller="cart/hold",
    assertions=(),
    mission=None,
    duration_ticks=100,
    control_hz=10,
    physics_hz=100,
    seed=3,
    initial={"position_m": (0.0, 1.0)},
    environment={"pad": {"slope_deg": 15.0}},
    faults=(FaultSpec("slope", {"value_deg": 29.0, "rotor": 1, "radius_m": None}, 50, 80),),
    perturb=Perturbation(
        initial={"position_m": Distribution("normal", scale=1.0)},
        environment={"pad.slope_deg": Distribution("uniform", low=0.0, high=10.0)},
        faults={"start": Distribution("uniform", low=0.0, high=10.0, absolute=True)},
    ),
)


def steepest(scenario):
    return scenario.environment["pad"]["slope_deg"] + scenario.faults[0].parameters["value_deg"]


def drawn(bears=None, samples=40, scenario=NOMINAL):
    rng = np.random.default_rng(1)
    return [draw(scenario, rng, bears) for _ in range(samples)]


def test_only_what_is_not_borne_is_brought_back_and_nearly_to_the_edge():
    as_it_comes, held = drawn(), drawn(lambda s: steepest(s) <= 45.0)
    assert 0 < sum(a != b for a, b in zip(as_it_comes, held, strict=True)) < 40
    for free, one in zip(as_it_comes, held, strict=True):
        assert one.seed == free.seed
        if steepest(free) <= 45.0:
            assert one == free
            continue
        assert 45.0 - 1e-3 < steepest(one) <= 45.0
        share = (steepest(one) - 44.0) / (steepest(free) - 44.0)
        assert one.initial["position_m"] == pytest.approx(
            (share * free.initial["position_m"][0], 1.0 + share * (free.initial["position_m"][1] - 1.0))
        )
        (fault,), (far,) = one.faults, free.faults
        assert abs(fault.start_step - (50 + share * (far.start_step - 50))) <= 0.5
        assert (fault.until_step, fault.parameters["rotor"]) == (fault.start_step + 30, 1)


def test_what_is_never_borne_is_the_scenario_itself_with_the_seed_of_the_draw():
    for free, one in zip(drawn(), drawn(lambda s: s == NOMINAL), strict=True):
        assert one == dataclasses.replace(NOMINAL, seed=free.seed)


# ---------------------------------------------------------------- asked of the robot
FILE = """\
robot: lander
controller: lander/soft_landing
duration: 10 s
rates: {control_hz: 10, physics_hz: 100}
environment: {pad: {slope_deg: 15}}
faults:
  - {kind: slope, value_deg: 29, start: 1 s}
perturb: {pad: {slope_deg: {uniform: [0, 10]}}}
"""


def test_the_plant_says_what_it_bears(tmp_path):
    from healing_runtime import workspace

    path = tmp_path / "steep.yaml"
    path.write_text(FILE)
    home = workspace.open()
    scenario = home.scenario(path).scenario
    with bearing(home.robot("lander")) as bears:
        assert not all(bears(s) for s in drawn(scenario=scenario))
        assert all(bears(s) for s in drawn(bears, scenario=scenario))
