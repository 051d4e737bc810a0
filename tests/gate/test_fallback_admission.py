"""What a fallback must show before take-off: real workers, real flights, on the gate's small robot."""

import dataclasses
import re

import numpy as np
import pytest
from gate_kit import DROPS, context, controller, scenario, source

from healing_runtime.compile.cache import Cache
from healing_runtime.core.errors import InputError, SandboxFailed, WorkerFailed
from healing_runtime.core.signals import Layout, Signal
from healing_runtime.gate import fallback
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.records import Surroundings
from healing_runtime.ledger.store import Ledger
from healing_runtime.loop.rollout import FlightPlan, fly
from healing_runtime.sandbox.zygote import Sandbox
from tests.loop.integrator import SCENARIO, Integrator
from tests.loop.integrator import TABLE as LINE
from tests.loop.integrator import program as on_a_line

ROOT_OF_LESS = "jnp.clip(thrust, 0.0, 20.0) + 0.0 * jnp.sqrt(obs['altitude_m'] - 1.95)"
LOST = source(controller(output=ROOT_OF_LESS), "hopper/lost")
"""Not finite below 1.95 m: where some of the drawn states are, and the scenario's own is not."""
FALLS = source(DROPS, "hopper/falls")
"""It breaks the scenario's assertions and misses its mission, with a finite action inside the limits."""
AROUND = Surroundings("sha256:runtime", "sha256:sim")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    folder.chmod(0o700)
    Ledger(folder / "ledger.sqlite3").close()
    with KeptPrograms(folder / "ledger.sqlite3", Cache(folder / "cache")) as kept:
        yield kept


@pytest.fixture
def admit(sandbox, kept):
    def admit(chosen, around=AROUND, **how):
        return fallback.admit(sandbox, chosen, dataclasses.replace(context(**how), surroundings=around), kept)

    return admit


# ---------------------------------------------------------------- what is asked of it
def test_neither_assertions_nor_mission_are_asked_of_a_fallback(admit):
    admitted = admit(FALLS)
    assert admitted.program.interface.controller.source_sha256 == FALLS.sha256
    assert admitted.document()["states"] == 32
    assert admitted.document()["draws"] == [7, "fallback", FALLS.sha256, 32]


def test_an_action_that_is_not_finite_in_one_of_the_drawn_states_refuses(admit):
    with pytest.raises(InputError, match=r"flight \d+ of 32 from drawn states: its action is not finite") as refused:
        admit(LOST)
    assert refused.value.exit_code == 2
    assert str(refused.value).startswith("hopper/lost.py: the fallback 'hopper/lost' may not fly the hopper: ")
    assert "tick 0 (thrust_n)" in str(refused.value) and "leave policy.fallback out" in str(refused.value)


@pytest.mark.slow
def test_the_same_flight_refuses_however_many_workers_fly(kept):
    said = []
    for workers in (1, 3):
        with Sandbox(workers) as sandbox, pytest.raises(InputError) as refused:
            fallback.admit(sandbox, LOST, context(), kept)
        said.append(str(refused.value))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DROPS.replace("altitude_m", "depth_m"), "depth_m"),
        (DROPS.replace("import jax.numpy as jnp", "import os"), "os"),
        ("PARAMS = {", "never closed"),
    ],
    ids=["another robot's", "hostile", "no Python"],
)
def test_the_static_stages_refuse_with_the_line(admit, text, said):
    with pytest.raises(InputError) as refused:
        admit(source(text, "hopper/other"))
    assert re.match(r"hopper/other\.py:\d+:.* the fallback 'hopper/other' may not fly the hopper: ", str(refused.value))
    assert said in str(refused.value)


def test_a_flight_that_kills_its_worker_refuses(admit):
    with pytest.raises(InputError, match="may not fly the hopper: examining it did not end well: killed by SIGABRT"):
        admit(FALLS, trouble="dies")


def test_no_worker_to_be_had_is_no_fault_of_the_fallback(kept):
    sandbox = Sandbox(1)
    sandbox.close()
    with pytest.raises(SandboxFailed):
        fallback.admit(sandbox, FALLS, context(), kept)


def commanding(commands, contract=()):
    """A program of the small plant that commands what it is told, and whose own assertions say what they are told."""
    plain = on_a_line(0.5)
    columns = {**plain.interface.columns, "contract_rho": (4, 5), "contract_ok": (5, 6)} if contract else {}
    told = dataclasses.replace(plain.interface.controller, contract=("sane",) if contract else ())
    interface = dataclasses.replace(plain.interface, controller=told, packed_size=6) if contract else plain.interface
    interface = dataclasses.replace(interface, columns=columns) if contract else interface

    def tick(params, memory, sample):
        memory, packed = plain.tick(params, memory, sample)
        now = int(plain.carried(memory).floats[0]) - 1
        packed[0] = commands(now)
        packed[1], packed[2] = float(not np.isfinite(packed[0])), float(np.isfinite(packed[0]))
        if contract:
            fine = contract[0] != now
            packed[1] = float(not fine)
            packed = np.concatenate([packed, [1.0 if fine else -1.0, float(fine)]])
        return memory, packed

    return dataclasses.replace(plain, tick=tick, interface=interface)


