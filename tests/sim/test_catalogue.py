"""The shipped scenarios through the real compiler and the real loop.

The given controllers break their promises, a witness keeps them: in the scenario itself and in its neighbourhood, with
the gate's own draws, thresholds and statistics. The witnesses live here and nowhere in the runtime.
"""

from pathlib import Path

import numpy as np
import pytest

from healing_runtime import stl, workspace
from healing_runtime.compile import export, programs
from healing_runtime.core.perturb import draw
from healing_runtime.language import controller, passes, source, trace
from healing_runtime.loop import rollout

from .catalogue import planar

ROOT = Path(__file__).resolve().parents[2]
BALANCE, WITNESSES = "controllers/cartpole/balance.py", "tests/sim/witness"
LANDING = f"{WITNESSES}/quadrotor_landing.py"
GENTLE = {"position_n_per_m": 2.2, "velocity_ns_per_m": 3.6, "angle_n_per_rad": 36.5, "rate_ns_per_rad": 9.4}
FIRM = {"position_n_per_m": 4.0, "velocity_ns_per_m": 6.4, "angle_n_per_rad": 78.0, "rate_ns_per_rad": 16.3}
WITNESS = {
    "cartpole/balance_angle_bias": (f"{WITNESSES}/cartpole_balance.py", {}),
    "cartpole/balance_delay": (BALANCE, GENTLE),
    "cartpole/balance_heavy_pole": (BALANCE, FIRM),
    "cartpole/balance_milliseconds": (BALANCE, {}),
    "cartpole/balance_no_rate": (BALANCE, {}),
    "cartpole/balance_rate_lost": (f"{WITNESSES}/cartpole_no_rate_sensor.py", {}),
    "cartpole/balance_steady_push": (f"{WITNESSES}/cartpole_balance.py", {}),
    "cartpole/balance_weak_gains": (BALANCE, {}),
    "cartpole/balance_weak_motor": (BALANCE, GENTLE),
    "cartpole/balance_wrong_sign": (BALANCE, {}),
    "lander/neuro_lander": ("controllers/lander/soft_landing.py", {}),
    "quadrotor/landing_hard_touchdown": (LANDING, {}),
    "quadrotor/landing_wrong_sign": (LANDING, {}),
    "quadrotor/landing_rotor_weak": (LANDING, {}),
    **planar.WITNESS,
}
"""A controller and the PARAMS in which the witness differs from it."""
FAILING = {
    "cartpole/balance_angle_bias": ("station", 6.24),
    "cartpole/balance_delay": ("lean", 7.96),
    "cartpole/balance_heavy_pole": ("lean", 1.78),
    "cartpole/balance_milliseconds": ("lean", 0.28),
    "cartpole/balance_no_rate": ("lean", 0.28),
    "cartpole/balance_rate_lost": ("lean", 1.88),
    "cartpole/balance_shove": ("lean", 4.60),
    "cartpole/balance_steady_push": ("station", 5.94),
    "cartpole/balance_weak_gains": ("lean", 2.06),
    "cartpole/balance_weak_motor": ("lean", 1.34),
    "cartpole/balance_wrong_sign": ("lean", 0.26),
    "lander/neuro_lander": ("braking-distance", None),
    "quadrotor/landing_hard_touchdown": ("descent-near-ground", None),
    "quadrotor/landing_wrong_sign": ("corridor", None),
    "quadrotor/landing_rotor_weak": ("on-the-pad", None),
    **planar.FAILING,
}
"""What trips, and when where that is calibrated (s; within 0.3 s, for thresholds move with the arithmetic)."""
SOUND = ("cartpole/balance", "cartpole/balance_push", "quadrotor/landing", *planar.SOUND)


@pytest.fixture(scope="module")
def catalogue():
    return workspace.open(ROOT)


