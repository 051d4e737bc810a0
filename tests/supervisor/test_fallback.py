"""The fallback flies on from the trip that nothing healed: on real physics, and on the loop's small plant."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from healing_runtime import workspace
from healing_runtime.app import history
from healing_runtime.app.check import check
from healing_runtime.cli.run import summary
from healing_runtime.core.codec import digest
from healing_runtime.core.errors import InputError, SandboxFailed
from healing_runtime.core.records import Decision, Source, StageResult
from healing_runtime.core.status import Stage
from healing_runtime.gate import policy
from healing_runtime.gate.policy import Gate
from healing_runtime.supervisor.deck import Deck
from healing_runtime.supervisor.fallback import Fallback, fly_on
from healing_runtime.supervisor.journal import Journal
from healing_runtime.supervisor.replay import replay
from healing_runtime.supervisor.runtime import Runtime
from healing_runtime.telemetry.mcap import read_log
from tests.loop.integrator import SCENARIO, TABLE, Integrator, program
from tests.supervisor.conftest import ROOT, edit

JUDGE = """robot: lander
assertions:
  - {id: slow-high-up, formula: always (altitude > 80 m implies descent_rate < 12.5 m/s), rationale: Radar.}
  - {id: gentle, formula: always (touchdown_speed < 5 m/s), rationale: The legs break.}
mission:
  - {id: landed, formula: "eventually[0 s, 40 s] landed"}
"""
FLY = """robot: lander
controller: lander/falls
assertions: [own]
mission: landed
duration: 40 s
rates: {control_hz: 10, physics_hz: 100}
initial: {altitude_m: 100, velocity_mps: -10, fuel_kg: 300}
policy: {on_violation: freeze, max_attempts: 3, fallback: FALLBACK}
acceptance: {neighbourhood: {samples: 12, min_pass_rate: 0.7}, regressions: false}
"""
FALLS = '''"""No thrust; its own assertion is broken on the way down."""
import jax.numpy as jnp

PARAMS = {"thrust": 0.0, "none": 0.0}


def init(params):
    return {"flown_s": 0.0, "height_m": 0.0}


def control(obs, state, params):
    assert obs["altitude_m"] > 86.0, "still high"
    thrust = params["thrust"] + params["none"] * (state["flown_s"] + state["height_m"])
    return {"thrust_n": thrust}, {"flown_s": state["flown_s"] + obs["dt_s"], "height_m": obs["altitude_m"]}
'''
WAITS = '''"""Brake below 75 m only: above, it breaks an assertion of the scenario. It remembers three heights."""
import jax.numpy as jnp

PARAMS = {"sink_mps": 2.4, "none": 0.0}


def init(params):
    return {"flown_s": 0.0, "height_m": jnp.zeros(3)}


def control(obs, state, params):
    share = jnp.clip(0.5 - obs["velocity_mps"] - params["sink_mps"], 0.0, 1.0)
    wait = params["none"] * (state["flown_s"] + jnp.sum(state["height_m"]))
    thrust = 5000.0 * jnp.where(obs["altitude_m"] < 75.0, share, wait)
    return {"thrust_n": thrust}, {"flown_s": state["flown_s"] + obs["dt_s"], "height_m": state["height_m"] + 1.0}
'''


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """`made(fallback)` opens a workspace of one's own; its runs share one folder, and with it what was compiled."""
    folder = tmp_path_factory.mktemp("own")
    for name, text in (
        ("assertions/own.yaml", JUDGE),
        ("controllers/lander/falls.py", FALLS),
        ("controllers/lander/falls_too.py", FALLS),
        ("controllers/lander/waits.py", WAITS),
        ("controllers/lander/lost.py", WAITS.replace("share, wait", "share, wait / wait")),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "scenarios/lander").mkdir(parents=True)

    def open_with(fallback="lander/waits"):
        text = FLY.replace("FALLBACK", fallback) if fallback else FLY.replace(", fallback: FALLBACK", "")
        (folder / "scenarios/lander/own.yaml").write_text(text)
        return workspace.open(folder)

    return open_with


def run(home, **how):
    return Runtime("lander/own", workspace=home, **how).run()


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def fallen(made, told):
    """Nobody was asked; the fallback flew on."""
    return run(made(), brain="none", progress=told.append)


def events(result, name):
    messages = [json.loads(m.data) for m in read_log(result.folder / "log.mcap").messages if m.topic == "/event"]
    return [m for m in messages if m["event"] == name]


def rows(result, topic):
    messages = read_log(result.folder / "log.mcap").messages
    return {json.loads(m.data)["tick"]: json.loads(m.data)["values"] for m in messages if m.topic == topic}