@pytest.mark.parametrize(
    ("commands", "contract", "said"),
    [
        (lambda tick: 0.1, (), ""),
        (lambda tick: 0.2 * min(tick, 5), (), ""),
        (lambda tick: 0.1, (99,), ""),
        (lambda tick: 0.1, (17,), "its own assertion controller/sane is violated at tick 17"),
        (lambda tick: np.nan if tick == 9 else 0.1, (), "its action is not finite at tick 9 (velocity_mps)"),
        (lambda tick: np.inf if tick == 0 else 0.1, (), "its action is not finite at tick 0 (velocity_mps)"),
        (lambda tick: 0.1 * tick, (), "an action lies outside its limits"),
        (lambda tick: 0.3 * (tick % 2), (), "an action changes faster than its rate limit"),
    ],
)
def test_what_a_flight_shows(commands, contract, said):
    program = commanding(commands, contract)
    flight = fly(Integrator(), program, FlightPlan(SCENARIO, 3, trips=False))
    fault = fallback.fault_of(flight, program.interface, LINE)
    assert fault.startswith(said) and bool(fault) == bool(said)


def test_nan_kept_in_the_memory_refuses():
    program = commanding(lambda tick: 0.1)

    def tick(params, memory, sample):
        memory, packed = program.tick(params, memory, sample)
        packed[3] = np.nan if packed[3] == 6.0 else packed[3]
        return memory, packed

    flight = fly(Integrator(), dataclasses.replace(program, tick=tick), FlightPlan(SCENARIO, 3, trips=False))
    fault = fallback.fault_of(flight, program.interface, LINE)
    assert fault.startswith("NaN is kept in the memory") and fault.endswith("(tick 5)")


class Wide(Integrator):
    """Follows 2.5 m/s in a second, which is 0.25 m/s in a tick, up to 20 m/s."""

    signals = dataclasses.replace(LINE, action=Layout((Signal("velocity", "m/s", low=0.0, high=20.0, rate_per_s=2.5),)))


@pytest.mark.parametrize(("step", "said"), [(0.25, ""), (0.2501, "an action changes faster than its rate limit")])
def test_a_rate_that_is_kept_in_float32_is_kept(step, said):
    """As the gate judges it: at 10 m/s a float32 is exact to 1e-6 m/s."""
    commands = np.cumsum(np.full(SCENARIO.duration_ticks + 1, step, np.float32), dtype=np.float32) + np.float32(3.1)
    program = commanding(lambda tick: float(commands[tick]))
    flight = fly(Wide(), program, FlightPlan(SCENARIO, 3, trips=False))
    fault = fallback.fault_of(flight, program.interface, Wide.signals)
    assert fault.startswith(said) and bool(fault) == bool(said)


def test_a_state_that_is_not_finite_refuses():
    class Lost(Integrator):
        def truth(self):
            return np.array([self.x, self.t if self.t < 0.55 else np.nan])

    program = on_a_line(0.5)
    flight = fly(Lost(), program, FlightPlan(SCENARIO, 3, trips=False))
    assert fallback.fault_of(flight, program.interface, LINE) == "the robot's state is not finite at tick 6"


# ---------------------------------------------------------------- the states
def test_the_states_are_the_scenarios_neighbours_keyed_by_the_runs_seed_and_the_fallback():
    def altitudes(seed=7, chosen=FALLS):
        draws = (seed, "fallback", chosen.sha256, fallback.STATES)
        return tuple(s.initial["altitude_m"] for s in fallback.drawn(scenario(seed=seed), draws))

    first = altitudes()
    assert len(set(first)) == 32 and first == altitudes()
    assert 1.8 < min(first) < 1.95 < 2.05 < max(first) < 2.2
    assert not set(first) & set(altitudes(seed=8)) and not set(first) & set(altitudes(chosen=LOST))


def test_the_states_are_such_as_the_robot_bears(admit):
    assert admit(FALLS, trouble="low roof").document()["states"] == 32


# ---------------------------------------------------------------- what is remembered
def test_what_flew_once_is_not_flown_again_while_every_hash_is_the_same(admit, monkeypatch):
    admit(FALLS)
    flown = []
    real = fallback._examine
    monkeypatch.setattr(fallback, "_examine", lambda *given: flown.append(given) or real(*given))
    assert admit(FALLS).remembered and flown == []
    assert not admit(FALLS, seed=8).remembered and len(flown) == 1, "other states"
    assert not admit(FALLS, spread=0.06).remembered and len(flown) == 2, "another scenario"
    for number, (name, value) in enumerate((("simulation", "sha256:2"), ("runtime", "sha256:2")), 3):
        around = dataclasses.replace(AROUND, **{name: value})
        assert not admit(FALLS, around).remembered and len(flown) == number, f"another {name}"
    assert admit(FALLS, seed=8).remembered and len(flown) == 4


@pytest.mark.parametrize("unknown", [{"simulation": ""}, {"runtime": ""}, {"exact": False}])
def test_what_is_not_known_is_equal_to_nothing(admit, monkeypatch, unknown):
    monkeypatch.setattr(fallback, "_examine", lambda *_: None)
    for _ in range(2):
        assert not admit(FALLS, dataclasses.replace(AROUND, **unknown)).remembered


def test_a_refusal_is_not_remembered_as_an_admission(admit):
    for _ in range(2):
        with pytest.raises(InputError, match="not finite"):
            admit(LOST)


# ---------------------------------------------------------------- an answer in hostile hands
@pytest.mark.parametrize(
    "header",
    [
        {},
        {"faults": None},
        {"faults": []},
        {"faults": ["", ""]},
        {"faults": ["", "", "", ""]},
        {"faults": ["", 0, ""]},
        {"faults": [False, False, False]},
        {"faults": ["nan", "", ""]},
        {"faults": "   "},
    ],
)
def test_an_answer_that_is_none_admits_nothing(header):
    with pytest.raises(WorkerFailed, match="outside the schema"):
        fallback.faults_in(header, 3)


def test_whole_answers_are_read():
    assert fallback.faults_in({"faults": ["", "", ""]}, 3) == ["", "", ""]
    assert fallback.faults_in({"faults": ["", "it fell"]}, 3) == ["", "it fell"]
