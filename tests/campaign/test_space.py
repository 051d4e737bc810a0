"""The cube around a scenario."""

import dataclasses

import numpy as np
import pytest

from healing_runtime.campaign.space import Space
from healing_runtime.core.records import Distribution, FaultSpec, Perturbation, Scenario

NOMINAL = Scenario(
    name="cart/drop",
    robot="cart",
    controller="cart/still",
    assertions=(),
    mission=None,
    duration_ticks=20,
    control_hz=10,
    physics_hz=40,
    seed=1,
    initial={"position_m": (0.0, 0.0, 0.01), "fuel_kg": 1.0},
    environment={"gravity_mps2": 9.81, "pad": {"friction": 0.95}},
    faults=(
        FaultSpec("wind", {"speed_mps": 3.0, "axis": 1}, start_step=40, until_step=60),
        FaultSpec("lag", {"value": 0.1}, start_step=8),
    ),
    perturb=Perturbation(
        {"position_m": Distribution("normal", 0.1, floor=(-1.0, -1.0, 0.0), ceiling=(1.0, 1.0, 1.0))},
        {"pad.friction": Distribution("uniform", low=-0.2, high=0.2, floor=0.0, ceiling=1.0)},
        {
            "wind.speed_mps": Distribution("uniform", low=-5.0, high=5.0, floor=0.0, ceiling=6.0),
            "wind.axis": Distribution("uniform", low=0.0, high=2.0),
            "start": Distribution("uniform", low=0.0, high=2.0, absolute=True),
        },
    ),
)
LAST_S = 79 / 40


def test_each_number_is_an_axis_within_what_is_possible():
    axes = {a.name: (round(a.low, 9), round(a.high, 9), a.nominal) for a in Space(NOMINAL).axes}
    assert axes == {
        "position_m[0]": (-0.3, 0.3, 0.0),
        "position_m[1]": (-0.3, 0.3, 0.0),
        "position_m[2]": (0.0, 0.31, 0.01),
        "pad.friction": (0.75, 1.0, 0.95),
        "faults[0].start": (0.0, LAST_S, 1.0),
        "faults[0].axis": (1.0, 3.0, 1.0),
        "faults[0].speed_mps": (0.0, 6.0, 3.0),
        "faults[1].start": (0.0, LAST_S, 0.2),
    }


def test_sigmas_widen_normal_axes_only():
    narrow = {a.name: a for a in Space(NOMINAL, sigmas=1.0).axes}
    assert narrow["position_m[0]"].high == pytest.approx(0.1)
    assert narrow["pad.friction"].low == pytest.approx(0.75)


def test_the_corners_of_the_cube_are_the_ends_of_the_axes():
    space = Space(NOMINAL)
    low, high = (space.scenario_at(np.full(space.size, u), 9) for u in (0.0, 1.0))
    assert low.initial["position_m"] == pytest.approx((-0.3, -0.3, 0.0))
    assert high.environment["pad"]["friction"] == 1.0
    assert (low.faults[0].start_step, low.faults[0].until_step) == (0, 20)
    assert high.faults[0].parameters == {"speed_mps": 6.0, "axis": 3}
    assert high.faults[1].start_step == 79, "a fault begins before the flight ends"
    assert low.seed == high.seed == 9
    assert low.initial["fuel_kg"] == 1.0 and low.perturb == NOMINAL.perturb


def test_the_nominal_point_is_the_nominal_scenario():
    space = Space(NOMINAL)
    assert dict(space.values_of(NOMINAL)) == {a.name: a.nominal for a in space.axes}
    near = space.scenario_at(space.nominal, NOMINAL.seed)
    assert dict(space.values_of(near)) == pytest.approx(dict(space.values_of(NOMINAL)))
    assert near.faults[0].start_step == 40


def test_values_are_told_as_they_are_flown():
    space = Space(NOMINAL)
    rng = np.random.default_rng(0)
    for point in rng.uniform(size=(20, space.size)):
        scenario = space.scenario_at(point, 0)
        values = space.values_of(scenario)
        assert values["faults[0].start"] * 40 == scenario.faults[0].start_step
        assert values["faults[0].axis"] == scenario.faults[0].parameters["axis"]
        assert values["position_m[2]"] == scenario.initial["position_m"][2]


def test_what_has_no_width_is_no_axis():
    perturb = Perturbation(
        {"fuel_kg": Distribution("normal", 0.0)}, {"gravity_mps2": Distribution("uniform", low=0.5, high=0.5)}
    )
    space = Space(dataclasses.replace(NOMINAL, perturb=perturb))
    assert space.size == 0
    assert space.scenario_at(np.zeros(0), 1).environment["gravity_mps2"] == pytest.approx(10.31)


def test_an_onset_for_one_kind_of_fault_takes_the_place_of_the_one_for_all():
    faults = {
        "start": Distribution("uniform", low=0.0, high=2.0, absolute=True),
        "wind.start": Distribution("uniform", low=0.5, high=1.0, absolute=True),
    }
    space = Space(dataclasses.replace(NOMINAL, perturb=Perturbation(faults=faults)))
    assert [(a.name, a.low) for a in space.axes] == [("faults[0].start", 0.5), ("faults[1].start", 0.0)]
