"""Assertions read the true state: what an altimeter makes of itself cannot hide a violation.

The hard landing reaches the ground too fast, with four altimeters. `true-height` asks the plant how high the body is,
`sensed-height` asks the altimeter.
"""

from __future__ import annotations

import json

import pytest

from healing_runtime import workspace
from healing_runtime.supervisor.runtime import Runtime
from healing_runtime.telemetry.mcap import read_log

ASSERTIONS = """robot: quadrotor
definitions:
  gentle: descent_rate < 0.7 m/s
assertions:
  - {id: true-height, severity: critical, formula: always (altitude < 30 cm implies gentle)}
  - {id: sensed-height, severity: warning, formula: always (observed(altitude) < 30 cm implies gentle)}
"""
SCENARIO = """robot: quadrotor
controller: quadrotor/landing_hard
assertions: [own]
duration: 6 s
rates: {control_hz: 48, physics_hz: 240}
seed: 7
initial: {position_m: [0.3, -0.2, 1.5]}
faults: [FAULT]
"""
FAULTS = {
    "none": "",
    "stuck": "{kind: sensor_stuck, signal: altitude, start: 500 ms}",
    "biased": "{kind: sensor_bias, signal: altitude, value: 0.5}",
    "silent": "{kind: sensor_dropout, signal: altitude, start: 500 ms}",
}


@pytest.fixture
def fly(tmp_path):
    """`fly(fault)` -> the result, and of every tick the true and the sensed values."""

    def run(fault):
        for folder, text in (("assertions", ASSERTIONS), ("scenarios", SCENARIO.replace("FAULT", FAULTS[fault]))):
            (tmp_path / folder / "quadrotor").mkdir(parents=True)
            (tmp_path / folder / "quadrotor" / "own.yaml").write_text(text)
        scenario = tmp_path / "scenarios/quadrotor/own.yaml"
        scenario.write_text(scenario.read_text().replace("[own]", "[quadrotor/own]"))
        home = workspace.open(tmp_path)
        result = Runtime("quadrotor/own", brain="none", workspace=home, out=tmp_path / "runs").run()
        messages = read_log(result.folder / "log.mcap").messages
        true, sensed = (
            [json.loads(m.data)["values"] for m in messages if m.topic == topic]
            for topic in ("/sim/state", "/sim/sensed")
        )
        return result.document, true, sensed

    return run


@pytest.mark.parametrize(
    ("fault", "sensed_status"), [("none", "false"), ("stuck", "vacuous"), ("biased", "vacuous"), ("silent", "invalid")]
)
def test_the_true_height_judges_whatever_the_altimeter_says(fly, fault, sensed_status):
    document, true, sensed = fly(fault)
    too_fast = next(tick for tick, row in enumerate(true) if row["altitude_m"] < 0.3 and row["descent_rate_mps"] >= 0.7)
    (incident,) = document["incidents"]
    assert (incident["assertion"], incident["tick"]) == ("true-height", too_fast)
    statuses = {a["id"]: a["status"] for a in document["assertions"]}
    assert (statuses["true-height"], statuses["sensed-height"]) == ("false", sensed_status)
    # The fault is what made the difference: only a sound altimeter ever read below 30 cm.
    assert any(row["altitude_m"] < 0.3 for row in sensed) == (fault == "none")
