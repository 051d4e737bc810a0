"""Worlds in lockstep: every lane flies as it would alone, whatever flies beside it."""

import dataclasses
from pathlib import Path

import grimp
import numpy as np
import pytest
from pydantic import BaseModel

from healing_runtime import stl, workspace
from healing_runtime import tensorlang as tl
from healing_runtime.compile.vectors import Vectors
from healing_runtime.core.errors import InputError
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import AssertionFile, FaultSpec, Perturbation, Scenario, Source
from healing_runtime.loop.rollout import FlightPlan, fly
from healing_runtime.sandbox.batch import MOST_WORLDS, Batch
from tests.loop.integrator import SCENARIO, TABLE, Integrator, program

HOME = workspace.open(workspace.catalogue_root())
LANES = 4
STUCK = FaultSpec("sensor_stuck", {"signal": "altitude"})
CLOSE = 1e-3
"""How far a lane's true values may be from those of the same flight alone in the first three seconds, over the largest
value there: the last bit of a float32 command, and what a stable loop makes of it in the air. It is no bound for loops
that are not stable, nor after a touchdown."""


def kit(name, controller, lanes=LANES):
    """Robot, scenario, the program of a batch, the program of a single flight."""
    scenario = dataclasses.replace(HOME.scenario(name).scenario, controller=controller)
    robot, hz = HOME.robot(scenario.robot), scenario.control_hz
    files = [HOME.assertion_file(n) for n in scenario.assertions]
    monitors = stl.judging(stl.bind(files, robot.signals, hz), scenario.mission)
    loaded = tl.load(HOME.controller(controller).path)
    compiled = (tl.compile(loaded, robot, monitors, control_hz=hz, lanes=n) for n in (lanes, None))
    return robot, scenario, *compiled


@pytest.fixture(scope="module")
def lander():
    robot, scenario, together, alone = kit("lander/neuro_lander", "lander/soft_landing")
    with Batch(robot, together, HOME) as batch:
        yield batch, robot, scenario, alone


def changed(scenario, ticks=None, faults=(), seed=1, **initial):
    return dataclasses.replace(
        scenario,
        duration_ticks=ticks or scenario.duration_ticks,
        faults=tuple(FaultSpec(*fault) for fault in faults),
        seed=seed,
        initial={**scenario.initial, **initial},
    )


def different(scenario):
    """Six flights of a lander that differ in all that may differ; they end at different ticks."""
    return [
        changed(scenario),
        changed(scenario, altitude_m=40.0, faults=[("force_saturation", {"value": 0.2}, 0)]),
        changed(scenario, ticks=17, velocity_mps=-3.0),
        changed(scenario, faults=[("sensor_noise", {"signal": "altitude", "value": 0.5}, 0)], seed=3),
        changed(scenario, faults=[("sensor_noise", {"signal": "altitude", "value": 0.5}, 0)], seed=4),
        changed(scenario, faults=[("force_saturation", {"value": 0.9}, 240)]),
    ]


def singly(robot, alone, scenarios):
    plant = robot.make()
    flights = [fly(plant, alone, FlightPlan(s, s.seed)) for s in scenarios]
    plant.close()
    return flights


def assert_alike(glimpse, flight):
    assert [(v.id, v.status) for v in glimpse.verdicts] == [(v.id, v.status) for v in flight.verdicts]
    assert (glimpse.trip_tick, glimpse.tripped) == (flight.trip_tick, flight.tripped)
    assert len(glimpse.trace.true) == len(flight.trace.true)
    rows = 3 * flight.trace.control_hz
    for name in ("observed", "true", "action"):
        mine, theirs = (getattr(trace, name)[:rows] for trace in (glimpse.trace, flight.trace))
        largest = np.maximum(1.0, np.abs(np.nan_to_num(theirs)).max(axis=0))
        np.testing.assert_allclose(mine / largest, theirs / largest, rtol=0.0, atol=CLOSE)


def test_a_lane_of_a_stable_loop_agrees_with_the_same_flight_alone(lander):
    batch, robot, scenario, alone = lander
    scenarios = different(scenario)
    glimpses = batch.fly(scenarios)
    flights = singly(robot, alone, scenarios)
    for glimpse, flight in zip(glimpses, flights, strict=True):
        assert_alike(glimpse, flight)
    ends = {len(g.trace.true) for g in glimpses}
    assert len(ends) > 2 and {g.trip_tick is None for g in glimpses} == {True, False}, "some trip, some do not"
    assert not np.array_equal(glimpses[3].trace.observed, glimpses[4].trace.observed), "a seed of its own"


