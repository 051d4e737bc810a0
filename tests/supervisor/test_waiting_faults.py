"""A scenario whose faults wait for formulas: flown, recorded, replayed, flown by the gate and by a search."""

import dataclasses
import json

import numpy as np
import pytest

from healing_runtime import workspace
from healing_runtime.campaign.flying import Fleet
from healing_runtime.campaign.space import Space
from healing_runtime.compile import programs
from healing_runtime.core import perturb
from healing_runtime.core.errors import UnitError
from healing_runtime.gate import policy
from healing_runtime.gate.flights import Leg, ask_flights, reports_of
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.records import Course
from healing_runtime.loop.recorder import Recorder
from healing_runtime.loop.rollout import FlightPlan, advance, evaluate, fly
from healing_runtime.loop.slot import Slot
from healing_runtime.sandbox.zygote import Sandbox
from healing_runtime.supervisor.preparation import prepare
from healing_runtime.supervisor.replay import replay
from healing_runtime.supervisor.runtime import Runtime
from healing_runtime.telemetry.mcap import read_log

SCENARIO = """robot: lander
controller: lander/neuro_pilot
assertions: [lander/landing]
mission: landed
duration: 20 s
rates: {control_hz: 10, physics_hz: 100}
seed: 11
faults:
  - {kind: payload, mass_kg: 40, when: altitude < 95 m}
  - kind: sensor_drift
    signal: altitude
    rate: 0.001
    when: >
      altitude < 60 m and
      (once[0 s, 1 s] (descent_rate > 2 m/s))
    start: 1.05 s
  - {kind: payload, mass_kg: 40, when: altitude > 500 m}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    root = tmp_path_factory.mktemp("ws")
    (root / "scenarios/lander").mkdir(parents=True)
    (root / "scenarios/lander/waits.yaml").write_text(SCENARIO)
    return workspace.open(root)


@pytest.fixture(scope="module")
def run(home):
    return Runtime("lander/waits", brain="none", workspace=home, out=home.runs).run()


def events(folder):
    found = [json.loads(m.data) for m in read_log(folder / "log.mcap").messages if m.topic == "/event"]
    return [event for event in found if event["event"] == "fault_onset"]


def rows(folder):
    return [json.loads(m.data) for m in read_log(folder / "log.mcap").messages if m.topic == "/sim/state"]


def test_onsets_are_events_of_the_log_and_stand_in_the_result(run):
    first, second, third = run.document["faults"]
    flown = rows(run.folder)
    below = next(row["tick"] for row in flown if row["values"]["altitude_m"] < 95.0)
    assert first["onset"] == {"tick": below, "step": 10 * below, "t_s": below / 10}
    low = next(row["tick"] for row in flown if row["values"]["altitude_m"] < 60.0)
    assert second["onset"]["tick"] == low and second["kind"] == "sensor_drift"
    assert third == {"kind": "payload", "when": "altitude > 500 m", "onset": None}
    told = [(e["fault"], e["tick"], e["t_s"], e["kind"], e["branch"]) for e in events(run.folder)]
    assert told == [(0, below, below / 10, "payload", 0), (1, low, low / 10, "sensor_drift", 0)]
    assert all("when" in event for event in events(run.folder))


def test_they_are_no_assertions_and_trip_nothing(run):
    judged = {a["id"] for a in run.document["assertions"]}
    assert judged == {a.id for a in workspace.open().assertion_file("lander/landing").assertions if not a.mission} | {
        i for i in judged if i.startswith("controller/")
    }
    topics = {m.topic for m in read_log(run.folder / "log.mcap").messages}
    assert {t for t in topics if t.startswith("/assert/")} == {f"/assert/{i}" for i in (*judged, "landed")}
    assert [i["assertion"] for i in run.document["incidents"]] == ["braking-distance"]


def test_the_incident_s_snapshot_holds_them(run):
    (incident,) = run.document["incidents"]
    snapshot = json.loads((run.folder / "incidents" / incident["id"] / "incident.json").read_text())["snapshot"]
    assert snapshot["onsets"] == [[0, run.document["faults"][0]["onset"]["tick"]], [1, 32]]


def test_a_replay_is_the_run_bit_for_bit(run, home):
    found = replay(run.folder, verify=True, home=home)
    assert (found.exit_code, found.document["divergence"]) == (0, None)


@pytest.fixture(scope="module")
def built(home):
    """What flies the scenario: what was prepared, a sandbox, the program as bytes and loaded."""
    prepared = prepare("lander/waits", home=home)
    with Sandbox(1) as sandbox, KeptPrograms.beside(home.runs / "ledger.sqlite3", print) as kept:
        course = Course(prepared.scenario, prepared.files)
        blob = policy.admit(sandbox, prepared.source, course, prepared.table, kept)
        yield prepared, sandbox, blob, programs.load(blob)


@pytest.mark.parametrize("tick", [5, *(pytest.param(t, marks=pytest.mark.slow) for t in (4, 6, 30))])
def test_the_gate_flies_from_any_tick_what_the_run_flew(built, tick):
    prepared, sandbox, blob, program = built
    scenario = prepared.scenario
    plant = prepared.robot.make()
    whole = fly(plant, program, FlightPlan(scenario, scenario.seed))
    recorder = Recorder(scenario, plant.signals)
    plant.reset(scenario, scenario.seed)
    advance(plant, Slot(program), recorder, program.start(), 0, scenario.duration_ticks, keyframes=False)
    onsets = tuple(sorted(recorder.onsets.items()))
    carry = evaluate(program, recorder, program.start(), 0, tick)
    late = fly(plant, program, FlightPlan(scenario, scenario.seed, tick, recorder.action, carry, onsets=onsets))
    plant.close()
    assert late.trace.true.tobytes() == whole.trace.true[tick:].tobytes()
    assert late.trace.packed.tobytes() == whole.trace.packed[tick:].tobytes()
    legs = [Leg(scenario, tick, carry)]
    flown = ask_flights(
        sandbox, blob, legs, str(prepared.sim_root), recipe=recorder.action[: len(whole.trace.packed)], onsets=onsets
    )
    (report,) = reports_of(flown.result(), legs)
    assert report.digest == late.digest and report.trip_tick == whole.trip_tick


def test_a_program_without_the_formulas_is_another_program(built):
    prepared, *_ = built
    course = Course(prepared.scenario, prepared.files)
    fewer = dataclasses.replace(prepared.scenario, faults=prepared.scenario.faults[:1])
    assert Course(fewer, prepared.files).judges != course.judges
    moved = dataclasses.replace(prepared.scenario.faults[0], start_step=3)
    later = dataclasses.replace(prepared.scenario, faults=(moved, *prepared.scenario.faults[1:]))
    assert Course(later, prepared.files).judges == course.judges


def test_a_neighbour_varies_what_makes_the_formula_true_and_never_the_onset(built):
    prepared, *_ = built
    scenario = dataclasses.replace(prepared.scenario, perturb=prepared.scenario.perturb)
    assert not any("start" in key for key in scenario.perturb.faults)
    drawn = [perturb.draw(scenario, np.random.default_rng(seed)) for seed in range(20)]
    assert {tuple(f.start_step for f in d.faults) for d in drawn} == {(0, 105, 0)}
    assert {tuple(f.when for f in d.faults) for d in drawn} == {tuple(f.when for f in scenario.faults)}
    assert len({d.initial["altitude_m"] for d in drawn}) == 20


def test_a_search_flies_them_and_its_counterexample_keeps_the_formula(built, tmp_path):
    from healing_runtime.campaign.counterexample import write_scenario

    prepared, sandbox, blob, program = built
    space = Space(prepared.scenario)
    assert not any("start" in axis.name for axis in space.axes)
    placed = space.scenario_at(np.full(space.size, 0.25), 5)
    plant = prepared.robot.make()
    here = fly(plant, program, FlightPlan(placed, placed.seed))
    plant.close()
    (there,) = Fleet(sandbox, blob, str(prepared.sim_root)).fly([placed])
    assert there.verdicts == here.verdicts and there.trip_tick == here.trip_tick
    write_scenario(tmp_path / "found.yaml", prepared, placed, ["A counterexample."])  # reads it back and compares
    assert "when" in (tmp_path / "found.yaml").read_text()


def test_a_formula_that_nothing_can_judge_is_refused_before_anything_is_built(home):
    path = home.root / "scenarios/lander/wrong.yaml"
    path.write_text(SCENARIO.replace("altitude > 500 m", "altitude > 500 s"))
    with pytest.raises(UnitError) as error:
        prepare("lander/wrong", home=home)
    assert str(error.value).startswith(f"{path}:17:51: ")


# ---------------------------------------------------------------- on the loop's small plant
def test_a_fork_before_the_onset_has_one_of_its_own_and_a_rollback_brings_the_first_back():
    from healing_runtime.supervisor.deck import Deck
    from healing_runtime.supervisor.journal import Journal
    from tests.loop.integrator import TABLE
    from tests.loop.test_triggers import Leaky, waits

    scenario, slow = waits(0.8)
    written = []
    journal = Journal(scenario, TABLE, lambda *message: written.append(message), period_s=0.005)
    plant = Leaky()
    deck = Deck(plant, scenario, slow, journal)
    deck.fly(pause_at=20)
    first = dict(deck.recorder.onsets)
    assert deck.freeze().onsets == tuple(first.items()) == ((0, 5),)
    checkpoint = deck.checkpoint()
    sooner = waits(0.9)[1]  # another formula stands for another course of the flight
    deck.swap_in(sooner, 2, deck.carry_before(2)[1])
    assert deck.recorder.onsets == {}
    deck.fly(pause_at=20)
    assert deck.recorder.onsets == {0: 3}
    deck.roll_back(checkpoint)
    assert deck.recorder.onsets == first and plant.begun == [(0, 5)]
    deck.fly()
    journal.close()
    told = [(m["branch"], m["tick"]) for topic, _, m in written if topic == "/event"]
    assert told == [(0, 5), (1, 3)], "once each, however often the rows are flown"