# ---------------------------------------------------------------- what is told of it
def test_the_fallback_ends_the_run_and_the_result_says_so(fallen, made):
    document = fallen.document
    assert (document["outcome"], fallen.exit_code) == ("fallback", 1)
    assert document["ticks"] == 400 and document["mission"]["satisfied"]
    incident, fallback = document["incidents"][0], document["fallback"]
    assert incident["assertion"] == "controller/still-high" and not incident["healed"]
    assert (incident["ending"], fallback["cause"]) == ("no_brain", "no_brain")
    assert (fallback["controller"], fallback["incident"]) == ("lander/waits", incident["id"])
    assert fallback["tick"] == incident["tick"] and fallback["t_s"] == incident["t_s"]
    source = made().controller("lander/waits")
    assert document["controller"]["final"] == fallback["sha256"] == source.sha256
    manifest = json.loads((fallen.folder / "manifest.json").read_text())
    assert manifest["fallback"]["sha256"] == source.sha256 and manifest["fallback"]["text"] == source.text
    assert manifest["fallback_admission"]["states"] == 32


def test_violations_under_the_fallback_are_recorded_and_do_not_trip(fallen):
    (violated,) = fallen.document["fallback"]["violated"]
    assert violated["id"] == "slow-high-up" and violated["tick"] > fallen.document["fallback"]["tick"]
    assert len(fallen.document["incidents"]) == 1
    (event,) = events(fallen, "violation_recorded")
    assert (event["assertion"], event["tick"]) == ("slow-high-up", violated["tick"])
    statuses = {a["id"]: (a["status"], a["violated_t_s"]) for a in fallen.document["assertions"]}
    assert statuses["slow-high-up"] == ("false", violated["t_s"]) and statuses["gentle"][0] == "true"


def test_what_the_old_controller_itself_asserted_stays_broken_on_record(fallen):
    incident = fallen.document["incidents"][0]
    (closed,) = [a for a in fallen.document["assertions"] if a["id"] == "controller/still-high"]
    assert (closed["status"], closed["violated_t_s"]) == ("false", incident["t_s"])


def test_the_modes_are_a_path_through_the_table(fallen):
    tick = fallen.document["incidents"][0]["tick"]
    changes = [(e["tick"], e["before"], e["after"]) for e in events(fallen, "fall_back")]
    assert changes == [(tick, "held", "fallback")]
    assert [(e["tick"], e["before"]) for e in events(fallen, "finish")] == [(400, "fallback")]


# ---------------------------------------------------------------- the very tick
def test_it_computes_the_tripped_tick_again_and_the_old_action_is_never_applied(fallen):
    tick = fallen.document["fallback"]["tick"]
    before, after = rows(fallen, "/control/cmd_applied"), rows(fallen, "/branch/1/control/cmd_applied")
    assert list(before) == list(range(tick)) and list(after) == list(range(tick, 400))
    sensed = rows(fallen, "/sim/sensed"), rows(fallen, "/branch/1/sim/sensed")
    assert sensed[0][tick] == sensed[1][tick], "the same sample"


def test_memory_moves_by_name_and_shape_from_before_the_tripped_tick(fallen):
    tick = fallen.document["fallback"]["tick"]
    old, new = rows(fallen, "/control/state"), rows(fallen, "/branch/1/control/state")
    assert new[tick]["flown_s"] == old[tick]["flown_s"] == pytest.approx(0.1 * (tick + 1))
    assert new[tick]["height_m"] == [1.0, 1.0, 1.0], "of another shape: as its own init says"


def test_the_action_step_is_recorded(fallen):
    tick = fallen.document["fallback"]["tick"]
    before, after = rows(fallen, "/control/cmd_applied"), rows(fallen, "/branch/1/control/cmd_applied")
    step = {"thrust_n": after[tick]["thrust_n"] - before[tick - 1]["thrust_n"]}
    (event,) = events(fallen, "fallback")
    assert fallen.document["fallback"]["action_step"] == event["action_step"] == step
    assert (event["tick"], event["controller"], event["cause"]) == (tick, "lander/waits", "no_brain")


def test_at_the_last_tick_nothing_is_left_to_fly(fallen, made):
    home = made()
    path = home.root / "scenarios/lander/own.yaml"
    path.write_text(path.read_text().replace("duration: 40 s", "duration: 1 s"))
    result = run(home, brain="none")
    (incident,) = result.document["incidents"]
    assert (incident["assertion"], incident["tick"], result.document["ticks"]) == ("landed", 10, 10)
    assert (result.document["outcome"], result.document["fallback"]) == ("violated", None)


