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

ROOT = Path(__file__).resolve().parents[2]
WITNESS = {
    "lander": ROOT / "controllers/lander/soft_landing.py",
    "quadrotor": ROOT / "tests/sim/witness/quadrotor_landing.py",
}
FAILING = {
    "lander/neuro_lander": "braking-distance",
    "quadrotor/landing_hard_touchdown": "descent-near-ground",
    "quadrotor/landing_wrong_sign": "corridor",
    "quadrotor/landing_rotor_weak": "on-the-pad",
}


@pytest.fixture(scope="module")
def catalogue():
    return workspace.open(ROOT)


@pytest.fixture(scope="module")
def fly(catalogue, quadrotor, lander):
    """(scenario, controller source, plan options) -> Flight; each program is built once."""
    plants = {"quadrotor": quadrotor.plant, "lander": lander.plant}
    built = {}

    def program(scenario, path):
        known = (scenario.robot, scenario.assertions, path)
        if known not in built:
            table = catalogue.robot(scenario.robot).signals
            parsed = source.parse(Path(path).read_text(), name=Path(path).stem, path=str(path))
            traced = trace.trace(controller.load(parsed), table, scenario.dt_s, np.dtype(scenario.dtype))
            assert [f for f in passes.run(traced) if f.severity == "error"] == []
            files = tuple(catalogue.assertion_file(name) for name in scenario.assertions)
            requirements = stl.bind(files, table, scenario.control_hz)
            exported = export.export_controller(traced, None, scenario.control_hz)
            built[known] = programs.load(programs.build(exported, requirements, table, scenario.control_hz))
        return built[known]

    def flight(scenario, path):
        plan = rollout.FlightPlan(scenario, scenario.seed)
        return rollout.fly(plants[scenario.robot], program(scenario, path), plan)

    return flight


def accepted(scenario, flight):
    return flight.kept and flight.within_limits and flight.robustness >= scenario.acceptance.min_robustness


def passed(scenario, fly, path, samples):
    rng = np.random.default_rng(2024)
    flights = ((s, fly(s, path)) for s in (draw(scenario, rng) for _ in range(samples)))
    return sum(accepted(s, flight) for s, flight in flights)


@pytest.mark.parametrize("name", FAILING)
def test_the_given_controller_breaks_its_promise(catalogue, fly, name):
    scenario = catalogue.scenario(name).scenario
    flight = fly(scenario, ROOT / "controllers" / f"{scenario.controller}.py")
    assert flight.tripped == (FAILING[name],)
    assert not flight.mission_satisfied
    assert scenario.healable == "yes"


def test_the_good_landing_succeeds_with_its_neighbours(catalogue, fly):
    scenario = catalogue.scenario("quadrotor/landing").scenario
    path = ROOT / "controllers" / f"{scenario.controller}.py"
    assert accepted(scenario, fly(scenario, path))
    assert passed(scenario, fly, path, 4) == 4


def test_the_weak_rotor_flies_the_controller_of_the_good_landing(catalogue):
    good, weak = (catalogue.scenario(f"quadrotor/{n}").scenario for n in ("landing", "landing_rotor_weak"))
    assert weak.controller == good.controller
    fault = weak.faults[0]
    assert fault.kind == "rotor_efficiency"
    assert fault.parameters["value"] <= 0.8
    assert fault.start_step == 3 * weak.physics_hz


@pytest.mark.parametrize("name", FAILING)
def test_a_witness_keeps_every_promise_with_a_clear_margin(catalogue, fly, name):
    scenario = catalogue.scenario(name).scenario
    flight = fly(scenario, WITNESS[scenario.robot])
    assert accepted(scenario, flight)
    assert flight.robustness > 10 * scenario.acceptance.min_robustness
    assert all(v.status.word in ("true", "vacuous") for v in flight.verdicts)
    assert passed(scenario, fly, WITNESS[scenario.robot], 4) == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", FAILING)
def test_a_witness_passes_the_gates_neighbourhood(catalogue, fly, name):
    scenario = catalogue.scenario(name).scenario
    samples = scenario.acceptance.samples
    assert passed(scenario, fly, WITNESS[scenario.robot], samples) >= 93 / 96 * samples