def test_a_batch_repeats_bit_for_bit(lander):
    batch, _, scenario, _ = lander
    first, again = batch.fly(different(scenario)), batch.fly(different(scenario))
    for one, other in zip(first, again, strict=True):
        assert one.verdicts == other.verdicts
        for name in ("observed", "true", "action", "packed"):
            np.testing.assert_array_equal(getattr(one.trace, name), getattr(other.trace, name))


def test_a_flight_does_not_depend_on_its_lane_or_on_what_flies_beside_it(lander):
    batch, _, scenario, _ = lander
    flown = different(scenario)
    expected = batch.fly(flown)
    for order in ([5, 4, 3, 2, 1, 0], [1, 0], [2]):
        for place, glimpse in zip(order, batch.fly([flown[i] for i in order]), strict=True):
            np.testing.assert_array_equal(glimpse.trace.packed, expected[place].trace.packed)
            assert glimpse.verdicts == expected[place].verdicts


class Nothing(BaseModel):
    """What a point needs told."""


class Home(workspace.Workspace):
    """A workspace with one controller, which is a program of NumPy, and one assertion file without assertions."""

    def controller(self, name, base=None):
        return Source(name, name, "", "sha256:0")

    def assertion_file(self, name, base=None):
        return AssertionFile(name, name, "sha256:1", "r", ())


@pytest.mark.parametrize("trip_below", [-np.inf, 0.6])
def test_limits_rates_and_trips_are_those_of_the_loop_bit_for_bit(trip_below):
    """A program of a few lines in NumPy rounds alike in a lane and alone, so that nothing may differ."""
    alone = program(50.0, trip_below)
    interface = dataclasses.replace(alone.interface, inputs=(1, 2))

    def tick(params, memory, samples):
        done = [alone.tick(params, *one) for one in zip(memory, samples, strict=True)]
        return tuple(np.stack(parts) for parts in zip(*done, strict=True))

    carry = Vectors(np.zeros((3, 1)), np.zeros((3, 0), np.int32))
    robot = Robot("r", "a point", TABLE, Nothing, Nothing, Nothing, {}, Perturbation(), Integrator)
    batch = Batch(robot, dataclasses.replace(alone, tick=tick, interface=interface, carry=carry), Home(Path(), Path()))
    scenario = dataclasses.replace(SCENARIO, dtype="float64", assertions=("r/a",))
    scenarios = [dataclasses.replace(scenario, duration_ticks=ticks) for ticks in (40, 7, 1, 12)]
    for scenario, glimpse in zip(scenarios, batch.fly(scenarios), strict=True):
        flight = fly(Integrator(), alone, FlightPlan(scenario, scenario.seed))
        assert (glimpse.verdicts, glimpse.trip_tick) == (flight.verdicts, flight.trip_tick)
        for name in ("observed", "true", "action", "packed"):
            np.testing.assert_array_equal(getattr(glimpse.trace, name), getattr(flight.trace, name))


class Counting:
    """A plant that counts its steps."""

    def __init__(self, plant):
        self._plant, self.steps = plant, 0

    def __getattr__(self, name):
        return getattr(self._plant, name)

    def step(self):
        self.steps += 1
        self._plant.step()


def test_a_lane_that_tripped_or_ended_is_not_stepped(lander):
    batch, robot, scenario, _ = lander
    plants = []

    def make():
        plants.append(Counting(robot.make()))
        return plants[-1]

    with Batch(dataclasses.replace(robot, make=make), batch._program, HOME) as counted:
        glimpses = counted.fly(different(scenario)[:3])
    assert [p.steps for p in plants] == [*(len(g.trace.true) - 1 for g in glimpses), 0]
    for glimpse in glimpses:
        assert np.isfinite(glimpse.trace.action[:-1]).all() and np.isnan(glimpse.trace.action[-1]).all()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("robot", "quadrotor"),
        ("control_hz", 20),
        ("controller", "lander/neuro_pilot"),
        ("assertions", ("lander/low_fuel",)),
        ("assertions", ()),
        ("mission", None),
        ("mission", "another"),
        ("dtype", "float64"),
    ],
)
def test_what_the_program_was_not_compiled_for_is_refused_alone_as_well_as_beside_others(lander, field, value):
    batch, _, scenario, _ = lander
    other = dataclasses.replace(scenario, **{field: value})
    for flown in ([other], [scenario, other]):
        with pytest.raises(InputError, match=f"has {field} .* fly it in another batch"):
            batch.fly(flown)