# ---------------------------------------------------------------- again
def test_a_run_that_ended_under_its_fallback_replays_bit_for_bit(fallen, made):
    result = replay(fallen.folder, verify=True, home=made())
    assert result.exit_code == 0, result.document
    assert result.document["digest"] == fallen.document["digest"]


def test_it_replays_from_its_incident_too(fallen, made):
    incident = fallen.document["incidents"][0]["id"]
    result = replay(fallen.folder, verify=True, from_incident=incident, home=made())
    assert result.exit_code == 0, result.document
    assert result.document["from_incident"]["start"] == "snapshot"


@pytest.mark.slow
def test_a_run_that_was_cut_off_under_its_fallback_replays_as_far_as_it_goes(fallen, made, tmp_path):
    cut = shutil.copytree(fallen.folder, tmp_path / "run")
    log = cut / "log.mcap"
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    (cut / "result.json").unlink()
    result = replay(cut, verify=True, home=made())
    assert (result.exit_code, result.document["complete"]) == (0, False)
    assert result.document["messages"] > 100


@pytest.mark.slow
def test_another_fallback_in_the_manifest_is_found_by_the_replay(fallen, made, tmp_path):
    other = made().controller("lander/sink")
    copied = shutil.copytree(fallen.folder, tmp_path / "run")
    edit(copied, "manifest.json", lambda d: d.update(fallback=dataclasses.asdict(other)), sealed=True)
    result = replay(copied, verify=True, home=made())
    assert result.exit_code == 3
    assert result.document["divergence"]["tick"] == fallen.document["fallback"]["tick"]


def test_the_second_run_does_not_pay_for_the_drawn_flights_again(fallen, told, made, monkeypatch):
    assert "lander/waits flew well from 32 drawn states" in told
    monkeypatch.setattr("healing_runtime.gate.fallback._examine", lambda *_: pytest.fail("flown again"))
    again = []
    result = run(made(), brain="none", progress=again.append)
    assert result.document["digest"] == fallen.document["digest"]
    assert not any("drawn states" in line for line in again)


# ---------------------------------------------------------------- whatever ended the repair
def script(folder, *sources):
    (folder / "script.json").write_text(json.dumps({"answers": [{"source": text} for text in sources]}))
    return f"mock:{folder / 'script.json'}"


@pytest.mark.parametrize(
    ("answers", "ending"),
    [
        (["import os\n", "x = 1\n", "y = 1\n", FALLS], "attempts_spent"),
        pytest.param(["import os\n"], "nothing_offered", marks=pytest.mark.slow),
    ],
)
def test_refused_patches_end_under_the_fallback(fallen, made, tmp_path, monkeypatch, answers, ending):
    monkeypatch.setattr(Gate, "qualify", lambda *_: ())
    result = run(made(), brain=script(tmp_path, *answers))
    assert result.document["outcome"] == "fallback"
    assert result.document["incidents"][0]["ending"] == result.document["fallback"]["cause"] == ending
    assert result.document["fallback"]["tick"] == fallen.document["fallback"]["tick"]
    assert [e["before"] for e in events(result, "fall_back")] == ["held"]


@pytest.mark.slow
def test_where_the_workers_are_gone_the_fallback_flies_and_the_reason_is_kept(fallen, made, tmp_path, monkeypatch):
    def gone(*_):
        raise SandboxFailed("the zygote died")

    monkeypatch.setattr(Gate, "qualify", gone)
    result = run(made(), brain=script(tmp_path, "x = 1\n"))
    assert (result.document["outcome"], result.exit_code) == ("fallback", 1)
    assert result.document["fallback"]["cause"] == "aborted" and "the zygote died" in result.document["reason"]
    monkeypatch.undo()
    assert replay(result.folder, verify=True, home=made()).exit_code == 0


@pytest.mark.slow
def test_a_brain_that_cannot_be_reached_leaves_the_flight_to_the_fallback(fallen, made, monkeypatch):
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    result = run(made(), brain="gemini", brain_fallback=False)
    assert (result.document["outcome"], result.exit_code) == ("fallback", 1)
    assert result.document["fallback"]["cause"] == "brain_unavailable"
    assert "GEMINI_API_KEY" in result.document["incidents"][0]["detail"]


# ---------------------------------------------------------------- after a swap
BREAKS = FALLS.replace('"thrust": 0.0', '"thrust": 100.0')
"""A patch that breaks the same promise in the next tick."""
LANDS = (ROOT / "controllers/lander/sink.py").read_text()
"""A patch that keeps every promise from the trip on."""


