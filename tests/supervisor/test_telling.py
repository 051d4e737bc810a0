"""What a run says when a promise breaks: whose, that it is broken, by how much, and which sensor was silent."""

from __future__ import annotations

import pytest

from healing_runtime import workspace
from healing_runtime.supervisor.runtime import Runtime

SCENARIO = """robot: quadrotor
controller: quadrotor/landing_hard
assertions: [quadrotor/own]
MISSION
duration: 2 s
rates: {control_hz: 48, physics_hz: 240}
seed: 7
initial: {position_m: [0.3, -0.2, 1.5]}
faults: [FAULT]
"""
DROPOUT = "{kind: sensor_dropout, signal: altitude, start: 500 ms}"


@pytest.fixture
def fly(tmp_path):
    """`fly(assertions, …)` -> the result and what was told on the way."""

    def run(assertions, fault="", mission="", strict=False):
        text = SCENARIO.replace("FAULT", fault).replace("MISSION", "mission: goal" if mission else "")
        listed = "\n".join(f"  - {entry}" for entry in assertions)
        own = f"robot: quadrotor\nassertions:\n{listed}\n" + (f"mission:\n  - {mission}\n" if mission else "")
        for folder, content in (("assertions", own), ("scenarios", text)):
            (tmp_path / folder / "quadrotor").mkdir(parents=True)
            (tmp_path / folder / "quadrotor" / "own.yaml").write_text(content)
        home, lines = workspace.open(tmp_path), []
        runtime = Runtime(
            "quadrotor/own", brain="none", workspace=home, out=tmp_path / "runs", strict=strict, progress=lines.append
        )
        result = runtime.run()
        return result, [line for line in lines if line.startswith("t = ")]

    return run


def test_a_violation_is_told_by_its_id_first_and_as_broken(fly):
    result, (line,) = fly(["{id: slow, severity: critical, formula: always (descent_rate < 0.5 m/s)}"])
    (incident,) = result.document["incidents"]
    said = f"t = {incident['t_s']:.2f} s: slow is violated (robustness {incident['robustness']:.3g} m/s); it asks: "
    assert line == said + "at all times descent_rate is below 0.5 m/s"


@pytest.mark.parametrize(
    ("formula", "name"),
    [
        ("always (observed(altitude) < 9 m)", "observed(altitude)"),
        ("always (observed(altitude) + altitude < 9 m)", None),
    ],
)
def test_an_invalid_stop_names_the_sensor(fly, formula, name):
    result, (line,) = fly([f"{{id: sensed, severity: critical, formula: {formula}}}"], fault=DROPOUT)
    (incident,) = result.document["incidents"]
    assert list(incident["lost_signals"]) == ["observed(altitude)"]
    assert incident["lost_signals"]["observed(altitude)"].startswith("stale (0.0")
    assert "sensed is invalid, which counts as violated (observed(altitude) is stale (0.0" in line


def test_a_vacuous_mission_is_missed_and_said_to_be_vacuous(fly):
    kept = "{id: high, severity: warning, formula: always (altitude < 9 m)}"
    goal = "{id: goal, formula: 'contact implies eventually[0 s, 1 s] (altitude < 1 m)'}"
    result, (line,) = fly([kept], mission=goal)
    assert result.exit_code == 1 and result.document["mission"]["status"] == "vacuous"
    assert line.startswith("t = 2.00 s: mission goal ended vacuous: it was never asked for; it asks: the flight is")


def test_a_broken_warning_has_its_first_time_on_record_and_fails_a_strict_run(fly):
    entry = "{id: slow, severity: warning, formula: always (descent_rate < 0.5 m/s)}"
    result, lines = fly([entry, "{id: high, severity: warning, formula: always (altitude < 9 m)}"], strict=True)
    slow, high = result.document["assertions"][:2]
    assert (slow["status"], high["status"], high["violated_t_s"], lines) == ("false", "true", None, [])
    assert 0 < slow["violated_t_s"] < slow["worst_t_s"]
    assert (result.outcome.exit_code, result.exit_code) == (0, 1)