def test_physics_rates_may_differ_for_they_are_the_worlds_own(lander):
    batch, robot, scenario, alone = lander
    scenarios = [scenario, dataclasses.replace(scenario, physics_hz=5 * scenario.physics_hz)]
    for glimpse, flight in zip(batch.fly(scenarios), singly(robot, alone, scenarios), strict=True):
        assert_alike(glimpse, flight)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"physics_hz": 5}, "control_hz 10 does not divide physics_hz 5"),
        ({"physics_hz": 0}, "physics_hz: must be greater than or equal to 1"),
        ({"physics_hz": 105}, "control_hz 10 does not divide physics_hz 105"),
        ({"physics_hz": 10**9}, "physics_hz: must be less than or equal to 100000"),
        ({"physics_hz": 100.0}, "physics_hz is 100.0; give a whole number"),
        ({"initial": {"altitude_m": "high"}}, "initial.altitude_m: 'high' is not a quantity"),
        ({"initial": {"altitude_m": np.nan}}, "initial.altitude_m: must be a valid number"),
        ({"initial": None}, "initial: Input should be a valid dictionary"),
        ({"reference": {"star": 1.0}}, "unknown key 'star'"),
        ({"faults": (FaultSpec("force_saturation", {"value": "much"}),)}, r"faults\[0\].value: "),
        ({"faults": (STUCK, STUCK)}, r"faults\[1\] .* both take sensor altitude, and their times overlap"),
        ({"faults": (dataclasses.replace(STUCK, start_step=50, until_step=20),)}, "does not end after it starts"),
        ({"faults": (FaultSpec("force_saturation", {"value": 0.2}, ramp_steps=-5),)}, "cannot grow over -5 steps"),
        ({"faults": (dataclasses.replace(STUCK, start_step="5"),)}, r"faults\[0\].start_step is '5'; give a whole"),
        ({"faults": ("x",)}, r"faults\[0\]: Input should be .*FaultSpec"),
        ({"faults": object()}, "object cannot be written as JSON"),
        ({"seed": -1}, "seed: must be greater than or equal to 0, not -1"),
        ({"seed": 2**31}, "seed: must be less than 2147483648"),
        ({"seed": 1.5}, "seed: Input should be a valid integer"),
        ({"seed": None}, "seed: Input should be a valid integer"),
        ({"seed": True}, "seed is True; give a whole number"),
        ({"duration_ticks": 10**11}, "100000000000 ticks; a run of these rates has 1 to 1,000,000; correct it"),
        ({"duration_ticks": 0}, "0 ticks; a run of these rates has 1 to"),
        ({"duration_ticks": 1.5}, "duration_ticks: Input should be a valid integer"),
        ({"controller": "lander/nowhere"}, "no controller 'lander/nowhere'"),
    ],
)
def test_a_scenario_that_cannot_be_flown_is_refused_in_one_line(lander, fields, message):
    batch, _, scenario, _ = lander
    with pytest.raises(InputError, match=message) as refused:
        batch.fly([dataclasses.replace(scenario, **fields)])
    assert "\n" not in str(refused.value)


def test_more_than_a_process_can_keep_is_refused(lander, monkeypatch):
    batch, _, scenario, _ = lander
    monkeypatch.setattr("healing_runtime.sandbox.batch.MOST_BYTES", 10_000)
    with pytest.raises(InputError, match=r"duration_ticks 400, and 4 lanes can keep \d+; shorten it"):
        batch.fly([scenario])


def test_what_a_file_may_leave_out_or_write_shorter_a_scenario_may_too(lander):
    batch, _, scenario, _ = lander
    short = changed(scenario, ticks=5, altitude_m=60.0)
    looser = [
        dataclasses.replace(short, initial={**short.initial, "altitude_m": 60}, assertions=list(short.assertions)),
        dataclasses.replace(short, environment={}, seed=np.int64(short.seed)),
    ]
    expected, *flown = batch.fly([short, *looser])
    for glimpse in flown:
        np.testing.assert_array_equal(glimpse.trace.packed, expected.trace.packed)


class Shortsighted(Counting):
    """A plant that samples too little."""

    def sample(self):
        return self._plant.sample()[1:]


class Closing(Counting):
    """A plant that closes its world in flight, and goes on."""

    def step(self):
        self._plant.close()
        self._plant.step()


def test_a_plant_that_is_none_or_fails_in_flight_is_told_as_the_robots(lander):
    batch, robot, scenario, _ = lander

    def of(change):
        plant = robot.make()
        return dataclasses.replace(robot, make=lambda: change(plant))

    with pytest.raises(InputError, match="robot 'lander': make gives None"):
        Batch(of(lambda plant: None), batch._program, HOME)
    with (
        Batch(of(Shortsighted), batch._program, HOME) as unfit,
        pytest.raises(InputError, match="robot 'lander': sample gives float64 of shape"),
    ):
        unfit.fly([scenario])
    failing = r"robot 'lander': the plant failed in flight \(.*sim/.*\): .*; correct it\."
    with Batch(of(Closing), batch._program, HOME) as unfit, pytest.raises(InputError, match=failing):
        unfit.fly([scenario])


