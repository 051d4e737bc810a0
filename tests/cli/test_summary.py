"""A run in words, and what other commands say of it."""

from pathlib import Path

import pytest

from healing_runtime.app import history
from healing_runtime.cli import doctor, incidents, replay, run
from healing_runtime.core.status import Outcome
from healing_runtime.ledger.store import Ledger
from healing_runtime.supervisor.result import RunResult

DETAIL = "GEMINI_API_KEY is not set; set it, or choose another brain."
INCIDENT = {"id": "0001-soft", "assertion": "soft", "t_s": 1.0, "tick": 10, "robustness": -0.5, "attempts": []}
RUN = {
    "scenario": "lander/mine",
    "outcome": "violated",
    "mission": {"id": "landed", "satisfied": True, "robustness": "inf"},
    "assertions": [{"id": "soft", "status": "vacuous", "robustness": "inf"}],
    "incidents": [{**INCIDENT, "healed": False, "detail": DETAIL}],
    "faults": [],
    "ticks": 10,
    "sim_time_s": 1.0,
    "wall_time_s": 2.0,
}


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")


def test_an_unhealed_run_says_why_under_the_incident_and_at_the_end():
    lines = run.summary(RUN, Path("runs/a"))
    assert f"  not healed: {DETAIL}" in lines
    assert lines[-1] == f"violated: {DETAIL}"


def test_an_aborted_run_ends_with_its_reason():
    lines = run.summary({**RUN, "outcome": "aborted", "reason": "a worker is gone."}, Path("runs/a"))
    assert lines[-1] == "aborted: a worker is gone."


def test_a_margin_without_a_bound_is_no_number():
    lines = run.summary(RUN, Path("runs/a"))
    assert "mission satisfied" in lines and not any("inf" in line.split() for line in lines)


@pytest.mark.parametrize(
    ("incident", "said"),
    [
        ({}, "incident 0001-soft: soft violated at 1 s (tick 10), robustness -0.5"),
        ({"robustness": "-inf"}, "incident 0001-soft: soft violated at 1 s (tick 10)"),
        (
            {"status": "vacuous", "robustness": "inf"},
            "incident 0001-soft: mission soft ended vacuous: it was never asked for, at 1 s (tick 10)",
        ),
        (
            {"status": "unknown", "robustness": "inf"},
            "incident 0001-soft: mission soft ended unknown: the run was over before it was decided, at 1 s (tick 10)",
        ),
        (
            {"status": "invalid", "robustness": None, "lost_signals": {"observed(altitude)": "stale (0.3 s old)"}},
            "incident 0001-soft: soft invalid at 1 s (tick 10): observed(altitude) is stale (0.3 s old)",
        ),
    ],
)
def test_an_incident_says_what_became_of_the_promise(incident, said):
    told = {**INCIDENT, "status": "false", "healed": False, "detail": DETAIL, **incident}
    assert said in run.summary({**RUN, "incidents": [told]}, Path("runs/a"))


def test_a_vacuous_mission_is_missed_because_it_was_never_asked_for():
    mission = {"id": "m", "satisfied": False, "status": "vacuous", "robustness": "inf"}
    lines = run.summary({**RUN, "mission": mission}, Path("runs/a"))
    assert "mission not satisfied: ended vacuous: it was never asked for" in lines


def test_broken_warnings_are_named_with_the_time_they_broke():
    def entry(name, severity, status, at):
        return {"id": name, "status": status, "severity": severity, "robustness": -1.0, "violated_t_s": at}

    found = [
        entry("fuel-reserve", "warning", "false", 3.2),
        entry("kept", "warning", "true", None),
        entry("fatal", "critical", "false", 4.0),
        entry("sensor", "warning", "invalid", 0.5),
    ]
    lines = run.summary({**RUN, "assertions": found}, Path("runs/a"))
    assert "warnings broken: fuel-reserve at 3.2 s, sensor at 0.5 s (invalid)" in lines
    assert not any("warnings broken" in line for line in run.summary(RUN, Path("runs/a")))


@pytest.mark.parametrize(
    ("severity", "status", "code"),
    [
        ("warning", "true", 0), ("warning", "false", 1), ("warning", "invalid", 1), ("warning", "vacuous", 1),
        ("warning", "unknown", 1), ("critical", "vacuous", 1),
    ],
)  # fmt: skip
def test_strict_is_1_for_a_broken_warning_as_for_an_open_end(severity, status, code):
    document = {"assertions": [{"id": "a", "severity": severity, "status": status}], "faults": []}
    assert RunResult(document, Outcome.SUCCEEDED, Path("a"), strict=True).exit_code == code
    assert RunResult(document, Outcome.SUCCEEDED, Path("a")).exit_code == 0


FAULTS = [
    {"kind": "wind", "when": None, "onset": None},  # its start was not reached
    {"kind": "wind", "when": "altitude < 1 m", "onset": {"tick": 3, "step": 15, "t_s": 0.0625}},
    {"kind": "payload", "when": "altitude < 0 m", "onset": None},
]