@pytest.fixture(scope="module")
def fly(catalogue, cartpole, quadrotor, lander, lander_planar):
    """(scenario, controller source, changed PARAMS) -> Flight; each program is built once."""
    plants = {bench.robot.name: bench.plant for bench in (cartpole, quadrotor, lander, lander_planar)}
    built = {}

    def program(scenario, path, changed):
        known = (scenario.robot, scenario.assertions, path, *changed.items())
        if known not in built:
            table = catalogue.robot(scenario.robot).signals
            parsed = source.parse((ROOT / path).read_text(), name=Path(path).stem, path=path)
            if changed:
                text = source.with_params(parsed, {**parsed.params, **changed})
                parsed = source.parse(text, name=parsed.source.name, path=path)
            traced = trace.trace(controller.load(parsed), table, scenario.dt_s, np.dtype(scenario.dtype))
            assert [f for f in passes.run(traced) if f.severity == "error"] == []
            files = tuple(catalogue.assertion_file(name) for name in scenario.assertions)
            requirements = stl.bind(files, table, scenario.control_hz)
            exported = export.export_controller(traced, None, scenario.control_hz)
            built[known] = programs.load(programs.build(exported, requirements, table, scenario.control_hz))
        return built[known]

    def flight(scenario, path, changed=None):
        plan = rollout.FlightPlan(scenario, scenario.seed)
        return rollout.fly(plants[scenario.robot], program(scenario, path, changed or {}), plan)

    return flight


def accepted(scenario, flight):
    return flight.kept and flight.within_limits and flight.robustness >= scenario.acceptance.min_robustness


def given(scenario):
    return f"controllers/{scenario.controller}.py"


def passed(scenario, fly, witness, samples):
    rng = np.random.default_rng(2024)
    flights = ((s, fly(s, *witness)) for s in (draw(scenario, rng) for _ in range(samples)))
    return sum(accepted(s, flight) for s, flight in flights)


def test_every_scenario_of_the_catalogue_is_here(catalogue):
    assert {*FAILING, *SOUND} == set(catalogue.scenario_names())


@pytest.mark.parametrize("name", FAILING)
def test_the_given_controller_breaks_its_promise(catalogue, fly, name):
    scenario = catalogue.scenario(name).scenario
    flight = fly(scenario, given(scenario))
    assertion, t_s = FAILING[name]
    assert flight.tripped == (assertion,)
    assert t_s is None or flight.trip_tick / scenario.control_hz == pytest.approx(t_s, abs=0.3)
    assert not flight.kept
    assert scenario.healable == ("yes" if name in WITNESS else "unknown")
    assert scenario.healable_reason


@pytest.mark.parametrize("name", SOUND)
def test_what_the_given_controller_survives_it_survives_with_its_neighbours(catalogue, fly, name):
    scenario = catalogue.scenario(name).scenario
    assert accepted(scenario, fly(scenario, given(scenario)))
    assert passed(scenario, fly, (given(scenario),), 4) == 4


def test_the_weak_rotor_flies_the_controller_of_the_good_landing(catalogue):
    good, weak = (catalogue.scenario(f"quadrotor/{n}").scenario for n in ("landing", "landing_rotor_weak"))
    assert weak.controller == good.controller
    fault = weak.faults[0]
    assert fault.kind == "rotor_efficiency"
    assert fault.parameters["value"] <= 0.8
    assert fault.start_step == 3 * weak.physics_hz


@pytest.mark.parametrize("name", WITNESS)
def test_a_witness_keeps_every_promise_with_a_clear_margin(catalogue, fly, name):
    scenario = catalogue.scenario(name).scenario
    flight = fly(scenario, *WITNESS[name])
    assert accepted(scenario, flight)
    assert flight.robustness > 10 * scenario.acceptance.min_robustness
    assert all(v.status.word in ("true", "vacuous") for v in flight.verdicts)
    assert passed(scenario, fly, WITNESS[name], 4) == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", WITNESS)
def test_a_witness_passes_the_gates_neighbourhood(catalogue, fly, name):
    scenario = catalogue.scenario(name).scenario
    samples = scenario.acceptance.samples
    assert passed(scenario, fly, WITNESS[name], samples) >= 93 / 96 * samples