def test_any_iterable_of_scenarios_is_flown(lander):
    batch, _, scenario, _ = lander
    short = [changed(scenario, ticks=ticks) for ticks in (3, 4, 5, 6, 7)]
    for given in (iter(short), (s for s in short), tuple(short)):
        assert [len(g.trace.true) for g in batch.fly(given)] == [4, 5, 6, 7, 8]


def test_what_is_no_scenario_is_refused(lander):
    batch, _, scenario, _ = lander
    with pytest.raises(InputError, match=r"not a LoadedScenario; give its '.scenario'"):
        batch.fly([HOME.scenario("lander/neuro_lander")])
    with pytest.raises(InputError, match="not a str"):
        batch.fly("lander/neuro_lander")
    with pytest.raises(InputError, match="not a Scenario; give a list"):
        batch.fly(scenario)


def test_a_closed_batch_says_so(lander):
    batch, robot, scenario, _ = lander
    with Batch(robot, batch._program, HOME) as closed:
        pass
    closed.close()
    with pytest.raises(InputError, match="batch is closed; make another one"):
        closed.fly([scenario])


def test_faults_that_wait_for_a_formula_are_refused_and_not_ignored(lander, monkeypatch):
    batch, _, scenario, _ = lander
    monkeypatch.setattr(Scenario, "triggers", ("contact",), raising=False)
    with pytest.raises(InputError, match="wait for a formula; fly it alone"):
        batch.fly([scenario])


def test_no_scenarios_give_no_glimpses(lander):
    assert lander[0].fly([]) == []


def test_a_program_that_is_no_batch_or_another_robots_is_refused(lander):
    batch, robot, _, alone = lander
    with pytest.raises(InputError, match="with lanes=N"):
        Batch(robot, alone, HOME)
    with pytest.raises(InputError, match="does not read the signals of 'cartpole'"):
        Batch(HOME.robot("cartpole"), batch._program, HOME)
    start = batch._program.carry
    wide = type(start)(*(np.zeros((MOST_WORLDS + 1, part.shape[1]), part.dtype) for part in start))
    with pytest.raises(InputError, match=f"room for {MOST_WORLDS} worlds"):
        Batch(robot, dataclasses.replace(batch._program, carry=wide), HOME)
    for given in (("lander", alone, HOME), (robot, None, HOME), (robot, batch._program, None)):
        with pytest.raises(InputError, match=r"a batch is made of a .* gives one, not of a (str|NoneType)\."):
            Batch(*given)  # pyright: ignore[reportArgumentType]


def test_nothing_that_gives_a_verdict_can_reach_it():
    """Gate, repair, supervisor and brains do not import it, however far down the line."""
    graph = grimp.build_graph("healing_runtime")
    assert graph.find_modules_directly_imported_by("healing_runtime.sandbox.batch")
    for package in ("gate", "repair", "supervisor", "brains", "loop"):
        for importer in (f"healing_runtime.{package}", *graph.find_descendants(f"healing_runtime.{package}")):
            assert graph.find_shortest_chain(importer, "healing_runtime.sandbox.batch") is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "controller"), [("quadrotor/landing", "quadrotor/landing_pid"), ("cartpole/balance", "cartpole/balance")]
)
def test_the_other_robots_agree_too(name, controller):
    robot, scenario, together, alone = kit(name, controller)
    noise = {"quadrotor": "velocity", "cartpole": "pole_angle"}[robot.name]
    faults = [("sensor_noise", {"signal": noise, "value": 0.01}, 100)]
    scenarios = [changed(scenario), changed(scenario, seed=2, faults=faults), changed(scenario, ticks=100)]
    with Batch(robot, together, HOME) as batch:
        for glimpse, flight in zip(batch.fly(scenarios), singly(robot, alone, scenarios), strict=True):
            assert_alike(glimpse, flight)


@pytest.mark.slow
def test_flights_that_a_last_bit_may_part_are_near_in_the_air_and_have_the_same_verdicts():
    """Where measured (x86-64, jaxlib 0.10.2) one of these touches down otherwise than alone, and parts by 0.12."""
    robot, scenario, together, alone = kit("quadrotor/landing_velocity_noise", "quadrotor/landing_pid", lanes=8)
    scenarios = [dataclasses.replace(scenario, seed=seed) for seed in range(8)]
    with Batch(robot, together, HOME) as batch:
        glimpses = batch.fly(scenarios)
    for glimpse, flight in zip(glimpses, singly(robot, alone, scenarios), strict=True):
        assert_alike(glimpse, flight)
        for mine, theirs in zip(glimpse.verdicts, flight.verdicts, strict=True):
            assert mine.robustness_scaled == pytest.approx(theirs.robustness_scaled, abs=0.05, nan_ok=True)
