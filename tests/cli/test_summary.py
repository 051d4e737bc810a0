"""A run in words, and what other commands say of it."""

from pathlib import Path

import pytest

from healing_runtime.app import history
from healing_runtime.cli import doctor, incidents, replay, run
from healing_runtime.ledger.store import Ledger

DETAIL = "GEMINI_API_KEY is not set; set it, or choose another brain."
INCIDENT = {"id": "0001-soft", "assertion": "soft", "t_s": 1.0, "tick": 10, "robustness": -0.5, "attempts": []}
RUN = {
    "scenario": "lander/mine",
    "outcome": "violated",
    "mission": {"id": "landed", "satisfied": True, "robustness": "inf"},
    "assertions": [{"id": "soft", "status": "vacuous", "robustness": "inf"}],
    "incidents": [{**INCIDENT, "healed": False, "detail": DETAIL}],
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


def test_a_replay_without_a_recorded_digest_does_not_claim_one():
    found = {"divergence": None, "complete": False, "messages": 3, "digest": "sha256:1", "recorded_digest": None}
    (line,) = replay._text(found)
    assert "no digest was recorded" in line and "sha256" not in line


def test_a_whole_record_needs_no_repair():
    document = {"log": "log.mcap", "messages": 3, "was_complete": True, "broken_at": None, "repaired": False}
    assert doctor._repaired(document) == ["nothing to repair: log.mcap, 3 rows"]


def test_an_incident_id_of_several_runs_says_how_many_fit(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        for name in ("a", "b"):
            ledger.record_run(name, {})
            ledger.record_incident("0001-soft", name, {"assertion": "soft"})
    found = history.incident("0001", tmp_path)
    assert (found["run"], found["same_id"]) == ("b", 2)
    assert incidents._details(found)[0].startswith("2 incidents fit")
    assert (history.incident("a/0001", tmp_path))["run"] == "a"
    assert not incidents._details(history.incident("a/0001-soft", tmp_path))[0].startswith("2")