def test_a_fault_whose_formula_was_never_true_is_said_and_is_1_if_strict():
    lines = run.summary({**RUN, "faults": FAULTS}, Path("runs/a"))
    assert [line for line in lines if "never began" in line] == ["faults[2] never began: its formula was never true"]
    for faults, code in ((FAULTS[:2], 0), (FAULTS, 1)):
        document = {"assertions": [], "faults": faults}
        assert RunResult(document, Outcome.SUCCEEDED, Path("a"), strict=True).exit_code == code
        assert RunResult(document, Outcome.SUCCEEDED, Path("a")).exit_code == 0


REPLAYED = {
    "divergence": None, "compared": "bits", "complete": True, "messages": 3, "files": 2, "digest": "sha256:1",
    "recorded_digest": "sha256:1", "same_simulation": True, "fingerprint_differences": {},
}  # fmt: skip
ELSEWHERE = {
    "compared": "tolerance", "rows_within_tolerance": 2, "contact": {"tick": 5, "t_s": 0.5},
    "fingerprint_differences": {"numpy": {"recorded": "1.0", "here": "2.0"}},
    "tolerance": {"/sim/state:altitude_m": 1e-4, "/sim/sensed:altitude_m": 1e-4, "/assert/soft": 0.01},
}  # fmt: skip


def said(**found):
    document = {**REPLAYED, **found}
    return [*replay._found(document), *replay._notes(document)]


def test_a_replay_without_a_recorded_digest_does_not_claim_one():
    (line,) = said(complete=False, recorded_digest=None)
    assert "no digest was recorded" in line and "the result" not in line
    assert "sha256" not in line and "up to its last whole row" in line


def test_a_replay_says_what_it_compared():
    (line,) = said()
    assert line == "identical: the whole record, 3 rows, the result, 2 files of incidents, digest sha256:1"
    assert said(files=None) == ["identical: the whole record, 3 rows, the result, digest sha256:1"]


def test_a_replay_names_the_row_that_differs():
    place = {"tick": 17, "t_s": 1.7, "topic": "/sim/state", "what": "altitude_m: recorded 1.0, replayed 2.0"}
    (line,) = said(divergence=place)
    assert line == "diverged: tick 17 (t = 1.7 s), /sim/state: altitude_m: recorded 1.0, replayed 2.0"
    (line,) = said(divergence={**place, "tick": None, "what": "result.json: outcome: …"})
    assert line == "diverged: result.json: outcome: …"
    (line,) = said(divergence={**place, "topic": None, "what": "incidents/…: thrust_n: …"})
    assert line == "diverged: tick 17 (t = 1.7 s): incidents/…: thrust_n: …"


def test_a_replay_on_another_machine_states_its_tolerances_and_is_not_identical():
    lines = said(**ELSEWHERE)
    assert lines == [
        "agrees within the tolerances below: the whole record, 2 rows by number up to the first contact at t = 0.5 s; "
        "then the outcome",
        "note: not on the recorded machine or package versions (numpy was 1.0, is 2.0)",
        "tolerance of /sim/state: altitude_m 0.0001",
        "tolerance of /sim/sensed: altitude_m 0.0001",
        "tolerance of /assert: soft 0.01",
    ]
    without_result = said(**{**ELSEWHERE, "contact": None, "complete": False})[0]
    assert without_result.endswith("2 rows by number; then nothing, for the run has no result")
    plain = {"outcome": "succeeded", "digest": "d", "same_simulation": False, "fingerprint_differences": {}}
    assert [*replay._notes(plain)] == [
        "note: not on the recorded code of the simulation",
        "note: equality to the last bit is not promised",
    ]


@pytest.mark.parametrize(
    ("start", "words"), [("snapshot", "began at its snapshot"), ("recipe", "re-executed the recipe: the hash differs")]
)
def test_a_replay_says_how_it_came_to_its_incident(start, words):
    began = {"id": "0001-soft", "tick": 17, "t_s": 1.7, "start": start, "reason": "the hash differs"}
    assert said(from_incident=began)[1] == f"from incident 0001-soft at t = 1.7 s (tick 17): {words}"


def test_a_whole_record_needs_no_repair():
    document = {"log": "log.mcap", "messages": 3, "was_complete": True, "broken_at": None, "repaired": False}
    assert doctor._repaired(document) == ["nothing to repair: log.mcap, 3 rows"]


def test_an_incident_id_of_several_runs_says_how_many_fit(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        for name in ("a", "b"):
            ledger.record_run(name, {})
            ledger.record_incident("0001-soft", name, {"scenario": "s", "assertion": "soft", "t_s": 1.0})
    found = history.incident("0001", tmp_path)
    assert (found["run"], found["same_id"]) == ("b", 2)
    assert incidents._details(found)[0].startswith("2 incidents fit")
    assert (history.incident("a/0001", tmp_path))["run"] == "a"
    assert not incidents._details(history.incident("a/0001-soft", tmp_path))[0].startswith("2")