@pytest.fixture
def trusting(monkeypatch):
    """A gate that takes whatever builds, from the trip on; `trusting(last)` says up to which tick it had flown."""

    def trust(last):
        def judge(self, proposal, incident, resumes, flying, *_, **__):
            source, context = Source(flying.name, "patch", proposal.source, digest(proposal.source)), self._context
            self.program = policy.admit(self._sandbox, source, context.course, context.table, self._kept)
            flights = StageResult(Stage.FLIGHTS, True, facts={"scenario": {"last_tick": last}})
            return Decision("full", True, (flights,), incident.tick, (incident.tick, None), self.program.sha256)

        monkeypatch.setattr(Gate, "judge", judge)
        monkeypatch.setattr(Gate, "qualify", lambda *_: ())

    return trust


def test_a_patch_that_is_rolled_back_hands_the_flight_to_the_fallback(fallen, made, tmp_path, trusting):
    trusting(400)
    result = run(made(), brain=script(tmp_path, BREAKS))
    (incident,) = result.document["incidents"]
    assert [(a["verdict"], a["stage"]) for a in incident["attempts"]] == [("refused", "probation")]
    assert result.document["outcome"] == "fallback" and result.document["ticks"] == 400
    assert result.document["fallback"]["tick"] == incident["tick"], "from the trip, not from the probation"
    assert [e["before"] for e in events(result, "fall_back")] == ["held"]


def test_beyond_the_validated_ticks_the_fallback_takes_over(fallen, made, tmp_path, trusting):
    trusting(120)
    result = run(made(), brain=script(tmp_path, LANDS))
    document = result.document
    (incident,) = document["incidents"]
    assert incident["healed"], incident
    assert (document["outcome"], document["fallback"]["cause"]) == ("fallback", "validity_expired")
    assert (document["fallback"]["tick"], document["fallback"]["incident"]) == (120, None)
    evidence = json.loads((result.folder / "incidents" / incident["id"] / "evidence.json").read_text())
    assert evidence["valid_until_tick"] == 120
    assert max(rows(result, "/branch/1/control/cmd_applied")) == 119, "no action of the patch beyond"
    assert list(rows(result, "/branch/2/control/cmd_applied")) == list(range(120, 400))
    assert [e["before"] for e in events(result, "fall_back")] == ["nominal"]


@pytest.mark.slow
def test_without_a_fallback_the_run_ends_there_with_that_reason(fallen, made, tmp_path, trusting):
    trusting(120)
    result = run(made(fallback=None), brain=script(tmp_path, LANDS))
    document = result.document
    assert (document["outcome"], result.exit_code, document["ticks"]) == ("violated", 1, 120)
    assert "validated up to tick 120" in document["reason"] and document["fallback"] is None


@pytest.mark.slow
def test_a_patch_that_was_validated_to_the_end_flies_to_the_end(fallen, made, tmp_path, trusting):
    trusting(400)
    result = run(made(), brain=script(tmp_path, LANDS))
    assert (result.document["outcome"], result.document["fallback"]) == ("healed", None)
    assert result.document["ticks"] == 400


# ---------------------------------------------------------------- what may not be one
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lander/no_such", r"own\.yaml:8:\d+: policy\.fallback: there is no controller 'lander/no_such'"),
        ("no/such.py", r"own\.yaml:8:\d+: policy\.fallback: there is no file no/such\.py"),
        ("lander/falls", r"own\.yaml:8:\d+: policy\.fallback: 'lander/falls' is the controller itself"),
        ("lander/falls_too", r"own\.yaml:8:\d+: policy\.fallback: 'lander/falls_too' is a copy of the controller"),
        (
            "own.yaml",
            r"own\.yaml:8:\d+: policy\.fallback: \S*scenarios/lander/own\.yaml:\d+:\d+ is no controller: not Python",
        ),
        (
            "cartpole/hold",
            r"own\.yaml:8:\d+: policy\.fallback: \S*hold\.py:\d+.*: the fallback 'cartpole/hold' may not fly the "
            r"lander: .*not a key of obs",
        ),
        pytest.param(
            "lander/lost",
            r"lost\.py: the fallback 'lander/lost' may not fly the lander: flight 1 of 32 .* not finite at tick 0 ",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_fallback_that_may_not_fly_is_refused_before_anything_does(made, name, said):
    home = made(name)
    before = set(home.runs.iterdir()) if home.runs.is_dir() else set()
    with pytest.raises(InputError, match=said) as refused:
        run(home, brain="none")
    assert refused.value.exit_code == 2 and "\n" not in str(refused.value)
    assert (set(home.runs.iterdir()) if home.runs.is_dir() else set()) == before


def test_check_looks_at_the_fallback_as_at_the_controller(made, monkeypatch):
    monkeypatch.chdir(made("cartpole/hold").root)
    report = check(["lander/own"])
    (error,) = [f for f in report.document["findings"] if f["severity"] == "error"]
    assert (error["path"], error["line"]) == ("scenarios/lander/own.yaml", 8)
    with pytest.raises(InputError) as refused:
        run(workspace.open(), brain="none")
    assert error["message"] == refused.value.message, "the words of heal run"
    report = check(["cartpole/hold"])
    places = {f["path"].rpartition("controllers/")[2] for f in report.document["findings"] if f["severity"] == "error"}
    assert places == {"cartpole/hold.py"}, "asked for by its own name, it has the place to itself"


# ---------------------------------------------------------------- on the small plant
@pytest.fixture
def deck():
    journal = Journal(SCENARIO, TABLE, lambda *_: None, period_s=0.005)
    deck = Deck(Integrator(), SCENARIO, program(0.5, trip_below=0.7), journal)
    yield deck
    journal.close()


def hold(chosen):
    return Fallback(Source("r/hold", "hold.py", "", "sha256:0"), chosen)


def test_it_goes_on_where_it_would_trip_in_every_tick(deck):
    tick = deck.fly().tick
    taken = fly_on(deck, hold(program(0.5, trip_below=np.inf)), "i", "no_brain", lambda _: None)
    assert (taken.tick, taken.stopped, deck.tick) == (tick, "", SCENARIO.duration_ticks)
    assert deck.segments[-1].carry.floats[0] == tick, "its memory is that of before the tripped tick"


def test_the_step_is_bounded_by_the_rate_limit(deck):
    tick, told = deck.fly().tick, []
    before = deck.recorder.action[tick - 1][0]
    taken = fly_on(deck, hold(program(-5.0)), "i", "no_brain", told.append)
    assert taken.action_step == {"velocity_mps": pytest.approx(0.2)} and told[0].action_step == taken.action_step
    assert deck.recorder.action[tick][0] == before + 0.2


def test_an_action_of_its_own_that_is_not_finite_is_not_applied_and_ends_the_flight(deck):
    tick = deck.fly().tick
    plain = program(0.5)

    def late(params, memory, sample):
        memory, packed = plain.tick(params, memory, sample)
        if plain.carried(memory).floats[0] > tick + 3:
            packed[0], packed[1], packed[2] = np.nan, 1.0, 0.0
        return memory, packed

    taken = fly_on(deck, hold(dataclasses.replace(plain, tick=late)), "i", "no_brain", lambda _: None)
    assert taken.stopped == f"the action of the fallback is not finite at tick {tick + 3}"
    assert deck.tick == tick + 3 and np.isnan(deck.recorder.action[tick + 3]).all()


def test_a_program_is_not_flown_beyond_its_validity(deck):
    stop = deck.fly()
    resume, live = stop.tick - 3, deck.slot.live
    checkpoint = deck.checkpoint()
    deck.swap_in(program(0.4), resume, deck.carry_before(resume)[1], valid_until=resume + 5)
    assert deck.fly(pause_at=resume + 2).tick == resume + 2 and not deck.expired
    for pause in (-1, resume + 9):
        assert deck.fly(pause_at=pause).paused and deck.tick == resume + 5 and deck.expired
    assert np.isnan(deck.recorder.action[resume + 5]).all()
    deck.roll_back(checkpoint)
    assert deck.slot.live is live and deck.valid_until is None and not deck.expired


def test_a_program_that_is_valid_to_the_end_judges_the_last_sample(deck):
    stop = deck.fly()
    last = SCENARIO.duration_ticks
    deck.swap_in(program(0.4), stop.tick - 3, deck.carry_before(stop.tick - 3)[1], valid_until=last)
    end = deck.fly()
    assert (end.tick, end.paused, deck.expired) == (last, False, False)
    assert deck.recorder.count == last + 1


# ---------------------------------------------------------------- for people
def test_an_incident_says_who_flew_on(fallen):
    incident = fallen.document["incidents"][0]["id"]
    document = history.incident(f"{fallen.folder.name}/{incident}", fallen.folder.parent)
    assert (document["ending"], document["fallback"]) == ("no_brain", "lander/waits")


def test_the_summary_names_the_fallback_and_what_broke_under_it(fallen):
    text = "\n".join(summary(dict(fallen.document), fallen.folder))
    flew = fallen.document["fallback"]
    assert f"fallback lander/waits flew from {flew['t_s']:g} s (tick {flew['tick']}) on: no brain" in text
    assert "slow-high-up violated at" in text and "action step: thrust_n +0" in text
